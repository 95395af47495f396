"""The task of translation: the log-likelihood [26] by teacher forcing, judged by BLEU.

Training maximises (1/N) Σ log p_θ(y | x) over pairs [26], with label smoothing ε mixing a uniform
distribution over the V words into each target (Szegedy et al. 2016, arXiv 1512.00567):

    J = (1 − ε)·(−log p_w) + (ε/V) Σ_v (−log p_v)
      = −log p_w + ε·(logit_w − (1/V) Σ_v logit_v)

The second form needs no second pass over the vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from keras import ops

from training.config import RunConfig, Section, checked
from training.datasets import Corpus, Pair
from training.datasets.extra import with_extra
from training.tasks.augmentation import Augmentation
from training.tasks.pair_batches import Batch, EncodedPairs, pair_batches, pair_widths
from training.tasks.progress_bar import tracked
from training.tasks.starting import starting_model
from training.tasks.task import Carried, Task, make_tokenizer, training_examples
from zoo.errors import ZooError
from zoo.layers import VocabularyOutput
from zoo.metrics import bleu, perplexity
from zoo.text import SubwordTokenizer, Tokenizer
from zoo.text.carrying import SYMBOLS, Carrier, carrier_of
from zoo.types import Tensor

Groups = Mapping[str, Callable[[Any], bool]]  # by name: which pairs belong to it
EVALUATION_CHUNK = 256  # translated between two ticks of the progress bar


class TranslationOptions(Section):
    """What `training.options` may say."""

    source_vocabulary_size: int | None = None  # as data.vocabulary_size
    shared_vocabulary: bool = False  # one for both languages, of data.vocabulary_size
    valid_pairs: int = 1_000  # translated after each epoch, spread over the validation split
    valid_beam: int = 1


class TranslationTask(Task):
    """Batches, loss and evaluation of a translation model.

    Args:
        config: the run; its `training.options` are `TranslationOptions`.
        corpus: `train`, `valid`, `test` lists of `training.datasets.Pair`.
    """

    figure = "bleu"
    lower_is_better = False

    def __init__(self, config: RunConfig, corpus: Corpus) -> None:
        corpus = with_extra(corpus, config.data)
        self.options = checked(TranslationOptions, config.training.options, "training.options")
        self.config = config
        train = training_examples(config, corpus)
        if not train or isinstance(train[0], str):
            raise ZooError(f"{config.data.name} holds no sentence pairs; a translation needs them")
        self.valid = evenly(unique_sources(corpus.valid), self.options.valid_pairs)
        direction = config.model.options.get("carry_over")
        carrier = None if direction is None else carrier_of(direction)
        super().__init__(config, corpus, *self._tokenizers(train, carrier))
        self.pairs = Augmentation(
            tracked([(pair.source, pair.target) for pair in train], "encoding", len(train)),
            self._encoded,
            config.data.max_length,
            config.training.augmentation,
            carrier,
        )
        self.epoch_pairs = lru_cache(maxsize=1)(self._epoch_pairs)
        # Of the first epoch whichever epoch a resumed run goes on with.
        self.widths = pair_widths(self.epoch_pairs(0), config.training.batch_size)

    def _tokenizers(
        self, train: Sequence[Pair], carrier: Carrier | None
    ) -> tuple[Tokenizer, Tokenizer]:
        """Of source and target, or one for both; of texts as the model reads and writes them."""
        start: Any = starting_model(self.config)
        if start is not None:
            return start.source_tokenizer, start.target_tokenizer
        texts = [(pair.source, pair.target) for pair in train]
        if carrier is not None:
            texts = [*(carrier.paired(*pair) for pair in texts), (" ".join(SYMBOLS),) * 2]
        sources, targets = ([pair[side] for pair in texts] for side in (0, 1))
        if self.options.shared_vocabulary:
            shared = trained_tokenizer(self.config, [*sources, *targets])
            return shared, shared
        sized_config = sized(self.config, self.options.source_vocabulary_size)
        return trained_tokenizer(sized_config, sources), trained_tokenizer(self.config, targets)

    def _encoded(self, source: str, target: str) -> tuple[list[int], list[int]]:
        """A pair as ids, the source in the encoder's order."""
        return self.model.source_row(source), self.model.target_tokenizer.encode(target)

    def _epoch_pairs(self, epoch: int) -> EncodedPairs:
        return self.pairs.epoch(np.random.default_rng([self.config.seed, epoch, 1]))

    def batches(self, epoch: int) -> Iterator[Batch]:
        size, rng = self.config.training.batch_size, self.shuffling(epoch)
        return pair_batches(self.epoch_pairs(epoch), size, rng, self.widths)

    def steps_per_epoch(self) -> int:
        return -(-len(self.pairs) // self.config.training.batch_size)

    def loss(
        self, batch: Mapping[str, Tensor], carried: Carried | None, training: bool
    ) -> tuple[Tensor, Tensor, None]:
        """Summed nats over the target tokens, their number, and no state."""
        state = self.model.encode(batch["source"], training=training)
        hidden = self.model.features(state, batch["inputs"], training=training)
        output, weights = self.model.output_projection, batch["weights"]
        total = self.softmax.summed_nats(output, hidden, batch["targets"], weights)
        smoothing = self.config.training.label_smoothing if training else 0.0
        if smoothing:
            total = total + smoothing * smoothing_term(output, hidden, batch["targets"], weights)
        return total, ops.sum(weights), None

    def evaluate(self) -> dict[str, float]:
        """BLEU and perplexity of the references on the validation pairs."""
        pairs, beam = self.valid, self.options.valid_beam
        translations = translated(self.model, [pair.source for pair in pairs], beam)
        nats, tokens, _ = reference_nats(self.model, pairs)
        result = bleu(translations, references_of(pairs), lowercase=is_lowercase(self.model))
        return {
            "bleu": result.score,
            "chrf": result.chrf,
            "perplexity": perplexity(nats, tokens),
            "tokens": tokens,
        }


def sized(config: RunConfig, vocabulary_size: int | None) -> RunConfig:
    """The config with another vocabulary size, where one is given."""
    if vocabulary_size is None:
        return config
    data = config.data.model_copy(update={"vocabulary_size": vocabulary_size})
    return config.model_copy(update={"data": data})


def trained_tokenizer(config: RunConfig, sentences: Iterable[str]) -> Tokenizer:
    """One side's tokenizer; a sentence with several translations counts once."""
    unique, data = list(dict.fromkeys(sentences)), config.data
    if data.tokenizer != "subword":
        return make_tokenizer(config, unique)
    return SubwordTokenizer.train(
        unique, size=data.vocabulary_size, min_count=data.min_count, lowercase=data.lowercase
    )


def smoothing_term(
    output: VocabularyOutput, hidden: Tensor, targets: Tensor, weights: Tensor
) -> Tensor:
    """Σ weight · (logit_w − mean logit) over all tokens, exact, without the vocabulary's logits."""
    kernel = output.kernel  # [features, vocabulary]
    columns = ops.take(ops.transpose(kernel), targets, axis=0)  # [batch, time, features]
    term = ops.sum(hidden * (columns - ops.mean(kernel, axis=1)), axis=-1)
    if output.bias is not None:
        bias = ops.cast(output.bias, term.dtype)
        term = term + ops.take(bias, targets) - ops.mean(bias)
    return ops.sum(ops.cast(term, "float32") * weights)


def unique_sources(pairs: Sequence[Pair]) -> list[Pair]:
    """Each source once (its references are all in the pair)."""
    return list({pair.source: pair for pair in reversed(pairs)}.values())[::-1]


def evenly(items: list[Pair], count: int) -> list[Pair]:
    """`count` of the items (or all), evenly spaced: a split may be sorted."""
    chosen = np.linspace(0, len(items) - 1, min(count, len(items))).round().astype(int)
    return [items[i] for i in chosen]


def references_of(pairs: Sequence[Pair]) -> list[list[str]]:
    """All known translations of each source."""
    return [list(pair.references) or [pair.target] for pair in pairs]


def is_lowercase(model: Any) -> bool:
    """Whether the model writes lower case, so that BLEU must not look at case."""
    return bool(getattr(model.target_tokenizer, "lowercase", False))


def translated(model: Any, texts: Sequence[str], beam: int) -> list[str]:
    """The best translation of each text, without marks of lost words: they are no translation."""
    starts = range(0, len(texts), EVALUATION_CHUNK)
    answers: list[str] = []
    for start in tracked(starts, "translating", len(starts)):
        chunk = texts[start : start + EVALUATION_CHUNK]
        found = model.translate(chunk, beam=beam, mark_lost=False)
        answers += [best[0][0] if best else "" for best in found]
    return answers


def reference_nats(model: Any, pairs: Sequence[Pair]) -> tuple[float, int, int]:
    """−log P of the targets given their sources, their tokens with `<eos>`, and unknown words."""
    scores = model.score([(pair.source, pair.target) for pair in pairs])
    return (
        -sum(score.log_prob for score in scores),
        sum(score.tokens for score in scores),
        sum(score.oov for score in scores),
    )


def evaluate_translation(
    model: Any, pairs: Sequence[Pair], beam: int = 5, groups: Groups | None = None
) -> Iterator[dict[str, Any]]:
    """Rows of `zoo evaluate`: BLEU, chrF and the references' perplexity, with what they count.

    `bleu` and `chrf` look at case. A model that writes lower case has `bleu_uncased` and
    `chrf_uncased` as well, which compare with lower-case figures only.

    Args:
        model: the translator.
        pairs: sources with their references.
        beam: the width of the search.
        groups: by name, which of the pairs have figures of their own.
    """
    sources = unique_sources(pairs)
    answers = translated(model, [pair.source for pair in sources], beam)
    nats, tokens, unknown = reference_nats(model, pairs)
    counts = {"tokens": tokens, "oov": unknown}
    how = f"beam {beam}, length_alpha {model.settings.length_alpha}, lost words not marked"
    for name, chosen in {"": sources, **by_group(sources, groups or {})}.items():
        places = {pair.source for pair in chosen}
        found = [a for a, pair in zip(answers, sources, strict=True) if pair.source in places]
        sized_counts = counts if not name else {**counts, "tokens": len(found)}
        for row in scored(found, references_of(chosen), is_lowercase(model)):
            signature = f"{row['signature']}; {how}" + (f"; {len(found)} sentences" if name else "")
            yield row | {"metric": row["metric"] + name, **sized_counts, "signature": signature}
    yield {
        "metric": "perplexity",
        "value": perplexity(nats, tokens),
        **counts,
        "signature": "of the targets given their sources; <eos> and <unk> counted",
    }


def by_group(pairs: Sequence[Pair], groups: Groups) -> dict[str, list[Pair]]:
    """The pairs of each group that has any, named as a suffix of a metric's name."""
    chosen = {name: [pair for pair in pairs if belongs(pair)] for name, belongs in groups.items()}
    return {f" ({name})": found for name, found in chosen.items() if found}


def scored(
    answers: Sequence[str], references: Sequence[Sequence[str]], lowercase: bool
) -> Iterator[dict[str, Any]]:
    """BLEU and chrF with case, and without it for a model that writes lower case."""
    for suffix, without_case in {"": False, **({"_uncased": True} if lowercase else {})}.items():
        result = bleu(answers, references, lowercase=without_case)
        for metric, value, signature in (
            ("bleu", result.score, result.signature),
            ("chrf", result.chrf, result.chrf_signature),
        ):
            yield {"metric": metric + suffix, "value": value, "signature": signature}
