"""Greedy, sampled and beam decoding, written once and used by every model."""

from zoo.decoding.beam import beam_search
from zoo.decoding.generation import generate
from zoo.decoding.sampling import Beam, Greedy, Sample, TopK, TopP

__all__ = ["Beam", "Greedy", "Sample", "TopK", "TopP", "beam_search", "generate"]
