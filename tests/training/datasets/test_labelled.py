"""Data with labels: columns, tabs, languages; what is wrong is named by its line."""

from __future__ import annotations

import pytest

from tests.helpers.corpus import write_data_folder
from training.datasets import load
from training.datasets.labelled import LabelledText, TaggedWords
from zoo.errors import ZooError

CONLL = """-DOCSTART- -X- -X- O

EU NNP B-NP B-ORG
rejects VBZ B-VP O
# NN B-NP O

Jane\tNNP\tB-PER
"""
CONLL_U = """# sent_id = 1
1-2\tdu\t_\t_\t_\t_\t_\t_\t_\t_
1\tde\tde\tADP\t_\t_\t0\tcase\t_\t_
2\tNew York\tle\tPROPN\t_\t_\t1\tdet\t_\t_
2.1\tx\tx\tX\t_\t_\t_\t_\t_\t_
"""


def written(path, text):
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_columns(tmp_path):
    corpus = load(written(tmp_path / "a.conll", CONLL), None, "tagged")
    assert corpus.train == corpus.test == [
        TaggedWords(("EU", "rejects", "#"), ("B-ORG", "O", "O")),
        TaggedWords(("Jane",), ("B-PER",)),
    ]  # fmt: skip
    universal = load(written(tmp_path / "a.conllu", CONLL_U), None, "tagged")
    assert universal.train == [TaggedWords(("de", "New York"), ("ADP", "PROPN"))]


def test_folders_with_a_file_a_split(tmp_path):
    for part in ("train", "valid", "test"):
        written(tmp_path / f"{part}.tsv", f"good\tthe {part}\n\nbad\ta\ttab\n")
    corpus = load(str(tmp_path), None, "labelled")
    assert corpus.valid == [LabelledText("the valid", "good"), LabelledText("a\ttab", "bad")]
    with pytest.raises(ZooError, match=r"train\.conll"):
        load(str(tmp_path), None, "tagged")


@pytest.mark.parametrize(
    ("name", "kind", "text", "message"),
    [
        ("a.conll", "tagged", "EU B-ORG\nrejects\n", "line 2: 'rejects' has no word and label"),
        ("a.conllu", "tagged", "1\tde\tADP\n", "line 1: .* has no word and label"),
        ("a.tsv", "labelled", "good\tyes\nno tab\n", "line 2: 'no tab'; write label TAB text"),
        ("a.tsv", "labelled", "\tno label\n", "line 1"),
    ],
)
def test_lines_without_labels(name, kind, text, message, tmp_path):
    with pytest.raises(ZooError, match=message):
        load(written(tmp_path / name, text), None, kind)


def test_a_corpus_of_pairs_is_one_of_languages(tmp_path):
    folder = write_data_folder(tmp_path, 60)
    pairs = load("tatoeba_de_en", folder)
    corpus = load("tatoeba_de_en", folder, "labelled")
    assert {example.label for example in corpus.train} == {"de", "en"}
    expected = {LabelledText(pair.source, "de") for pair in pairs.test}
    expected |= {LabelledText(pair.target, "en") for pair in pairs.test}
    assert set(corpus.test) == expected
    assert len(corpus.test) == len(expected)  # each once
    assert corpus.licence == pairs.licence


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("tatoeba_en", "labelled", "tatoeba_en holds no labels; give a file of label TAB text"),
        ("tatoeba_de_en", "tagged", "holds no labels; give a file of CoNLL columns"),
        ("nothing", "tagged", "no data set or file 'nothing'"),
    ],
)
def test_data_without_labels(name, kind, message):
    with pytest.raises(ZooError, match=message):
        load(name, None, kind)
