"""A text cut into its sentences by rule; the rules are those of `carry_rules`, for `re` and RE2."""

from __future__ import annotations

from zoo.text.carry_rules import CLEAN, SENTENCE_END, SPACE_KEPT, Rules
from zoo.text.carrying import applied

_SPACE = "[ \t\r\n]"
_ABBREVIATIONS = (
    "Dr|Prof|Mr|Mrs|Ms|St|Hr|Fr|Nr|No|vs|bzw|ca|usw|etc|evtl|ggf|inkl|Tel|Str|Jr|Sr|Co|Inc|Ltd|"
    "Jan|Feb|Apr|Aug|Sept|Okt|Oct|Nov|Dez|Dec|[A-Za-z]|[0-9]{1,2}"
)
_OPENING, _CLOSING = "[\"„“»«'(\\[]", "[\"”“»«')\\]]"
RULES: Rules = (
    (CLEAN[0][0], " "),
    (f"^{_SPACE}+|{_SPACE}+$", ""),
    ("[ \t]*[\r\n][ \t\r\n]*", SENTENCE_END),
    (rf"\b((?:{_ABBREVIATIONS})\.)[ \t]+", rf"\1{SPACE_KEPT}"),
    (rf"([.!?…]{_CLOSING}*)[ \t]+({_OPENING}*[A-ZÀ-ÖØ-Þ0-9¿¡])", rf"\1{SENTENCE_END}\2"),
    (r"([!?])[ \t]+([^ \t])", rf"\1{SENTENCE_END}\2"),
    (SPACE_KEPT, " "),
)


def sentences_of(text: str) -> list[str]:
    """The sentences of a text, at least one.

    Example:
        >>> sentences_of("Dr. Weber kam am 3. Mai. Wer noch? niemand!")
        ['Dr. Weber kam am 3. Mai.', 'Wer noch?', 'niemand!']
    """
    return applied(RULES, text).split(SENTENCE_END)
