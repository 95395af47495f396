"""Minimal pairs: 200 in eight kinds, a word apart; right where the right one is likelier."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.helpers.models import language_model
from training.tasks.minimal_pairs import as_read, evaluate_minimal_pairs, minimal_pairs
from zoo.errors import ZooError
from zoo.models import NGramLanguageModel
from zoo.text import WordTokenizer


def test_there_are_200_and_each_differs_in_one_word():
    pairs = minimal_pairs()
    assert len(set(pairs)) == 200
    assert min(Counter(pair.kind for pair in pairs).values()) >= 15
    for _, right, wrong in pairs:
        words = list(zip(right.split(), wrong.split(), strict=True))
        assert sum(one != other for one, other in words) == 1, right
        assert right[0].isupper()
        assert right[-1] in ".?"


def test_who_has_read_the_right_ones_is_right_and_the_wrong_ones_wrong():
    pairs = minimal_pairs()
    words = WordTokenizer.train([text for pair in pairs for text in pair[1:]])
    for column, expected in ((1, 1.0), (2, 0.0)):
        seen = [pair[column] for pair in pairs]
        counts = NGramLanguageModel.train(seen, 5, "add_k", k=1e-6, tokenizer=words)
        rows = list(evaluate_minimal_pairs(counts))
        assert [row["kind"] for row in rows][:2] == ["all", "subject and verb"]
        assert rows[0] == {"metric": "accuracy", "kind": "all", "value": expected, "count": 200}
        assert sum(row["count"] for row in rows[1:]) == 200


def test_a_tokenised_corpus_has_its_marks_apart():
    counts = NGramLanguageModel.train(["a b ."], 2, tokenizer="whitespace")
    assert as_read(counts, "Is it, or isn't it?") == "Is it , or isn't it ?"
    assert as_read(language_model("lstm_tied"), "Is it?") == "Is it?"


def test_a_model_that_scores_no_sentences_is_refused():
    with pytest.raises(ZooError, match="BidirectionalLanguageModel lacks"):
        next(evaluate_minimal_pairs(language_model("bidirectional")))
