"""What the `.tflite` files of taggers, restorers and classifiers do."""

from __future__ import annotations

import math

from export.device.file import DeviceError, LiteFile
from export.device.text import BOS, EOS, UNK

WRITTEN = {"…": "..."}  # a mark that is written in another way than it is named
TaggedWords = list[tuple[str, str, float]]


def listed(file: LiteFile, name: str) -> list[str]:
    """A list of texts of a file's description."""
    found = file.about.get(name)
    if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
        raise DeviceError(f"{file.path} is of another version: its model.json lacks {name!r}")
    return found


def named(labels: list[str], number: int) -> str:
    """A label's name by its number."""
    if not 0 <= number < len(labels):
        raise DeviceError(f"the model gives label {number}, its file names {len(labels)}")
    return labels[number]


class Tag:
    """A tagger's file.

    Args:
        file: an opened file of kind "tagger" or "restorer".
    """

    def __init__(self, file: LiteFile) -> None:
        self.file = file
        self.tokenizer = file.tokenizers[""]
        self.labels = listed(file, "labels")

    def tag(self, text: str) -> TaggedWords:
        """Each word with its likeliest label and that label's probability."""
        return self.tagged(self.tokenizer.tokenize(text))

    def tagged(self, words: list[str]) -> TaggedWords:
        """The same of words; as many as the file has places for are read at once."""
        found: TaggedWords = []
        size = self.file.length - 2
        for start in range(0, len(words), size):
            part = words[start : start + size]
            ids = [self.tokenizer.ids.get(word, UNK) for word in part]
            answer = self.file.run("tag", **self.file.row([BOS, *ids, EOS]))
            numbers, values = answer["labels"][0][1:], answer["log_probs"][0][1:]
            for word, number, value in zip(part, numbers, values, strict=False):
                found.append((word, named(self.labels, int(number)), math.exp(value)))
        return found


class Restore(Tag):
    """A restorer's file: a tagger whose labels are a case form and the mark after the word."""

    def __init__(self, file: LiteFile) -> None:
        super().__init__(file)
        self.taken_out = set(listed(file, "taken_out"))
        self.forms = {self.tokenizer.prepare(form): form for form in listed(file, "word_forms")}

    def restore(self, text: str) -> str:
        """The text with case and marks."""
        words = [word for word in self.tokenizer.tokenize(text) if word not in self.taken_out]
        tokens = []
        for word, label, _ in self.tagged(words):
            case, _, mark = label.partition(" ")
            tokens.append(self.cased(word, case))
            tokens += [WRITTEN.get(mark, mark)] if mark else []
        return self.tokenizer.detokenize(tokens)

    def cased(self, word: str, case: str) -> str:
        """A word in a case form."""
        if case == "lower":
            return word
        if case == "upper":
            return word.upper()
        title = word[:1].upper() + word[1:]
        return self.forms.get(word, title) if case == "mixed" else title


class Classify:
    """A classifier's file.

    Args:
        file: an opened file of kind "classifier".
    """

    def __init__(self, file: LiteFile) -> None:
        self.file = file
        self.tokenizer = file.tokenizers[""]
        self.labels = listed(file, "labels")

    def classify(self, text: str) -> list[tuple[str, float]]:
        """The labels with their probabilities, likeliest first; a long text's first words count."""
        ids = self.tokenizer.encode(text)[: self.file.length - 2]
        answer = self.file.run("classify", **self.file.row([BOS, *ids, EOS]))
        found = enumerate(answer["log_probs"][0])
        pairs = [(named(self.labels, i), math.exp(value)) for i, value in found]
        return sorted(pairs, key=lambda pair: -pair[1])
