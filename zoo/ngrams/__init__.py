"""n-gram models at corpus scale: counting, smoothing, ARPA files and queries, in NumPy arrays.

    corpus      sentences -> ids
    counts      ids -> counts of all n-grams, by one sort
    estimation  counts -> tables: maximum likelihood, add-k, stupid backoff, Kneser-Ney
    tables      contexts and followers in flat sorted arrays, memory-mapped from disk
    query, top  batched look-ups: scores, whole distributions, the likeliest words
    sentences   much text at a time, on all processors
    index/      hash tables for words and n-grams, where much text is read
    arpa/       the text format of KenLM and SRILM

`zoo.models.NGramLanguageModel` puts them behind the interface of every language model.
"""

from __future__ import annotations

from zoo.ngrams.arpa.reading import read_arpa
from zoo.ngrams.arpa.writing import write_arpa
from zoo.ngrams.counts import NGramCounts
from zoo.ngrams.tables import NGramTables

__all__ = ["NGramCounts", "NGramTables", "read_arpa", "write_arpa"]
