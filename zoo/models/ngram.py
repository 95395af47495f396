"""n-gram models: the probability of a word from counts of it after the n - 1 words before.

    p(w_2 | w_1)      = count(w_1, w_2) / count(w_1)                                         [2]
    p(w_3 | w_1, w_2) = count(w_1, w_2, w_3) / count(w_1, w_2)                               [3]

and so on for any order: maximum likelihood. What a corpus does not hold gets probability 0 from
it, so the other smoothings (see `zoo.ngrams.estimation`) give unseen words a share.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal, Self, overload

import numpy as np

from zoo.errors import ZooError
from zoo.models.base import model_family
from zoo.models.checks import checked_count, checked_texts, refuse_unknown_ids
from zoo.models.language_model import SPECIALS, LanguageModel
from zoo.models.results import SCORE_COLUMNS, WORD_COLUMNS, Results, Score, WordScore
from zoo.ngrams import corpus, estimation, query, read_arpa, write_arpa
from zoo.ngrams.checks import check_settings, check_tables
from zoo.ngrams.counts import NGramCounts, checked_order
from zoo.ngrams.sentences import SentenceScorer, contexts_of, describe_unseen, sentence_log_probs
from zoo.ngrams.tables import FOLDER, NGramTables
from zoo.ngrams.top import TopWords
from zoo.presets.store import CONFIG_FILE
from zoo.text import EOS, PAD, load_tokenizer
from zoo.text.normalization import normalization_of
from zoo.text.tokenizer import Tokenizer
from zoo.text.word import WordTokenizer
from zoo.types import ModelState, Tensor

LOGGER = logging.getLogger(__name__)
UNSMOOTHED = "smoothing='kneser_ney' (or add_k, stupid_backoff) gives unseen words a share"


@model_family
class NGramLanguageModel(LanguageModel):
    """Counts, smoothed: the oldest language model, and the baseline of the others.

    Build one with `train`, `from_arpa` or `from_preset`. Methods take and give NumPy arrays. The
    state is the last n - 1 ids, `{"context": [batch, order - 1] int32}`, `<pad>` where the
    sentence has not been that long.

    `<unk>` has the probability that the smoothing gives a word never seen; where the corpus has
    `<unk>` as a word (or a limited vocabulary made it one), it has both their shares.

    Stupid backoff gives scores that do not sum to 1: `score`, `rank` and `token_log_probs` return
    them as they are, and `step` and `next_words` normalise them.

    Args:
        tables: probabilities and backoff weights.
        tokenizer: words and ids.
        smoothing: what made the tables: mle, add_k, stupid_backoff, kneser_ney or arpa.
        discounts: D_1, D_2, D_3+ of each order, where the smoothing has them.

    Example:
        >>> lm = NGramLanguageModel.train(["the cat sat", "the cat ran"], order=2, smoothing="mle")
        >>> [(word, round(p, 2)) for word, p in lm.next_words(["the cat"])[0]]
        [('ran', 0.5), ('sat', 0.5)]
    """

    how_it_is_trained = "NGramLanguageModel.train(texts) counts a corpus"

    def __init__(
        self,
        tables: NGramTables,
        tokenizer: Tokenizer,
        smoothing: str = "kneser_ney",
        discounts: Iterable[Sequence[float]] = (),
    ) -> None:
        if tables.vocabulary_size != tokenizer.vocabulary_size:
            raise ZooError(
                f"tables for {tables.vocabulary_size} words, a tokenizer of "
                f"{tokenizer.vocabulary_size}: give the tokenizer that the tables were made with"
            )
        self.tables = tables
        self.tokenizer = tokenizer
        self.smoothing = smoothing
        self.discounts = tuple(tuple(float(d) for d in row) for row in discounts)
        self._top: TopWords | None = None

    @property
    def order(self) -> int:
        """n: a word is predicted from the n - 1 words before it."""
        return self.tables.order

    @property
    def is_normalised(self) -> bool:
        """Whether scores are probabilities; those of stupid backoff are not."""
        return not self.tables.missing_backoff

    @classmethod
    def train(
        cls,
        sentences: Iterable[str],
        order: int = 5,
        smoothing: str = "kneser_ney",
        tokenizer: str | Tokenizer = "words",
        *,
        lowercase: bool | None = None,
        vocabulary_size: int | None = None,
        min_count: int = 1,
        **options: Any,
    ) -> Self:
        """Count a corpus and estimate a model; the sentences are read once.

        Args:
            sentences: the corpus; an empty sentence counts as `<bos> <eos>`.
            order: n, 1 to 6.
            smoothing: "mle" [2] [3], "add_k", "stupid_backoff" or "kneser_ney".
            tokenizer: "words", "whitespace" (for tokenised corpora), "spaces" (for those of
                KenLM, which cuts at ASCII's spaces alone), or a tokenizer.
            lowercase: unless given, only "words" reads text in lower case.
            vocabulary_size, min_count: limit the vocabulary; other words are read as `<unk>`.
            options: `k` of add_k; `alpha` of stupid_backoff; `prune`, `modified` and
                `discount_fallback` of kneser_ney (see `zoo.ngrams.estimation`).

        Raises:
            ZooError: an empty corpus, an unknown smoothing or option, a bad order.

        Example:
            >>> lm = NGramLanguageModel.train(["a b", "a c"], order=2, tokenizer="whitespace")
            >>> lm.score(["a b"])[0].log_prob > lm.score(["b a"])[0].log_prob
            True
        """
        checked_order(order)
        words, ids = corpus.read_corpus(sentences, tokenizer, lowercase, vocabulary_size, min_count)
        counts = NGramCounts.from_ids(ids, words.vocabulary_size, order)
        return cls.from_counts(counts, words, smoothing, **options)

    @classmethod
    def from_counts(
        cls,
        counts: NGramCounts,
        tokenizer: Tokenizer,
        smoothing: str = "kneser_ney",
        **options: Any,
    ) -> Self:
        """Estimate a model from counts, as they come from several machines."""
        tables, discounts = estimation.estimate(counts, smoothing, options)
        return cls(tables, tokenizer, smoothing, discounts)

    @classmethod
    def from_arpa(cls, path: str | os.PathLike[str]) -> Self:
        """Read an ARPA file, plain or `.gz`, of any tool; text is then cut as KenLM cuts it.

        Only space, tab and line ends separate words; a no-break space belongs to the word that
        it stands in (docs/ngrams-arpa.md).

        Raises:
            ZooError: the file is damaged; the message has the line's number.
        """
        tables, vocabulary = read_arpa(path)
        form = normalization_of(vocabulary)
        return cls(tables, WordTokenizer(vocabulary, False, "spaces", form), "arpa")

    def save_arpa(self, path: str | os.PathLike[str]) -> None:
        """Write an ARPA file, gzip if the name ends in `.gz`."""
        write_arpa(self.tables, self.tokenizer.vocabulary, path)

    # The interface of every language model

    def initial_state(self, batch_size: int) -> ModelState:
        return {"context": np.full((batch_size, self.order - 1), PAD, np.int32)}

    def step(self, token_ids: Tensor, state: ModelState) -> tuple[np.ndarray, ModelState]:
        refuse_unknown_ids(token_ids, self.tokenizer.vocabulary_size)
        both = np.concatenate([state["context"], np.asarray(token_ids)[:, None]], axis=1)
        context = both[:, 1:].astype(np.int32)
        return self._distribution(context), {"context": context}

    def _distribution(self, context: np.ndarray) -> np.ndarray:
        values = query.distribution(self.tables, context)
        if not self.is_normalised:
            values -= np.log(np.exp(values, dtype=np.float64).sum(axis=1, keepdims=True))
        return values.astype(np.float32)

    def token_log_probs(self, inputs: Tensor, targets: Tensor) -> np.ndarray:
        return query.target_log_probs(self.tables, np.asarray(inputs), np.asarray(targets))

    def consume(self, ids: Tensor, lengths: Tensor) -> ModelState:
        ids, lengths = np.asarray(ids), np.asarray(lengths)
        width = self.order - 1
        padded = np.pad(ids, ((0, 0), (width, 0)), constant_values=PAD)
        columns = lengths[:, None] + np.arange(width)  # the last `width` of the first `lengths`
        return {"context": np.take_along_axis(padded, columns, axis=1).astype(np.int32)}

    def score_ids(self, sentences: Sequence[Sequence[int]]) -> np.ndarray:
        if not len(sentences):
            return np.zeros(0)
        flat = [i for sentence in sentences for i in (*sentence, EOS)]
        return sentence_log_probs(self.tables, np.asarray(flat, np.int32))

    @overload
    def score(self, texts: Sequence[str], tokens: Literal[False] = False) -> list[Score]: ...

    @overload
    def score(self, texts: Sequence[str], tokens: Literal[True]) -> list[list[WordScore]]: ...

    def score(
        self, texts: Sequence[str], tokens: bool = False
    ) -> list[Score] | list[list[WordScore]]:
        texts = checked_texts(texts)
        if tokens:
            return super().score(texts, tokens=True)
        if not texts:
            return []
        log_probs, counts, unknown = self.scorer(texts)
        if np.isneginf(log_probs).any():
            self._warn_of_zeros(texts, np.isneginf(log_probs))
        rows = zip(log_probs.tolist(), counts.tolist(), unknown.tolist(), strict=True)
        scores = map(partial(tuple.__new__, Score), rows)  # `Score._make`, without its steps
        return Results(scores, texts, SCORE_COLUMNS)

    def _warn_of_zeros(self, texts: Sequence[str], zero: np.ndarray) -> None:
        first = texts[int(zero.argmax())]
        event = describe_unseen(self.tables, self.tokenizer, first)
        message = "%d of %d sentences have probability 0: the corpus never has %s; %s"
        LOGGER.warning(message, zero.sum(), len(zero), event, UNSMOOTHED)

    @cached_property
    def scorer(self) -> SentenceScorer:
        """Scores sentences in bulk; `scorer.make_index()` prepares for very many."""
        return SentenceScorer(self.tables, self.tokenizer)

    def next_words(
        self, texts: Sequence[str], k: int = 10, prefix: str | Sequence[str] = ""
    ) -> list[list[tuple[str, float]]]:
        """The k likeliest next words of each text, as `LanguageModel.next_words` gives them.

        Words of probability 0 are not offered: after words that maximum likelihood has never
        seen, the list is empty.

        Example:
            >>> lm = NGramLanguageModel.train(["a b c", "a b d", "a b c"], order=2)
            >>> lm.next_words(["a b"], k=1)[0][0][0]
            'c'
        """
        texts = checked_texts(texts)
        if any(self._prefixes(prefix, len(texts))):
            found_among_all = super().next_words(texts, k, prefix)
            return [[pair for pair in row if pair[1]] for row in found_among_all]
        k = checked_count("k", k, self.tokenizer.vocabulary_size - len(SPECIALS))
        if not texts:
            return []
        context = contexts_of(corpus.encode_corpus(self.tokenizer, texts), self.order)
        found = self.top_words(context, k)
        if not self.is_normalised:
            rows = self._distribution(context)
            found = [(ids, row[ids]) for (ids, _), row in zip(found, rows, strict=True)]
        named = (self._named(ids, np.exp(logs)) for ids, logs in found)
        return Results(named, texts, WORD_COLUMNS)

    def _named(self, ids: np.ndarray, probs: np.ndarray) -> list[tuple[str, float]]:
        pairs = zip(ids.tolist(), probs.tolist(), strict=True)
        return [(self.tokenizer.vocabulary[i], p) for i, p in pairs if p]

    def top_words(self, context: np.ndarray, k: int) -> list[tuple[np.ndarray, np.ndarray]]:
        """Ids and log-probabilities of the k likeliest words after contexts [batch, order - 1]."""
        if self._top is None:
            self._top = TopWords(self.tables, SPECIALS)
        return self._top(context, k)

    def continued(
        self, state: ModelState, first_ids: np.ndarray, sampler: Any, max_words: int, seed: int
    ) -> Tensor:
        if np.isneginf(self.step(first_ids, state)[0]).all(axis=1).any():
            raise ZooError(f"the prompt's last words were never seen: {UNSMOOTHED}")
        with loops_in_python():
            return super().continued(state, first_ids, sampler, max_words, seed)

    # Presets

    def get_preset_config(self) -> dict[str, Any]:
        return {
            "order": self.order,
            "smoothing": self.smoothing,
            "discounts": [list(row) for row in self.discounts],
            "missing_backoff": self.tables.missing_backoff,
            "monotone": self.tables.monotone,
        }

    def save_tables(self, directory: str | os.PathLike[str], dtype: str = "float32") -> None:
        """Write the tables to `directory/tables/*.npy`."""
        self.tables.save(directory, dtype)

    def write_assets(self, directory: Path, dtype: str) -> None:
        self.tokenizer.save(directory)
        self.save_tables(directory, dtype)

    @classmethod
    def from_assets(cls, directory: Path, config: dict[str, Any]) -> Self:
        settings = dict(config)
        smoothing, discounts = settings.pop("smoothing", None), settings.pop("discounts", ())
        check_settings(directory / CONFIG_FILE, smoothing, **settings)
        tables = NGramTables.load(directory, **settings)
        check_tables(tables, directory / FOLDER, smoothing)
        return cls(tables, load_tokenizer(directory), smoothing, discounts)

    def parameter_count(self) -> int:
        """Probabilities and backoff weights."""
        return sum(
            len(level) + len(level) * bool(len(level.backoff)) for level in self.tables.levels
        )


def loops_in_python() -> AbstractContextManager[None]:
    """Loops in Python, where a backend would otherwise trace `step`, which is NumPy."""
    import keras

    if keras.backend.backend() != "jax":
        return nullcontext()
    import jax

    return jax.disable_jit()
