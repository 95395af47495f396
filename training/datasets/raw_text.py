"""Running text as people write it, from a corpus that was cut into tokens.

WikiText-2 has spaces around every mark, `@-@` for the hyphen within a word, and `@,@` and `@.@`
within numbers. By rule the marks go back to where they belong. Headings and empty lines go: they
are no sentences. The corpus's `<unk>` stays, for what stood there cannot be brought back: a model
of pieces of words reads it but never has to say it (training.tasks.running_text).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from training.datasets.corpus import Corpus
from zoo.text.detokenization import RULES, Rules, join_tokens

HEADING = re.compile(r"^=.*=$")
WITHIN = re.compile(r" @([-,.])@ ")
RAW_RULES: Rules = (
    (r" '(s|t|re|m|ve|ll|d)( |$)", r"'\1\2"),  # the dog 's tail
    *RULES,
    (r"([0-9]) – ([0-9])", r"\1–\2"),  # 23–38 cm
    (r"' ([^' ]+)' ", r"'\1' "),  # ' word '
)


def raw(line: str) -> str:
    """A tokenised line as running text.

    Example:
        >>> raw('The dog \\'s tail ( 0 @.@ 7 – 2 kg ) is well @-@ known , " red " and small .')
        'The dog\\'s tail (0.7–2 kg) is well-known, "red" and small.'
    """
    return join_tokens(WITHIN.sub(r"\1", line).split(), RAW_RULES)


def raw_lines(lines: Iterable[str]) -> Iterator[str]:
    """The paragraphs of tokenised text as running text."""
    for line in lines:
        paragraph = " ".join(line.split())
        if paragraph and not HEADING.match(paragraph):
            yield raw(paragraph)


def raw_corpus(corpus: Corpus, name: str) -> Corpus:
    """A corpus of tokenised running text as people write it."""
    train, valid, test = (
        list(raw_lines(part)) for part in (corpus.train, corpus.valid, corpus.test)
    )
    licence = corpus.licence
    return Corpus(name, train, valid, test, licence, corpus.attribution, is_stream=True)
