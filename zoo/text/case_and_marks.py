"""Case and punctuation as labels of words, taken from any text and given back to bare words.

    "Where is Tom?"   words   where        is      tom
                      labels  title        lower   title ?

A label is a case form and the mark after the word. Case forms: `lower`; `title` (a capital first);
`upper`; `mixed` for all else, such as McDonald, which a list of forms spells. Quotes, brackets and
marks before the first word have no label: they are taken out of the text and not put back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from zoo.text.detokenization import join_tokens
from zoo.text.word import WordTokenizer

LOWER, TITLE, UPPER, MIXED = CASES = ("lower", "title", "upper", "mixed")
MARKS = (",", ".", "?", "!", ":", ";", "-", "…")
ENDS = (".", "?", "!", "…")  # of sentences: a capital behind them says nothing of the word
WRITTEN = {"…": "..."}  # the marks that are written in another way than they are named
# What is not seen as a word: the marks, and what has no label.
TAKEN_OUT = (*MARKS, *"\"“”„‚‘«»‹›()[]{}'—–¿¡")
LABELS = tuple(f"{case} {mark}".strip() for mark in ("", *MARKS) for case in CASES)
_IS_TAKEN_OUT = frozenset(TAKEN_OUT)
_CASED = WordTokenizer.train([], lowercase=False)


class MarkedWord(NamedTuple):
    """A word as it is written, folded, and the mark after it ("" for none)."""

    form: str
    word: str
    mark: str

    @property
    def label(self) -> str:
        return f"{case_of(self.form, self.word)} {self.mark}".strip()


def bare_words(tokens: Iterable[str]) -> list[str]:
    """The tokens that are words, without all marks.

    Example:
        >>> bare_words(["where", "is", "tom", "?"])
        ['where', 'is', 'tom']
    """
    return [token for token in tokens if token not in _IS_TAKEN_OUT]


def marked_words(text: str, tokenizer: WordTokenizer) -> list[MarkedWord]:
    """The words of a written text with their forms and marks.

    Example:
        >>> words = marked_words('"Where is Tom?"', WordTokenizer.train([]))
        >>> [word.label for word in words]
        ['title', 'lower', 'title ?']
    """
    found: list[tuple[str, str]] = []
    for token in _CASED.tokenize(text):
        if token not in _IS_TAKEN_OUT:
            found.append((token, ""))
        elif found:
            form, marks = found[-1]
            found[-1] = (form, marks + token)
    return [MarkedWord(form, tokenizer.prepare(form), _mark_of(run)) for form, run in found]


def _mark_of(run: str) -> str:
    """The mark that all those behind a word are read as: the first that has a label.

    A hyphen is one if it stands alone; two are a dash.
    """
    if ".." in run:
        return "…"
    return next((mark for mark in run if mark in MARKS and (mark != "-" or run == "-")), "")


def case_of(form: str, word: str) -> str:
    """The case form of a word as it is written."""
    if form == word:
        return LOWER
    if form == title(word):
        return TITLE
    return UPPER if form == word.upper() else MIXED


def title(word: str) -> str:
    """A word with a capital first; the rest stays as it is."""
    return word[:1].upper() + word[1:]


def written(word: str, case: str, forms: Mapping[str, str]) -> str:
    """A folded word in a case form; `forms` spells the mixed ones."""
    if case == MIXED:
        return forms.get(word) or title(word)
    return {TITLE: title, UPPER: str.upper}.get(case, str)(word)


def restored(words: Sequence[str], labels: Sequence[str], forms: Mapping[str, str]) -> str:
    """Bare words with case and marks as running text.

    Example:
        >>> restored(["where", "is", "tom"], ["title", "lower", "title ?"], {})
        'Where is Tom?'
    """
    tokens = []
    for word, label in zip(words, labels, strict=True):
        case, _, mark = label.partition(" ")
        tokens.append(written(word, case, forms))
        tokens += [WRITTEN.get(mark, mark)] if mark else []
    return join_tokens(tokens)


def usual_forms(texts: Iterable[Sequence[MarkedWord]]) -> dict[str, str]:
    """How words are mostly written inside sentences, for those that are not mostly in lower case.

    First words of texts and words behind the end of a sentence do not count, since a capital there
    says nothing of the word. What is found is names and the like.

    Example:
        >>> words = WordTokenizer.train([])
        >>> usual_forms([marked_words("Yes, Tom and I left.", words)])
        {'tom': 'Tom', 'i': 'I'}
    """
    counts: dict[str, Counter[str]] = {}
    for text in texts:
        before = ENDS[0]
        for form, word, mark in text:
            if before not in ENDS:
                counts.setdefault(word, Counter())[form] += 1
            before = mark
    usual = {word: forms.most_common(1)[0][0] for word, forms in counts.items()}
    return {word: form for word, form in usual.items() if form != word}
