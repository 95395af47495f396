"""Two-sentence stories of the notes, with the distance between name and blank as a parameter.

    Jane walked into the room . John walked in too . <so many other words> Jane said hi to ___

The blank is the other person's name. Nothing after the second sentence repeats it, so the
network must carry it over the words between. A bidirectional network also reads what follows the
blank, which here says nothing about the name.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

NAMES = (
    *("jane", "john", "mary", "peter", "anna", "paul", "lucy", "tom", "emma", "max"),
    *("clara", "ben", "nora", "felix", "ida", "hugo", "ella", "noah", "mia", "leon"),
)
# Words to fill the time between: sentences about the day, cut where the distance ends.
BETWEEN = (
    *("it was late in the day .", "everyone was walking home .", "the work had been long ."),
    *("rain fell on the street .", "the lamps were already on .", "a bus stopped outside ."),
    *("someone opened a window .", "the clock in the hall struck .", "dinner was not ready yet ."),
    *("the radio played an old song .", "a dog barked at the door .", "tea stood on the table ."),
)
BEFORE = "{a} walked into the room . {b} walked in too ."
AFTER = "{a} said hi to"
END = ". then the room went quiet ."  # what a bidirectional network may read besides
SILENCE = "<silence>"
DISTANCE_ZERO = 8  # words between the name and the blank in a story with nothing between


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
        names: how many names there are; a guess is right once in names − 1 (not the greeter).
    """

    def __init__(self, names: int = 10) -> None:
        self.names = list(NAMES[:names])
        text = " ".join([BEFORE, AFTER, *BETWEEN]).replace("{a}", "").replace("{b}", "")
        self.words = [SILENCE, *self.names, *sorted(set(text.split()) | set(END.split()))]
        self.index = {word: i for i, word in enumerate(self.words)}

    @property
    def chance(self) -> float:
        """Recall of a guess among all but the greeter."""
        return 1 / (len(self.names) - 1)

    def text(self, between: int, rng: np.random.Generator) -> tuple[str, str]:
        """One story with `between` words in the middle, and the name for its blank."""
        a, b = rng.choice(len(self.names), size=2, replace=False)
        greeter, other = self.names[a], self.names[b]
        middle: list[str] = []
        while len(middle) < between:
            middle += BETWEEN[rng.integers(len(BETWEEN))].split()
        start = BEFORE.format(a=greeter, b=other)
        return " ".join([start, *middle[:between], AFTER.format(a=greeter)]), other

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
        return len(BEFORE.split()) + between + len(AFTER.split())

    def ending(self, count: int) -> np.ndarray:
        """What follows the blank, `[count, words]` int32."""
        return np.tile([self.index[word] for word in END.split()], (count, 1)).astype(np.int32)
