"""What a translation carries over as it stands, as rules: the same for `re` and RE2.

Each rule is (pattern, replacement) in the syntax that Python's `re` (with `re.ASCII`) and RE2
share, so that Python, a TensorFlow graph and a device do the same. `OPEN` and `CLOSE` are put
around what is carried over; what was marked earlier is not marked again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

Rules: TypeAlias = tuple[tuple[str, str], ...]

FIRST, COUNT = 0xE000, 8  # placeholders are characters for private use
SYMBOLS = tuple(chr(FIRST + k) for k in range(COUNT))
OPEN, CLOSE = "\x01", "\x02"
SPACE_KEPT, SENTENCE_END = "\x03", "\x04"

_LETTER = "A-Za-zÀ-ÖØ-öø-ÿĀ-ž"
_NAME = (
    r"(?:(?:van|von|de|del|di|da)(?: de[rnm])? )?"
    f"(?:[A-ZÀ-ÖØ-Þ]['’])?[A-ZÀ-ÖØ-Þ][{_LETTER}-]*[{_LETTER}]"
)
_PLACE = "[A-ZÄÖÜ][a-zäöüß-]+"
_WEB = r"[^ \t\r\n\"„“”<>\x01\x02]*[0-9A-Za-z/]"
_NUMBER = r"[0-9]+(?:[.,][0-9]+)*"

# What no rule should meet in a text: control characters and the placeholders themselves.
CLEAN: Rules = (
    (f"[\x01-\x08\x0b\x0c\x0e-\x1f{SYMBOLS[0]}-{SYMBOLS[-1]}]", " "),
    ("[„“”«»]", '"'),
)
CURLY = "(?s).*[„“”«»].*"  # a text that writes quotes in its language's own way

_ANYWHERE = (
    f"{OPEN}[^{CLOSE}]*{CLOSE}",  # marked before
    rf"\b(?i:https?://|www\.){_WEB}",
    r"\b[0-9A-Za-z][0-9A-Za-z._%+-]*@[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)+",
    rf"\b[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*\.(?:com|org|net|edu|de|at|ch|eu|uk|io|info)\b(?:/{_WEB})?",
    r"\b[0-9A-Za-z_-]+\.(?:pdf|txt|docx?|xlsx?|csv|zip|jpg|png|mp[34]|html)\b",
    r"[@#][A-Za-z_][0-9A-Za-z_]*",
    r"\b[A-Z]{2}[0-9]{2}(?: ?[0-9A-Z]{4}){3,7}(?: ?[0-9A-Z]{1,3})?\b",  # bank accounts
    r"(?:\+|\b0)[0-9][0-9 /()-]{4,}[0-9]\b",  # telephones
    rf"[$€£¥] ?{_NUMBER}",
    rf"\b{_NUMBER} ?[$€£¥%]",
    r"\b[0-9]+(?:ern?|st|nd|rd|th)\b",
    r"\b[A-ZÄÖÜ]{1,3}-[A-Z]{1,2} [0-9]{1,4}[EH]?\b",  # number plates
    # Numbers, times, dates, codes: AB-123, 4B, abc12, 2020-05-12, 14:30, 5km
    r"\b(?:[A-Z]{1,6}-|[A-Za-z]+)?[0-9]+(?:[A-Z]{0,4}[.,:/_-]?[A-Z]{0,4}[0-9]+)*[A-Za-z]{0,3}(?:-[A-Z]{1,4})?\b",
)
_ONCE: Rules = ((f"{OPEN}{OPEN}", OPEN), (f"{CLOSE}{CLOSE}", CLOSE))  # what was marked twice
_LAST: Rules = (
    # Addresses in Germany, in either language.
    (
        r"((?:(?:Am|Im|Zum|Zur|An der|In der|Auf der|Unter den) )?"
        rf"{_PLACE} [0-9]+[a-z]?), ([0-9]{{5}} {_PLACE})",
        rf"{OPEN}\1{CLOSE}, {OPEN}\2{CLOSE}",
    ),
    (
        r"([A-ZÄÖÜ][a-zäöüß]+(?:straße|strasse|str\.|weg|platz|gasse|allee|ufer|ring)"
        r" [0-9]+[a-z]?)\b",
        rf"{OPEN}\1{CLOSE}",
    ),
    *_ONCE,
    (r"(^|[ (])(-[0-9]+(?:[.,][0-9]+)?)\b", rf"\1{OPEN}\2{CLOSE}"),  # -5 degrees
    (f"({'|'.join(_ANYWHERE)})", rf"{OPEN}\1{CLOSE}"),
    *_ONCE,
)


@dataclass(frozen=True)
class Language:
    """One language's rules.

    Attributes:
        normal: other ways of writing that are read as one, in sources and targets.
        marks: what is carried over.
        quotes: quotation marks as the language writes them, in place of straight ones.
        last: what is set right behind what was carried over.
    """

    normal: Rules
    marks: Rules
    quotes: Rules
    last: Rules = ()


_MONTHS = (
    "Januar|Jänner|Februar|März|April|Mai|Juni|Juli|August|September|Oktober|November|Dezember"
)
_AFTER_ORDINALS = "(?:Mal|Stock|Platz|Geburtstag|Jahrhundert|Klasse|Tag|Etage)"
GERMAN = Language(
    normal=((r"\b([0-9]{1,2})\.([0-9]{2}) Uhr", r"\1:\2 Uhr"),),
    marks=(
        (
            r"\b(Herrn?|Frau|Doktor|Professor|Onkel|Tante|Firma|Familie)"
            rf"((?: (?:Dr\.|Prof\.))*) ({_NAME})",
            rf"\1\2 {OPEN}\3{CLOSE}",
        ),
        (rf"\b(heiße|Name ist) ({_NAME})", rf"\1 {OPEN}\2{CLOSE}"),
        (rf"\b(heißt) ({_NAME})([.,!])", rf"\1 {OPEN}\2{CLOSE}\3"),  # not: heißt Ihr Hund
        # The day of a month is a number like others in English: 14 May, May 14.
        (rf"\b([0-9]{{1,2}})(\. (?:{_MONTHS}))", rf"{OPEN}\1{CLOSE}\2"),
        (rf"\b([0-9]{{1,2}}\.)( {_AFTER_ORDINALS})", rf"{OPEN}\1{CLOSE}\2"),
        (r"\b([0-9]{1,2}\.)( [a-zäöü])", rf"{OPEN}\1{CLOSE}\2"),
        *_LAST,
    ),
    quotes=(('"([^"]*)"', "„\\1“"),),
    last=((r'(^| )([0-9]{1,2}\.)\.($|[ "“])', r"\1\2\3"),),  # on the 3.
)
_STREETS = r"(?:Street|Avenue|Road|Lane|Drive|Boulevard|Square|St\.|Ave\.|Rd\.)"
ENGLISH = Language(
    normal=((r"\b([0-9]+)'s\b", r"\1s"),),
    marks=(
        (
            rf"\b((?:Mr|Mrs|Ms|Miss|Dr|Doctor|Prof|Professor|Uncle|Aunt|company)\.?) ({_NAME})",
            rf"\1 {OPEN}\2{CLOSE}",
        ),
        (rf"\b(name is|name's|named|is called) ({_NAME})", rf"\1 {OPEN}\2{CLOSE}"),
        (rf"\b([0-9]+[a-z]? (?:[A-Z][a-z]+ ){{1,3}}{_STREETS})", rf"{OPEN}\1{CLOSE}"),
        *_LAST,
    ),
    quotes=(('"([^"]*)"', "“\\1”"),),
)

_UNITS = (
    "percent|million|billion|trillion|kilometers|kilometres|meters|metres|miles|inches|feet|"
    "liters|litres|grams|kilograms|kilos|tons|pounds|points|degrees|"
    "seconds|minutes|hours|days|weeks|months|years|euros?|dollars?|km|kg|cm|mm|m"
)


_BEFORE, _AFTER = "[$€£¥]? ?", " ?[$€£¥%]?"
DONE = "\x05"  # before a number that has been written the other way, so that no rule turns it back


def _swapped(group: str, point: str) -> Rules:
    """Numbers with the thousands' mark `group` and the decimal `point` written the other way."""
    rules = []
    for groups in (3, 2, 1):
        parts = f"[{group}]".join([f"^({_BEFORE}[0-9]{{1,3}})", *["([0-9]{3})"] * groups])
        swapped = DONE + point.join(f"\\{i + 1}" for i in range(groups + 1))
        rest = groups + 2
        with_decimals = rf"{parts}[{point}]([0-9]+)({_AFTER})$"
        rules.append((with_decimals, rf"{swapped}{group}\{rest}\{rest + 1}"))
        rules.append((rf"{parts}({_AFTER})$", rf"{swapped}\{rest}"))
    return tuple(rules)


