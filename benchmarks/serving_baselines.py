"""What `benchmarks/serving.py` compares the model server with, each in a process of its own.

    python -m benchmarks.serving_baselines fastapi --port 9000 --model NAME=BASE_PATH ...
    python -m benchmarks.serving_baselines litserve --port 9000 --model NAME=BASE_PATH ...
    python -m benchmarks.serving_baselines litserve-batching --port 9000 --model NAME=BASE_PATH ...

All answer POST /v1/models/NAME:predict with {"instances": [text, ...]} from the same SavedModel
through `tf.saved_model.load`, the way that their own guides show.
"""

from __future__ import annotations

import argparse
from typing import Any

from benchmarks.serving_common import answer, load


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
