"""A prepared job for a quarter of an hour on a GPU, on Keras's JAX backend: see `__main__`."""
