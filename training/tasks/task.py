"""What a task is: a model, the batches that it learns from, its loss and its evaluation."""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import keras
import numpy as np

from training.datasets import Corpus
from training.datasets.corpus import fingerprint
from training.datasets.text_files import TextFiles
from training.datasets.token_map import count_words
from training.tasks.groups import sides
from training.tasks.running_text import without_unknown
from training.tasks.softmax import TrainingSoftmax
from training.tasks.starting import copy_weights, freeze, kept_or_grown, starting_model
from zoo.errors import ZooError
from zoo.models.registry import model_class
from zoo.presets import training_text
from zoo.text import SubwordTokenizer, Tokenizer, WordTokenizer
from zoo.text.vocabulary import CONTROL_TOKENS, most_frequent
from zoo.types import Tensor

if TYPE_CHECKING:
    from training.config import RunConfig

Batch = dict[str, np.ndarray]
Carried = dict[str, Tensor]  # the state that a stream carries from batch to batch


class Task(ABC):
    """What the training loop needs to know of a kind of model.

    Args:
        config: the run.
        corpus: its text.
        tokenizers: of the training text, as the model's constructor takes them.
        derived: arguments of the constructor that the training text gives, such as labels.
    """

    figure: str  # of `evaluate`, by which the schedule judges an epoch
    lower_is_better: ClassVar[bool] = True

    def __init__(
        self, config: RunConfig, corpus: Corpus, *tokenizers: Tokenizer, **derived: Any
    ) -> None:
        self.config = config
        self.licence = corpus.licence
        start = starting_model(config)
        self.fingerprint = fingerprint(text_of(config, corpus), corpus.valid)
        # The run's only seeding: nothing before draws numbers, everything after follows from it.
        keras.utils.set_random_seed(config.seed)
        with computing_in(config.training.precision):
            kind = model_class(config.model.class_name)
            options = {**derived, **config.model.options}
            if start is not None:
                options = {**start.get_preset_config(), **options}
            self.model = kind(*tokenizers, **options)
        if start is not None:
            copy_weights(start, self.model, config.seed)
        freeze(self.model, config.training.freeze)
        self.model.training_text = kept_sample(text_of(config, corpus))
        self.softmax = TrainingSoftmax(config.training)

    def carried(self) -> dict[str, np.ndarray] | None:
        """Initial values of the state carried from batch to batch; None: sentences stand alone."""
        return None

    @abstractmethod
    def batches(self, epoch: int) -> Iterator[Batch]:
        """The training batches of an epoch; the order follows from seed and epoch alone."""

    def batches_from(self, epoch: int, done: int) -> Iterator[Batch]:
        """The batches of an epoch after the first `done`."""
        return itertools.islice(self.batches(epoch), done, None)

    @abstractmethod
    def steps_per_epoch(self) -> int:
        """How many batches an epoch has."""

    @abstractmethod
    def loss(
        self, batch: Mapping[str, Tensor], carried: Carried | None, training: bool
    ) -> tuple[Tensor, Tensor, Carried | None]:
        """Summed loss (scalar), summed weight (scalar) and the state to carry on."""

    @abstractmethod
    def evaluate(self) -> dict[str, float]:
        """Figures of the validation text, `figure` among them."""

    def rate_share(self, batch: Mapping[str, Tensor]) -> float:
        """The share of the schedule's learning rate with which a batch is learnt from."""
        return 1.0

    def shuffling(self, epoch: int) -> np.random.Generator:
        """The random numbers of an epoch's batches."""
        return np.random.default_rng([self.config.seed, epoch])


@contextmanager
def computing_in(precision: str) -> Iterator[None]:
    """Layers made in the block compute in this precision."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def training_examples(config: RunConfig, corpus: Corpus) -> list[Any]:
    """The sentences or pairs that a run learns from."""
    return list(itertools.islice(corpus.train, config.data.limit))


def kept_sample(examples: TextFiles | list[Any]) -> np.ndarray | None:
    """What is kept with a preset of the text that it is trained on; nothing of what is not held."""
    if isinstance(examples, TextFiles):
        return None
    return training_text.sample(text for example in examples for text in sides(example))


def text_of(config: RunConfig, corpus: Corpus) -> TextFiles | list[Any]:
    """The sentences or pairs that a run learns from; of files that are not held, these."""
    if isinstance(corpus.train, TextFiles) and config.data.limit is None:
        return corpus.train
    return training_examples(config, corpus)


def make_tokenizer(config: RunConfig, sentences: TextFiles | list[str]) -> WordTokenizer:
    """A tokenizer and vocabulary of words from the training sentences, as the config says."""
    data, start = config.data, starting_model(config)
    if start is not None:
        return kept_or_grown(config, start.tokenizer, sentences)
    if data.tokenizer == "subword":
        raise ZooError(f"data.tokenizer={data.tokenizer!r}: use 'words' or 'whitespace'")
    if isinstance(sentences, TextFiles):
        made = partial(WordTokenizer, lowercase=data.lowercase, split=data.tokenizer)
        counts = count_words(sentences, made(CONTROL_TOKENS))
        return made(most_frequent(counts, data.vocabulary_size, data.min_count))
    return WordTokenizer.train(
        sentences,
        size=data.vocabulary_size,
        min_count=data.min_count,
        lowercase=data.lowercase,
        split=data.tokenizer,
    )


def make_any_tokenizer(config: RunConfig, sentences: TextFiles | list[str]) -> Tokenizer:
    """The same, or of pieces of words."""
    data = config.data
    if data.tokenizer != "subword" or isinstance(sentences, TextFiles):
        return make_tokenizer(config, sentences)
    start = starting_model(config)
    if start is not None:
        kept: Tokenizer = start.tokenizer
        return kept
    return SubwordTokenizer.train(
        without_unknown(sentences),
        size=data.vocabulary_size,
        min_count=data.min_count,
        lowercase=data.lowercase,
    )
