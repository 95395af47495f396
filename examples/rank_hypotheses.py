"""Rank what a speech recogniser has heard: its own score and a language model's together.

    python examples/rank_hypotheses.py [PRESET]

A hypothesis is a text and the recogniser's log-probability; the language model's share is the
usual weighted sum, log P(sound | text) + WEIGHT log P(text).
"""

import sys

import zoo

WEIGHT = 0.6
HEARD = [
    ("it is hard to wreck a nice beach", -41.2),
    ("it is hard to recognise speech", -41.9),
    ("it is hard to wreck an ice beach", -41.5),
]


def ranked(model, heard: list[tuple[str, float]]) -> list[tuple[float, str]]:
    """The hypotheses with their sums, best first."""
    scores = model.score([text for text, _ in heard])
    sums = [
        (sound + WEIGHT * score.log_prob, text)
        for (text, sound), score in zip(heard, scores, strict=True)
    ]
    return sorted(sums, reverse=True)


def main(preset: str = "lstm_tatoeba_en") -> None:
    for total, text in ranked(zoo.load(preset), HEARD):
        print(f"{total:9.2f}  {text}")


if __name__ == "__main__":
    main(*sys.argv[1:2])
