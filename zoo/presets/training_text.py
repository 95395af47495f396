"""Which sentences a preset was trained on: a sample of their hashes, kept with the preset.

A figure on text that a model was trained on says nothing. A sixteenth of all sentences is in the
sample, by their own hash, so that the share of a file that was trained on can be told from a few
kilobytes: 4 bytes a sampled sentence, in `training_text.npy`.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from zoo.errors import ZooError
from zoo.text.sentence_words import hash_of, words_of

FILE = "training_text.npy"
ONE_IN = 16
SEED = 2


class Known(NamedTuple):
    """How many of the sampled sentences of a text were trained on."""

    known: int
    sampled: int


def sample(texts: Iterable[str]) -> np.ndarray:
    """The hashes of the sentences that are in the sample, sorted; uint32 [sentences]."""
    sums = (hash_of(" ".join(words_of(text)), SEED) for text in texts)
    return np.unique(
        np.asarray([int.from_bytes(s[1:5], "big") for s in sums if s[0] % ONE_IN == 0], np.uint32)
    )


def known(trained_on: np.ndarray, texts: Iterable[str]) -> Known:
    """How many of a text's sentences were trained on, as far as they are in the sample."""
    asked = sample(texts)
    return Known(int(np.isin(asked, trained_on).sum()), len(asked))


def write(directory: Path, trained_on: np.ndarray) -> None:
    """Keep a sample with a preset."""
    np.save(directory / FILE, trained_on, allow_pickle=False)


def read(directory: Path) -> np.ndarray | None:
    """The sample of a preset, if it has one.

    Raises:
        ZooError: the file is not a row of such hashes.
    """
    path = directory / FILE
    if not path.is_file():
        return None
    try:
        found = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ZooError(f"{path} is damaged ({error}); save the preset again") from None
    if found.dtype != np.uint32 or found.ndim != 1:
        raise ZooError(f"{path} is not a row of 32-bit hashes; save the preset again")
    return np.array(found)
