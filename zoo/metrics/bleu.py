"""BLEU and chrF by sacreBLEU, always with the signature that makes a figure comparable."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from zoo.errors import ZooError


class BleuResult(NamedTuple):
    """Corpus BLEU and chrF, both of 100, and sacreBLEU's signatures of how they were computed."""

    score: float
    signature: str
    chrf: float
    chrf_signature: str


def bleu(
    hypotheses: Sequence[str],
    references: Sequence[str | Sequence[str]],
    lowercase: bool = False,
    tokenize: str = "13a",
) -> BleuResult:
    """Corpus BLEU (Papineni et al. 2002) and chrF (Popović 2015) as sacreBLEU counts them.

    Args:
        hypotheses: one detokenised translation a sentence.
        references: for each hypothesis its reference, or all of its references, in any number.
        lowercase: compare without regard to case (for models that read and write lower case).
        tokenize: sacreBLEU's tokenizer for BLEU: "13a", "intl", "char" or "none".

    Raises:
        ZooError: nothing to score, unequal numbers of sentences, or a sentence without reference.

    Example:
        >>> result = bleu(["the cat is small ."], [["the cat is small .", "it is small ."]])
        >>> round(result.score, 1), result.signature.split("|")[0]
        (100.0, 'nrefs:2')
    """
    from sacrebleu.metrics import BLEU, CHRF

    streams = _streams(hypotheses, references)
    known = sorted(set(BLEU.TOKENIZERS) - {"flores101", "flores200", "spm"})
    if tokenize not in known:
        raise ZooError(f"tokenize={tokenize!r}: use one of {', '.join(known)}")
    # Our text is detokenised by rule, which sacreBLEU takes for tokenised where it ends in " .".
    bleu_metric = BLEU(lowercase=lowercase, tokenize=tokenize, force=True)
    chrf_metric = CHRF(lowercase=lowercase)
    bleu_score = bleu_metric.corpus_score(list(hypotheses), streams).score
    chrf_score = chrf_metric.corpus_score(list(hypotheses), streams).score
    return BleuResult(
        float(bleu_score),
        str(bleu_metric.get_signature()),
        float(chrf_score),
        str(chrf_metric.get_signature()),
    )


UTILITIES = ("chrf", "bleu")


def utility(name: str, texts: Sequence[str]) -> list[list[float]]:
    """Sentence-level chrF or BLEU of each text with each as its reference, of 100.

    Example:
        >>> utility("chrf", ["abc", "xyz"])
        [[100.0, 0.0], [0.0, 100.0]]
    """
    from sacrebleu.metrics import BLEU, CHRF

    metric = CHRF() if name == "chrf" else BLEU(effective_order=True, force=True)

    def like(text: str, reference: str) -> float:
        return 100.0 if text == reference else float(metric.sentence_score(text, [reference]).score)

    return [[like(text, reference) for reference in texts] for text in texts]


def _streams(hypotheses: Sequence[str], references: Sequence[str | Sequence[str]]) -> Any:
    """References sentence by sentence as sacreBLEU's streams; None where one has fewer."""
    if not hypotheses or len(hypotheses) != len(references):
        raise ZooError(
            f"{len(hypotheses)} hypotheses and {len(references)} references: "
            "give one reference, or one list of references, a hypothesis"
        )
    rows = [[row] if isinstance(row, str) else list(row) for row in references]
    if not all(rows):
        raise ZooError(f"hypothesis {rows.index([])} has no reference: leave it out or give one")
    width = max(map(len, rows))
    padded = [row + [None] * (width - len(row)) for row in rows]
    return [list(stream) for stream in zip(*padded, strict=True)]
