"""Sentences translated per second: the SavedModel against the same search in plain PyTorch.

    python -m benchmarks.translate [--model PRESET_OR_DIR] [--json]

Batch 32, beam 5. Both sides get raw text and give text, with the same weights; the translations
must be the same, or the run fails. Without a model, one of random weights and the sizes of the
shipped translator is used, whose translations run up to the length limit.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

import zoo
from benchmarks.timing import in_turns, report
from benchmarks.translate_pytorch import TorchTranslator
from export.saved_model.exporter import export_saved_model

SENTENCES = [
    "Wo ist der Bahnhof?",
    "Ich habe keine Zeit.",
    "Das ist mein Buch.",
    "Kannst du mir bitte helfen?",
    "Wir sind gestern nach Hause gegangen.",
    "Er hat mir nicht gesagt, dass er krank ist.",
    "Was machst du am Wochenende?",
    "Die Kinder spielen im Garten.",
    "Ich weiß nicht, wo meine Schlüssel sind.",
    "Sie hat das ganze Wochenende gearbeitet.",
    "Tom spricht besser Französisch als ich.",
    "Der Zug kommt in fünf Minuten an.",
    "Warum hast du mich nicht angerufen?",
    "Es regnet schon den ganzen Tag.",
    "Mein Bruder wohnt in einer kleinen Stadt am Meer.",
    "Hast du Hunger?",
    "Ich möchte ein Glas Wasser trinken.",
    "Das Wetter ist heute sehr schön.",
    "Wie viel kostet dieses Hemd?",
    "Sie wartet vor dem Kino auf ihre Freundin.",
    "Ich bin müde.",
    "Er liest jeden Abend ein Buch, bevor er schlafen geht.",
    "Niemand wusste die Antwort.",
    "Komm schnell her!",
    "Wir haben uns lange nicht gesehen.",
    "Meine Mutter kocht das Abendessen.",
    "Glaubst du wirklich, dass das eine gute Idee ist?",
    "Ich habe meinen Regenschirm im Bus vergessen.",
    "Die Katze liegt auf dem Sofa.",
    "Sein Vater ist Arzt in einem großen Krankenhaus.",
    "Bitte mach das Fenster zu.",
    "Wenn ich mehr Zeit hätte, würde ich mehr reisen.",
]


def random_model() -> Any:
    """The shipped translator's sizes with random weights."""
    keras.utils.set_random_seed(1)
    german = zoo.text.WordTokenizer.train([*SENTENCES, *(f"wort{i}" for i in range(20_000))])
    english = zoo.text.WordTokenizer.train(f"word{i}" for i in range(9_996))
    return zoo.models.Seq2Seq(
        german,
        english,
        cell="gru",
        units=256,
        embedding_dim=256,
        separate_weights=True,
        feed_context=True,
        bidirectional_encoder=True,
        attention="bahdanau",
        readout_units=256,
        tied=True,
        max_target_length=40,
    )


def differences(ours: list[Any], theirs: list[Any]) -> tuple[float, int]:
    """Largest difference of a best score, and how many best translations differ."""
    score = max(abs(a[0][1] - b[0][1]) for a, b in zip(ours, theirs, strict=True))
    return score, sum(a[0][0] != b[0][0] for a, b in zip(ours, theirs, strict=True))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", help="a preset's name or directory")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    model = zoo.load(options.model) if options.model else random_model()
    stock = TorchTranslator(model)
    with tempfile.TemporaryDirectory() as folder:
        path = export_saved_model(model, folder).path
        served = tf.saved_model.load(str(path)).signatures["translate"]
        texts = tf.constant(SENTENCES)
        contestants = {
            "saved_model": lambda: served(text=texts)["scores"].numpy(),
            "python": lambda: model.translate(SENTENCES, beam=5, n_best=5),
            "pytorch": lambda: stock.translate(SENTENCES),
        }
        score, differing = differences(contestants["python"](), contestants["pytorch"]())
        best = served(text=texts)["scores"].numpy()[:, 0]
        wanted = np.array([row[0][1] for row in contestants["pytorch"]()])
        if max(score, float(np.abs(best - wanted).max())) > 1e-2:
            raise SystemExit("the two searches give different scores: the comparison is void")
        timed = in_turns(contestants, options.rounds, warm_up=2)
    row: dict[str, Any] = {"model": options.model or "random weights", "batch": 32, "beam": 5}
    for name, values in timed.items():
        row[f"{name}_sentences_per_second"] = round(len(SENTENCES) / values["wall_ms"] * 1e3, 1)
        row |= {f"{name}_{key}": value for key, value in values.items()}
    row["x_pytorch"] = round(timed["pytorch"]["wall_ms"] / timed["saved_model"]["wall_ms"], 2)
    row["best_translations_that_differ"] = differing
    report([row], options.json)


if __name__ == "__main__":
    main()
