"""Translation by an encoder and a decoder (section 2.4), each extension a switch of its own.

Base form: one recurrence reads the source x_1 ... x_T and goes on, without input, to write y.

    h_t = φ(h_{t-1}, x_t) = f(W^(hh) h_{t-1} + W^(hx) x_t)          encoder                  [23]
    h_t = φ(h_{t-1})      = f(W^(hh) h_{t-1})                       decoder                  [24]
    y_t = softmax(W^(S) h_t)                                                                 [25]
    J   = (1/N) Σ_n log p_θ(y^(n) | x^(n))                          is maximised             [26]

Extensions:
    I    separate_weights        the decoder's φ has its own W^(hh)
    II   feed_context            h_t = φ(h_{t-1}, c, y_{t-1}),  c = h_T                      [27]
    III  num_layers > 1          deep recurrences
    IV   bidirectional_encoder   [17]-[18]; c = [h→_T ; h←_1]
    V    reverse_source          C B A -> X Y instead of A B C -> X Y
    attention="bahdanau"         c_t = Σ_j α_tj h_j in place of c, α_t from h_{t-1}
                                 (Bahdanau et al. 2015, arXiv 1409.0473; beyond the notes)

f is any cell: the recurrent network [5], GRU (section 3), LSTM (section 4) or CIFG.

What the equations leave open, and how it is settled here:
- Without I, W^(hh) and the bias are one matrix and one vector for both halves. Whatever the
  decoder reads (II, attention) has an input matrix of the decoder's own, since the notes share
  the matrices of the recurrence; an upper level (III) reads the level below as the encoder's does
  and shares its W^(hx) too, unless IV makes the encoder's inputs wider.
- With IV, the decoder shares the left-to-right recurrence. It starts from both directions,
  s_0 = W^(b) [s→_T ; s←_1] + b, one such matrix for each state tensor; so the backward direction
  reaches the base form as well.
- Attention without II feeds c_t alone: h_t = φ(h_{t-1}, c_t).
- The source ends with `<eos>`, which stays last under V: C B A <eos>. An empty text is `<eos>`.
- `readout_units` puts tanh(W^(r) [h_t ; c_t ; y_{t-1}]) in place of h_t in [25], as Bahdanau et
  al. do; without it [25] is as written.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import keras
import numpy as np
from keras import ops

from zoo import layers
from zoo.backend import as_ids
from zoo.errors import ZooError
from zoo.models.base import model_family
from zoo.models.compiled import compiled_method
from zoo.models.gates import Inspected
from zoo.models.seq2seq.settings import Seq2SeqSettings, decoder_of, encoder_of
from zoo.models.seq2seq.translator import Translator
from zoo.models.text_batches import Batch, Example, counted
from zoo.presets import weights
from zoo.text import BOS, EOS, load_tokenizer
from zoo.text.padding import pad
from zoo.types import ModelState, Tensor


@model_family
@keras.saving.register_keras_serializable(package="zoo")
class Seq2Seq(Translator, Inspected):
    """Encoder-decoder translation model.

    Args:
        source_tokenizer, target_tokenizer: give the two vocabularies.
        cell: "rnn", "gru", "lstm" or "cifg".
        units: hidden units of each layer and direction.
        num_layers: recurrent layers of each half (III).
        embedding_dim: width of the word vectors.
        separate_weights, feed_context, bidirectional_encoder, reverse_source: I, II, IV and V.
        attention: None or "bahdanau".
        attention_units: width in which attention compares; None for `units`.
        readout_units: width of the layer between h_t and the softmax; None for no such layer.
        tied: W^(S) is the transpose of the target's word vectors (needs II, and
            `readout_units`, or without it `units`, equal to `embedding_dim`).
        dropout: on word vectors, between layers and before the softmax, one mask for all steps.
        word_dropout: whole words of source and target, for a whole sentence.
        word_scale: standard deviation of the word vectors at the start; None for Keras's ±0.05,
            with which a translation model needs several times the steps before the source has
            any say. 1 does well, for tied vectors 0.1.
        max_source_length: longer sources are cut to their first so many tokens.
        max_target_length: longer translations are not tried.
        length_alpha: the search's length normalisation where a call gives none; 0 for none.
        cell_options: further arguments of the recurrent layers.
        residual: whether each layer from the second on adds its h to what it reads (III).
        decoder_layers: recurrent layers of the decoder, which start from the encoder's last so
            many; None for as many as it has.
        carry_over: "de_en" or "en_de": numbers, codes, addresses and their like are carried over
            by placeholders (see `zoo.text.carrying`); None leaves them to the model.
        split_sentences: whether the sentences of a text are translated one by one.

    Example:
        >>> import zoo
        >>> german = zoo.text.WordTokenizer.train(["guten tag"])
        >>> english = zoo.text.WordTokenizer.train(["good day"])
        >>> mt = zoo.models.Seq2Seq(german, english, units=4, embedding_dim=4)
        >>> len(mt.translate(["guten tag"], beam=2, n_best=2)[0])
        2
    """

    tokenizer_names = ("source_tokenizer", "target_tokenizer")

    def __init__(
        self,
        source_tokenizer: Any,
        target_tokenizer: Any,
        *,
        cell: str = "gru",
        units: int = 256,
        num_layers: int = 1,
        embedding_dim: int = 256,
        separate_weights: bool = False,
        feed_context: bool = False,
        bidirectional_encoder: bool = False,
        reverse_source: bool = False,
        attention: str | None = None,
        attention_units: int | None = None,
        readout_units: int | None = None,
        tied: bool = False,
        dropout: float = 0.0,
        word_dropout: float = 0.0,
        word_scale: float | None = None,
        max_source_length: int = 100,
        max_target_length: int = 100,
        length_alpha: float = 0.0,
        cell_options: dict[str, Any] | None = None,
        residual: bool = False,
        decoder_layers: int | None = None,
        carry_over: str | None = None,
        split_sentences: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(target_tokenizer, **kwargs)
        self.source_tokenizer, self.target_tokenizer = source_tokenizer, target_tokenizer
        self.settings = Seq2SeqSettings(
            cell=cell,
            units=units,
            num_layers=num_layers,
            embedding_dim=embedding_dim,
            separate_weights=separate_weights,
            feed_context=feed_context,
            bidirectional_encoder=bidirectional_encoder,
            reverse_source=reverse_source,
            attention=attention,
            attention_units=units if attention_units is None else attention_units,
            readout_units=readout_units,
            tied=tied,
            dropout=dropout,
            word_dropout=word_dropout,
            word_scale=word_scale,
            max_source_length=max_source_length,
            max_target_length=max_target_length,
            length_alpha=length_alpha,
            cell_options=dict(cell_options or {}),
            residual=residual,
            decoder_layers=num_layers if decoder_layers is None else decoder_layers,
            carry_over=carry_over,
            split_sentences=split_sentences,
        )
        self._make_halves()

    def _make_halves(self) -> None:
        """Encoder, decoder and output layer, built."""
        words = self.target_tokenizer.vocabulary_size
        source_words = self.source_tokenizer.vocabulary_size
        self.encoder = encoder_of(self.settings, source_words)
        self.decoder = decoder_of(self.settings, words, self.encoder)
        embedding = self.decoder.embedding if self.settings.tied else None
        self.output_projection = layers.VocabularyOutput(words, tied_to=embedding, name="output")
        self(np.full((1, 2), EOS, np.int32), np.full((1, 2), BOS, np.int32))

    # --- the two halves, on tensors ---------------------------------------------------------

    def encode(
        self, source_ids: Tensor, source_mask: Tensor | None = None, training: bool = False
    ) -> ModelState:
        """Read the source.

        Args:
            source_ids: [batch, source] int32, right-padded, as `source_rows` makes them: ended by
                `<eos>` and, under V, already reversed.
            source_mask: [batch, source] bool, False at padding; None: where the id is not `<pad>`.

        Returns:
            The decoder's first state: `layer_I_h` (and `_c`) [batch, units], and what no step
            changes (`shared_names`; see `Decoder.source_state`): with II `context` [batch, .],
            with attention `values` and `keys` [batch, source, .] and `source_mask`.
        """
        encoded = self.encoder(source_ids, mask=source_mask, training=training)
        state = dict(zip(self.state_names, encoded["states"], strict=True))
        rest = (encoded["outputs"], encoded["context"], encoded["mask"])
        return {**state, **self.decoder.source_state(*rest)}

    def read_text(self, text: str) -> list[str]:
        """The source, in the order in which the encoder reads it."""
        ids = self.source_row(text)
        self.encode(as_ids(np.array([ids], np.int32)))
        return [self.source_tokenizer.vocabulary[i] for i in ids]

    @property
    def state_names(self) -> list[str]:
        """Names of the state entries that each step changes."""
        return [
            f"layer_{i}_{name}"
            for i in range(self.settings.decoder_layers)
            for name in self.encoder.forward_layer(i).state_names
        ]

    @property
    def shared_names(self) -> tuple[str, ...]:
        """Names of the state entries that no step changes."""
        return self.decoder.source_names

    def features(self, state: ModelState, inputs: Tensor, training: bool = False) -> Tensor:
        """What the softmax sees for each target word, [batch, time, width].

        Args:
            state: from `encode`.
            inputs: [batch, time] int32, `<bos>` first: the words before each target.
        """
        initial = [state[name] for name in self.state_names]
        return self.decoder.features(inputs, initial, self._shared(state), training)

    def call(
        self,
        source_ids: Tensor | Sequence[Tensor],
        inputs: Tensor | None = None,
        training: bool = False,
    ) -> Tensor:
        """Logits [batch, time, vocabulary] of the words after each of `inputs`.

        Both may come as one pair, as `fit` gives them: `mt([source_ids, inputs])`.
        """
        if inputs is None:
            source_ids, inputs = source_ids
        state = self.encode(source_ids, training=training)
        return self.output_projection(self.features(state, inputs, training))

    def step_graph(
        self, token_ids: Tensor, state: ModelState, kernel: Tensor | None = None
    ) -> tuple[Tensor, ModelState]:
        """`step` on tensors; `kernel` as in `log_softmax`."""
        initial = [state[name] for name in self.state_names]
        hidden, new = self.decoder.step(token_ids, initial, self._shared(state))
        named = dict(zip(self.state_names, new, strict=True))
        return self.log_softmax(hidden, kernel), {**named, **self._shared(state)}

    def token_log_probs_graph(self, source_ids: Tensor, inputs: Tensor, targets: Tensor) -> Tensor:
        """`token_log_probs` on tensors."""
        return -self.cross_entropy(self.features(self.encode(source_ids), inputs), targets)

    def alignment_graph(self, source_ids: Tensor, inputs: Tensor) -> Tensor:
        """`alignment` on tensors: [batch, time, source]."""
        state = self.encode(source_ids)
        initial = [state[name] for name in self.state_names]
        return self.decoder.alignment(inputs, initial, self._shared(state))

    def _shared(self, state: ModelState) -> ModelState:
        return {name: state[name] for name in self.shared_names}

    # --- what `fit`, `evaluate` and `predict` make of texts ----------------------------------

    def example(self, text: str, target: Any = None) -> Example:
        if not isinstance(target, str):
            raise ZooError(
                "a translation model takes sources and targets: fit(sources, targets), "
                "predict((sources, targets)); translate(sources) needs no targets"
            )
        return self.source_row(text), self.target_tokenizer.encode(target)

    def collate(self, examples: Sequence[Example], rng: np.random.Generator | None = None) -> Batch:
        """Sources and the words before each target; the targets, `<eos>` last."""
        source_ids, _ = pad([source for source, _ in examples])
        inputs, lengths = pad([[BOS, *target] for _, target in examples])
        targets, _ = pad([[*target, EOS] for _, target in examples])
        return (source_ids, inputs), targets, counted(lengths, inputs.shape[1])

    # --- the same, compiled once and called with arrays -------------------------------------

    compiled_encode = compiled_method(encode)
    compiled_step = compiled_method(step_graph)
    compiled_token_log_probs = compiled_method(token_log_probs_graph)
    compiled_alignment = compiled_method(alignment_graph)

    def step(self, token_ids: Tensor, state: ModelState) -> tuple[Tensor, ModelState]:
        """One target word in, the next one's distribution out; the first word is `<bos>`.

        Args:
            token_ids: [rows] int32. Several hypotheses of a source may follow each other: rows
                is then a multiple of the batch of the state's constant entries.
            state: as `encode` or the previous step gave it.

        Returns:
            Natural-log probabilities [rows, vocabulary] float32 and the new state.
        """
        return self.compiled_step(as_ids(token_ids), state)

    def token_log_probs(self, source_ids: Tensor, inputs: Tensor, targets: Tensor) -> np.ndarray:
        """log P(targets_t | source, inputs_1 ... inputs_t), [batch, time], right-padded.

        What stands at padded positions is finite and without meaning.
        """
        values = self.compiled_token_log_probs(as_ids(source_ids), as_ids(inputs), as_ids(targets))
        return ops.convert_to_numpy(values)

    def alignment(
        self, source_row: Sequence[int], translations: Sequence[Sequence[int]]
    ) -> list[np.ndarray] | None:
        """Attention over the source where each target token was written; None without attention.

        Args:
            source_row: a source's ids as `source_row` makes them.
            translations: target ids.

        Returns:
            For each translation [tokens, source] float32.
        """
        if self.decoder.attention is None:
            return None
        inputs, _ = pad([[BOS, *ids] for ids in translations])
        source_ids, _ = pad([source_row] * len(translations))
        weights = self.compiled_alignment(as_ids(source_ids), as_ids(inputs))
        return [
            row[: len(ids), : len(source_row)]
            for row, ids in zip(ops.convert_to_numpy(weights), translations, strict=True)
        ]

    # --- presets ----------------------------------------------------------------------------

    def write_assets(self, directory: Path, dtype: str) -> None:
        for name in ("source", "target"):
            (directory / name).mkdir()
            getattr(self, f"{name}_tokenizer").save(directory / name)
        weights.save_weights(self, directory, dtype)

    @classmethod
    def from_assets(cls, directory: Path, config: dict[str, Any]) -> Self:
        tokenizers = [load_tokenizer(directory / name) for name in ("source", "target")]
        size = sum(tokenizer.vocabulary_size for tokenizer in tokenizers)
        weights.check_sizes(directory, config, size)
        model = cls(*tokenizers, **config)
        weights.load_weights(model, directory)
        return model
