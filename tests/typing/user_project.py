"""A user's file as their type checker reads it; `# E:` marks a line that it has to refuse.

tests/typing/test_user_project.py runs mypy on it; nothing here is run.
"""

from __future__ import annotations

from typing import assert_type

import keras

import zoo
from zoo import layers
from zoo.models.results import Score, WordScore

lm = zoo.load("lstm_tatoeba_en")
assert_type(lm, zoo.models.RecurrentLanguageModel)
words: list[list[tuple[str, float]]] = lm.next_words(["I would like"], k=3)
lm.nextwords("x")  # E: "RecurrentLanguageModel" has no attribute "nextwords"
lm.next_words(["a"], n=3)  # E: Unexpected keyword argument "n"
lm.next_words(3)  # E: incompatible type "int"
lm.translate(["a"])  # E: "RecurrentLanguageModel" has no attribute "translate"

assert_type(lm.score(["a"]), list[Score])
assert_type(lm.score(["a"], tokens=True), list[list[WordScore]])
assert_type(lm.generate("a"), str)
assert_type(lm.generate("a", n=3, sampler=zoo.TopP(0.9)), list[str])
lm.generate("a", sampler=0.9)  # E: No overload variant of "generate"
for piece in lm.stream("a"):
    print(piece.upper())

lm.compile(optimizer="adam")
history = lm.fit(["a", "b"], validation_data=["c"], epochs=2, callbacks=[])
lm.evaluate(["a"])
lm.predict(["a"])
lm.save("x.keras")
lm.export("x")
lm.summary()
lm.save_to_preset("directory", dtype="float16")

kn = zoo.load("kn5_tatoeba_en")
assert_type(kn, zoo.models.NGramLanguageModel)
kn.fill(["a ___"])  # E: "NGramLanguageModel" has no attribute "fill"
mt = zoo.load("seq2seq_tatoeba_de_en")
assert_type(mt, zoo.models.Seq2Seq)
mt.translate(["a"], beam="5")  # E: incompatible type "str"
bi = zoo.load("birnn_tatoeba_en")
bi.fill(["a ___"])
bi.next_words(["a"])  # E: "BidirectionalLanguageModel" has no attribute "next_words"

mine = zoo.load("my_directory")
mine.anything_at_all()  # nobody knows what is in it
again = keras.models.load_model("x.keras")

layers.LSTM(4, aktivation="tanh")
layers.LSTM("4")  # E: incompatible type "str"
layers.GRUCell(4, reset_after="no")  # E: incompatible type "str"
layers.Encoder(10, 4, layers=2, num_layers="2")  # E: incompatible type "str"
