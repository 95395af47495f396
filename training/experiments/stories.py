"""Texts with a blank whose word stands far before it, the distance between as a parameter.

Two sentences of section 2.1, and the article of section 1:

    Jane walked into the room . John walked in too . <so many other words> Jane said hi to ___
    ... the history of Spain and France . <so many other words> The two countries went on a
    battle , Spain against ___

The blank is the other name. Nothing after its one mention repeats it, so a network must carry it
over the words between, and a window that is shorter cannot know it. A bidirectional network also
reads what follows the blank, which here says nothing about the name.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Tale:
    """What is told: {a} and {b} are two names, {b} the one that is asked for.

    Attributes:
        names: of which two are drawn.
        between: sentences to fill the time with, cut where the distance ends.
        before, after: around them; `end` is what a bidirectional network may read besides.
    """

    names: tuple[str, ...]
    between: tuple[str, ...]
    before: str
    after: str
    end: str


JANE_AND_JOHN = Tale(
    names=(
        *("jane", "john", "mary", "peter", "anna", "paul", "lucy", "tom", "emma", "max"),
        *("clara", "ben", "nora", "felix", "ida", "hugo", "ella", "noah", "mia", "leon"),
    ),
    between=(
        *("it was late in the day .", "everyone was walking home .", "the work had been long ."),
        *("rain fell on the street .", "the lamps were already on .", "a bus stopped outside ."),
        *("someone opened a window .", "the clock in the hall struck ."),
        *("dinner was not ready yet .", "the radio played an old song ."),
        *("a dog barked at the door .", "tea stood on the table ."),
    ),
    before="{a} walked into the room . {b} walked in too .",
    after="{a} said hi to",
    end=". then the room went quiet .",
)
TWO_COUNTRIES = Tale(
    names=(
        *("spain", "france", "italy", "poland", "norway", "greece", "persia", "egypt", "india"),
        *("china", "japan", "mexico", "peru", "chile", "canada", "kenya", "ghana", "iceland"),
    ),
    between=(
        *("trade was good for many years .", "new roads led to the sea ."),
        *("the harvests were poor .", "kings came and kings went ."),
        *("a plague emptied the towns .", "ships carried silk and salt ."),
        *("scholars wrote long letters .", "the borders moved with each treaty ."),
        *("taxes rose in the north .", "painters travelled south ."),
    ),
    before="this article is about the history of {a} and {b} .",
    after="the two countries went on a battle , {a} against",
    end=". nobody won it .",
)
SILENCE = "<silence>"


@dataclass(frozen=True)
class Stories:
    """A batch of stories.

    Attributes:
        ids: `[count, length]` int32, all words before the blank; shorter stories start later,
            behind a word of silence.
        answers: `[count]` int32, the place of the right name among the names.
    """

    ids: np.ndarray
    answers: np.ndarray


class StoryTeller:
    """Makes stories and knows their words.

    Args:
        names: how many names there are; a guess is right once in names − 1 (not the one that
            the last words repeat).
        tale: what is told.

    Attributes:
        words: the vocabulary: silence, the names, all others.
        distance_zero: words between the name and the blank where nothing is told in between.
    """

    def __init__(self, names: int = 10, tale: Tale = JANE_AND_JOHN) -> None:
        self.tale = tale
        self.names = list(tale.names[:names])
        text = " ".join([tale.before, tale.after, tale.end, *tale.between])
        others = set(text.replace("{a}", "").replace("{b}", "").split())
        self.words = [SILENCE, *self.names, *sorted(others)]
        whole = f"{tale.before} {tale.after}".split()
        self.distance_zero = len(whole) - 1 - whole.index("{b}")
        self.index = {word: i for i, word in enumerate(self.words)}

    @property
    def chance(self) -> float:
        """Recall of a guess among all names but the first."""
        return 1 / (len(self.names) - 1)

    def text(self, between: int, rng: np.random.Generator) -> tuple[str, str]:
        """One story with `between` words in the middle, and the name for its blank."""
        a, b = rng.choice(len(self.names), size=2, replace=False)
        first, other = self.names[a], self.names[b]
        middle: list[str] = []
        while len(middle) < between:
            middle += self.tale.between[rng.integers(len(self.tale.between))].split()
        start = self.tale.before.format(a=first, b=other)
        return " ".join([start, *middle[:between], self.tale.after.format(a=first)]), other

    def stories(
        self, count: int, between: int | tuple[int, int], length: int, rng: np.random.Generator
    ) -> Stories:
        """`count` stories, `between` words in the middle each or as many as a range has."""
        low, high = (between, between) if isinstance(between, int) else between
        told = [self.text(int(rng.integers(low, high + 1)), rng) for _ in range(count)]
        ids = np.zeros((count, length), dtype=np.int32)
        for row, (text, _) in zip(ids, told, strict=True):
            words = text.split()
            row[length - len(words) :] = [self.index[word] for word in words]
        answers = [self.names.index(name) for _, name in told]
        return Stories(ids, np.array(answers, dtype=np.int32))

    def length(self, between: int) -> int:
        """Words before the blank of a story with so many in the middle."""
        return len(self.tale.before.split()) + between + len(self.tale.after.split())

    def ending(self, count: int) -> np.ndarray:
        """What follows the blank, `[count, words]` int32."""
        words = [self.index[word] for word in self.tale.end.split()]
        return np.tile(words, (count, 1)).astype(np.int32)
