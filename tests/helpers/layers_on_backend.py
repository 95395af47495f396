"""Outputs and gradients of every case on the backend that KERAS_BACKEND names.

Run as `KERAS_BACKEND=jax python -m tests.helpers.layers_on_backend IN.npz OUT.npz`; the weights
come from the file, so that no two backends have to agree on random numbers.
"""

from __future__ import annotations

import json
import sys

import jax
import numpy as np
from keras import ops

from zoo.layers import make_recurrent


def main(source: str, target: str) -> None:
    given = dict(np.load(source))
    x, mask = given["x"], given["mask"]
    layers = []
    for k, (cell, units, arguments) in enumerate(json.loads(str(given["cases"]))):
        layer = make_recurrent(cell, units, return_sequences=True, **arguments)
        layer.build((None, None, x.shape[-1]))
        layer.set_weights([given[f"w{k}_{j}"] for j in range(len(layer.weights))])
        layers.append(layer)

    def gradient_of(k: int, variables: list) -> tuple:
        def only(values: list, x: np.ndarray) -> object:
            fixed = [v.value for v in layers[k].non_trainable_variables]
            y = layers[k].stateless_call(values, fixed, x, mask=mask)[0]
            return ops.sum(ops.sin(y)), y

        return jax.grad(only, argnums=(0, 1), has_aux=True)(variables[k], x)

    @jax.jit  # everything in one compilation
    def run(variables: list) -> list:
        return [gradient_of(k, variables) for k in range(len(layers))]

    results = {}
    variables = [[v.value for v in layer.trainable_variables] for layer in layers]
    for k, ((d_variables, d_x), outputs) in enumerate(run(variables)):
        for j, value in enumerate([outputs, d_x, *d_variables]):
            results[f"{k}_{j}"] = np.asarray(value)
    np.savez(target, **results)


if __name__ == "__main__":
    main(*sys.argv[1:])
