"""Test vectors for tokenizers written in another language: `python -m export.tools.vectors`.

docs/device_vectors.json holds, for each of a few tokenizers, its rules and texts with their tokens
and ids and what the ids are decoded to. They are made by the zoo's own tokenizers, not by the
reference runtime, so that this can be checked by them too. A tokenizer of a shipped preset has the
vocabulary of the preset's exported file; the others bring theirs along.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from export.tflite.package import tokenizer_rules

FILE = Path(__file__).parents[2] / "docs" / "device_vectors.json"
ENGLISH = [
    "",
    "   ",
    "I would like to",
    "Don't pay $1,000.50 (yet)!",
    "isn’t ISN'T o'clock 'n' the dogs' tails",
    "3.14.15 2,5 1. .5 10:30 p.m.",
    "e-mail: a_b@c.org, 50% & more...",
    "The qqxyz cat\tis\nsmall\u00a0.",
    "naïve café — “quoted” ¿qué? 東京 Москва",
    "emoji 😀👍🏽 and \u00adsoft\u200bbreaks\u200dhere",
    "<unk> <bos> <eos> ___ ##a",
    "İstanbul ΟΔΟΣ ǅ ﬁ ½ ²",
]
GERMAN = [
    "Wo ist der Bahnhof?",
    "Ich habe keine Zeit.",
    "Das ist mein Buch.",
    "Die Straße ist „schön“, nicht wahr?",
    "Er kommt um 10.30 Uhr an; GRÖẞE 1,5 m.",
    "Die Bundesbank senkte den Leitzins.",
]
WORDS = ["low lower lowest", "slow slower slowest", "new newer newest", "wide wider widest 12 3.5!"]
PIECES = [
    "lowest slowest",
    "newer, widest!",
    "The LOW-est 12.5 qü",
    "xyz " + "low" * 30,
    "#low ##er",
]


def cases(tokenizer: Any, texts: list[str]) -> list[dict[str, Any]]:
    """Each text as the tokenizer reads it, and as it writes its ids."""
    rows = []
    for text in texts:
        ids = tokenizer.encode(text)
        tokens = tokenizer.tokenize(text)
        rows.append({"text": text, "tokens": tokens, "ids": ids, "decoded": tokenizer.decode(ids)})
    return rows


def vectors() -> dict[str, Any]:
    """The content of the file."""
    import zoo
    from zoo.text import SubwordTokenizer, WordTokenizer

    english = zoo.load("cifg_tatoeba_en").tokenizer
    translator = zoo.load("seq2seq_tatoeba_de_en")
    own = {
        "words with capitals": (WordTokenizer.train([*ENGLISH, *GERMAN], lowercase=False), ENGLISH),
        "white space": (WordTokenizer.train(WORDS, split="whitespace"), [*WORDS, *ENGLISH[:4]]),
        "subwords": (SubwordTokenizer.train(WORDS * 3, size=60), [*WORDS, *PIECES]),
    }
    shipped = {
        "cifg_tatoeba_en": (english, "", ENGLISH),
        "seq2seq_tatoeba_de_en, source": (translator.source_tokenizer, "source", GERMAN),
        "seq2seq_tatoeba_de_en, target": (translator.target_tokenizer, "target", ENGLISH),
    }
    rows: list[dict[str, Any]] = [
        {
            "name": name,
            "rules": tokenizer_rules(tokenizer),
            "vocabulary": f"{folder}/vocabulary.txt".lstrip("/"),
            "cases": cases(tokenizer, texts),
        }
        for name, (tokenizer, folder, texts) in shipped.items()
    ]
    for name, (tokenizer, texts) in own.items():
        rows.append(
            {
                "name": name,
                "rules": tokenizer_rules(tokenizer),
                "vocabulary": list(tokenizer.vocabulary),
                "cases": cases(tokenizer, texts),
            }
        )
    return {"format": 1, "tokenizers": rows}


def as_text(content: dict[str, Any]) -> str:
    """The file's text, a line a case."""
    return json.dumps(content, ensure_ascii=True, indent=1) + "\n"


def main() -> None:
    """Print the vectors, or write them into docs."""
    parser = argparse.ArgumentParser(prog="python -m export.tools.vectors")
    parser.add_argument("--write", action="store_true", help=f"renew docs/{FILE.name}")
    options = parser.parse_args()
    text = as_text(vectors())
    if options.write:
        FILE.write_text(text, encoding="utf-8")
        print(f"wrote {FILE}", file=sys.stderr)
    else:
        print(text, end="")


if __name__ == "__main__":
    main()
