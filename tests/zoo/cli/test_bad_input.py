"""Odd input at every verb: an answer, or one line on stderr and exit code 2; never a traceback."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.helpers.models import language_model
from zoo.cli.main import main
from zoo.models import NGramLanguageModel

KINDS = {"network": ["next", "a"], "cloze": ["fill", "a ___"], "counts": ["next", "a"]}
ODD_TEXTS = {"empty": "", "unknown": "qqq zzz", "long": "the cat " * 5_000, "nul": "a\0b the"}
NOT_TEXT = {
    "latin-1": (b"caf\xe9\n", "is not UTF-8"),
    "utf-16": ("the cat\n".encode("utf-16"), "is not UTF-8"),
    "nul": (b"the\0cat\n", "holds NUL characters: not a text file"),
}


@pytest.fixture(scope="module")
def presets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("presets")
    language_model("lstm_tied").save_to_preset(folder / "network")
    language_model("bidirectional").save_to_preset(folder / "cloze")
    counts = NGramLanguageModel.train(["the cat is small", "a dog"], order=2)
    counts.save_to_preset(folder / "counts")
    return folder


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one line that a command says before it exits with 2."""
    capsys.readouterr()
    assert main([str(word) for word in arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    return captured.err


@pytest.mark.parametrize("text", ODD_TEXTS.values(), ids=ODD_TEXTS)
@pytest.mark.parametrize("verb", ["next", "score", "rank", "generate"])
def test_odd_texts_are_answered(verb, text, presets, capsys):
    assert main([verb, text, "--preset", str(presets / "counts"), "--json"]) == 0
    (row,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert "text" in row


@pytest.mark.parametrize(("content", "message"), NOT_TEXT.values(), ids=NOT_TEXT)
def test_files_that_are_no_text_are_refused_by_every_verb(
    content, message, presets, tmp_path, capsys
):
    file, counts = tmp_path / "file.txt", presets / "counts"
    file.write_bytes(content)
    for verb in ("next", "score", "rank"):
        assert message in refused(capsys, verb, "--file", file, "--preset", counts)
    assert message in refused(capsys, "evaluate", counts, "--data", file)
    for config in ("lstm_tatoeba_en", "kn5_tatoeba_en"):
        train = ["train", config, "--set", f"data.name={file}", "--out", tmp_path / "out"]
        assert message in refused(capsys, *train)


def test_a_blank_line_has_an_answer_without_words(presets, tmp_path, capsys):
    (tmp_path / "text").write_bytes(b"\xef\xbb\xbfa ___\r\n\r\nthe ___\n")
    for flags in ([], ["--json"]):
        arguments = ["fill", "--file", tmp_path / "text", "--preset", presets / "cloze", *flags]
        assert main(list(map(str, arguments))) == 0
        out = capsys.readouterr().out
    rows = [json.loads(line) for line in out.splitlines()]
    assert [row["text"] for row in rows] == ["a ___", "", "the ___"]
    assert [bool(row["words"]) for row in rows] == [True, False, True]


def test_corpora_without_text_are_refused(presets, tmp_path, capsys):
    for name, content in (("empty", b""), ("mark", b"\xef\xbb\xbf"), ("blank", b"\n\r\n")):
        data = tmp_path / name
        data.write_bytes(content)
        assert "empty" in refused(capsys, "evaluate", presets / "counts", "--data", data)
        for config in ("lstm_tatoeba_en", "kn5_tatoeba_en"):
            train = ["train", config, "--set", f"data.name={data}", "--out", tmp_path / "out"]
            assert "empty" in refused(capsys, *train)


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_presets_are_refused(kind, presets, tmp_path, capsys):
    """Each file of the directory missing, and each cut in half."""
    whole = presets / kind
    files = [f.relative_to(whole) for f in whole.rglob("*") if f.is_file() and f.suffix != ".md"]
    assert len(files) >= 4
    for file in files:
        copy = shutil.copytree(whole, tmp_path / "copy")
        content = (copy / file).read_bytes()
        (copy / file).write_bytes(content[: len(content) // 2])
        refused(capsys, *KINDS[kind], "--preset", copy)
        (copy / file).unlink()
        refused(capsys, *KINDS[kind], "--preset", copy)
        shutil.rmtree(copy)


@pytest.mark.parametrize("command", ["evaluate DIR --data FILE", "export DIR --out OUT",
                                     "gradients DIR", "next a --preset DIR"])  # fmt: skip
def test_another_versions_presets_are_refused_by_every_verb(command, presets, tmp_path, capsys):
    preset = shutil.copytree(presets / "network", tmp_path / "preset")
    content = json.loads((preset / "config.json").read_text(encoding="utf-8"))
    (preset / "config.json").write_text(json.dumps(content | {"format": 9}), encoding="utf-8")
    (tmp_path / "text").write_text("the cat\n", encoding="utf-8")
    places = {"DIR": preset, "FILE": tmp_path / "text", "OUT": tmp_path / "out"}
    message = refused(capsys, *[places.get(word, word) for word in command.split()])
    assert "preset format 9, this version reads 1" in message
