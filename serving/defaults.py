"""What is served when no model is named: the shipped presets, exported once to a cache folder.

`serving/config/models.config` says where the models lie in a TensorFlow Serving container
(/models/NAME). Here every base path is moved to the cache folder, everything else in the file
stays, so one file configures both servers.
"""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path

from tensorflow_serving.config import model_server_config_pb2

from serving.config.files import PLATFORM, read_text_proto
from serving.errors import failed_precondition
from zoo.io import cache_folder, replaced_directory
from zoo.quiet import held_stderr

log = logging.getLogger("serving.defaults")
CONFIG_FOLDER = Path(__file__).parent / "config"
MODELS_CONFIG = CONFIG_FOLDER / "models.config"
BATCHING_CONFIG = CONFIG_FOLDER / "batching.config"


def fingerprint(preset: Path) -> str:
    """Changes whenever a preset or the code that exports it does."""
    from zoo._version import __version__

    digest = hashlib.sha256(__version__.encode())
    code = Path(__file__).parents[1] / "export"
    for file in sorted([*preset.rglob("*"), *code.rglob("*.py")]):
        if file.is_file():
            stat = file.stat()
            digest.update(f"{file.name}:{stat.st_size}:{stat.st_mtime_ns}".encode())
    return digest.hexdigest()[:16]


def exported(name: str, preset: Path) -> Path:
    """The base path of a preset's export, made now if the cache has none that is current."""
    base = cache_folder() / "exports" / name / fingerprint(preset)
    if (base / "1" / "saved_model.pb").is_file():
        return base
    import zoo
    from export.saved_model.exporter import export_saved_model

    log.info("exporting %s to %s", name, base)
    with held_stderr("2"), replaced_directory(base) as temporary:
        export_saved_model(zoo.load(name), temporary)
    return base


def shipped_config() -> model_server_config_pb2.ModelServerConfig:
    """A ModelServerConfig of the shipped presets, each exported.

    Raises:
        ServingError: this installation carries no preset.
    """
    from zoo.presets.store import shipped_presets

    presets = shipped_presets()
    if not presets:
        raise failed_precondition("no preset is shipped with this installation; name a model")
    stock = read_text_proto(str(MODELS_CONFIG), model_server_config_pb2.ModelServerConfig())
    config = model_server_config_pb2.ModelServerConfig()
    listed = {model.name: model for model in stock.model_config_list.config}
    for name, preset in presets.items():
        model = config.model_config_list.config.add(name=name, model_platform=PLATFORM)
        if name in listed:
            model.CopyFrom(listed[name])
        model.base_path = str(exported(name, preset).absolute())
    return config
