"""One training run: the loop, its schedule, checkpoints, optimizers and what it prints."""
