"""The whole-sequence recurrence under every cell: cell, loop, gradient, compilation."""
