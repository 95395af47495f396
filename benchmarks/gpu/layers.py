"""A training step of one layer: outputs of all steps, gradients for the input and every weight."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.gpu.timing import (
    Contestant,
    in_turns,
    row_of,
    torch_device,
    wait_for_jax,
    wait_for_torch,
)

if TYPE_CHECKING:
    from benchmarks.gpu.__main__ import Job

CELLS = ("lstm", "gru")
DTYPES = ("float32", "bfloat16")
# batch x time x units, the ones that matter most first
SIZES = (
    (64, 50, 512),
    (64, 70, 1024),
    (32, 35, 256),
    (20, 35, 650),
    (128, 20, 256),
    (20, 70, 1150),
)
TINY = ((2, 3, 4),)


def run(job: Job, end: float) -> None:
    """A row for each cell, size and dtype that no earlier call has, until the time is over."""
    done, rounds = job.measured("layers"), (1, 1) if job.tiny else (10, 10)
    for size in TINY if job.tiny else SIZES:
        for cell in CELLS[:1] if job.tiny else CELLS:
            for dtype in DTYPES[1:] if job.tiny else DTYPES:
                name = f"{cell} {'x'.join(map(str, size))} {dtype}"
                if name in done:
                    continue
                if time.monotonic() >= end:
                    return
                found = in_turns(contestants(cell, size, dtype), *rounds)
                job.record("layers", row_of(name, found))


def contestants(cell: str, size: tuple[int, int, int], dtype: str) -> dict[str, Contestant]:
    """Ours, Keras's own and, where PyTorch is installed, cuDNN by way of it."""
    import keras

    from zoo.layers import make_recurrent

    rng = np.random.default_rng(0)
    x, d_y = (rng.normal(size=size).astype("float32") for _ in range(2))
    stock = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}[cell]
    policy = "float32" if dtype == "float32" else "mixed_bfloat16"
    units = size[-1]
    found = {
        "zoo": jax_step(make_recurrent(cell, units, return_sequences=True, dtype=policy), x, d_y),
        "keras": jax_step(stock(units, return_sequences=True, dtype=policy), x, d_y),
    }
    device = torch_device()
    if device is not None:
        found["torch"] = torch_step(cell, x, d_y, dtype, device)
    return found


def jax_step(layer: Any, x: np.ndarray, d_y: np.ndarray) -> Contestant:
    """A layer of Keras's on JAX, jitted."""
    import jax
    import jax.numpy as jnp

    layer.build(x.shape)
    fixed = [v.value for v in layer.non_trainable_variables]

    def loss(values: list[Any], x: Any, d_y: Any) -> Any:
        outputs = layer.stateless_call(values, fixed, x, training=True)[0]
        return jnp.sum(outputs.astype("float32") * d_y)

    gradient = jax.jit(jax.grad(loss, argnums=(0, 1)))
    values = [v.value for v in layer.trainable_variables]
    arguments = (values, jax.device_put(x), jax.device_put(d_y))
    return (lambda: gradient(*arguments)), wait_for_jax


def torch_step(cell: str, x: np.ndarray, d_y: np.ndarray, dtype: str, device: Any) -> Contestant:
    """`torch.nn.LSTM` or `GRU`; on a GPU that is cuDNN."""
    import torch

    kind = torch.float32 if dtype == "float32" else torch.bfloat16
    make: dict[str, Callable[..., Any]] = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU}
    layer = make[cell](x.shape[-1], x.shape[-1], batch_first=True).to(device, kind)
    inputs = torch.tensor(x, device=device, dtype=kind).requires_grad_()
    upstream = torch.tensor(d_y, device=device, dtype=kind)

    def step() -> Any:
        layer.zero_grad()
        inputs.grad = None
        (layer(inputs)[0] * upstream).sum().backward()

    return step, wait_for_torch
