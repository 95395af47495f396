"""Words by how they begin: what a half-typed word may become, typing errors included."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from zoo.text.vocabulary import EOS

LONGEST = 24  # letters of a beginning that are looked at


class WordBeginnings:
    """The words of a vocabulary by their beginnings.

    Args:
        vocabulary: the words by id, control tokens first; those begin nothing.

    Example:
        >>> words = ["<pad>", "<unk>", "<bos>", "<eos>", "the", "they", "tea"]
        >>> begins = WordBeginnings(words)
        >>> begins.completions("the"), begins.completions("teh"), begins.completions("x")
        ([4, 5], [4, 5, 6], [])
    """

    def __init__(self, vocabulary: Sequence[str]) -> None:
        self._by_beginning: dict[str, list[int]] = defaultdict(list)
        for i, word in enumerate(vocabulary):
            if i > EOS:
                for length in range(min(len(word), LONGEST) + 1):
                    self._by_beginning[word[:length]].append(i)
        self._letters = sorted({letter for word in self._by_beginning for letter in word})

    def completions(self, prefix: str) -> list[int]:
        """Ids of the words that begin so; where there are none, of those one typing error away.

        An error is a letter left out, one too many, another one, or two that changed places.
        """
        prefix = prefix[:LONGEST]
        if prefix in self._by_beginning:
            return list(self._by_beginning[prefix])
        if len(prefix) < 2:  # one wrong letter says nothing
            return []
        near = {i for other in self._typos(prefix) for i in self._by_beginning.get(other, ())}
        return sorted(near)

    def _typos(self, prefix: str) -> set[str]:
        cuts = [(prefix[:i], prefix[i:]) for i in range(len(prefix) + 1)]
        letters = self._letters
        return {
            *(left + right[1:] for left, right in cuts if right),
            *(left + right[1] + right[0] + right[2:] for left, right in cuts if len(right) > 1),
            *(left + letter + right[1:] for left, right in cuts if right for letter in letters),
            *(left + letter + right for left, right in cuts for letter in letters),
        }
