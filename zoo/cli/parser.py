"""The command line: which verbs there are, and which words each takes."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from typing import Any, NoReturn, TypeAlias

from zoo._version import __version__
from zoo.cli import verbs
from zoo.cli.show import (
    show_gates,
    show_gradients,
    show_labels,
    show_plain,
    show_preset,
    show_rank,
    show_score,
    show_tags,
    show_translations,
    show_words,
)
from zoo.errors import did_you_mean

LANGUAGE_PRESET = "lstm_tatoeba_en"
FILL_PRESET = "birnn_tatoeba_en"
RESTORING_PRESET = "restore_tatoeba_en"
CLASSIFYING_PRESET = "language_tatoeba"
TRANSLATION_PRESET = "seq2seq_tatoeba_de_en"

Subparsers: TypeAlias = Any  # what `add_subparsers` gives: argparse has no public name for it


# How argparse says that a word is none of those that it may be.
CHOICE = re.compile(r"invalid choice: '(.*?)' \(choose from (.*)\)", re.DOTALL)


class Parser(argparse.ArgumentParser):
    """Says what was wrong in one line and exits with 2."""

    def error(self, message: str) -> NoReturn:
        wrong = CHOICE.search(message)
        known = re.findall(r"[\w-]+", wrong.group(2)) if wrong else []
        message += did_you_mean(wrong.group(1), known) if wrong else ""
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def build_parser() -> Parser:
    """The command line, verb by verb (`zoo VERB --help` shows one)."""
    parser = Parser(prog="zoo", description="Recurrent language and translation models.")
    parser.add_argument("--version", action="version", version=f"zoo {__version__}")
    subparsers = parser.add_subparsers(metavar="VERB", required=True, parser_class=Parser)
    _reading_verbs(subparsers)
    _labelling_verbs(subparsers)
    _working_verbs(subparsers)
    serve = subparsers.add_parser(
        "serve", help="embedded model server (tensorflow_model_server flags)"
    )
    serve.set_defaults(name="serve")
    return parser


def _verb(
    subparsers: Subparsers,
    name: str,
    function: Callable[[argparse.Namespace], verbs.Rows],
    show: Callable[[dict[str, Any]], str],
    text: str,
) -> Parser:
    parser: Parser = subparsers.add_parser(name, help=text, description=text)
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.set_defaults(verb=function, show=show, name=name)
    return parser


def _add_texts(parser: Parser, preset: str) -> None:
    parser.add_argument("text", nargs="*", metavar="TEXT", help="quoted text")
    parser.add_argument("--file", help="a UTF-8 file, one text a line; - is standard input")
    _add_preset(parser, preset)


def _add_preset(parser: Parser, preset: str) -> None:
    parser.add_argument("--preset", default=preset, help=f"name or directory (default {preset})")


def _reading_verbs(subparsers: Subparsers) -> None:
    """Verbs that ask a model something."""
    _verb(subparsers, "list", verbs.list_verb, show_preset, "the presets that come along")
    words = _verb(subparsers, "next", verbs.next_verb, show_words, "next-word distribution")
    _add_texts(words, LANGUAGE_PRESET)
    words.add_argument("-k", type=int, default=10, help="how many words")
    words.add_argument("--prefix", default="", help="what is typed of the next word")
    score = _verb(subparsers, "score", verbs.score_verb, show_score, "log-probability of sentences")
    _add_texts(score, LANGUAGE_PRESET)
    score.add_argument("--tokens", action="store_true", help="the score of each word too")
    rank = _verb(subparsers, "rank", verbs.rank_verb, show_rank, "alternatives, best first")
    _add_texts(rank, LANGUAGE_PRESET)
    fill = _verb(subparsers, "fill", verbs.fill_verb, show_words, "fill the ___ in a sentence")
    _add_texts(fill, FILL_PRESET)
    fill.add_argument("-k", type=int, default=10, help="how many words")
    translate = _verb(
        subparsers, "translate", verbs.translate_verb, show_translations, "translate sentences"
    )
    _add_texts(translate, TRANSLATION_PRESET)
    translate.add_argument("--beam", type=int, default=5, help="beam width")
    translate.add_argument("--n-best", type=int, default=1, help="translations a text")
    translate.add_argument("--rescore", metavar="PRESET", help="re-rank with a language model")
    utilities = ["chrf", "bleu"]
    translate.add_argument(
        "--mbr", choices=utilities, help="re-rank by likeness to the other translations found"
    )
    _add_inspect(_verb(subparsers, "inspect", verbs.inspect_verb, show_gates, "gates over a text"))
    generate = _verb(
        subparsers, "generate", verbs.generate_verb, lambda row: row["text"], "continue a text"
    )
    _add_generate(generate)


def _add_inspect(parser: Parser) -> None:
    parser.add_argument("model", metavar="PRESET_OR_DIR")
    parser.add_argument("text", metavar="TEXT", help="quoted text")
    parser.add_argument("--unit", type=int, metavar="N", help="this unit alone, not the mean")
    parser.add_argument("--out", "--plot", metavar="PNG", help="draw the gates as heat maps")


def _labelling_verbs(subparsers: Subparsers) -> None:
    """Verbs that ask a model for labels."""
    tag = _verb(subparsers, "tag", verbs.tag_verb, show_tags, "a label for each word")
    _add_texts(tag, RESTORING_PRESET)
    classify = _verb(subparsers, "classify", verbs.classify_verb, show_labels, "a label for a text")
    _add_texts(classify, CLASSIFYING_PRESET)
    classify.add_argument("-k", type=int, help="how many labels (default all)")
    restore = _verb(
        subparsers,
        "restore",
        verbs.restore_verb,
        lambda row: row["restored"],
        "case and punctuation for text without them",
    )
    _add_texts(restore, RESTORING_PRESET)
    restore.add_argument(
        "--stream", action="store_true", help="all lines are one text; answers as they are certain"
    )


def _add_generate(parser: Parser) -> None:
    parser.add_argument("prompt", help="the text so far (may be empty)")
    _add_preset(parser, LANGUAGE_PRESET)
    names = ["greedy", "sample", "top_k", "top_p", "beam"]
    parser.add_argument("--sampler", choices=names, default="greedy")
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument("-k", type=int, default=10, help="for top_k: how many words")
    parser.add_argument("-p", type=float, default=0.9, help="for top_p: probability mass")
    parser.add_argument("--beam", type=int, default=5, help="for beam: its width")
    parser.add_argument("--max-words", type=int, default=20)
    parser.add_argument(
        "-n", type=int, default=1, dest="number", help="how many continuations, one a line"
    )
    parser.add_argument("--seed", type=int, default=0)


def _add_evaluate(subparsers: Subparsers) -> None:
    evaluate = _verb(
        subparsers,
        "evaluate",
        verbs.forwarded("evaluate"),
        show_plain,
        "perplexity, recall or BLEU on a data set",
    )
    evaluate.add_argument("model", metavar="PRESET_OR_DIR")
    evaluate.add_argument(
        "--data", required=True, help="a data set's name, a text file, or challenge_de_en"
    )
    evaluate.add_argument("--split", default="test", choices=["train", "valid", "test"])
    evaluate.add_argument("--data-dir", help="folder with the corpora")
    evaluate.add_argument(
        "--detailed",
        action="store_true",
        help="also of the examples without a near-duplicate in training, and by length",
    )
    evaluate.add_argument(
        "--cache",
        metavar="WINDOW,THETA,LAMBDA",
        help="with a continuous cache (see zoo.models.CachedLanguageModel)",
    )
    evaluate.add_argument(
        "--dynamic",
        metavar="RATE,DECAY[,SEGMENT]",
        help="learning from the text as it is scored; tune: chosen on the validation text",
    )


def _working_verbs(subparsers: Subparsers) -> None:
    """Verbs that train, measure and write."""
    train = _verb(subparsers, "train", verbs.train_verb, show_plain, "train a config")
    train.add_argument("config", help="a YAML file, or the name of one under training/configs")
    train.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="changes")
    train.add_argument("--data-dir", help="folder with the corpora")
    train.add_argument("--out", help="preset directory to write (default runs/NAME)")
    train.add_argument("--resume", action="store_true", help="go on after the last checkpoint")
    train.add_argument("--from", metavar="PRESET_OR_DIR", dest="start", help="go on from a preset")
    train.add_argument("--export", metavar="FORMATS", help="at the end: saved_model,tflite")
    _add_evaluate(subparsers)
    export = _verb(subparsers, "export", verbs.export_verb, show_plain, "export a model")
    export.add_argument("model", metavar="PRESET_OR_DIR")
    export.add_argument("--format", default="saved_model", choices=["saved_model", "tflite"])
    export.add_argument("--out", required=True, help="where to write")
    quantizations = ["none", "float16", "dynamic", "int8"]
    export.add_argument("--quantize", default="none", choices=quantizations)
    export.add_argument("--data", help="compare a .tflite file on a data set's or file's texts")
    export.add_argument("--data-dir", help="folder with the corpora")
    gradients = _verb(
        subparsers,
        "gradients",
        verbs.forwarded("gradients"),
        show_gradients,
        "gradient-flow report and plots",
    )
    gradients.add_argument("model", metavar="CONFIG_OR_PRESET")
    gradients.add_argument("--data-dir", help="folder with the corpora")
    gradients.add_argument("--out", help="folder for the plots")
    publish = _verb(
        subparsers, "publish", verbs.forwarded("publish"), show_plain, "a run as a shipped preset"
    )
    publish.add_argument("config", help="a YAML file, or the name of one under training/configs")
    publish.add_argument("--run", required=True, help="the preset directory that training wrote")
    publish.add_argument("--data-dir", help="folder with the corpora")
    publish.add_argument("--out", help="where to write (default: into the package's presets)")
