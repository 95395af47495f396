"""The `zoo` command. Every verb is thin: it parses words, calls one public function, prints.

Exit codes: 0 done; 2 bad usage or bad input, said in one line on stderr; 1 anything else.
`training`, `export` and `serving` are imported by the verbs that need them, and only then.
"""

from __future__ import annotations

import argparse
import importlib
import json
import math
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from zoo._version import __version__
from zoo.cli.show import (
    show_gradients,
    show_plain,
    show_preset,
    show_rank,
    show_score,
    show_translations,
    show_words,
)
from zoo.errors import ZooError

LANGUAGE_PRESET = "lstm_tatoeba_en"
FILL_PRESET = "birnn_tatoeba_en"
TRANSLATION_PRESET = "seq2seq_tatoeba_de_en"
MAX_LINE_BYTES = 1 << 20

Rows = Iterator[dict[str, Any]]


class Parser(argparse.ArgumentParser):
    """Says what was wrong in one line and exits with 2."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit code."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before anything imports TensorFlow
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] == ["serve"]:  # its flags are tensorflow_model_server's, not argparse's
        return int(importlib.import_module("serving.__main__").main(words[1:]))
    options = build_parser().parse_args(words)
    try:
        if options.verb is not list_verb:
            import_quietly("keras")
        for row in options.verb(options):
            print_row(row, options)
        return 0
    except ZooError as error:
        print(f"zoo {options.name}: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # `zoo list | head` is no error
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print(f"zoo {options.name}: interrupted", file=sys.stderr)
        return 1
    except Exception as error:
        if os.environ.get("ZOO_TRACEBACK"):
            raise
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        print(f"zoo {options.name}: {reason[:500]} (ZOO_TRACEBACK=1 shows where)", file=sys.stderr)
        return 1


def import_quietly(module: str) -> None:
    """Import what imports TensorFlow without the lines it writes about itself.

    Some of them come before it looks at TF_CPP_MIN_LOG_LEVEL, so the stream itself is held. A user
    who set that to less than 3 sees them, and so does anyone for whom the import fails.
    """
    if os.environ["TF_CPP_MIN_LOG_LEVEL"] < "3":
        importlib.import_module(module)
        return
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            importlib.import_module(module)
        except BaseException:
            held.seek(0)
            os.write(kept, held.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def print_row(row: dict[str, Any], options: argparse.Namespace) -> None:
    """One result: a JSON object a line, or the verb's own readable form."""
    if options.json:
        print(json.dumps(finite(row), ensure_ascii=False), flush=True)
    else:
        print(options.show(row), flush=True)


def finite(value: Any) -> Any:
    """JSON has no infinity: such a number becomes null."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def load_model(name: str, method: str) -> Any:
    """A preset's model, refused with a line if it is of a kind that lacks the verb's method."""
    import zoo

    model = zoo.load(name)
    if not hasattr(model, method):
        raise ZooError(f"preset {name!r} is a {type(model).__name__}, which cannot {method}")
    return model


def texts_of(options: argparse.Namespace) -> list[str]:
    """The texts on the command line, or the lines of --file (`-`: standard input)."""
    texts = [_decoded(text) for text in options.text]
    name = getattr(options, "file", None)
    if name is None:
        if not texts:
            raise ZooError("no text given; write it in quotes after the verb")
        return texts
    try:
        data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        lines = data.decode("utf-8").split("\n")
    except OSError as error:
        raise ZooError(f"cannot read {name!r}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ZooError(f"{name!r} is not UTF-8 (byte {error.start}); convert it first") from None
    return texts + [line.removesuffix("\r") for line in (lines[:-1] if not lines[-1] else lines)]


def _decoded(text: str) -> str:
    """Arguments that were not UTF-8 arrive as surrogates, which no tokenizer should see."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise ZooError("the text is not valid UTF-8; check the terminal's encoding") from None
    return text


def list_verb(options: argparse.Namespace) -> Rows:
    from zoo.presets.store import list_presets

    for name, info in list_presets().items():
        keys = ("description", "parameters", "data", "licence", "metrics")
        yield {"name": name, **{key: getattr(info, key) for key in keys}}


