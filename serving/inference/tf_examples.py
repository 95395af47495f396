"""Classify, Regress and MultiInference: tf.Example in, labels, scores and values out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from tensorflow_serving.apis import (
    classification_pb2,
    inference_pb2,
    input_pb2,
    model_pb2,
    regression_pb2,
)

from serving.codec import tensors
from serving.errors import Code, ServingError, failed_precondition, invalid_argument
from serving.models import signatures
from serving.models.caps import Caps
from serving.models.servable import Servable
from serving.models.signatures import CLASSIFY_METHOD, REGRESS_METHOD, Signature

INPUTS, CLASSES, SCORES, OUTPUTS = "inputs", "classes", "scores", "outputs"
WORDS = {CLASSIFY_METHOD: "classification", REGRESS_METHOD: "regression"}


@dataclass(frozen=True)
class Plan:
    """What to feed and fetch for one signature."""

    feed: str
    fetches: dict[str, str]


def example_signature(servable: Servable, key: str) -> Signature:
    """The signature of a Classify or Regress request; INVALID_ARGUMENT without it."""
    missing = "No signature was found with the name: {}"
    return signatures.named(servable.signatures, key, Code.INVALID_ARGUMENT, missing)


def plan(signature: Signature, method: str, check_method: bool) -> Plan:
    """Check a signature's form for a method and name its tensors."""
    if check_method and signature.method != method:
        raise invalid_argument(
            f"Expected {WORDS[method]} signature method_name to be {method}. "
            f"Was: {signature.method}"
        )
    if len(signature.inputs) != 1:
        raise invalid_argument(f"Expected one input Tensor. {signature.expected}")
    classify = method == CLASSIFY_METHOD
    _check_output_count(signature, classify)
    if INPUTS not in signature.inputs:
        raise failed_precondition(
            f"No {WORDS[method]} inputs found in SignatureDef: {signature.definition}"
        )
    wanted = (CLASSES, SCORES) if classify else (OUTPUTS,)
    fetches = {a: signature.outputs[a].tensor for a in wanted if a in signature.outputs}
    if not fetches:
        raise _no_outputs(signature, classify)
    return Plan(signature.inputs[INPUTS].tensor, fetches)


def _check_output_count(signature: Signature, classify: bool) -> None:
    count = len(signature.outputs)
    if classify and count not in (1, 2):
        raise invalid_argument(f"Expected one or two output Tensors, found {count}")
    if not classify and count != 1:
        raise invalid_argument("Expected one output Tensor.")


def _no_outputs(signature: Signature, classify: bool) -> ServingError:
    if classify:
        return failed_precondition(
            "Expected classification signature outputs to contain at least one of "
            f'"{CLASSES}" or "{SCORES}". Signature was: {signature.definition}'
        )
    return failed_precondition(
        f"No regression outputs found in SignatureDef: {signature.definition}"
    )


def serialized_examples(request_input: input_pb2.Input, caps: Caps) -> np.ndarray:
    """A request's examples as serialized tf.Examples, each behind the shared context."""
    kind = request_input.WhichOneof("kind")
    prefix, examples = b"", []
    if kind == "example_list":
        examples = request_input.example_list.examples
    elif kind == "example_list_with_context":
        with_context = request_input.example_list_with_context
        prefix, examples = with_context.context.SerializeToString(), with_context.examples
    if not examples:
        raise invalid_argument("Input is empty.")
    caps.check_rows("Input", len(examples))
    # The context is short on the wire, and taken once for each example.
    caps.check_bytes(request_input.ByteSize() + len(prefix) * len(examples))
    # Concatenated messages merge, so the context's features come first and yield to the example's.
    array = np.empty(len(examples), object)
    array[:] = [prefix + example.SerializeToString() for example in examples]
    return array


def run(
    servable: Servable,
    feeds: Sequence[str],
    examples: np.ndarray,
    fetches: Sequence[str],
    deadline: float | None,
) -> dict[str, np.ndarray]:
    """The fetched tensors by name; every feed gets the same examples."""
    unique = tuple(dict.fromkeys(fetches))
    values = servable.runner.run(tuple(feeds), [examples] * len(feeds), unique, deadline)
    return {name: tensors.as_array(v) for name, v in zip(unique, values, strict=True)}


def _run_one(
    servable: Servable,
    request: classification_pb2.ClassificationRequest | regression_pb2.RegressionRequest,
    method: str,
    deadline: float | None,
    check: bool,
) -> tuple[Plan, dict[str, np.ndarray], int]:
    """The plan of a request's signature, its values, and how many examples there were."""
    signature = example_signature(servable, request.model_spec.signature_name)
    todo = plan(signature, method, check)
    examples = serialized_examples(request.input, servable.caps)
    values = run(servable, [todo.feed], examples, list(todo.fetches.values()), deadline)
    return todo, values, len(examples)


def classify(
    servable: Servable,
    request: classification_pb2.ClassificationRequest,
    deadline: float | None,
    check: bool = False,
) -> classification_pb2.ClassificationResult:
    """The ClassificationResult of a ClassificationRequest."""
    return classification_result(*_run_one(servable, request, CLASSIFY_METHOD, deadline, check))


