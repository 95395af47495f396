"""What every architecture promises: list it once in ARCHITECTURES, and every check runs on it.

The tests run these checks one by one; `python -m benchmarks.conformance` prints them as a table.
A check returns None when it holds, raises where it does not, and returns the reason where the
mathematics leaves nothing to check.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from tests.helpers import losses
from tests.helpers.architectures import Architecture, made, made_in_float64
from tests.helpers.corpus import english
from tests.helpers.slopes import assert_slope, directions, unit
from tests.helpers.workshop import Workshop
from zoo.layers import Recurrent

COUNTED = "counted, not learnt by gradients"
STOCK = {"SimpleRNN": keras.layers.SimpleRNN, "GRU": keras.layers.GRU, "LSTM": keras.layers.LSTM}


def numpy_forward(architecture: Architecture, _: Workshop) -> None:
    """The loss equals the independent NumPy implementation's."""
    model = made(architecture)
    if architecture.is_counted:
        value = -sum(s.log_prob for s in model.score([text.lower() for text in english(3)]))
    else:
        value = float(losses.loss(model))
    np.testing.assert_allclose(value, architecture.expected_loss(model), rtol=1e-5)


def numpy_gradient(architecture: Architecture, _: Workshop) -> str | None:
    """Each weight's gradient equals the slope of the NumPy implementation's loss (float64)."""
    if architecture.is_counted:
        return COUNTED
    model = made(architecture)
    _, gradients = losses.loss_and_gradients(model)
    for direction in directions(model):
        assert_slope(architecture.expected_loss, model, gradients, direction, (1e-3, 2e-4, 2e-5))
    return None


def finite_differences(architecture: Architecture, _: Workshop) -> str | None:
    """The gradient along random directions equals the model's own slope."""
    if architecture.is_counted:
        return COUNTED
    model, rng = made(architecture), np.random.default_rng(12)
    _, gradients = losses.loss_and_gradients(model)
    for _ in range(3):
        direction = unit([rng.normal(size=w.shape) for w in model.trainable_weights])
        assert_slope(losses.loss, model, gradients, direction, (5e-3, 1e-3))
    return None


def recurrent_layers(model: Any) -> list[Any]:
    """The recurrent layers of a model, each once."""
    found = [layer for layer in model._flatten_layers() if isinstance(layer, Recurrent)]
    return [layer for layer in found if hasattr(layer, "kernel") and layer.kernel is not None]


def keras_exchange(architecture: Architecture, _: Workshop) -> str | None:
    """Each recurrent layer's weights give Keras's own layer the same outputs."""
    if architecture.is_counted:
        return "Keras has no n-gram model"
    layers = recurrent_layers(made(architecture))
    if not layers:
        return "made of Keras's own Dense and Embedding"
    stock = {type(layer).__name__ for layer in layers} & set(STOCK)
    if not stock:
        return f"Keras has no {type(layers[0]).__name__}"
    for layer in layers:
        assert_like_keras(layer)
    return None


def assert_like_keras(layer: Any) -> None:
    config = {
        key: layer.get_config()[key]
        for key in ("units", "activation", "use_bias", "return_sequences", "go_backwards")
    }
    twin = STOCK[type(layer).__name__](**config)
    x = np.random.default_rng(3).normal(size=(2, 6, layer.kernel.shape[0])).astype("float32")
    twin.build(x.shape)
    weights = [np.asarray(w) for w in layer.weights if not w.name.startswith("initial_")]
    twin.set_weights(weights[: len(twin.weights)])
    first = [np.broadcast_to(s, (2, s.shape[-1])) for s in layer.get_initial_state(2)]
    first = [keras.ops.convert_to_tensor(s) for s in first]
    ours = layer(x, initial_state=first)
    ours = ours[0] if isinstance(ours, list | tuple) else ours
    theirs = twin(x, initial_state=first if len(first) > 1 else first[0])
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def mask_invariance(architecture: Architecture, _: Workshop) -> str | None:
    """A padded batch has the loss and the gradient of its sentences alone."""
    if architecture.is_counted:
        model, texts = made(architecture), english(3)
        together = [s.log_prob for s in model.score(texts)]
        alone = [model.score([text])[0].log_prob for text in texts]
        np.testing.assert_allclose(together, alone, atol=1e-6)
        return None
    model = made_in_float64(architecture)
    value, gradients = losses.loss_and_gradients(model)
    parts = [losses.loss_and_gradients(model, (i,)) for i in range(3)]
    np.testing.assert_allclose(value, sum(part[0] for part in parts), rtol=1e-12)
    for together, *alone in zip(gradients, *(part[1] for part in parts), strict=True):
        scale = max(1.0, float(np.abs(together).max()))
        np.testing.assert_allclose(together, sum(alone), atol=1e-12 * scale)
    return None


