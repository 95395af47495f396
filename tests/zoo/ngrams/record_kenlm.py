"""Writes data/odd/kenlm.tsv: what KenLM makes of each odd ARPA file beside it.

    python -m tests.zoo.ngrams.record_kenlm        (pip install kenlm)

A line is the file's name, a text as JSON, and the base-10 score of each of its words and of the
end of the sentence; or the name, "" and "refused".
"""

from __future__ import annotations

import json
from pathlib import Path

from tests.helpers.ngrams import DATA
from zoo.io import write_atomically

ODD = DATA / "odd"
RECORD = ODD / "kenlm.tsv"


def texts_for(path: Path) -> list[str]:
    """Sentences of the file's own words and of an unknown one."""
    content = path.read_bytes().decode("utf-8")
    word = next((entry for entry in content.split("\t") if entry.startswith("x")), "b")
    word = word.split("\n")[0]
    return ["", "a", f"a {word}", f"{word} zzz a", "zzz zzz", f"{word} {word}"]


def kenlm_scores(path: Path) -> list[tuple[str, str]]:
    """Texts with their words' scores, or the one word "refused"."""
    import kenlm

    try:
        model = kenlm.Model(str(path))
    except OSError:
        return [("", "refused")]
    rows = []
    for text in texts_for(path):
        state, after, scores = kenlm.State(), kenlm.State(), []
        model.BeginSentenceWrite(state)
        for word in (*text.split(" "), "</s>") if text else ("</s>",):
            scores.append(f"{model.BaseScore(state, word, after):.6g}")
            state, after = after, state
        rows.append((text, " ".join(scores)))
    return rows


def recorded() -> list[tuple[str, str, str]]:
    """The record's lines: file, text, scores."""
    lines = RECORD.read_text(encoding="utf-8").splitlines()
    return [(name, json.loads(text), scores) for name, text, scores in map(_fields, lines)]


def _fields(line: str) -> list[str]:
    return line.split("\t")


def record() -> str:
    """What the record's file should hold."""
    rows = [
        f"{path.stem}\t{json.dumps(text)}\t{scores}\n"
        for path in sorted(ODD.glob("*.arpa"))
        for text, scores in kenlm_scores(path)
    ]
    return "".join(rows)


if __name__ == "__main__":
    write_atomically(RECORD, record())
