"""Pairs as users write them: drawn anew each epoch, from the run's seed and the epoch alone.

    capitals, lower    the source without its case
    no_end             the source without the mark at its end
    typos              letters swapped, left out, doubled or hit beside; ae for ä
    numbers            number words of both sides as digits: more placeholders to learn from
    names              names of both sides as others that nobody knows, or as placeholders
    joined             further pairs: two or three of the corpus in a row, for long texts

The target stays as it is, but for what is carried over (`zoo.text.carrying`) and joined.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from training.config import AugmentationConfig
from training.tasks.misspelling import misspelt
from training.tasks.pair_batches import EncodedPairs
from zoo.text.carry_rules import COUNT, SYMBOLS
from zoo.text.carrying import Carrier

TextPair = tuple[str, str]
Encode = Callable[[str, str], tuple[list[int], list[int]]]
LONGEST_JOIN = 3
_GERMAN = "zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn"
_ENGLISH = "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
NUMBERS = {
    word: str(number)
    for words in (_GERMAN, _ENGLISH)
    for number, word in enumerate(words.split(), 2)
} | {
    word: str(number)
    for words in ("zwanzig dreißig vierzig fünfzig hundert", "twenty thirty forty fifty hundred")
    for number, word in zip((20, 30, 40, 50, 100), words.split(), strict=True)
}
_NUMBER_WORDS = re.compile(rf"\b(?:{'|'.join(NUMBERS)})\b")
SIGNS = {
    "Dollar": "$", "dollar": "$", "dollars": "$", "Euro": "€", "euro": "€", "euros": "€",
    "Yen": "¥", "yen": "¥", "Prozent": "%", "percent": "%",
}  # fmt: skip
_AMOUNTS = re.compile(rf"\b([0-9][0-9.,]*) ({'|'.join(SIGNS)})\b")
_NAMES = re.compile(r"(?<![\w'’-])[A-Z][a-z]+(?![\w'’-])")
_ONSETS = (*"bdfghjklmnprstvwz", "br", "ch", "dr", "fl", "gr", "kl", "kr", "pr", "sch", "st", "tr")
_CODAS = ["", "", "", "l", "n", "r", "s", "m", "ck", "nd", "rt", "ll"]
_ENDS = re.compile(r"[.!?…]+$")


class Augmentation:
    """The pairs of a run, each epoch in another form.

    Args:
        pairs: texts of the training data.
        encode: a pair's ids.
        longest: pairs of more tokens on either side are left out.
        config: how often what is done.
        carrier: takes out what is carried over; None without placeholders.
    """

    def __init__(
        self,
        pairs: Iterable[TextPair],
        encode: Encode,
        longest: int,
        config: AugmentationConfig,
        carrier: Carrier | None = None,
    ) -> None:
        self.encode, self.longest, self.config, self.carrier = encode, longest, config, carrier
        rows = [(pair, encode(*self.carried(pair))) for pair in pairs]
        fitting = [(pair, ids) for pair, ids in rows if self.fits(ids)]
        self.pairs = [pair for pair, _ in fitting]
        self.plain = [ids for _, ids in fitting]
        self.numbered = np.array([with_digits(*pair) != pair for pair in self.pairs], dtype=bool)
        self.joins = round(config.joined * len(self.pairs))

    def __len__(self) -> int:
        return len(self.pairs) + self.joins

    def fits(self, ids: tuple[list[int], list[int]]) -> bool:
        """Whether no side is too long; a cut pair would teach to drop words."""
        source, target = ids
        return len(source) <= self.longest + 1 and len(target) <= self.longest

    def carried(self, pair: TextPair, rng: np.random.Generator | None = None) -> TextPair:
        """A pair with placeholders: with `rng` not always the first, so that all are learnt."""
        if self.carrier is None:
            return pair
        first = 0 if rng is None or rng.random() < 0.5 else int(rng.integers(COUNT - 1))
        return self.carrier.paired(*pair, SYMBOLS[first:])

    def epoch(self, rng: np.random.Generator) -> EncodedPairs:
        """As many pairs each epoch."""
        shares = self.config.shares()
        wanted = rng.random((len(self.pairs), len(shares))) < np.array(list(shares.values()))
        rows = list(self.plain)
        wanted[:, list(shares).index("numbers")] &= self.numbered
        for i in np.flatnonzero(wanted.any(axis=1)):
            kinds = [kind for kind, is_wanted in zip(shares, wanted[i], strict=True) if is_wanted]
            changed = self.encode(*self.changed(self.pairs[i], kinds, rng))
            rows[i] = changed if self.fits(changed) else rows[i]
        rows += [self.join(int(start), rng) for start in self._starts(rng)]
        return EncodedPairs([source for source, _ in rows], [target for _, target in rows])

    def changed(self, pair: TextPair, kinds: Sequence[str], rng: np.random.Generator) -> TextPair:
        """A pair in another form."""
        if "numbers" in kinds:
            pair = with_digits(*pair)
        source, target = self.carried(pair, rng)
        if "names" in kinds:
            free: list[str] = []
            if self.carrier is not None and rng.random() < 0.5:
                free = [symbol for symbol in rng.permutation(SYMBOLS) if symbol not in source]
            source, target = with_other_names(source, target, rng, free)
        if "typos" in kinds:
            source = misspelt(source, rng)
        if "no_end" in kinds:
            source = _ENDS.sub("", source) or source
        if "capitals" in kinds:  # as `without_capitals` hands them to the model
            upper = source.upper()
            source = upper.lower() if self.carrier else upper
        elif "lower" in kinds:
            source = source.lower()
        return source, target

    def _starts(self, rng: np.random.Generator) -> np.ndarray:
        return rng.integers(len(self.pairs), size=self.joins)

    def join(self, start: int, rng: np.random.Generator) -> tuple[list[int], list[int]]:
        """Two or three pairs in a row, or fewer where they are too long."""
        count = int(rng.integers(2, LONGEST_JOIN + 1))
        chosen = [self.pairs[(start + k) % len(self.pairs)] for k in range(count)]
        shares = self.config.shares()
        kinds = [kind for kind, share in shares.items() if rng.random() < share]
        while len(chosen) > 1:
            both = " ".join(s for s, _ in chosen), " ".join(t for _, t in chosen)
            ids = self.encode(*self.changed(both, kinds, rng))
            if self.fits(ids):
                return ids
            chosen.pop()
        return self.plain[start]


def with_digits(source: str, target: str) -> TextPair:
    """Number words that both sides have, as digits; amounts of money as they are printed."""
    both = numbers_of(source) & numbers_of(target)
    source, target = (_digits(text, both) for text in (source, target))
    if {SIGNS[u] for _, u in _AMOUNTS.findall(source)} == {
        SIGNS[u] for _, u in _AMOUNTS.findall(target)
    }:
        source, target = (
            _AMOUNTS.sub(lambda m: f"{m[1]} {SIGNS[m[2]]}", text) for text in (source, target)
        )
    return source, target


def numbers_of(text: str) -> set[str]:
    """The numbers that a text has as words, once each."""
    found = [NUMBERS[word] for word in _NUMBER_WORDS.findall(text)]
    return {number for number in found if found.count(number) == 1}


def _digits(text: str, numbers: set[str]) -> str:
    return _NUMBER_WORDS.sub(lambda m: NUMBERS[m[0]] if NUMBERS[m[0]] in numbers else m[0], text)


def with_other_names(
    source: str, target: str, rng: np.random.Generator, symbols: Sequence[str] = ()
) -> TextPair:
    """Names that stand in both texts, changed alike: made-up ones, or the first `symbols`."""
    names = [n for n in dict.fromkeys(_NAMES.findall(source)) if alone(n, source, target)]
    for k, name in enumerate(names[:2]):
        new = symbols[k] if k < len(symbols) else made_up_name(rng)
        source, target = (re.sub(rf"\b{name}\b", new, text) for text in (source, target))
    return source, target


def alone(name: str, source: str, target: str) -> bool:
    """Whether a name stands in both texts once, and in no other form."""
    return source.count(name) == target.count(name) == 1 and name in _NAMES.findall(target)


def made_up_name(rng: np.random.Generator) -> str:
    """A name of two or three syllables that no corpus has."""
    syllables = [
        rng.choice(_ONSETS) + rng.choice(list("aeiou")) + rng.choice(_CODAS)
        for _ in range(rng.integers(2, 4))
    ]
    return "".join(syllables).capitalize()
