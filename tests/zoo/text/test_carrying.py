"""What is carried over: found by rule, put back unchanged, alike on both sides in training."""

from __future__ import annotations

import pytest

from zoo.errors import ZooError
from zoo.text import SubwordTokenizer
from zoo.text.carrying import SYMBOLS, carrier_of
from zoo.text.sentences import sentences_of

# Source -> what is carried over, as the target language writes it.
GERMAN = {
    "Es kostet 1.234,50 € oder 20%.": ("€1,234.50", "20%"),
    "Um 14.30 Uhr am 3. Oktober 2020 (12.05.2020).": ("14:30", "3", "2020", "12.05.2020"),
    "Am 11. und 22. kamen 1,5 Millionen aus den 80er Jahren.": ("11th", "22nd", "1.5", "80s"),
    "Herr Dr. Müller wohnt in der Hauptstraße 12a, 10115 Berlin.": (
        "Müller", "Hauptstraße 12a", "10115 Berlin",
    ),
    "An max.muster@firma.de: https://www.a.de/b?c=1.": (
        "max.muster@firma.de", "https://www.a.de/b?c=1",
    ),
    "AB-123-CD, MP3-Spieler, -5 Grad, 030 1234567": ("AB-123-CD", "MP3", "-5", "030 1234567"),
    "Ich heiße Zaphod.": ("Zaphod",),
    "Es steht 3:2, Seite 1.000, DE89 3704 0044 0532 0130 00": (
        "3:2", "1,000", "DE89 3704 0044 0532 0130 00",
    ),
    "Nichts davon ist eine Zahl.": (),
    "Das 3. Mal am 14. Mai, tulpe2019, HH-TR 903.": ("3rd", "14", "tulpe2019", "HH-TR 903"),
    "Am Hang 5, 79098 Freiburg. 50000 Menschen.": ("Am Hang 5", "79098 Freiburg", "50000"),
    "Doktor Abe und Herr van der Velde. Er heißt Bolko.": ("Abe", "van der Velde", "Bolko"),
    "Wie heißt Ihr Hund?": (),
}  # fmt: skip
ENGLISH = {
    "It costs $1,234.50 or 7.5%.": ("1.234,50 $", "7,5 %"),
    "2.5 million and 3.5 km, but Python 3.11.": ("2,5", "3,5", "3.11"),
    "Mr. Smith's at 10 Downing Street, on October 3rd.": ("Smith", "10 Downing Street", "3."),
    "In the 1960's, 1,000 people came at 2:30.": ("1960er", "1.000", "2:30"),
    "My name is Zaphod, flight LH2034.": ("Zaphod", "LH2034"),
    "At Gartenstraße 12 in 12.8 seconds.": ("Gartenstraße 12", "12,8"),
    "Uncle Bob, on 14 May.": ("Bob", "14"),
}


@pytest.mark.parametrize(("direction", "examples"), [("de_en", GERMAN), ("en_de", ENGLISH)])
def test_it_is_found_and_put_back(direction, examples):
    carrier = carrier_of(direction)
    for text, values in examples.items():
        carried = carrier.prepared(text)
        assert carried.values == values, text
        assert [c for c in carried.text if c in SYMBOLS] == list(SYMBOLS[: len(values)])
        restored = carrier.restored(" and ".join(SYMBOLS[: len(values)]), carried)
        assert restored == " and ".join(values)


def test_what_a_translation_lacks_is_not_lost():
    carrier = carrier_of("de_en")
    carried = carrier.prepared("Um 5 oder 6.")
    one, two, three = SYMBOLS[:3]
    assert carrier.restored(f"At {two}.", carried) == "At 6. [5]"
    assert carrier.restored(f"At {two}.", carried, mark_lost=False) == "At 6."
    assert carrier.restored("", carried) == "[5] [6]"
    assert carrier.restored(f"{one} {three}.", carrier.prepared("5")) == "5 ."


