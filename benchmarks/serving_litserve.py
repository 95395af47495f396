"""The LitServe baseline of `benchmarks/serving_baselines.py`.

In a module of its own because LitServe's worker process imports the class by name.
"""

from __future__ import annotations

from typing import Any

import litserve

from benchmarks.serving_baselines import answer, load

LARGEST_BATCH = 32
BATCH_SECONDS = 0.002


class Api(litserve.LitAPI):
    """One model, with LitServe's own dynamic batching."""

    def __init__(self, name: str, path: str) -> None:
        super().__init__(
            max_batch_size=LARGEST_BATCH,
            batch_timeout=BATCH_SECONDS,
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

    def predict(self, texts: Any) -> list[dict[str, Any]]:
        """Run the model; LitServe passes a lone text without a list."""
        return answer(self.signature, [texts] if isinstance(texts, str) else texts)

    def encode_response(self, output: dict[str, Any]) -> dict[str, Any]:
        """The body of a response."""
        return {"predictions": [output]}


def run(port: int, name: str, path: str) -> None:
    """Serve one model with one worker."""
    server = litserve.LitServer(Api(name, path), accelerator="cpu", workers_per_device=1)
    server.run(host="127.0.0.1", port=port, generate_client_file=False, log_level="error")
