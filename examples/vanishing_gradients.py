"""See a gradient vanish: how much of the last state's gradient reaches each step before it.

python examples/vanishing_gradients.py [STEPS]
"""

import sys

import keras
import tensorflow as tf

from zoo import layers

UNITS = 32


def norms(cell, steps: int) -> list[float]:
    """The norm of d(last state)/d(input) at each step, the last step first."""
    keras.utils.set_random_seed(1)
    x = tf.random.normal([8, steps, UNITS])
    layer = cell(UNITS)
    with tf.GradientTape() as tape:
        tape.watch(x)
        last = tf.reduce_sum(layer(x))
    gradient = tape.gradient(last, x)
    return tf.reverse(tf.norm(gradient, axis=[0, 2]), [0]).numpy().tolist()


def main(steps: int = 40) -> None:
    print("steps back " + "".join(f"{distance:>10}" for distance in range(0, steps, 8)))
    for cell in (layers.SimpleRNN, layers.GRU, layers.LSTM):
        shown = norms(cell, steps)[::8]
        print(f"{cell.__name__:11}" + "".join(f"{norm:10.2g}" for norm in shown))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