def test_more_than_there_are_placeholders_for_stays_in_the_text():
    text = " ".join(map(str, range(10, 20)))
    carried = carrier_of("de_en").prepared(text)
    assert carried.text == " ".join([*SYMBOLS, "18", "19"])
    assert carrier_of("de_en").restored(carried.text, carried) == text


def test_quotes_are_those_of_the_target():
    german = carrier_of("de_en").prepared("„Nein!“, sagte er.")
    assert german.text == '"Nein!", sagte er.'
    assert carrier_of("de_en").restored('"No!" he said.', german) == "“No!” he said."
    straight = carrier_of("de_en").prepared('"Nein!", sagte er.')
    assert carrier_of("de_en").restored('"No!" he said.', straight) == '"No!" he said.'
    english = carrier_of("en_de").prepared('"No!" he said.')
    assert carrier_of("en_de").restored('"Nein!", sagte er.', english) == "„Nein!“, sagte er."


def test_an_ordinal_ends_a_sentence_with_one_point():
    carried = carrier_of("en_de").prepared("On October 3rd.")
    assert carrier_of("en_de").restored(f"Am {SYMBOLS[0]}.", carried) == "Am 3."
    assert carrier_of("en_de").restored(f"Am {SYMBOLS[0]}. Mai.", carried) == "Am 3. Mai."


def test_capitals_alone_are_read_in_lower_case():
    prepared = carrier_of("de_en").prepared
    assert prepared("RUF AB-12 AN, SCHÖN!").text == f"ruf {SYMBOLS[0]} an, schön!"
    assert prepared("Die USA.").text == "Die USA."


def test_characters_that_stand_for_placeholders_are_no_way_in():
    carried = carrier_of("de_en").prepared(f"a{SYMBOLS[0]}b\x01c\x02 5")
    assert carried.text == f"a b c  {SYMBOLS[0]}"


def test_pairs_have_placeholders_for_what_both_sides_have():
    one, two, last = SYMBOLS[0], SYMBOLS[1], SYMBOLS[-1]
    assert carrier_of("de_en").paired("Am 21. August um 2.30 Uhr.", "On August 21st, 2:30.") == (
        f"Am {one}. August um {two} Uhr.", f"On August {one}, {two}.",
    )  # fmt: skip
    assert carrier_of("en_de").paired("I'm 24 and 3.", "Ich bin 24 und drei.") == (
        f"I'm {one} and 3.", f"Ich bin {one} und drei.",
    )  # fmt: skip
    assert carrier_of("en_de").paired("$5", "5 $", (last,)) == (last, last)


def test_an_unknown_direction_is_refused():
    with pytest.raises(ZooError, match="carry_over='de_fr': use de_en, en_de or null"):
        carrier_of("de_fr")


def test_placeholders_are_read_and_written_as_what_they_stand_for():
    one = SYMBOLS[0]
    texts = [f"({one})", f"{one}'s cat", f"{one}-fold", f"${one}", f"um {one}:"]
    tokenizer = SubwordTokenizer.train(texts, lowercase=False)
    assert [tokenizer.decode(tokenizer.encode(text)) for text in texts] == texts


def test_sentences():
    assert sentences_of("") == [""]
    assert sentences_of(" Hallo! Wie geht's?\nGut. ") == ["Hallo!", "Wie geht's?", "Gut."]
    assert sentences_of("Dr. Weber, z. B. Der Rest.") == ["Dr. Weber, z. B. Der Rest."]
    dates = ["Am 3. Mai.", "Er kam 1990.", "Sie ging."]
    assert sentences_of(" ".join(dates)) == dates
    assert sentences_of('"Nein!" "Doch!" sagte er.') == ['"Nein!"', '"Doch!" sagte er.']
    assert sentences_of("hallo! wie geht es dir? gut") == ["hallo!", "wie geht es dir?", "gut"]
