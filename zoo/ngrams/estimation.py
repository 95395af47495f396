"""From counts to the tables of a model: maximum likelihood, add-k, stupid backoff, Kneser-Ney.

Every smoothing is written in the same form, a probability for each n-gram and a backoff weight
for each context (Katz 1987; the form of ARPA files):

    P(w | c) = p(c w)                        if the n-gram c w is in the table
             = b(c) P(w | c without its first word)   otherwise

Maximum likelihood  p = count(c, w) / count(c)                                        [2] [3]
Add-k               p = (count(c, w) + k) / (count(c) + k |V|)
Stupid backoff      S = count(c, w) / count(c), b = alpha              (Brants et al. 2007)
Kneser-Ney          p = (a - D(a)) / sum a + b(c) p(lower), b = sum D(a) / sum a
                    with a the count in the highest order and after <bos>, and below that the
                    number of different words before the n-gram (Chen and Goodman 1998; KenLM)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from zoo.errors import ZooError
from zoo.ngrams.counts import Level, NGramCounts
from zoo.ngrams.discounts import checked_fallback, discounts_of, taken_off
from zoo.ngrams.tables import NGramTables, TableLevel, level_arrays
from zoo.text import BOS, EOS, PAD, UNK

SMOOTHINGS: dict[str, tuple[str, ...]] = {
    "mle": (),
    "add_k": ("k",),
    "stupid_backoff": ("alpha",),
    "kneser_ney": ("prune", "modified", "discount_fallback"),
}
"""Names for `smoothing`, and the options of each."""


def estimate(
    counts: NGramCounts, smoothing: str, options: Mapping[str, Any]
) -> tuple[NGramTables, np.ndarray]:
    """Tables by a smoothing's name and options, and the discounts [order, 3] if it has any.

    Raises:
        ZooError: an unknown smoothing, or an option that it does not have.
    """
    if smoothing not in SMOOTHINGS:
        raise ZooError(f"smoothing={smoothing!r}: use one of {', '.join(SMOOTHINGS)}")
    unknown = sorted(set(options) - set(SMOOTHINGS[smoothing]))
    if unknown:
        known = ", ".join(SMOOTHINGS[smoothing]) or "no options"
        raise ZooError(f"{smoothing} has no option {unknown[0]!r}: it has {known}")
    if smoothing == "kneser_ney":
        return kneser_ney(counts, **options)
    make: Callable[..., NGramTables] = {
        "mle": mle,
        "add_k": add_k,
        "stupid_backoff": stupid_backoff,
    }[smoothing]
    return make(counts, **options), np.zeros((0, 3))


@dataclass
class Estimate:
    """One order's values over its k-grams: probability, context weight, and what is kept."""

    prob: np.ndarray
    backoff: np.ndarray
    kept: np.ndarray


def shares_of_uniform(counts: NGramCounts) -> np.ndarray:
    """The uniform distribution below the unigrams; [vocabulary], sums to 1.

    `<pad>` and `<bos>` are never predicted. Where the corpus has `<unk>` as a word, the id `<unk>`
    stands for two events, that word and every word never seen, and gets both their shares.
    """
    shares = np.ones(counts.vocabulary_size)
    shares[[PAD, BOS]] = 0.0
    shares[UNK] += np.any(counts.levels[0].words == UNK)
    return shares / shares.sum()


def adjusted_counts(counts: NGramCounts) -> list[np.ndarray]:
    """For each order the counts that Kneser-Ney smoothing uses; int64.

    In the highest order and behind `<bos>`, how often the k-gram occurs; otherwise how many
    different words it occurs after. `<bos>` itself is never predicted: 0.
    """
    adjusted = []
    for level, above in zip(counts.levels[:-1], counts.levels[1:], strict=True):
        before = np.bincount(above.suffix, minlength=len(level))
        adjusted.append(np.where(level.begins, level.counts, before))
    adjusted.append(counts.levels[-1].counts.copy())
    adjusted[0][counts.levels[0].words == BOS] = 0
    return adjusted


