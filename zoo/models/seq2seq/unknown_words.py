"""Unknown words in a translation: copied through where they belong, else marked, never dropped.

A word that the source vocabulary lacks reaches the model as `<unk>`, and an `<unk>` that the model
writes stands for a source word. With attention it is the one most attended to (Luong et al. 2015,
arXiv 1410.8206), unknown ones first; without, the unknown words follow each other in order.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

MARK = "<unk>"
CONTINUED = "^##(.)"  # an unknown piece inside a word (zoo.text.SubwordTokenizer); kept: the rest


def with_source_words(
    translation: str,
    tokens: Sequence[str],
    unknown: Sequence[bool],
    attention: np.ndarray | None,
    backwards: bool,
    mark_lost: bool = True,
) -> str:
    """A translation with source words in place of each `<unk>`, and those left over in brackets.

    Args:
        translation: readable text.
        tokens: the source's tokens in the encoder's order.
        unknown: which of them are unknown.
        attention: [number of `<unk>`, source] attention where each `<unk>` was written, the
            source's `<eos>` in the last column; None for a model without attention.
        backwards: whether the encoder's order is the reverse of the text's.
        mark_lost: whether the words left over are listed.

    Example:
        >>> german, unknown = ["ich", "bin", "zaphod"], [False, False, True]
        >>> with_source_words("i am <unk>.", german, unknown, None, backwards=False)
        'i am zaphod.'
    """
    in_text = sorted(
        (place for place, is_unknown in enumerate(unknown) if is_unknown),
        key=lambda place: -place if backwards else place,
    )
    tokens = [re.sub(CONTINUED, r"\1", token) for token in tokens]
    pieces = translation.split(MARK)
    places = chosen_places(len(pieces) - 1, len(tokens), in_text, attention)
    copies = [MARK if place is None else tokens[place] for place in places]
    text = "".join(part for pair in zip(pieces, [*copies, ""], strict=True) for part in pair)
    if not mark_lost:
        return text
    left = [tokens[p] for p in in_text if p not in places and is_word(tokens[p])]
    return " ".join([*([text] if text else []), *[f"[{word}]" for word in left]])


def chosen_places(
    count: int, length: int, unknown: Sequence[int], attention: np.ndarray | None
) -> list[int | None]:
    """The source place that each `<unk>` stands for; None where there is none."""
    if attention is None:
        return [unknown[k] if k < len(unknown) else None for k in range(count)]
    allowed = np.zeros(attention.shape[1], dtype=bool)
    allowed[list(unknown) or range(length)] = True
    best = np.where(allowed, attention, -1.0).argmax(axis=1)
    return [int(best[k]) if k < len(best) and allowed.any() else None for k in range(count)]


def is_word(token: str) -> bool:
    """Whether a token has a letter or a digit: lost punctuation is not worth a mark."""
    return any(character.isalnum() for character in token)
