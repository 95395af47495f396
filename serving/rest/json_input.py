"""A predict body's rows (`instances`) or columns (`inputs`) to arrays by input alias."""

from __future__ import annotations

import math
from collections.abc import Container, Mapping, Sequence
from typing import Any

import numpy as np

from serving.errors import Code, ServingError, invalid_argument
from serving.models.signatures import TensorInfo
from serving.rest.json_body import echo
from serving.rest.json_values import RaggedError, array_of, checked_array, is_base64


def predict_inputs(
    document: Mapping[str, Any],
    infos: Mapping[str, TensorInfo],
    defaults: Container[str] = (),
) -> tuple[dict[str, np.ndarray], bool]:
    """The arrays of a predict body, and whether it was in row form (`instances`).

    Args:
        document: the body.
        infos: the signature's inputs.
        defaults: names of inputs that may be left out.
    """
    if not infos:
        raise invalid_argument("Failed to get input map for signature: the signature has no input")
    if "instances" in document and "inputs" in document:
        raise invalid_argument(
            f"JSON Value: {echo(document)} Not formatted correctly expecting only one of "
            "'inputs' or 'instances' keys to exist "
        )
    if "instances" in document:
        return _rows(document, infos, defaults), True
    if "inputs" in document:
        return _columns(document["inputs"], infos, defaults), False
    raise invalid_argument("Missing 'inputs' or 'instances' key")


def _sole_input(infos: Mapping[str, TensorInfo], defaults: Container[str]) -> str | None:
    """The input that values without a name are for, if there is only one that must be given."""
    needed = [name for name in infos if name not in defaults] or list(infos)
    return needed[0] if len(needed) == 1 else None


# Row form -------------------------------------------------------------------------------------


def _rows(
    document: Mapping[str, Any], infos: Mapping[str, TensorInfo], defaults: Container[str]
) -> dict[str, np.ndarray]:
    instances = document["instances"]
    if not isinstance(instances, list):
        raise invalid_argument(
            f"JSON Value: {echo(document)} Excepting 'instances' to be an list/array"
        )
    if not instances:
        raise invalid_argument(f"JSON Value: {echo(document)} No values in 'instances' array")
    if _is_named(instances[0]):
        return _named_rows(instances, infos, defaults)
    name = _sole_input(infos, defaults)
    if name is None:
        raise invalid_argument(
            "instances is a plain list, but expecting list of objects as multiple input tensors "
            "required as per tensorinfo_map"
        )
    for index, item in enumerate(instances):
        if _is_named(item):
            raise invalid_argument(
                f"Expecting value/list but got object at item {index} of input list"
            )
    return {name: _stacked(instances, infos[name], "")}


def _named_rows(
    instances: list[Any], infos: Mapping[str, TensorInfo], defaults: Container[str]
) -> dict[str, np.ndarray]:
    # The first row says which inputs keep their defaults.
    wanted = {name for name in infos if name in instances[0] or name not in defaults}
    for index, item in enumerate(instances):
        if not _is_named(item):
            raise invalid_argument(f"Expecting object but got list at item {index} of input list")
        unknown = next((name for name in item if name not in infos), None)
        if unknown is not None:
            raise invalid_argument(
                f"Failed to process element: {index} key: {unknown} of 'instances' list. Error: "
                f"INVALID_ARGUMENT: JSON object: does not have named input: {unknown}"
            )
        if item.keys() != wanted:
            raise invalid_argument(
                f"Failed to process element: {index} of 'instances' list. JSON object: "
                f"{echo(item)} keys must be equal to: {','.join(n for n in infos if n in wanted)}"
            )
    return {
        name: _stacked([item[name] for item in instances], infos[name], f" key: {name}")
        for name in infos
        if name in wanted
    }


def _stacked(values: list[Any], info: TensorInfo, key: str) -> np.ndarray:
    """Rows of one shape as one array; the message of the first bad row when they are not."""
    try:
        return array_of(values, info.dtype)
    except (RaggedError, ServingError):
        pass
    first: tuple[int, ...] | None = None
    for index, value in enumerate(values):
        try:
            shape = checked_array(value, info.dtype).shape
            if first is None:
                first = shape
            _same_shape(first, shape)
        except ServingError as error:
            if error.code is Code.UNIMPLEMENTED:
                raise
            raise invalid_argument(
                f"Failed to process element: {index}{key} of 'instances' list. Error: {error}"
            ) from None
    raise invalid_argument("instances cannot be made one tensor")


def _same_shape(first: tuple[int, ...], shape: tuple[int, ...]) -> None:
    if math.prod(first) != math.prod(shape):
        raise invalid_argument(
            f"Expecting tensor size: {math.prod(first)} but got: {math.prod(shape)}"
        )
    if first != shape:
        raise invalid_argument(f"Expecting shape {_list(first)} but got: {_list(shape)}")


def _list(shape: Sequence[int]) -> str:
    return "[" + ",".join(map(str, shape)) + "]"


# Column form ----------------------------------------------------------------------------------


def _columns(
    value: Any, infos: Mapping[str, TensorInfo], defaults: Container[str]
) -> dict[str, np.ndarray]:
    if _is_named(value):
        missing = next((n for n in infos if n not in value and n not in defaults), None)
        if missing is not None:
            raise invalid_argument(f"Missing named input: {missing} in 'inputs' object.")
        return {n: checked_array(value[n], infos[n].dtype) for n in infos if n in value}
    name = _sole_input(infos, defaults)
    if name is None:
        raise invalid_argument(
            "inputs is a plain value/list, but expecting an object as multiple input tensors "
            "required as per tensorinfo_map"
        )
    return {name: checked_array(value, infos[name].dtype)}


def _is_named(value: Any) -> bool:
    return isinstance(value, dict) and not is_base64(value)
