"""ARPA files: their form, reading and writing."""
