"""A client of the served models, over gRPC or REST, for this server and for TensorFlow Serving.

On the command line::

    python -m serving.client next "I would like" [--server 127.0.0.1:8500] [--model NAME]
    python -m serving.client translate "Wo ist der Bahnhof?" --server http://127.0.0.1:8501

A server with API keys and TLS takes `--api-key-file` (or $ZOO_API_KEY) and `--ca-file`.
"""

from __future__ import annotations

import argparse
import json
import os
import ssl
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from serving.errors import HTTP_STATUS, Code, ServingError, invalid_argument
from zoo.quiet import quiet_when_imported

if TYPE_CHECKING:
    import grpc
    import numpy as np

    from zoo.models.labelling import TaggedWord
    from zoo.models.language_model import Score

LANGUAGE_MODEL = "lstm_tatoeba_en"
TRANSLATION_MODEL = "seq2seq_tatoeba_de_en"
FILL_MODEL = "birnn_tatoeba_en"
RESTORING_MODEL = "restore_tatoeba_en"
CLASSIFYING_MODEL = "language_tatoeba"
Words = list[list[tuple[str, float]]]


class Client:
    """Asks a model server in words.

    Args:
        address: gRPC `host:port`; `Client.rest(url)` talks REST instead.
        timeout: seconds to wait for an answer.
        credentials: `grpc.ssl_channel_credentials(...)` for a server with TLS.
        api_key: a key of the server's `--api_key_file`.

    Example::

        client = Client("127.0.0.1:8500")
        client.next_words(["I would like to"])[0][0]      # ("go", 0.08)
        Client.rest("http://127.0.0.1:8501").score(["the cat is small"])
    """

    def __init__(
        self,
        address: str,
        timeout: float = 30.0,
        credentials: grpc.ChannelCredentials | None = None,
        api_key: str | None = None,
    ) -> None:
        self._transport: _Transport = _Grpc(address, timeout, credentials, api_key)

    @classmethod
    def rest(
        cls,
        url: str,
        timeout: float = 30.0,
        api_key: str | None = None,
        context: ssl.SSLContext | None = None,
    ) -> Client:
        """A client that talks REST to `http://host:port`, or `https:` with an `ssl` context."""
        client = cls.__new__(cls)
        client._transport = _Rest(url.rstrip("/"), timeout, api_key, context)
        return client

    def next_words(self, texts: Sequence[str], model: str = LANGUAGE_MODEL) -> Words:
        """The likeliest next words of each text with their probabilities, best first."""
        return self._pairs(model, "next_word", texts, "words", "probabilities")

    def fill(self, texts: Sequence[str], model: str = FILL_MODEL) -> Words:
        """The likeliest words for the `___` of each text with their probabilities."""
        return self._pairs(model, "fill", texts, "words", "probabilities")

    def translate(self, texts: Sequence[str], model: str = TRANSLATION_MODEL) -> Words:
        """Translations of each text with their scores, best first."""
        return self._pairs(model, "translate", texts, "translations", "scores")

    def tag(self, texts: Sequence[str], model: str = RESTORING_MODEL) -> list[list[TaggedWord]]:
        """Each word of each text with its label and the label's probability."""
        from zoo.models.labelling import TaggedWord

        answer = self.predict(model, "tag", texts)
        columns = (answer["words"], answer["labels"], answer["probabilities"])
        return [
            [TaggedWord(w, label, float(p)) for w, label, p in zip(*row, strict=True) if w]
            for row in zip(*columns, strict=True)
        ]

    def classify(self, texts: Sequence[str], model: str = CLASSIFYING_MODEL) -> Words:
        """The labels of each text with their probabilities, best first."""
        return self._pairs(model, "classify", texts, "labels", "probabilities")

    def restore(self, texts: Sequence[str], model: str = RESTORING_MODEL) -> list[str]:
        """Each text with case and punctuation."""
        answer: Any = self.predict(model, "restore", texts)
        # REST gives a signature's only output without its name.
        return list(answer if isinstance(answer, list) else answer["restored"])

    def score(self, texts: Sequence[str], model: str = LANGUAGE_MODEL) -> list[Score]:
        """The log-probability of each text as a sentence, with its counted and unknown words."""
        from zoo.models.language_model import Score

        answer = self.predict(model, "score", texts)
        columns = (answer["log_prob"], answer["tokens"], answer["oov"])
        return [Score(float(p), int(t), int(o)) for p, t, o in zip(*columns, strict=True)]

    def predict(self, model: str, signature: str, texts: Sequence[str]) -> dict[str, Any]:
        """Every output of a signature that takes `text`, as nested lists.

        Raises:
            ServingError: the server refused, or cannot be reached (UNAVAILABLE).
        """
        if isinstance(texts, str | bytes):
            raise TypeError(f"got one {type(texts).__name__} {texts!r:.60}; give a list of str")
        return self._transport.predict(model, signature, list(texts))

    def _pairs(
        self, model: str, signature: str, texts: Sequence[str], items: str, numbers: str
    ) -> Words:
        answer = self.predict(model, signature, texts)
        return [
            list(zip(row, map(float, values), strict=True))
            for row, values in zip(answer[items], answer[numbers], strict=True)
        ]

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *details: object) -> None:
        self.close()


class _Transport(Protocol):
    def predict(self, model: str, signature: str, texts: list[str]) -> dict[str, Any]: ...

    def close(self) -> None: ...


