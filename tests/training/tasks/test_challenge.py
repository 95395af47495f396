"""The challenge set: what is asked, and that its figures are those of perfect and bad answers."""

from __future__ import annotations

from collections import Counter

import pytest

from training.tasks import challenge
from training.tasks.challenge import CHALLENGES, evaluate_challenge, items
from zoo.errors import ZooError
from zoo.models.seq2seq.translator import Translator


class Answers(Translator):
    """A translator that knows the set by heart, or alters one digit of each answer."""

    def __init__(self, known, wrong=False):
        self.known, self.wrong = known, wrong

    def translate(self, texts, beam=1, mark_lost=False):
        found = [self.known.get(text.casefold(), "nothing") for text in texts]
        return [[(text.replace("1", "9") if self.wrong else text, 0.0)] for text in found]


Answers.__abstractmethods__ = frozenset()


@pytest.mark.parametrize("name", CHALLENGES)
def test_it_has_twenty_of_each_kind_and_slots_that_stand_in_the_answers(name):
    asked = items(name)
    assert len(asked) >= 300
    assert min(Counter(item.kind for item in asked).values()) >= 15
    assert all(challenge._holds(item.target, slot) for item in asked for slot in item.slots)
    assert len({item.source for item in asked}) == len(asked)
    assert sum(len(item.slots) for item in asked) >= 110


@pytest.mark.parametrize("name", CHALLENGES)
def test_perfect_answers_are_perfect_and_a_changed_digit_is_a_lost_slot(name):
    known = {item.source.casefold(): item.target for item in items(name)}
    perfect = {(r["metric"], r["kind"]): r for r in evaluate_challenge(Answers(known), name)}
    assert all(row["value"] == pytest.approx(100) for row in perfect.values())
    assert perfect["chrf", "all"]["count"] == len(items(name))
    assert ("chrf without case", "in capitals") in perfect
    wrong = {
        (r["metric"], r["kind"]): r["value"] for r in evaluate_challenge(Answers(known, True), name)
    }
    assert wrong["slots", "numbers"] < 80
    assert wrong["chrf", "questions"] == pytest.approx(100)


def test_a_number_that_is_part_of_another_is_not_it():
    assert challenge._holds("Room 45.", "45")
    assert not challenge._holds("Room 145.", "45")


def test_a_model_that_does_not_translate_is_refused():
    with pytest.raises(ZooError, match="challenge_de_en holds sentence pairs"):
        next(evaluate_challenge(object(), "challenge_de_en"))
