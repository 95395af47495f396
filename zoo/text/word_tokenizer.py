"""Words and punctuation to ids and back, the same in Python and in a TensorFlow graph."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from zoo.errors import ZooError
from zoo.text import segmentation
from zoo.text.detokenization import join_tokens
from zoo.text.vocabulary import (
    BOS,
    EOS,
    PAD,
    UNK,
    VOCABULARY_FILE,
    checked,
    most_frequent,
    read_vocabulary,
    write_atomically,
    write_vocabulary,
)

if TYPE_CHECKING:
    from zoo.text.graph import GraphTokenizer

TOKENIZER_FILE = "tokenizer.json"
SPLITS = ("words", "whitespace")


class WordTokenizer:
    """A vocabulary of words and the rules that cut text into them.

    Args:
        vocabulary: the words by id; `<pad> <unk> <bos> <eos>` first.
        lowercase: whether text is read in lower case.
        split: "words" (see zoo.text.segmentation) or "whitespace" for tokenised corpora.

    Raises:
        ZooError: the vocabulary lacks the control tokens, has a word twice, or `split` is unknown.

    Example:
        >>> tokenizer = WordTokenizer.train(["The cat isn't small."])
        >>> tokenizer.tokenize("The cat isn't big!")
        ['the', 'cat', "isn't", 'big', '!']
        >>> tokenizer.decode(tokenizer.encode("Isn't the cat small."))
        "isn't the cat small."
    """

    def __init__(
        self, vocabulary: Sequence[str], lowercase: bool = True, split: str = "words"
    ) -> None:
        if split not in SPLITS:
            raise ZooError(f"split={split!r}: use 'words' or 'whitespace'")
        self.vocabulary = checked(vocabulary)
        self.lowercase = bool(lowercase)
        self.split = split
        self._ids = {word: i for i, word in enumerate(self.vocabulary) if i > EOS}
        self._graph: GraphTokenizer | None = None

    @classmethod
    def train(
        cls,
        sentences: Iterable[str],
        size: int | None = None,
        min_count: int = 1,
        lowercase: bool = True,
        split: str = "words",
    ) -> Self:
        """A tokenizer with the commonest words of a corpus.

        Args:
            sentences: the corpus.
            size: vocabulary entries, the four control tokens included; None for all words.
            min_count: rarer words are left out.
            lowercase, split: as in the constructor.
        """
        cutter = cls(most_frequent(Counter(), None, 1), lowercase, split)
        counts: Counter[str] = Counter()
        for sentence in sentences:
            counts.update(cutter.tokenize(sentence))
        return cls(most_frequent(counts, size, min_count), lowercase, split)

    @property
    def vocabulary_size(self) -> int:
        """Entries of the vocabulary, control tokens included."""
        return len(self.vocabulary)

    def tokenize(self, text: str) -> list[str]:
        """The tokens of a text, known or not."""
        if self.split == "whitespace":
            folded = segmentation.fold(text, True) if self.lowercase else text
            return segmentation.split_whitespace(folded)
        return segmentation.split_words(segmentation.fold(text, self.lowercase))

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

    def detokenize(self, tokens: Sequence[str]) -> str:
        """Tokens as running text; tokenised corpora stay as they are."""
        return " ".join(tokens) if self.split == "whitespace" else join_tokens(tokens)

    def count_unknown(self, ids: Iterable[int]) -> int:
        """How many of the ids are `<unk>`."""
        return sum(1 for i in ids if i == UNK)

    def graph(self) -> GraphTokenizer:
        """The same tokenizer as a trackable TensorFlow module."""
        if self._graph is None:
            from zoo.text.graph import GraphTokenizer

            self._graph = GraphTokenizer(self.vocabulary, self.lowercase, self.split)
        return self._graph

    def graph_encode(self, texts: Any) -> Any:
        """`encode` on a string tensor [batch]: a ragged int32 tensor [batch, None]."""
        return self.graph().encode(texts)

    def graph_decode(self, ids: Any) -> Any:
        """`decode` on an int32 tensor [..., time]: a string tensor [...]."""
        return self.graph().decode(ids)

    def get_config(self) -> dict[str, Any]:
        """The settings besides the vocabulary."""
        return {"lowercase": self.lowercase, "split": self.split}

    @classmethod
    def from_config(cls, config: dict[str, Any], vocabulary: Sequence[str]) -> Self:
        return cls(vocabulary, **config)

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
    except (OSError, ValueError) as error:
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
