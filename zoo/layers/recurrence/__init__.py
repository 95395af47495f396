"""The whole-sequence recurrence under every cell: cell, loop, gradient, compilation.

Each file imports only from those before it: cell, while_loop (TensorFlow's), loop, gradient,
higher_order and xla (TensorFlow's), jax_rule (JAX's), whole_sequence.
"""