def next_verb(options: argparse.Namespace) -> Rows:
    model, texts = load_model(options.preset, "next_words"), texts_of(options)
    for text, words in zip(texts, model.next_words(texts, k=options.k), strict=True):
        yield {"text": text, "words": word_list(words)}


def fill_verb(options: argparse.Namespace) -> Rows:
    model, texts = load_model(options.preset, "fill"), texts_of(options)
    for text, words in zip(texts, model.fill(texts, k=options.k), strict=True):
        yield {"text": text, "words": word_list(words)}


def word_list(words: Sequence[tuple[str, float]]) -> list[dict[str, Any]]:
    return [{"word": word, "probability": probability} for word, probability in words]


def score_verb(options: argparse.Namespace) -> Rows:
    texts = texts_of(options)
    scores = load_model(options.preset, "score").score(texts)
    for text, score in zip(texts, scores, strict=True):
        yield {
            "text": text,
            "log_prob": score.log_prob,
            "tokens": score.tokens,
            "oov": score.oov,
            "perplexity": score.perplexity,
        }


def rank_verb(options: argparse.Namespace) -> Rows:
    ranked = load_model(options.preset, "rank").rank(texts_of(options))
    for i, (text, log_prob) in enumerate(ranked):
        yield {"rank": i + 1, "text": text, "log_prob": log_prob}


def generate_verb(options: argparse.Namespace) -> Rows:
    sampler = make_sampler(options)
    model = load_model(options.preset, "generate")
    yield {
        "text": model.generate(
            _decoded(options.prompt),
            sampler=sampler,
            max_words=options.max_words,
            seed=options.seed,
        )
    }


def make_sampler(options: argparse.Namespace) -> Any:
    """The sampler that --sampler, --temperature, -k, -p and --beam describe."""
    from zoo import decoding

    temperature = options.temperature
    makers: dict[str, Callable[[], Any]] = {
        "greedy": decoding.Greedy,
        "sample": lambda: decoding.Sample(temperature=temperature),
        "top_k": lambda: decoding.TopK(options.k, temperature=temperature),
        "top_p": lambda: decoding.TopP(options.p, temperature=temperature),
        "beam": lambda: decoding.Beam(options.beam),
    }
    return makers[options.sampler]()


def translate_verb(options: argparse.Namespace) -> Rows:
    texts = texts_of(options)
    model = load_model(options.preset, "translate")
    more = {"rescore": load_model(options.rescore, "score")} if options.rescore else {}
    answers = model.translate(texts, beam=options.beam, n_best=options.n_best, **more)
    for text, best in zip(texts, answers, strict=True):
        pairs = [{"text": translation, "score": score} for translation, score in best]
        yield {"text": text, "translations": pairs}


def forwarded(module: str, function: str) -> Callable[[argparse.Namespace], Rows]:
    """A verb whose work is another package's: imported when the verb is used."""

    def verb(options: argparse.Namespace) -> Rows:
        return getattr(importlib.import_module(module), function)(options)

    return verb


def export_verb(options: argparse.Namespace) -> Rows:
    """The texts of --data are training's to read and export's to compare on."""
    corpus = None
    if options.data is not None:
        datasets = importlib.import_module("training.datasets")
        corpus = datasets.load(options.data, options.data_dir)
    yield from importlib.import_module("export.cli").export(options, corpus)


def build_parser() -> Parser:
    """The command line, verb by verb (see docs/cli.md or `zoo VERB --help`)."""
    parser = Parser(prog="zoo", description="Recurrent language and translation models.")
    parser.add_argument("--version", action="version", version=f"zoo {__version__}")
    verbs = parser.add_subparsers(metavar="VERB", required=True, parser_class=Parser)
    _reading_verbs(verbs)
    _working_verbs(verbs)
    serve = verbs.add_parser("serve", help="embedded model server (tensorflow_model_server flags)")
    serve.set_defaults(name="serve")
    return parser