def classification_result(
    todo: Plan, values: dict[str, np.ndarray], count: int
) -> classification_pb2.ClassificationResult:
    """Labels and scores of every example, checked for shape and type."""
    classes = values.get(todo.fetches.get(CLASSES, ""))
    scores = values.get(todo.fetches.get(SCORES, ""))
    for name, array, kind in ((CLASSES, classes, "STRING"), (SCORES, scores, "FLOAT")):
        if array is not None:
            _check_matrix(name, array, kind, count)
    if classes is not None and scores is not None and classes.shape[1] != scores.shape[1]:
        raise invalid_argument(
            "Tensors class and score should match in dim_size(1). "
            f"Got {classes.shape[1]} vs. {scores.shape[1]}"
        )
    result = classification_pb2.ClassificationResult()
    for row in range(count):
        _add_classes(result.classifications.add(), classes, scores, row)
    return result


def _add_classes(
    target: classification_pb2.Classifications,
    classes: np.ndarray | None,
    scores: np.ndarray | None,
    row: int,
) -> None:
    (width,) = {array.shape[1] for array in (classes, scores) if array is not None}
    for column in range(width):
        item = target.classes.add()
        if classes is not None:
            # Labels are a string field; bytes that are no UTF-8 cannot be sent in it.
            item.label = classes[row, column].decode("utf-8", "replace")
        if scores is not None:
            item.score = scores[row, column]


def _check_matrix(name: str, array: np.ndarray, kind: str, count: int) -> None:
    if array.ndim != 2:
        raise invalid_argument(
            f"Expected Tensor shape: [batch_size num_classes] but got {list(array.shape)}"
        )
    wanted = np.dtype(object) if kind == "STRING" else np.dtype(np.float32)
    if array.dtype != wanted:
        got = tensors.type_name(tensors.ENUMS.get(array.dtype, 0)).upper()
        raise invalid_argument(f"Expected {name} Tensor of DT_{kind}. Got: DT_{got}")
    if array.shape[0] != count:
        raise invalid_argument(
            f"Expected {name} output batch size of {count}. Got: {array.shape[0]}"
        )


def regress(
    servable: Servable,
    request: regression_pb2.RegressionRequest,
    deadline: float | None,
    check: bool = False,
) -> regression_pb2.RegressionResult:
    """The RegressionResult of a RegressionRequest."""
    return regression_result(*_run_one(servable, request, REGRESS_METHOD, deadline, check))


def regression_result(
    todo: Plan, values: dict[str, np.ndarray], count: int
) -> regression_pb2.RegressionResult:
    """One value an example, checked for shape and type."""
    array = values[todo.fetches[OUTPUTS]]
    if array.ndim != 1 and (array.ndim != 2 or array.shape[1] != 1):
        raise invalid_argument(
            "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got "
            f"{list(array.shape)}"
        )
    if array.shape[0] != count:
        raise invalid_argument(
            f"Input batch size did not match output batch size: {count} vs. {array.shape[0]}"
        )
    if array.dtype != np.float32:
        got = tensors.type_name(tensors.ENUMS.get(array.dtype, 0)).upper()
        raise invalid_argument(f"Expected output Tensor of DT_FLOAT.  Got: DT_{got}")
    result = regression_pb2.RegressionResult()
    for value in array.ravel().tolist():
        result.regressions.add().value = value
    return result


def multi_inference(
    servable: Servable,
    request: inference_pb2.MultiInferenceRequest,
    deadline: float | None,
    check: bool = False,
) -> inference_pb2.MultiInferenceResponse:
    """The MultiInferenceResponse of several signatures on the same examples, in one run."""
    plans = _multi_plans(servable, request, check)
    # A TF1 graph's signatures share their input; each of a TF2 model's has one of its own.
    feeds = sorted({todo.feed for todo in plans})
    examples = serialized_examples(request.input, servable.caps)
    fetches = [name for todo in plans for name in todo.fetches.values()]
    values = run(servable, feeds, examples, fetches, deadline)
    response = inference_pb2.MultiInferenceResponse()
    for task, todo in zip(request.tasks, plans, strict=True):
        result = response.results.add()
        if task.method_name == CLASSIFY_METHOD:
            answer = classification_result(todo, values, len(examples))
            result.classification_result.CopyFrom(answer)
        else:
            result.regression_result.CopyFrom(regression_result(todo, values, len(examples)))
        fill_spec(result.model_spec, servable, task.model_spec.signature_name)
    return response


def _multi_plans(
    servable: Servable, request: inference_pb2.MultiInferenceRequest, check: bool
) -> list[Plan]:
    plans: list[Plan] = []
    seen: set[str] = set()
    for task in request.tasks:
        _check_task(task, request.tasks[0])
        key = task.model_spec.signature_name or signatures.DEFAULT
        if key in seen:
            raise invalid_argument(f"Duplicate evaluation of signature: {key}")
        seen.add(key)
        missing = "Requested signature not found in model graph: {}"
        signature = signatures.named(servable.signatures, key, Code.INVALID_ARGUMENT, missing)
        if task.method_name not in WORDS:
            raise ServingError(
                Code.UNIMPLEMENTED, f"Unsupported signature method_name: {task.method_name}"
            )
        plans.append(plan(signature, task.method_name, check))
    return plans


def _check_task(task: inference_pb2.InferenceTask, first: inference_pb2.InferenceTask) -> None:
    if not task.model_spec.name:
        raise invalid_argument("Found ModelSpec with an empty model name.")
    if task.model_spec.name != first.model_spec.name:
        raise invalid_argument(
            "All ModelSpecs in a MultiInferenceRequest must access the same model name."
        )


def fill_spec(spec: model_pb2.ModelSpec, servable: Servable, signature: str) -> None:
    """Say which model, version and signature gave an answer."""
    spec.name = servable.name
    spec.version.value = servable.version
    spec.signature_name = signature or signatures.DEFAULT
