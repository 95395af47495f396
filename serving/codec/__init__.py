"""Tensors and messages on the wire."""
