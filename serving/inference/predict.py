"""Predict on a loaded version: TensorProto in, serialized PredictResponse out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

import numpy as np
from tensorflow.core.framework import tensor_pb2

from serving.codec import tensors, wire
from serving.codec.tensors import Fetched
from serving.errors import Code, ServingError
from serving.models import signatures
from serving.models.servable import Servable
from serving.models.signatures import Signature

METHODS = (
    signatures.PREDICT_METHOD,
    signatures.CLASSIFY_METHOD,
    signatures.REGRESS_METHOD,
)


def predict_signature(servable: Servable, key: str, check_method: bool) -> Signature:
    """The signature of a Predict request.

    Raises:
        ServingError: FAILED_PRECONDITION without such a signature.
    """
    missing = 'Serving signature key "{}" not found.'
    signature = signatures.named(servable.signatures, key, Code.FAILED_PRECONDITION, missing)
    if check_method and signature.method not in METHODS:
        raise ServingError(
            Code.INTERNAL,
            "Expected prediction signature method_name to be one of "
            f"{{{', '.join(METHODS)}}}. Was: {signature.method}",
        )
    return signature


def run(
    servable: Servable,
    signature: Signature,
    given: Mapping[str, np.ndarray],
    outputs: Sequence[str],
    deadline: float | None,
) -> Sequence[Fetched]:
    """The values of these outputs for arrays by input alias."""
    servable.caps.check(given)
    arrays = signature.arrays(given)
    return servable.runner.run(signature.feeds, arrays, signature.fetches(outputs), deadline)


def decode_inputs(
    signature: Signature, inputs: Mapping[str, tensor_pb2.TensorProto]
) -> dict[str, np.ndarray]:
    """The arrays of a request's TensorProtos, after checking their names."""
    signatures.check_input_names(signature, inputs)
    return {alias: tensors.decode(tensor, alias) for alias, tensor in inputs.items()}


def predict(
    servable: Servable,
    signature: Signature,
    inputs: Mapping[str, tensor_pb2.TensorProto],
    output_filter: Iterable[str],
    deadline: float | None,
    as_content: bool = False,
) -> bytes:
    """A serialized PredictResponse.

    Args:
        servable: the loaded version.
        signature: one of its signatures.
        inputs: TensorProtos by input alias.
        output_filter: the outputs to return; none means all.
        deadline: time.monotonic() after which to give up.
        as_content: whether values go to `tensor_content`.
    """
    given = decode_inputs(signature, inputs)
    outputs = signatures.chosen_outputs(signature, output_filter)
    values = run(servable, signature, given, outputs, deadline)
    return response(servable, signature, outputs, values, as_content)


def response(
    servable: Servable,
    signature: Signature,
    outputs: Sequence[str],
    values: Sequence[Fetched],
    as_content: bool,
) -> bytes:
    """A serialized PredictResponse of these outputs' values."""
    parts = [
        wire.delimited(1, _text(1, alias) + wire.delimited(2, tensors.encode(value, as_content)))
        for alias, value in zip(outputs, values, strict=True)
    ]
    spec = _model_spec(servable.name, servable.version, signature.key)
    return b"".join([*parts, wire.delimited(2, spec)])


@lru_cache(maxsize=1024)
def _model_spec(name: str, version: int, signature: str) -> bytes:
    """A serialized ModelSpec: name, version (a wrapped integer), signature_name."""
    return _text(1, name) + wire.delimited(2, wire.integer(1, version)) + _text(3, signature)


def _text(field: int, value: str) -> bytes:
    return wire.delimited(field, value.encode())
