"""Is a translation file right? Its searches, scores and steps against the Python model's."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import replace
from typing import Protocol

import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from export.saved_model.graph import Tensors, unprefixed
from export.tflite.check import WORDS, Check, Comparison, Outputs, until_end
from zoo.models import Seq2Seq
from zoo.text import BOS, PAD


class TranslationInputs(Protocol):
    """What makes the inputs of a translation file's signatures."""

    python_model: Seq2Seq

    def feeds(self, ids: list[int]) -> Outputs:
        """`ids` and `length` of a source's word ids."""

    def source(self, ids: tf.Tensor, length: tf.Tensor) -> tf.Tensor:
        """Ids as the encoder reads them."""

    def target_feed(self, ids: list[int]) -> np.ndarray:
        """`target_ids` of a translation's word ids."""


def compare_translation(
    lite: TranslationInputs,
    interpreter: Interpreter,
    sentences: Iterable[tuple[list[int], list[int] | None]],
) -> Check:
    """The file's beam search against the model's, and its steps along a translation of each.

    Args:
        lite: what makes the file's inputs.
        interpreter: of the file.
        sentences: source ids, each with those of a known translation or None: then the model's
            own is followed.
    """
    compared = TranslationComparison(lite, interpreter)
    for ids, reference in sentences:
        if compared.words.model.asked >= WORDS:
            break
        compared.add(ids, reference)
    return compared.check()


class TranslationComparison:
    """The model's and the file's translations, and their words along given ones."""

    def __init__(self, lite: TranslationInputs, interpreter: Interpreter) -> None:
        names = ("translate_beam", "encode", "decode_step", "score")
        self.lite, self.model = lite, lite.python_model
        self.runners = {name: interpreter.get_signature_runner(name) for name in names}
        self.words = Comparison()
        self.same: list[bool] = []

    def add(self, ids: list[int], reference: list[int] | None) -> None:
        """One source."""
        feeds = self.lite.feeds(ids)
        source = self.lite.source(tf.constant(feeds["ids"]), tf.constant(feeds["length"]))
        found = self.add_search(feeds, source)
        target = self.lite.target_feed(found if reference is None else reference)
        self.add_target(feeds, source, target)
        self.add_steps(feeds, source, [int(i) for i in target[0] if i != PAD])

    def add_search(self, feeds: Outputs, source: tf.Tensor) -> list[int]:
        """Both translations; returns the model's own."""
        alpha = self.model.settings.length_alpha
        ids, scores = self.model.search_ids(source.numpy(), 5, 1, alpha)
        found = until_end(ids[0, 0])
        answer = self.runners["translate_beam"](**feeds)
        self.same.append(until_end(answer["ids"][0]) == found)
        if self.same[-1]:
            self.words.add_text(float(scores[0, 0]), float(answer["score"][0]), len(found) + 1)
        return found

    def add_target(self, feeds: Outputs, source: tf.Tensor, target: np.ndarray) -> None:
        """The log-probability of a translation."""
        inputs = np.concatenate([[[BOS]], target[:, :-1]], axis=1)
        values = self.model.token_log_probs(source, inputs, target)[target != PAD]
        answer = self.runners["score"](**feeds, target_ids=target)["log_prob"][0]
        self.words.add_score(float(values.sum()), float(answer), len(values))

    def add_steps(self, feeds: Outputs, source: tf.Tensor, target: list[int]) -> None:
        """The words offered along a translation, `<eos>` the last."""
        state = self.runners["encode"](**feeds)
        own = self.model.compiled_encode(source)
        for token, following in itertools.pairwise([BOS, *target]):
            token_id = np.array([token], np.int32)
            expected, own = self.model.step(token_id, own)
            # From the file's own state: a decoder without input may amplify rounding for ever.
            exact, _ = self.model.step(token_id, as_tensors(unprefixed(state)))
            stepped = self.runners["decode_step"](token_id=token_id, **state)
            self.words.add_recall(following, np.asarray(expected)[0], stepped)
            self.words.add_offered(np.asarray(exact)[0], stepped)
            state.update({n: v for n, v in stepped.items() if n.startswith("state_")})

    def check(self) -> Check:
        """The differences, and how many translations are the same."""
        check = self.words.check()
        same = {"same translation": (1.0, float(np.mean(self.same)))}
        return replace(check, measures={**check.measures, **same})


def as_tensors(state: Outputs) -> Tensors:
    """Arrays as tensors."""
    return {name: tf.constant(value) for name, value in state.items()}
