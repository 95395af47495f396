"""A run's state in a few files of less than 16 MB, 60 MB in all.

All values as they are where they fit. Where they do not, the trained weights alone, rounded to
bfloat16's precision and compressed: the run then goes on from them with a fresh optimizer. A run
that has ended leaves its best weights instead, as the preset's arrays, rounded likewise.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.io import write_atomically

if TYPE_CHECKING:
    from training.run.loop import Run

PIECE = 15 * 2**20  # bytes
MOST = 60 * 2**20

Arrays = dict[str, np.ndarray]


class Parcel:
    """The files NAME.json and NAME-00.bin, NAME-01.bin, ... of a folder.

    Args:
        folder: what comes back from the machine.
        name: of the recipe.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name
        self.facts = folder / f"{name}.json"

    def is_finished(self) -> bool:
        return self.facts.is_file() and self._read_facts()["finished"]

    def pack(self, run: Run) -> None:
        """The state of a run that was just saved."""
        whole = run.checkpoint.read_bytes()
        exact = len(whole) <= MOST
        if not exact:
            values = {
                f"{i:04d}": np.asarray(w.value) for i, w in enumerate(run.trainer.trainable_weights)
            }
            whole = packed(values)
        self._write(whole, {"finished": False, "exact": exact, "state": run.state.as_dict()})

    def finish(self, preset: Path) -> None:
        """The best weights of a run that has ended."""
        import h5py

        arrays: Arrays = {}
        with h5py.File(preset / "model.weights.h5") as file:
            file.visititems(
                lambda name, item: (
                    arrays.__setitem__(name, item[()]) if isinstance(item, h5py.Dataset) else None
                )
            )
        self._write(packed(arrays), {"finished": True, "exact": False})

    def unpack(self, run: Run) -> None:
        """Put an earlier call's state into a run."""
        if not self.facts.is_file():
            return
        facts, whole = self._read_facts(), self._read()
        if facts["exact"]:
            run.directory.mkdir(parents=True, exist_ok=True)
            run.checkpoint.write_bytes(whole)
            run.resume()
            return
        arrays = unpacked(whole)
        for i, weight in enumerate(run.trainer.trainable_weights):
            weight.assign(arrays[f"{i:04d}"])
        run.state = type(run.state)(**facts["state"])

    def _write(self, whole: bytes, facts: dict[str, Any]) -> None:
        """The pieces, then the facts that say how many there are."""
        pieces = [whole[i : i + PIECE] for i in range(0, len(whole), PIECE)]
        for number, piece in enumerate(pieces):
            write_atomically(self._piece(number), piece)
        text = json.dumps({**facts, "bytes": len(whole), "pieces": len(pieces)})
        write_atomically(self.facts, text)
        for old in self.folder.glob(f"{self.name}-*.bin"):
            if int(old.stem.rpartition("-")[2]) >= len(pieces):
                old.unlink()

    def _read(self) -> bytes:
        count = self._read_facts()["pieces"]
        return b"".join(self._piece(number).read_bytes() for number in range(count))

    def _read_facts(self) -> dict[str, Any]:
        facts: dict[str, Any] = json.loads(self.facts.read_text(encoding="utf-8"))
        return facts

    def _piece(self, number: int) -> Path:
        return self.folder / f"{self.name}-{number:02d}.bin"


def packed(arrays: Arrays) -> bytes:
    """Arrays in a compressed archive, floats as the upper halves of their rounded float32."""
    stored = {}
    for name, array in arrays.items():
        if array.dtype.kind == "f":
            bits = np.ascontiguousarray(array, np.float32).view(np.uint32)
            rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
            stored[f"upper:{name}"] = rounded.astype(np.uint16)
        else:
            stored[f"whole:{name}"] = array
    file = io.BytesIO()
    np.savez_compressed(file, **stored)
    return file.getvalue()


def unpacked(content: bytes) -> Arrays:
    """What `packed` was given, floats as float32."""
    found = {}
    with np.load(io.BytesIO(content), allow_pickle=False) as stored:
        for key in stored:
            kind, _, name = key.partition(":")
            upper = stored[key]
            found[name] = (
                (upper.astype(np.uint32) << 16).view(np.float32) if kind == "upper" else upper
            )
    return found
