"""n-gram estimates written straight from the formulas, with dictionaries: slow and independent.

Chen and Goodman, An Empirical Study of Smoothing Techniques for Language Modeling (1998): the
interpolated modified Kneser-Ney of section 3; the notes' equations [2] and [3]; Brants et al.
(2007) for stupid backoff. Sentences are tuples of words; "<s>" and "</s>" are put around them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

Ngram = tuple[str, ...]
UNSEEN = "<unk>"


def count_ngrams(sentences: Sequence[Sequence[str]], order: int) -> Counter[Ngram]:
    """c(w_1 ... w_k) for all k up to the order."""
    counts: Counter[Ngram] = Counter()
    for sentence in sentences:
        words = ("<s>", *sentence, "</s>")
        for start in range(len(words)):
            for k in range(1, min(order, len(words) - start) + 1):
                counts[words[start : start + k]] += 1
    return counts


class Reference:
    """A model's P(word | context), word by word.

    Args:
        sentences: the corpus.
        order: n.
    """

    def __init__(self, sentences: Sequence[Sequence[str]], order: int) -> None:
        self.order = order
        self.counts = count_ngrams(sentences, order)
        seen = {ngram[0] for ngram in self.counts if len(ngram) == 1}
        self.vocabulary = sorted((seen | {UNSEEN, "</s>"}) - {"<s>"})

    def followers(self, context: Ngram) -> dict[str, int]:
        k = len(context) + 1
        return {
            ngram[-1]: count
            for ngram, count in self.counts.items()
            if len(ngram) == k and ngram[:-1] == context and ngram[-1] != "<s>"
        }

    def prob(self, word: str, history: Ngram) -> float:
        """P(word | the last n - 1 words of a history that starts with <s>)."""
        raise TypeError


class MaximumLikelihood(Reference):
    """count(context, word) / count(context)."""

    def prob(self, word: str, history: Ngram) -> float:
        context = history[max(0, len(history) - self.order + 1) :]
        followers = self.followers(context)
        return followers.get(word, 0) / sum(followers.values()) if followers else 0.0


class AddK(Reference):
    """(count(context, word) + k) / (count(context) + k |V|)."""

    def __init__(self, sentences: Sequence[Sequence[str]], order: int, k: float) -> None:
        super().__init__(sentences, order)
        self.k = k

    def prob(self, word: str, history: Ngram) -> float:
        context = history[max(0, len(history) - self.order + 1) :]
        followers = self.followers(context)
        size = len(self.vocabulary)
        return (followers.get(word, 0) + self.k) / (sum(followers.values()) + self.k * size)


class StupidBackoff(Reference):
    """Brants et al., equation (5)."""

    def __init__(self, sentences: Sequence[Sequence[str]], order: int, alpha: float) -> None:
        super().__init__(sentences, order)
        self.alpha = alpha

    def prob(self, word: str, history: Ngram) -> float:
        return self.score(word, history[max(0, len(history) - self.order + 1) :])

    def score(self, word: str, context: Ngram) -> float:
        followers = self.followers(context)
        if word in followers:
            return followers[word] / sum(followers.values())
        if not context:
            return self.alpha / len(self.vocabulary)
        return self.alpha * self.score(word, context[1:])


class KneserNey(Reference):
    """Interpolated Kneser-Ney, modified (three discounts) or not (one), optionally pruned."""

    def __init__(
        self,
        sentences: Sequence[Sequence[str]],
        order: int,
        modified: bool = True,
        prune: Sequence[int] = (),
    ) -> None:
        super().__init__(sentences, order)
        self.thresholds = (list(prune) + [prune[-1] if prune else 0] * order)[:order]
        self.adjusted = self._adjusted()
        self.discounts = [self._discounts(k, modified) for k in range(1, order + 1)]

    def _adjusted(self) -> dict[Ngram, int]:
        """Counts in the highest order and after <s>, else the number of words before."""
        before: defaultdict[Ngram, set[str]] = defaultdict(set)
        for ngram in self.counts:
            before[ngram[1:]].add(ngram[0])
        return {
            ngram: count if len(ngram) == self.order or ngram[0] == "<s>" else len(before[ngram])
            for ngram, count in self.counts.items()
            if ngram != ("<s>",)
        }

    def _discounts(self, k: int, modified: bool) -> tuple[float, float, float]:
        n = Counter(count for ngram, count in self.adjusted.items() if len(ngram) == k)
        fallback = (0.5, 1.0, 1.5) if modified else (0.5, 0.5, 0.5)
        if not n[1] or not n[2]:
            return fallback
        y = n[1] / (n[1] + 2 * n[2])
        if not modified:
            return (y, y, y)
        if not n[3] or not n[4]:
            return fallback
        found = (1 - 2 * y * n[2] / n[1], 2 - 3 * y * n[3] / n[2], 3 - 4 * y * n[4] / n[3])
        within = all(0 <= d <= r for r, d in enumerate(found, 1))
        return found if within else fallback

    def discount(self, k: int, count: int) -> float:
        return self.discounts[k - 1][min(count, 3) - 1]

    def prob(self, word: str, history: Ngram) -> float:
        return self.smoothed(word, history[max(0, len(history) - self.order + 1) :])

    def smoothed(self, word: str, context: Ngram) -> float:
        k = len(context) + 1
        counts = {w: self.adjusted[(*context, w)] for w in self.followers(context)}
        lower = self.smoothed(word, context[1:]) if context else self.uniform(word)
        if not counts:
            return lower
        kept = {w: self.counts[(*context, w)] > self.thresholds[k - 1] for w in counts}
        total = sum(counts.values())
        left = sum(self.discount(k, c) if kept[w] else c for w, c in counts.items()) / total
        if kept.get(word):
            own = (counts[word] - self.discount(k, counts[word])) / total
            return own + left * lower
        return left * lower

    def uniform(self, word: str) -> float:
        """An equal share for each word; a corpus's own <unk> has also that of unseen words."""
        doubled = (UNSEEN,) in self.counts
        share = 2 if doubled and word == UNSEEN else 1
        return share / (len(self.vocabulary) + doubled)
