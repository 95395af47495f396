"""Byte-pair encoding (Sennrich, Haddow and Birch 2016, arXiv 1508.07909): learning and merging.

A piece that continues a word is written with `##` in front ("##ing"), so no piece tells of the
words around it and a line of a vocabulary file says all there is to know: the merge that makes a
piece is the one of the two pieces which the pieces above it leave of its characters.
"""

from __future__ import annotations

import heapq
import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from zoo.errors import ZooError

MARK = "##"
LONGEST = 64  # characters that are merged at once; longer words are cut, so that none takes long
Pair = tuple[str, str]


def characters(word: str) -> list[str]:
    """A word as one-character pieces.

    Example:
        >>> characters("the")
        ['t', '##h', '##e']
    """
    return [word[0], *[MARK + character for character in word[1:]]]


def merged(left: str, right: str) -> str:
    """The piece of two neighbouring pieces: "th" and "##e" are "the"."""
    return left + right[len(MARK) :]


def merge_all(pieces: Sequence[str], pair: Pair) -> list[str]:
    """Pieces with every occurrence of a pair merged, from left to right."""
    result: list[str] = []
    i = 0
    while i < len(pieces):
        if i + 1 < len(pieces) and pieces[i] == pair[0] and pieces[i + 1] == pair[1]:
            result.append(merged(*pair))
            i += 2
        else:
            result.append(pieces[i])
            i += 1
    return result


def segment(pieces: list[str], ranks: Mapping[Pair, int]) -> list[str]:
    """Pieces after all merges, the lowest rank first."""
    while len(pieces) > 1:
        pairs = [pair for pair in itertools.pairwise(pieces) if pair in ranks]
        if not pairs:
            break
        pieces = merge_all(pieces, min(pairs, key=ranks.__getitem__))
    return pieces


def merge_ranks(vocabulary: Sequence[str], first: int) -> dict[Pair, int]:
    """The pair that makes each piece of several characters, with the piece's id as its rank.

    Args:
        vocabulary: pieces by id; a piece stands below the two it is made of.
        first: id of the first piece.

    Raises:
        ZooError: a piece cannot be made of two pieces above it.
    """
    ranks: dict[Pair, int] = {}
    known = set(vocabulary[first:])
    for i, piece in enumerate(vocabulary[first:], first):
        continues = piece.startswith(MARK) and len(piece) > len(MARK)
        letters = piece[len(MARK) :] if continues else piece
        if len(letters) == 1:
            continue
        start = [MARK + letter for letter in letters] if continues else characters(letters)
        parts = segment(start, ranks)
        if len(parts) != 2 or not known.issuperset(parts):
            raise ZooError(
                f"line {i + 1}: piece {piece!r} is not made of two pieces above it; "
                "a subword vocabulary comes from SubwordTokenizer.train"
            )
        ranks[parts[0], parts[1]] = i
    return ranks


def learn(counts: Mapping[str, int], size: int | None, min_count: int) -> list[str]:
    """Pieces of a corpus: its characters, then merges, the commonest pair first.

    Args:
        counts: how often each word occurs.
        size: pieces in all; None for as many as there are pairs.
        min_count: rarer characters and pairs are left out (pairs that occur once always are).

    Equal counts are taken in alphabetical order.
    """
    alphabet = _alphabet(counts, min_count)[:size]
    pieces = dict.fromkeys(alphabet)
    for pair in _Merger(counts, set(alphabet)).pairs(max(min_count, 2)):
        if size is not None and len(pieces) >= size:
            break
        pieces[merged(*pair)] = None
    return list(pieces)


def _alphabet(counts: Mapping[str, int], min_count: int) -> list[str]:
    """One-character pieces by frequency; those of words in both forms."""
    starts: Counter[str] = Counter()
    letters: Counter[str] = Counter()
    for word, count in counts.items():
        if len(word) > 1:
            for letter in word:
                letters[letter] += count
        else:
            starts[word] += count
    for letter, count in letters.items():
        starts[letter] += count
        starts[MARK + letter] += count
    kept = [piece for piece, count in starts.items() if count >= min_count]
    return sorted(kept, key=lambda piece: (-starts[piece], piece))


class _Merger:
    """The words of a corpus while their pairs are merged."""

    def __init__(self, counts: Mapping[str, int], alphabet: set[str]) -> None:
        self.words: list[list[str]] = []
        self.weights: list[int] = []
        self.totals: Counter[Pair] = Counter()
        self.places: defaultdict[Pair, set[int]] = defaultdict(set)
        self.alphabet = alphabet
        for word, count in sorted(counts.items()):
            pieces = characters(word)
            for start in range(0, len(pieces), LONGEST):
                self._place(len(self.words), pieces[start : start + LONGEST], count)

    def _place(self, index: int, pieces: list[str], count: int) -> None:
        self.words.append(pieces)
        self.weights.append(count)
        self._count(index, pieces, count)

    def _count(self, index: int, pieces: list[str], count: int) -> None:
        for pair in itertools.pairwise(pieces):
            self.totals[pair] += count
            self.places[pair].add(index)

    def pairs(self, min_count: int) -> Iterable[Pair]:
        """Merge the commonest pair of known pieces, again and again."""
        heap = [(-total, pair) for pair, total in self.totals.items() if self._is_known(pair)]
        heapq.heapify(heap)
        while heap:
            negative, pair = heapq.heappop(heap)
            total = self.totals[pair]
            if total < min_count:
                continue
            if -negative != total:  # counted before other merges took some away
                heapq.heappush(heap, (-total, pair))
                continue
            yield pair
            for new in self._merge(pair):
                if self._is_known(new):
                    heapq.heappush(heap, (-self.totals[new], new))

    def _is_known(self, pair: Pair) -> bool:
        """Whether a pair holds no character that was left out of the alphabet."""
        return all(len(piece.removeprefix(MARK)) != 1 or piece in self.alphabet for piece in pair)

    def _merge(self, pair: Pair) -> set[Pair]:
        """Merge a pair in all words; returns the pairs that are new or commoner than before."""
        touched: set[Pair] = set()
        piece = merged(*pair)
        for index in sorted(self.places.pop(pair)):
            old, count = self.words[index], self.weights[index]
            new = merge_all(old, pair)
            for before in itertools.pairwise(old):
                self.totals[before] -= count
            self.words[index] = new
            self._count(index, new, count)
            touched.update(p for p in itertools.pairwise(new) if piece in p)
        del self.totals[pair]
        return touched
