"""The corpora as TensorFlow Datasets, and data sets of TFDS as corpora."""

from __future__ import annotations

import gzip
import sys

import pytest
import tensorflow_datasets as tfds

from tests.helpers.corpus import write_data_folder
from training.datasets import SOURCES, load
from training.datasets.fetch import download
from training.datasets.load import REVERSED
from training.datasets.tfds_corpus import any_corpus, prepared
from zoo.errors import ZooError


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    return write_data_folder(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def folder(data_dir, tmp_path_factory):
    """Where the builders' records are: each corpus prepared once."""
    folder = tmp_path_factory.mktemp("tfds")
    for name in SOURCES:
        prepared(name, str(folder), data_dir)
    prepared("tatoeba_de_en", str(folder), data_dir, "en_de")
    return folder


@pytest.mark.parametrize("name", SOURCES)
def test_a_builder_gives_the_readers_examples(name, data_dir, folder):
    assert prepared(name, str(folder), data_dir) == load(name, data_dir)


def test_tfds_load_gives_an_example_a_record(folder, data_dir):
    corpus = load("tatoeba_de_en", data_dir)
    tenth = tfds.load(
        "tatoeba_de_en", split="validation[:50%]", as_supervised=True, data_dir=str(folder)
    )
    pairs = [(de.decode(), en.decode()) for de, en in tfds.as_numpy(tenth)]
    assert abs(len(pairs) - len(corpus.valid) / 2) <= 1
    assert pairs == [(pair.source, pair.target) for pair in corpus.valid[: len(pairs)]]
    other = tfds.load("tatoeba_de_en/en_de", split="test", data_dir=str(folder))
    record = next(iter(tfds.as_numpy(other)))
    first = load("tatoeba_en_de", data_dir).test[0]
    assert record["source"].decode() == first.source
    assert [text.decode() for text in record["references"]] == list(first.references)
    info = tfds.builder("tatoeba_en", data_dir=str(folder)).info
    assert set(info.splits) == {"train", "validation", "test"}
    assert info.citation
    assert info.splits["train"].num_examples == len(load("tatoeba_en", data_dir).train)


def test_any_data_set_of_texts_or_pairs_is_a_corpus(folder, data_dir):
    pairs = any_corpus("tfds:tatoeba_de_en/en_de", folder)
    expected = load("tatoeba_en_de", data_dir)
    assert [(p.source, p.target) for p in pairs.test] == [
        (p.source, p.target) for p in expected.test
    ]
    assert load("tfds:ptb", folder).valid == load("ptb", data_dir).valid
    with pytest.raises(ZooError, match="no_such_set"):
        load("tfds:no_such_set", folder)


class Downloads:
    """A download manager whose files lie in a folder."""

    def __init__(self, folder):
        self.folder = folder
        self.asked = []

    def download(self, url):
        self.asked.append(url)
        return self.folder / url.rpartition("/")[2]

    def download_and_extract(self, url):
        return self.folder


def test_packed_files_are_unpacked(tmp_path, monkeypatch, data_dir):
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    source = SOURCES["multi30k_de_en"]
    for file in source.files:
        content = gzip.compress((data_dir / file).read_bytes())
        (tmp_path / f"{file.rpartition('/')[2]}.gz").write_bytes(content)
    manager = Downloads(tmp_path)
    found = download(source, manager)
    assert all(url.endswith(".gz") for url in manager.asked)
    for file in source.files:
        assert (found / file).read_bytes() == (data_dir / file).read_bytes()


@pytest.mark.parametrize("name", REVERSED)
def test_the_other_direction_without_a_data_folder(name, folder, data_dir, monkeypatch):
    module = sys.modules["training.datasets.load"]  # the package's name is the function
    monkeypatch.setattr(module, "check_reachable", lambda url: None)
    monkeypatch.setattr(
        "training.datasets.tfds_corpus.prepared",
        lambda name, **options: prepared(name, str(folder), data_dir, **options),
    )
    assert load(name) == load(name, data_dir)
