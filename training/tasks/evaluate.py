"""`zoo evaluate`: what a model of each kind is measured by, with what is counted.

Perplexity and next-word recall, cloze perplexity, BLEU, labels and spans, case and punctuation.

Every perplexity comes with its tokens, whether `<eos>` is among them, and how many were unknown;
the row's `signature` says how the text was read.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial, singledispatch
from typing import Any

import numpy as np

from training.datasets import Pair
from training.datasets.labelled import LabelledText, TaggedWords
from training.tasks import running_text
from training.tasks.batches import encode_stream, sentence_batches
from training.tasks.cloze import cloze_perplexity
from training.tasks.groups import groups, sides
from training.tasks.labelling import classification_rows, tagging_rows
from training.tasks.language_model import stream_nats, tokens_counted
from training.tasks.progress_bar import tracked
from training.tasks.restoring import restoring_rows
from training.tasks.translation import Groups, evaluate_translation
from zoo.errors import ZooError
from zoo.metrics import NextWordRecall, perplexity
from zoo.metrics.recall import target_ranks
from zoo.models import BidirectionalLanguageModel, BidirectionalRestorer, CachedLanguageModel
from zoo.models.base import Kind
from zoo.models.labelling import Tagger, TextClassifier
from zoo.models.language_model import LanguageModel
from zoo.models.on_tensors import TensorLanguageModel
from zoo.models.seq2seq.translator import Translator
from zoo.presets import training_text

Rows = Iterator[dict[str, Any]]
RECALL_AT = (1, 3)
BATCH = 64
WORD_LIMIT = 10_000
TRAINED_ON = 0.1  # so many of a test's sentences may have been met in training by chance
KINDS: dict[type, tuple[Kind, str]] = {  # of examples, and what they are called
    str: ("sentences", "sentences"),
    Pair: ("pairs", "sentence pairs"),
    TaggedWords: ("tagged", "words with labels"),
    LabelledText: ("labelled", "texts with labels"),
}
logger = logging.getLogger("zoo")


def evaluate(model: Any, corpus: Any, split: str = "test", detailed: bool = False) -> Rows:
    """Rows with metric, value, tokens, oov and signature.

    Args:
        model: any model of the zoo.
        corpus: `training.datasets.load`'s answer.
        split: "train", "valid" or "test".
        detailed: also rows of the clean examples (no near-duplicate in training) and by length,
            named as `perplexity (clean)`; not of running text, which is read as one.

    Raises:
        ZooError: the corpus is of another kind than the model reads, or the split is empty.
    """
    examples = list(getattr(corpus, split))
    if not examples:
        raise ZooError(f"split {split!r} is empty")
    kind, words = KINDS[type(examples[0])]
    if kind != model.reads:
        raise ZooError(f"the data are {words}, which a {type(model).__name__} cannot be tested on")
    chosen = groups(corpus, split) if detailed and not corpus.is_stream else {}
    note = trained_on(model, [side for example in examples for side in sides(example)])
    rows = rows_of(model, examples, corpus.is_stream, chosen)
    return (row | {"signature": row["signature"] + note} for row in rows)


def trained_on(model: object, texts: Sequence[str]) -> str:
    """A note for the signature where the model was trained on a part of the texts; else empty."""
    kept = getattr(model, "training_text", None)
    if kept is None:
        return ""
    known, sampled = training_text.known(kept, texts)
    if known <= TRAINED_ON * sampled:
        return ""
    share = f"{known} of {sampled} sampled sentences are in the model's training text"
    logger.warning("%s: this is no figure of how it does on new text", share)
    return f"; {share}"


@singledispatch
def rows_of(model: object, examples: Sequence[Any], is_stream: bool, parts: Groups) -> Rows:
    """The rows of a kind of model on its examples."""
    raise ZooError(f"no evaluation is known for a {type(model).__name__}: register one here")


@rows_of.register
def translation_rows(
    model: Translator, pairs: Sequence[Pair], is_stream: bool, parts: Groups
) -> Rows:
    """BLEU, chrF and the perplexity of the references."""
    return evaluate_translation(model, pairs, groups=parts)


@rows_of.register
def tagger_rows(
    model: Tagger, examples: Sequence[TaggedWords], is_stream: bool, parts: Groups
) -> Rows:
    """Accuracy, and precision, recall and F1 of spans or labels."""
    return with_parts(partial(tagging_rows, model), examples, parts)


@rows_of.register
def classifier_rows(
    model: TextClassifier, examples: Sequence[LabelledText], is_stream: bool, parts: Groups
) -> Rows:
    """Accuracy, and precision, recall and F1 of each label."""
    return with_parts(partial(classification_rows, model), examples, parts)


@rows_of.register
def restorer_rows(
    model: BidirectionalRestorer, sentences: Sequence[str], is_stream: bool, parts: Groups
) -> Rows:
    """Case accuracy and F1 of the marks, beside those of rules."""
    return with_parts(partial(restoring_rows, model), sentences, parts)


def with_parts(
    rows: Callable[[Sequence[Any]], Rows], examples: Sequence[Any], parts: Groups
) -> Rows:
    """The rows of all examples, then of each part those that are not of one label."""
    yield from rows(examples)
    for name, belongs in parts.items():
        chosen = [example for example in examples if belongs(example)]
        for row in rows(chosen) if chosen else ():
            if "[" not in row["metric"]:
                yield {**row, "metric": f"{row['metric']} ({name})"}


@rows_of.register
def language_model_rows(
    model: LanguageModel, sentences: Sequence[str], is_stream: bool, parts: Groups
) -> Rows:
    """Perplexity [9] and next-word recall@1 and @3."""
    encoded = [running_text.encoded_text(model.tokenizer, text) for text in sentences]
    tokens = tokens_counted(model, encoded)
    unknown = sum(model.tokenizer.count_unknown(ids) for ids in encoded)
    carried = is_stream and isinstance(model, TensorLanguageModel)
    scores = None if carried else model.score_ids(encoded)
    if scores is None:
        nats = stream_nats(model, encode_stream(encoded), streams=1)
    else:
        nats = -float(scores.sum())
    how = "one stream, state carried over" if carried else "sentence by sentence"
    common = {"tokens": tokens, "oov": unknown, "signature": f"{how}; <eos> and <unk> counted"}
    if model.tokenizer.has_pieces:
        common["signature"] = f"{how}; pieces of words, <eos> counted, the corpus's <unk> not"
    yield {"metric": "perplexity", "value": perplexity(nats, tokens), **common}
    if model.tokenizer.has_pieces:
        yield from running_text.comparable_rows(sentences, nats, common)
        return
    if scores is not None:
        yield from _perplexities(sentences, encoded, scores, parts, common)
    for k, share in recall(model, encoded).items():
        signature = "sentence by sentence; next words without <eos>, unknown words are misses"
        yield {
            "metric": f"recall@{k}",
            "value": share,
            "tokens": tokens - len(encoded),
            "oov": unknown,
            "signature": signature,
        }


def _perplexities(
    sentences: Sequence[str],
    encoded: Sequence[Sequence[int]],
    scores: np.ndarray,
    parts: Groups,
    common: dict[str, Any],
) -> Rows:
    """The perplexity of each group of sentences that has any."""
    for name, belongs in parts.items():
        chosen = np.asarray([belongs(sentence) for sentence in sentences])
        tokens = sum(len(ids) + 1 for ids, is_in in zip(encoded, chosen, strict=True) if is_in)
        if tokens:
            value = perplexity(-float(scores[chosen].sum()), tokens)
            yield {"metric": f"perplexity ({name})", "value": value, **common, "tokens": tokens}


def recorded(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The figures of a test split as presets and records keep them; null is infinity in JSON."""
    metrics: dict[str, Any] = {
        f"test_{row['metric']}": round(row["value"], 4) if math.isfinite(row["value"]) else None
        for row in rows
        if "[" not in row["metric"]  # of one label, for the card alone
    }
    return metrics | {"test_tokens": rows[0]["tokens"], "test_oov": rows[0]["oov"]}


