"""The tokenizer of a `.tflite` file, from the rules that travel inside it: standard library only.

The Unicode tables come from the file, so the ids do not depend on the Unicode version of whoever
runs this; normal forms come from the language, since they are the same in all versions that know
the characters. The same rules in words are in docs/device.md.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Any

PAD, UNK, BOS, EOS = range(4)
KINDS = {"word": "w", "digit": "0", "space": " ", "control": " ", "apostrophe": "'", "point": "."}
SYMBOL = "s"
TOKENS = re.compile(r"[w0]+(?:(?:'|(?<=0)\.(?=0))[w0]+)*|[^w0 ]")
BETWEEN_SPACES = re.compile(r"[^ \t\n\r]+")
CONTINUATION = "##"
LONGEST_WORD = 64
CODE_POINTS = 0x110000
OPEN, CLOSE = "\x01", "\x02"  # around what is carried over


class Characters:
    """Classes and folds of code points.

    Args:
        content: characters.json: `classes`, for each the steps to the first and the last code
            point of each run; `folds`, runs [first, last, every, added].
    """

    def __init__(self, content: dict[str, Any]) -> None:
        self.runs = sorted(
            (first, last, name)
            for name, steps in content["classes"].items()
            for first, last in pairs(itertools.accumulate(steps))
        )
        self.starts = [run[0] for run in self.runs]
        ranges = [range(first, last + 1, every) for first, last, every, _ in content["folds"]]
        if any(r and not 0 <= r[0] <= r[-1] < CODE_POINTS for r in ranges):
            raise ValueError("folds outside Unicode")
        if sum(map(len, ranges)) > CODE_POINTS:
            raise ValueError("more folds than code points")
        self.folds = {
            point: point + fold[3]
            for points, fold in zip(ranges, content["folds"], strict=True)
            for point in points
        }

    def name(self, character: str) -> str:
        """The class of one character; "symbol" for what is in no run."""
        at = bisect_right(self.starts, ord(character)) - 1
        if at >= 0 and ord(character) <= self.runs[at][1]:
            return str(self.runs[at][2])
        return "symbol"

    def fold(self, text: str) -> str:
        """Lower case and straight apostrophes, one character for one."""
        return text.translate(self.folds)

    def seen(self, text: str) -> str:
        """The text without soft hyphens and other characters that are not seen."""
        return "".join(c for c in text if c.isascii() or self.name(c) != "ignored")

    def straight(self, text: str) -> str:
        """Straight apostrophes alone, for vocabularies that keep capitals."""
        return text.replace("\u2019", "'")


def pairs(numbers: Iterable[int]) -> Iterable[tuple[int, int]]:
    """Numbers two by two."""
    rest = iter(numbers)
    return zip(rest, rest, strict=True)


class Tokenizer:
    """Text to ids and back.

    Args:
        rules: tokenizer.json.
        vocabulary: the words by id.
        characters: the tables.
    """

    def __init__(
        self, rules: dict[str, Any], vocabulary: Sequence[str], characters: Characters
    ) -> None:
        self.vocabulary = list(vocabulary)
        self.characters = characters
        self.lowercase = bool(rules["config"].get("lowercase", True))
        self.split = rules["config"].get("split", "words")
        self.at_words = self.split == "words"
        self.form = rules["config"].get("normalization", "NFC")
        self.ids = {word: i for i, word in enumerate(self.vocabulary) if i > EOS}
        self.rules = [(re.compile(pattern), new) for pattern, new in rules["detokenize"]]
        self.ranks = None
        if rules["class"] == "SubwordTokenizer":
            self.ranks = merge_ranks(self.vocabulary)

    def tokenize(self, text: str) -> list[str]:
        """The tokens of a text, known or not."""
        folded = self.prepare(text)
        if not self.at_words:
            return self._split(folded)
        kinds = "".join(KINDS.get(self.characters.name(c), SYMBOL) for c in folded)
        words = [folded[found.start() : found.end()] for found in TOKENS.finditer(kinds)]
        if self.ranks is None:
            return words
        return [piece for word in words for piece in pieces(word, self.ranks)]

    def prepare(self, text: str) -> str:
        """The text that tokens are cut from: normalised, folded, without what is not seen."""
        text = self.normal(self.characters.seen(text) if self.at_words else text)
        if self.lowercase:
            return self.normal(self.characters.fold(text))
        return self.characters.straight(text) if self.at_words else text

    def normal(self, text: str) -> str:
        """The text in the tokenizer's normal form."""
        return text if self.form == "none" else unicodedata.normalize(self.form, text)

    def _split(self, text: str) -> list[str]:
        """What white space separates, or spaces, tabs and line ends alone."""
        if self.split == "spaces":
            return BETWEEN_SPACES.findall(text)
        spaced = (" " if self.characters.name(c) == "space" else c for c in text)
        return [word for word in "".join(spaced).split(" ") if word]

    def encode(self, text: str) -> list[int]:
        """Ids, without `<bos>` and `<eos>`."""
        return [self.ids.get(token, UNK) for token in self.tokenize(text)]

    def tokens(self, ids: Iterable[int]) -> list[str]:
        """The tokens of ids up to `<eos>` or padding."""
        kept = itertools.takewhile(lambda i: i not in (PAD, EOS), ids)
        return [self.vocabulary[i] for i in kept if i != BOS]

    def detokenize(self, tokens: Sequence[str]) -> str:
        """Tokens as running text."""
        return replaced(" ".join(tokens), self.rules)

    def decode(self, ids: Iterable[int]) -> str:
        """Readable text for ids up to `<eos>` or padding."""
        return self.detokenize(self.tokens(ids))


