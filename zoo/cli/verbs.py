"""What each verb does: it calls one public function and yields rows; it prints nothing.

The work of some verbs is done by the packages above this one (zoo/upward.py).
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.cli.texts import decoded, text_chunks, texts_of
from zoo.errors import ZooError
from zoo.io import iter_text_lines
from zoo.upward import call_by_name

if TYPE_CHECKING:
    from zoo.models.results import Score, WordScore

Rows = Iterator[dict[str, Any]]
SCORED_AT_A_TIME = 10_000  # lines of a file: texts of like length among so many are batched
TRANSLATED_AT_A_TIME = 512


def load_model(name: str, method: str, without: str | None = None) -> Any:
    """A preset's model, refused with a line if it is of a kind that lacks the verb's method."""
    import zoo

    model = zoo.load(name)
    if not hasattr(model, method):
        able = ", ".join(presets_that_can(method)) or "no shipped preset"
        reason = without or f"which cannot {method}; {able} can"
        raise ZooError(f"preset {name!r} is a {type(model).__name__}, {reason}")
    return model


def presets_that_can(method: str) -> list[str]:
    """The shipped presets whose model has a method."""
    from zoo.models.registry import families, model_class
    from zoo.presets.store import presets_of

    able = [name for name in families() if hasattr(model_class(name), method)]
    return sorted(preset for name in able for preset in presets_of(name))


def list_verb(options: argparse.Namespace) -> Rows:
    from zoo.presets.store import list_presets

    for name, info in list_presets().items():
        keys = ("description", "parameters", "data", "licence", "metrics")
        yield {"name": name, **{key: getattr(info, key) for key in keys}}


def next_verb(options: argparse.Namespace) -> Rows:
    model, texts = load_model(options.preset, "next_words"), texts_of(options)
    answers = model.next_words(texts, k=options.k, prefix=decoded(options.prefix))
    for text, words in zip(texts, answers, strict=True):
        yield {"text": text, "words": word_list(words)}


def fill_verb(options: argparse.Namespace) -> Rows:
    model, texts = load_model(options.preset, "fill"), texts_of(options)
    answers = iter(model.fill([text for text in texts if text.strip()], k=options.k))
    for text in texts:  # a blank line keeps its place, so that each line has its answer
        yield {"text": text, "words": word_list(next(answers) if text.strip() else [])}


def word_list(words: Sequence[tuple[str, float]]) -> list[dict[str, Any]]:
    return [{"word": word, "probability": probability} for word, probability in words]


def tag_verb(options: argparse.Namespace) -> Rows:
    model, texts = load_model(options.preset, "tag"), texts_of(options)
    for text, words in zip(texts, model.tag(texts), strict=True):
        yield {"text": text, "words": [word._asdict() for word in words]}


def classify_verb(options: argparse.Namespace) -> Rows:
    model, texts = load_model(options.preset, "classify"), texts_of(options)
    for text, labels in zip(texts, model.classify(texts, k=options.k), strict=True):
        pairs = [{"label": label, "probability": probability} for label, probability in labels]
        yield {"text": text, "labels": pairs}


def restore_verb(options: argparse.Namespace) -> Rows:
    model = load_model(options.preset, "restore")
    if options.stream:
        for restored in model.restore_stream(stream_of(options)):
            yield {"text": None, "restored": restored}
        return
    texts = texts_of(options)
    for text, restored in zip(texts, model.restore(texts), strict=True):
        yield {"text": text, "restored": restored}


def stream_of(options: argparse.Namespace) -> Iterator[str]:
    """The texts on the command line, then the lines of --file as they come, one running text."""
    yield from map(decoded, options.text)
    name = options.file or "-"
    if options.text and options.file is None:
        return
    try:
        with sys.stdin.buffer if name == "-" else Path(name).open("rb") as lines:
            for line in iter_text_lines(lines, name):
                yield f"{line}\n"
    except OSError as error:
        raise ZooError(f"cannot read {name}: {error.strerror}") from None


def score_verb(options: argparse.Namespace) -> Rows:
    model = None
    for texts in text_chunks(options, SCORED_AT_A_TIME):
        model = model or load_model(options.preset, "score")
        scored: list[tuple[Score, list[dict[str, Any]] | None]]
        if options.tokens:
            scored = [
                (summed(words), word_rows(words)) for words in model.score(texts, tokens=True)
            ]
        else:
            scored = [(score, None) for score in model.score(texts)]
        for text, (score, words) in zip(texts, scored, strict=True):
            yield {
                "text": text,
                "log_prob": score.log_prob,
                "tokens": score.tokens,
                "oov": score.oov,
                "perplexity": score.perplexity,
                **({} if words is None else {"words": words}),
            }


def summed(words: Sequence[WordScore]) -> Score:
    """A sentence's score from those of its tokens."""
    from zoo.models.results import Score

    log_prob = math.fsum(word.log_prob for word in words)
    return Score(log_prob, len(words), sum(word.oov for word in words))


