"""Is a translation file right? Its searches, scores and steps against the Python model's."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import tensorflow as tf

from export.tflite.check import WORDS, Check, Pairs, until_end
from zoo.text import BOS, PAD


def compare_translation(lite: Any, interpreter: Any, sentences: Any) -> Check:
    """The file's beam search against the model's, and its steps along a translation of each.

    Args:
        lite: the signatures.
        interpreter: of the file.
        sentences: source ids, each with those of a known translation or None: then the model's
            own is followed.
    """
    compared = TranslationPairs(lite, interpreter)
    for ids, reference in sentences:
        if compared.pairs.model.asked >= WORDS:
            break
        compared.add(ids, reference)
    return compared.check()


class TranslationPairs:
    """The model's and the file's translations, and their words along given ones."""

    def __init__(self, lite: Any, interpreter: Any) -> None:
        names = ("translate_beam", "encode", "decode_step", "score")
        self.lite, self.model = lite, lite.python_model
        self.runners = {name: interpreter.get_signature_runner(name) for name in names}
        self.pairs = Pairs()
        self.same: list[bool] = []

    def add(self, ids: list[int], reference: list[int] | None) -> None:
        """One source."""
        feeds = self.lite.feeds(ids)
        source = self.lite.source(tf.constant(feeds["ids"]), tf.constant(feeds["length"]))
        found = self.add_search(feeds, source)
        target = self.lite.target_feed(found if reference is None else reference)
        self.add_target(feeds, source, target)
        self.add_steps(feeds, source, [int(i) for i in target[0] if i != PAD])

    def add_search(self, feeds: dict[str, np.ndarray], source: tf.Tensor) -> list[int]:
        """Both translations; returns the model's own."""
        alpha = self.lite.settings["length_alpha"]
        ids, scores = self.model.search_ids(source.numpy(), 5, 1, alpha)
        found = until_end(ids[0, 0])
        answer = self.runners["translate_beam"](**feeds)
        self.same.append(until_end(answer["ids"][0]) == found)
        if self.same[-1]:
            self.pairs.add_text(float(scores[0, 0]), float(answer["score"][0]), len(found) + 1)
        return found

    def add_target(
        self, feeds: dict[str, np.ndarray], source: tf.Tensor, target: np.ndarray
    ) -> None:
        """The log-probability of a translation."""
        inputs = np.concatenate([[[BOS]], target[:, :-1]], axis=1)
        values = self.model.token_log_probs(source, inputs, target)[target != PAD]
        answer = self.runners["score"](**feeds, target_ids=target)["log_prob"][0]
        self.pairs.add_score(float(values.sum()), float(answer), len(values))

    def add_steps(self, feeds: dict[str, np.ndarray], source: tf.Tensor, target: list[int]) -> None:
        """The words offered along a translation, `<eos>` the last."""
        state = self.runners["encode"](**feeds)
        own = self.model.call_compiled("encode", source)
        for token, following in itertools.pairwise([BOS, *target]):
            token_id = np.array([token], np.int32)
            expected, own = self.model.step(token_id, own)
            # From the file's own state: a decoder without input may amplify rounding for ever.
            exact, _ = self.model.step(token_id, unprefixed(state))
            stepped = self.runners["decode_step"](token_id=token_id, **state)
            self.pairs.add_recall(following, np.asarray(expected)[0], stepped)
            self.pairs.add_offered(np.asarray(exact)[0], stepped)
            state.update({n: v for n, v in stepped.items() if n.startswith("state_")})

    def check(self) -> Check:
        """The differences, and how many translations are the same."""
        check = self.pairs.check()
        same = {"same translation": (1.0, float(np.mean(self.same)))}
        return replace(check, measures={**check.measures, **same})


def unprefixed(state: dict[str, np.ndarray]) -> dict[str, tf.Tensor]:
    """A file's state as the model takes it."""
    return {name.removeprefix("state_"): tf.constant(v) for name, v in state.items()}
