"""The task of case and punctuation: text stripped of both, to be written as it was.

The labels of any plain text come with it (zoo.text.case_and_marks). A corpus of single sentences
would teach that a text ends once and begins once, so sentences are joined: texts of one, two, three
sentences in turn, others in each epoch. The evaluation gives both, and beside the model what two
rules get: a capital first and for a list of names, a full stop at the end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Any

import numpy as np

from training.config import RunConfig, Section, checked
from training.datasets import Corpus
from training.tasks.label_batches import LabelledRow
from training.tasks.labelling import LabelTask
from training.tasks.task import make_tokenizer, training_examples
from zoo.errors import ZooError
from zoo.metrics import label_scores, micro
from zoo.metrics.labels import LabelScore, accuracy
from zoo.models import BidirectionalRestorer
from zoo.text import BOS, EOS
from zoo.text.case_and_marks import (
    MARKS,
    MarkedWord,
    bare_words,
    marked_words,
    title,
    usual_forms,
    written,
)

SENTENCES = 3  # of the joined texts of an evaluation
Text = list[MarkedWord]
Rows = Iterator[dict[str, Any]]


class RestoringOptions(Section):
    """What `training.options` may say."""

    sentences_per_text: int = SENTENCES  # at most; texts of 1, 2, ... sentences come in turn


class RestoringTask(LabelTask):
    """Batches and evaluation of a BidirectionalRestorer.

    Args:
        config: the run; its `training.options` are `RestoringOptions`.
        corpus: `train`, `valid`, `test` sentences as they are written.
    """

    figure = "case_and_marks"  # the mean of case accuracy and the marks' F1

    def __init__(self, config: RunConfig, corpus: Corpus) -> None:
        self.options = checked(RestoringOptions, config.training.options, "training.options")
        if self.options.sentences_per_text < 1:
            raise ZooError(
                f"training.options: sentences_per_text={self.options.sentences_per_text}: give 1 "
                "or more"
            )
        sentences = training_examples(config, corpus)
        tokenizer = make_tokenizer(config, bare_texts(sentences))
        texts = [text for s in sentences if (text := marked_words(s, tokenizer))]
        self.valid = [text for s in corpus.valid if (text := marked_words(s, tokenizer))]
        if not texts or not self.valid:
            raise ZooError(f"{config.data.name}: no sentence with a word")
        known = set(tokenizer.vocabulary)
        forms = {word: f for word, f in usual_forms(texts).items() if word in known}
        super().__init__(config, corpus, tokenizer, word_forms=forms)
        numbers = {label: i for i, label in enumerate(self.model.labels)}
        self.train = [
            (tokenizer.ids_of(w.word for w in text), [numbers.get(w.label, -1) for w in text])
            for text in texts
        ]
        self.sizes = sizes(len(texts), self.options.sentences_per_text)

    def steps_per_epoch(self) -> int:
        return -(-len(self.sizes) // self.config.training.batch_size)

    def rows(self, epoch: int) -> Sequence[LabelledRow]:
        """The sentences in another order each epoch, joined."""
        order = np.random.default_rng([self.config.seed, epoch, 1]).permutation(len(self.train))
        longest, found, start = self.config.data.max_length, [], 0
        for size in self.sizes:
            parts = [self.train[i] for i in order[start : start + size]]
            ids, labels = (list(chain(*(part[side] for part in parts))) for side in (0, 1))
            is_whole = len(ids) <= longest  # a text that is cut has no end
            end = ([EOS], [-1]) if is_whole else ([], [])
            row = [BOS, *ids[:longest], *end[0]], [-1, *labels[:longest], *end[1]]
            found.append(LabelledRow(*row))
            start += size
        return found

    def evaluate(self) -> dict[str, float]:
        """On texts of one sentence and of several in turn, as in training."""
        found = outcome(self.model, joined(self.valid, self.options.sentences_per_text, True))
        case, marks = found.case_accuracy, found.marks.f1
        figures = {"case_and_marks": (case + marks) / 2, "case_accuracy": case, "marks_f1": marks}
        return {**figures, "tokens": found.words}


def bare_texts(sentences: Sequence[str]) -> list[str]:
    """The words of each sentence, without marks: what the vocabulary is counted from."""
    from zoo.text import WordTokenizer

    cut = WordTokenizer.train([]).tokenize
    return [" ".join(bare_words(cut(sentence))) for sentence in sentences]


def sizes(count: int, most: int) -> list[int]:
    """How many sentences each text has: 1, 2, ... `most`, 1, 2, ... until all are in one."""
    found: list[int] = []
    while count > 0:
        found.append(min(len(found) % most + 1, count))
        count -= found[-1]
    return found


def joined(texts: Sequence[Text], most: int, in_turn: bool = False) -> list[Text]:
    """Sentences put together, `most` each, or 1, 2, ... `most` in turn."""
    if not in_turn:
        return [list(chain(*texts[i : i + most])) for i in range(0, len(texts), most)]
    ends = np.cumsum([0, *sizes(len(texts), most)])
    return [list(chain(*texts[a:b])) for a, b in pairwise(ends)]


@dataclass(frozen=True)
class Outcome:
    """What was restored of some texts, against what was written."""

    case_accuracy: float  # the share of words that are written as they were
    scores: dict[str, LabelScore]  # of each mark
    words: int

    @property
    def marks(self) -> LabelScore:
        """All marks together; words without one do not count."""
        return micro(self.scores)


def outcome(model: BidirectionalRestorer, texts: Sequence[Text]) -> Outcome:
    """The model's case and marks."""
    given = model.labels_of([[w.word for w in text] for text in texts])
    parts = [label.partition(" ") for row in given for label in row]
    words = [w.word for text in texts for w in text]
    forms = [
        written(word, case, model.word_forms)
        for word, (case, _, _) in zip(words, parts, strict=True)
    ]
    return compared(texts, forms, [mark for _, _, mark in parts])


