"""Paths of the REST interface and what each of them does."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from google.protobuf import json_format
from google.protobuf.message import Message
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    regression_pb2,
)

from serving.batching.scheduler import BatchScheduler
from serving.engine import Call, Engine
from serving.errors import HTTP_STATUS, ServingError, from_exception, invalid_argument
from serving.lifecycle.describe import SIGNATURE_FIELD, listing
from serving.rest import json_body, json_examples, json_output
from serving.rest.predict import PendingRestPredict, predict
from zoo.presets.store import shipped_presets

MODEL_API = re.compile(r"/v1/.*", re.IGNORECASE | re.DOTALL)
INFER_PATH = re.compile(
    r"/v1/models/([^/:]+)(?:/versions/(\d+)|/labels/([^/:]+))?:(classify|regress|predict)",
    re.IGNORECASE | re.ASCII,
)
FACTS_PATH = re.compile(
    r"/v1/models(?:/([^/:]+))?(?:/versions/(\d+)|/labels/([^/:]+))?(?:/(metadata))?",
    re.IGNORECASE | re.ASCII,
)
LARGEST_INT64 = (1 << 63) - 1
LISTING_PATH = re.compile("/v1/models", re.IGNORECASE)
JSON = "application/json"
PREDICT = "predict"


@dataclass(frozen=True)
class Answer:
    """An HTTP response."""

    status: int
    body: bytes
    content_type: str = JSON
    headers: tuple[tuple[bytes, bytes], ...] = ()


def error_answer(error: BaseException) -> Answer:
    """A failed request's response."""
    error = from_exception(error)
    return Answer(HTTP_STATUS[error.code], json_output.error_body(error.message))


def malformed(method: str, path: str) -> ServingError:
    """What a path or verb that the interface does not know gets."""
    return invalid_argument(f"Malformed request: {method} {path}")