def counted_for_discounts(adjusted: Sequence[np.ndarray], counts: NGramCounts) -> list[np.ndarray]:
    """The counts whose counts KenLM takes: the adjusted ones but for one n-gram an order.

    Below the highest order KenLM takes the very last n-gram of its sorting with the number of its
    occurrences, not its adjusted count. That shifts a count of counts by one, and D_3+ of Penn
    Treebank's unigrams from 1.26227 to 1.26492; the same is done here to agree to the last digit.
    """
    taken = [a.copy() for a in adjusted]
    for k in range(1, min(len(counts.last) + 1, counts.order)):
        node = counts.find(counts.last[-k:])
        taken[k - 1][node] = counts.levels[k - 1].counts[node]
    return taken


def kneser_ney(
    counts: NGramCounts,
    prune: Sequence[int] | int = 0,
    modified: bool = True,
    discount_fallback: bool | float | Sequence[float] | None = True,
) -> tuple[NGramTables, np.ndarray]:
    """Interpolated Kneser-Ney, with KenLM's figures.

    Args:
        counts: the corpus's counts.
        prune: n-grams that occur at most so often are left out, order by order (the last figure
            counts for all higher orders); unigrams stay.
        modified: three discounts an order (Chen and Goodman) or one (Kneser and Ney).
        discount_fallback: up to three discounts for a corpus too small to give its own, True for
            0.5, 1 and 1.5; None or False refuses such a corpus.

    Returns:
        The tables, and the discounts [order, 3].
    """
    thresholds = prune_thresholds(prune, counts.order)
    fallback = checked_fallback(discount_fallback)
    adjusted = adjusted_counts(counts)
    discounts = np.array(
        [discounts_of(a, modified, fallback) for a in counted_for_discounts(adjusted, counts)]
    )
    unigrams, rest = _unigrams(counts, adjusted[0], discounts[0])
    estimates = [rest]
    for k in range(1, counts.order):
        kept = counts.levels[k].counts > thresholds[k]
        estimates.append(
            _interpolated(counts.levels[k], adjusted[k], discounts[k], kept, estimates[-1])
        )
    return tables_of(counts, unigrams, estimates), discounts


def _interpolated(
    level: Level, a: np.ndarray, discounts: np.ndarray, kept: np.ndarray, lower: Estimate
) -> Estimate:
    """p = (a - D(a)) / sum a + b(c) p(lower); sets the lower order's context weights b(c)."""
    off = taken_off(a, discounts)
    left = np.where(kept, off, a)  # what is pruned goes to the shorter context as a whole
    contexts = len(lower.prob)
    total = np.bincount(level.parent, a, contexts)
    weight = np.bincount(level.parent, left, contexts)
    lower.backoff = np.divide(weight, total, out=np.ones(contexts), where=total > 0)
    share = lower.backoff[level.parent] * lower.prob[level.suffix]
    return Estimate((a - off) / total[level.parent] + share, np.ones(len(level)), kept)


def _unigrams(
    counts: NGramCounts, adjusted: np.ndarray, discounts: np.ndarray
) -> tuple[np.ndarray, Estimate]:
    """Probabilities over the vocabulary, and the same over the unigrams that occur."""
    level = counts.levels[0]
    off = taken_off(adjusted, discounts)
    total = adjusted.sum()
    prob = shares_of_uniform(counts) * (off.sum() / total)
    prob[level.words] += (adjusted - off) / total
    return prob, Estimate(prob[level.words], np.ones(len(level)), np.ones(len(level), bool))


def prune_thresholds(prune: Sequence[int] | int, order: int) -> list[int]:
    """One threshold an order, not falling, 0 for unigrams."""
    given = [0, prune] if isinstance(prune, int | np.integer) else list(prune)
    full = (given + given[-1:] * order)[:order] if given else [0] * order
    whole = all(isinstance(n, int | np.integer) and n >= 0 for n in full)
    if not whole or full[0] != 0 or full != sorted(full):
        raise ZooError(
            f"prune={prune!r}: give counts that start with 0 and do not fall, as (0, 0, 1)"
        )
    return [int(n) for n in full]


