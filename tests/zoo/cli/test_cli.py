"""The `zoo` command: its JSON keys, its exit codes, one line for every mistake."""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import subprocess
import sys
import types

import pytest

from tests.helpers.models import language_model
from zoo.cli.main import main
from zoo.cli.texts import text_chunks
from zoo.presets.store import shipped_presets
from zoo.quiet import import_quietly


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli") / "lm"
    language_model("lstm_tied").save_to_preset(folder, info={"description": "toy"})
    return str(folder)


@pytest.fixture(scope="module")
def cloze_preset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli") / "bi"
    language_model("bidirectional").save_to_preset(folder)
    return str(folder)


@pytest.fixture
def zoo_json(capsys):
    def run(*arguments, code=0):
        assert main([*arguments, "--json"]) == code
        captured = capsys.readouterr()
        if code:
            assert captured.err.count("\n") == 1
            return captured.err
        return [json.loads(line) for line in captured.out.splitlines()]

    return run


def test_list_has_the_designs_keys(zoo_json):
    for row in zoo_json("list"):
        assert list(row) == ["name", "description", "parameters", "data", "licence", "metrics"]


def test_list_is_a_table_in_a_terminal_and_lines_in_a_pipe(capsys, monkeypatch):
    assert main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(shipped_presets())
    assert "lstm_tatoeba_en: LSTM language model" in "\n".join(lines)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "120")
    assert main(["list"]) == 0
    shown = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    head, *rows = shown.splitlines()
    assert head.split() == ["preset", "what", "parameters", "figure"]
    assert any(row.split()[0] == "lstm_tatoeba_en" and "perplexity 21.5" in row for row in rows)


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (["nxt", "the"], "next"),
        (["next", "the", "--preset", "lstm_tatoeba"], "lstm_tatoeba_en"),
        (["generate", "the", "--sampler", "topk"], "top_k"),
        (["train", "gru_tatoeba"], "gru_tatoeba_en"),
        (["train", "gru_tatoeba_en", "--set", "data.name=tatoeba_eng"], "tatoeba_en"),
    ],
)
def test_a_misspelt_name_is_guessed(arguments, meant, capsys):
    try:
        code = main(arguments)
    except SystemExit as ended:  # argparse's own
        code = ended.code
    assert code == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"did you mean '{meant}'?" in said


def test_next(zoo_json, preset):
    (row,) = zoo_json("next", "the cat", "--preset", preset, "-k", "4")
    assert row["text"] == "the cat"
    assert [list(word) for word in row["words"]] == [["word", "probability"]] * 4
    assert sum(word["probability"] for word in row["words"]) <= 1


def test_score_and_rank(zoo_json, preset, tmp_path):
    file = tmp_path / "texts.txt"
    file.write_bytes("the cat\r\n\nGrüße an alle\n".encode())
    rows = zoo_json("score", "--file", str(file), "--preset", preset)
    assert [row["text"] for row in rows] == ["the cat", "", "Grüße an alle"]
    assert list(rows[0]) == ["text", "log_prob", "tokens", "oov", "perplexity"]
    ranked = zoo_json("rank", "the cat", "the the the the", "--preset", preset)
    assert [row["rank"] for row in ranked] == [1, 2]
    assert ranked[0]["log_prob"] >= ranked[1]["log_prob"]


def test_score_of_words(zoo_json, preset, capsys):
    (row,) = zoo_json("score", "the cat qqq", "--tokens", "--preset", preset)
    assert [list(word) for word in row["words"]] == [["word", "log_prob", "oov"]] * 4
    assert [word["word"] for word in row["words"]] == ["the", "cat", "qqq", "<eos>"]
    assert [word["oov"] for word in row["words"]] == [False, False, True, False]
    assert sum(word["log_prob"] for word in row["words"]) == pytest.approx(row["log_prob"])
    assert main(["score", "the cat qqq", "--tokens", "--preset", preset]) == 0
    assert "qqq (unknown)" in capsys.readouterr().out


def test_several_continuations_are_a_line_each(zoo_json, preset):
    asked = ["the cat", "--preset", preset, "--max-words", "3", "-n", "3"]
    assert len(zoo_json("generate", *asked, "--sampler", "top_p")) == 3
    assert len(zoo_json("generate", *asked, "--sampler", "beam", "--beam", "2")) == 3
    assert "one text 3 times" in zoo_json("generate", *asked, code=2)


def test_a_long_file_is_read_as_it_is_answered(monkeypatch):
    lines = io.BytesIO(b"\xef\xbb\xbf" + b"the cat\n" * 1000)
    monkeypatch.setattr(sys, "stdin", types.SimpleNamespace(buffer=lines))
    chunks = text_chunks(argparse.Namespace(text=["first"], file="-"), 10)
    assert next(chunks) == ["first", *["the cat"] * 9]
    assert lines.tell() < 100
    assert sum(map(len, chunks)) == 991


def test_a_bar_is_shown_to_who_looks(monkeypatch, tmp_path):
    (tmp_path / "texts").write_bytes(b"the cat\n" * 50)
    options = argparse.Namespace(text=[], file=str(tmp_path / "texts"), name="score")
    for seen in (True, False):
        screen = types.SimpleNamespace(isatty=lambda: True, written=io.StringIO())
        screen.write, screen.flush = screen.written.write, lambda: None
        monkeypatch.setattr(sys, "stderr", screen)
        monkeypatch.setattr(sys.stdout, "isatty", lambda seen=seen: not seen, raising=False)
        assert sum(map(len, text_chunks(options, 8))) == 50
        assert ("score" in screen.written.getvalue()) is seen