class _Grpc:
    def __init__(
        self,
        address: str,
        timeout: float,
        credentials: grpc.ChannelCredentials | None,
        api_key: str | None,
    ) -> None:
        import grpc
        from tensorflow_serving.apis import prediction_service_pb2_grpc

        self._timeout = timeout
        self._metadata = list(_authorization(api_key, "authorization").items())
        limits = [("grpc.max_receive_message_length", -1)]
        if credentials is None:
            self._channel = grpc.insecure_channel(address, options=limits)
        else:
            self._channel = grpc.secure_channel(address, credentials, options=limits)
        self._stub = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)

    def predict(self, model: str, signature: str, texts: list[str]) -> dict[str, Any]:
        import grpc
        from tensorflow_serving.apis import predict_pb2

        request = predict_pb2.PredictRequest()
        request.model_spec.name, request.model_spec.signature_name = model, signature
        tensor = request.inputs["text"]
        tensor.dtype = 7
        tensor.tensor_shape.dim.add(size=len(texts))
        tensor.string_val.extend(text.encode() for text in texts)
        try:
            response = self._stub.Predict(request, timeout=self._timeout, metadata=self._metadata)
        except grpc.RpcError as error:
            raise ServingError(Code(error.code().value[0]), error.details() or "") from None
        return {name: _listed(tensor) for name, tensor in response.outputs.items()}

    def close(self) -> None:
        self._channel.close()


def _listed(tensor: Any) -> Any:
    from serving.codec import tensors

    array: np.ndarray = tensors.decode(tensor, "output")
    return _texts(array.tolist()) if array.dtype == object else array.tolist()


def _texts(value: Any) -> Any:
    if isinstance(value, list):
        return [_texts(item) for item in value]
    return value.decode("utf-8", "replace")


def _authorization(api_key: str | None, name: str = "Authorization") -> dict[str, str]:
    return {name: f"Bearer {api_key}"} if api_key else {}


class _Rest:
    def __init__(
        self, url: str, timeout: float, api_key: str | None, context: ssl.SSLContext | None
    ) -> None:
        self._url, self._timeout = url, timeout
        self._headers = _authorization(api_key)
        # A proxy named in the environment is not meant for a model server.
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )

    def predict(self, model: str, signature: str, texts: list[str]) -> dict[str, Any]:
        body = json.dumps({"signature_name": signature, "inputs": {"text": texts}}).encode()
        url = f"{self._url}/v1/models/{model}:predict"
        request = urllib.request.Request(url, data=body, headers=self._headers)
        try:
            with self._opener.open(request, timeout=self._timeout) as response:
                return json.load(response)["outputs"]
        except urllib.error.HTTPError as error:
            raise _http_error(error) from None
        except (urllib.error.URLError, TimeoutError) as error:
            reason = getattr(error, "reason", error)
            raise ServingError(Code.UNAVAILABLE, f"{self._url}: {reason}") from None

    def close(self) -> None:
        """Each request has a connection of its own."""


def _http_error(error: urllib.error.HTTPError) -> ServingError:
    """The server's own message under the first code that has this HTTP status."""
    codes = {status: code for code, status in reversed(HTTP_STATUS.items())}
    try:
        message = json.load(error)["error"]
    except (ValueError, KeyError, TypeError):
        message = error.reason
    return ServingError(codes.get(error.code, Code.UNKNOWN), str(message))


VERBS = {
    "next": "next_words",
    **{verb: verb for verb in ("fill", "translate", "score", "tag", "classify", "restore")},
}
KEY_VARIABLE = "ZOO_API_KEY"


def main(argv: Sequence[str] | None = None) -> int:
    """Ask a server from the command line: a JSON line a text; exit code 2 when it refuses."""
    options = _parser().parse_args(argv)
    quiet_when_imported()
    named = {"model": options.model} if options.model else {}
    try:
        with _client(options) as client:
            answers = getattr(client, VERBS[options.verb])(options.texts, **named)
    except (ServingError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    for text, answer in zip(options.texts, answers, strict=True):
        content = answer._asdict() if hasattr(answer, "_asdict") else answer
        print(json.dumps({"text": text, "answer": content}, ensure_ascii=False))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m serving.client")
    parser.add_argument("verb", choices=sorted(VERBS))
    parser.add_argument("texts", nargs="+", metavar="TEXT")
    parser.add_argument("--server", default="127.0.0.1:8500", help="host:port or http://host:port")
    parser.add_argument("--model", help="name of the model on the server")
    parser.add_argument(
        "--api-key-file", help=f"file whose first key is sent; without it ${KEY_VARIABLE} is"
    )
    parser.add_argument("--ca-file", help="authority of the server's TLS certificate (PEM)")
    parser.add_argument("--cert-file", help="this client's certificate, for a server that asks")
    parser.add_argument("--key-file", help="the private key of --cert-file")
    return parser


def _client(options: argparse.Namespace) -> Client:
    key = _key(options.api_key_file)
    if options.server.startswith(("http://", "https://")):
        context = ssl.create_default_context(cafile=options.ca_file)
        if options.cert_file:
            context.load_cert_chain(options.cert_file, options.key_file)
        return Client.rest(options.server, api_key=key, context=context)
    return Client(options.server, credentials=_credentials(options), api_key=key)


def _key(path: str | None) -> str | None:
    """The key to send; a file's or the environment's, which other users do not see."""
    if path is None:
        return os.environ.get(KEY_VARIABLE)
    from serving.access.keys import read_keys

    try:
        return read_keys(Path(path).read_bytes())[0].decode()
    except ValueError as error:
        raise invalid_argument(f"--api-key-file={path}: {error}") from None


def _credentials(options: argparse.Namespace) -> grpc.ChannelCredentials | None:
    if not options.ca_file:
        return None
    import grpc

    names = (options.ca_file, options.key_file, options.cert_file)
    return grpc.ssl_channel_credentials(*(Path(n).read_bytes() if n else None for n in names))


if __name__ == "__main__":
    sys.exit(main())
