"""Is a language model's file right? Its steps, prefills and scores against the Python model's."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from export.tflite.check import ROWS, Check, Comparison, Rows, enough
from export.tflite.module import padded_row
from zoo.models.language_model import LanguageModel, batches
from zoo.text import BOS, EOS
from zoo.text.padding import pad


def compare_language_model(
    model: LanguageModel, interpreter: Interpreter, sentences: Rows, length: int
) -> Check:
    """Every signature of the file against the model, on whole sentences.

    Args:
        model: what the file was made from.
        interpreter: of the file.
        sentences: word ids.
        length: places for ids in the file's inputs.
    """
    step, prefill, score = map(interpreter.get_signature_runner, ("step", "prefill", "score"))
    compared = Comparison()
    rows = contexts(enough(sentences), length)
    scores = model.score_ids([row[1:-1] for row in rows])
    for own, (row, expected) in zip(scores, model_distributions(model, rows), strict=True):
        answer = prefill(**padded_row(row[:1], length))
        for t, target in enumerate(row[1:]):
            compared.add(target, expected[t], answer)
            state = {name: v for name, v in answer.items() if name.startswith("state_")}
            answer = step(token_id=np.array([target], np.int32), **state)
        compared.add_offered(expected[len(row) - 2], prefill(**padded_row(row[:-1], length)))
        answered = float(score(**padded_row(row, length))["log_prob"][0])
        compared.add_score(own, answered, len(row) - 1)
    return compared.check()


def contexts(sentences: Rows, length: int) -> Rows:
    """Sentences of word ids as `<bos>` w_1 ... `<eos>`, those that fit."""
    ended = [[BOS, *ids, EOS] for ids in sentences]
    return [ids for ids in ended if len(ids) <= length]


def model_distributions(model: LanguageModel, rows: Rows) -> Iterator[tuple[list[int], np.ndarray]]:
    """Each row with the model's log-probabilities [len(row) - 1, vocabulary] of its next words."""
    for chunk in batches(rows, ROWS):
        ids, lengths = pad(chunk, count=ROWS)  # one batch size, one graph
        state = model.initial_state(ROWS)
        steps = []
        for t in range(lengths.max() - 1):
            log_probs, state = model.step(ids[:, t], state)
            steps.append(np.asarray(log_probs)[: len(chunk)])
        for i, row in enumerate(chunk):
            yield row, np.stack([values[i] for values in steps[: len(row) - 1]])
