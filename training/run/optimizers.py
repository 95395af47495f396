"""The optimizers: Algorithm 1 counted in each, and Adam in one pass over the weights.

Keras composes an update from a dozen element-wise operations, each a pass over memory; on a CPU
that costs as much as the gradients of a small batch. TensorFlow's own kernel does the same
arithmetic in one pass. On other backends Keras's update is used, which their compilers fuse.
"""

from __future__ import annotations

from typing import Any

import keras

from training.run.clipping import CountsClipping


@keras.saving.register_keras_serializable(package="zoo")
class OnePassAdam(CountsClipping, keras.optimizers.Adam):
    """`keras.optimizers.Adam` with the same numbers and arguments, updated in one pass."""

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        if keras.backend.backend() != "tensorflow" or self.amsgrad:
            super().update_step(gradient, variable, learning_rate)
            return
        import tensorflow as tf

        step = tf.cast(self.iterations, variable.dtype) + 1.0
        index = self._get_variable_index(variable)
        tf.raw_ops.ResourceApplyAdam(
            var=_handle(variable),
            m=_handle(self._momentums[index]),
            v=_handle(self._velocities[index]),
            beta1_power=tf.cast(self.beta_1, variable.dtype) ** step,
            beta2_power=tf.cast(self.beta_2, variable.dtype) ** step,
            lr=tf.cast(learning_rate, variable.dtype),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=tf.convert_to_tensor(gradient),
        )


@keras.saving.register_keras_serializable(package="zoo")
class AdamW(CountsClipping, keras.optimizers.AdamW):
    """`keras.optimizers.AdamW` that counts its clipped steps."""


@keras.saving.register_keras_serializable(package="zoo")
class SGD(CountsClipping, keras.optimizers.SGD):
    """`keras.optimizers.SGD` that counts its clipped steps."""


def _handle(variable: Any) -> Any:
    """The resource behind a Keras variable or a TensorFlow variable."""
    return variable.handle if hasattr(variable, "handle") else variable.value.handle
