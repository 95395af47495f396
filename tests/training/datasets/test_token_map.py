"""Text that is not held: read in pieces, tokenised once, shuffled by arithmetic."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.corpus import english
from training.config import RunConfig, checked
from training.datasets import load, text_files
from training.datasets.text_files import Piece, TextFiles
from training.datasets.token_map import TokenMap, count_words, key_of, token_map
from training.tasks.language_model import LanguageModelTask
from training.tasks.shuffling import Permutation, map_batches, map_widths
from zoo.errors import ZooError
from zoo.text import EOS, WordTokenizer

SENTENCES = english(140)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sentences in three files, as people's files are."""
    folder = tmp_path_factory.mktemp("shards")
    first, second, third = SENTENCES[:50], SENTENCES[50:90], SENTENCES[90:]
    (folder / "train-0.txt").write_bytes(b"\xef\xbb\xbf" + "\r\n".join(first).encode())
    (folder / "train-1.txt").write_text("\n".join(second) + "\n", encoding="utf-8")
    with gzip.open(folder / "train-2.txt.gz", "wt", encoding="utf-8") as file:
        file.write("\n".join(third))
    for name in ("valid", "test"):
        (folder / f"{name}.txt").write_text("\n".join(SENTENCES[:9]), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def text(folder: Path) -> TextFiles:
    return text_files.text_files([str(folder / "train-?.txt"), str(folder / "*.gz")])


@pytest.fixture(scope="module")
def tokenizer() -> WordTokenizer:
    return WordTokenizer.train(SENTENCES)


@pytest.fixture(scope="module")
def mapped(text: TextFiles, tokenizer: WordTokenizer, folder: Path) -> TokenMap:
    return token_map(text, tokenizer, folder / "maps")


def lines_of(pieces: list[Piece]) -> list[str]:
    return [line for piece in pieces for lines in piece.blocks() for line in lines]


@settings(max_examples=20, deadline=None)
@given(size=st.integers(20, 900), block=st.integers(5, 300))
def test_pieces_of_any_size_hold_each_line_once(text, size, block):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("training.datasets.text_files.BLOCK", block)
        assert lines_of(text.pieces(size)) == SENTENCES == list(text)


def test_what_cannot_be_read_is_named(tmp_path):
    with pytest.raises(ZooError, match="no file"):
        text_files.text_files(str(tmp_path / "*.gz"))
    cut = tmp_path / "cut.txt.gz"
    cut.write_bytes(gzip.compress(b"a b c\n" * 99)[:30])
    with pytest.raises(ZooError, match="cut.txt.gz"):
        list(TextFiles((cut,)))
    (tmp_path / "odd.txt").write_bytes(b"caf\xe9\n")
    with pytest.raises(ZooError, match=r"odd.txt is not UTF-8"):
        list(TextFiles((tmp_path / "odd.txt",)))


def test_a_map_holds_what_the_tokenizer_gives(mapped, tokenizer):
    expected = [tokenizer.encode(sentence) for sentence in SENTENCES]
    assert [row.tolist() for row in mapped] == expected
    flat = [i for row in expected for i in (*row, EOS)]
    assert mapped.stream.tolist() == flat
    assert isinstance(mapped.stream, np.memmap)
    counts = np.bincount([min(len(row) + 1, 6) for row in expected], minlength=7)
    assert mapped.counted_lengths(6).tolist() == counts.tolist()


def test_a_map_is_made_once_for_a_text_and_a_tokenizer(text, tokenizer, mapped, monkeypatch):
    monkeypatch.setattr("training.datasets.token_map._write", None)
    again = token_map(text, tokenizer, mapped.folder.parent)
    assert again.folder == mapped.folder
    other = WordTokenizer.train(SENTENCES, size=20)
    assert key_of(text, other) != key_of(text, tokenizer)
    assert key_of(TextFiles(text.paths[:2]), tokenizer) != key_of(text, tokenizer)


def test_a_map_that_fails_leaves_nothing(text, tmp_path):
    class Failing(WordTokenizer):
        def encode(self, line):
            if "garden" in line:
                raise ZooError("no")
            return super().encode(line)

    with pytest.raises(ZooError, match="no"):
        token_map(text, Failing.train(SENTENCES), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_words_are_counted_in_processes_as_in_this_one(text, tokenizer, monkeypatch, tmp_path):
    """Two processes: a core alone would take the other way."""
    here = count_words(text, tokenizer)
    monkeypatch.setattr("training.datasets.token_map.LEAST_FOR_PROCESSES", 1)
    monkeypatch.setattr("training.datasets.token_map.usable_cores", lambda: 2)
    assert count_words(text, tokenizer) == here
    assert here["the"] == sum(tokenizer.tokenize(s).count("the") for s in SENTENCES)


@given(count=st.integers(1, 3000), seed=st.integers(0, 99))
def test_a_permutation_has_each_place_once(count, seed):
    order = Permutation(count, [seed])
    places = order.at(np.arange(count))
    assert sorted(places.tolist()) == list(range(count))
    if count > 50:
        assert (places != Permutation(count, [seed, 1]).at(np.arange(count))).any()
        assert (np.diff(places) == 1).sum() < count / 10


@pytest.mark.parametrize("batch_size", [1, 6])
def test_batches_of_a_map_hold_each_sentence_once(batch_size, mapped, tokenizer, monkeypatch):
    monkeypatch.setattr("training.tasks.shuffling.POOL", 4)
    widths = map_widths(mapped, 80)
    batches = list(map_batches(mapped, batch_size, 80, [1, 0], widths))
    assert len(batches) == -(-len(mapped) // batch_size)
    assert len({batch["inputs"].shape for batch in batches}) <= 8
    found = [
        targets[: int(weights.sum()) - 1].tolist()
        for batch in batches
        for targets, weights in zip(batch["targets"], batch["weights"], strict=True)
        if weights.any()
    ]
    assert sorted(found) == sorted(tokenizer.encode(sentence) for sentence in SENTENCES)
    for done in (3, 4, 9):
        later = list(map_batches(mapped, batch_size, 80, [1, 0], widths, done))
        assert len(later) == len(batches) - done
        for one, other in zip(later, batches[done:], strict=True):
            np.testing.assert_array_equal(one["targets"], other["targets"])
    other = list(map_batches(mapped, batch_size, 80, [1, 1], widths))
    assert any((a["targets"].shape != b["targets"].shape) or (a["targets"] != b["targets"]).any()
               for a, b in zip(batches, other, strict=True))  # fmt: skip


@pytest.mark.parametrize("stream", [False, True])
def test_a_task_on_shards_sees_each_token_once(stream, folder, tmp_path):
    """The same vocabulary and the same tokens, a map on disk in place of lists."""
    mapping = {
        "name": "sharded",
        "data": {"name": str(folder), "map_dir": str(tmp_path)},
        "model": {
            "class": "RecurrentLanguageModel",
            "units": 3,
            "embedding_dim": 3,
            "num_layers": 1,
        },
        "training": {"batch_size": 4, "time_steps": 5, "stream": stream},
    }
    config = checked(RunConfig, mapping, "test")
    corpus = load(str(folder), None, "sentences")
    assert isinstance(corpus.train, TextFiles)
    task = LanguageModelTask(config, corpus)
    assert task.model.tokenizer.vocabulary == WordTokenizer.train(SENTENCES).vocabulary
    batches = list(task.batches(0))
    assert len(batches) == task.steps_per_epoch()
    counted = sum(int(batch["weights"].sum()) for batch in batches)
    assert counted == sum(len(task.model.tokenizer.encode(s)) + 1 for s in SENTENCES)
    later = next(task.batches_from(0, 3))
    np.testing.assert_array_equal(later["targets"], batches[3]["targets"])
