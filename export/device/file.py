"""Opening a `.tflite` file of the zoo: checks, associated files, interpreter."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from export.device.text import PAD, Characters, Tokenizer

if TYPE_CHECKING:
    from ai_edge_litert.interpreter import Interpreter

FORMATS = (1, 2)  # 2: translation with rules for what is carried over
LARGEST_FILES = 2**26  # bytes of all associated files; those of a big vocabulary are 2 MB


class DeviceError(ValueError):
    """A file that cannot be used, or an input it has no answer to; the message is one line."""


class LiteFile:
    """A checked file: its description, its tokenizers and an interpreter.

    Args:
        path: a file that `zoo export --format tflite` wrote.
        threads: of the interpreter.

    Raises:
        DeviceError: the file is missing, cut off, damaged, or of another origin.
    """

    def __init__(self, path: str | os.PathLike[str], threads: int = 1) -> None:
        self.path = os.fspath(path)
        self.about, files = read_files(self.path)
        try:
            self.length = int(self.about["length"])
            characters = Characters(json.loads(files["characters.json"]))
            self.tokenizers = {
                name.rpartition("/")[0]: Tokenizer(
                    json.loads(content), words_of(files, name), characters
                )
                for name, content in files.items()
                if name.endswith("tokenizer.json")
            }
        except Exception as error:  # of any kind, for whatever others have written there
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise DeviceError(f"{self.path} has damaged tokenizer files ({reason:.200})") from None
        self.interpreter = make_interpreter(self.path, threads)

    def run(self, signature: str, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        """One signature's answer."""
        if signature not in self.about["signatures"]:
            raise DeviceError(f"{self.path}, a {self.about['kind']}, has no {signature!r}")
        return dict(self.interpreter.get_signature_runner(signature)(**inputs))

    def row(self, ids: Sequence[int]) -> dict[str, np.ndarray]:
        """Ids as a signature reads them: `ids` [1, length] with padding, and `length` [1]."""
        if len(ids) > self.length:
            raise DeviceError(f"{len(ids)} tokens are too many for {self.path}: {self.length}")
        buffer = np.full((1, self.length), PAD, np.int32)
        buffer[0, : len(ids)] = ids
        return {"ids": buffer, "length": np.array([len(ids)], np.int32)}


def read_files(path: str) -> tuple[dict[str, Any], dict[str, str]]:
    """model.json and all associated files of a file, after checking the model's bytes."""
    try:
        with open(path, "rb") as file:
            content = file.read()
        if content[4:8] != b"TFL3":
            raise DeviceError(f"{path} is not a TensorFlow Lite model")
        with zipfile.ZipFile(path) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > LARGEST_FILES:
                raise DeviceError(f"{path} unpacks to more than {LARGEST_FILES} bytes")
            files = {name: archive.read(name).decode("utf-8") for name in archive.namelist()}
        about = json.loads(files["model.json"])
        if not isinstance(about["signatures"], list) or not isinstance(about["kind"], str):
            raise ValueError
        if about["format"] not in FORMATS:
            raise DeviceError(f"{path} has format {about['format']}, this reads {max(FORMATS)}")
        whole = hashlib.sha256(content[: about["bytes"]]).hexdigest() == about["sha256"]
    except OSError as error:
        raise DeviceError(f"cannot read {path}: {error.strerror}") from None
    except DeviceError:
        raise
    except Exception:  # zipfile and json raise many kinds for bytes that are not theirs
        raise DeviceError(
            f"{path} is cut off or was not written by `zoo export --format tflite`"
        ) from None
    if not whole:
        raise DeviceError(f"{path} is damaged: its model is not the one that was exported")
    return about, files


def words_of(files: dict[str, str], rules: str) -> list[str]:
    """The vocabulary beside a tokenizer.json."""
    return files[rules.replace("tokenizer.json", "vocabulary.txt")].removesuffix("\n").split("\n")


def make_interpreter(path: str, threads: int) -> Interpreter:
    """An interpreter of ai-edge-litert."""
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        raise DeviceError("ai-edge-litert is missing: pip install ai-edge-litert") from None
    try:
        return Interpreter(model_path=path, num_threads=threads)
    except (ValueError, RuntimeError) as error:
        raise DeviceError(f"{path} cannot be loaded: {error}".splitlines()[0]) from None
