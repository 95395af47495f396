"""Training pairs as users write them: each kind of change, as often as asked, by the seed alone."""

from __future__ import annotations

import numpy as np
import pytest

from training.config import AugmentationConfig
from training.tasks.augmentation import Augmentation, with_digits, with_other_names
from training.tasks.misspelling import misspelt, with_typo
from zoo.text.carrying import SYMBOLS, carrier_of

PAIRS = [(f"Tom sah w{i} schöne Katzen.", f"Tom saw v{i} fine cats.") for i in range(400)]


def as_characters(source: str, target: str) -> tuple[list[int], list[int]]:
    return [*map(ord, source)], [*map(ord, target)]


def texts(rows: list[list[int]]) -> list[str]:
    return ["".join(map(chr, row)) for row in rows]


def epoch(seed: int = 1, carrier=None, longest: int = 80, **shares) -> list[tuple[str, str]]:
    config = AugmentationConfig(**shares)
    made = Augmentation(PAIRS, as_characters, longest, config, carrier)
    pairs = made.epoch(np.random.default_rng(seed))
    assert len(pairs) == len(made)
    return list(zip(texts(pairs.sources), texts(pairs.targets), strict=True))


def test_nothing_asked_nothing_changed():
    assert epoch() == PAIRS


@pytest.mark.parametrize("kind", ["capitals", "lower", "no_end", "typos", "names"])
def test_a_change_is_as_common_as_asked_and_follows_from_the_seed(kind):
    changed = epoch(**{kind: 0.25})
    share = np.mean([pair != plain for pair, plain in zip(changed, PAIRS, strict=True)])
    assert 0.17 < share < 0.33
    assert changed == epoch(**{kind: 0.25})
    assert changed != epoch(seed=2, **{kind: 0.25})
    if kind != "names":
        assert [target for _, target in changed] == [target for _, target in PAIRS]


def test_what_the_changes_are():
    source, target = epoch(capitals=1.0)[7]
    assert (source, target) == ("TOM SAH W7 SCHÖNE KATZEN.", PAIRS[7][1])
    assert epoch(lower=1.0, no_end=1.0)[7][0] == "tom sah w7 schöne katzen"
    assert epoch(capitals=1.0, carrier=carrier_of("de_en"))[7][0].startswith("tom sah w7")


def test_joined_pairs_come_on_top():
    rows = epoch(joined=0.1)
    assert rows[:400] == PAIRS
    assert len(rows) == 440
    for source, target in rows[400:]:
        numbers = [word[1:] for word in source.split() if word[0] == "w"]
        assert numbers == [word[1:] for word in target.split() if word[0] == "v"]
        assert len(numbers) in (2, 3)
    assert max(len(source) for source, _ in epoch(joined=0.1, longest=60)) <= 61


def test_pairs_too_long_are_left_out():
    assert epoch(longest=5) == []


def test_number_words_become_digits_where_both_sides_have_them():
    assert with_digits("zwei von fünf Dollar", "two of five dollars") == ("2 von 5 $", "2 of 5 $")
    assert with_digits("drei und drei", "three and three") == ("drei und drei", "three and three")
    assert with_digits("drei Prozent", "three per cent") == ("3 Prozent", "3 per cent")


def test_names_change_on_both_sides():
    rng = np.random.default_rng(3)
    source, target = with_other_names("Tom sah Maria.", "Tom saw Mary.", rng)
    name = source.split()[0]
    assert name != "Tom"
    assert target == f"{name} saw Mary."
    assert with_other_names("Toms Tom", "Tom's Tom", rng) == ("Toms Tom", "Tom's Tom")
    assert with_other_names("Tom!", "Tom!", rng, ["x"]) == ("x!", "x!")


def test_all_placeholders_are_met():
    rows = epoch(names=1.0, carrier=carrier_of("de_en"))
    assert {c for source, _ in rows for c in source if c in SYMBOLS} == set(SYMBOLS)
    for source, target in rows:
        assert [c for c in source if c in SYMBOLS] == [c for c in target if c in SYMBOLS]


def test_typos_are_one_letter():
    rng = np.random.default_rng(5)
    words = {with_typo("schlafen", rng) for _ in range(200)}
    assert all(word[0] == "s" and abs(len(word) - 8) <= 1 for word in words)
    assert {len(word) for word in words} == {7, 8, 9}
    assert misspelt("Um 8 ab", rng) == "Um 8 ab"
    assert "schoene" in {misspelt("schöne", rng) for _ in range(30)}
