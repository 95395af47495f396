"""A request's answer does not depend on its company: signatures that can share a run, and not."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from tests.serving.running import running
from tests.serving.web import post

PARAMETERS = """max_batch_size { value: 32 } batch_timeout_micros { value: 5000 }
num_batch_threads { value: 2 }"""
CLIENTS, SECONDS = 8, 0.45
TEXTS = [["secret alice"], [""], ["a"], ["b c d", "e"], ["", "f g"], ["a", "a"], ["hi"] * 3]
NUMBERS = [[1.0], [-1.0], [0.0], [2.0, 2.0], [-3.0, 3.0], [0.5, -0.5, 4.0], [2.0]]
COUNTS = [[1], [0], [2], [1, 1], [0, 2], [2, 0, 1], [3]]
text, numbers, counts = (
    tf.TensorSpec([None], dtype, name="x") for dtype in (tf.string, tf.float32, tf.int32)
)


def words(x):
    return tf.strings.split(x).flat_values


def suppressed(x):
    boxes = tf.stack([x, x, x + 1.0, x + 1.0], axis=1)
    return tf.gather(x, tf.image.non_max_suppression(boxes, x, 10, 0.5))


def unique_and_back(x):
    values, places = tf.unique(x)
    return tf.gather(values * 2.0, places)


# What a signature computes, its input, and whether requests for it may share a run.
SIGNATURES = {
    "words": (words, text, False),
    "words_upper": (lambda x: tf.strings.upper(tf.strings.join([words(x), "!"])), text, False),
    "padded": (lambda x: tf.strings.split(x).to_tensor("-"), text, False),
    "positive": (lambda x: tf.boolean_mask(x, x > 0.0), numbers, False),
    "places": (lambda x: tf.where(x > 0.0)[:, 0], numbers, False),
    "unique": (lambda x: tf.unique(x)[0], numbers, False),
    "suppressed": (suppressed, numbers, False),
    "repeated": (lambda x: tf.repeat(x, x), counts, False),
    "partition": (lambda x: tf.dynamic_partition(x, tf.cast(x > 0.0, tf.int32), 2)[0],
                  numbers, False),
    "mean": (tf.reduce_mean, numbers, False),
    "first": (lambda x: x[:1], numbers, False),
    "without_first": (lambda x: x[1:], numbers, False),
    "twice": (lambda x: tf.concat([x, x], 0), numbers, False),
    "softmax": (lambda x: tf.nn.softmax(x, axis=0), numbers, False),
    "sorted": (tf.sort, numbers, False),
    "backwards": (lambda x: x[::-1], counts, False),
    "sums": (tf.cumsum, numbers, False),
    "least": (lambda x: x - tf.reduce_min(x), numbers, False),
    "double": (lambda x: x * 2.0, numbers, True),
    "lengths": (lambda x: tf.strings.split(x).row_lengths(), text, True),
    "upper": (tf.strings.upper, text, True),
    "unique_and_back": (unique_and_back, numbers, True),
    "inverse": (lambda x: 1.0 / x, numbers, True),
    "hot": (lambda x: tf.one_hot(x, 4), counts, True),
}  # fmt: skip
AFTERWARDS = [
    tf.identity,
    lambda y: tf.stack([y, y], axis=-1),
    lambda y: tf.map_fn(tf.identity, y) if y.shape.rank else y,
    lambda y: tf.tile(y, [1] * y.shape.rank),
]
POOLS = {text: TEXTS, numbers: NUMBERS, counts: COUNTS}


def random_signatures(seed: int):
    """Every kind of signature, with something random done to its output."""
    chance = random.Random(seed)

    def made(name):
        compute, spec, _ = SIGNATURES[name]
        after = chance.choice(AFTERWARDS)
        return tf.function(lambda x: {"y": after(compute(x)), "x": tf.identity(x)}
                           if SIGNATURES[name][2] else {"y": after(compute(x))},
                           input_signature=[spec], autograph=False)  # fmt: skip

    return {name: made(name) for name in SIGNATURES}


@pytest.fixture(scope="module", params=[2])
def served(request, tmp_path_factory):
    """A server with batching, and what each request is answered alone."""
    folder = tmp_path_factory.mktemp("company")
    functions = random_signatures(request.param)
    module = tf.Module()
    module.functions = functions
    tf.saved_model.save(module, str(folder / "m" / "1"), functions)
    (folder / "batching.config").write_text(PARAMETERS)
    expected = {
        (name, place): functions[name](tf.constant(given))["y"].numpy()
        for name, (_, spec, _) in SIGNATURES.items()
        for place, given in enumerate(POOLS[spec])
    }
    with running(
        "--model_name=m", f"--model_base_path={folder / 'm'}", "--enable_batching",
        f"--batching_parameters_file={folder / 'batching.config'}", "--grpc_max_threads=16",
    ) as address, grpc.insecure_channel(address.grpc) as channel:  # fmt: skip
        yield address, prediction_service_pb2_grpc.PredictionServiceStub(channel), expected


def by_grpc(stub, name, given):
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = "m", name
    request.inputs["x"].CopyFrom(tf.make_tensor_proto(given, SIGNATURES[name][1].dtype))
    request.output_filter.append("y")
    return tf.make_ndarray(stub.Predict(request, timeout=30).outputs["y"])


def by_rest(address, name, given):
    answer = post(address.rest, "/v1/models/m:predict", {"signature_name": name, "inputs": given})
    assert answer.status == 200, (name, given, answer.json)
    outputs = answer.json["outputs"]
    return np.asarray(outputs["y"] if isinstance(outputs, dict) else outputs)


def is_as_alone(answer, expected):
    if expected.size == 0 or answer.size == 0:
        return answer.size == expected.size
    if expected.dtype == object:
        return np.array_equal(answer.astype(bytes).astype(str), expected.astype(bytes).astype(str))
    return answer.shape == expected.shape and np.allclose(answer.astype(float), expected)


def client(address, stub, expected, name, seed):
    """Ask for one signature for a while; the answers that are wrong."""
    chance, wrong, end = random.Random(seed), [], time.monotonic() + SECONDS / 2
    given = POOLS[SIGNATURES[name][1]]
    while time.monotonic() < end:
        place = chance.randrange(len(given))
        way = by_rest if seed % 2 else by_grpc
        answer = way(address if seed % 2 else stub, name, given[place])
        if not is_as_alone(answer, expected[name, place]):
            wrong.append((name, given[place], answer, expected[name, place]))
    return wrong


def refused(address, name):
    """Whether the model has found out that a signature can share no run."""
    servable = address.server.manager.available("m") and address.server.manager.find("m").servable
    tensors = {info.tensor for info in servable.signatures[name].outputs.values()}
    return bool(tensors & servable.runner.verdicts._refused)


def test_answers_are_those_of_lone_requests(served, runs):
    address, stub, expected = served
    with ThreadPoolExecutor(CLIENTS) as pool:
        for name, (_, _, may_share) in SIGNATURES.items():
            asked = [pool.submit(client, address, stub, expected, name, i) for i in range(CLIENTS)]
            assert [wrong for future in asked for wrong in future.result()] == []
            if may_share:
                assert not refused(address, name), name
    unseen = [n for n, (*_, may_share) in SIGNATURES.items() if not may_share
              and not refused(address, n)]  # fmt: skip
    assert unseen == []
    assert max(runs) > 1


def test_another_clients_words_are_never_given(served):
    """Half the clients send a secret, half nothing; the rows' sums often match."""
    _, stub, _ = served

    def ask(i):
        given = ["secret alice"] if i % 2 else [""]
        return by_grpc(stub, "words", given).shape[0], len(given[0].split())

    with ThreadPoolExecutor(CLIENTS) as pool:
        assert all(got == wanted for got, wanted in pool.map(ask, range(200)))
