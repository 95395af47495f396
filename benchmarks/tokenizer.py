"""Sentences a second of the tokenizers, in Python and in the graph.

    python -m benchmarks.tokenizer [--file TEXT] [--json]

The floors do less than a tokenizer must: `str.split` with a dictionary, and lower-casing,
splitting at spaces and the look-up by core ops, without punctuation and without Unicode. Rates
are from the best round, one thread of a busy machine at a time; `cpu_us` is processor time.
"""

from __future__ import annotations

import argparse
import os
import random
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf

from benchmarks.timing import Contestants, in_turns, report
from zoo.text import SubwordTokenizer, Tokenizer, WordTokenizer
from zoo.text.graph.tokenizers import graph_tokenizer

TEXT = tf.TensorSpec([None], tf.string)
IDS = tf.TensorSpec([None, None], tf.int32)


def made_up_sentences(count: int) -> list[str]:
    """Sentences of made-up words, as common and as long as those of everyday English."""
    rng = random.Random(1)
    letters, weights = "etaoinshrdlucmfwypvbgk", range(22, 0, -1)
    words = [
        "".join(rng.choices(letters, weights, k=2 + min(i.bit_length() // 2, 6)))
        for i in range(1, 12_000)
    ]
    ranks = [1 / i for i in range(1, len(words) + 1)]
    sentences = []
    for _ in range(count):
        chosen = rng.choices(words, ranks, k=rng.randint(4, 10))
        sentences.append(f"{' '.join(chosen).capitalize()}{rng.choice('..?!')}")
    return sentences


def python_contestants(tokenizers: dict[str, Tokenizer], texts: list[str]) -> Contestants:
    """Each tokenizer's `encode` over all texts, and the floor."""
    ids = {word: i for i, word in enumerate(tokenizers["words"].vocabulary)}
    contestants: Contestants = {
        f"python {name}": lambda t=tokenizer: [t.encode(text) for text in texts]
        for name, tokenizer in tokenizers.items()
    }
    contestants["python floor"] = lambda: [
        [ids.get(word, 1) for word in text.lower().split()] for text in texts
    ]
    return contestants


def graph_contestants(tokenizers: dict[str, Tokenizer], texts: list[str]) -> Contestants:
    """Each tokenizer's graph on one batch, there and back, and the floor."""
    batch, contestants = tf.constant(texts), {}
    for name, tokenizer in tokenizers.items():
        graph = graph_tokenizer(tokenizer)
        encode = tf.function(graph.encode, input_signature=[TEXT]).get_concrete_function()
        decode = tf.function(graph.decode, input_signature=[IDS]).get_concrete_function()
        ids = encode(batch).to_tensor()
        contestants[f"graph {name}"] = lambda encode=encode: encode(batch)
        contestants[f"graph {name} decode"] = lambda decode=decode, ids=ids: decode(ids)
    table = graph_tokenizer(tokenizers["words"]).table

    @tf.function(input_signature=[TEXT])
    def floor(texts: tf.Tensor) -> tf.RaggedTensor:
        return tf.ragged.map_flat_values(table.lookup, tf.strings.split(tf.strings.lower(texts)))

    run = floor.get_concrete_function()
    contestants["graph floor"] = lambda: run(batch)
    return contestants


def rows_of(contestants: Contestants, texts: list[str], tokens: float, rounds: int) -> list[dict]:
    """What each contestant took a batch, and its rates."""
    rows = []
    for name, timing in in_turns(contestants, rounds).items():
        rate = len(texts) / timing["wall_ms_best"] * 1e3
        rows.append(
            {
                "what": name,
                "batch": len(texts),
                "sentences_per_second": round(rate),
                "tokens_per_second": round(rate * tokens),
                "wall_us": round(timing["wall_ms_best"] * 1e3, 1),
                "cpu_us": round(timing["cpu_ms_best"] * 1e3, 1),
            }
        )
    return rows


def main() -> None:
    """Time all tokenizers and print one row each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--file", type=Path, help="one sentence a line; default: made-up text")
    parser.add_argument("--vocabulary", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.file:
        lines = options.file.read_text(encoding="utf-8").splitlines()
        random.Random(1).shuffle(lines)
    else:
        lines = made_up_sentences(20_000)
    tokenizers = {
        "words": WordTokenizer.train(lines[:20_000], size=options.vocabulary),
        "subwords": SubwordTokenizer.train(lines[:20_000], size=options.vocabulary),
    }
    texts = lines[:2_000]
    tokens = sum(len(tokenizers["words"].tokenize(text)) for text in texts) / len(texts)
    rows = rows_of(python_contestants(tokenizers, texts), texts, tokens, options.rounds)
    for size in (1, 32, 1_024):
        batch = texts[:size]
        rows += rows_of(graph_contestants(tokenizers, batch), batch, tokens, options.rounds)
    report(rows, options.json)


if __name__ == "__main__":
    main()
