"""`zoo evaluate`: perplexity and next-word recall, cloze perplexity, or BLEU, with what they count.

Every perplexity comes with its tokens, whether `<eos>` is among them, and how many were unknown;
the row's `signature` says how the text was read.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import singledispatch
from typing import Any

import numpy as np

from training.datasets import Pair
from training.tasks.batches import encode_stream, sentence_batches
from training.tasks.cloze import cloze_perplexity
from training.tasks.language_model import stream_nats
from training.tasks.progress_bar import tracked
from training.tasks.translation import evaluate_translation
from zoo.errors import ZooError
from zoo.models import BidirectionalLanguageModel
from zoo.models.language_model import LanguageModel
from zoo.models.neural import NeuralLanguageModel
from zoo.models.seq2seq.translator import Translator
from zoo.text.vocabulary import CONTROL_TOKENS

Rows = Iterator[dict[str, Any]]
RECALL_AT = (1, 3)
BATCH = 64
WORD_LIMIT = 10_000


def evaluate(model: Any, corpus: Any, split: str = "test") -> Rows:
    """Rows with metric, value, tokens, oov and signature.

    Args:
        model: any model of the zoo.
        corpus: `training.datasets.load`'s answer.
        split: "train", "valid" or "test".

    Raises:
        ZooError: the corpus is of the wrong kind (sentences or pairs), or the split is empty.
    """
    examples = list(getattr(corpus, split))
    if not examples:
        raise ZooError(f"split {split!r} is empty")
    paired = not isinstance(examples[0], str)
    if paired != isinstance(model, Translator):
        kind = "sentence pairs" if paired else "sentences"
        raise ZooError(f"the data are {kind}, which a {type(model).__name__} cannot be tested on")
    return rows_of(model, examples, corpus.is_stream)


@singledispatch
def rows_of(model: object, examples: Sequence[Any], is_stream: bool) -> Rows:
    """The rows of a kind of model on its examples."""
    raise ZooError(f"no evaluation is known for a {type(model).__name__}: register one here")


@rows_of.register
def translation_rows(model: Translator, pairs: Sequence[Pair], is_stream: bool) -> Rows:
    """BLEU, chrF and the perplexity of the references."""
    return evaluate_translation(model, pairs)


@rows_of.register
def language_model_rows(model: LanguageModel, sentences: Sequence[str], is_stream: bool) -> Rows:
    """Perplexity [9] and next-word recall@1 and @3."""
    encoded = [model.tokenizer.encode(text) for text in sentences]
    tokens = sum(len(ids) + 1 for ids in encoded)
    unknown = sum(model.tokenizer.count_unknown(ids) for ids in encoded)
    carried = is_stream and isinstance(model, NeuralLanguageModel)
    if carried:
        nats = stream_nats(model, encode_stream(encoded), streams=1)
    else:
        nats = -float(model.score_ids(encoded).sum())
    how = "one stream, state carried over" if carried else "sentence by sentence"
    common = {"tokens": tokens, "oov": unknown, "signature": f"{how}; <eos> and <unk> counted"}
    yield {"metric": "perplexity", "value": perplexity(nats, tokens), **common}
    for k, share in recall(model, encoded).items():
        signature = "sentence by sentence; next words without <eos>, unknown words are misses"
        yield {
            "metric": f"recall@{k}",
            "value": share,
            "tokens": tokens - len(encoded),
            "oov": unknown,
            "signature": signature,
        }


def recorded(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The figures of a test split as presets and records keep them; null is infinity in JSON."""
    metrics: dict[str, Any] = {
        f"test_{row['metric']}": round(row["value"], 4) if math.isfinite(row["value"]) else None
        for row in rows
    }
    return metrics | {"test_tokens": rows[0]["tokens"], "test_oov": rows[0]["oov"]}


def perplexity(nats: float, tokens: int) -> float:
    """exp of the mean negative log-probability; infinite where a token had none."""
    return math.exp(nats / tokens) if nats / tokens < 700 else math.inf


def recall(model: Any, encoded: Sequence[Sequence[int]]) -> dict[int, float]:
    """Share of next words among the k likeliest offered, for each k of RECALL_AT.

    Control tokens and `<unk>` are not offered, so an unknown word is always missed; `<eos>` is
    not asked for.
    """
    hits, asked = dict.fromkeys(RECALL_AT, 0), 0
    rows = [ids for ids in encoded if len(ids)]
    batches = sentence_batches(rows, BATCH, WORD_LIMIT, rng=None)
    for batch in tracked(batches, "recall", -(-len(rows) // BATCH)):
        ranks = target_ranks(model, batch["inputs"], batch["targets"])
        words = (batch["weights"] > 0) & (batch["targets"] > 3) | is_unknown(batch)
        asked += int(words.sum())
        for k in RECALL_AT:
            hits[k] += int(((ranks < k) & words & (batch["targets"] > 3)).sum())
    return {k: hits[k] / max(asked, 1) for k in RECALL_AT}


def is_unknown(batch: dict[str, np.ndarray]) -> np.ndarray:
    """Where an unknown word was to be predicted."""
    return (batch["weights"] > 0) & (batch["targets"] == 1)


def target_ranks(model: Any, inputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """How many words are offered before the target at each position; [batch, time].

    Equal words are offered in the vocabulary's order, impossible ones not at all.
    """
    first, impossible = len(CONTROL_TOKENS), np.iinfo(np.int64).max
    state = model.initial_state(len(inputs))
    ranks = np.zeros(inputs.shape, dtype=np.int64)
    for t in range(inputs.shape[1]):
        log_probs, state = model.step(inputs[:, t], state)
        offered = np.asarray(log_probs)[:, first:]
        target = targets[:, t : t + 1]  # [batch, 1]
        own = np.take_along_axis(np.asarray(log_probs), target, axis=1)
        earlier = np.arange(first, first + offered.shape[1]) < target
        before = ((offered > own) | ((offered == own) & earlier)).sum(axis=1)
        ranks[:, t] = np.where(np.isneginf(own[:, 0]), impossible, before)
    return ranks


@rows_of.register
def cloze_rows(
    model: BidirectionalLanguageModel, sentences: Sequence[str], is_stream: bool
) -> Rows:
    """Cloze perplexity of a bidirectional model."""
    encoded = [ids for ids in map(model.tokenizer.encode, sentences) if ids]
    figures = cloze_perplexity(model, encoded)
    yield {
        "metric": "cloze_perplexity",
        "value": figures["cloze_perplexity"],
        "tokens": int(figures["tokens"]),
        "oov": sum(model.tokenizer.count_unknown(ids) for ids in encoded),
        "signature": "each word from all others of its sentence; no <eos>; not a language model's",
    }
