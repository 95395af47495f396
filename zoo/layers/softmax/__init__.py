"""Output layers over the vocabulary and their losses."""
