"""The house: which folder may import which, no circles, and how long things may be.

The rooms and what belongs in each are described in docs/architecture.md.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# Each package's rooms, lowest first: a room imports itself and what stands before it.
ROOMS = {
    "zoo": (
        *("_version", "errors", "quiet", "types", "processors", "io", "selection", "backend"),
        "upward",
        *("text", "layers", "ngrams", "metrics", "decoding", "presets", "models", "cli"),
    ),
    "training": (
        *("config", "datasets", "tasks", "diagnostics", "run", "experiments", "publishing"),
        *("spark_counts", "cli", "publish", "results", "ablation"),
    ),
    "export": ("report", "saved_model", "tflite", "device", "tools", "cli"),
    "serving": (
        *("errors", "options", "codec", "monitoring", "config", "access", "session", "models"),
        *("inference", "lifecycle", "engine", "batching", "grpc_api", "rest"),
        *("process", "defaults", "server", "client", "quickstart", "__main__"),
    ),
}
# What a package may import of the others.
BELOW = {
    "zoo": (),
    "training": ("zoo",),
    "export": ("zoo",),
    "serving": ("zoo", "export"),
    "benchmarks": ("zoo", "training", "export", "serving", "tests"),
}
FLAT = {"serving": 9, "training": 6, "export": 3}  # Python files at the top, beside __init__
LONGEST_FILE, LONGEST_FUNCTION, USUAL_FUNCTION = 350, 60, 22


@cache
def modules() -> dict[str, ast.Module]:
    """Every module of the tree, parsed."""
    found = {}
    for path in itertools.chain(*((ROOT / package).rglob("*.py") for package in BELOW)):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        found[name.removesuffix(".__init__")] = ast.parse(path.read_text(encoding="utf-8"))
    return found


def runtime_nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those below `if TYPE_CHECKING`, which no running program reaches."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        yield node
        yield from runtime_nodes(node)


def imported(node: ast.AST) -> list[str]:
    """The dotted names that a statement or a call of `import_module` brings in."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports name the package: from zoo.text import bpe"
        return [f"{node.module}.{alias.name}" for alias in node.names]
    if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
        first = node.args[0]
        return [str(first.value)] if isinstance(first, ast.Constant) else []
    return []


@cache
def arrows() -> dict[str, set[str]]:
    """Module -> the modules of this tree that it imports, lazily too."""
    known, found = modules(), {}
    for module, tree in known.items():
        names = itertools.chain(*map(imported, runtime_nodes(tree)))
        ends = (name if name in known else name.rpartition(".")[0] for name in names)
        found[module] = {end for end in ends if end in known and end != module}
    return found


def room(module: str) -> str:
    """`zoo.text.bpe` -> `text`; a package's own `__init__` is none."""
    return ".".join(module.split(".")[1:2])


def circles() -> list[str]:
    """What is left when files that import nothing left, or that nothing left imports, are dropped.

    A file between two circles is left too.
    """
    left = dict(arrows())
    while True:
        wanted = set().union(*left.values())
        free = [m for m, ends in left.items() if not ends & left.keys() or m not in wanted]
        if not free:
            return sorted(left)
        for module in free:
            del left[module]


def test_no_file_imports_itself_by_way_of_others():
    assert circles() == []


@pytest.mark.parametrize("package", ROOMS)
def test_every_room_is_in_the_order(package):
    names = {room(module) for module in modules() if module.startswith(f"{package}.")}
    assert names - {""} == set(ROOMS[package])


@pytest.mark.parametrize("package", ROOMS)
def test_a_room_imports_only_rooms_below_it(package):
    order = ROOMS[package]
    upward = [
        (module, end)
        for module, ends in arrows().items()
        for end in ends
        if module.startswith(f"{package}.") and end.startswith(f"{package}.")
        if order.index(room(end)) > order.index(room(module))
    ]
    assert upward == []


@pytest.mark.parametrize("package", BELOW)
def test_a_package_imports_only_packages_below_it(package):
    allowed = (package, *BELOW[package])
    wrong = [
        (module, end)
        for module, ends in arrows().items()
        for end in ends
        if module.split(".")[0] == package and end.split(".")[0] not in allowed
    ]
    assert wrong == []


@pytest.mark.parametrize("package", FLAT)
def test_few_files_lie_at_the_top(package):
    files = [path.name for path in (ROOT / package).glob("*.py") if path.name != "__init__.py"]
    assert len(files) <= FLAT[package], sorted(files)


def test_no_file_is_long():
    paths = itertools.chain(*((ROOT / folder).rglob("*.py") for folder in (*BELOW, "tests")))
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in paths}
    assert {p: n for p, n in lengths.items() if n > LONGEST_FILE} == {}


def test_functions_are_short():
    lengths = {
        f"{module}.{node.name}:{node.lineno}": node.end_lineno - node.lineno + 1
        for module, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert {name: n for name, n in lengths.items() if n > LONGEST_FUNCTION} == {}
    assert sorted(lengths.values())[len(lengths) * 9 // 10] <= USUAL_FUNCTION


RETIRED = (
    *("Visit", "Company", "hand_over", "Gatherer", "SplitProjection"),
    *("without_jax", "recurrence_tensorflow", "recurrence_gradient", "subword_graph"),
)


def test_retired_words_are_gone():
    paths = itertools.chain(*((ROOT / folder).rglob("*.py") for folder in BELOW))
    words = {path: set(_words(path.read_text(encoding="utf-8"))) for path in paths}
    assert {p: found for p, every in words.items() if (found := every & set(RETIRED))} == {}


def _words(text: str) -> list[str]:
    return "".join(c if c.isalnum() or c == "_" else " " for c in text).split()
