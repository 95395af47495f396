"""Requests that share one run of a model."""
