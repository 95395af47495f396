"""Linear interpolation of language models.

P(w | c) = Σ_i λ_i P_i(w | c),   λ_i >= 0,  Σ_i λ_i = 1

The weights that give a text its highest probability are found by expectation maximisation
(Jelinek and Mercer 1980): λ_i becomes the mean over the text's words of the share
λ_i P_i / Σ_j λ_j P_j.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from zoo.errors import ZooError
from zoo.models import parts
from zoo.models.base import model_family
from zoo.models.checks import batches, checked_texts
from zoo.models.language_model import LanguageModel
from zoo.models.ngram import NGramLanguageModel, loops_in_python
from zoo.text import BOS, EOS, load_tokenizer
from zoo.text.padding import pad
from zoo.types import ModelState, Tensor


@model_family
class InterpolatedLanguageModel(LanguageModel):
    """Several language models of one vocabulary as one, for example counts and a network.

    The state holds each model's entries under names `0_...`, `1_...`.

    Args:
        models: two or more models with the same vocabulary.
        weights: λ, one a model; equal unless given. `tune` finds the best for a text.
        references: the name of each model that is a shipped preset, None for others:
            `save_to_preset` then writes that instead of a copy of the model.

    Raises:
        ZooError: the vocabularies differ, the weights do not sum to 1, or a model (stupid backoff)
            gives no probabilities.

    Example:
        >>> import zoo
        >>> text = ["the cat is small", "the dog is big"]
        >>> one = zoo.models.NGramLanguageModel.train(text, order=1)
        >>> two = zoo.models.NGramLanguageModel.train(text, order=2, tokenizer=one.tokenizer)
        >>> both = InterpolatedLanguageModel.tune([one, two], text)
        >>> bool(both.weights[1] > both.weights[0])
        True
    """

    how_it_is_trained = "InterpolatedLanguageModel.tune(models, texts) finds its weights"

    def __init__(
        self,
        models: Sequence[LanguageModel],
        weights: Sequence[float] | None = None,
        references: Sequence[str | None] | None = None,
    ) -> None:
        if len(models) < 2:
            raise ZooError(f"got {len(models)} model(s): interpolation takes two or more")
        for model in models:
            if model.tokenizer.vocabulary != models[0].tokenizer.vocabulary:
                raise ZooError(
                    "the models' vocabularies differ: train them with one tokenizer "
                    "(NGramLanguageModel.train(..., tokenizer=other.tokenizer))"
                )
            if isinstance(model, NGramLanguageModel) and not model.is_normalised:
                raise ZooError("stupid backoff gives no probabilities to mix; use kneser_ney")
        self.models = tuple(models)
        self.tokenizer = models[0].tokenizer
        self.weights = _checked_weights(weights, len(models))
        self.references = [None] * len(models) if references is None else list(references)

    @classmethod
    def tune(
        cls,
        models: Sequence[LanguageModel],
        sentences: Iterable[str],
        iterations: int = 50,
        references: Sequence[str | None] | None = None,
    ) -> Self:
        """The interpolation under which held-out sentences are likeliest.

        Args:
            models, references: as in the constructor.
            sentences: text that none of the models was trained on.
            iterations: of expectation maximisation at most; it ends when nothing moves.
        """
        untuned = cls(models)
        encoded = [untuned.tokenizer.encode(text) for text in checked_texts(sentences)]
        if not encoded:
            raise ZooError("no sentences to tune the weights on: give at least one")
        weights = best_weights(untuned.part_log_probs(encoded), iterations).tolist()
        return cls(models, weights, references)

    def part_log_probs(self, sentences: Sequence[Sequence[int]]) -> np.ndarray:
        """Each model's log-probability of each token, `<eos>` included; [models, tokens]."""
        parts = []
        for rows in batches(sorted(sentences, key=len)):
            inputs, lengths = pad([[BOS, *row] for row in rows])
            targets, _ = pad([[*row, EOS] for row in rows])
            counted = np.arange(inputs.shape[1]) < lengths[:, None]
            values = [np.asarray(m.token_log_probs(inputs, targets)) for m in self.models]
            parts.append(np.stack([value[counted] for value in values]))
        return np.concatenate(parts, axis=1).astype(np.float64)

    def _mixed(self, log_probs: Sequence[Tensor]) -> np.ndarray:
        with np.errstate(divide="ignore"):
            log_weights = np.log(self.weights)
        total: np.ndarray | None = None
        for values, weight in zip(log_probs, log_weights, strict=True):
            weighted = np.asarray(values, np.float64) + weight
            total = weighted if total is None else np.logaddexp(total, weighted)
        return np.asarray(total, np.float32)

    def initial_state(self, batch_size: int) -> ModelState:
        return named_by_part([model.initial_state(batch_size) for model in self.models])

    def step(self, token_ids: Tensor, state: ModelState) -> tuple[np.ndarray, ModelState]:
        steps = [
            model.step(token_ids, names_of_part(state, i)) for i, model in enumerate(self.models)
        ]
        return self._mixed([values for values, _ in steps]), named_by_part([s for _, s in steps])

    def token_log_probs(self, inputs: Tensor, targets: Tensor) -> np.ndarray:
        return self._mixed([model.token_log_probs(inputs, targets) for model in self.models])

    def consume(self, ids: Tensor, lengths: Tensor) -> ModelState:
        return named_by_part([model.consume(ids, lengths) for model in self.models])

    def continued(
        self, state: ModelState, first_ids: np.ndarray, sampler: Any, max_words: int, seed: int
    ) -> Tensor:
        with loops_in_python():
            return super().continued(state, first_ids, sampler, max_words, seed)

    # Presets: each model is a preset of its own below models/, or the name of a shipped one

    def get_preset_config(self) -> dict[str, Any]:
        return {"weights": self.weights.tolist(), **parts.config_of(self.references)}

    def write_assets(self, directory: Path, dtype: str) -> None:
        if not all(self.references):
            self.tokenizer.save(directory)
        parts.write(self.models, self.references, directory, dtype)

    @classmethod
    def from_assets(cls, directory: Path, config: dict[str, Any]) -> Self:
        own = dict(config)
        weights = list(own["weights"])
        models, references = parts.read(directory, own, len(weights))
        model = cls(models, weights, references)
        if not all(references) and not model.has_vocabulary_of(directory):
            raise ZooError(f"{directory}: the vocabulary is not that of its models; save it again")
        return model

    def has_vocabulary_of(self, directory: Path) -> bool:
        """Whether a preset's own vocabulary is the models'."""
        return load_tokenizer(directory).vocabulary == self.tokenizer.vocabulary

    def parameter_count(self) -> int:
        """Those of all models."""
        return sum(model.parameter_count() for model in self.models)


