"""The two texts of section 2.1: at which rank is "John"? Network, cache, pointer to names.

    python -m benchmarks.jane_and_john --data-dir DIR [--json]

The names are found in each corpus's training text by their capitals. Of the cache the best of a
few settings is shown for each text, as if it had been known. The perplexity is that of the first
lines of the validation text, each alone.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from typing import Any

import numpy as np

TEXTS = (
    "Jane walked into the room. John walked in too. Jane said hi to",
    "Jane walked into the room. John walked in too. It was late in the day, and everyone was "
    "walking home after a long day at work. Jane said hi to",
)
PRESETS = {"lstm_tatoeba_en": ("tatoeba_en", "john"), "lstm_wikitext2": ("wikitext2", "John")}
GAMMAS = (1.0, 3.0, 10.0)
LINES = 30  # of validation text
THETAS, SHARES, WINDOW = (0.0, 0.3, 1.0, 3.0, 10.0), (0.2, 0.5, 0.9), 100


def texts_for(tokenizer: Any) -> list[str]:
    """As the corpus is written: where it is tokenised, full stops and commas stand apart."""
    if tokenizer.lowercase:
        return list(TEXTS)
    return [text.replace(".", " .").replace(",", " ,") for text in TEXTS]


def place(lm: Any, text: str, word: str) -> tuple[int, float]:
    """Rank and probability of a word after a text, among words that may be offered."""
    from zoo.models.language_model import SPECIALS
    from zoo.text import BOS
    from zoo.text.padding import pad

    ids, lengths = pad([[BOS, *lm.tokenizer.encode(text)]])
    log_probs = np.array(lm.next_log_probs(ids, lengths)[0], np.float64)
    log_probs[list(SPECIALS)] = -np.inf
    right = lm.tokenizer.vocabulary.index(word)
    return int((log_probs > log_probs[right]).sum()) + 1, float(np.exp(log_probs[right]))


def rows(data_dir: str) -> Iterator[dict[str, Any]]:
    """One row a preset and model: rank and probability for each text."""
    import zoo
    from training.datasets import load
    from zoo.models import CachedLanguageModel, PointerLanguageModel
    from zoo.text.names import proper_names

    for preset, (corpus, word) in PRESETS.items():
        lm = zoo.load(preset)
        words, texts = lm.tokenizer, texts_for(lm.tokenizer)
        data = load(corpus, data_dir)
        names = proper_names(data.train, words.vocabulary, words.lowercase)
        lines = [line for line in data.valid if line.strip()][:LINES]
        caches = [CachedLanguageModel(lm, WINDOW, t, s) for t in THETAS for s in SHARES]
        best = [min(place(cache, text, word) for cache in caches) for text in texts]
        models = {"network alone": lm}
        for gamma in GAMMAS:
            label = f"pointer to {len(names):,} names, γ = {gamma:g}"
            models[label] = PointerLanguageModel(lm, names, gamma)
        for label, model in models.items():
            found = [place(model, text, word) for text in texts]
            yield {**row(preset, label, found), "perplexity": round(of_lines(model, lines), 2)}
        yield {**row(preset, f"cache, best of {len(caches)}", best), "perplexity": None}


def of_lines(lm: Any, lines: list[str]) -> float:
    from zoo.metrics import perplexity

    scores = lm.score(lines)
    return perplexity(-sum(s.log_prob for s in scores), sum(s.tokens for s in scores))


def row(preset: str, model: str, found: list[tuple[int, float]]) -> dict[str, Any]:
    places = {f"rank_{i + 1}": rank for i, (rank, _) in enumerate(found)}
    shares = {f"probability_{i + 1}": round(p, 4) for i, (_, p) in enumerate(found)}
    return {"preset": preset, "model": model, **places, **shares}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", required=True, help="folder with the corpora")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    options = parser.parse_args()
    if not options.json:
        print(
            "| preset | model | rank, Sentence 1 | p | rank, Sentence 2 | p |\n" + "|---" * 7 + "|"
        )
    for found in rows(options.data_dir):
        if options.json:
            print(json.dumps(found, ensure_ascii=False), flush=True)
        else:
            places = (f"{found[f'rank_{i}']} | {found[f'probability_{i}']:.4f}" for i in (1, 2))
            cells = (found["preset"], found["model"], *places, str(found["perplexity"] or ""))
            print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