def same_as_here(architecture: Architecture, answers: dict[str, np.ndarray], rtol: float) -> None:
    model, name = made(architecture), architecture.name
    value, gradients = losses.loss_and_gradients(model)
    np.testing.assert_allclose(answers[name], value, rtol=1e-5)
    if f"{name}/answers" in answers:
        np.testing.assert_allclose(answers[f"{name}/answers"], losses.answers(model), rtol=1e-4)
    for i, gradient in enumerate(gradients):
        scale = max(1.0, float(np.abs(gradient).max()))
        other = answers[f"{name}/{i}"]
        np.testing.assert_allclose(other, gradient, atol=rtol * scale)


def fresh_process(architecture: Architecture, workshop: Workshop) -> None:
    """Saved, and loaded by a process that knows only the directory."""
    same_as_here(architecture, workshop.answers_on("tensorflow"), 1e-5)


def mixed_precision(architecture: Architecture, _: Workshop) -> str | None:
    """bfloat16 computation on float32 weights: near the float32 loss, float32 gradients."""
    if architecture.is_counted:
        return "looked up, not computed"
    exact = made(architecture)
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        mixed = architecture.make()
    finally:
        keras.config.set_dtype_policy("float32")
    mixed.set_weights(exact.get_weights())
    value, gradients = losses.loss_and_gradients(mixed)
    np.testing.assert_allclose(value, float(losses.loss(exact)), rtol=2e-2)
    for weight, gradient in zip(mixed.trainable_weights, gradients, strict=True):
        assert weight.dtype == "float32"
        assert gradient.dtype == np.float32
        assert np.isfinite(gradient).all()
    return None


def jax_equality(architecture: Architecture, workshop: Workshop) -> None:
    """Keras's JAX backend gives the same answers, loss and gradients, of a padded batch.

    So what NumPy, slopes and masks say of these here holds there.
    """
    same_as_here(architecture, workshop.answers_on("jax"), 2e-5)  # float32, summed in other orders


def saved_model_equality(architecture: Architecture, workshop: Workshop) -> str | None:
    """The SavedModel, loaded again, says what the model says."""
    assert workshop.exported(architecture.name).max_abs_diff < 1e-4
    return None


def tflite_equality(architecture: Architecture, workshop: Workshop) -> str | None:
    """The .tflite file of built-in ops says what the model says."""
    from export.tflite.exporter import export_tflite

    report = export_tflite(made(architecture), workshop.folder / "tflite" / architecture.name)
    assert report.max_abs_diff < 1e-4
    return None


def served(architecture: Architecture, workshop: Workshop) -> str | None:
    """The embedded server answers over gRPC what the model answers in Python."""
    model, client, name = made(architecture), workshop.client, architecture.name
    if hasattr(model, "fill"):
        ours, theirs = (m.fill(["the ___ is small"], **k) for m, k in both(model, client, name))
    elif hasattr(model, "classify"):
        ours, theirs = (m.classify(losses.ENGLISH, **k) for m, k in both(model, client, name))
    elif hasattr(model, "tag"):
        ours, theirs = (
            [[(word.label, word.probability) for word in row] for row in m.tag(losses.ENGLISH, **k)]
            for m, k in both(model, client, name)
        )
    elif hasattr(model, "translate"):
        ours = model.translate(losses.GERMAN[:1], beam=5, n_best=1)
        theirs = [row[:1] for row in client.translate(losses.GERMAN[:1], model=name)]
    else:
        ours = [[("", s.log_prob)] for s in model.score(losses.ENGLISH)]
        theirs = [[("", s.log_prob)] for s in client.score(losses.ENGLISH, model=name)]
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose([v for _, v in mine], [v for _, v in other], atol=1e-4)
    return None


def both(model: Any, client: Any, name: str) -> list[tuple[Any, dict[str, Any]]]:
    return [(model, {}), (client, {"model": name})]


CHECKS: dict[str, Callable[[Architecture, Workshop], str | None]] = {
    "NumPy forward": numpy_forward,
    "NumPy gradient": numpy_gradient,
    "finite differences": finite_differences,
    "Keras weights": keras_exchange,
    "masks": mask_invariance,
    "fresh process": fresh_process,
    "bfloat16": mixed_precision,
    "JAX": jax_equality,
    "SavedModel": saved_model_equality,
    "TFLite": tflite_equality,
    "gRPC": served,
}
