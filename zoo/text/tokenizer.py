"""What every tokenizer of the zoo does with its vocabulary: ids, text, files."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import ClassVar, NamedTuple, Self, TypeAlias

from zoo.errors import ZooError
from zoo.io import write_atomically
from zoo.text import segmentation
from zoo.text.detokenization import Rules, join_tokens, settled_length
from zoo.text.normalization import checked_normalization
from zoo.text.prefixes import WordBeginnings
from zoo.text.vocabulary import (
    BOS,
    EOS,
    PAD,
    UNK,
    VOCABULARY_FILE,
    Vocabulary,
    read_vocabulary,
    write_vocabulary,
)

TOKENIZER_FILE = "tokenizer.json"
Settings: TypeAlias = dict[str, bool | str]


class Tokenizer(ABC):
    """A vocabulary of tokens and the rules that cut text into them.

    Args:
        vocabulary: the tokens by id; `<pad> <unk> <bos> <eos>` first.
        lowercase: whether text is read in lower case.
        normalization: the normal form of Unicode that text is read in: "NFC", "NFKC" or "none".

    Raises:
        ZooError: the vocabulary lacks the control tokens, or has a token twice.
    """

    split = "words"
    has_pieces: ClassVar[bool] = False  # whether a token may be a piece of a word

    def __init__(
        self, vocabulary: Sequence[str], lowercase: bool = True, normalization: str = "NFC"
    ) -> None:
        self.vocabulary = Vocabulary(vocabulary)
        self.lowercase = bool(lowercase)
        self.normalization = checked_normalization(normalization)
        self._ids = {token: i for i, token in enumerate(self.vocabulary) if i > EOS}

    @property
    def vocabulary_size(self) -> int:
        """Entries of the vocabulary, control tokens included."""
        return len(self.vocabulary)

    @cached_property
    def beginnings(self) -> WordBeginnings:
        """The words by how they begin."""
        return WordBeginnings(self.vocabulary)

    @property
    @abstractmethod
    def rules(self) -> Rules:
        """How tokens with spaces between become running text: patterns and replacements."""

    @abstractmethod
    def tokenize(self, text: str) -> list[str]:
        """The tokens of a text, known or not."""

    @abstractmethod
    def get_config(self) -> Settings:
        """The settings besides the vocabulary."""

    def prepare(self, text: str) -> str:
        """The text that tokens are cut from: normalised and folded."""
        return segmentation.prepare(text, self.lowercase, self.split, self.normalization)

    def detokenize(self, tokens: Sequence[str]) -> str:
        """Tokens as running text."""
        return join_tokens(tokens, self.rules)

    def encode(self, text: str) -> list[int]:
        """The ids of a text's tokens; unknown ones, and names of control tokens, are `<unk>`."""
        return self.ids_of(self.tokenize(text))

    def ids_of(self, tokens: Iterable[str]) -> list[int]:
        """The ids of tokens, as `tokenize` gives them."""
        return [self._ids.get(token, UNK) for token in tokens]

    def decode(self, ids: Iterable[int]) -> str:
        """Readable text for ids up to `<eos>` or padding."""
        tokens = []
        for i in ids:
            if i in (EOS, PAD):
                break
            if i != BOS:
                tokens.append(self.vocabulary[i])
        return self.detokenize(tokens)

    def settled(self, text: str) -> int:
        """How much of a text of `decode` stays as it is whatever tokens follow."""
        return settled_length(text) if self.rules else len(text)

    def count_unknown(self, ids: Iterable[int]) -> int:
        """How many of the ids are `<unk>`."""
        return sum(1 for i in ids if i == UNK)

    @classmethod
    def from_config(cls, config: Mapping[str, bool | str], vocabulary: Sequence[str]) -> Self:
        """The tokenizer of a `get_config` and a vocabulary."""
        try:
            return cls(vocabulary, **config)  # type: ignore[arg-type]  # others are refused
        except TypeError:
            raise ZooError(
                f"{cls.__name__} has no such settings: {config!r:.200}; save the tokenizer again"
            ) from None

    def save(self, directory: str | Path) -> None:
        """Write vocabulary.txt and tokenizer.json, each atomically."""
        folder = Path(directory)
        write_vocabulary(folder / VOCABULARY_FILE, self.vocabulary)
        content = {"class": type(self).__name__, "config": self.get_config()}
        write_atomically(folder / TOKENIZER_FILE, json.dumps(content, indent=2) + "\n")

    @classmethod
    def load(cls, directory: str | Path) -> Self:
        """Read what `save` wrote; refuses damaged files in one line."""
        folder = Path(directory)
        saved = read_tokenizer_file(folder)
        if saved.class_name != cls.__name__:
            raise ZooError(f"{folder} holds a {saved.class_name!r}, not a {cls.__name__}")
        return cls.from_config(saved.config, read_vocabulary(folder / VOCABULARY_FILE))


class SavedTokenizer(NamedTuple):
    """The content of a tokenizer.json."""

    class_name: str
    config: Settings


def read_tokenizer_file(directory: Path) -> SavedTokenizer:
    """The content of a directory's tokenizer.json."""
    path = directory / TOKENIZER_FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ZooError(f"{path} is missing; save the tokenizer again") from None
    except (OSError, ValueError, RecursionError) as error:
        raise ZooError(f"{path} is damaged ({error}); save the tokenizer again") from None
    if not isinstance(content, dict) or not isinstance(content.get("config"), dict):
        raise ZooError(f"{path} has no 'class' and 'config'; save the tokenizer again")
    return SavedTokenizer(str(content.get("class")), content["config"])
