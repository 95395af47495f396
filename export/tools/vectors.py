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
from typing import Any, TypeAlias

import zoo
from export.tflite.package import tokenizer_rules
from zoo.text import SubwordTokenizer, Tokenizer, WordTokenizer
from zoo.text.vocabulary import VOCABULARY_FILE

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
    "nai\u0308ve cafe\u0301 H\u0331 I\u0307 a\u0323\u0302 a\u0302\u0323",
    "Ｉ ｗｏｕｌｄ ﬁnd ａ ｃａｔ",
    "\ufeffI wo\u00aduld li\u2060ke\u200e \u200fto ❤\ufe0f e\u00ad\u0301",
    "\u1112\u1161\u11ab\u1100\u1173\u11af 한글",
]
GERMAN = [
    "Wo ist der Bahnhof?",
    "Ich habe keine Zeit.",
    "Das ist mein Buch.",
    "Die Straße ist „schön“, nicht wahr?",
    "Er kommt um 10.30 Uhr an; GRÖẞE 1,5 m.",
    "Die Bundesbank senkte den Leitzins.",
    "Ich bin mu\u0308de. Die Tu\u0308r ist gru\u0308n.",
    "Kin\u00adder\u00adgarten",
]
SPACED = ["5\u00a0km von\u3000hier", "a\u2028b\tc\x0bd\x1ce\x85f \x0c g", "\u2003 x\r\n"]
WORDS = ["low lower lowest", "slow slower slowest", "new newer newest", "wide wider widest 12 3.5!"]
PIECES = [
    "lowest slowest",
    "newer, widest!",
    "The LOW-est 12.5 qü",
    "xyz " + "low" * 30,
    "#low ##er",
]


Row: TypeAlias = dict[str, Any]  # as JSON has it


def cases(tokenizer: Tokenizer, texts: list[str]) -> list[Row]:
    """Each text as the tokenizer reads it, and as it writes its ids."""
    rows = []
    for text in texts:
        ids = tokenizer.encode(text)
        tokens = tokenizer.tokenize(text)
        rows.append({"text": text, "tokens": tokens, "ids": ids, "decoded": tokenizer.decode(ids)})
    return rows


def row(name: str, tokenizer: Tokenizer, vocabulary: str | list[str], texts: list[str]) -> Row:
    """One tokenizer; its vocabulary is a file of the preset, or its words themselves."""
    return {
        "name": name,
        "rules": tokenizer_rules(tokenizer),
        "vocabulary": vocabulary,
        "cases": cases(tokenizer, texts),
    }


def vectors() -> Row:
    """The content of the file."""
    english = zoo.load("cifg_tatoeba_en").tokenizer
    translator = zoo.load("seq2seq_tatoeba_de_en")
    source, target = translator.source_tokenizer, translator.target_tokenizer
    rows = [
        row("cifg_tatoeba_en", english, VOCABULARY_FILE, ENGLISH),
        row("seq2seq_tatoeba_de_en, source", source, f"source/{VOCABULARY_FILE}", GERMAN),
        row("seq2seq_tatoeba_de_en, target", target, f"target/{VOCABULARY_FILE}", ENGLISH),
    ]
    spaces = WordTokenizer.train([*SPACED, *WORDS], lowercase=False, split="spaces")
    own: dict[str, tuple[Tokenizer, list[str]]] = {
        "words with capitals": (WordTokenizer.train([*ENGLISH, *GERMAN], lowercase=False), ENGLISH),
        "white space": (WordTokenizer.train(WORDS, split="whitespace"), [*WORDS, *ENGLISH[:4]]),
        "spaces": (spaces, [*SPACED, *WORDS, *ENGLISH[:4]]),
        "NFKC": (WordTokenizer.train([*ENGLISH, *GERMAN], normalization="NFKC"), ENGLISH),
        "subwords": (SubwordTokenizer.train(WORDS * 3, size=60), [*WORDS, *PIECES]),
    }
    for name, (tokenizer, texts) in own.items():
        rows.append(row(name, tokenizer, list(tokenizer.vocabulary), texts))
    return {"format": 1, "tokenizers": rows}


def as_text(content: Row) -> str:
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
