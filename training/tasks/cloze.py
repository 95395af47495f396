"""The task of the bidirectional models: each word from all the others of its sentence.

Its perplexity is over words given past and future, without `<eos>`: a different and easier task
than a language model's, and said to be so wherever it is printed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from keras import ops

from training.datasets import Corpus
from training.tasks.batches import Batch, batch_widths, sentence_batches
from training.tasks.task import Carried, Task, make_tokenizer, training_examples
from zoo.errors import ZooError
from zoo.metrics import perplexity
from zoo.text import BOS
from zoo.types import Tensor

if TYPE_CHECKING:
    from training.config import RunConfig

BLANK_SHARE = 0.2  # of the words, hidden at a time where directions mix
EVALUATION_BATCH = 64


class ClozeTask(Task):
    """Batches, loss and evaluation of a BidirectionalLanguageModel."""

    figure = "cloze_perplexity"

    def __init__(self, config: RunConfig, corpus: Corpus) -> None:
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
        return -(-len(self.train) // self.config.training.batch_size)

    def batches(self, epoch: int) -> Iterator[Batch]:
        """Sentences with the positions to predict: all, or a random share where they are hidden."""
        rng = self.shuffling(epoch)
        training, longest = self.config.training, self.config.data.max_length
        rows = sentence_batches(self.train, training.batch_size, longest, rng, self.widths)
        hide = self.model.settings.mixing == "layers"
        return (with_blanks(cloze_batch(batch), rng if hide else None) for batch in rows)

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


def with_blanks(batch: Batch, rng: np.random.Generator | None) -> Batch:
    """Hide a random share of the words, at least one a sentence, and count only those."""
    if rng is None:
        return batch
    draws = np.where(batch["weights"] > 0, rng.random(batch["weights"].shape), 2.0)
    chosen = (draws < BLANK_SHARE) | (draws == draws.min(axis=1, keepdims=True))
    chosen &= draws < 1.0
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
