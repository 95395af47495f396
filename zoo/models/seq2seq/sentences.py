"""Texts as sentences that the model reads one by one, and their translations as texts again."""

from __future__ import annotations

from collections.abc import Sequence

from zoo.models.seq2seq.settings import Seq2SeqSettings
from zoo.text.carrying import Carried, carrier_of
from zoo.text.sentences import sentences_of

Scored = list[tuple[str, float]]  # translations, best first


def source_sentences(text: str, settings: Seq2SeqSettings) -> list[Carried]:
    """The sentences of a text as the model reads them; at least one."""
    found = sentences_of(text) if settings.split_sentences else [text]
    if settings.carry_over is None:
        return [Carried(sentence) for sentence in found]
    carrier = carrier_of(settings.carry_over)
    return [carrier.prepared(sentence) for sentence in found]


def restored(
    translations: Sequence[str], sentence: Carried, settings: Seq2SeqSettings, mark_lost: bool
) -> list[str]:
    """Translations of a sentence with what is carried over."""
    if settings.carry_over is None:
        return list(translations)
    carrier = carrier_of(settings.carry_over)
    return [carrier.restored(text, sentence, mark_lost) for text in translations]


def scored_pair(source: str, target: str, settings: Seq2SeqSettings) -> tuple[str, str]:
    """A source and its translation as the model reads and writes them."""
    if settings.carry_over is None:
        return source, target
    return carrier_of(settings.carry_over).paired(source, target)


def joined(parts: Sequence[Scored]) -> Scored:
    """A text's translations: the first of each sentence together, then the second of each.

    A sentence with fewer translations goes on with its last. Scores are added.

    Example:
        >>> joined([[("Yes.", -1.0)], [("I go.", -2.0), ("I'm going.", -3.0)]])
        [('Yes. I go.', -3.0), ("Yes. I'm going.", -4.0)]
    """
    if len(parts) == 1:
        return list(parts[0])
    rows = []
    for k in range(max(map(len, parts), default=0)):
        chosen = [part[min(k, len(part) - 1)] for part in parts if part]
        rows.append((" ".join(text for text, _ in chosen), sum(score for _, score in chosen)))
    return rows
