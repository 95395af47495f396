"""Loading a tokenizer: each file is read once, and each word is looked at once."""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path

import pytest

import zoo.text
from zoo.errors import ZooError
from zoo.text import SubwordTokenizer, WordTokenizer, load_tokenizer, vocabulary

SENTENCES = ["the cat is small", "a dog is big"]


@pytest.fixture
def opened(monkeypatch):
    """How often each file was opened, by name."""
    names: Counter[str] = Counter()
    original = io.open

    def counting(file, *arguments, **keywords):
        names[Path(file).name] += 1
        return original(file, *arguments, **keywords)

    monkeypatch.setattr("io.open", counting)
    monkeypatch.setattr("builtins.open", counting)
    return names


@pytest.mark.parametrize("cls", [WordTokenizer, SubwordTokenizer])
@pytest.mark.parametrize("by_class", [False, True])
def test_each_file_is_opened_once_and_each_word_checked_once(
    cls, by_class, tmp_path, opened, monkeypatch
):
    saved = cls.train(SENTENCES)
    saved.save(tmp_path)
    opened.clear()
    checked: Counter[str] = Counter()
    is_storable = vocabulary.is_storable

    def counting(word):
        checked[word] += 1
        return is_storable(word)

    monkeypatch.setattr(vocabulary, "is_storable", counting)
    loaded = cls.load(tmp_path) if by_class else load_tokenizer(tmp_path)
    assert opened == {"tokenizer.json": 1, "vocabulary.txt": 1}
    assert checked == Counter(saved.vocabulary)
    assert loaded.vocabulary == saved.vocabulary


def test_a_class_loads_its_own_files_only(tmp_path):
    WordTokenizer.train(SENTENCES).save(tmp_path)
    with pytest.raises(ZooError, match="holds a 'WordTokenizer', not a SubwordTokenizer"):
        SubwordTokenizer.load(tmp_path)


def test_the_list_of_classes_is_fixed():
    assert {
        "WordTokenizer": WordTokenizer,
        "SubwordTokenizer": SubwordTokenizer,
    } == zoo.text.TOKENIZERS


def test_a_vocabulary_of_a_vocabulary_is_itself():
    tokenizer = WordTokenizer.train(SENTENCES)
    assert WordTokenizer(tokenizer.vocabulary, lowercase=False).vocabulary is tokenizer.vocabulary
