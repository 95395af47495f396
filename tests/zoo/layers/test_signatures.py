"""A drop-in takes what Keras's layer takes: the same names, places, defaults, with types."""

import inspect

import keras
import pytest

from zoo import layers

DROP_INS = ["SimpleRNN", "GRU", "LSTM"]
OURS = ["learn_initial_state", "weight_drop", "jit_compile"]
OTHER_THAN_DEFAULT = {
    "units": 4,
    "activation": "relu",
    "recurrent_activation": "hard_sigmoid",
    "use_bias": False,
    "kernel_initializer": "he_normal",
    "recurrent_initializer": "identity",
    "bias_initializer": "ones",
    "unit_forget_bias": False,
    "kernel_regularizer": "l1",
    "recurrent_regularizer": "l2",
    "bias_regularizer": "orthogonal_regularizer",
    "activity_regularizer": "l2",
    "kernel_constraint": "non_neg",
    "recurrent_constraint": "unit_norm",
    "bias_constraint": "max_norm",
    "dropout": 0.1,
    "recurrent_dropout": 0.2,
    "seed": 7,
    "return_sequences": True,
    "return_state": True,
    "go_backwards": True,
    "stateful": True,
    "unroll": True,
    "reset_after": False,
    "use_cudnn": False,
}


def parameters(layer):
    """Those that have a name of their own, in order."""
    named = inspect.signature(layer).parameters.values()
    return [p for p in named if p.kind is not inspect.Parameter.VAR_KEYWORD]


@pytest.mark.parametrize("name", DROP_INS)
def test_parameters_are_keras_s_in_its_order_and_ours_by_name_after_them(name):
    stock, ours = parameters(getattr(keras.layers, name)), parameters(getattr(layers, name))
    shared, own = ours[: len(stock)], ours[len(stock) :]
    assert [(p.name, p.default, p.kind) for p in shared] == [
        (p.name, p.default, p.kind) for p in stock
    ]
    assert [p.name for p in own] == OURS
    assert {p.kind for p in own} == {inspect.Parameter.KEYWORD_ONLY}


@pytest.mark.parametrize("name", [*DROP_INS, "CIFG"])
def test_every_parameter_has_a_type(name):
    for parameter in parameters(getattr(layers, name)):
        assert parameter.annotation not in (inspect.Parameter.empty, "Any"), parameter.name


@pytest.mark.parametrize("name", DROP_INS)
def test_arguments_by_place_mean_what_they_mean_in_keras(name):
    stock_layer, our_layer = getattr(keras.layers, name), getattr(layers, name)
    values = [OTHER_THAN_DEFAULT[p.name] for p in parameters(stock_layer)]
    stock = stock_layer(*values, name="one").get_config()
    ours = our_layer(*values, name="one").get_config()
    stock["activity_regularizer"] = ours["activity_regularizer"]  # Keras's SimpleRNN loses it
    assert {key: ours[key] for key in stock} == stock
    assert ours["activity_regularizer"]["class_name"] == "L2"
    assert our_layer.from_config(ours).get_config() == ours


@pytest.mark.parametrize("name", DROP_INS)
def test_a_config_of_keras_makes_our_layer(name):
    config = getattr(keras.layers, name)(3, zero_output_for_mask=True).get_config()
    ours = getattr(layers, name).from_config(config).get_config()
    assert {key: ours[key] for key in config} == config
    assert ours["zero_output_for_mask"]


def test_the_fifth_place_of_an_lstm_is_the_kernel_initializer():
    layer = layers.LSTM(4, "tanh", "sigmoid", True, "zeros")
    assert isinstance(layer.kernel_initializer, keras.initializers.Zeros)
    assert layer.unit_forget_bias is True


@pytest.mark.parametrize("name", DROP_INS)
def test_an_unknown_argument_is_refused(name):
    with pytest.raises((TypeError, ValueError), match="unit_size"):
        getattr(layers, name)(4, unit_size=3)


def test_a_layer_without_equations_cannot_be_made():
    with pytest.raises(TypeError, match="equations"):
        layers.Recurrent(4)
