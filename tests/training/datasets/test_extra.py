"""Further training pairs: read, kept apart from what is held out, tagged."""

from __future__ import annotations

import json

import pytest

from training.config import DataConfig
from training.datasets.corpus import Corpus, Pair
from training.datasets.extra import TAG, with_extra
from zoo.errors import ZooError

CORPUS = Corpus(
    "toy",
    [Pair("Ja.", "Yes.")],
    [Pair("Wir gehen heute nach Hause.", "We go home today.")],
    [Pair("Der Hund ist dort.", "The dog is there.")],
)


def pairs(corpus: Corpus) -> list[tuple[str, str]]:
    return [(pair.source, pair.target) for pair in corpus.train]


def test_pairs_near_to_held_out_ones_are_left_out(tmp_path):
    file = tmp_path / "extra.tsv"
    lines = ["Er kommt.\tHe comes.", "Er kommt.\tHe comes.", "Wir gehen heute.\tWe go home, today!",
             "der hund war dort\tA dog", "\tnothing", ""]  # fmt: skip
    file.write_text("\n".join(lines), encoding="utf-8")
    found = with_extra(CORPUS, DataConfig(name="toy", extra=str(file), extra_tag=False))
    assert pairs(found) == [("Ja.", "Yes."), ("Er kommt.", "He comes.")]
    assert (found.valid, found.test) == (CORPUS.valid, CORPUS.test)


def test_back_translations_are_turned_around_and_tagged(tmp_path):
    file = tmp_path / "back.jsonl"
    row = {"text": "He comes.", "translations": [{"text": "Er kommt.", "score": -1.0}]}
    file.write_text(json.dumps(row) + "\n", encoding="utf-8")
    found = with_extra(CORPUS, DataConfig(name="toy", extra=str(file)))
    assert pairs(found)[1:] == [(f"{TAG} Er kommt.", "He comes.")]
    file.write_text('{"text": "He comes."}\n', encoding="utf-8")
    with pytest.raises(ZooError, match="line 1: .* is not an answer of zoo translate --json"):
        with_extra(CORPUS, DataConfig(name="toy", extra=str(file)))


def test_no_file_no_pairs(tmp_path):
    assert with_extra(CORPUS, DataConfig(name="toy")) is CORPUS
    file = tmp_path / "extra.tsv"
    file.write_text("no tab here\n", encoding="utf-8")
    with pytest.raises(ZooError, match="is not source TAB target"):
        with_extra(CORPUS, DataConfig(name="toy", extra=str(file)))