def _verb(verbs: Any, name: str, function: Any, show: Any, text: str) -> Parser:
    parser: Parser = verbs.add_parser(name, help=text, description=text)
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.set_defaults(verb=function, show=show, name=name)
    return parser


def _add_texts(parser: Parser, preset: str) -> None:
    parser.add_argument("text", nargs="*", metavar="TEXT", help="quoted text")
    parser.add_argument("--file", help="a UTF-8 file, one text a line; - is standard input")
    _add_preset(parser, preset)


def _add_preset(parser: Parser, preset: str) -> None:
    parser.add_argument("--preset", default=preset, help=f"name or directory (default {preset})")


def _reading_verbs(verbs: Any) -> None:
    """Verbs that ask a model something."""
    _verb(verbs, "list", list_verb, show_preset, "the presets that come along")
    words = _verb(verbs, "next", next_verb, show_words, "next-word distribution")
    _add_texts(words, LANGUAGE_PRESET)
    words.add_argument("-k", type=int, default=10, help="how many words")
    score = _verb(verbs, "score", score_verb, show_score, "log-probability of sentences")
    _add_texts(score, LANGUAGE_PRESET)
    rank = _verb(verbs, "rank", rank_verb, show_rank, "alternatives, best first")
    _add_texts(rank, LANGUAGE_PRESET)
    fill = _verb(verbs, "fill", fill_verb, show_words, "fill the ___ in a sentence")
    _add_texts(fill, FILL_PRESET)
    fill.add_argument("-k", type=int, default=10, help="how many words")
    translate = _verb(verbs, "translate", translate_verb, show_translations, "translate sentences")
    _add_texts(translate, TRANSLATION_PRESET)
    translate.add_argument("--beam", type=int, default=5, help="beam width")
    translate.add_argument("--n-best", type=int, default=1, help="translations a text")
    translate.add_argument("--rescore", metavar="PRESET", help="re-rank with a language model")
    generate = _verb(verbs, "generate", generate_verb, lambda row: row["text"], "continue a text")
    _add_generate(generate)


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
    parser.add_argument("--seed", type=int, default=0)


def _working_verbs(verbs: Any) -> None:
    """Verbs that train, measure and write."""
    train = _verb(verbs, "train", forwarded("training.cli", "train"), show_plain, "train a config")
    train.add_argument("config", help="a YAML file, or the name of one under training/configs")
    train.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="changes")
    train.add_argument("--data-dir", help="folder with the corpora")
    train.add_argument("--out", help="preset directory to write (default runs/NAME)")
    train.add_argument("--resume", action="store_true", help="go on after the last checkpoint")
    evaluate = _verb(
        verbs,
        "evaluate",
        forwarded("training.cli", "evaluate"),
        show_plain,
        "perplexity, recall or BLEU on a data set",
    )
    evaluate.add_argument("model", metavar="PRESET_OR_DIR")
    evaluate.add_argument("--data", required=True, help="a data set's name or a text file")
    evaluate.add_argument("--split", default="test", choices=["train", "valid", "test"])
    evaluate.add_argument("--data-dir", help="folder with the corpora")
    export = _verb(verbs, "export", export_verb, show_plain, "export a model")
    export.add_argument("model", metavar="PRESET_OR_DIR")
    export.add_argument("--format", default="saved_model", choices=["saved_model", "tflite"])
    export.add_argument("--out", required=True, help="where to write")
    quantizations = ["none", "float16", "dynamic", "int8"]
    export.add_argument("--quantize", default="none", choices=quantizations)
    export.add_argument("--data", help="compare a .tflite file on a data set's or file's texts")
    export.add_argument("--data-dir", help="folder with the corpora")
    gradients = _verb(
        verbs,
        "gradients",
        forwarded("training.cli", "gradients"),
        show_gradients,
        "gradient-flow report and plots",
    )
    gradients.add_argument("model", metavar="CONFIG_OR_PRESET")
    gradients.add_argument("--data-dir", help="folder with the corpora")
    gradients.add_argument("--out", help="folder for the plots")