def word_rows(words: Sequence[WordScore]) -> list[dict[str, Any]]:
    return [{"word": w.word, "log_prob": w.log_prob, "oov": w.oov} for w in words]


def rank_verb(options: argparse.Namespace) -> Rows:
    ranked = load_model(options.preset, "rank").rank(texts_of(options))
    for i, (text, log_prob) in enumerate(ranked):
        yield {"rank": i + 1, "text": text, "log_prob": log_prob}


def generate_verb(options: argparse.Namespace) -> Rows:
    sampler = make_sampler(options)
    model = load_model(options.preset, "generate")
    texts = model.generate(
        decoded(options.prompt),
        sampler=sampler,
        max_words=options.max_words,
        seed=options.seed,
        n=options.number,
    )
    yield from ({"text": text} for text in texts)


def inspect_verb(options: argparse.Namespace) -> Rows:
    """The gates over one text; `--out` draws them all, whatever `--unit` picks for the table."""
    model = load_model(options.model, "gates", "which has no gates: name a recurrent model")
    (gates,) = model.gates([decoded(options.text)])
    picture = {}
    if options.out is not None:
        picture = {"picture": str(call_by_name("gate maps", gates, Path(options.out)))}
    layers = [
        {"name": name, "gates": {stage: v.tolist() for stage, v in of_unit(stages, options.unit)}}
        for name, stages in gates.layers.items()
    ]
    yield {"text": gates.text, "words": gates.words, "layers": layers, **picture}


def of_unit(stages: dict[str, Any], unit: int | None) -> list[tuple[str, Any]]:
    """All units of each stage, or one: of a projection's h there are fewer than of c."""
    if unit is None:
        return list(stages.items())
    most = max(values.shape[1] for values in stages.values())
    if not 0 <= unit < most:
        raise ZooError(f"--unit {unit}: give a number from 0 to {most - 1}")
    return [(s, v[:, unit : unit + 1]) for s, v in stages.items() if unit < v.shape[1]]


def make_sampler(options: argparse.Namespace) -> Any:
    """The sampler that --sampler, --temperature, -k, -p and --beam describe."""
    from zoo import decoding

    temperature = options.temperature
    makers: dict[str, Callable[[], Any]] = {
        "greedy": decoding.Greedy,
        "sample": lambda: decoding.Sample(temperature=temperature),
        "top_k": lambda: decoding.TopK(options.k, temperature=temperature),
        "top_p": lambda: decoding.TopP(options.p, temperature=temperature),
        "beam": lambda: decoding.Beam(max(options.beam, options.number)),
    }
    return makers[options.sampler]()


def translate_verb(options: argparse.Namespace) -> Rows:
    model: Any = None
    more = {}
    for texts in text_chunks(options, TRANSLATED_AT_A_TIME):
        if model is None:
            model = load_model(options.preset, "translate")
            more = {"rescore": load_model(options.rescore, "score")} if options.rescore else {}
            more |= {"mbr": options.mbr} if options.mbr else {}
        answers = model.translate(texts, beam=options.beam, n_best=options.n_best, **more)
        for text, best in zip(texts, answers, strict=True):
            pairs = [{"text": translation, "score": score} for translation, score in best]
            yield {"text": text, "translations": pairs}


def forwarded(name: str) -> Callable[[argparse.Namespace], Rows]:
    """A verb whose work is another package's."""

    def verb(options: argparse.Namespace) -> Rows:
        rows: Rows = call_by_name(name, options)
        return rows

    return verb


def train_verb(options: argparse.Namespace) -> Rows:
    """What is trained is export's to export."""
    yield from call_by_name("train", options, exported)


def exported(model: Path, kind: str, target: Path) -> Rows:
    """Export a preset directory as `zoo export` does."""
    options = argparse.Namespace(model=model, format=kind, out=target, quantize="none")
    rows: Rows = call_by_name("export", options)
    return rows


def export_verb(options: argparse.Namespace) -> Rows:
    """The texts of --data are training's to read and export's to compare on."""
    read_corpus = None
    if options.data is not None:
        read_corpus = partial(call_by_name, "corpus", options.data, options.data_dir)
    yield from call_by_name("export", options, read_corpus)
