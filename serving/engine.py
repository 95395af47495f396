"""Every request, whichever interface it came by: find the model, run it, count and log it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    input_pb2,
    model_management_pb2,
    model_pb2,
    predict_pb2,
    regression_pb2,
)

from serving.errors import ServingError, from_exception, invalid_argument
from serving.inference import predict as inference
from serving.inference import tf_examples
from serving.lifecycle import describe
from serving.lifecycle.core import ServerCore
from serving.lifecycle.describe import named_version
from serving.lifecycle.version import ModelVersion
from serving.models.servable import Servable
from serving.monitoring.metrics import Metrics
from serving.monitoring.request_log import Record, RequestLog

T = TypeVar("T")
MICRO = 1_000_000


class Call:
    """A request on its way: who asked for what, and when it must be answered."""

    def __init__(self, entrypoint: str, method: str, deadline: float | None) -> None:
        self.entrypoint, self.method, self.deadline = entrypoint, method, deadline
        self.start = time.monotonic()
        self.version: int | None = None


class ServableHandle:
    """A request's hold on the version that it names, which is not unloaded meanwhile."""

    def __init__(self, engine: Engine, call: Call, spec: model_pb2.ModelSpec) -> None:
        """Acquire the version.

        Raises:
            ServingError: there is no such version.
        """
        self._engine, self._call, self._spec = engine, call, spec
        try:
            self._version = engine.acquire(spec)
        except Exception as caught:
            raise self._recorded(caught) from caught
        call.version = self._version.version
        self._started = time.monotonic()
        self._held = True

    @property
    def servable(self) -> Servable:
        """The loaded version."""
        return self._version.loaded

    def succeeded(self) -> None:
        """Release the version; the request has its answer."""
        took = time.monotonic() - self._started
        self.release()
        latency = self._engine.metrics.runtime_latency
        latency.observe(took * MICRO, self._spec.name, self._call.method, "TF1")
        self._engine.record(self._call, self._spec, None)

    def failed(self, caught: BaseException) -> ServingError:
        """Release the version; returns the error as the client should see it."""
        self.release()
        return self._recorded(caught)

    def release(self) -> None:
        """Release the version, with nothing counted or logged; once is enough."""
        if self._held:
            self._held = False
            self._version.release()

    def _recorded(self, caught: BaseException) -> ServingError:
        error = from_exception(caught)
        self._engine.record(self._call, self._spec, error)
        return error


