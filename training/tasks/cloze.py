"""The task of the bidirectional models: each word from all the others of its sentence.

Its perplexity is over words given past and future, without `<eos>`: a different and easier task
than a language model's, and said to be so wherever it is printed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from keras import ops
from pydantic import Field

from training.config import Number, Section, checked
from training.datasets import Corpus
from training.tasks.batches import Batch, batch_widths, sentence_batches
from training.tasks.task import Carried, Task, make_tokenizer, training_examples
from zoo.errors import ZooError
from zoo.metrics import perplexity
from zoo.models.cloze import HIDDEN_SHARE, hidden_words
from zoo.text import BOS
from zoo.types import Tensor

if TYPE_CHECKING:
    from training.config import RunConfig
EVALUATION_BATCH = 64


class ClozeOptions(Section):
    """What `training.options` may say where words are hidden (mixing: layers)."""

    masks: Annotated[int, Field(ge=1)] = 1  # of each sentence an epoch; together of all its words
    single_share: Annotated[Number, Field(ge=0, le=1)] = 0.0  # of batches with one blank a sentence


class ClozeTask(Task):
    """Batches, loss and evaluation of a BidirectionalLanguageModel."""

    figure = "cloze_perplexity"

    def __init__(self, config: RunConfig, corpus: Corpus) -> None:
        self.options = checked(ClozeOptions, config.training.options, "training.options")
        examples = training_examples(config, corpus)
        tokenizer = make_tokenizer(config, examples)
        super().__init__(config, corpus, tokenizer)
        self.train = [ids for ids in map(tokenizer.encode, examples) if ids]
        self.valid = [ids for ids in map(tokenizer.encode, corpus.valid) if ids]
        if not self.train or not self.valid:
            raise ZooError(f"{config.data.name}: no sentence with a word to predict")
        rows, longest = config.training.batch_size, config.data.max_length
        self.widths = batch_widths(self.train, rows, longest)

    def steps_per_epoch(self) -> int:
        passes = self.options.masks if self.hides else 1
        return passes * -(-len(self.train) // self.config.training.batch_size)

    @property
    def hides(self) -> bool:
        """Whether the words to predict are taken out of the input."""
        return bool(self.model.settings.mixing == "layers")

    def batches(self, epoch: int) -> Iterator[Batch]:
        """Sentences with the positions to predict: all, or those of a mask where they are hidden.

        With several masks each word of a sentence is in one of them, so that an epoch's loss is of
        all words; a share of the batches has one blank a sentence instead, as what is asked later.
        """
        rng, masks = self.shuffling(epoch), self.options.masks
        size, longest = self.config.training.batch_size, self.config.data.max_length
        for number in range(masks if self.hides else 1):
            rows = sentence_batches(self.train, size, longest, rng, self.widths)
            for batch in map(cloze_batch, rows):
                if not self.hides:
                    yield batch
                elif rng.random() < self.options.single_share:
                    yield with_blanks(batch, rng, share=0.0)
                elif masks == 1:
                    yield with_blanks(batch, rng)
                else:
                    yield with_every_kth(batch, masks, epoch + number)

    def loss(
        self, batch: Mapping[str, Tensor], carried: Carried | None, training: bool
    ) -> tuple[Tensor, Tensor, None]:
        """Summed nats of the words at the counted positions, and their number."""
        hidden = self.model.features(batch["ids"], batch["blanks"], batch["mask"], training)
        output = self.model.output_projection
        nats = self.softmax.summed_nats(output, hidden, batch["ids"], batch["weights"])
        return nats, ops.sum(batch["weights"]), None

    def evaluate(self) -> dict[str, float]:
        return cloze_perplexity(self.model, self.valid)


def cloze_batch(batch: Batch) -> Batch:
    """Whole sentences `<bos> w_1 ... w_n <eos>` with weight 1 at the words."""
    start, targets, counted = batch["inputs"][:, :1], batch["targets"], batch["weights"]
    ids = np.concatenate([np.where(start == 0, BOS, start), targets], axis=1)
    mask = np.concatenate([np.ones_like(start, dtype=bool), targets != 0], axis=1)
    # The last counted target is <eos>, which is no word to fill in.
    words = np.concatenate([counted[:, 1:], np.zeros_like(counted[:, :1])], axis=1)
    weights = np.concatenate([np.zeros_like(words[:, :1]), words], axis=1)
    return {"ids": ids, "mask": mask, "weights": weights, "blanks": np.zeros_like(mask)}


def with_blanks(batch: Batch, rng: np.random.Generator, share: float = HIDDEN_SHARE) -> Batch:
    """Hide a random share of the words, at least one a sentence, and count only those."""
    chosen = hidden_words(batch["weights"], rng, share)
    return {**batch, "blanks": chosen, "weights": chosen.astype(np.float32)}


def with_every_kth(batch: Batch, k: int, number: int) -> Batch:
    """Hide every k-th word and count only those; numbers that follow each other hide all in turn.

    Where a sentence's first blank is depends on its words, so that not all begin alike.
    """
    places = np.arange(batch["ids"].shape[1])[None, :] + batch["ids"].sum(axis=1, keepdims=True)
    chosen = (batch["weights"] > 0) & ((places + number) % k == 0)
    return {**batch, "blanks": chosen, "weights": chosen.astype(np.float32)}


def cloze_perplexity(model: Any, sentences: list[list[int]]) -> dict[str, float]:
    """exp of the mean negative log-probability of each word given all the others.

    Args:
        model: a BidirectionalLanguageModel.
        sentences: ids without `<bos>` and `<eos>`.

    Returns:
        `cloze_perplexity` and `tokens` (words; no `<eos>`).
    """
    nats, words = 0.0, 0
    for ids, lengths, positions in _questions(sentences):
        log_probs = model.fill_log_probs(ids, lengths, positions)
        answers = np.take_along_axis(ids, positions[:, None], axis=1)
        picked = np.take_along_axis(log_probs, answers, axis=1)
        nats -= float(picked.astype(np.float64).sum())
        words += len(positions)
    return {"cloze_perplexity": perplexity(nats, max(words, 1)), "tokens": words}


def _questions(
    sentences: list[list[int]],
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """One row a word: the sentence's ids, its length with both ends, the word's position."""
    from zoo.text import EOS
    from zoo.text.padding import pad

    questions = [(i, t) for i, ids in enumerate(sentences) for t in range(1, len(ids) + 1)]
    questions.sort(key=lambda question: len(sentences[question[0]]))
    for start in range(0, len(questions), EVALUATION_BATCH):
        chunk = questions[start : start + EVALUATION_BATCH]
        ids, lengths = pad([[BOS, *sentences[i], EOS] for i, _ in chunk])
        yield ids, lengths, np.array([t for _, t in chunk], dtype=np.int32)