def outcome_of_rules(model: BidirectionalRestorer, texts: Sequence[Text]) -> Outcome:
    """A capital first, names by the model's list of forms, and a full stop at the end."""
    forms, marks = [], []
    for text in texts:
        row = [model.word_forms.get(w.word, w.word) for w in text]
        forms += [title(row[0]), *row[1:]]
        marks += [*[""] * (len(text) - 1), "."]
    return compared(texts, forms, marks)


def compared(texts: Sequence[Text], forms: Sequence[str], marks: Sequence[str]) -> Outcome:
    """Forms and marks of all words of the texts against those that were written."""
    true = [word for text in texts for word in text]
    scores = label_scores([w.mark for w in true], marks)
    of_marks = {mark: scores[mark] for mark in MARKS if mark in scores}
    return Outcome(accuracy([w.form for w in true], forms), of_marks, len(true))


def restoring_rows(model: BidirectionalRestorer, sentences: Sequence[str]) -> Rows:
    """Rows of `zoo evaluate`: each sentence alone, then three a text; the model and the rules."""
    texts = [text for s in sentences if (text := marked_words(s, model.tokenizer))]
    if not texts:
        raise ZooError("the data have no sentence with a word")
    ids = model.tokenizer.ids_of(w.word for text in texts for w in text)
    common = {"tokens": len(ids), "oov": model.tokenizer.count_unknown(ids)}
    readings = (("", texts, "each sentence alone"), ("joined_", joined(texts, SENTENCES), JOINED))
    for prefix, read, how in readings:
        yield from outcome_rows(prefix, outcome(model, read), common, how)
        rules = f"{how}; by rule: {RULES}"
        yield from outcome_rows(f"{prefix}rule_", outcome_of_rules(model, read), common, rules)


JOINED = f"{SENTENCES} sentences a text"
RULES = "a capital first and for a list of names, a full stop at the end"


def outcome_rows(prefix: str, found: Outcome, common: dict[str, int], how: str) -> Rows:
    """Case accuracy, F1 of all marks together, and of each."""
    yield {
        "metric": f"{prefix}case_accuracy",
        "value": found.case_accuracy,
        **common,
        "signature": f"words written as they were; {how}",
    }
    both = {f"{prefix}marks_f1": found.marks}
    both |= {f"{prefix}f1[{mark}]": score for mark, score in found.scores.items()}
    for metric, score in both.items():
        counts = f"{score.true:,} true, {score.given:,} given, {score.right:,} right"
        signature = f"marks after words; {counts}; {how}"
        yield {"metric": metric, "value": score.f1, **common, "signature": signature}
