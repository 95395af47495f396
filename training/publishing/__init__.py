"""From finished runs to presets, cards and tables of results."""
