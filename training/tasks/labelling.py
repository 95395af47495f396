"""The tasks of labels: one for each word (taggers), one for each text (classifiers).

Both learn from the cross entropy of the true labels [7][8]. A tagger of spans (labels B-X, I-X, O)
is judged by the F1 of its spans, others by the share of labels that are right.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from keras import ops

from training.config import RunConfig
from training.datasets import Corpus
from training.datasets.labelled import LabelledText, TaggedWords
from training.tasks.batches import Batch
from training.tasks.label_batches import LabelledRow, batch_widths, label_batches
from training.tasks.task import Carried, Task, make_tokenizer, training_examples
from zoo.errors import ZooError
from zoo.metrics import accuracy, are_spans, macro_f1, micro, span_scores
from zoo.metrics import label_scores as scores_of_labels
from zoo.metrics.labels import LabelScore
from zoo.models.labelling import Tagger, TextClassifier
from zoo.text import BOS, EOS
from zoo.types import Tensor

OUTSIDE = "O"
Rows = Iterator[dict[str, Any]]


class LabelTask(Task):
    """Batches and loss of a model that gives labels; a kind gives its rows and its evaluation."""

    figure = "accuracy"
    lower_is_better = False

    @abstractmethod
    def rows(self, epoch: int) -> Sequence[LabelledRow]:
        """What an epoch learns from."""

    def batches(self, epoch: int) -> Iterator[Batch]:
        rng = self.shuffling(epoch)
        return label_batches(self.rows(epoch), self.config.training.batch_size, rng, self.widths)

    @cached_property
    def widths(self) -> list[int]:
        """Of the batches of every epoch, whose rows may be others."""
        longest = self.config.data.max_length + len((BOS, EOS))
        return batch_widths(self.rows(0), self.config.training.batch_size, longest)

    def steps_per_epoch(self) -> int:
        return -(-len(self.rows(0)) // self.config.training.batch_size)

    def loss(
        self, batch: Mapping[str, Tensor], carried: Carried | None, training: bool
    ) -> tuple[Tensor, Tensor, None]:
        """Summed nats of the counted labels, their number, and no state."""
        hidden = self.model.features(batch["ids"], batch["mask"], training)
        output, weights = self.model.output_projection, batch["weights"]
        nats = self.softmax.summed_nats(output, hidden, batch["targets"], weights)
        return nats, ops.sum(weights), None


class TaggingTask(LabelTask):
    """A label for each word of sentences that are cut into words already.

    Args:
        config: the run.
        corpus: `train`, `valid`, `test` lists of `TaggedWords`.
    """

    def __init__(self, config: RunConfig, corpus: Corpus) -> None:
        train = training_examples(config, corpus)
        labels = labels_of(config, (label for example in train for label in example.labels))
        tokenizer = make_tokenizer(config, [" ".join(example.words) for example in train])
        super().__init__(config, corpus, tokenizer, labels=labels)
        self.numbers = {label: i for i, label in enumerate(self.model.labels)}
        self.figure = "span_f1" if are_spans(self.model.labels) else "accuracy"
        self.train = [self._row(example) for example in train]
        self.valid = list(corpus.valid)

    def _row(self, example: TaggedWords) -> LabelledRow:
        """Ids and labels; where the tokenizer cuts a word, its pieces have its label."""
        ids, labels = [BOS], [-1]
        for word, label in zip(example.words, example.labels, strict=True):
            pieces = self.model.pieces(word)
            ids += pieces
            labels.append(self.numbers[label])
            labels += [self.numbers[self._continued(label)]] * (len(pieces) - 1)
        longest = self.config.data.max_length + 1
        return LabelledRow([*ids[:longest], EOS], [*labels[:longest], -1])

    def _continued(self, label: str) -> str:
        """The label of a word's later pieces: a span begins once."""
        inside = f"I-{label[2:]}"
        return inside if label.startswith("B-") and inside in self.numbers else label

    def rows(self, epoch: int) -> Sequence[LabelledRow]:
        return self.train

    def evaluate(self) -> dict[str, float]:
        true, given = tagged(self.model, self.valid)
        figures = {"accuracy": accuracy(*flat(true, given))}
        if self.figure == "span_f1":
            figures["span_f1"] = micro(span_scores(true, given)).f1
        return {**figures, "tokens": sum(map(len, true))}


