"""Steps on a device, timed in turns: queued several at a time, waited for once."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

# A step that starts work on the device, and what waits for all that was started.
Contestant = tuple[Callable[[], Any], Callable[[Any], None]]


def in_turns(
    contestants: dict[str, Contestant], rounds: int, inner: int
) -> dict[str, dict[str, Any]]:
    """Milliseconds a step of each: median and best over the rounds, `inner` steps a round.

    The first call of each, which compiles, is told apart as `first_seconds`. A rival that cannot
    do it (Keras's GRU in bfloat16 on JAX) has an `error` instead.
    """
    found: dict[str, dict[str, Any]] = {name: first_calls(*c) for name, c in contestants.items()}
    able = {name: c for name, c in contestants.items() if "error" not in found[name]}
    times: dict[str, list[float]] = {name: [] for name in able}
    for _ in range(rounds):
        for name, (step, wait) in able.items():
            started = time.perf_counter()
            last = None
            for _ in range(inner):
                last = step()
            wait(last)
            times[name].append((time.perf_counter() - started) * 1e3 / inner)
    for name, values in times.items():
        found[name] |= {"ms": round(statistics.median(values), 4), "best_ms": round(min(values), 4)}
    return found


def first_calls(step: Callable[[], Any], wait: Callable[[Any], None]) -> dict[str, Any]:
    """Compile and warm up."""
    started = time.perf_counter()
    try:
        wait(step())
    except Exception as error:  # frameworks raise any kind
        return {"error": f"{type(error).__name__}: {error}"[:200]}
    seconds = time.perf_counter() - started
    wait(step())
    return {"first_seconds": round(seconds, 2)}


def row_of(name: str, found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """A row of the report: every contestant's figures, and the others' time over ours."""
    row: dict[str, Any] = {"name": name}
    for other, values in found.items():
        row |= {f"{other}_{key}": value for key, value in values.items()}
    if "ms" not in found["zoo"]:
        raise RuntimeError(f"{name}: ours failed: {found['zoo']['error']}")
    ours = found["zoo"]["ms"]
    able = {other: values for other, values in found.items() if "ms" in values}
    return row | {f"x_{other}": round(values["ms"] / ours, 3) for other, values in able.items()}


def wait_for_jax(value: Any) -> None:
    """Wait for what the last step made, and so for all before it."""
    import jax

    jax.block_until_ready(value)


def torch_device() -> Any:
    """PyTorch's device, or None where it is not installed."""
    try:
        import torch
    except ImportError:
        return None
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def wait_for_torch(_: Any) -> None:
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()