TO_ENGLISH: Rules = (
    *_swapped(".", ","),
    (f"^({_BEFORE}[0-9]+),([0-9]+{_AFTER})$", rf"{DONE}\1.\2"),
    (DONE, ""),
    (r"^([0-9.,]+) ?%$", r"\1%"),
    (r"^([0-9.,]+) ?([$€£¥])$", r"\2\1"),
    (r"^([0-9]+)ern?$", r"\1s"),
    (r"^([0-9]+)mal$", r"\1 times"),
    (r"^([0-9]*1[0-9])\.$", r"\1th"),
    (r"^([0-9]*1)\.$", r"\1st"),
    (r"^([0-9]*2)\.$", r"\1nd"),
    (r"^([0-9]*3)\.$", r"\1rd"),
    (r"^([0-9]+)\.$", r"\1th"),
)
TO_GERMAN: Rules = (
    *_swapped(",", "."),
    (r"^([$€£¥] ?[0-9]+)\.([0-9]+)$", rf"{DONE}\1,\2"),
    (r"^([0-9]+)\.([0-9]+ ?[$€£¥%])$", rf"{DONE}\1,\2"),
    (DONE, ""),
    (r"^([0-9.,]+) ?%$", r"\1 %"),
    (r"^([$€£¥]) ?([0-9.,]+)$", r"\2 \1"),
    (r"^([0-9]+)s$", r"\1er"),
    (r"^([0-9]+)(?:st|nd|rd|th)$", r"\1."),
)
# Sure only with a unit behind: 3.11 alone may be a version.
DECIMALS_TO_GERMAN: Rules = (
    (rf"(^|[^0-9.,])([0-9]+)\.([0-9]{{1,2}})( ?(?:{_UNITS})\b)", r"\1\2,\3\4"),
)


@dataclass(frozen=True)
class CarryRules:
    """The rules of one direction of translation; see `zoo.text.carrying.Carrier`."""

    source: Language
    target: Language
    convert: Rules  # of the source's text
    values: Rules  # of what is carried over


DIRECTIONS = {
    "de_en": CarryRules(GERMAN, ENGLISH, (), TO_ENGLISH),
    "en_de": CarryRules(ENGLISH, GERMAN, DECIMALS_TO_GERMAN, TO_GERMAN),
}