class ClassificationTask(LabelTask):
    """A label for each text.

    Args:
        config: the run.
        corpus: `train`, `valid`, `test` lists of `LabelledText`.
    """

    def __init__(self, config: RunConfig, corpus: Corpus) -> None:
        train = training_examples(config, corpus)
        labels = labels_of(config, (example.label for example in train))
        tokenizer = make_tokenizer(config, [example.text for example in train])
        super().__init__(config, corpus, tokenizer, labels=labels)
        numbers = {label: i for i, label in enumerate(self.model.labels)}
        longest = config.data.max_length
        self.train = [
            LabelledRow(
                [BOS, *tokenizer.encode(example.text)[:longest], EOS], [numbers[example.label]]
            )
            for example in train
        ]
        self.valid = list(corpus.valid)

    def rows(self, epoch: int) -> Sequence[LabelledRow]:
        return self.train

    def evaluate(self) -> dict[str, float]:
        true, given = classified(self.model, self.valid)
        return {
            "accuracy": accuracy(true, given),
            "macro_f1": macro_f1(scores_of_labels(true, given)),
            "texts": len(true),
        }


def labels_of(config: RunConfig, found: Iterable[str]) -> list[str]:
    """The model's labels: the config's, or those of the training text, `O` first.

    Raises:
        ZooError: the training text has a label that the config does not name.
    """
    names = sorted(set(found), key=lambda name: (name != OUTSIDE, name))
    given = config.model.options.get("labels")
    if given is None:
        return names
    unknown = [name for name in names if name not in given]
    if unknown:
        raise ZooError(
            f"{config.data.name} has the label {unknown[0]!r}, which model.labels does not name"
        )
    return list(given)


def tagged(
    model: Tagger, examples: Sequence[TaggedWords]
) -> tuple[list[Sequence[str]], list[Sequence[str]]]:
    """The true labels of each sentence, and those that the model gives."""
    given = model.tag_words([example.words for example in examples])
    return [example.labels for example in examples], list(given)


def classified(
    model: TextClassifier, examples: Sequence[LabelledText]
) -> tuple[list[str], list[str]]:
    """The true label of each text, and the one that the model gives."""
    best = model.classify([example.text for example in examples], k=1)
    return [example.label for example in examples], [row[0][0] for row in best]


def flat(true: Iterable[Sequence[str]], given: Iterable[Sequence[str]]) -> tuple[list[str], ...]:
    """Rows of labels as one."""
    return tuple([label for row in rows for label in row] for rows in (true, given))


def tagging_rows(model: Tagger, examples: Sequence[TaggedWords]) -> Rows:
    """Rows of `zoo evaluate`: accuracy, and the scores of spans or of labels."""
    true, given = tagged(model, examples)
    every, answers = flat(true, given)
    ids = [i for example in examples for word in example.words for i in model.pieces(word)]
    common = {"tokens": len(every), "oov": model.tokenizer.count_unknown(ids)}
    yield {
        "metric": "accuracy",
        "value": accuracy(every, answers),
        **common,
        "signature": "words with the right label",
    }
    if are_spans(every):
        kinds = span_scores(true, given)
        how = "spans of the right kind, start and end, as conlleval and seqeval count them"
        yield from score_rows("span", kinds, common, how)
    else:
        scores = scores_of_labels(every, answers)
        yield from score_rows("label", scores, common, "labels of words")


def classification_rows(model: TextClassifier, examples: Sequence[LabelledText]) -> Rows:
    """Rows of `zoo evaluate`: accuracy, and the scores of each label."""
    true, given = classified(model, examples)
    ids = [i for example in examples for i in model.tokenizer.encode(example.text)]
    common = {"tokens": len(ids), "oov": model.tokenizer.count_unknown(ids)}
    yield {
        "metric": "accuracy",
        "value": accuracy(true, given),
        **common,
        "signature": f"{len(true):,} texts, those with the right label",
    }
    yield from score_rows("label", scores_of_labels(true, given), common, "labels of texts")


def score_rows(
    what: str, scores: Mapping[str, LabelScore], common: Mapping[str, int], how: str
) -> Rows:
    """F1 of all together, and precision, recall and F1 of each by its name."""
    whole = micro(scores)
    figures = {"macro_f1": macro_f1(scores)}
    if what == "span":
        figures = {
            "span_precision": whole.precision,
            "span_recall": whole.recall,
            "span_f1": whole.f1,
            "span_macro_f1": macro_f1(scores),
        }
    for metric, value in figures.items():
        yield {"metric": metric, "value": value, **common, "signature": how}
    for name, score in scores.items():
        counts = f"{how}; {score.true:,} true, {score.given:,} given, {score.right:,} right"
        for metric in ("precision", "recall", "f1"):
            value = getattr(score, metric)
            yield {"metric": f"{metric}[{name}]", "value": value, **common, "signature": counts}
