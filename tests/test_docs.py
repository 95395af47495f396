"""What the pages and the README show can be run, and what they link to is there."""

from __future__ import annotations

import importlib.util
import re
import shlex
from pathlib import Path

import pytest
import yaml

from serving.options import parse
from zoo.cli.parser import build_parser

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("docs/*.md"), ROOT / "README.md"])
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
# Programs that a shell block may start, beside ours.
OTHERS = {"curl", "docker", "kubectl", "make", "pip", "pytest", ".", "source", "cd"}


def blocks(*languages: str) -> list[tuple[str, str]]:
    """(page, text) of the code blocks of some languages."""
    return [
        (page.name, text)
        for page in PAGES
        for language, text in BLOCK.findall(page.read_text(encoding="utf-8"))
        if language in languages
    ]


def commands() -> list[tuple[str, list[str]]]:
    """(page, words) of every command line of ours in a block without a language."""
    found = []
    for page, text in blocks("", "bash", "sh"):
        for line in text.replace("\\\n", " ").splitlines():
            line = re.sub(r"(\s+|^)# .*", "", line).removeprefix(".venv/bin/")
            if re.match(r"(zoo|zoo-model-server|python -m|python) ", line + " "):
                found.append((page, shlex.split(line.split(" < ")[0])))
    return found


def anchors(page: Path) -> set[str]:
    """The names of a page's headings, as the web site and code hosts give them."""
    heads = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in heads}


def test_there_is_something_to_check():
    assert len(blocks("python")) > 5
    assert len(commands()) > 25


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


@pytest.mark.parametrize(("page", "text"), blocks("python"))
def test_python_blocks_compile_and_import_what_there_is(page, text):
    compile(text, page, "exec")
    for module, names in re.findall(r"^from ([\w.]+) import ([\w, ]+?)(?:  #.*)?$", text, re.M):
        imported = importlib.import_module(module)
        assert all(hasattr(imported, name.strip()) for name in names.split(",")), module


@pytest.mark.parametrize(("page", "words"), commands(), ids=lambda value: str(value)[:60])
def test_our_commands_have_these_verbs_and_flags(page, words):
    if words[0] == "zoo-model-server" or words[:2] == ["zoo", "serve"]:
        parse([word for word in words[1 if words[0] != "zoo" else 2 :] if word != "..."])
    elif words[0] == "zoo":
        build_parser().parse_args(words[1:])
    elif words[:2] == ["python", "-m"]:
        assert importlib.util.find_spec(words[2]) is not None
    elif words[1] != "-c":
        assert (ROOT / words[1]).is_file()


def test_the_readmes_make_targets_exist():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    targets = set(re.findall(r"(?:^|`)make ([a-z-]+)", text, re.MULTILINE))
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert {"serve", "test", "docs", "wheels"} <= targets
    assert {target for target in targets if f"\n{target}:" not in makefile} == set()


def test_every_page_is_on_the_web_site():
    nav = str(yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"])
    missing = {page.name for page in PAGES if page.parent.name == "docs"} - set(
        re.findall(r"[\w-]+\.md", nav)
    )
    assert missing == set()