class Routes:
    """Answers REST requests from an engine."""

    def __init__(
        self,
        engine: Engine,
        timeout_seconds: float,
        strict_json: bool = False,
        grpc_port: int = 0,
    ) -> None:
        self._engine = engine
        self._timeout = timeout_seconds
        self._strict = strict_json
        self._grpc_port = grpc_port
        self._infer: dict[str, Callable[[model_pb2.ModelSpec, bytes, Call], bytes]] = {
            PREDICT: self._predict,
            "classify": self._classify,
            "regress": self._regress,
        }

    def post(self, path: str, query: str, body: bytes) -> Answer:
        """Answer a POST."""
        try:
            spec, verb = self._target(path, query)
            return Answer(200, self._infer[verb](spec, body, self._call(verb)))
        except Exception as error:
            return error_answer(error)

    async def post_batched(
        self, scheduler: BatchScheduler, path: str, query: str, body: bytes
    ) -> Answer | None:
        """Answer a predict POST in a batch; None if it is not for a model that batches."""
        try:
            spec, verb = self._target(path, query)
            if verb != PREDICT or not self._engine.batches(spec):
                return None
            pending = PendingRestPredict(self._engine, self._call(verb), spec, body, self._strict)
            if pending.can_batch:
                return Answer(200, await scheduler.schedule(pending))
            pending.abandon()
            return None
        except Exception as error:
            return error_answer(error)

    def _target(self, path: str, query: str) -> tuple[model_pb2.ModelSpec, str]:
        """The ModelSpec and the verb of a path."""
        match = INFER_PATH.fullmatch(path) if not query else None
        if match is None:
            raise malformed("POST", path + query)
        spec = model_spec(*match.groups()[:3])
        # RE2 matches the verb in any case, but only lower-case verbs are dispatched.
        if match.group(4) not in self._infer:
            raise malformed("POST", path)
        return spec, match.group(4)

    def _call(self, verb: str) -> Call:
        deadline = time.monotonic() + self._timeout if self._timeout > 0 else None
        return Call("REST", verb.capitalize(), deadline)

    def get(self, path: str, query: str) -> Answer:
        """Answer a GET."""
        try:
            if LISTING_PATH.fullmatch(path) and not query:
                return Answer(200, self._listing())
            match = FACTS_PATH.fullmatch(path) if not query else None
            if match is None:
                raise malformed("GET", path + query)
            name, version, label, metadata = match.groups()
            if not name:
                raise invalid_argument("Missing model name in request.")
            spec = model_spec(name, version, label)
            return Answer(200, self._metadata(spec) if metadata else self._status(spec))
        except Exception as error:
            return error_answer(error)

    def _predict(self, spec: model_pb2.ModelSpec, body: bytes, call: Call) -> bytes:
        return predict(self._engine, call, spec, body, self._strict)

    def _classify(self, spec: model_pb2.ModelSpec, body: bytes, call: Call) -> bytes:
        request = classification_pb2.ClassificationRequest(model_spec=spec)
        json_examples.fill_request(json_body.parse(body), request)
        return json_output.classifications(
            self._engine.classify(request, call).result, self._strict
        )

    def _regress(self, spec: model_pb2.ModelSpec, body: bytes, call: Call) -> bytes:
        request = regression_pb2.RegressionRequest(model_spec=spec)
        json_examples.fill_request(json_body.parse(body), request)
        return json_output.regressions(self._engine.regress(request, call).result, self._strict)

    def _listing(self) -> bytes:
        """What is loaded; the original has no such answer."""
        shipped = shipped_presets()
        models = listing(self._engine.core.manager)
        content = {
            "models": [{**model, "preset": model["name"] in shipped} for model in models],
            "grpc_port": self._grpc_port,
        }
        return (json.dumps(content, indent=1) + "\n").encode()

    def _status(self, spec: model_pb2.ModelSpec) -> bytes:
        request = get_model_status_pb2.GetModelStatusRequest(model_spec=spec)
        return pretty(self._engine.status(request))

    def _metadata(self, spec: model_pb2.ModelSpec) -> bytes:
        request = get_model_metadata_pb2.GetModelMetadataRequest(
            model_spec=spec, metadata_field=[SIGNATURE_FIELD]
        )
        response = self._engine.metadata(request)
        table = get_model_metadata_pb2.SignatureDefMap()
        response.metadata[SIGNATURE_FIELD].Unpack(table)
        text = (
            '{\n"model_spec":' + _json(response.model_spec) + ",\n"
            '"metadata": {"signature_def": ' + _json(table) + "}\n}\n"
        )
        return text.encode()


def model_spec(name: str, version: str | None, label: str | None) -> model_pb2.ModelSpec:
    """The ModelSpec of a path; names and labels may be percent-encoded."""
    spec = model_pb2.ModelSpec()
    spec.name = _decoded(name)
    if version:
        spec.version.value = _version(version)
    if label:
        spec.version_label = _decoded(label)
    return spec


def _version(digits: str) -> int:
    """A path's version; Python reads at most 4,300 digits."""
    digits = digits.lstrip("0") or "0"
    if len(digits) > len(str(LARGEST_INT64)) or int(digits) > LARGEST_INT64:
        raise invalid_argument(f"Failed to convert version: {digits:.512} to numeric.")
    return int(digits)


def _decoded(text: str) -> str:
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        raise invalid_argument(f"Failed to decode {text}: not UTF-8") from None


def _json(message: Message) -> str:
    return json_format.MessageToJson(
        message,
        always_print_fields_with_no_presence=True,
        preserving_proto_field_name=True,
        indent=1,
    )


def pretty(message: Message) -> bytes:
    """A message as JSON with every field printed."""
    return (_json(message) + "\n").encode()


NOT_FOUND_PAGE = Answer(
    404,
    b"<HTML><HEAD>\n<TITLE>404 Not Found</TITLE>\n</HEAD><BODY>\n<H1>Not Found</H1>\n"
    b"</BODY></HTML>\n",
    "text/html",
)
