"""A sentence's part follows from its words alone; no part gives another's words away."""

from __future__ import annotations

import hashlib
import itertools
import random

import pytest

from tests.helpers.corpus import english, far_apart, write_data_folder
from training.datasets import load
from training.datasets.splits import NearDuplicates, clean, part_of, shuffled, split, words_of


def distance(first: tuple[str, ...], other: tuple[str, ...]) -> int:
    """Words put in, taken out or changed: the plain table."""
    row = list(range(len(other) + 1))
    for i, word in enumerate(first, 1):
        before, row[0] = row[0], i
        for j, another in enumerate(other, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (word != another))
    return row[-1]


def test_near_duplicates_are_those_of_the_edit_distance():
    rng = random.Random(1)
    texts = [tuple(rng.choices("abc", k=rng.randint(1, 4))) for _ in range(60)]
    for known, asked in itertools.product((texts[:1], texts[:20], []), texts):
        near = any(distance(asked, text) <= 1 for text in known)
        assert (asked in NearDuplicates(known)) == near, (known, asked)


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("He's here!", "he's here"),
        ("Café \u2026", "Cafe\u0301"),
        ("Straße", "STRASSE"),
        (" ?! ", "?!"),
    ],
)
def test_case_marks_and_normal_form_do_not_matter(text, other):
    assert words_of(text) == words_of(other)


def test_the_part_of_a_sentence_never_changes():
    """Sentences that are held out today are held out for good, in any corpus."""
    texts = [f"this is sentence number {k}" for k in range(2000)]
    held = [text for text in texts if part_of(words_of(text)) == "test"]
    assert len(held) == 47
    sums = hashlib.sha256("\n".join(held).encode()).hexdigest()
    assert sums.startswith("dc87357ab2979d46")
    assert [text for text in texts[:300] if part_of(words_of(text)) == "test"] == [
        text for text in held if text in texts[:300]
    ]


def test_no_part_has_a_near_duplicate_in_another_and_order_does_not_matter():
    sentences = [*english(), *(en for en, _ in far_apart([(text, text) for text in english()]))]
    parts = split(sentences)
    assert all(parts)
    for part, other in itertools.combinations(parts, 2):
        assert all(clean(part, other))
        assert all(distance(words_of(a), words_of(b)) > 1 for a in part[:40] for b in other[:40])
    again = sentences[::-1] + sentences[:10]
    assert split(again) == parts
    assert shuffled(sentences, 1) != shuffled(sentences, 2)


def test_a_sentence_is_in_the_same_part_of_every_corpus(tmp_path):
    folder = write_data_folder(tmp_path)
    sentences, pairs = load("tatoeba_en", folder), load("tatoeba_de_en", folder)
    assert {pair.target for pair in pairs.test} == set(sentences.test)
    assert {pair.target for pair in pairs.valid} == set(sentences.valid)


def test_neither_side_of_a_pair_is_near_one_that_is_held_out(tmp_path):
    (tmp_path / "tatoeba").mkdir()
    pairs = far_apart([(text, text) for text in english(300)])
    lines = [f"{en}\t{de}" for en, de in pairs]
    # The same German sentence, or one a word away, under other English sides.
    lines += [f"Indeed it is so that {en}\t{de}" for en, de in pairs]
    lines += [f"Who says that, {en}\tOh {de}" for en, de in pairs]
    (tmp_path / "tatoeba" / "deu-eng.tsv").write_text("\n".join(lines), encoding="utf-8")
    for name in ("tatoeba_de_en", "tatoeba_en_de"):
        corpus = load(name, tmp_path)
        held = [*corpus.valid, *corpus.test]
        assert held
        for side in ("source", "target"):
            texts = [getattr(pair, side) for pair in held]
            assert all(clean(texts, [getattr(pair, side) for pair in corpus.train]))
        assert len({pair.source for pair in held}) == len(held)
        assert all(pair.target in pair.references for pair in held)
    german = {pair.source: pair for pair in load("tatoeba_de_en", tmp_path).test}
    assert any(len(pair.references) == 2 for pair in german.values())
