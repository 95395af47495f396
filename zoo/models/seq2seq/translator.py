"""From texts to translated texts: batches, search, unknown words, scores, re-ranking.

A translation's score is log P(y | x) / lp(n) (see zoo/decoding/beam.py), the plain log-probability
of its n tokens, `<eos>` counted, where no length normalisation is asked for.
"""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, Literal, overload

import numpy as np
from keras import ops

from zoo.backend import as_ids
from zoo.decoding import Beam, beam_search
from zoo.errors import ZooError
from zoo.models.base import PresetModel
from zoo.models.checks import checked_texts
from zoo.models.results import (
    SCORE_COLUMNS,
    WORD_SCORE_COLUMNS,
    Results,
    Score,
    WordScore,
    word_scores,
)
from zoo.models.seq2seq.pair_batches import token_batches
from zoo.models.seq2seq.reranking import Hypothesis, check_utility, reranked
from zoo.models.seq2seq.sentences import (
    joined,
    restored,
    scored_pair,
    source_sentences,
)
from zoo.models.seq2seq.settings import Seq2SeqSettings
from zoo.models.seq2seq.unknown_words import with_source_words
from zoo.text import BOS, EOS, PAD, UNK
from zoo.text.carrying import Carried
from zoo.text.padding import pad
from zoo.types import ModelState, Tensor

BATCH = 32
STEPS_MULTIPLE = 16  # lengths are rounded up, so that few graphs are traced

logger = logging.getLogger("zoo")


