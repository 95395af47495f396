"""Weights of a Keras model in one HDF5 file of plain arrays: nothing in it can run code.

Keras's own `.weights.h5` is kept as the format; only the arrays are narrowed to float16, rounded
to bfloat16's precision and compressed, which takes 40 % of float32's size and loads back with
`load_weights`.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from zoo.errors import ZooError

WEIGHTS_FILE = "model.weights.h5"
MOST_UNPACKED = 100  # times the file's size; compressed weights take a half or a third
SMALL_MODEL = 2**22  # values that no check is worth
SMALL_SIZE = 1024
REPEATED, MOST_REPEATED = ("num_layers", "window"), 1_000  # of which each makes operations
WIDTHS = ("units", "attention_units", "readout_units")  # a matrix has so many columns
HDF5_OVERHEAD = 8192  # bytes for an array and its group
BLOCK = 2**20
SIGNIFICANT_BITS = 8  # of float16's 11: bfloat16's precision


def save_weights(model: Any, directory: Path, dtype: str = "float32") -> None:
    """Write the model's weights to `directory/model.weights.h5` as float32 or float16."""
    if dtype not in ("float16", "float32"):
        raise ZooError(f"dtype {dtype!r}: weights are saved as 'float16' or 'float32'")
    path = directory / WEIGHTS_FILE
    values = sum(int(np.prod(weight.shape, dtype=np.int64)) for weight in model.weights)
    find_room(path, 4 * values + HDF5_OVERHEAD * (len(model.weights) + 8))
    model.save_weights(path)
    if dtype == "float16":
        narrow(path)


def find_room(path: Path, size: int) -> None:
    """Write a file of zeros first: where there is no room, Python says so.

    HDF5 would crash the process when a write fails, at the latest as it ends.
    """
    with path.open("wb") as file:
        for start in range(0, size, BLOCK):
            file.write(bytes(min(BLOCK, size - start)))


def narrow(path: Path) -> None:
    """Rewrite an HDF5 file with its float32 arrays as rounded and compressed float16."""
    import h5py

    wide = path.with_suffix(".wide")
    path.rename(wide)
    find_room(path, wide.stat().st_size)
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


def check_sizes(directory: Path, config: Mapping[str, Any], vocabulary_size: int) -> None:
    """Refuse sizes that the weights' file cannot fill, before memory is taken for them.

    Args:
        directory: the preset's.
        config: the constructor's arguments.
        vocabulary_size: words that have a vector, of all vocabularies.
    """
    path = directory / WEIGHTS_FILE
    with _said_of(path):
        shapes = stored_shapes(path)
    check_shapes(f"{directory}/config.json", shapes, config, vocabulary_size)


def check_shapes(
    source: str,
    shapes: Sequence[tuple[int, ...]],
    config: Mapping[str, Any],
    vocabulary_size: int,
) -> None:
    """`check_sizes` of arrays of these shapes; `source` is where `config` stands."""
    total = max(sum(map(math.prod, shapes)), SMALL_MODEL)
    largest = max([SMALL_SIZE, *(size for shape in shapes for size in shape)])
    sizes = all_sizes(config)
    for name, value in sizes.items():
        most = len(shapes) if name == "num_layers" else largest
        if type(value) is int and value > most and not name.startswith(("max_", "seed")):
            raise ZooError(
                f"{source}: {name}={value}, but {WEIGHTS_FILE} has {len(shapes)} "
                f"arrays of at most {largest} rows or columns; save the preset again"
            )
    needed = least_values(sizes, vocabulary_size)
    if needed > total:
        raise ZooError(
            f"{source} needs {needed} values or more, {WEIGHTS_FILE} has {total}; "
            "save the preset again"
        )


def refuse_beyond_memory(config: Mapping[str, Any], vocabulary_size: int) -> None:
    """Refuse sizes that this machine has no memory for, where there is no file to compare with."""
    sizes = all_sizes(config)
    for name in REPEATED:
        if type(times := sizes.get(name)) is int and times > MOST_REPEATED:
            raise ZooError(f"{name}={times}: give at most {MOST_REPEATED}")
    needed, memory = 4 * least_values(sizes, vocabulary_size), memory_of_machine()
    if needed > memory:
        raise ZooError(
            f"these sizes need {needed:,} bytes or more, this machine has {memory:,}: "
            "the config is damaged, or the model too large"
        )


def all_sizes(config: Mapping[str, Any]) -> dict[str, Any]:
    """The constructor's arguments with those of its layers."""
    options = config.get("cell_options")
    return {**(options if isinstance(options, dict) else {}), **config}


def memory_of_machine() -> int:
    """Bytes of main memory; unlimited where the system does not say."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return sys.maxsize


def least_values(sizes: Mapping[str, Any], vocabulary_size: int) -> int:
    """How many values a model has at least: word vectors, and matrices of layers of one width."""

    def size(name: str, default: int = 0) -> int:
        value = sizes.get(name)
        return value if type(value) is int else default

    units = size("units")
    alike = size("num_layers", 1) - bool(sizes.get("tied"))  # the last layer is a word's width
    recurrent = alike * units * min(units, size("projection_units", units))
    window = size("window") * size("embedding_dim") * units
    return max(recurrent, window, vocabulary_size * size("embedding_dim"), *map(size, WIDTHS))


def stored_shapes(path: Path) -> list[tuple[int, ...]]:
    """The shapes of all arrays of an HDF5 file that holds them itself."""
    if not path.is_file():
        raise ZooError(f"{path} is missing: the preset is incomplete; save or download it again")
    return shapes_in(path, path.stat().st_size)


def shapes_in(source: Path | BinaryIO, size: int) -> list[tuple[int, ...]]:
    """The shapes of all arrays of an HDF5 file of `size` bytes."""
    import h5py

    shapes: list[tuple[int, ...]] = []
    stored = 0

    def look(name: str, item: Any) -> None:
        nonlocal stored
        if isinstance(item, h5py.Dataset):
            if item.is_virtual or item.external:
                raise ValueError(f"{name} is kept in another file")
            shapes.append(item.shape)
            stored += item.size * item.dtype.itemsize

    with h5py.File(source, "r") as file:
        file.visititems(look)
    if stored > MOST_UNPACKED * size + SMALL_MODEL:
        raise ValueError(f"its arrays are said to have {stored} bytes")
    return shapes


def load_weights(model: Any, directory: Path) -> None:
    """Load `directory/model.weights.h5` into a built model; says in one line what does not fit."""
    path = directory / WEIGHTS_FILE
    with _said_of(path):
        model.load_weights(path)
    _refuse_non_finite(model, path)


@contextmanager
def _said_of(path: Path) -> Iterator[None]:
    """What goes wrong with a file in one line."""
    try:
        yield
    except ZooError:
        raise
    except Exception as error:  # h5py and Keras raise many types for a damaged file
        reason = str(error).strip().splitlines()
        raise ZooError(
            f"{path} is damaged or does not fit config.json "
            f"({reason[0] if reason else type(error).__name__}); save or download it again"
        ) from None


def _refuse_non_finite(model: Any, path: Path) -> None:
    for variable in model.weights:
        values = np.asarray(variable.numpy() if hasattr(variable, "numpy") else variable)
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise ZooError(f"{path}: {variable.path} holds NaN or infinity; the file is damaged")
