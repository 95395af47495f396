"""Quick look-ups in n-gram tables."""
