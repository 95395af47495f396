"""What `Tokenizer.settled` calls settled is never written otherwise, whatever tokens follow."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.text import SubwordTokenizer, WordTokenizer
from zoo.text.detokenization import RULES, join_tokens, settled_length

TOKENS = [
    *("the", "p", "m", "u", "s", "e", "g", "n", "'t", "n't", "und", "oder", "5", "30", "2", "$"),
    *('"', "'", "„", "“", "”", "«", "»", "-", "/", ".", ",", ":", "(", ")", "!", "¿"),
]


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(TOKENS), max_size=12))
def test_settled_text_stays(tokens):
    whole = join_tokens(tokens, RULES)
    for end in range(len(tokens)):
        text = join_tokens(tokens[:end], RULES)
        settled = text[: settled_length(text)]
        assert whole.startswith(settled), (settled, whole)


def test_most_text_is_settled_at_once():
    for text in ("I would like", "he isn't here, is he", 'she said "no" to him', "at 5 p.m. today"):
        assert settled_length(text) == len(text)


def test_tokenised_text_is_all_settled():
    corpus = ["the cat 's tail -"]
    assert WordTokenizer.train(corpus, split="whitespace").settled('" -') == 3
    assert SubwordTokenizer.train(corpus, size=40).settled('" -') == 0
