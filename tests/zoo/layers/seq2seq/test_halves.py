"""Encoder, decoder and attention in a Functional model of one's own."""

import inspect

import keras
import numpy as np
import pytest

from tests.helpers import losses
from tests.helpers.architectures import ARCHITECTURES, made
from tests.helpers.seq2seq import translator
from tests.zoo.layers.test_signatures import parameters
from zoo import layers
from zoo.errors import ZooError

SOURCE, INPUTS = np.array([[5, 6, 7, 3], [8, 3, 0, 0]]), np.array([[2, 5, 6], [2, 7, 0]])


def functional(encoder, decoder, output):
    source, inputs = keras.Input((None,), dtype="int32"), keras.Input((None,), dtype="int32")
    return keras.Model([source, inputs], output(decoder(inputs, encoder(source))))


def small(**switches):
    encoder = layers.Encoder(20, 4, embedding_dim=3, cell="rnn", name="encoder")
    decoder = layers.Decoder(30, encoder, name="decoder", **switches)
    return functional(encoder, decoder, keras.layers.Dense(30))


@pytest.mark.parametrize("name", ["base", "attention"])
def test_a_functional_model_of_the_halves_is_the_translation_model(name):
    model = made(ARCHITECTURES[f"seq2seq_{name}"])
    mine = functional(model.encoder, model.decoder, model.output_projection)
    rows = [model.example(*pair) for pair in zip(losses.GERMAN, losses.ENGLISH, strict=True)]
    (source, inputs), _, _ = model.collate(rows)
    np.testing.assert_allclose(mine([source, inputs]), model(source, inputs), atol=1e-6)


def test_the_file_keeps_what_they_share(tmp_path):
    model = small(feed_context=True, attention="bahdanau")
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded([SOURCE, INPUTS]), model([SOURCE, INPUTS]), atol=1e-6)
    assert [w.shape for w in loaded.weights] == [w.shape for w in model.weights]
    decoder, encoder = loaded.get_layer("decoder"), loaded.get_layer("encoder")
    assert decoder.levels[0].recurrent is encoder.forward_layer(0)


def test_a_copy_without_its_encoder_has_one_of_its_own():
    model = small()
    copy = keras.models.clone_model(model)
    own = copy.get_layer("decoder").own_encoder
    assert own is not copy.get_layer("encoder")
    assert len(copy.trainable_weights) > len(model.trainable_weights)  # nothing is left untrained
    config = model.get_layer("decoder").get_config()
    again = layers.Decoder.from_config(config).get_config()
    assert {k: v for k, v in again.items() if k != "encoder"} == {
        k: v for k, v in config.items() if k != "encoder"
    }


def test_attention_in_a_functional_model():
    query, memory = keras.Input((None, 5)), keras.Input((None, 4))
    context, weights = layers.BahdanauAttention(3)(query, memory)
    model = keras.Model([query, memory], [context, weights])
    context, weights = model([np.ones((2, 3, 5)), np.ones((2, 6, 4))])
    np.testing.assert_allclose(weights, np.full((2, 3, 6), 1 / 6), atol=1e-6)
    np.testing.assert_allclose(context, np.ones((2, 3, 4)), atol=1e-6)


@pytest.mark.parametrize("name", ["Encoder", "Decoder", "BahdanauAttention"])
def test_every_argument_has_a_type(name):
    for parameter in parameters(getattr(layers, name)):
        assert parameter.annotation not in (inspect.Parameter.empty, "Any"), parameter.name


def test_bad_arguments_are_refused():
    encoder = translator(cell="rnn").encoder
    with pytest.raises(ZooError, match="attention='dot'"):
        layers.Decoder(5, encoder, attention="dot")
    with pytest.raises(ZooError, match="num_layers=0"):
        layers.Encoder(5, 4, num_layers=0)
