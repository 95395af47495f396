"""Experiments of section 2: how far each network remembers, and what clipping does."""
