"""A run's state in one file a checkpoint: all variables and the loop's own numbers.

Written beside and renamed, so a kill at any moment leaves the last good checkpoint; read without
pickle. Everything that decides the rest of a run is in it: weights, optimizer moments, dropout's
seed states, averaged weights, and where the schedule stands.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import keras
import numpy as np

from zoo.errors import ZooError
from zoo.io import replaced_file

Arrays = dict[str, np.ndarray]


def variables_of(trainer: keras.Model) -> dict[str, Any]:
    """Every variable that a step reads or writes, by group and place."""
    groups = {"model": list(trainer.variables), "optimizer": list(trainer.optimizer.variables)}
    seen: set[int] = set()
    named: dict[str, Any] = {}
    for group, variables in groups.items():
        for variable in variables:
            if id(variable) not in seen:
                seen.add(id(variable))
                named[f"{group}.{len(named):04d}"] = variable
    return named


def save_checkpoint(path: Path, trainer: keras.Model, state: dict[str, Any]) -> None:
    """Write all variables and the run's `state` (plain JSON values) to `path`, atomically."""
    arrays = {
        name: keras.ops.convert_to_numpy(v.value) for name, v in variables_of(trainer).items()
    }
    text = np.frombuffer(json.dumps(state).encode(), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replaced_file(path) as temporary, temporary.open("wb") as file:
        np.savez(file, progress=text, **arrays)
        file.flush()
        os.fsync(file.fileno())  # a checkpoint survives a crash of the machine too


def load_checkpoint(path: Path, trainer: keras.Model) -> dict[str, Any]:
    """Put a checkpoint's values back into the trainer's variables; returns the run's state.

    Raises:
        ZooError: the file is damaged or belongs to another model or optimizer.
    """
    try:
        with np.load(path, allow_pickle=False) as content:
            state = json.loads(bytes(content["progress"]).decode())
            arrays = {name: content[name] for name in variables_of(trainer)}
    except KeyError as error:
        raise ZooError(f"{path} is of another model or optimizer: it lacks {error}") from None
    except Exception as error:  # a cut or damaged archive is answered with any of many kinds
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ZooError(f"{path} is damaged ({reason}); start again with another --out") from None
    for name, variable in variables_of(trainer).items():
        if variable.shape != arrays[name].shape:
            raise ZooError(
                f"{path}: {name} is {arrays[name].shape}, the config makes {variable.shape}"
            )
        variable.assign(arrays[name])
    return dict(state)