def stupid_backoff(counts: NGramCounts, alpha: float = 0.4) -> NGramTables:
    """Relative frequencies, a constant factor for each shorter context: scores, no distribution.

    A word that never occurs gets alpha / |V|, as if a uniform order lay below the unigrams.
    """
    if not 0 < alpha <= 1:
        raise ZooError(f"alpha={alpha!r}: give a factor above 0 and at most 1, as 0.4")
    estimates = []
    for k, level in enumerate(counts.levels):
        total = _context_totals(counts, k)
        prob = level.counts / total[level.parent]
        weight = np.full(len(level), float(alpha))
        estimates.append(Estimate(prob, weight, np.ones(len(level), bool)))
    unigrams = alpha * shares_of_uniform(counts)
    words = counts.levels[0].words
    unigrams[words] = np.where(words == BOS, 0.0, estimates[0].prob)
    tables = tables_of(counts, unigrams, estimates, unseen_context=alpha)
    return replace(tables, missing_backoff=float(np.log(alpha)), monotone=False)


def add_k(counts: NGramCounts, k: float = 1.0) -> NGramTables:
    """Each count raised by k, over contexts of the full length (or from `<bos>` on)."""
    if not 0 < k < np.inf:
        raise ZooError(f"k={k!r}: give a number above 0, as 1.0 or 0.01")
    return _relative_frequencies(counts, float(k))


def mle(counts: NGramCounts) -> NGramTables:
    """Relative frequencies alone [2] [3]: what was not seen has probability 0."""
    return _relative_frequencies(counts, 0.0)


def _relative_frequencies(counts: NGramCounts, k: float) -> NGramTables:
    """(count + k) / (total + k |V|) in the longest context, uniform (k) or 0 elsewhere.

    Shorter contexts than the full length have no estimate of their own, unless they start with
    `<bos>`: their entries hold what an unseen full context gives.
    """
    shares = shares_of_uniform(counts)
    size = np.count_nonzero(shares)
    unseen = np.where(shares > 0, k > 0, 0) / size
    estimates: list[Estimate] = []
    for place, level in enumerate(counts.levels):
        total = _context_totals(counts, place)
        full = level.begins | (place == counts.order - 1)
        estimated = (level.counts + k) / (total + k * size)[level.parent]
        estimates.append(
            Estimate(
                np.where(full, estimated, unseen[level.words]),
                np.ones(len(level)),
                np.ones(len(level), bool),
            )
        )
        if place and k:
            has_entry = np.bincount(level.parent, full, len(total)) > 0
            estimates[place - 1].backoff = np.where(has_entry, k * size / (total + k * size), 1.0)
    unigrams = unseen
    if counts.order == 1:
        unigrams = (shares > 0) * k / (_context_totals(counts, 0)[0] + k * size)
        words = counts.levels[0].words
        unigrams[words] = np.where(words == BOS, 0.0, estimates[0].prob)
    return tables_of(counts, unigrams, estimates)


def _context_totals(counts: NGramCounts, place: int) -> np.ndarray:
    """For each context of a level's n-grams, how often any word follows it."""
    level = counts.levels[place]
    if place == 0:
        return np.array([float(level.counts[level.words != BOS].sum())])
    return np.bincount(level.parent, level.counts, len(counts.levels[place - 1]))


def tables_of(
    counts: NGramCounts,
    unigrams: np.ndarray,
    estimates: Sequence[Estimate],
    unseen_context: float = 1.0,
) -> NGramTables:
    """Tables from each order's values; what is not kept is left out.

    Args:
        counts: the n-grams.
        unigrams: probabilities over the vocabulary; those of the first estimate are not used.
        estimates: values over the n-grams, order by order.
        unseen_context: the backoff weight of a word of the vocabulary that never occurs.
    """
    size, order = counts.vocabulary_size, counts.order
    backoff = np.full(size, unseen_context)
    backoff[[PAD, EOS]] = 1.0
    backoff[counts.levels[0].words] = estimates[0].backoff
    words, prob = np.arange(size), unigrams
    place = counts.levels[0].words.astype(np.int64)  # of each n-gram in the tables' level
    levels: list[TableLevel] = []
    for k in range(order):
        followers = None
        if k + 1 < order:
            level, kept = counts.levels[k + 1], estimates[k + 1].kept
            followers = np.bincount(place[level.parent[kept]], minlength=len(words))
        weight = None if followers is None else _log(backoff)
        levels.append(level_arrays(words, _log(prob), weight, followers, size))
        if followers is not None:
            words, prob = level.words[kept], estimates[k + 1].prob[kept]
            backoff = estimates[k + 1].backoff[kept]
            place = np.cumsum(kept) - 1
    return NGramTables(tuple(levels), monotone=True)


def _log(values: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return np.log(values)
