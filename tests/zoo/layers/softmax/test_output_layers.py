import keras
import numpy as np
import pytest
import tensorflow as tf

from zoo.errors import ZooError
from zoo.layers import (
    AdaptiveSoftmax,
    BahdanauAttention,
    EmbeddingDropout,
    LockedDropout,
    VocabularyOutput,
    blocked_softmax_cross_entropy,
    blocked_softmax_loss,
    sampled_softmax_cross_entropy,
)
from zoo.layers.softmax.sampled import inclusion_probabilities, systematic_sample

RNG = np.random.default_rng(0)
HIDDEN = tf.constant(RNG.normal(size=(3, 7, 5)))
KERNEL = tf.constant(RNG.normal(size=(5, 11)))
BIAS = tf.constant(RNG.normal(size=11))
TARGETS = RNG.integers(0, 11, (3, 7))
WEIGHTS = tf.constant(RNG.random((3, 7)))


def exact_nats(hidden, kernel, bias):
    """Equation [7], directly."""
    logits = hidden @ kernel + bias
    probabilities = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    return -np.log(np.take_along_axis(probabilities, TARGETS[..., None], -1))[..., 0]


def exact_gradients(g):
    logits = HIDDEN.numpy() @ KERNEL.numpy() + BIAS.numpy()
    delta = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True) - np.eye(11)[TARGETS]
    delta = (delta * g[..., None]).reshape(-1, 11)
    rows = HIDDEN.numpy().reshape(-1, 5)
    return (delta @ KERNEL.numpy().T).reshape(3, 7, 5), rows.T @ delta, delta.sum(0)


def with_gradients(function):
    with tf.GradientTape() as tape:
        tape.watch([HIDDEN, KERNEL, BIAS])
        value = function()
    return value, tape.gradient(value, [HIDDEN, KERNEL, BIAS])


@pytest.mark.parametrize("recompute", [True, False, None])
@pytest.mark.parametrize("block_rows", [None, 4, 100])
def test_blocked_cross_entropy_is_exact(recompute, block_rows):
    def nats():
        arguments = (HIDDEN, KERNEL, BIAS, TARGETS, WEIGHTS)
        return blocked_softmax_cross_entropy(*arguments, block_rows=block_rows, recompute=recompute)

    want = exact_nats(HIDDEN.numpy(), KERNEL.numpy(), BIAS.numpy()) * WEIGHTS.numpy()
    value, gradients = with_gradients(nats)
    np.testing.assert_allclose(value, want, atol=1e-12)
    np.testing.assert_allclose(nats(), want, atol=1e-12)  # nobody differentiates: another path
    for got, expected in zip(gradients, exact_gradients(WEIGHTS.numpy()), strict=True):
        np.testing.assert_allclose(got, expected, atol=1e-12)


@pytest.mark.parametrize("block_rows", [None, 4])
def test_blocked_loss_is_the_weighted_sum(block_rows):
    def loss():
        return 3 * blocked_softmax_loss(HIDDEN, KERNEL, BIAS, TARGETS, WEIGHTS, block_rows)

    want = exact_nats(HIDDEN.numpy(), KERNEL.numpy(), BIAS.numpy()) * WEIGHTS.numpy()
    value, gradients = with_gradients(loss)
    np.testing.assert_allclose(value, 3 * want.sum())
    np.testing.assert_allclose(loss(), 3 * want.sum())
    for got, expected in zip(gradients, exact_gradients(3 * WEIGHTS.numpy()), strict=True):
        np.testing.assert_allclose(got, expected, atol=1e-12)


def test_no_tensor_of_the_summed_loss_is_larger_than_a_block():
    @tf.function
    def step(hidden, kernel):
        with tf.GradientTape() as tape:
            tape.watch([hidden, kernel])
            targets = tf.zeros((64,), tf.int32)
            loss = blocked_softmax_loss(hidden, kernel, None, targets, block_rows=8)
        return tape.gradient(loss, [hidden, kernel])

    graph = step.get_concrete_function(tf.TensorSpec((64, 3)), tf.TensorSpec((3, 50))).graph
    rows = [
        t.shape[0]
        for op in graph.get_operations()
        for t in op.outputs
        if t.shape.rank == 2 and t.shape[1] == 50
    ]
    assert max(rows) == 8


def test_loss_with_a_dynamic_batch():
    @tf.function(input_signature=[tf.TensorSpec((None, 7, 5), tf.float64)])
    def loss(hidden):
        targets = tf.constant(TARGETS)[: tf.shape(hidden)[0]]
        return blocked_softmax_cross_entropy(hidden, KERNEL, BIAS, targets)

    want = exact_nats(HIDDEN.numpy(), KERNEL.numpy(), BIAS.numpy())
    np.testing.assert_allclose(loss(HIDDEN[:2]), want[:2], atol=1e-12)
    assert loss(HIDDEN[:0]).shape == (0, 7)


def test_block_rows_must_be_positive():
    with pytest.raises(ZooError, match="block_rows"):
        blocked_softmax_loss(HIDDEN, KERNEL, BIAS, TARGETS, block_rows=0)


@pytest.mark.parametrize(("samples", "vocabulary"), [(1, 7), (4, 20), (19, 20), (20, 20), (99, 20)])
def test_a_sample_has_different_words_each_with_its_probability(samples, vocabulary):
    shares = inclusion_probabilities(samples, vocabulary)
    assert shares.sum() == pytest.approx(min(samples, vocabulary))
    assert ((shares > 0) & (shares <= 1)).all()
    draws = [systematic_sample(shares, seed).numpy() for seed in range(400)]
    assert all(len(set(words.tolist())) == min(samples, vocabulary) for words in draws)
    counts = np.bincount(np.concatenate(draws), minlength=vocabulary)
    np.testing.assert_allclose(counts / 400, shares, atol=0.1)


