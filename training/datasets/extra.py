"""Further pairs for training alone, such as back-translations (Sennrich et al. 2016).

A model of the other direction translates sentences of the target language; its translations become
sources. What a held-out sentence would be given away by is left out, as in the corpus itself.
Sources that a model wrote are tagged (Caswell et al. 2019), so that the network can tell them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from training.config import DataConfig
from training.datasets import splits
from training.datasets.corpus import Corpus, Pair
from zoo.errors import ZooError
from zoo.io import read_text_lines

TAG = "\ue00f"  # for private use: in no text, and a token of its own


def with_extra(corpus: Corpus, config: DataConfig) -> Corpus:
    """The corpus with the pairs of `data.extra` behind its own training pairs.

    Raises:
        ZooError: the file is missing, or a line is no pair.
    """
    if config.extra is None:
        return corpus
    held = [text for pair in (*corpus.valid, *corpus.test) for text in (pair.source, pair.target)]
    kept = apart(read_pairs(Path(config.extra)), held)
    tag = f"{TAG} " if config.extra_tag else ""
    extra = [Pair(tag + source, target, (target,)) for source, target in kept]
    return replace(corpus, train=[*corpus.train, *extra])


def apart(pairs: Iterable[tuple[str, str]], held: Iterable[str]) -> list[tuple[str, str]]:
    """The pairs of which no side is a near-duplicate of a held-out text, each once."""
    near = splits.NearDuplicates(map(splits.words_of, held))
    return [
        pair
        for pair in dict.fromkeys(pairs)
        if not any(splits.words_of(side) in near for side in pair)
    ]


def read_pairs(path: Path) -> list[tuple[str, str]]:
    """Sources and targets of a file.

    Args:
        path: source TAB target a line; or, named `.jsonl`, what `zoo translate --json` printed:
            then the translations are the sources, and the texts that were translated the targets.
    """
    is_json = path.suffix == ".jsonl"
    pairs = []
    for number, line in enumerate(read_text_lines(str(path)), 1):
        if line.strip():
            pair = back_translation(line) if is_json else tuple(line.split("\t")[:2])
            if pair is None or len(pair) != 2:
                expected = "an answer of zoo translate --json" if is_json else "source TAB target"
                raise ZooError(f"{path}, line {number}: {line!r:.60} is not {expected}")
            pairs.append((pair[0].strip(), pair[1].strip()))
    return [pair for pair in pairs if all(pair)]


def back_translation(line: str) -> tuple[str, str] | None:
    """The best translation and the text it is of; None for another line."""
    try:
        row = json.loads(line)
        return str(row["translations"][0]["text"]), str(row["text"])
    except (ValueError, KeyError, IndexError, TypeError):
        return None
