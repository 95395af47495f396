"""Translate lines of standard input over gRPC, with TensorFlow Serving's own messages.

    python examples/translate_grpc.py [HOST:PORT] [MODEL] < german.txt

It needs a server (`make serve`), this one or TensorFlow Serving.
"""

import sys

import grpc
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

DT_STRING = 7


def translated(stub, model: str, texts: list[str]) -> list[tuple[str, float]]:
    """The best translation of each text, and its score."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = model, "translate"
    tensor = request.inputs["text"]
    tensor.dtype = DT_STRING
    tensor.tensor_shape.dim.add(size=len(texts))
    tensor.string_val.extend(text.encode() for text in texts)
    outputs = stub.Predict(request, timeout=30).outputs
    best = outputs["translations"].tensor_shape.dim[1].size  # so many a text, best first
    firsts = outputs["translations"].string_val[::best], outputs["scores"].float_val[::best]
    return [(text.decode(), score) for text, score in zip(*firsts, strict=True)]


def main(address: str = "127.0.0.1:8500", model: str = "seq2seq_tatoeba_de_en") -> None:
    with grpc.insecure_channel(address) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        for text, score in translated(stub, model, sys.stdin.read().splitlines()):
            print(f"{score:7.3f}  {text}")


if __name__ == "__main__":
    main(*sys.argv[1:3])
