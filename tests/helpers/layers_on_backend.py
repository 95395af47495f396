"""Every case on the backend that KERAS_BACKEND names: outputs, gradients, what a layer promises.

Run as `KERAS_BACKEND=jax python -m tests.helpers.layers_on_backend IN.npz OUT.npz`; the weights
come from the file, so that no two backends have to agree on random numbers.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from tests.helpers import layers as helper
from zoo.layers import GRU, LSTM, make_recurrent

Array = np.ndarray
BACKEND = keras.backend.backend()


def made(given: dict[str, Array]) -> list[Any]:
    """The layers, with the weights of the file."""
    found = []
    for k, (cell, units, arguments) in enumerate(json.loads(str(given["cases"]))):
        layer = make_recurrent(cell, units, return_sequences=True, **arguments)
        layer.build((None, None, given["x"].shape[-1]))
        layer.set_weights([given[f"w{k}_{j}"] for j in range(len(layer.weights))])
        found.append(layer)
    return found


def with_jax(layers: list[Any], x: Array, mask: Array) -> list[list[Any]]:
    """`[outputs, d_x, *d_weights]` of each layer, all in one compilation."""
    import jax

    def gradient_of(layer: Any, variables: list) -> tuple:
        def only(values: list, x: Array) -> object:
            fixed = [v.value for v in layer.non_trainable_variables]
            y = layer.stateless_call(values, fixed, x, mask=mask)[0]
            return ops.sum(ops.sin(y)), y

        return jax.grad(only, argnums=(0, 1), has_aux=True)(variables, x)

    @jax.jit
    def run(variables: list) -> list:
        return [gradient_of(*one) for one in zip(layers, variables, strict=True)]

    found = run([[v.value for v in layer.trainable_variables] for layer in layers])
    return [[y, d_x, *d_variables] for (d_variables, d_x), y in found]


def with_torch(layers: list[Any], x: Array, mask: Array) -> list[list[Any]]:
    import torch

    found = []
    for layer in layers:
        inputs = torch.tensor(x, requires_grad=True)
        y = layer(inputs, mask=torch.tensor(mask))
        torch.sin(y).sum().backward()
        gradients = [v.value.grad for v in layer.trainable_variables]
        found.append([y.detach(), inputs.grad, *gradients])
    return found


def stateful_resets(_: Path) -> None:
    layer, x = LSTM(3, stateful=True), helper.inputs("float32")
    first = ops.convert_to_numpy(layer(x))
    assert not np.allclose(ops.convert_to_numpy(layer(x)), first)
    layer.reset_state()
    np.testing.assert_allclose(ops.convert_to_numpy(layer(x)), first, atol=1e-6)


def masked_model() -> keras.Model:
    ids = keras.Input((4,), dtype="int32")
    words = keras.layers.Embedding(5, 3, mask_zero=True)(ids)
    return keras.Model(ids, LSTM(3)(GRU(3, return_sequences=True)(words)))


def saves(folder: Path) -> None:
    model, ids = masked_model(), np.array([[1, 2, 0, 0]], "int32")
    model.save(folder / "model.keras")
    want = ops.convert_to_numpy(model(ids))
    loaded = keras.models.load_model(folder / "model.keras")
    np.testing.assert_allclose(ops.convert_to_numpy(loaded(ids)), want, atol=1e-6)
    loaded.save_weights(folder / "model.weights.h5")
    model.load_weights(folder / "model.weights.h5")
    np.testing.assert_allclose(ops.convert_to_numpy(model(ids)), want, atol=1e-6)


def exports_with_a_mask(folder: Path) -> None:
    import tensorflow as tf

    model, ids = masked_model(), np.array([[1, 2, 0, 0], [3, 0, 0, 0]], "int32")
    model.export(folder / "saved", verbose=False)
    loaded = tf.saved_model.load(folder / "saved")
    got = loaded.serve(tf.constant(ids)).numpy()
    np.testing.assert_allclose(got, ops.convert_to_numpy(model(ids)), atol=1e-5)


def has_tangents(_: Path) -> None:
    """jax.jvp is the slope; forward over reverse is symmetric; both of rows side by side."""
    import jax

    x = helper.inputs("float32")
    direction = np.random.default_rng(4).normal(size=x.shape).astype("float32")
    for case in (helper.CASES[3], helper.CASES[8]):
        layer = case.make(return_state=False)
        both = layer.trainable_variables, layer.non_trainable_variables
        values = [[v.value for v in variables] for variables in both]

        @jax.jit
        def loss(x: Any, layer: Any = layer, values: list = values) -> Any:
            y = layer.stateless_call(*values, x, mask=helper.MASK)[0]
            return ops.sum(ops.sin(y))

        _, slope = jax.jvp(loss, (x,), (direction,))
        gradient = jax.grad(loss)
        np.testing.assert_allclose(slope, np.sum(gradient(x) * direction), rtol=1e-4)
        steps = [loss(x + e * direction) for e in (1e-2, -1e-2)]
        np.testing.assert_allclose(slope, (steps[0] - steps[1]) / 2e-2, rtol=2e-2)
        other = x[::-1].copy()
        _, bent = jax.jvp(gradient, (x,), (direction,))
        _, back = jax.jvp(gradient, (x,), (other,))
        np.testing.assert_allclose(np.sum(bent * other), np.sum(back * direction), rtol=1e-3)


def promises(folder: Path) -> None:
    """What needs no TensorFlow."""
    for case in {case.cell: case for case in helper.CASES}.values():
        helper.check_weight_exchange(case)
        helper.check_steps(case)
        helper.check_config(case)
    stateful_resets(folder)
    saves(folder)
    if BACKEND == "jax":
        exports_with_a_mask(folder)
        has_tangents(folder)


def main(source: str, target: str) -> None:
    given = dict(np.load(source))
    run = {"jax": with_jax, "torch": with_torch}[BACKEND]
    results = {}
    for k, values in enumerate(run(made(given), given["x"], given["mask"])):
        results |= {f"{k}_{j}": np.asarray(value) for j, value in enumerate(values)}
    with tempfile.TemporaryDirectory() as folder:
        promises(Path(folder))
    np.savez(target, **results)


if __name__ == "__main__":
    main(*sys.argv[1:])