@pytest.mark.parametrize("sampler", ["greedy", "sample", "top_k", "top_p", "beam"])
def test_generate(zoo_json, preset, sampler):
    (row,) = zoo_json("generate", "the cat", "--preset", preset, "--sampler", sampler,
                      "--max-words", "4", "--seed", "3", "--temperature", "0.8")  # fmt: skip
    assert row["text"].startswith("the cat")


def test_fill(zoo_json, cloze_preset):
    (row,) = zoo_json("fill", "the ___ is small", "--preset", cloze_preset)
    assert len(row["words"]) == 10


def test_evaluate(zoo_json, preset, tmp_path):
    file = tmp_path / "texts.txt"
    file.write_text("the cat is small.\nqqq\n", encoding="utf-8")
    rows = zoo_json("evaluate", preset, "--data", str(file))
    assert [row["metric"] for row in rows] == ["perplexity", "recall@1", "recall@3"]
    assert list(rows[0]) == ["metric", "value", "tokens", "oov", "signature"]
    assert (rows[0]["tokens"], rows[0]["oov"], rows[1]["tokens"]) == (8, 1, 6)
    assert 0 <= rows[1]["value"] <= rows[2]["value"] <= 1
    cached = zoo_json("evaluate", preset, "--data", str(file), "--cache", "9,1.0,0.2")
    assert cached[0]["value"] != rows[0]["value"]
    assert cached[0].keys() == rows[0].keys()


def test_evaluate_agrees_with_score(zoo_json, preset, tmp_path):
    file = tmp_path / "texts.txt"
    file.write_text("the cat is small.\nshe was big\n", encoding="utf-8")
    (perplexity, *_) = zoo_json("evaluate", preset, "--data", str(file))
    scores = zoo_json("score", "--file", str(file), "--preset", preset)
    mean = -sum(s["log_prob"] for s in scores) / sum(s["tokens"] for s in scores)
    assert perplexity["value"] == pytest.approx(2.718281828459045**mean, rel=1e-5)


def test_readable_output(capsys, preset):
    for words in (["next", "the cat"], ["score", "the cat"], ["rank", "a", "b"]):
        assert main([*words, "--preset", preset]) == 0
        assert capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["next", "a", "--preset", "no_such"], "no preset or directory 'no_such'"),
        (["next", "--preset", "PRESET"], "no text given"),
        (["next", "a", "-k", "0", "--preset", "PRESET"], "k=0"),
        (["score", "--file", "/no/such/file", "--preset", "PRESET"], "cannot read"),
        (["fill", "a ___", "--preset", "PRESET"], "cannot fill; birnn_tatoeba_en, "),
        (["translate", "a", "--preset", "PRESET"], "cannot translate"),
        (["train", "no_such_config"], "no config file"),
        (["generate", "a", "--sampler", "top_p", "-p", "7", "--preset", "PRESET"], "p=7.0"),
        (["evaluate", "PRESET", "--data", "nothing"], "no data set or file"),
        (["evaluate", "PRESET", "--data", "x", "--cache", "9,1"], "write WINDOW,THETA,LAMBDA"),
        (["evaluate", "PRESET", "--data", "x", "--cache", "9,1,2"], "weight=2.0"),
        (["evaluate", "PRESET", "--data", "x", "--dynamic", "fast"], "write RATE,DECAY"),
        (["export", "PRESET", "--out", "/dev/null/x", "--quantize", "int8"], "--quantize"),
    ],
)
def test_mistakes_are_one_line_and_exit_code_2(zoo_json, preset, arguments, message):
    given = [preset if word == "PRESET" else word for word in arguments]
    error = zoo_json(*given, code=2)
    assert message in error
    assert "Traceback" not in error


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["next", "-k", "x"], ["train"]])
def test_bad_usage_exits_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_files_that_are_no_text(zoo_json, preset, tmp_path):
    (tmp_path / "latin1").write_bytes(b"caf\xe9\n")
    error = zoo_json("score", "--file", str(tmp_path / "latin1"), "--preset", preset, code=2)
    assert "not UTF-8 (byte 3)" in error


def test_unexpected_errors_exit_with_1(monkeypatch, zoo_json):
    monkeypatch.setattr("zoo.presets.store.list_presets", lambda: 1 / 0)
    assert "ZeroDivisionError" in zoo_json("list", code=1)


def test_the_installed_command_works_from_anywhere(preset, tmp_path):
    """In a fresh process, from another folder, with only the answer; TensorFlow says nothing."""
    command = [sys.executable, "-m", "zoo.cli", "next", "the cat", "--json", "--preset", preset]
    path = os.pathsep.join([os.getcwd(), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path}
    environment.pop("TF_CPP_MIN_LOG_LEVEL", None)
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, env=environment, check=True, text=True
    )
    assert json.loads(done.stdout)["text"] == "the cat"
    assert done.stderr == ""


@pytest.mark.parametrize("arguments", [["--help"], ["export", "--help"], ["list", "--json"]])
def test_help_does_not_wait_for_tensorflow(arguments):
    program = (
        "import sys; from zoo.cli.main import main\n"
        "try: main(sys.argv[1:])\n"
        "finally: assert not {'tensorflow', 'keras'} & set(sys.modules), 'imported'"
    )
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout


def test_a_failing_import_is_not_silent(monkeypatch, tmp_path, capfd):
    (tmp_path / "broken_module.py").write_text(
        "import os\nos.write(2, b'the reason')\nraise OSError('no library')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
    with pytest.raises(OSError, match="no library"):
        import_quietly("broken_module")
    assert capfd.readouterr().err == "the reason"
