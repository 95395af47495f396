"""Model cards, written from the run's config and from what the model itself answers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch
from typing import Any

from training.config import RunConfig
from zoo.errors import ZooError
from zoo.models import BidirectionalLanguageModel, BidirectionalRestorer
from zoo.models.labelling import Tagger, TextClassifier
from zoo.models.language_model import LanguageModel
from zoo.models.seq2seq.translator import Translator

PROMPTS = ("I would like to", "Where is the", "The stock market")
BLANKS = ("the ___ is small", "I ___ like to go", "The stock ___ fell today")
GERMAN = (
    "Wo ist der Bahnhof?",
    "Ich habe keine Zeit.",
    "Das ist mein Buch.",
    "Obwohl es den ganzen Tag geregnet hat, sind wir am Abend noch spazieren gegangen.",
    "Die Bundesbank senkte den Leitzins.",
)
ENGLISH = (
    "Where is the station?",
    "I don't have time.",
    "This is my book.",
    "Although it had rained all day, we went for a walk in the evening.",
    "The central bank lowered its key rate.",
)
BARE = (
    "where is the station",
    "i don't know if tom and mary are coming but i hope so",
    "what time is it it's half past two i have to go",
    "well mr jackson said that he lives in new york with his wife his son and a dog",
    "the central bank lowered its key rate by a quarter of a percentage point",
)
_PAIRS = (
    "The corpus is short, everyday sentences with translations by volunteers. Long sentences, "
    "names, numbers and technical words outside the vocabulary are translated badly or copied."
)
LIMITS = {
    "tatoeba_en": (
        "The corpus is short, everyday, mostly correct English, written by volunteers for "
        "language learners: some names (Tom, Mary) and subjects are far commoner than in other "
        "text, and long sentences, news, technical words and dialects are rare. Text is read in "
        "lower case, and a word outside the vocabulary is <unk>. The sentences were not screened: "
        "what the model finds likely is what was written, stereotypes among it."
    ),
    "restore_tatoeba_en": (
        "The corpus is short, everyday English, in which most texts are one or two sentences and "
        "many names are Tom or Mary: names outside the vocabulary of 10,000 words are known by "
        "their place alone. Quotes, brackets and dashes are not put back. Numbers, abbreviations "
        "and the terms of news or science are rare in the training text."
    ),
    "language_tatoeba": (
        "German and English alone are known: a text in any other language is called one of them, "
        "and a text of names, numbers or words outside the vocabulary is a guess."
    ),
    "tatoeba_de_en": _PAIRS,
    "tatoeba_en_de": _PAIRS,
    "wikitext2": (
        "The corpus is good and featured articles of the English Wikipedia of 2016, tokenised, "
        "with rare words replaced by <unk>: encyclopedic prose, not conversation."
    ),
}


def card_text(
    name: str, config: RunConfig, corpus: Any, model: Any, rows: list[dict[str, Any]]
) -> str:
    """The Markdown text of a preset's card.

    Args:
        name: the preset's name.
        config: the run behind it.
        corpus: its data, for licence and attribution.
        model: the model with the weights that are shipped.
        rows: `training.tasks.evaluate`'s rows on the test split.
    """
    parts = [
        f"# {name}",
        config.description + ".",
        "## Figures",
        figures_table(rows),
        f"Measured on the float16 weights in this directory by `zoo evaluate {name} "
        f"--data {config.data.name} --data-dir DIR`. {model.parameter_count():,} parameters.",
        "## Data and licence",
        f"Trained on `{config.data.name}`. {corpus.attribution}. The weights are under the "
        f"corpus's licence, {corpus.licence}.",
        "## Examples",
        examples(model, ENGLISH if config.data.name.endswith("_en_de") else GERMAN),
        "## Limits",
        LIMITS.get(name) or LIMITS.get(config.data.name, "See the corpus's own description."),
        "## Training",
        f"`{'zoo train ' + name}` with seed {config.seed}; settings in "
        f"training/configs/{name}.yaml, curve in training/logs/{name}.csv.",
    ]
    return "\n\n".join(parts) + "\n"


def figures_table(rows: list[dict[str, Any]]) -> str:
    """A Markdown table of evaluation rows."""
    lines = ["| test metric | value | tokens | unknown | counted |", "|---|---|---|---|---|"]
    for row in rows:
        value, how = row["value"], row["signature"].replace("|", "\\|")
        shown = f"{value:.4f}" if value < 1 else f"{value:.2f}"
        cells = (row["metric"], shown, row["tokens"], row["oov"], how)
        lines.append("| " + " | ".join(str(cell) for cell in cells) + " |")
    return "\n".join(lines)


@singledispatch
def examples(model: Any, sources: Sequence[str] = GERMAN) -> str:
    """What the model answers to fixed questions, the last one outside its subject."""
    raise ZooError(f"no examples are known for a {type(model).__name__}: register some here")


@examples.register
def _next_words(model: LanguageModel, sources: Sequence[str] = GERMAN) -> str:
    return _listed(PROMPTS, model.next_words(list(PROMPTS), k=5))


@examples.register
def _fillings(model: BidirectionalLanguageModel, sources: Sequence[str] = GERMAN) -> str:
    return _listed(BLANKS, model.fill(list(BLANKS), k=5))


@examples.register
def _translations(model: Translator, sources: Sequence[str] = GERMAN) -> str:
    answers = zip(sources, model.translate(list(sources)), strict=True)
    return "\n".join(f"- {source} → {best[0][0]}" for source, best in answers)


@examples.register
def _tags(model: Tagger, sources: Sequence[str] = GERMAN) -> str:
    answers = zip(ENGLISH, model.tag(list(ENGLISH)), strict=True)
    rows = ((text, " ".join(f"{word}/{label}" for word, label, _ in row)) for text, row in answers)
    return "\n".join(f"- “{text}” → {row}" for text, row in rows)


@examples.register
def _classes(model: TextClassifier, sources: Sequence[str] = GERMAN) -> str:
    texts = (*GERMAN, *ENGLISH)
    return _listed(texts, model.classify(list(texts), k=3))


@examples.register
def _restored(model: BidirectionalRestorer, sources: Sequence[str] = GERMAN) -> str:
    answers = zip(BARE, model.restore(list(BARE)), strict=True)
    return "\n".join(f"- {text} → {answer}" for text, answer in answers)


def _listed(questions: tuple[str, ...], answers: list[list[tuple[str, float]]]) -> str:
    lines = []
    for question, words in zip(questions, answers, strict=True):
        listed = ", ".join(f"{word} {probability:.3f}" for word, probability in words)
        lines.append(f"- “{question}” → {listed}")
    return "\n".join(lines)
