"""What every tokenizer of the zoo does with its vocabulary: ids, text, files."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Self

from zoo.errors import ZooError
from zoo.io import write_atomically
from zoo.text.vocabulary import (
    BOS,
    EOS,
    PAD,
    UNK,
    VOCABULARY_FILE,
    checked,
    read_vocabulary,
    write_vocabulary,
)

TOKENIZER_FILE = "tokenizer.json"


class Tokenizer(ABC):
    """A vocabulary of tokens and the rules that cut text into them.

    Args:
        vocabulary: the tokens by id; `<pad> <unk> <bos> <eos>` first.
        lowercase: whether text is read in lower case.

    Raises:
        ZooError: the vocabulary lacks the control tokens, or has a token twice.
    """

    def __init__(self, vocabulary: Sequence[str], lowercase: bool = True) -> None:
        self.vocabulary = checked(vocabulary)
        self.lowercase = bool(lowercase)
        self._ids = {token: i for i, token in enumerate(self.vocabulary) if i > EOS}
        self._graph: Any = None

    @property
    def vocabulary_size(self) -> int:
        """Entries of the vocabulary, control tokens included."""
        return len(self.vocabulary)

    @abstractmethod
    def tokenize(self, text: str) -> list[str]:
        """The tokens of a text, known or not."""

    @abstractmethod
    def detokenize(self, tokens: Sequence[str]) -> str:
        """Tokens as running text."""

    @abstractmethod
    def _make_graph(self) -> Any:
        """A new trackable TensorFlow module with `encode`, `decode` and `vocabulary_asset`."""

    @abstractmethod
    def get_config(self) -> dict[str, Any]:
        """The settings besides the vocabulary."""

    def encode(self, text: str) -> list[int]:
        """The ids of a text's tokens; unknown ones, and names of control tokens, are `<unk>`."""
        return [self._ids.get(token, UNK) for token in self.tokenize(text)]

    def decode(self, ids: Iterable[int]) -> str:
        """Readable text for ids up to `<eos>` or padding."""
        tokens = []
        for i in ids:
            if i in (EOS, PAD):
                break
            if i != BOS:
                tokens.append(self.vocabulary[i])
        return self.detokenize(tokens)

    def count_unknown(self, ids: Iterable[int]) -> int:
        """How many of the ids are `<unk>`."""
        return sum(1 for i in ids if i == UNK)

    def graph(self) -> Any:
        """The same tokenizer as a trackable TensorFlow module, made once."""
        if self._graph is None:
            self._graph = self._make_graph()
        return self._graph

    def graph_encode(self, texts: Any) -> Any:
        """`encode` on a string tensor [batch]: a ragged int32 tensor [batch, None]."""
        return self.graph().encode(texts)

    def graph_decode(self, ids: Any) -> Any:
        """`decode` on an int32 tensor [..., time]: a string tensor [...]."""
        return self.graph().decode(ids)

    @classmethod
    def from_config(cls, config: dict[str, Any], vocabulary: Sequence[str]) -> Self:
        """The tokenizer of a `get_config` and a vocabulary."""
        try:
            return cls(vocabulary, **config)
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
        return cls.from_config(
            read_tokenizer_config(folder, cls.__name__), read_vocabulary(folder / VOCABULARY_FILE)
        )


def read_tokenizer_file(directory: Path) -> dict[str, Any]:
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
    return content


def read_tokenizer_config(directory: Path, class_name: str) -> dict[str, Any]:
    """The constructor's settings from tokenizer.json, checked against the class."""
    content = read_tokenizer_file(directory)
    if content.get("class") != class_name:
        raise ZooError(f"{directory} holds a {content.get('class')!r}, not a {class_name}")
    return dict(content["config"])
