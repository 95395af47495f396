"""`zoo evaluate MODEL --data challenge_de_en`: what people write, kind by kind.

325 pairs of our own, none of them in a training corpus, are scored by kind: greetings, names,
numbers, dates, prices, codes, questions, clauses, separable verbs, compounds, typing errors, text
without marks, long sentences, several sentences. Figures: chrF and BLEU with case, and `slots`, the
share of the names, numbers and codes that come through exactly. `chrf without case` compares the
same sentences as they are, in capitals and in lower case.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.tasks.translation import translated
from zoo.errors import ZooError
from zoo.metrics import bleu
from zoo.models.seq2seq.translator import Translator

CHALLENGES = {"challenge_de_en": False, "challenge_en_de": True}  # whether it is the other way
FILE = Path(__file__).parents[1] / "datasets" / "challenge" / "de_en.txt"
# Kinds whose source is of one direction: their other side is written as it should be.
ONE_WAY = {"typos in German": False, "typos in English": True}
# Kinds whose sentences are also asked in capitals and in lower case.
ORDINARY = ("everyday", "questions", "subordinate clauses", "separable verbs", "compounds")
# A kind that is written properly in the file; asked without marks and capitals.
UNMARKED = "no marks"
BEAM = 5


@dataclass(frozen=True)
class Item:
    """A source, its translation, and what must stand in the translation as it is."""

    kind: str
    source: str
    target: str
    slots: tuple[str, ...] = ()


def items(name: str) -> list[Item]:
    """The items of `challenge_de_en` or `challenge_en_de`."""
    turned = CHALLENGES[name]
    found: list[Item] = []
    kind = ""
    for line in FILE.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            kind = line.strip("[]")
        elif line and not line.startswith("#") and ONE_WAY.get(kind, turned) == turned:
            found.append(_item(kind, line, turned))
    return found


def _item(kind: str, line: str, turned: bool) -> Item:
    """An item from `German | English | slot ; German slot = English slot`."""
    german, english, *rest = (part.strip() for part in line.split("|"))
    slots = []
    for slot in (part.strip() for text in rest for part in text.split(";")):
        in_german, _, in_english = (part.strip() for part in slot.partition("="))
        slots.append(in_german if turned or not in_english else in_english)
    source, target = (english, german) if turned else (german, english)
    if kind == UNMARKED:
        source = re.sub(r"[.,?!]", "", source).lower()
    return Item(kind, source, target, tuple(slots))


def evaluate_challenge(model: Any, name: str) -> Iterator[dict[str, Any]]:
    """Rows with metric, kind, value and count (of sentences, or of slots)."""
    if not isinstance(model, Translator):
        raise ZooError(f"{name} holds sentence pairs, which a {type(model).__name__} cannot do")
    asked = items(name)
    answers = translated(model, [item.source for item in asked], BEAM)
    done = list(zip(asked, answers, strict=True))
    for kind in ("all", *dict.fromkeys(item.kind for item in asked)):
        chosen = [pair for pair in done if kind in ("all", pair[0].kind)]
        yield from _figures(kind, chosen)
    yield from _by_case(model, [pair for pair in done if pair[0].kind in ORDINARY])


def _figures(kind: str, done: Sequence[tuple[Item, str]]) -> Iterator[dict[str, Any]]:
    result = bleu([answer for _, answer in done], [item.target for item, _ in done])
    slots = [_holds(answer, slot) for item, answer in done for slot in item.slots]
    for metric, value in (("chrf", result.chrf), ("bleu", result.score)):
        yield {"metric": metric, "kind": kind, "value": value, "count": len(done)}
    if slots:
        value = 100 * sum(slots) / len(slots)
        yield {"metric": "slots", "kind": kind, "value": value, "count": len(slots)}


def _holds(answer: str, slot: str) -> bool:
    """Whether a slot stands in the answer, not as a part of a longer number or name."""
    return re.search(rf"(?<!\w){re.escape(slot)}(?!\w)", answer) is not None


def _by_case(model: Any, done: Sequence[tuple[Item, str]]) -> Iterator[dict[str, Any]]:
    """chrF without case of the same sentences in three writings."""
    sources, targets = [i.source for i, _ in done], [i.target for i, _ in done]
    written = {
        "as written": [answer for _, answer in done],
        "in capitals": translated(model, [text.upper() for text in sources], BEAM),
        "in lower case": translated(model, [text.lower() for text in sources], BEAM),
    }
    for kind, answers in written.items():
        value = bleu(answers, targets, lowercase=True).chrf
        row = {"metric": "chrf without case", "kind": kind, "value": value, "count": len(done)}
        yield row