class Translator(PresetModel):
    """What a translation model can do, from `encode`, `step_graph` and two tokenizers."""

    reads = "pairs"
    source_tokenizer: Any
    target_tokenizer: Any
    settings: Seq2SeqSettings
    output_projection: Any

    @property
    @abstractmethod
    def state_names(self) -> list[str]:
        """Names of the state entries that each step changes."""

    @property
    @abstractmethod
    def shared_names(self) -> tuple[str, ...]:
        """Names of the state entries that no step changes."""

    compiled_once: Callable[[Hashable, Callable[..., Any]], Callable[..., Any]]

    @abstractmethod
    def encode(
        self, source_ids: Tensor, source_mask: Tensor | None = None, training: bool = False
    ) -> ModelState:
        """The state after reading sources, before the first target word."""

    @abstractmethod
    def step_graph(
        self, token_ids: Tensor, state: ModelState, kernel: Tensor | None = None
    ) -> tuple[Tensor, ModelState]:
        """One target word in, the next one's log-probabilities and the new state out."""

    @abstractmethod
    def token_log_probs(self, source_ids: Tensor, inputs: Tensor, targets: Tensor) -> np.ndarray:
        """log P(targets_t | source, inputs_1 ... inputs_t), [batch, time]."""

    # --- texts in, texts out ----------------------------------------------------------------

    def translate(
        self,
        texts: Sequence[str],
        beam: int = 5,
        n_best: int = 1,
        length_alpha: float | None = None,
        rescore: Any = None,
        rescore_weight: float = 0.3,
        mark_lost: bool = True,
        mbr: str | None = None,
    ) -> list[list[tuple[str, float]]]:
        """The best translations of each text, best first, with their scores.

        Unknown words are never lost: an `<unk>` in a translation becomes the source word that it
        stands for, and unknown source words that no `<unk>` stands for follow in brackets, as does
        what the model should carry over (`carry_over`) and does not. With `split_sentences` the
        sentences of a text are translated one by one and joined, their scores added. Texts
        (sentences) of more than `max_source_length` tokens are cut there. An empty text has one
        translation, the empty text, of score 0. Translations that read the same are listed once,
        so a list may be shorter than `n_best`.

        Args:
            texts: the sources.
            beam: hypotheses kept at a time.
            n_best: translations a text, at most `beam`.
            length_alpha: length normalisation; None is the model's own.
            rescore: a language model of the target language that re-ranks the search's `beam`
                best: score = (log P(y | x) + rescore_weight · log P(y)) / lp(n).
            rescore_weight: weight of the language model.
            mark_lost: list what is lost in brackets: for a reader; BLEU is measured without.
            mbr: "chrf" or "bleu": of the search's `beam` best, first comes the one most like
                all of them, each counted by its probability; the scores are this likeness, 0 to 100
                (see `zoo.models.seq2seq.reranking`).

        Example:
            >>> import zoo
            >>> words = zoo.text.WordTokenizer.train(["a b c"])
            >>> mt = zoo.models.Seq2Seq(words, words, units=4, embedding_dim=4)
            >>> mt.translate([""])
            [[('', 0.0)]]
        """
        texts = checked_texts(texts)
        parts = [source_sentences(text, self.settings) for text in texts]
        sentences = [sentence for part in parts for sentence in part]
        alpha = self.settings.length_alpha if length_alpha is None else length_alpha
        Beam(beam, n_best, alpha)  # refuses what is out of range
        check_utility(mbr)
        listed = beam if rescore is not None or mbr is not None else n_best
        found = self.search([s.text for s in sentences], beam, listed, alpha)
        answers = iter(
            reranked(
                self._readable_hypotheses(sentence, hypotheses, mark_lost),
                (rescore, rescore_weight, alpha),
                mbr,
            )[:n_best]
            for sentence, hypotheses in zip(sentences, found, strict=True)
        )
        whole = [joined([next(answers) for _ in part]) for part in parts]
        return Results(whole, texts, ("translation", "score"))

    def _readable_hypotheses(
        self, sentence: Carried, found: Sequence[Hypothesis], mark_lost: bool
    ) -> list[tuple[str, Hypothesis]]:
        """Hypotheses with their texts, as the reader sees them."""
        texts = self.readable(sentence.text, [h.ids for h in found], mark_lost)
        return list(zip(restored(texts, sentence, self.settings, mark_lost), found, strict=True))

    @overload
    def score(
        self, pairs: Iterable[tuple[str, str]], tokens: Literal[False] = False
    ) -> list[Score]: ...

    @overload
    def score(
        self, pairs: Iterable[tuple[str, str]], tokens: Literal[True]
    ) -> list[list[WordScore]]: ...

    def score(
        self, pairs: Iterable[tuple[str, str]], tokens: bool = False
    ) -> list[Score] | list[list[WordScore]]:
        """log P(target | source) of each pair of texts, `<eos>` counted.

        Args:
            pairs: sources and targets.
            tokens: give the log-probability of each target token instead: a list a pair.

        Example:
            >>> import zoo
            >>> words = zoo.text.WordTokenizer.train(["a b c"])
            >>> mt = zoo.models.Seq2Seq(words, words, units=4, embedding_dim=4)
            >>> mt.score([("a b", "c")])[0].tokens
            2
        """
        checked = [tuple(checked_texts(pair)) for pair in pairs]
        if any(len(pair) != 2 for pair in checked):
            raise ZooError("score takes pairs: (source, target), ...")
        checked = [scored_pair(pair[0], pair[1], self.settings) for pair in checked]
        sources, targets = [pair[0] for pair in checked], [pair[1] for pair in checked]
        encoded = [self.target_tokenizer.encode(target) for target in targets]
        if tokens:
            scored = self._scored(sources, encoded)
            words = word_scores(self.target_tokenizer, targets, encoded, scored)
            return Results(words, checked, WORD_SCORE_COLUMNS)
        log_probs = self.score_ids(sources, encoded)
        scores = (
            Score(float(log_prob), len(ids) + 1, self.target_tokenizer.count_unknown(ids))
            for ids, log_prob in zip(encoded, log_probs, strict=True)
        )
        return Results(scores, checked, SCORE_COLUMNS)

    def score_ids(self, texts: Sequence[str], targets: Sequence[Sequence[int]]) -> np.ndarray:
        """log P of target ids (without `<bos>` and `<eos>`) given source texts; [pairs]."""
        totals = np.zeros(len(texts))
        for rows, log_probs, counted in self._scored(texts, targets):
            totals[rows] = np.where(counted, log_probs, 0.0).sum(axis=1)
        return totals

    def _scored(
        self, texts: Sequence[str], targets: Sequence[Sequence[int]]
    ) -> Iterator[tuple[list[int], np.ndarray, np.ndarray]]:
        """Places of like-sized pairs, their targets' log-probabilities, and which count."""
        sources = self._checked_rows(texts)
        for rows in token_batches([len(s) + len(t) for s, t in zip(sources, targets, strict=True)]):
            inputs, lengths = pad([[BOS, *targets[i]] for i in rows])
            wanted, _ = pad([[*targets[i], EOS] for i in rows])
            source_ids, _ = pad([sources[i] for i in rows])
            log_probs = self.token_log_probs(source_ids, inputs, wanted).astype(np.float64)
            yield rows, log_probs, np.arange(inputs.shape[1]) < lengths[:, None]

    def search(
        self, texts: Sequence[str], beam: int, n_best: int, length_alpha: float
    ) -> list[list[Hypothesis]]:
        """The search's `n_best` hypotheses for each text, as ids."""
        sources = self._checked_rows(texts)
        found: list[list[Hypothesis]] = [[] for _ in texts]
        order = sorted(range(len(texts)), key=lambda i: len(sources[i]))
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            source_ids, _ = pad([sources[i] for i in rows])
            ids, scores = self.search_ids(source_ids, beam, n_best, length_alpha)
            for i, best, values in zip(rows, ids, scores, strict=True):
                found[i] = [
                    Hypothesis(tuple(int(w) for w in row if w != PAD), float(value))
                    for row, value in zip(best, values, strict=True)
                    if np.isfinite(value)
                ]
        return found

    def search_ids(
        self, source_ids: np.ndarray, beam: int, n_best: int, length_alpha: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """`search_graph` compiled: ids [batch, n_best, time], scores [batch, n_best] as arrays."""
        longest = int(self.target_limits(source_ids).max(initial=1))
        steps = min(-(-longest // STEPS_MULTIPLE) * STEPS_MULTIPLE, self._max_target_length)
        search = partial(
            self.search_graph, beam=beam, n_best=n_best, length_alpha=length_alpha, steps=steps
        )
        key = ("search", beam, n_best, length_alpha, steps)
        ids, scores = self.compiled_once(key, search)(as_ids(source_ids))
        return ops.convert_to_numpy(ids), ops.convert_to_numpy(scores)

    # --- on tensors -------------------------------------------------------------------------

    def search_graph(
        self, source_ids: Tensor, beam: int, n_best: int, length_alpha: float, steps: int
    ) -> tuple[Tensor, Tensor]:
        """Beam search on tensors: ids [batch, n_best, steps] and scores [batch, n_best].

        Args:
            source_ids: [batch, source] int32 as `source_rows` makes them.
            beam, n_best, length_alpha: as in `zoo.decoding.beam_search`.
            steps: target tokens at most.
        """
        state = self.encode(source_ids)
        first_ids = ops.full((ops.shape(source_ids)[0],), BOS, dtype="int32")
        # Tied to word vectors, the matrix is their transpose: taken once, not at every step.
        step = partial(self.step_graph, kernel=self.output_projection.kernel)
        return beam_search(
            step,
            {name: state[name] for name in self.state_names},
            first_ids,
            beam,
            steps,
            n_best,
            length_alpha,
            max_lengths=self.target_limits(source_ids),
            shared={name: state[name] for name in self.shared_names},
        )

    def target_limits(self, source_ids: Tensor) -> Tensor:
        """How long a translation may be, `<eos>` counted: 2 · words + 10; nothing for no words."""
        if isinstance(source_ids, np.ndarray):
            words = (source_ids != PAD).sum(axis=1) - 1
            return np.where(words > 0, np.minimum(2 * words + 10, self._max_target_length), 0)
        words = ops.sum(ops.cast(ops.not_equal(source_ids, PAD), "int32"), axis=1) - 1
        limits = ops.minimum(2 * words + 10, self._max_target_length)
        return ops.where(words > 0, limits, 0)

    @property
    def _max_target_length(self) -> int:
        return int(self.settings.max_target_length)

    # --- sources, as `source_sentences` gives them, and readable targets --------------------

    def source_tokens(self, text: str) -> list[str]:
        """A source's tokens in the order in which the encoder reads them, cut to the limit."""
        return self._in_order(self.source_tokenizer.tokenize(text))

    def source_row(self, text: str) -> list[int]:
        """A source's ids in the order in which the encoder reads them, `<eos>` last."""
        return [*self._in_order(self.source_tokenizer.encode(text)), EOS]

    def source_rows(self, texts: Sequence[str]) -> np.ndarray:
        """Sources as `encode` takes them: [batch, source] int32, right-padded."""
        return pad(self._checked_rows(texts))[0]

    def _checked_rows(self, texts: Sequence[str]) -> list[list[int]]:
        """Each text's `source_row`; the log says once which of them were cut."""
        rows, limit = [], self.settings.max_source_length
        for text in texts:
            ids = self.source_tokenizer.encode(text)
            if len(ids) > limit:
                logger.warning("%.40r...: only the first %d of %d tokens", text, limit, len(ids))
            rows.append([*self._in_order(ids), EOS])
        return rows

    def _in_order(self, tokens: list[Any]) -> list[Any]:
        tokens = tokens[: self.settings.max_source_length]
        return tokens[::-1] if self.settings.reverse_source else tokens

    def readable(
        self, text: str, translations: Sequence[Sequence[int]], mark_lost: bool = True
    ) -> list[str]:
        """Translations given as ids in words, with the source's unknown words in their places."""
        texts = [self.target_tokenizer.decode(ids) for ids in translations]
        row = self.source_row(text)
        if UNK not in row and not any(UNK in ids for ids in translations):
            return texts
        attention = self.alignment(row, translations) if any(map(len, translations)) else None
        backwards = self.settings.reverse_source
        return [
            with_source_words(
                translation,
                self.source_tokens(text),
                [i == UNK for i in row[:-1]],
                None if attention is None else attention[k][np.array(ids) == UNK],
                backwards,
                mark_lost,
            )
            for k, (translation, ids) in enumerate(zip(texts, translations, strict=True))
        ]

    def alignment(
        self, source_row: Sequence[int], translations: Sequence[Sequence[int]]
    ) -> list[np.ndarray] | None:
        """Attention of each target token over the source: [tokens, source] a translation."""
        return None
