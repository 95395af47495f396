"""The task of language modelling: cross entropy [7][8] on sentences or on a carried stream."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from keras import ops

from training.datasets import Corpus
from training.datasets.text_files import TextFiles
from training.datasets.token_map import TokenMap, token_map
from training.tasks.batches import (
    MEAN_PIECE,
    Batch,
    batch_widths,
    encode_stream,
    sentence_batches,
    stream_batches,
)
from training.tasks.running_text import encoded_text
from training.tasks.shuffling import map_batches, map_widths
from training.tasks.task import Carried, Task, make_any_tokenizer, text_of
from training.tasks.widths import Shape
from zoo.metrics import perplexity
from zoo.text import UNK, Tokenizer
from zoo.types import Tensor

if TYPE_CHECKING:
    from training.config import RunConfig

EVALUATION_STREAMS = 8  # parallel streams: a few words of context are lost at their starts
EVALUATION_STEPS = 128


class LanguageModelTask(Task):
    """Batches, loss and evaluation of a left-to-right neural language model.

    Args:
        config: the run.
        corpus: `train`, `valid`, `test` sentences and `is_stream` (training.datasets.Corpus).
    """

    figure = "perplexity"

    def __init__(self, config: RunConfig, corpus: Corpus) -> None:
        examples = text_of(config, corpus)
        tokenizer = make_any_tokenizer(config, examples)
        super().__init__(config, corpus, tokenizer)
        stream = config.training.stream
        self.is_stream = corpus.is_stream if stream is None else stream
        self.train = encoded(tokenizer, examples, config.data.map_dir)
        self.valid = [encoded_text(tokenizer, text) for text in corpus.valid]
        self.stream = as_stream(self.train) if self.is_stream else None
        rows, longest = config.training.batch_size, config.data.max_length
        self.widths: Mapping[Shape, Shape] = {}
        if isinstance(self.train, TokenMap):
            self.widths = map_widths(self.train, longest)
        elif not self.is_stream:
            self.widths = batch_widths(self.train, rows, longest)

    def carried(self) -> dict[str, np.ndarray] | None:
        if not self.is_stream:
            return None
        state = self.model.initial_state(self.config.training.batch_size)
        return {name: ops.convert_to_numpy(value) for name, value in state.items()}

    def batches_from(self, epoch: int, done: int) -> Iterator[Batch]:
        if self.stream is not None or not isinstance(self.train, TokenMap):
            return super().batches_from(epoch, done)
        training, longest = self.config.training, self.config.data.max_length
        seed = [self.config.seed, epoch]
        return map_batches(self.train, training.batch_size, longest, seed, self.widths, done)

    def batches(self, epoch: int) -> Iterator[Batch]:
        if self.stream is None and isinstance(self.train, TokenMap):
            return self.batches_from(epoch, 0)
        training, longest = self.config.training, self.config.data.max_length
        rng = self.shuffling(epoch)
        if self.stream is None:
            found = sentence_batches(self.train, training.batch_size, longest, rng, self.widths)
        else:
            varied = rng if training.random_time_steps else None
            rows, steps = training.batch_size, training.time_steps
            found = stream_batches(self.stream, rows, steps, varied, one_width=True)
        return map(known_only, found) if self.model.tokenizer.has_pieces else found

    def steps_per_epoch(self) -> int:
        training = self.config.training
        if self.stream is None:
            return -(-len(self.train) // training.batch_size)
        usual = training.time_steps * (MEAN_PIECE if training.random_time_steps else 1.0)
        return math.ceil(len(self.stream) / (training.batch_size * usual))

    def rate_share(self, batch: Mapping[str, Tensor]) -> float:
        """Of a shorter piece, which has fewer steps to learn from, as much less (Merity et al.)."""
        if not self.config.training.random_time_steps:
            return 1.0
        return float(batch["inputs"].shape[1]) / self.config.training.time_steps

    def loss(
        self, batch: Mapping[str, Tensor], carried: Carried | None, training: bool
    ) -> tuple[Tensor, Tensor, Carried | None]:
        """Summed nats over the counted tokens, their number, and the state to carry on."""
        hidden, state = self.model.features(batch["inputs"], carried, training=training)
        output, mixture = self.model.output_projection, self.model.mixture
        words, weights = batch["targets"], batch["weights"]
        nats = self.softmax.summed_nats(output, hidden, words, weights, mixture)
        weight = ops.sum(batch["weights"])
        total = nats + weight * self.regularisation(hidden)
        return total, weight, state if carried is not None else None

    def regularisation(self, hidden: Tensor) -> Tensor:
        """AWD-LSTM's penalties on the last layer: its size, and its change from step to step."""
        training = self.config.training
        hidden = ops.cast(hidden, "float32")
        size = mean_square(hidden) if training.activation_l2 else 0.0
        change = mean_square(hidden[:, 1:] - hidden[:, :-1]) if training.slowness_l2 else 0.0
        return training.activation_l2 * size + training.slowness_l2 * change

    def evaluate(self) -> dict[str, float]:
        """Validation perplexity, as `zoo evaluate` measures it."""
        sentences = self.valid
        tokens = tokens_counted(self.model, sentences)
        nats = (
            stream_nats(self.model, encode_stream(sentences))
            if self.is_stream
            else -float(self.model.score_ids(sentences).sum())
        )
        return {"perplexity": perplexity(nats, tokens), "tokens": tokens}


def encoded(
    tokenizer: Tokenizer, examples: TextFiles | list[str], folder: str | None
) -> Sequence[Sequence[int]]:
    """Sentences as ids: in memory, or on disk where the text is in files that are not held."""
    if isinstance(examples, TextFiles):
        return cast(
            Sequence[Sequence[int]],
            token_map(examples, tokenizer, Path(folder) if folder else None),
        )
    return [encoded_text(tokenizer, text) for text in examples]


def as_stream(sentences: Sequence[Sequence[int]]) -> np.ndarray:
    """The sentences one after another, each followed by `<eos>`."""
    return sentences.stream if isinstance(sentences, TokenMap) else encode_stream(sentences)


def mean_square(values: Tensor) -> Tensor:
    """0 where there are none: a batch may be one step wide."""
    count = ops.cast(ops.size(values), "float32")
    return ops.sum(ops.square(values)) / ops.maximum(count, 1.0)


def known_only(batch: Batch) -> Batch:
    """A batch in which no unknown piece counts as a target."""
    return {**batch, "weights": batch["weights"] * (batch["targets"] != UNK)}


def tokens_counted(model: Any, sentences: Sequence[Sequence[int]]) -> int:
    """How many tokens of sentences a figure is over; of pieces, the known ones."""
    unknown = sum(model.tokenizer.count_unknown(s) for s in sentences)
    return sum(len(s) + 1 for s in sentences) - (unknown if model.tokenizer.has_pieces else 0)


def stream_nats(model: Any, stream: np.ndarray, streams: int = EVALUATION_STREAMS) -> float:
    """Negative log-probability of running text, state carried over, summed over all tokens.

    A model of pieces of words is not asked for what is unknown in the corpus itself.
    """
    total, state = 0.0, None
    batches = stream_batches(stream, streams, EVALUATION_STEPS)
    for batch in map(known_only, batches) if model.tokenizer.has_pieces else batches:
        log_probs, state = model.continued_log_probs(batch["inputs"], batch["targets"], state)
        total -= float((log_probs.astype(np.float64) * batch["weights"]).sum())
    return total
