"""What `fit`, `evaluate` and `predict` make of texts: ids, targets and weights, batch by batch.

Texts come as a list, an array, a tensor, or a `tf.data` data set of batches of them, translations
as sources and targets. The model says what an example and a batch of them are (`example` and
`collate`); here they are put together, texts of like length in a batch. What is no text is left
as it came: Keras knows what to do with arrays.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import keras
import numpy as np

from zoo.errors import ZooError
from zoo.models.checks import checked_texts
from zoo.types import Nest

BATCH_SIZE = 32  # Keras's
Example: TypeAlias = tuple[Sequence[int], ...]
# Inputs, targets [batch, time] and weights [batch, time], 0 where a target does not count.
Batch: TypeAlias = tuple[Nest, np.ndarray, np.ndarray]
Data: TypeAlias = Any  # what Keras trains on: arrays, a tf.data.Dataset, a generator


class TextModel(Protocol):
    """What a model tells of its examples."""

    def example(self, text: str, target: Any = None) -> Example: ...

    def collate(
        self, examples: Sequence[Example], rng: np.random.Generator | None = None
    ) -> Batch: ...


@dataclass(frozen=True)
class Texts:
    """Texts with what belongs to each: a target where the family has one, and a weight."""

    texts: list[str]
    targets: list[Any] | None = None
    weights: np.ndarray | None = None

    @classmethod
    def of(cls, x: Data, y: Data = None, weights: Data = None) -> Texts | None:
        """The texts that are meant; None where `x` is no texts."""
        if isinstance(x, Texts):
            return x
        texts = texts_of(x)
        if texts is None:
            return None
        targets = None if y is None else texts_of(y) or list(y)
        weights = None if weights is None else np.asarray(weights, np.float32)
        for name, values in (("y", targets), ("sample_weight", weights)):
            if values is not None and len(values) != len(texts):
                raise ZooError(f"{len(texts)} texts, but {name} has {len(values)}: give one a text")
        return cls(texts, targets, weights)

    def examples(self, model: TextModel) -> list[Example]:
        """The texts and their targets as ids."""
        if self.targets is None:
            return [model.example(text) for text in self.texts]
        return [model.example(*row) for row in zip(self.texts, self.targets, strict=True)]

    def split(self, share: float) -> tuple[Texts, Texts]:
        """All but the last share of the texts, and that share: Keras's `validation_split`."""
        place = len(self.texts) - int(len(self.texts) * share)
        if not 0 < place < len(self.texts):
            raise ZooError(
                f"validation_split={share!r} of {len(self.texts)} texts leaves one part empty"
            )
        return self._slice(slice(None, place)), self._slice(slice(place, None))

    def _slice(self, part: slice) -> Texts:
        targets = None if self.targets is None else self.targets[part]
        weights = None if self.weights is None else self.weights[part]
        return Texts(self.texts[part], targets, weights)

    def batches(self, model: TextModel, batch_size: int, shuffle: bool, training: bool) -> Data:
        """A `tf.data` data set of batches of texts of like length."""
        examples = self.examples(model)

        def make() -> Iterator[Batch]:
            rng = new_rng(training)
            for rows in rows_of_like_length(examples, batch_size, rng if shuffle else None):
                batch = model.collate([examples[i] for i in rows], rng)
                yield weighted(batch, None if self.weights is None else self.weights[rows])

        return dataset_of(make, -(-len(examples) // batch_size))


def prepared(
    model: TextModel,
    x: Data,
    y: Data = None,
    sample_weight: Data = None,
    batch_size: int | None = None,
    shuffle: bool = False,
    training: bool = False,
) -> Data:
    """A data set of batches where texts came; None where what came is Keras's to read."""
    if is_text_dataset(x):
        return from_text_dataset(model, x, training)
    given = Texts.of(x, y, sample_weight)
    if given is None:
        return None
    return given.batches(model, batch_size or BATCH_SIZE, shuffle, training)


def texts_of(values: Data) -> list[str] | None:
    """The strings of a list, an array, a column of a table or a tensor; None for anything else."""
    if isinstance(values, str | bytes):
        raise ZooError(f"got one text {values!r:.60}; give a list of str")
    if str(getattr(values, "dtype", "")).endswith("string'>"):  # a tensor of TensorFlow's
        values = values.numpy()
    if isinstance(values, np.ndarray) and values.dtype.kind in "USO":
        values = values.reshape(-1).tolist() if values.ndim < 2 else None
    if hasattr(values, "to_list"):
        values = values.to_list()
    if not isinstance(values, list | tuple) or not values:
        return None
    if not any(isinstance(value, str | bytes) for value in values):
        return None
    return checked_texts(map(decoded, values))


def decoded(value: Any) -> Any:
    """Text that TensorFlow or NumPy keep as bytes."""
    if not isinstance(value, bytes):
        return value
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ZooError(f"a text is not UTF-8 (byte {error.start}): {value!r:.60}") from None


def rows_of_like_length(
    examples: Sequence[Example], batch_size: int, rng: np.random.Generator | None
) -> Iterator[np.ndarray]:
    """Which examples are together in a batch; with `rng` in another order each time."""
    lengths = np.array([sum(map(len, example)) for example in examples])
    order = np.arange(len(examples)) if rng is None else rng.permutation(len(examples))
    order = order[np.argsort(lengths[order], kind="stable")]
    starts = np.arange(0, len(order), batch_size)
    if rng is not None:
        rng.shuffle(starts)
    return (order[start : start + batch_size] for start in starts)


def new_rng(training: bool) -> np.random.Generator:
    """Another each epoch, from the seed of `keras.utils.set_random_seed`; else always the same."""
    return np.random.default_rng(np.random.randint(2**31) if training else 0)


def weighted(batch: Batch, weights: np.ndarray | None) -> Batch:
    """A batch with the weight of each text in those of its tokens."""
    if weights is None:
        return batch
    x, y, own = batch
    return x, y, own * weights.astype(own.dtype).reshape(-1, *[1] * (own.ndim - 1))


def is_text_dataset(data: Data) -> bool:
    """Whether this is a `tf.data` data set of strings; TensorFlow is not imported to find out."""
    if "tensorflow" not in sys.modules:
        return False
    import tensorflow as tf

    if not isinstance(data, tf.data.Dataset):
        return False
    specs = keras.tree.flatten(data.element_spec)
    texts = [spec for spec in specs if getattr(spec, "dtype", None) == tf.string]
    if any(spec.shape.rank == 0 for spec in texts):
        raise ZooError("the tf.data data set has single texts: add .batch(32)")
    return bool(texts)


def text_batches_of(data: Data) -> Iterator[Texts]:
    """The batches of a `tf.data` data set of texts, targets and weights."""
    for element in data.as_numpy_iterator():
        given = Texts.of(*keras.utils.unpack_x_y_sample_weight(element))
        if given is None:
            raise ZooError("the tf.data data set's first component is no batch of texts")
        yield given


def from_text_dataset(model: TextModel, data: Data, training: bool) -> Data:
    """The data set of ids of a data set of texts, batch for batch."""

    def make() -> Iterator[Batch]:
        rng = new_rng(training)
        for given in text_batches_of(data):
            yield weighted(model.collate(given.examples(model), rng), given.weights)

    count = int(data.cardinality())
    return dataset_of(make, count if count >= 0 else None)


def all_texts(data: Data) -> Texts | None:
    """All texts of what `predict` or `validation_data` got, in order; None where it is no texts.

    A list of texts, a pair or triple (texts, targets, weights), or a data set of either.
    """
    if not is_text_dataset(data):
        if (given := Texts.of(data)) is not None:
            return given
        is_row = isinstance(data, list | tuple) and 0 < len(data) <= 3
        return Texts.of(*data) if is_row else None
    batches = list(text_batches_of(data))
    texts = [text for batch in batches for text in batch.texts]
    with_targets = all(batch.targets is not None for batch in batches)
    targets = [target for batch in batches for target in batch.targets or ()]
    return Texts(texts, targets if with_targets else None)


def counted(lengths: np.ndarray, width: int) -> np.ndarray:
    """Weights [batch, width] float32: 1 for the first `lengths` of each row."""
    return (np.arange(width) < lengths[:, None]).astype(np.float32)


def dataset_of(make: Callable[[], Iterable[Batch]], count: int | None) -> Data:
    """Batches of any width as a `tf.data` data set, which all of Keras's backends read.

    Of a `PyDataset` Keras takes the widths from its first two batches, and refuses others later.
    """
    import tensorflow as tf

    first = next(iter(make()), None)
    if first is None:
        raise ZooError("no texts: give at least one")
    signature = keras.tree.map_structure(lambda a: tf.TensorSpec([None] * a.ndim, a.dtype), first)
    data = tf.data.Dataset.from_generator(make, output_signature=signature)
    if count is not None:
        data = data.apply(tf.data.experimental.assert_cardinality(count))
    return data.prefetch(2)
