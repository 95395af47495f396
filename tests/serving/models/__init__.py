"""Small SavedModels of both kinds for the serving tests; also a command that writes them.

    python -m tests.serving.models DIRECTORY [PATH_ON_SERVER]

writes them with a models.config, to start any TensorFlow Serving with::

    tensorflow_model_server --port=8500 --rest_api_port=8501 \
        --model_config_file=DIRECTORY/models.config --file_system_poll_wait_seconds=1
"""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf

VERSION = 123
CONFIGURED = ("half_plus_two", "half_plus_two_tf2", "text", "types", "loop")
CONFIG = """model_config_list {{
{models}}}
"""
MODEL = """  config {{
    name: "{name}"
    base_path: "{base}/{name}"
    model_platform: "tensorflow"
  }}
"""


def write_half_plus(directory: Path, addend: float = 2.0) -> None:
    """A TF1 graph, y = x / 2 + addend, with reference variables and tf.Example signatures."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        half = v1.get_variable("a", initializer=0.5, use_resource=False)
        plus = v1.get_variable("b", initializer=addend, use_resource=False)
        serialized = v1.placeholder(tf.string, name="tf_example")
        features = {"x": tf.io.FixedLenFeature([1], tf.float32)}
        parsed = tf.io.parse_example(serialized, features)
        x = tf.identity(parsed["x"], name="x")
        x.set_shape([None, 1])
        y = tf.add(tf.multiply(half, x), plus, name="y")
        label = tf.as_string(y, name="label")
        session.run(v1.global_variables_initializer())
        _save_v1(session, directory, x, y, serialized, label)


def _save_v1(session, directory, x, y, serialized, label) -> None:
    v1 = tf.compat.v1
    info = v1.saved_model.build_tensor_info
    build = v1.saved_model.build_signature_def
    tables = {
        "serving_default": build({"x": info(x)}, {"y": info(y)}, "tensorflow/serving/predict"),
        "classify_x_to_y": build(
            {"inputs": info(serialized)}, {"scores": info(y)}, "tensorflow/serving/classify"
        ),
        "classify_labels": build(
            {"inputs": info(serialized)},
            {"scores": info(y), "classes": info(label)},
            "tensorflow/serving/classify",
        ),
        "regress_x_to_y": build(
            {"inputs": info(serialized)}, {"outputs": info(y)}, "tensorflow/serving/regress"
        ),
    }
    builder = v1.saved_model.Builder(str(directory))
    builder.add_meta_graph_and_variables(session, ["serve"], signature_def_map=tables)
    builder.save()


def write_half_plus_tf2(directory: Path) -> None:
    """The same in TF2, where every signature has an input of its own and predicts by name."""
    module = tf.Module()
    module.half, module.plus = tf.Variable(0.5), tf.Variable(2.0)

    def of_examples(serialized: tf.Tensor) -> tf.Tensor:
        features = {"x": tf.io.FixedLenFeature([1], tf.float32)}
        return module.half * tf.io.parse_example(serialized, features)["x"] + module.plus

    examples = tf.TensorSpec([None], tf.string, name="inputs")
    vector = tf.TensorSpec([None], tf.float32, name="x")
    functions = {
        "serving_default": (lambda x: {"y": module.half * x + module.plus}, vector),
        "regress_x_to_y": (lambda inputs: {"outputs": of_examples(inputs)}, examples),
        "classify_x_to_y": (lambda inputs: {"scores": of_examples(inputs)}, examples),
    }
    signatures = {
        key: tf.function(function, autograph=False).get_concrete_function(spec)
        for key, (function, spec) in functions.items()
    }
    tf.saved_model.save(module, str(directory), signatures)


class Text(tf.Module):
    """Strings in and out, a table with a vocabulary file as asset, a variable."""

    def __init__(self, vocabulary: Path) -> None:
        super().__init__()
        self.vocabulary = tf.saved_model.Asset(str(vocabulary))
        rule = tf.lookup.TextFileIndex
        self.table = tf.lookup.StaticHashTable(
            tf.lookup.TextFileInitializer(
                self.vocabulary, tf.string, rule.WHOLE_LINE, tf.int64, rule.LINE_NUMBER
            ),
            -1,
        )
        self.scale = tf.Variable(0.5)

    def next_word(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        """The text's first two words upper-cased, with made-up probabilities."""
        words = tf.strings.upper(tf.strings.split(text).to_tensor("", shape=[None, 2]))
        lengths = tf.cast(tf.strings.length(words), tf.float32)
        return {"words": words, "probabilities": self.scale / (1.0 + lengths)}

    def score(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        """Sums over a ragged number of words, found in a table."""
        split = tf.strings.split(text)
        ids = tf.ragged.map_flat_values(self.table.lookup, split)
        known = tf.cast(ids >= 0, tf.int32)
        counts = tf.cast(split.row_lengths(), tf.int32)
        found = tf.reduce_sum(known, axis=1)
        return {
            "log_prob": -self.scale * tf.cast(counts, tf.float32),
            "tokens": counts + 1,
            "oov": counts - found,
        }

    def raw(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        """The text again, as text and as bytes."""
        return {"text": tf.identity(text), "text_bytes": tf.identity(text)}


def write_text(directory: Path, folder: Path) -> None:
    """The model of strings; `folder` keeps its vocabulary file."""
    vocabulary = folder / "vocabulary.txt"
    vocabulary.write_text("the\ncat\nis\nsmall\n", encoding="utf-8")
    module = Text(vocabulary)
    spec = tf.TensorSpec([None], tf.string, name="text")
    signatures = {
        name: tf.function(getattr(module, method)).get_concrete_function(spec)
        for name, method in (
            ("serving_default", "next_word"),
            ("next_word", "next_word"),
            ("score", "score"),
            ("raw", "raw"),
        )
    }
    tf.saved_model.save(module, str(directory), signatures)


def write_words(directory: Path) -> None:
    """All words of all texts in one row, so that requests can share no run."""
    split = tf.function(lambda text: {"words": tf.strings.split(text).flat_values})
    spec = tf.TensorSpec([None], tf.string, name="text")
    tf.saved_model.save(tf.Module(), str(directory), split.get_concrete_function(spec))


DTYPES = (
    tf.float32, tf.float64, tf.int8, tf.uint8, tf.int16, tf.int32, tf.uint32, tf.int64,
    tf.uint64, tf.bool, tf.string,
)  # fmt: skip
GRPC_ONLY = (tf.float16, tf.bfloat16, tf.uint16, tf.complex64, tf.complex128)


def write_types(directory: Path) -> None:
    """A signature for each data type that returns its input, and some odd ones."""
    module = tf.Module()
    module.one = tf.Variable(1.0)

    def echo(x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"y": tf.identity(x)}

    def add(a: tf.Tensor, b: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"sum": module.one * a + b, "difference": a - b}

    def scalar(x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"mean": tf.reduce_mean(x), "rows": tf.identity(x)}

    signatures = {
        dtype.name: tf.function(echo).get_concrete_function(tf.TensorSpec(None, dtype, name="x"))
        for dtype in (*DTYPES, *GRPC_ONLY)
    }
    vector = tf.TensorSpec([None], tf.float32)
    signatures["serving_default"] = tf.function(add).get_concrete_function(
        tf.TensorSpec([None], tf.float32, name="a"), tf.TensorSpec([None], tf.float32, name="b")
    )
    signatures["scalar"] = tf.function(scalar).get_concrete_function(
        tf.TensorSpec(vector.shape, vector.dtype, name="x")
    )
    tf.saved_model.save(module, str(directory), signatures)


def write_loop(directory: Path) -> None:
    """A model that takes as long as it is asked: `steps` turns of a loop."""
    module = tf.Module()

    def spin(steps: tf.Tensor) -> dict[str, tf.Tensor]:
        most = tf.reduce_max(steps)

        def turn(i: tf.Tensor, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            return i + 1, tf.math.mod(x + tf.reduce_sum(tf.ones([1000])), 7.0)

        _, x = tf.while_loop(lambda i, x: i < most, turn, [0, 0.0], parallel_iterations=1)
        # Needs the loop, but no request can tell from it how long the longest one was.
        return {"steps": steps, "x": tf.fill(tf.shape(steps), tf.minimum(x, 0.0))}

    spec = tf.TensorSpec([None], tf.int32, name="steps")
    tf.saved_model.save(module, str(directory), tf.function(spin).get_concrete_function(spec))


def write_all(directory: Path, base_on_server: str | None = None) -> Path:
    """Write every model and models.config; returns the config's path."""
    directory.mkdir(parents=True, exist_ok=True)
    version = f"{VERSION:08d}"
    write_half_plus(directory / "half_plus_two" / version)
    write_half_plus(directory / "half_plus_three" / "1", addend=3.0)
    write_half_plus_tf2(directory / "half_plus_two_tf2" / version)
    write_text(directory / "text" / version, directory)
    write_types(directory / "types" / version)
    write_loop(directory / "loop" / version)
    base = base_on_server or str(directory)
    config = directory / "models.config"
    models = "".join(MODEL.format(name=name, base=base) for name in CONFIGURED)
    config.write_text(CONFIG.format(models=models))
    return config
