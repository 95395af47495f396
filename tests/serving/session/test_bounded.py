"""What clients choose (inner shapes, sets of outputs) makes nothing that stays."""

from __future__ import annotations

import itertools
import resource
import statistics
import time

import numpy as np
import pytest
import tensorflow as tf

from serving.models import loader
from serving.options import parse
from serving.session.program import MOST_PROGRAMS
from serving.session.verdicts import MOST_VERDICTS, Ends
from tests.serving.session.test_sharing import parameters

OUTPUTS = 8
SHAPES = 10_000


class Sharing:
    deadline = None

    def __init__(self, *arrays):
        self.arrays, self.rows = list(arrays), len(arrays[0])


@pytest.fixture(scope="module")
def runner(tmp_path_factory):
    """A model of [N, T] inputs with eight outputs, which batches."""
    path = str(tmp_path_factory.mktemp("bounded") / "1")
    spec = tf.TensorSpec([None, None], tf.float32, name="x")

    def outputs(x):
        return {f"y{i}": x + float(i) for i in range(OUTPUTS)}

    module = tf.Module()
    module.f = tf.function(outputs, input_signature=[spec], autograph=False)
    tf.saved_model.save(module, path, module.f)
    servable = loader.load("m", 1, path, loader.load_options(parse([]), parameters()))
    signature = servable.signatures["serving_default"]
    yield servable.runner, signature
    servable.close()


def test_ten_thousand_inner_shapes_leave_nothing_behind(runner):
    graph_runner, signature = runner
    ends = Ends(signature.feeds, signature.fetches(["y1"]))
    operations, seconds, memory = [], [], []
    for size in range(1, SHAPES + 1):
        pair = [Sharing(np.full((1, size % 5000 + 1), i, np.float32)) for i in range(2)]
        started = time.perf_counter()
        answers = graph_runner.run_batch(ends, pair, False)
        seconds.append(time.perf_counter() - started)
        assert [answer[0][0, 0] for answer in answers] == [1.0, 2.0]
        if size % (SHAPES // 2) == 0:
            operations.append(len(graph_runner.programs.session.graph.get_operations()))
            memory.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    half = SHAPES // 2
    first, last = statistics.median(seconds[:half]), statistics.median(seconds[half:])
    assert operations[0] == operations[1]
    assert memory[1] < memory[0] * 1.05
    assert last < 2 * first


def test_every_set_of_outputs_is_answered_and_few_are_kept(runner):
    graph_runner, signature = runner
    names = list(signature.outputs)
    for count in range(1, OUTPUTS + 1):
        for chosen in itertools.combinations(names, count):
            (fetches, x) = signature.fetches(chosen), np.float32([[1.0]])
            values = graph_runner.run(signature.feeds, [x], fetches)
            assert [value.item() - 1.0 for value in values] == [int(name[1:]) for name in chosen]
    assert len(graph_runner.programs) <= MOST_PROGRAMS + 1
    assert len(graph_runner.verdicts._verdicts) <= MOST_VERDICTS
