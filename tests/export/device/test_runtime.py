"""The reference runtime: no TensorFlow, the tokenizers' own ids, bad files refused in one line."""

from __future__ import annotations

import json
import subprocess
import venv
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from export.device import runtime as device
from export.device.models import SENTENCE_END
from export.device.text import Carrier, Characters, Tokenizer, compiled, replaced
from export.tflite.package import class_runs, fold_runs, tokenizer_rules
from export.tflite.translation import carrying
from tests.helpers.corpus import english
from tests.helpers.models import language_model
from tests.zoo.text.test_carrying import ENGLISH, GERMAN
from zoo.text import SubwordTokenizer, WordTokenizer
from zoo.text.carrying import SYMBOLS, carrier_of
from zoo.text.sentences import sentences_of

ROOT = Path(__file__).parents[3]
TRICKY = [
    "Don't pay 1,000.50 (yet)!",
    "Isn’t ÄÖÜ ǅ İstanbul ΟΔΟΣ?",
    "a\u200db\u00adc\u2028d\x1ce\ud800f",
    "3.14.15 '' 'n' o''clock x.y",
    "emoji 😀 and \U000323af",
    "",
]
TOKENIZERS = {
    "words": lambda: WordTokenizer.train([*english(60), *TRICKY], lowercase=True),
    "capitals": lambda: WordTokenizer.train([*english(60), *TRICKY], lowercase=False),
    "whitespace": lambda: WordTokenizer.train(english(60), split="whitespace"),
    "subwords": lambda: SubwordTokenizer.train([*english(60), *TRICKY], size=90),
}


@pytest.fixture(scope="module")
def characters():
    return {
        lower: Characters({"classes": class_runs(), "folds": fold_runs(lower)})
        for lower in (True, False)
    }


@pytest.fixture(scope="module", params=TOKENIZERS)
def both(request, characters):
    ours = TOKENIZERS[request.param]()
    rules = json.loads(json.dumps(tokenizer_rules(ours)))
    return ours, Tokenizer(rules, ours.vocabulary, characters[True])


@pytest.mark.parametrize("direction", ["de_en", "en_de"])
def test_what_is_carried_over_is_what_the_model_carries_over(direction):
    ours = carrier_of(direction)
    settings = SimpleNamespace(carry_over=direction, split_sentences=True)
    about = json.loads(json.dumps(carrying(settings)))
    theirs = Carrier(about["carry"])
    assert about["format"] == 2
    for text in [*GERMAN, *ENGLISH, *TRICKY, "RUF AN: 5!", " ".join(map(str, range(11)))]:
        prepared, values, curly = theirs.prepared(text)
        expected = ours.prepared(text)
        assert (prepared, tuple(values)) == (expected.text, expected.values)
        for answer in ("", f'"{prepared}"', f"Am {SYMBOLS[1]}."):
            assert theirs.restored(answer, values, curly) == ours.restored(answer, expected)
        cut = replaced(text, compiled(about["sentences"])).split(SENTENCE_END)
        assert cut == sentences_of(text)


@pytest.mark.parametrize("text", TRICKY)
def test_ids_and_text_are_the_tokenizers(both, text):
    ours, theirs = both
    assert theirs.tokenize(text) == ours.tokenize(text)
    ids = ours.encode(text)
    assert theirs.encode(text) == ids
    assert theirs.decode(ids) == ours.decode(ids)


@settings(max_examples=150, deadline=None)
@given(text=st.text(max_size=30))
def test_any_text(both, text):
    ours, theirs = both
    assert theirs.encode(text) == ours.encode(text)


def test_the_tables_without_lower_case(characters):
    assert characters[False].fold("Isn’t") == characters[True].straight("Isn’t") == "Isn't"


def test_the_command(lite, capsys):
    path = str(lite("cifg_projected").path)
    assert device.main([path, "the cat", "she", "-k", "2", "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    expected = language_model("cifg_projected").next_words(["the cat", "she"], k=2)
    assert [[e["word"] for e in line["words"]] for line in lines] == [
        [word for word, _ in words] for words in expected
    ]
    assert device.main([path, "--score", "the cat"]) == 0
    assert "log_prob" in capsys.readouterr().out


def damaged(path: Path, folder: Path, how: str) -> Path:
    content = bytearray(path.read_bytes())
    files = {
        "cut": content[: len(content) // 2],
        "tail": content[:-7],
        "foreign": b"not a model at all",
        "empty": b"",
        "other": content[: json.loads(zipfile.ZipFile(path).read("model.json"))["bytes"]],
    }
    if how == "flipped":
        content[1000] ^= 255
        files["flipped"] = content
    written = folder / f"{how}.tflite"
    written.write_bytes(bytes(files[how]))
    return written


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("cut", "cut off"),
        ("tail", "cut off"),
        ("foreign", "not a TensorFlow Lite model"),
        ("empty", "not a TensorFlow Lite model"),
        ("other", "was not written by"),
        ("flipped", "damaged"),
        ("missing", "No such file"),
    ],
)
def test_bad_files_are_one_line_and_exit_code_2(lite, tmp_path, capsys, how, message):
    path = tmp_path / "missing.tflite"
    if how != "missing":
        path = damaged(lite("cifg_projected").path, tmp_path, how)
    assert device.main([str(path), "a"]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_too_long_a_sentence(lite, capsys):
    assert device.main([str(lite("cifg_projected").path), "--score", "the cat " * 50]) == 2
    assert "too many" in capsys.readouterr().err


def test_a_fresh_environment_with_numpy_and_litert_only(lite, tmp_path):
    """What `pip install numpy ai-edge-litert` gives is enough."""
    venv.create(tmp_path / "fresh", with_pip=True, symlinks=True)
    python = tmp_path / "fresh" / "bin" / "python"
    install = [python, "-m", "pip", "install", "-q", "--only-binary", ":all:"]
    subprocess.run([*install, "numpy", "ai-edge-litert"], check=True)
    program = (
        "import sys; from export.device.runtime import main; code = main(sys.argv[1:]);"
        "bad = {m.partition('.')[0] for m in sys.modules} & {'tensorflow', 'keras', 'zoo'};"
        "sys.exit(f'imported {bad}' if bad else code)"
    )
    file = lite("cifg_projected").path
    command = [python, "-c", program, file, "the cat", "-k", "1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    expected = language_model("cifg_projected").next_words(["the cat"], k=1)[0][0][0]
    assert done.stdout.split()[-1] == expected
    listed = subprocess.run([python, "-m", "pip", "list"], capture_output=True, text=True).stdout
    assert "tensorflow" not in listed.lower()