def recall(model: LanguageModel, encoded: Sequence[Sequence[int]]) -> dict[int, float]:
    """`NextWordRecall` of a model on sentences of ids, for each k of RECALL_AT."""
    metrics = [NextWordRecall(k) for k in RECALL_AT]
    rows = [ids for ids in encoded if len(ids)]
    if isinstance(model, CachedLanguageModel):
        model = model.narrowed(min(WORD_LIMIT, max(map(len, rows), default=0)) + 1)
    batches = sentence_batches(rows, BATCH, WORD_LIMIT, rng=None)
    for batch in tracked(batches, "recall", -(-len(rows) // BATCH)):
        ranks = ranks_of(model, batch["inputs"], batch["targets"])
        for metric in metrics:
            metric.update_ranks(batch["targets"], ranks, batch["weights"])
    return {metric.k: metric.share() for metric in metrics}


def ranks_of(model: LanguageModel, inputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """How many words the model offers before each target; [batch, time]."""
    state = model.initial_state(len(inputs))
    ranks = np.zeros(inputs.shape, dtype=np.int32)
    for t in range(inputs.shape[1]):
        log_probs, state = model.step(inputs[:, t], state)
        ranks[:, t] = np.asarray(target_ranks(targets[:, t], log_probs))
    return ranks


@rows_of.register
def cloze_rows(
    model: BidirectionalLanguageModel, sentences: Sequence[str], is_stream: bool, parts: Groups
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
