"""Counters, histograms and the request log."""