class Engine:
    """Answers requests from the models of a server."""

    def __init__(
        self,
        core: ServerCore,
        metrics: Metrics,
        log: RequestLog,
        as_content: bool = False,
        check_methods: bool = False,
    ) -> None:
        self.core, self.metrics, self.log = core, metrics, log
        self.as_content, self.check_methods = as_content, check_methods

    # Inference --------------------------------------------------------------------------------

    def on_model(self, call: Call, spec: model_pb2.ModelSpec, work: Callable[[Servable], T]) -> T:
        """Run `work` on the version that a ModelSpec names; counted, timed and logged.

        Raises:
            ServingError: whatever went wrong, as the client should see it.
        """
        handle = ServableHandle(self, call, spec)
        try:
            answer = work(handle.servable)
        except BaseException as caught:
            raise handle.failed(caught) from caught
        handle.succeeded()
        return answer

    def acquire(self, spec: model_pb2.ModelSpec) -> ModelVersion:
        """The version that a ModelSpec names, kept loaded until its `release` is called."""
        return self.core.manager.acquire(*named_version(spec))

    def batches(self, spec: model_pb2.ModelSpec) -> bool:
        """Whether the version that a ModelSpec names batches its requests; False without one."""
        try:
            servable = self.core.manager.find(*named_version(spec)).servable
        except ServingError:
            return False
        return servable is not None and servable.batches

    def record(self, call: Call, spec: model_pb2.ModelSpec, error: ServingError | None) -> None:
        """Count, time and log a request that has ended."""
        status = error.code.name if error is not None else "OK"
        # Names that no model has would let a client grow the metrics without end.
        name = spec.name if call.version is not None else ""
        took = time.monotonic() - call.start
        self.metrics.request_count.add(name, status)
        self.metrics.request_latency.observe(took * MICRO, name, call.method, call.entrypoint)
        if self.log.active:
            message = error.message if error is not None else ""
            record = Record(
                call.entrypoint, call.method, spec.name, call.version, spec.signature_name,
                status, message, took,
            )  # fmt: skip
            written = self.log.write(record)
            if written.sampled:
                self.metrics.log_count.add(name, status)
            if written.lost:
                self.metrics.log_lost_count.add(name, amount=written.lost)

    def predict(self, request: predict_pb2.PredictRequest, call: Call) -> bytes:
        """A serialized PredictResponse."""
        if not request.HasField("model_spec"):
            raise invalid_argument("Missing ModelSpec")

        def work(servable: Servable) -> bytes:
            signature = inference.predict_signature(
                servable, request.model_spec.signature_name, self.check_methods
            )
            return inference.predict(
                servable, signature, request.inputs, request.output_filter,
                call.deadline, self.as_content,
            )  # fmt: skip

        return self.on_model(call, request.model_spec, work)

    def classify(
        self, request: classification_pb2.ClassificationRequest, call: Call
    ) -> classification_pb2.ClassificationResponse:
        """A ClassificationResponse."""
        answer = classification_pb2.ClassificationResponse()
        return self._on_examples(request, call, tf_examples.classify, answer)

    def regress(
        self, request: regression_pb2.RegressionRequest, call: Call
    ) -> regression_pb2.RegressionResponse:
        """A RegressionResponse."""
        return self._on_examples(
            request, call, tf_examples.regress, regression_pb2.RegressionResponse()
        )

    def _on_examples(
        self,
        request: classification_pb2.ClassificationRequest | regression_pb2.RegressionRequest,
        call: Call,
        method: Callable[..., Any],
        response: Any,
    ) -> Any:
        if not request.HasField("model_spec"):
            raise invalid_argument("Missing ModelSpec")
        spec = request.model_spec

        def work(servable: Servable) -> Any:
            result = method(servable, request, call.deadline, self.check_methods)
            response.result.CopyFrom(result)
            tf_examples.fill_spec(response.model_spec, servable, spec.signature_name)
            self._count_examples(spec.name, request.input)
            return response

        return self.on_model(call, spec, work)

    def multi_inference(
        self, request: inference_pb2.MultiInferenceRequest, call: Call
    ) -> inference_pb2.MultiInferenceResponse:
        """A MultiInferenceResponse; the first task's model serves all."""
        tasks = request.tasks
        spec = tasks[0].model_spec if tasks else inference_pb2.InferenceTask().model_spec

        def work(servable: Servable) -> inference_pb2.MultiInferenceResponse:
            answer = tf_examples.multi_inference(
                servable, request, call.deadline, self.check_methods
            )
            self._count_examples(spec.name, request.input)
            return answer

        return self.on_model(call, spec, work)

    def _count_examples(self, name: str, request_input: input_pb2.Input) -> None:
        kind = request_input.WhichOneof("kind")
        count = len(getattr(request_input, kind).examples) if kind else 0
        self.metrics.example_counts.observe(count, name)
        self.metrics.example_count_total.add(name, amount=count)

    # Facts about models -----------------------------------------------------------------------

    def metadata(
        self, request: get_model_metadata_pb2.GetModelMetadataRequest
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        """A GetModelMetadataResponse with the signatures of a version."""
        return describe.metadata(self.core.manager, request)

    def status(
        self, request: get_model_status_pb2.GetModelStatusRequest
    ) -> get_model_status_pb2.GetModelStatusResponse:
        """A GetModelStatusResponse: every version of a model, or the one asked for."""
        return describe.status(self.core.manager, request)

    def reload(
        self, request: model_management_pb2.ReloadConfigRequest, deadline: float | None
    ) -> dict[str, int]:
        """Apply a ReloadConfigRequest; returns how much the metrics it names grew."""
        before = {name: self.metrics.value(name) for name in request.metric_names}
        if request.config.WhichOneof("config") == "custom_model_config":
            raise invalid_argument(
                "ServerModelConfig type not supported by HandleReloadConfigRequest. "
                "Only ModelConfigList is currently supported"
            )
        self.core.reload(request.config, deadline)
        return {name: self.metrics.value(name) - value for name, value in before.items()}
