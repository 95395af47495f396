"""Corpora: the same examples by reader and by TFDS builder, clean splits, clear refusals."""

from __future__ import annotations

import pytest

from tests.helpers.corpus import write_data_folder
from training.datasets import SOURCES, load
from training.datasets.load import REVERSED
from zoo.errors import ZooError


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    return write_data_folder(tmp_path_factory.mktemp("data"))


@pytest.mark.parametrize("name", [*SOURCES, *REVERSED])
def test_each_corpus_has_three_splits(name, data_dir):
    corpus = load(name, data_dir)
    assert all([corpus.train, corpus.valid, corpus.test])
    assert corpus.licence


def test_own_files_and_folders(tmp_path):
    file = tmp_path / "mine.txt"
    file.write_bytes(b"one two\r\nthree\n\n")
    assert load(str(file)).test == ["one two", "three"]
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("eins\tone\n", encoding="utf-8")
    assert load(str(pairs)).test[0].target == "one"
    for part in ("train", "valid", "test"):
        (tmp_path / f"{part}.txt").write_text(part, encoding="utf-8")
    corpus = load(str(tmp_path))
    assert (corpus.train, corpus.test) == (["train"], ["test"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"caf\xe9\n", "not UTF-8"),
        (b"a\x00b\n", "NUL"),
        (b"a\tb\n\nno tab\n", "1 of 2 lines have a tab; say what .*kind='sentences'.*'pairs'"),
    ],
)
def test_damaged_files_are_refused(content, message, tmp_path):
    path = tmp_path / "bad.txt"
    path.write_bytes(content)
    with pytest.raises(ZooError, match=message):
        load(str(path))


def test_missing_data_names_the_file_and_the_address(tmp_path):
    with pytest.raises(ZooError, match="eng.txt is missing.*--data-dir.*manythings"):
        load("tatoeba_en", tmp_path)
    with pytest.raises(ZooError, match="no data set or file 'nothing'.*tatoeba_en"):
        load("nothing")


def test_parallel_files_of_different_length_are_refused(data_dir, tmp_path):
    write_data_folder(tmp_path)
    with (tmp_path / "multi30k" / "train.en").open("a", encoding="utf-8") as file:
        file.write("One more.\n")
    with pytest.raises(ZooError, match=r"train.de has 300 lines, .*train.en has 301"):
        load("multi30k_de_en", tmp_path)


def test_a_tab_is_white_space_to_a_language_model_and_between_pairs_to_a_translator(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("1.\tOne two.\nThree.\n", encoding="utf-8")
    assert load(str(path), kind="sentences").train == ["1.\tOne two.", "Three."]
    with pytest.raises(ZooError, match=r"text.txt, line 2: 'Three.' has no tab between source"):
        load(str(path), kind="pairs")
    path.write_text("eins\tone\n\nzwei\ttwo\n", encoding="utf-8")
    assert [pair.target for pair in load(str(path), kind="pairs").train] == ["one", "two"]
    assert load(str(path)) == load(str(path), kind="pairs")


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("multi30k_en_de", "sentences", "holds sentence pairs, for translators"),
        ("tatoeba_en", "pairs", "holds no sentence pairs; a translation needs them"),
    ],
)
def test_a_named_corpus_of_the_other_kind_is_refused_before_it_is_read(name, kind, message):
    with pytest.raises(ZooError, match=message):
        load(name, "no such folder", kind)


def test_a_byte_order_mark_and_other_line_ends_of_a_download_change_nothing(tmp_path, monkeypatch):
    from training.datasets.fetch import download

    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    (tmp_path / "deu.txt").write_bytes("\ufeffGo\u2028 on.\tGeh.\r\nRun.\tLauf.\n".encode())

    class Manager:
        def download_and_extract(self, url):
            return tmp_path

    folder = download(SOURCES["tatoeba_de_en"], Manager())
    content = (folder / "tatoeba/deu-eng.tsv").read_text(encoding="utf-8")
    assert content == "Go\u2028 on.\tGeh.\nRun.\tLauf.\n"
    folder = download(SOURCES["tatoeba_en"], Manager())
    assert (folder / "tatoeba/eng.txt").read_text(encoding="utf-8") == "Go\u2028 on.\nRun.\n"