def test_a_large_sample_has_different_words():
    words = systematic_sample(inclusion_probabilities(4096, 33_278), 1).numpy()
    assert len(set(words.tolist())) == 4096


def test_sampling_the_whole_vocabulary_is_exact():
    sampled = sampled_softmax_cross_entropy(HIDDEN, KERNEL, BIAS, TARGETS, samples=11)
    want = exact_nats(HIDDEN.numpy(), KERNEL.numpy(), BIAS.numpy())
    np.testing.assert_allclose(sampled, want, atol=1e-5)


def test_sampled_softmax_learns_the_distribution():
    """The minimum of the expected loss is the true distribution, though no step sees all words."""
    rng = np.random.default_rng(0)
    words = 30
    truth = 1.0 / np.arange(2, words + 2)
    truth /= truth.sum()
    one, kernel = tf.ones((2000, 1)), tf.Variable(tf.zeros((1, words)))
    seed, optimizer = keras.random.SeedGenerator(1), keras.optimizers.Adam(0.05)

    @tf.function
    def gradient(targets):
        with tf.GradientTape() as tape:
            nats = sampled_softmax_cross_entropy(one, kernel, None, targets, 15, seed=seed)
            loss = tf.reduce_mean(nats)
        return tape.gradient(loss, kernel)

    for rate in [0.05] * 150 + [0.01] * 150 + [0.002] * 150:
        targets = rng.choice(words, 2000, p=truth).astype("int32")
        optimizer.learning_rate.assign(rate)
        optimizer.apply([gradient(targets)], [kernel])
    np.testing.assert_allclose(tf.nn.softmax(kernel)[0], truth, rtol=0.1, atol=0.004)


def test_adaptive_softmax_is_a_distribution_and_its_loss_exact():
    layer = AdaptiveSoftmax(11, cutoffs=[3, 7], factor=2, dtype="float32")
    hidden = tf.cast(HIDDEN, "float32")
    log_probs = layer(hidden).numpy()
    np.testing.assert_allclose(np.exp(log_probs).sum(-1), 1, atol=1e-5)
    want = -np.take_along_axis(log_probs, TARGETS[..., None], -1)[..., 0]
    np.testing.assert_allclose(layer.cross_entropy(hidden, TARGETS), want, atol=1e-5)
    copy = AdaptiveSoftmax.from_config(layer.get_config())
    assert copy.cutoffs == [3, 7]
    with pytest.raises(ZooError, match="cutoffs"):
        AdaptiveSoftmax(11, cutoffs=[7, 3])


def test_tied_output_shares_the_embedding():
    embedding = keras.layers.Embedding(11, 5)
    output = VocabularyOutput(11, tied_to=embedding)
    hidden = tf.cast(HIDDEN, "float32")
    logits = output(hidden).numpy()
    np.testing.assert_allclose(logits, hidden @ tf.transpose(embedding.embeddings.value), atol=1e-6)
    assert [w.name for w in output.weights] == ["bias"]
    with pytest.raises(ZooError, match="same size"):
        VocabularyOutput(11, tied_to=keras.layers.Embedding(11, 4))(hidden)
    with pytest.raises(ZooError, match="tied"):
        output.get_config()


def test_attention_equals_its_equations_and_ignores_masked_memories():
    layer = BahdanauAttention(6)
    query, memory = RNG.normal(size=(2, 3, 4)), RNG.normal(size=(2, 5, 7))
    query, memory = query.astype("float32"), memory.astype("float32")
    mask = np.array([[1, 1, 1, 0, 0], [0, 0, 0, 0, 0]], bool)
    context, weights = layer(query, memory, memory_mask=mask)
    w_q, w_m, b, v = (w.numpy() for w in layer.weights)
    scores = np.tanh((query[0] @ w_q)[:, None] + (memory[0] @ w_m + b)[None]) @ v[:, 0]
    expected = np.exp(scores[:, :3]) / np.exp(scores[:, :3]).sum(-1, keepdims=True)
    np.testing.assert_allclose(weights[0, :, :3], expected, atol=1e-6)
    np.testing.assert_allclose(context[0], expected @ memory[0, :3], atol=1e-6)
    assert not weights[0, :, 3:].numpy().any()
    assert not context[1].numpy().any()
    one, _ = layer(query[:, 1], memory, memory_mask=mask, keys=layer.keys(memory))
    np.testing.assert_allclose(one, context[:, 1], atol=1e-6)


def test_locked_dropout_has_one_mask_for_all_steps():
    dropped = LockedDropout(0.5, seed=1)(np.ones((4, 6, 8), "float32"), training=True).numpy()
    assert set(np.unique(dropped)) == {0.0, 2.0}
    assert (dropped == dropped[:, :1]).all()
    assert not (dropped == dropped[:1]).all()
    with pytest.raises(ZooError, match="rate"):
        LockedDropout(1.0)


def test_embedding_dropout_drops_whole_words():
    layer = EmbeddingDropout(10, 4, rate=0.5, seed=2)
    ids = np.tile(np.arange(10), (3, 2))
    vectors = layer(ids, training=True).numpy()
    plain = layer(ids).numpy()
    kept = np.isclose(vectors, 2 * plain).all(-1)
    dropped = (vectors == 0).all(-1)
    assert (kept ^ dropped).all()
    assert (dropped[:, :10] == dropped[:1, 10:]).all()
    assert dropped.any()
    assert kept.any()
