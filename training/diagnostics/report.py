"""`zoo gradients`: how far a model's gradients reach, layer by layer, in rows and pictures."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import singledispatch
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

import zoo
from training.config import read_run_config
from training.diagnostics import gradients as g
from training.diagnostics import plots
from training.diagnostics.flow import Flow, verdict
from training.tasks.progress_bar import tracked
from training.tasks.registry import make_task
from zoo.errors import ZooError
from zoo.layers import Recurrent
from zoo.layers.recording import Recorded, recorded_calls
from zoo.models import (
    BidirectionalClassifier,
    BidirectionalLanguageModel,
    BidirectionalTagger,
    RecurrentLanguageModel,
    Seq2Seq,
)
from zoo.presets.store import list_presets
from zoo.text import BOS, Tokenizer
from zoo.types import State, Tensor

Rows = Iterator[dict[str, Any]]
ROWS, STEPS = 4, 36
ALL_PAIRS_UP_TO = 160  # state sizes above this are looked at from the last step only
PROBE_TEXT = (
    "jane walked into the room and john walked in too it was late in the day and everyone was "
    "walking home after a long day at work the rain had stopped an hour before but the streets "
    "were still wet and a cold wind came from the river they talked about the weather and about "
    "the people they had met in the morning and then she said that she would like to go home "
    "because her mother was waiting for her with dinner he asked if he could walk with her to the "
    "station and she said yes when they came to the bridge the last train was just leaving so they "
    "had to wait for the bus and when it came at last it was full of people who were tired and "
    "nobody said a word until they were back in the small town where both of them had grown up"
)


def report(model: str, data_dir: str | os.PathLike[str] | None, folder: Path) -> Rows:
    """Rows of results, and a last one that names the pictures.

    Args:
        model: a run's config, a preset's name or a preset directory.
        data_dir: the corpora's folder, for a config that needs one.
        folder: where the pictures go.

    Raises:
        ZooError: the model has no recurrence, or the config is bad.
    """
    subject = zoo.load(model) if is_preset(model) else configured_model(model, data_dir)
    yield from model_report(subject, folder)


def is_preset(model: str) -> bool:
    """Whether this names a preset or a preset directory, not a config."""
    return model in list_presets() or Path(model).is_dir()


def configured_model(config: str, data_dir: str | os.PathLike[str] | None) -> Any:
    """The model of a run's config with its first weights."""
    return make_task(read_run_config(config), data_dir).model


def model_report(model: Any, folder: Path) -> Rows:
    """One row a recurrent layer."""
    norms, bounds, terms, spectra = {}, {}, {}, {}
    pictures = []
    probed = probe(model)
    for call, upstream in tracked(probed, "layers", len(probed)):
        row, seen = layer_report(call, upstream)
        name = row["layer"]
        norms[name], bounds[name], terms[name] = row["norms"], row["bounds"], row["contributions"]
        spectra.update({f"{name} {gate}": v for gate, v in singular_values(call.layer).items()})
        if seen.shape[1] == seen.shape[2]:
            pictures.append(plots.heat_map(seen[0], name, folder / f"heat_map_{name}.png"))
        yield row
    pictures += [
        plots.norms_over_distance(norms, bounds, folder / "norms.png"),
        plots.contributions_over_distance(terms, folder / "contributions.png"),
        plots.spectrum(spectra, folder / "spectrum.png"),
    ]
    yield {"pictures": [str(path) for path in pictures]}


def layer_report(call: Recorded, upstream: np.ndarray) -> tuple[dict[str, Any], np.ndarray]:
    """A layer's figures as one row, and ‖∂s_t/∂s_k‖ of each probe row, end and k."""
    layer = call.layer
    path = g.trajectory(layer, call.inputs)
    few = g.Trajectory(path.cell, path.weights, *(_first_row(part) for part in _parts(path)))
    jacobians = g.step_jacobians(few)
    steps, small = len(jacobians), jacobians.shape[-1] <= ALL_PAIRS_UP_TO
    ends = list(range(steps)) if small else [steps - 1]
    seen = g.jacobian_norms(jacobians, ends)
    norms = g.by_distance(seen, ends)
    hidden = g.by_distance(g.jacobian_norms(jacobians, ends, layer.output_size), ends)
    bound, base = g.bounds(layer, jacobians)
    terms = g.matrix_norms(g.contributions(path, upstream))
    return {
        "layer": layer.name,
        "cell": type(layer).__name__,
        "units": layer.units,
        "largest_singular_value": round(g.largest_singular_value(layer), 5),
        "bound_base": round(base, 5),
        "memory_length": g.memory_length(norms),
        "norms": _rounded(norms),
        "hidden_norms": _rounded(hidden),
        "bounds": _rounded(bound),
        "contributions": _rounded(terms),
        "verdict": verdict(Flow(layer.name, norms, terms, layer.gates > 1))
        or "gradients reach back",
    }, seen


