"""Independent NumPy implementations, written from the equations alone."""
