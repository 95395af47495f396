"""Weights of a Keras model in one HDF5 file of plain arrays: nothing in it can run code.

Keras's own `.weights.h5` is kept as the format; only the arrays are narrowed to float16, rounded
to bfloat16's precision and compressed, which takes 40 % of float32's size and loads back with
`load_weights`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from zoo.errors import ZooError

WEIGHTS_FILE = "model.weights.h5"
SIGNIFICANT_BITS = 8  # of float16's 11: bfloat16's precision


def save_weights(model: Any, directory: Path, dtype: str = "float32") -> None:
    """Write the model's weights to `directory/model.weights.h5` as float32 or float16."""
    if dtype not in ("float16", "float32"):
        raise ZooError(f"dtype {dtype!r}: weights are saved as 'float16' or 'float32'")
    path = directory / WEIGHTS_FILE
    model.save_weights(path)
    if dtype == "float16":
        narrow(path)


def narrow(path: Path) -> None:
    """Rewrite an HDF5 file with its float32 arrays as rounded and compressed float16."""
    import h5py

    wide = path.with_suffix(".wide")
    path.rename(wide)
    with h5py.File(wide, "r") as source, h5py.File(path, "w") as target:
        source.visititems(lambda name, item: _copy(name, item, target))
    wide.unlink()


def _copy(name: str, item: Any, target: Any) -> None:
    import h5py

    if not isinstance(item, h5py.Dataset):
        group = target.require_group(name)
        for key, value in item.attrs.items():
            group.attrs[key] = value
        return
    values = item[()]
    if isinstance(values, np.ndarray) and values.dtype == np.float32:
        values = rounded(values).astype(np.float16)
    options = {"compression": "gzip", "shuffle": True} if np.ndim(values) else {}
    dataset = target.create_dataset(name, data=values, **options)
    for key, value in item.attrs.items():
        dataset.attrs[key] = value


def rounded(values: np.ndarray) -> np.ndarray:
    """Each value to `SIGNIFICANT_BITS` binary digits, so that the bytes compress well."""
    fraction, exponent = np.frexp(values)  # 0.5 <= |fraction| < 1
    return np.ldexp(np.rint(np.ldexp(fraction, SIGNIFICANT_BITS)), exponent - SIGNIFICANT_BITS)


def load_weights(model: Any, directory: Path) -> None:
    """Load `directory/model.weights.h5` into a built model; says in one line what does not fit."""
    path = directory / WEIGHTS_FILE
    if not path.is_file():
        raise ZooError(f"{path} is missing: the preset is incomplete; save or download it again")
    try:
        model.load_weights(path)
    except Exception as error:  # h5py and Keras raise many types for a damaged file
        reason = str(error).strip().splitlines()
        raise ZooError(
            f"{path} is damaged or does not fit config.json "
            f"({reason[0] if reason else type(error).__name__}); save or download it again"
        ) from None
    _refuse_non_finite(model, path)


def _refuse_non_finite(model: Any, path: Path) -> None:
    for variable in model.weights:
        values = np.asarray(variable.numpy() if hasattr(variable, "numpy") else variable)
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise ZooError(f"{path}: {variable.path} holds NaN or infinity; the file is damaged")
