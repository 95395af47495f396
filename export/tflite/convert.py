"""From traced functions to the bytes of a `.tflite` file with built-in ops only."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import numpy as np
import tensorflow as tf

from export.saved_model.graph import Signatures
from export.tflite.slim import slim
from zoo.errors import ZooError

QUANTIZATIONS = ("none", "float16", "dynamic", "int8")
Examples: TypeAlias = Callable[[], Iterator[tuple[str, dict[str, np.ndarray]]]]


def convert(
    resources: Sequence[tf.Variable | tf.Module],
    functions: Signatures,
    quantize: str = "none",
    examples: Examples | None = None,
) -> bytes:
    """A model with one signature a function, sharing the weights.

    Args:
        resources: the variables that the functions use, or modules that hold them.
        functions: concrete functions by signature name.
        quantize: "none"; "float16" weights; "dynamic", weights in 8 bits with one scale a matrix,
            so that an embedding tied to the output is stored once; "int8", activations too.
        examples: for "int8": pairs of a signature's name and its inputs.

    Raises:
        ZooError: an unknown quantisation, or "int8" without examples.
    """
    if quantize not in QUANTIZATIONS:
        raise ZooError(f"quantize={quantize!r}: use one of {', '.join(QUANTIZATIONS)}")
    module = tf.Module()  # a Keras model here would be saved with a call of its own
    module.resources = list(resources)
    with tempfile.TemporaryDirectory() as directory:
        tf.saved_model.save(module, directory, signatures=functions)
        converter = tf.lite.TFLiteConverter.from_saved_model(
            directory, signature_keys=list(functions)
        )
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        configure(converter, quantize, examples)
        return slim(converter.convert(), half_biases=quantize == "dynamic")


def configure(converter: tf.lite.TFLiteConverter, quantize: str, examples: Examples | None) -> None:
    """Set a converter up for a quantisation."""
    if quantize == "none":
        return
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if quantize == "float16":
        converter.target_spec.supported_types = [tf.float16]
        return
    converter._experimental_disable_per_channel = True
    if quantize == "int8":
        if examples is None:
            raise ZooError("quantize='int8' needs example texts to measure the activations on")
        converter.representative_dataset = examples
