"""A function computed one way and differentiated another.

TensorFlow differentiates a `while` loop by a list of what every step left, and a function that XLA
compiled apart cannot hand such a list to its gradient ("TensorList crossing the XLA/TF boundary").
So a compiled gradient loop is differentiated once more, for gradient penalties and for learning to
learn, as the plain loop that computes the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import tensorflow as tf

from zoo.types import Nest, Tensor


def differentiated_as(
    plain: Callable[..., Nest], function: Callable[..., Nest]
) -> Callable[..., Nest]:
    """`function`, with the gradient of `plain`, which gives the same.

    Both take nests of tensors and None; `plain` may use no other tensors that are differentiated.
    """

    def run(*arguments: Nest) -> Nest:
        tensors, pack = _flattened(arguments)
        packs: list[Callable[[Sequence[Tensor]], Nest]] = []

        @tf.custom_gradient
        def of_tensors(*tensors: Tensor) -> tuple[list[Tensor], Callable[..., list[Tensor | None]]]:
            def gradient(*upstream: Tensor) -> list[Tensor | None]:
                return _gradient_of(lambda flat: plain(*pack(flat)), tensors, upstream)

            outputs, pack_outputs = _flattened(function(*pack(tensors)))
            packs.append(pack_outputs)
            return outputs, gradient

        outputs = of_tensors(*tensors)
        return packs[0](outputs)

    return run


def _gradient_of(
    function: Callable[[Sequence[Tensor]], Nest],
    tensors: Sequence[Tensor],
    upstream: Sequence[Tensor],
) -> list[Tensor | None]:
    """Those for the tensors; None for what has none, such as a mask."""
    copies = [tf.identity(x) for x in tensors]
    with tf.GradientTape() as tape:
        tape.watch([x for x in copies if x.dtype.is_floating])
        outputs, _ = _flattened(function(copies))
    found: list[Tensor | None] = tape.gradient(outputs, copies, list(upstream))
    return found


def _flattened(nest: Nest) -> tuple[list[Tensor], Callable[[Sequence[Tensor]], Nest]]:
    """The tensors of a nest, without its None entries, and how to put others in their place."""
    leaves = tf.nest.flatten(nest)

    def pack(tensors: Sequence[Tensor]) -> Nest:
        rest = iter(tensors)
        return tf.nest.pack_sequence_as(nest, [x if x is None else next(rest) for x in leaves])

    return [x for x in leaves if x is not None], pack
