"""The translation model's decoder, from the base form to attention.

h_t = φ(h_{t-1})                     base form                                            [24]
h_t = φ(h_{t-1}, c, y_{t-1})         with extension II, c = h_T                           [27]
h_t = φ(h_{t-1}, c_t, y_{t-1})       with attention, c_t = Σ_j α_tj h_j
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import keras
from keras import ops

from zoo.errors import ZooError
from zoo.layers.attention import BahdanauAttention
from zoo.layers.dropout import LockedDropout, word_vectors
from zoo.layers.recurrence.loop import scan
from zoo.layers.seq2seq.encoder import Encoded, Encoder
from zoo.layers.seq2seq.levels import Level, SplitDense
from zoo.types import Tensor

ATTENTIONS = (None, "bahdanau")


@keras.saving.register_keras_serializable(package="zoo")
class Decoder(keras.layers.Layer):
    """The recurrence that writes the target, with what the switches feed it [24] [27].

    Cell, units, layers and the width of the word vectors are the encoder's.

    Args:
        vocabulary_size: target words.
        encoder: the encoder, whose recurrence is shared unless `separate_weights`. A decoder that
            is copied without its encoder (`clone_model` of a Functional model copies layer by
            layer) has one of its own, and shares nothing with the other.
        separate_weights: the recurrence has its own W^(hh) (extension I).
        feed_context: c and y_{t-1} are inputs (extension II).
        attention: None or "bahdanau".
        attention_units: width in which attention compares; None for the encoder's units.
        readout_units: width of the layer between h_t and the result; None for no such layer.
        dropout: on word vectors, between layers and at the top, one mask for all steps.
        word_dropout: whole words, for a whole sentence.
        word_scale: standard deviation of the word vectors at the start; None for Keras's ±0.05.
        **kwargs: as in `keras.layers.Layer`.

    Call arguments: `inputs` `[batch, time]` int, `<bos>` (2) first: the word before each target;
    `encoded`, what the encoder returned; `training`. Returns what an output layer sees at each
    step, `[batch, time, output_size]`.

    Example:
        >>> import numpy as np
        >>> encoder = Encoder(20, 4, embedding_dim=3)
        >>> decoder = Decoder(30, encoder, feed_context=True, attention="bahdanau")
        >>> decoder(np.array([[2, 7]]), encoder(np.array([[5, 6, 3]]))).shape
        TensorShape([1, 2, 4])
    """

    def __init__(
        self,
        vocabulary_size: int,
        encoder: Encoder,
        *,
        separate_weights: bool = False,
        feed_context: bool = False,
        attention: str | None = None,
        attention_units: int | None = None,
        readout_units: int | None = None,
        dropout: float = 0.0,
        word_dropout: float = 0.0,
        word_scale: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if attention not in ATTENTIONS:
            raise ZooError(f"attention={attention!r}: use 'bahdanau' or None")
        self.arguments: dict[str, Any] = {
            "vocabulary_size": vocabulary_size,
            "separate_weights": separate_weights,
            "feed_context": feed_context,
            "attention": attention,
            "attention_units": attention_units,
            "readout_units": readout_units,
            "dropout": dropout,
            "word_dropout": word_dropout,
            "word_scale": word_scale,
        }
        # Behind a function, so that the encoder's weights stay the encoder's alone.
        self._encoder = lambda: encoder
        self.feed_context = feed_context
        self.residual = encoder.residual and encoder.decoder_layers > 1
        word_sizes = [encoder.embedding_dim] if feed_context else []
        context_sizes = [encoder.output_size] if feed_context or attention else []
        self.embedding: Any = None
        if feed_context:
            width = encoder.embedding_dim
            self.embedding = word_vectors(vocabulary_size, width, word_dropout, word_scale)
            self.embedding.build()
        self.levels = [
            self._level(i, [*word_sizes, *context_sizes]) for i in range(encoder.decoder_layers)
        ]
        self._make_top(word_sizes, context_sizes)
        self.dropouts = [
            LockedDropout(dropout, name=f"dropout_{i}") for i in range(encoder.decoder_layers + 1)
        ]
        self.built = True

    def _make_top(self, word_sizes: list[int], context_sizes: list[int]) -> None:
        """Attention and readout, where there are."""
        encoder, units = self._encoder(), self.arguments["readout_units"]
        top = encoder.forward_layer(encoder.num_layers - 1)
        self.attention: Any = None
        if self.arguments["attention"] is not None:
            width = self.arguments["attention_units"] or top.units
            self.attention = BahdanauAttention(width, name="attention")
            self.attention.build((None, top.output_size), (None, None, encoder.output_size))
        self.output_size = units or top.output_size
        self.readout: Any = None
        if units:
            sizes = [top.output_size, *context_sizes, *word_sizes]
            self.readout = SplitDense(sizes, self.output_size, use_bias=True, name="readout")

    def _level(self, i: int, sizes: list[int]) -> Level:
        encoder = self._encoder()
        shared = encoder.forward_layer(i)
        sizes = [encoder.forward_layer(i - 1).output_size] if i else sizes
        if not self.arguments["separate_weights"]:
            same_input = i > 0 and not encoder.both
            return Level(shared, False, sizes, reuse_kernel=same_input, name=f"level_{i}")
        return Level(encoder.recurrence_only(), True, sizes, name=f"level_{i}")

    def get_config(self) -> dict[str, Any]:
        encoder = keras.saving.serialize_keras_object(self._encoder())
        return {**super().get_config(), **self.arguments, "encoder": encoder}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """A decoder of the encoder that a file has beside it, or else of one of its own."""
        made_before = next(Encoder.count)
        encoder = keras.saving.deserialize_keras_object(config["encoder"])
        decoder = cls(**{**config, "encoder": encoder})
        if encoder.number > made_before:
            decoder.own_encoder = encoder
        return decoder

    # --- the source, once a sentence --------------------------------------------------------

    def source_state(self, outputs: Tensor, context: Tensor, mask: Tensor) -> dict[str, Tensor]:
        """What every step needs of the source: projected context, or projected values and keys.

        c_t = Σ_j α_tj h_j is multiplied by the first level's W and the readout's W^(r): both
        products are taken of the h_j here, and the sum over j of the products at each step.

        Args:
            outputs: the encoder's h_j, [batch, source, width].
            context: c = h_T, [batch, width].
            mask: [batch, source] bool.
        """
        if self.attention is not None:
            values, keys = self._projected_context(outputs), self.attention.keys(outputs)
            return {"values": values, "keys": keys, "source_mask": mask}
        return {"context": self._projected_context(context)} if self.feed_context else {}

    @property
    def source_names(self) -> tuple[str, ...]:
        """Names of the entries of `source_state`."""
        if self.attention is not None:
            return ("values", "keys", "source_mask")
        return ("context",) if self.feed_context else ()

    def _projected_context(self, x: Tensor) -> Tensor:
        """The first level's W and the readout's W^(r) times a context, side by side.

        [..., context] -> [..., gates * units + readout units].
        """
        for_level = self.levels[0].projection.part(1 if self.feed_context else 0, x)
        if self.readout is None:
            return for_level
        return ops.concatenate([for_level, self.readout.part(1, x)], axis=-1)

    def _split(self, projected_context: Tensor) -> tuple[Tensor, Tensor]:
        """The first level's part and the readout's."""
        width = self.levels[0].projection.units
        return projected_context[..., :width], projected_context[..., width:]

    # --- teacher forcing --------------------------------------------------------------------

    def call(self, inputs: Tensor, encoded: Encoded, training: bool = False) -> Tensor:
        source = self.source_state(encoded["outputs"], encoded["context"], encoded["mask"])
        return self.features(inputs, encoded["states"], source, training)

    def features(
        self,
        inputs: Tensor,
        states: Sequence[Tensor],
        source: Mapping[str, Tensor],
        training: bool = False,
    ) -> Tensor:
        """What the output layer sees at each step.

        Args:
            inputs: [batch, time] int32, `<bos>` first: the words before each target.
            states: the first states, level by level.
            source: what `source_state` gave.

        Returns:
            [batch, time, output_size].
        """
        y = None
        if self.embedding is not None:
            y = self.embedding(inputs, training=training)  # [batch, time, embedding_dim]
            y = self.dropouts[0](y, training=training)
        grouped = self._grouped(states)
        if self.attention is not None:
            hidden, readout_context, _ = self._attending(inputs, y, grouped, source, training)
        else:
            hidden, readout_context = self._unattending(inputs, y, grouped, source, training)
        return self.dropouts[-1](self._read(hidden, readout_context, y), training=training)

    def _first_input(self, y: Tensor, level_context: Tensor) -> Tensor:
        """p_t of the first level from y_{t-1} and c; just b without either."""
        level = self.levels[0]
        total = level.bias()
        if y is not None:
            total = level.projection.part(0, y) + total
        return total if level_context is None else level_context + total

    def _unattending(
        self, inputs: Tensor, y: Tensor, grouped: Any, source: Tensor, training: bool
    ) -> tuple[Tensor, Tensor]:
        """All steps of one level, then of the next; h_t [batch, time, units]."""
        level_context = readout_context = None
        if self.feed_context:
            level_context, readout_context = self._split(ops.expand_dims(source["context"], 1))
        input_terms = self._first_input(y, level_context)
        input_terms = ops.broadcast_to(input_terms, (*ops.shape(inputs), input_terms.shape[-1]))
        hidden = self.levels[0].run(input_terms, grouped[0], training)
        for level, state, dropout in zip(
            self.levels[1:], grouped[1:], self.dropouts[1:-1], strict=True
        ):
            input_terms = level.project_inputs(dropout(hidden, training=training))
            h = level.run(input_terms, state, training)
            hidden = hidden + h if self.residual else h
        return hidden, readout_context

    def _attending(
        self, inputs: Tensor, y: Tensor, grouped: Any, source: Tensor, training: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Step by step, since c_t depends on the top's h_{t-1}; [batch, time, .] each.

        Returns:
            What the top gives, c_t, and the top's h_t, another than the first with `residual`.
        """
        input_terms = self._first_input(y, None)
        shape = (*ops.shape(inputs), input_terms.shape[-1])
        input_terms = ops.transpose(ops.broadcast_to(input_terms, shape), (1, 0, 2))
        advances = [level.advance(training) for level in self.levels]
        masks = [self._level_mask(i, s[0], training) for i, s in enumerate(grouped)]

        def body(flat: Any, inputs_t: Any) -> tuple[Tensor, tuple[Tensor, ...]]:
            before = self._grouped(flat)
            level_context, readout_context = self._split(self._attend(before[-1][0], source))
            p = inputs_t[0] + level_context
            x, after = p, list[Tensor]()
            for i, (advance, state) in enumerate(zip(advances, before, strict=True)):
                if i:
                    p = self.levels[i].project_inputs(x * masks[i])
                h, *others = advance(p, state)
                x = x + h if i and self.residual else h
                after += [h, *others]
            return tuple(after), (x, readout_context, *([h] if self.residual else []))

        flat = tuple(s for state in grouped for s in state)
        _, outputs = scan(body, flat, (input_terms,))
        outputs = [ops.transpose(output, (1, 0, 2)) for output in outputs]
        return outputs[0], outputs[1], outputs[-1] if self.residual else outputs[0]

    def _level_mask(self, i: int, h: Tensor, training: bool) -> Tensor:
        """Locked dropout of level i's input, [batch, units]."""
        ones = ops.expand_dims(ops.ones_like(h), 1)
        return self.dropouts[i](ones, training=training)[:, 0]

    def alignment(self, inputs: Tensor, states: Any, source: Tensor) -> Tensor:
        """α of each step of teacher forcing: [batch, time, source]."""
        grouped = self._grouped(states)
        y = None if self.embedding is None else self.embedding(inputs)
        _, _, hidden = self._attending(inputs, y, grouped, source, False)
        queries = ops.concatenate([ops.expand_dims(grouped[-1][0], 1), hidden[:, :-1]], axis=1)
        mask, keys = source["source_mask"], source["keys"]
        return self.attention(queries, source["values"], mask, keys)[1]

    # --- one step ---------------------------------------------------------------------------

    def step(self, token_ids: Tensor, states: Any, source: Tensor) -> tuple[Tensor, list[Tensor]]:
        """One word in, what the output layer sees out: [rows, output_size], and the new states."""
        rows = ops.shape(token_ids)[0]
        y = None if self.embedding is None else self.embedding(token_ids)  # [rows, embedding_dim]
        grouped = self._grouped(states)  # a level: [rows, size] each
        level_context = readout_context = None
        if self.attention is not None:
            query = grouped[-1][0]  # h_{t-1} of the top level, [rows, units]
            level_context, readout_context = self._split(self._attend(query, source))
        elif self.feed_context:
            level_context, readout_context = self._split(repeated(source["context"], rows))
        input_term = self._first_input(y, level_context)  # p_t, [rows or 1, gates * units]
        input_term = ops.broadcast_to(input_term, (rows, input_term.shape[-1]))
        x, new = input_term, list[Tensor]()
        for i, (level, state) in enumerate(zip(self.levels, grouped, strict=True)):
            if i:
                input_term = level.project_inputs(x)
            h, *others = level.advance()(input_term, state)
            x = x + h if i and self.residual else h
            new += [h, *others]
        return self._read(x, readout_context, y), new

    def _attend(self, query: Tensor, source: Tensor) -> Tensor:
        """Σ_j α_tj values_j for h_{t-1}; several hypotheses of a row share its source."""
        values, mask = source["values"], source["source_mask"]
        rows = ops.shape(values)[0]
        query = ops.reshape(query, (rows, -1, query.shape[-1]))  # [rows, width, units]
        context, _ = self.attention(query, values, mask, source["keys"])
        return ops.reshape(context, (-1, values.shape[-1]))

    def _read(self, hidden: Tensor, readout_context: Tensor, y: Tensor) -> Tensor:
        """h_t itself [25], or tanh(W^(r) [h_t; c_t; y_{t-1}] + b)."""
        if self.readout is None:
            return hidden
        total = self.readout.part(0, hidden) + self.readout.offset()
        if readout_context is not None:
            total = total + readout_context
        return ops.tanh(total if y is None else total + self.readout.part(2, y))

    def _grouped(self, states: Sequence[Tensor]) -> list[list[Tensor]]:
        """A flat list of states as one list a level."""
        size = len(self.levels[0].recurrent.state_names)
        return [list(states[i : i + size]) for i in range(0, len(states), size)]


def repeated(x: Tensor, rows: Any) -> Tensor:
    """[few, features] -> [rows, features], each row several times, next to each other."""
    few, features = ops.shape(x)[0], x.shape[-1]
    wide = ops.broadcast_to(ops.expand_dims(x, 1), (few, rows // few, features))
    return ops.reshape(wide, (-1, features))
