"""What `benchmarks/serving.py` compares the model server with, each in a process of its own.

    python -m benchmarks.serving_baselines fastapi --port 9000 --model NAME=BASE_PATH ...
    python -m benchmarks.serving_baselines litserve --port 9000 --model NAME=BASE_PATH ...
    python -m benchmarks.serving_baselines litserve-batching --port 9000 --model NAME=BASE_PATH ...

All answer POST /v1/models/NAME:predict with {"instances": [text, ...]} from the same SavedModel
through `tf.saved_model.load`, the way that their own guides show.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import tensorflow as tf


def newest(base_path: str) -> str:
    """The highest version's directory."""
    versions = [path for path in Path(base_path).iterdir() if path.name.isdigit()]
    return str(max(versions, key=lambda path: int(path.name)))


def load(base_path: str) -> Any:
    """The default signature of a SavedModel."""
    module = tf.saved_model.load(newest(base_path))
    signature = module.signatures["serving_default"]
    signature.module = module
    return signature


def answer(signature: Any, instances: list[str]) -> list[dict[str, Any]]:
    """A prediction a row, ready for JSON."""
    outputs = {
        name: value.numpy().tolist()
        for name, value in signature(text=tf.constant(instances)).items()
    }
    rows = [dict(zip(outputs, row, strict=True)) for row in zip(*outputs.values(), strict=True)]
    return [{name: _text(value) for name, value in row.items()} for row in rows]


def _text(value: Any) -> Any:
    if isinstance(value, list):
        return [_text(item) for item in value]
    return value.decode() if isinstance(value, bytes) else value


def run_fastapi(port: int, models: dict[str, str]) -> None:
    """A plain handler in FastAPI's thread pool."""
    import uvicorn
    from fastapi import FastAPI

    app = FastAPI()
    signatures = {name: load(path) for name, path in models.items()}

    @app.post("/v1/models/{name}:predict")
    def predict(name: str, body: dict[str, Any]) -> dict[str, Any]:
        return {"predictions": answer(signatures[name], body["instances"])}

    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error")


def run_litserve(port: int, models: dict[str, str], batch: int = 1) -> None:
    """LitServe with one endpoint and one worker, for the first model."""
    from benchmarks import serving_litserve

    name, path = next(iter(models.items()))
    serving_litserve.run(port, name, path, batch)


def main() -> None:
    """Run one baseline until it is stopped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=["fastapi", "litserve", "litserve-batching"])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--model", action="append", required=True)
    options = parser.parse_args()
    models = dict(text.split("=", 1) for text in options.model)
    if options.kind == "fastapi":
        run_fastapi(options.port, models)
    else:
        run_litserve(options.port, models, 32 if options.kind == "litserve-batching" else 1)


if __name__ == "__main__":
    main()
