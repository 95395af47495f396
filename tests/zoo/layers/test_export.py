"""What is exported is stock operations: a SavedModel, and a TFLite model with built-ins only."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.helpers import layers as helper


def endpoint(layer):
    return lambda x, mask: {"y": layer(x, mask=mask)}


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """One archive with a signature a case, and what each layer says itself."""
    directory = str(tmp_path_factory.mktemp("layers") / "saved")
    archive = keras.export.ExportArchive()
    shape = (1, helper.TIME, helper.FEATURES)
    specs = [tf.TensorSpec(shape, name="x"), tf.TensorSpec(shape[:2], tf.bool, name="mask")]
    expected = {}
    x, mask = helper.inputs("float32")[:1], helper.MASK[1:2]
    for k, case in enumerate(helper.CASES):
        layer = case.make(return_state=False)
        archive.track(layer)
        archive.add_endpoint(f"case_{k}", endpoint(layer), input_signature=specs)
        expected[f"case_{k}"] = layer(x, mask=mask).numpy()
    archive.write_out(directory, verbose=False)
    return directory, x, mask, expected


def test_saved_model(exported):
    directory, x, mask, expected = exported
    loaded = tf.saved_model.load(directory)
    for name, want in expected.items():
        signature = loaded.signatures[name]
        got = signature(x=tf.constant(x), mask=tf.constant(mask))["y"]
        np.testing.assert_allclose(got, want, atol=1e-6)
        graph = signature.graph.as_graph_def()
        nodes = [*graph.node, *(n for f in graph.library.function for n in f.node_def)]
        assert not any(f.attr["_XlaMustCompile"].b for f in graph.library.function)
        assert not {n.op for n in nodes} & {"PyFunc", "EagerPyFunc", "XlaLaunch"}
        assert any("While" in n.op for n in nodes)


@pytest.mark.filterwarnings("ignore")
def test_tflite_with_built_ins_only(exported):
    directory, x, mask, expected = exported
    converter = tf.lite.TFLiteConverter.from_saved_model(directory, signature_keys=list(expected))
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=converter.convert())
    for name, want in expected.items():
        run = interpreter.get_signature_runner(name)
        np.testing.assert_allclose(run(x=x, mask=mask)["y"], want, atol=1e-5)


def test_one_step_has_no_loop():
    for case in helper.CASES:
        layer = case.make()
        state = [tf.TensorSpec((1, size)) for size in layer.state_size]
        step = tf.function(layer.step)
        graph = step.get_concrete_function(tf.TensorSpec((1, helper.FEATURES)), state).graph
        assert not any("While" in op.type for op in graph.get_operations())