class Carrier:
    """What a translation carries over: out of the source, and back into the translation.

    Args:
        rules: `carry` of model.json: lists of patterns and replacements, and single patterns.
    """

    def __init__(self, rules: dict[str, Any]) -> None:
        self.prepare, self.values, self.quotes, self.last = (
            compiled(rules[name]) for name in ("prepare", "values", "quotes", "last")
        )
        self.curly, self.capitals = (
            re.compile(rules[name], re.ASCII) for name in ("curly", "capitals")
        )
        self.always_curly = bool(rules["always_curly"])
        self.symbols = [chr(rules["first"] + k) for k in range(rules["count"])]

    def prepared(self, text: str) -> tuple[str, list[str], bool]:
        """The source with placeholders, what they stand for, whether its quotes are curly."""
        curly = self.always_curly or self.curly.fullmatch(text) is not None
        result, *marked = replaced(text, self.prepare).split(OPEN)
        values: list[str] = []
        for value, _, behind in (piece.partition(CLOSE) for piece in marked):
            if len(values) < len(self.symbols):
                result += self.symbols[len(values)] + behind
                values.append(replaced(value, self.values))
            else:
                result += value + behind
        if self.capitals.fullmatch(result):
            result = result.lower()
        return result, values, curly

    def restored(self, translation: str, values: Sequence[str], curly: bool) -> str:
        """A translation with what its placeholders stand for; what it lacks, in brackets."""
        if curly:
            translation = replaced(translation, self.quotes)
        pairs = list(itertools.zip_longest(self.symbols, values, fillvalue=""))
        lost = [f"[{value}]" for symbol, value in pairs if value and symbol not in translation]
        for symbol, value in pairs:
            translation = translation.replace(symbol, value)
        translation = replaced(translation, self.last)
        return " ".join([*([translation] if translation else []), *lost])


def compiled(rules: Iterable[Sequence[str]]) -> list[tuple[re.Pattern[str], str]]:
    """Patterns and replacements; `\\b` and `\\W` know ASCII alone."""
    return [(re.compile(pattern, re.ASCII), new) for pattern, new in rules]


def replaced(text: str, rules: Iterable[tuple[re.Pattern[str], str]]) -> str:
    """A text after one rule after another."""
    for pattern, new in rules:
        text = pattern.sub(new, text)
    return text


def pieces(word: str, ranks: dict[tuple[str, str], int]) -> list[str]:
    """A word's pieces; characters are merged, the pair of lowest rank first."""
    letters = [word[0], *[CONTINUATION + letter for letter in word[1:]]]
    chunks = [letters[i : i + LONGEST_WORD] for i in range(0, len(letters), LONGEST_WORD)]
    return [piece for chunk in chunks for piece in merged(chunk, ranks)]


def merged(parts: list[str], ranks: dict[tuple[str, str], int]) -> list[str]:
    """Pieces after all merges."""
    while known := [pair for pair in itertools.pairwise(parts) if pair in ranks]:
        best = min(known, key=ranks.__getitem__)
        joined: list[str] = []
        i = 0
        while i < len(parts):
            pair = tuple(parts[i : i + 2])
            joined.append(parts[i] + parts[i + 1][2:] if pair == best else parts[i])
            i += 2 if pair == best else 1
        parts = joined
    return parts


def merge_ranks(vocabulary: Sequence[str]) -> dict[tuple[str, str], int]:
    """The pair that makes each piece of several characters; its rank is the piece's id."""
    ranks: dict[tuple[str, str], int] = {}
    for i, piece in enumerate(vocabulary[EOS + 1 :], EOS + 1):
        goes_on = piece.startswith(CONTINUATION) and len(piece) > len(CONTINUATION)
        letters = piece[len(CONTINUATION) :] if goes_on else piece
        if len(letters) > 1:
            start = [CONTINUATION + letter for letter in letters]
            if not goes_on:
                start[0] = letters[0]
            left, right = merged(start, ranks)
            ranks[left, right] = i
    return ranks
