"""What the n-gram tests share: KenLM's corpus and random small ones, probabilities word by word."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from tests.reference.ngram import Reference
from zoo.models.ngram import NGramLanguageModel
from zoo.text import BOS, EOS, UNK

DATA = Path(__file__).parents[1] / "zoo" / "ngrams" / "data"
WORDS = st.sampled_from(["a", "b", "c", "d", "<unk>"])
SENTENCES = st.lists(st.lists(WORDS, max_size=6).map(tuple), min_size=1, max_size=12)
NAMES = {UNK: "<unk>", BOS: "<s>", EOS: "</s>"}


def lines_of(name: str) -> list[str]:
    """The lines of a file beside the tests."""
    return (DATA / name).read_text(encoding="utf-8").splitlines()


def trained(sentences: list[tuple[str, ...]], order: int, **options: object) -> NGramLanguageModel:
    """A model of sentences of words."""
    texts = [" ".join(sentence) for sentence in sentences]
    return NGramLanguageModel.train(texts, order, tokenizer="whitespace", **options)


def assert_same_distributions(
    model: NGramLanguageModel, reference: Reference, histories: list[tuple[str, ...]]
) -> None:
    """Every word's score after each history is the reference's, and nothing else has any."""
    vocabulary = model.tokenizer.vocabulary
    for given in histories:
        history = tuple(word if word in vocabulary else "<unk>" for word in given)
        state = model.initial_state(1)
        for word in ("<bos>", *history):
            known = model.tokenizer.encode(word)[0] if word != "<bos>" else BOS
            values, state = model.step(np.array([known]), state)
        scores = np.exp(values[0].astype(np.float64))
        wanted = [
            reference.prob(NAMES.get(i, word), ("<s>", *history))
            if NAMES.get(i, word) in reference.vocabulary
            else 0.0
            for i, word in enumerate(vocabulary)
        ]
        total = math.fsum(wanted)
        scale = total if not model.is_normalised else 1.0
        np.testing.assert_allclose(scores, np.array(wanted) / scale, rtol=2e-5, atol=1e-9)
