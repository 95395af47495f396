"""Continuing a text, whole or word by word, from a model's `consume` and `step`."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias, overload

import numpy as np

from zoo.errors import ZooError
from zoo.models.base import PresetModel
from zoo.models.checks import checked_count, checked_texts
from zoo.text import BOS, EOS, PAD, UNK
from zoo.text.padding import pad
from zoo.types import ModelState, Tensor

if TYPE_CHECKING:
    from zoo import decoding
    from zoo.text import Tokenizer

NEVER_GENERATED = (PAD, UNK, BOS)
MOST_WORDS = 10_000
MOST_TEXTS = 1_000
Sampler: TypeAlias = "decoding.Greedy | decoding.Sample | decoding.Beam"


class TextGeneration(PresetModel):
    """What a model can write that reads from left to right."""

    tokenizer: Tokenizer

    @abstractmethod
    def step(self, token_ids: Tensor, state: ModelState) -> tuple[Tensor, ModelState]:
        """One token in, the next token's distribution out."""

    @abstractmethod
    def consume(self, ids: Tensor, lengths: Tensor) -> ModelState:
        """The state after the first `lengths` tokens of each right-padded row of `ids`."""

    @overload
    def generate(  # type: ignore[overload-overlap]  # a str is a Sequence[str]
        self,
        prompt: str = "",
        *,
        sampler: Sampler | None = None,
        max_words: int = 20,
        seed: int = 0,
        n: None = None,
    ) -> str: ...

    @overload
    def generate(
        self,
        prompt: str = "",
        *,
        sampler: Sampler | None = None,
        max_words: int = 20,
        seed: int = 0,
        n: int,
    ) -> list[str]: ...

    @overload
    def generate(
        self,
        prompt: Sequence[str],
        *,
        sampler: Sampler | None = None,
        max_words: int = 20,
        seed: int = 0,
        n: int | None = None,
    ) -> list[Any]: ...

    def generate(
        self,
        prompt: str | Sequence[str] = "",
        *,
        sampler: Sampler | None = None,
        max_words: int = 20,
        seed: int = 0,
        n: int | None = None,
    ) -> str | list[Any]:
        """Continue a prompt (or each of a list of prompts) until `<eos>` or `max_words`.

        Args:
            prompt: the text so far; it is part of the answer.
            sampler: `zoo.Greedy()` (the default), `zoo.Sample(...)`, `zoo.TopK(...)`,
                `zoo.TopP(...)` or `zoo.Beam(...)`.
            max_words: how many tokens to add at most.
            seed: the same seed gives the same text.
            n: how many continuations of each prompt, as a list: of a beam search its best, best
                first; of a sampler that draws so many draws, the first of which is the one text
                that a call without `n` gives for one prompt.

        Raises:
            ZooError: `n` texts of `zoo.Greedy()`, which would be one text `n` times.

        Example:
            >>> import zoo
            >>> kn = zoo.models.NGramLanguageModel.train(["a b c", "a b d"], order=2)
            >>> len(kn.generate("a", n=3, sampler=zoo.Sample()))
            3
        """
        from zoo import decoding

        prompts = checked_texts([prompt] if isinstance(prompt, str) else prompt)
        checked_count("max_words", max_words, MOST_WORDS)
        chosen = sampler or decoding.Greedy()
        chosen, copies = several(chosen, 1 if n is None else n)
        contexts = [self.tokenizer.encode(text) for text in prompts for _ in range(copies)]
        state, last = self._begun(contexts)
        new = np.asarray(self.continued(state, last, chosen, max_words, seed))
        per_row = len(new) // len(contexts) if contexts else 1
        texts = [
            self.tokenizer.decode([*contexts[i // per_row], *map(int, row)])
            for i, row in enumerate(new)
        ]
        if n is None:
            return texts[0] if isinstance(prompt, str) else texts
        lists = [texts[i : i + n] for i in range(0, len(texts), n)]
        return lists[0] if isinstance(prompt, str) else lists

    def _begun(self, contexts: Sequence[Sequence[int]]) -> tuple[ModelState, np.ndarray]:
        """The state before the last token of each context, and that token."""
        ids, lengths = pad([[BOS, *context] for context in contexts])
        return self.consume(ids, lengths - 1), ids[np.arange(len(ids)), lengths - 1]

    def continued(
        self, state: ModelState, first_ids: np.ndarray, sampler: Any, max_words: int, seed: int
    ) -> Tensor:
        """Token ids [batch, max_words] that follow `first_ids`, `<pad>` after `<eos>`.

        A beam search for several texts gives so many rows for each of `first_ids`.
        """
        from zoo import decoding

        return decoding.generate(
            self.step, state, first_ids, sampler, max_words, seed, forbidden_ids=NEVER_GENERATED
        )

    def stream(
        self,
        prompt: str = "",
        *,
        sampler: decoding.Greedy | decoding.Sample | None = None,
        max_words: int = 20,
        seed: int = 0,
    ) -> Iterator[str]:
        """The text that `generate` gives, piece by piece as its words are found.

        The first piece is the prompt; all together are what `generate` returns. A piece comes when
        no later word changes how it is written, so an opened quote waits for its end.

        Args:
            prompt, max_words, seed: as in `generate`.
            sampler: as in `generate`, but no `zoo.Beam`, which knows its words only at the end.

        Example:
            >>> import zoo
            >>> kn = zoo.models.NGramLanguageModel.train(["a b c ."], order=2)
            >>> list(kn.stream("a"))
            ['a', ' b', ' c', '.']
        """
        from zoo import decoding

        (text,) = checked_texts([prompt])
        checked_count("max_words", max_words, MOST_WORDS)
        chosen = sampler or decoding.Greedy()
        if not isinstance(chosen, decoding.Greedy | decoding.Sample):
            raise ZooError(f"{chosen!r} finds all words at once: stream with Greedy or TopP")
        return self._pieces(self.tokenizer.encode(text), chosen, max_words, seed)

    def _pieces(self, ids: list[int], sampler: Any, max_words: int, seed: int) -> Iterator[str]:
        shown = ""
        for token in self._tokens(ids, sampler, max_words, seed):
            text = self.tokenizer.decode(ids)
            settled = text[: self.tokenizer.settled(text)]
            if len(settled) > len(shown) and settled.startswith(shown):
                yield settled[len(shown) :]
                shown = settled
            ids.append(token)
        if rest := self.tokenizer.decode(ids)[len(shown) :]:
            yield rest

    def _tokens(self, ids: Sequence[int], sampler: Any, max_words: int, seed: int) -> Iterator[int]:
        """The tokens that follow, drawn as `generate` draws them."""
        from zoo.decoding.generation import chosen_tokens, uniform_numbers

        state, last = self._begun([ids])
        for uniform in uniform_numbers(1, max_words, seed).T:
            log_probs, state = self.step(last, state)
            last = np.asarray(chosen_tokens(log_probs, sampler, uniform, NEVER_GENERATED))
            if last[0] == EOS:
                return
            yield int(last[0])


def several(sampler: Any, n: int) -> tuple[Any, int]:
    """The sampler that gives `n` texts a row, and how often each prompt is a row."""
    from zoo import decoding

    if checked_count("n", n, MOST_TEXTS) != n:
        raise ZooError(f"n={n!r}: give a whole number from 1 to {MOST_TEXTS}")
    if isinstance(sampler, decoding.Beam):
        return replace(sampler, n_best=n), 1
    if isinstance(sampler, decoding.Greedy) and n > 1:
        raise ZooError(f"n={n!r} texts of Greedy are one text {n} times: use zoo.TopP(0.9) or Beam")
    return sampler, n
