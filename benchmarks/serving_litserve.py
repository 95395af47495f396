"""The LitServe baseline of `benchmarks/serving_baselines.py`.

In a module of its own because LitServe's worker process imports the class by name.
"""

from __future__ import annotations

from typing import Any

import litserve

from benchmarks.serving_common import answer, load

BATCH_SECONDS = 0.002


class Api(litserve.LitAPI):
    """One model; with a batch above one, LitServe's own dynamic batching."""

    def __init__(self, name: str, path: str, batch: int) -> None:
        super().__init__(
            max_batch_size=batch,
            batch_timeout=BATCH_SECONDS if batch > 1 else 0.0,
            api_path=f"/v1/models/{name}:predict",
        )
        self._path = path

    def setup(self, device: Any) -> None:
        """Load the model in the worker process."""
        self.signature = load(self._path)

    def decode_request(self, request) -> str:
        """The text of a request; a type written here would become the body's schema."""
        return request["instances"][0]

    def batch(self, inputs: list[str]) -> list[str]:
        """Texts go to the model as a list."""
        return inputs

    def unbatch(self, output: list[Any]) -> list[Any]:
        """An answer a text."""
        return output

    def predict(self, texts: Any) -> Any:
        """Run the model; without batching LitServe passes one text and wants one answer."""
        if isinstance(texts, str):
            return answer(self.signature, [texts])[0]
        return answer(self.signature, texts)

    def encode_response(self, output: dict[str, Any]) -> dict[str, Any]:
        """The body of a response."""
        return {"predictions": [output]}


def run(port: int, name: str, path: str, batch: int) -> None:
    """Serve one model with one worker."""
    server = litserve.LitServer(Api(name, path, batch), accelerator="cpu", workers_per_device=1)
    server.run(host="127.0.0.1", port=port, generate_client_file=False, log_level="error")
