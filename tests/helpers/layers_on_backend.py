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

from zoo.layers import Bidirectional, make_recurrent


def main(source: str, target: str) -> None:
    given = dict(np.load(source))
    cases = json.loads(str(given["cases"]))
    results = {}
    for k, (cell, units, arguments) in enumerate(cases):
        layer = make_recurrent(cell, units, return_sequences=True, **arguments)
        layer.build((None, None, given["x"].shape[-1]))
        layer.set_weights([given[f"w{k}_{j}"] for j in range(len(layer.weights))])

        def loss(variables: list, x: np.ndarray, layer: object = layer) -> object:
            fixed = [v.value for v in layer.non_trainable_variables]
            outputs, _ = layer.stateless_call(variables, fixed, x, mask=given["mask"])
            return ops.sum(ops.sin(outputs)), outputs

        variables = [v.value for v in layer.trainable_variables]
        gradient = jax.grad(loss, argnums=(0, 1), has_aux=True)
        (d_variables, d_x), outputs = gradient(variables, given["x"])
        for j, value in enumerate([outputs, d_x, *d_variables]):
            results[f"{k}_{j}"] = np.asarray(value)
        both = Bidirectional(make_recurrent(cell, units, return_sequences=True, **arguments))
        assert both(given["x"], mask=given["mask"]).shape[-1] == 2 * layer.output_size
    np.savez(target, **results)


if __name__ == "__main__":
    main(*sys.argv[1:])
