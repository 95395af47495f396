"""Counts of a corpus too large for one machine, as an Apache Spark job (`pip install .[spark]`).

    python -m training.spark_counts TEXT --order 5 --out DIR [--master local[*]]

The windows that `zoo.ngrams.counts` sorts on one machine are counted here by the cluster: each
worker turns its lines into ids, takes the window of `order` ids that starts at every position,
and adds up equal ones before they travel. What returns is every distinct window and how often it
occurs, from which `NGramCounts.from_windows` makes the same counts as one machine does. The
driver needs room for them: 4 * order + 8 bytes a distinct window.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import ZooError
from zoo.ngrams.corpus import encode_corpus
from zoo.ngrams.counts import NGramCounts, checked_order, stream_of, windows_of
from zoo.text import WordTokenizer
from zoo.text.vocabulary import CONTROL_TOKENS

if TYPE_CHECKING:
    from pyspark import RDD
    from pyspark.sql import SparkSession

PART = 20_000  # sentences that a worker counts at a time
Counted = Iterator[tuple[bytes, int]]


def learn_vocabulary(
    lines: RDD[str],
    *,
    lowercase: bool = True,
    split: str = "words",
    size: int | None = None,
    min_count: int = 1,
) -> WordTokenizer:
    """The tokenizer that `WordTokenizer.train` makes of the same text on one machine.

    Args:
        lines: the corpus, a sentence a line.
        lowercase, split: as of `WordTokenizer`.
        size, min_count: limits of the vocabulary; `size` counts the four control tokens.
    """
    cutter = WordTokenizer(CONTROL_TOKENS, lowercase, split)
    counts = (
        lines.mapPartitions(lambda part: words_counted(cutter, part))
        .reduceByKey(lambda a, b: a + b)
        .filter(lambda pair: pair[1] >= min_count)
        .collect()
    )
    words = [w for w, _ in sorted(counts, key=lambda c: (-c[1], c[0])) if w not in CONTROL_TOKENS]
    free = None if size is None else max(size - len(CONTROL_TOKENS), 0)
    return WordTokenizer((*CONTROL_TOKENS, *words[:free]), lowercase, split)


def words_counted(tokenizer: WordTokenizer, part: Iterable[str]) -> Iterator[tuple[str, int]]:
    """The words of one part of the corpus with their counts."""
    counts: Counter[str] = Counter()
    for line in part:
        counts.update(tokenizer.tokenize(line))
    return iter(counts.items())


def count_ngrams(lines: RDD[str], tokenizer: WordTokenizer, order: int) -> NGramCounts:
    """All n-grams up to an order, counted by the cluster.

    Args:
        lines: the corpus, a sentence a line; an empty line is a sentence without words.
        tokenizer: gives the ids; words outside its vocabulary are counted as `<unk>`.
        order: n, 1 to 6.

    Raises:
        ZooError: a bad order or an empty corpus.

    Example:
        >>> session = SparkSession.builder.master("local[2]").getOrCreate()
        >>> lines = session.sparkContext.parallelize(["a b", "a c"])
        >>> counts = count_ngrams(lines, learn_vocabulary(lines), order=2)
        >>> NGramLanguageModel.from_counts(counts, tokenizer)
    """
    checked_order(order)
    counted = (
        lines.mapPartitions(lambda part: windows_counted(tokenizer, part, order))
        .reduceByKey(lambda a, b: a + b)
        .collect()
    )
    if not counted:
        raise ZooError("the corpus is empty: give at least one sentence")
    windows = np.frombuffer(b"".join(key for key, _ in counted), np.int32).reshape(-1, order)
    counts = np.fromiter((count for _, count in counted), np.int64, len(counted))
    return NGramCounts.from_windows(windows, counts, tokenizer.vocabulary_size)


def windows_counted(tokenizer: WordTokenizer, part: Iterable[str], order: int) -> Counted:
    """The distinct windows of one part of the corpus, as the bytes of their ids, with counts."""
    sentences: list[str] = []
    for line in part:
        sentences.append(line)
        if len(sentences) == PART:
            yield from windows_of_sentences(tokenizer, sentences, order)
            sentences = []
    if sentences:
        yield from windows_of_sentences(tokenizer, sentences, order)


def windows_of_sentences(tokenizer: WordTokenizer, sentences: list[str], order: int) -> Counted:
    """The distinct windows of some sentences with their counts."""
    stream = stream_of(encode_corpus(tokenizer, sentences))
    windows = np.stack(list(windows_of(stream, order)), axis=1).astype(np.int32)  # [n, order]
    keys = windows.view(np.dtype((np.void, 4 * order))).reshape(-1)
    distinct, counts = np.unique(keys, return_counts=True)
    for key, count in zip(distinct, counts.tolist(), strict=True):
        yield key.tobytes(), count


def start_session(master: str) -> SparkSession:
    """A Spark session; workers of a local one run this very Python."""
    try:
        from pyspark.sql import SparkSession
    except ImportError:
        raise ZooError("pyspark is missing: pip install 'recurrent-zoo[spark]'") from None
    if master.startswith("local"):  # else a cluster's own setting, or its python3
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName("recurrent-zoo n-gram counts")
    builder = builder.config("spark.ui.showConsoleProgress", str(sys.stderr.isatty()).lower())
    return builder.master(master).getOrCreate()


def is_running() -> bool:
    """Whether there is a session already, which is the caller's to stop."""
    try:
        from pyspark.sql import SparkSession
    except ImportError:
        return False
    return SparkSession.getActiveSession() is not None


def lines_of(session: SparkSession, path: str) -> RDD[str]:
    """The lines of a text file, folder or URL that the cluster can read.

    Hadoop's reader drops a byte order mark at the start of a file.
    """
    try:
        lines = session.sparkContext.textFile(path)
        lines.getNumPartitions()
    except Exception as error:  # what Java throws arrives as one of many kinds
        raise ZooError(f"cannot read {path}: {str(error).splitlines()[0]}") from None
    return lines


def main(arguments: list[str] | None = None) -> int:
    """Count, estimate, save a preset directory."""
    parser = argparse.ArgumentParser(description="n-gram models counted with Apache Spark")
    parser.add_argument("text", help="file, folder or URL; a sentence a line")
    parser.add_argument("--out", required=True, help="preset directory to write")
    parser.add_argument("--order", type=int, default=5)
    parser.add_argument("--smoothing", default="kneser_ney")
    parser.add_argument("--split", default="words", choices=("words", "whitespace"))
    parser.add_argument("--vocabulary-size", type=int)
    parser.add_argument("--min-count", type=int, default=1)
    parser.add_argument(
        "--master", default="local[*]", help="as of Spark, such as local[2] or spark://HOST:7077"
    )
    options = parser.parse_args(arguments)
    try:
        make_model(options).save_to_preset(options.out)
    except ZooError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def make_model(options: argparse.Namespace) -> Any:
    """The model that the command line asks for."""
    from zoo.models import NGramLanguageModel

    own = not is_running()
    session = start_session(options.master)
    try:
        lines = lines_of(session, options.text)
        tokenizer = learn_vocabulary(
            lines,
            lowercase=options.split == "words",
            split=options.split,
            size=options.vocabulary_size,
            min_count=options.min_count,
        )
        counts = count_ngrams(lines, tokenizer, options.order)
    finally:
        if own:
            session.stop()
    return NGramLanguageModel.from_counts(counts, tokenizer, options.smoothing)


if __name__ == "__main__":
    sys.exit(main())