def _parts(path: g.Trajectory) -> tuple[State, State, State]:
    return path.previous, path.current, path.saved


def _first_row(part: State) -> State:
    return tuple(x[:, :1] for x in part)


def _rounded(values: np.ndarray) -> list[float]:
    return [float(f"{value:.6g}") for value in values]


def singular_values(layer: Recurrent) -> dict[str, np.ndarray]:
    """Singular values of each gate's block of the recurrent matrix, largest first."""
    kernel = ops.convert_to_numpy(layer.recurrent_kernel).astype("float64")
    blocks = np.split(kernel, layer.gates, axis=1)
    return {
        f"gate {i}" if layer.gates > 1 else "U": np.linalg.svd(block, compute_uv=False)
        for i, block in enumerate(blocks)
    }


def probe(model: Any) -> list[tuple[Recorded, np.ndarray]]:
    """Each recurrent layer's call on the probe text, and ∂E/∂h_t `[time, batch, outputs]` there.

    Raises:
        ZooError: the model has no recurrent layer that runs over a text.
    """
    import tensorflow as tf

    if not isinstance(model, keras.Model):
        raise _no_recurrence(model)
    with tf.GradientTape() as tape:
        calls, error = recorded_calls(model, lambda: probe_loss(model))
    if not calls:
        raise _no_recurrence(model)
    upstream = tape.gradient(error, [call.outputs for call in calls])
    return [(call, _time_first(call, d)) for call, d in zip(calls, upstream, strict=True)]


def _time_first(call: Recorded, gradient: Any) -> np.ndarray:
    if gradient is None:
        shape = tuple(call.outputs.shape)
        return np.zeros((shape[1], shape[0], shape[2]), "float32")
    return np.transpose(ops.convert_to_numpy(gradient), (1, 0, 2)).astype("float32")


@singledispatch
def probe_loss(model: object) -> Tensor:
    """E of the probe text: the cross entropy that the model is trained with."""
    raise _no_recurrence(model)


def _no_recurrence(model: object) -> ZooError:
    return ZooError(f"{type(model).__name__} has no recurrence: nothing to measure")


def _probe_ids(tokenizer: Tokenizer) -> np.ndarray:
    """`[ROWS, STEPS + 1]` int32: consecutive pieces of the probe text."""
    ids = tokenizer.encode(PROBE_TEXT)
    rows = [[BOS, *ids[i * STEPS : (i + 1) * STEPS]] for i in range(ROWS)]
    return np.array([row for row in rows if len(row) == STEPS + 1], dtype=np.int32)


@probe_loss.register
def _next_word_loss(model: RecurrentLanguageModel) -> Tensor:
    ids = _probe_ids(model.tokenizer)
    hidden, _ = model.features(ids[:, :-1])
    return model.summed_cross_entropy(hidden, ids[:, 1:], np.ones(ids[:, 1:].shape, "float32"))


@probe_loss.register
def _blank_loss(model: BidirectionalLanguageModel) -> Tensor:
    ids = _probe_ids(model.tokenizer)
    weights = np.zeros(ids.shape, "float32")
    weights[:, 1:-1] = 1
    blanks = (np.arange(ids.shape[1]) % 5 == 2) & (weights > 0)  # where directions mix
    return model.summed_cross_entropy(model.features(ids, blanks), ids, weights)


@probe_loss.register(BidirectionalClassifier)
@probe_loss.register(BidirectionalTagger)
def _label_loss(model: Any) -> Tensor:
    """The true labels are not known: the likeliest ones stand for them."""
    hidden = model.features(_probe_ids(model.tokenizer))
    targets = ops.argmax(model.output_projection(hidden), axis=-1)
    return model.summed_cross_entropy(hidden, targets, np.ones(targets.shape, "float32"))


@probe_loss.register
def _translation_loss(model: Seq2Seq) -> Tensor:
    source = _probe_ids(model.source_tokenizer)[:, 1:]
    target = _probe_ids(model.target_tokenizer)[: len(source)]
    state = model.encode(source[: len(target)])
    hidden = model.features(state, target[:, :-1])
    weights = np.ones(target[:, 1:].shape, "float32")
    return model.summed_cross_entropy(hidden, target[:, 1:], weights)
