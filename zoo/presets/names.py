"""The names of the shipped presets, by the class of their model: what `zoo.load` is typed by.

A test holds them against the presets themselves.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

BidirectionalLanguageModelName: TypeAlias = Literal[
    "birnn_tatoeba_en",
    "deep_birnn_tatoeba_en",
]
RecurrentLanguageModelName: TypeAlias = Literal[
    "cifg_tatoeba_en",
    "gru_tatoeba_en",
    "irnn_tatoeba_en",
    "lstm_tatoeba_en",
    "lstm_wikitext2",
    "rnn_sigmoid_tatoeba_en",
    "rnn_tatoeba_en",
]
NGramLanguageModelName: TypeAlias = Literal[
    "kn5_tatoeba_en",
    "mle3_tatoeba_en",
]
NeuralProbabilisticLanguageModelName: TypeAlias = Literal["nplm_tatoeba_en",]
Seq2SeqName: TypeAlias = Literal[
    "seq2seq_tatoeba_de_en",
    "seq2seq_tatoeba_en_de",
]
