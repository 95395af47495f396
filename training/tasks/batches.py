"""Batches of token ids for language models: sentences by length, or one long stream.

Everything is NumPy slicing: at 10 to 15 million tokens a second it is hundreds of times faster
than a training step on a CPU, so the step never waits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from training.tasks.widths import Shape, few_shapes
from zoo.text import BOS, EOS, PAD
from zoo.text.padding import pad

Batch = dict[str, np.ndarray]
WIDTH_MULTIPLE = 2
SHORT_SHARE = 0.05  # of the pieces of a varied stream: half as long (Merity et al. 2018)
MEAN_PIECE = 1 - SHORT_SHARE / 2  # of such a stream, in units of the usual length


def encode_stream(sentences: Sequence[Sequence[int]]) -> np.ndarray:
    """Sentences of ids as one stream, each followed by `<eos>`; [tokens] int32."""
    total = sum(len(sentence) + 1 for sentence in sentences)
    flat = (token for sentence in sentences for token in (*sentence, EOS))
    return np.fromiter(flat, dtype=np.int32, count=total)


def stream_batches(
    stream: np.ndarray,
    batch_size: int,
    time_steps: int,
    rng: np.random.Generator | None = None,
    one_width: bool = False,
) -> Iterator[Batch]:
    """Contiguous pieces for truncated back-propagation through time with carried state.

    The stream is cut into `batch_size` parallel parts; batch number k continues each part where
    batch number k-1 ended. Every token is predicted exactly once: parts are padded at their end
    with weight 0, nothing is dropped. Where a sentence has ended the input is `<bos>`, as it is
    when a sentence is scored alone. With `one_width` the last piece is padded too.

    With `rng` the pieces are bounded elsewhere each time, so that no word is always the first of
    its piece, whose gradient reaches no further back: the stream begins at another place, what
    was before follows at its end, and one piece in twenty is half as long. (The AWD-LSTM draws
    each length, which moves the bounds as well, but each new length is a graph to compile.)
    """
    shift = 0 if rng is None else int(rng.integers(len(stream)))
    columns = -(-len(stream) // batch_size)
    rows = np.arange(batch_size)[:, None] * columns  # where each part begins
    for piece in _pieces(columns, time_steps, rng):
        inside = np.arange(piece.start, piece.stop if one_width else min(piece.stop, columns))
        yield _stream_batch(stream, rows + inside, inside < columns, shift)


def _stream_batch(stream: np.ndarray, places: np.ndarray, exists: np.ndarray, shift: int) -> Batch:
    """The tokens at some places of a stream that begins `shift` places before its own end.

    Only they are read, so that the stream may lie on disk.
    """
    count = len(stream)
    counted = (places < count) & exists
    targets = np.where(counted, stream[(places - shift) % count], PAD)
    before = np.where(places - 1 < count, stream[(places - 1 - shift) % count], PAD)
    inputs = np.where((before == EOS) | (places == 0), BOS, before)
    inputs = np.where(exists, inputs, PAD)
    return {
        "inputs": inputs.astype(np.int32),
        "targets": targets.astype(np.int32),
        "weights": counted.astype(np.float32),
    }


def _pieces(
    columns: int, time_steps: int, rng: np.random.Generator | None
) -> Iterator[slice[int, int, None]]:
    """Consecutive slices of a part."""
    start = 0
    while start < columns:
        short = rng is not None and rng.random() < SHORT_SHARE
        stop = start + (max(time_steps // 2, 1) if short else time_steps)
        yield slice(start, stop)
        start = stop


def sentence_batches(
    sentences: Sequence[Sequence[int]],
    batch_size: int,
    max_length: int,
    rng: np.random.Generator | None,
    widths: Mapping[Shape, Shape] | None = None,
) -> Iterator[Batch]:
    """Sentences of like length together, `<bos>` before and `<eos>` after, right-padded.

    With `rng` the sentences are shuffled within their length and the batches among each other;
    without it the order is by length. The last batch of few sentences is filled with rows of
    weight 0, so that every batch has the same number of rows. `widths` (`batch_widths`) tells how
    wide a batch becomes, by its longest row.
    """
    lengths = row_lengths(sentences, max_length)
    for rows in sentence_rows(sentences, batch_size, max_length, rng):
        longest = int(lengths[rows[-1]])
        width = -(-longest // WIDTH_MULTIPLE) * WIDTH_MULTIPLE
        width = width if widths is None else widths[(longest,)][0]
        yield sentence_batch([sentences[i] for i in rows], batch_size, max_length, width)


def sentence_rows(
    sentences: Sequence[Sequence[int]],
    batch_size: int,
    max_length: int,
    rng: np.random.Generator | None,
) -> Iterator[np.ndarray]:
    """Which sentences each of the batches of `sentence_batches` has, the longest last."""
    lengths = row_lengths(sentences, max_length)
    order = np.arange(len(sentences)) if rng is None else rng.permutation(len(sentences))
    order = order[np.argsort(lengths[order], kind="stable")]
    starts = np.arange(0, len(order), batch_size)
    if rng is not None:
        rng.shuffle(starts)
    for start in starts:
        yield order[start : start + batch_size]


def row_lengths(sentences: Sequence[Sequence[int]], max_length: int) -> np.ndarray:
    """Targets of each sentence, `<eos>` among them."""
    return np.array([min(len(sentence), max_length) + 1 for sentence in sentences])


def batch_widths(
    sentences: Sequence[Sequence[int]], batch_size: int, max_length: int
) -> Mapping[Shape, Shape]:
    """The few widths of the batches of `sentence_batches`, by the longest row of a batch."""
    lengths = np.sort(row_lengths(sentences, max_length))
    last = np.minimum(np.arange(0, len(lengths), batch_size) + batch_size, len(lengths)) - 1
    return few_shapes(lengths[last][:, None])


def sentence_batch(
    rows: Sequence[Sequence[int]], batch_size: int, max_length: int, width: int = WIDTH_MULTIPLE
) -> Batch:
    """One batch of `batch_size` rows that is as wide as a multiple of `width`."""
    cut = [row[:max_length] for row in rows]
    inputs, _ = pad([[BOS, *words] for words in cut], width, batch_size)
    targets, counted = pad([[*words, EOS] for words in cut], width, batch_size)
    # A cut sentence has not ended: its <eos> is not a fact of the corpus.
    counted[: len(rows)] -= [len(row) > max_length for row in rows]
    weights = (np.arange(targets.shape[1]) < counted[:, None]).astype(np.float32)
    return {"inputs": inputs, "targets": targets, "weights": weights}
