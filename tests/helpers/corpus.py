"""Own small corpora for the tests: a toy grammar, laid out like the data folder."""

from __future__ import annotations

import random
from pathlib import Path

SUBJECTS = ["the cat", "the dog", "a small bird", "my brother", "the old house", "she", "tom"]
VERBS = ["is", "was", "looks", "seems", "isn't"]
ADJECTIVES = ["small", "big", "happy", "very old", "quite tired", "green"]
PLACES = ["at home", "in the garden", "after school", "near the station", ""]
GERMAN = {
    "the cat": "die Katze", "the dog": "der Hund", "a small bird": "ein kleiner Vogel",
    "my brother": "mein Bruder", "the old house": "das alte Haus", "she": "sie", "tom": "Tom",
    "is": "ist", "was": "war", "looks": "sieht", "seems": "scheint", "isn't": "ist nicht",
    "small": "klein", "big": "groß", "happy": "glücklich", "very old": "sehr alt",
    "quite tired": "ziemlich müde", "green": "grün", "at home": "zu Hause",
    "in the garden": "im Garten", "after school": "nach der Schule",
    "near the station": "am Bahnhof", "": "",
}  # fmt: skip


def _sentence(words: list[str]) -> str:
    text = " ".join(word for word in words if word)
    return f"{text[0].upper()}{text[1:]}."


def all_sentences() -> list[tuple[str, str]]:
    """Every English sentence of the grammar with its German translation, shuffled once."""
    pairs = [
        (_sentence(list(parts)), _sentence([GERMAN[part] for part in parts]))
        for parts in (
            (subject, verb, adjective, place)
            for subject in SUBJECTS
            for verb in VERBS
            for adjective in ADJECTIVES
            for place in PLACES
        )
    ]
    random.Random(7).shuffle(pairs)
    return pairs


def english(count: int | None = None) -> list[str]:
    """The first English sentences."""
    return [sentence for sentence, _ in all_sentences()[:count]]


def far_apart(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The pairs, each with two words of its own: no two are near-duplicates."""
    return [
        (
            f"{en[:-1]} says {_name(k)} to {_name(k + 7000)}.",
            f"{de[:-1]}, {_name(k)}, {_name(k + 7000)}.",
        )
        for k, (en, de) in enumerate(pairs)
    ]


def _name(number: int) -> str:
    """A made-up word for a number: one syllable a digit."""
    return "".join("babidodufegihikolumo"[2 * int(digit) :][:2] for digit in str(number))


def write_data_folder(folder: Path, count: int = 400) -> Path:
    """The toy corpora in the layout of the data folder."""
    pairs = all_sentences()[:count]
    lines = [f" {sentence.lower().replace('.', '')} " for sentence, _ in pairs]
    cut = {"train": lines[: count // 2], "valid": lines[count // 2 : -50], "test": lines[-50:]}
    files = {
        "tatoeba/eng.txt": [sentence for sentence, _ in far_apart(pairs)],
        "tatoeba/deu-eng.tsv": [f"{en}\t{de}" for en, de in far_apart(pairs)],
        **{f"ptb/ptb.{part}.txt": part_lines for part, part_lines in cut.items()},
        **{f"wikitext-2/{part}.txt": part_lines for part, part_lines in cut.items()},
    }
    for part, chunk in (("train", pairs[:300]), ("val", pairs[300:350]),
                        ("test_2016_flickr", pairs[350:])):  # fmt: skip
        files[f"multi30k/{part}.en"] = [sentence for sentence, _ in chunk]
        files[f"multi30k/{part}.de"] = [sentence for _, sentence in chunk]
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{line}\n" for line in content), encoding="utf-8")
    return folder