def _checked_weights(weights: Sequence[float] | None, count: int) -> np.ndarray:
    given = np.full(count, 1 / count) if weights is None else np.asarray(weights, np.float64)
    if given.shape != (count,) or not (given >= 0).all() or abs(given.sum() - 1) > 1e-6:
        raise ZooError(f"weights={weights!r}: give {count} numbers from 0 to 1 that sum to 1")
    return given


def best_weights(log_probs: np.ndarray, iterations: int = 50) -> np.ndarray:
    """Expectation maximisation of λ from each model's log-probability of each token.

    Args:
        log_probs: [models, tokens]; a token that every model calls impossible does not count.
    """
    best = log_probs.max(axis=0)
    possible = np.isfinite(best)
    if not possible.any():
        raise ZooError("every model gives these sentences probability 0: no weights to find")
    relative = np.exp(log_probs[:, possible] - best[possible])  # [models, tokens]
    weights = np.full(len(log_probs), 1 / len(log_probs))
    for _ in range(iterations):
        shares = weights[:, None] * relative
        new = (shares / shares.sum(axis=0)).mean(axis=1)
        moved = np.abs(new - weights).max()
        weights = new
        if moved < 1e-6:
            break
    return weights / weights.sum()


def named_by_part(states: Sequence[ModelState]) -> ModelState:
    """One state of several, `0_...`, `1_...`."""
    return {f"{i}_{name}": value for i, part in enumerate(states) for name, value in part.items()}


def names_of_part(state: ModelState, part: int) -> ModelState:
    """The entries of one model in a state of several, under their own names."""
    start = f"{part}_"
    return {n.removeprefix(start): value for n, value in state.items() if n.startswith(start)}
