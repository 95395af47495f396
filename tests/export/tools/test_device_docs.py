"""docs/device.md: its tables, its test vectors and its way to read the archive hold."""

from __future__ import annotations

import json
import struct
import zipfile
import zlib

import pytest

from export.device.text import Characters, Tokenizer
from export.tflite.ops import NAMES
from export.tflite.package import class_runs, fold_runs
from export.tools import ops_table, page, vectors
from zoo.presets.store import list_presets

VECTORS = json.loads(vectors.FILE.read_text(encoding="utf-8"))
PAGE = page.PAGE.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def made():
    return vectors.vectors()


def test_the_vectors_are_what_the_tokenizers_give(made):
    assert vectors.as_text(made) == vectors.FILE.read_text(encoding="utf-8"), (
        "python -m export.tools.vectors --write"
    )


@pytest.mark.parametrize("row", VECTORS["tokenizers"], ids=lambda row: row["name"])
def test_the_reference_runtime_agrees_with_the_vectors(row):
    words = row["vocabulary"]
    if isinstance(words, str):
        name = row["name"].split(",")[0]
        assert name in list_presets()
        path = page.PAGE.parents[1] / "zoo" / "presets" / name / words
        words = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    lowercase = row["rules"]["config"]["lowercase"]
    tables = Characters({"classes": class_runs(), "folds": fold_runs(lowercase)})
    tokenizer = Tokenizer(row["rules"], words, tables)
    for case in row["cases"]:
        assert tokenizer.tokenize(case["text"]) == case["tokens"]
        assert tokenizer.encode(case["text"]) == case["ids"]
        assert tokenizer.decode(case["ids"]) == case["decoded"]


def number(content: bytes, at: int, count: int) -> int:
    return int.from_bytes(content[at : at + count], "little")


def test_the_archive_reads_as_the_page_says(lite):
    """The five lines of "Reading the archive", against Python's zipfile."""
    path = lite("cifg_projected").path
    content = path.read_bytes()
    end = len(content) - 22
    assert content[end : end + 4] == b"PK\5\6"
    at, found = number(content, end + 16, 4), {}
    for _ in range(number(content, end + 10, 2)):
        assert content[at : at + 4] == b"PK\1\2"
        name, extra, comment = struct.unpack_from("<3H", content, at + 28)
        header = number(content, at + 42, 4)
        start = header + 30 + sum(struct.unpack_from("<2H", content, header + 26))
        packed = content[start : start + number(content, at + 20, 4)]
        unpacked = zlib.decompress(packed, -zlib.MAX_WBITS)
        assert len(unpacked) == number(content, at + 24, 4)
        found[content[at + 46 : at + 46 + name].decode()] = unpacked
        at += 46 + name + extra + comment
    with zipfile.ZipFile(path) as archive:
        assert found == {name: archive.read(name) for name in archive.namelist()}
    assert json.loads(found["model.json"])["bytes"] == header_of_first(content)


def header_of_first(content: bytes) -> int:
    return number(content, number(content, len(content) - 22 + 16, 4) + 42, 4)


def test_the_table_of_ops_has_every_architecture():
    rows = page.read_table("ops")
    assert [row["architecture"] for row in rows] == list(ops_table.architectures())
    for row in rows:
        assert set(row["ops"].split(", ")) <= set(NAMES.values()) - {"CUSTOM"}


@pytest.mark.parametrize("name", ["n-gram, Kneser-Ney", "CIFG, projected and tied"])
def test_the_table_of_ops_is_what_the_command_gives(name):
    (row,) = (r for r in page.read_table("ops") if r["architecture"] == name)
    assert row == ops_table.row(name), "python -m export.tools.ops_table --write"


def test_the_tables_of_figures_are_there():
    quality = {row["what"]: row for row in page.read_table("quality")}
    float_file, quantised = quality["file, none"], quality["file, dynamic"]
    for name in ("recall@1", "recall@3"):
        figures = [float(row[name].removesuffix(" %")) for row in (float_file, quantised)]
        assert abs(figures[0] - figures[1]) < 0.5
        assert figures[1] > float(quality["kn5_tatoeba_en"][name].removesuffix(" %"))
    speed = {row["what"]: row for row in page.read_table("speed")}
    assert int(speed["step"]["bytes"].replace(",", "")) <= 1_500_000
    assert page.read_table("recurrences")
    assert "the corpora\ndiffer" in PAGE


def test_a_table_goes_there_and_back(tmp_path):
    file = tmp_path / "page.md"
    file.write_text("before\n<!-- x: begin -->\n<!-- x: end -->\nafter\n")
    page.write_table("x", [{"a": 1_000, "b": None}, {"a": 2, "b": "c, d"}], file)
    assert page.read_table("x", file) == [{"a": "1,000", "b": ""}, {"a": "2", "b": "c, d"}]
    assert file.read_text().startswith("before\n")
    assert file.read_text().endswith("\nafter\n")
