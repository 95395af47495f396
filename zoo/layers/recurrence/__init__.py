"""The whole-sequence recurrence under every cell: cell, loop, gradient, compilation.

Each file imports only from those before it: cell, while_loop (TensorFlow's), loop, gradient, xla,
whole_sequence.
"""
