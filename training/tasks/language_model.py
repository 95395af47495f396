"""The task of language modelling: cross entropy [7][8] on sentences or on a carried stream."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras import ops

from training.config import RunConfig
from training.tasks.batches import Batch, encode_stream, sentence_batches, stream_batches
from training.tasks.softmax import TrainingSoftmax
from zoo.errors import ZooError
from zoo.models.registry import model_class
from zoo.text import WordTokenizer

EVALUATION_STREAMS = 8  # parallel streams: a few words of context are lost at their starts
EVALUATION_STEPS = 128


def make_tokenizer(config: RunConfig, sentences: list[str]) -> WordTokenizer:
    """A tokenizer and vocabulary from the training sentences, as the config says."""
    data = config.data
    if data.tokenizer not in ("words", "whitespace"):
        raise ZooError(f"data.tokenizer={data.tokenizer!r}: use 'words' or 'whitespace'")
    return WordTokenizer.train(
        sentences,
        size=data.vocabulary_size,
        min_count=data.min_count,
        lowercase=data.lowercase,
        split=data.tokenizer,
    )


class LanguageModelTask:
    """Batches, loss and evaluation of a left-to-right neural language model.

    Args:
        config: the run.
        corpus: `train`, `valid`, `test` sentences and `is_stream` (training.datasets.Corpus).
    """

    figure = "perplexity"
    lower_is_better = True

    def __init__(self, config: RunConfig, corpus: Any) -> None:
        self.config = config
        self.licence = corpus.licence
        train = list(corpus.train)[: config.data.limit]
        self.tokenizer = make_tokenizer(config, train)
        options = {k: v for k, v in config.model.items() if k != "class"}
        keras.utils.set_random_seed(config.seed)
        self.model = model_class(config.model["class"])(self.tokenizer, **options)
        self.softmax = TrainingSoftmax(config.training)
        stream = config.training.stream
        self.is_stream = corpus.is_stream if stream is None else stream
        self.sentences = {
            "train": [self.tokenizer.encode(text) for text in train],
            "valid": [self.tokenizer.encode(text) for text in corpus.valid],
        }
        self.stream = encode_stream(self.sentences["train"]) if self.is_stream else None

    def carried(self) -> dict[str, np.ndarray] | None:
        """Initial values of the state carried from batch to batch; None for sentences."""
        if not self.is_stream:
            return None
        state = self.model.initial_state(self.config.training.batch_size)
        return {name: ops.convert_to_numpy(value) for name, value in state.items()}

    def batches(self, epoch: int) -> Iterator[Batch]:
        """The training batches of an epoch; the order follows from seed and epoch alone."""
        training = self.config.training
        rng = np.random.default_rng([self.config.seed, epoch])
        if self.stream is None:
            return sentence_batches(
                self.sentences["train"], training.batch_size, self.config.data.max_length, rng
            )
        return stream_batches(self.stream, training.batch_size, training.time_steps)

    def steps_per_epoch(self) -> int:
        training = self.config.training
        if self.stream is None:
            return -(-len(self.sentences["train"]) // training.batch_size)
        return -(-len(self.stream) // (training.batch_size * training.time_steps))

    def loss(
        self, batch: Any, carried: dict[str, Any] | None, training: bool
    ) -> tuple[Any, Any, dict[str, Any] | None]:
        """Summed nats over the counted tokens, their number, and the state to carry on."""
        hidden, state = self.model.features(batch["inputs"], carried, training=training)
        output = self.model.output_projection
        nats = self.softmax.summed_nats(output, hidden, batch["targets"], batch["weights"])
        weight = ops.sum(batch["weights"])
        total = nats + weight * self.regularisation(hidden)
        return total, weight, state if carried is not None else None

    def regularisation(self, hidden: Any) -> Any:
        """AWD-LSTM's penalties on the last layer: its size, and its change from step to step."""
        training = self.config.training
        hidden = ops.cast(hidden, "float32")
        size = ops.mean(ops.square(hidden)) if training.activation_l2 else 0.0
        change = (
            ops.mean(ops.square(hidden[:, 1:] - hidden[:, :-1])) if training.slowness_l2 else 0.0
        )
        return training.activation_l2 * size + training.slowness_l2 * change

    def evaluate(self) -> dict[str, float]:
        """Validation perplexity, as `zoo evaluate` measures it."""
        sentences = self.sentences["valid"]
        tokens = sum(len(s) + 1 for s in sentences)
        nats = (
            stream_nats(self.model, encode_stream(sentences))
            if self.is_stream
            else -float(self.model.score_ids(sentences).sum())
        )
        return {"perplexity": math.exp(min(nats / tokens, 700.0)), "tokens": tokens}


def stream_nats(model: Any, stream: np.ndarray, streams: int = EVALUATION_STREAMS) -> float:
    """Negative log-probability of running text, state carried over, summed over all tokens."""
    total, state = 0.0, None
    for batch in stream_batches(stream, streams, EVALUATION_STEPS):
        log_probs, state = model.continued_log_probs(batch["inputs"], batch["targets"], state)
        total -= float((log_probs.astype(np.float64) * batch["weights"]).sum())
    return total
