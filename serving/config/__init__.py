"""The configuration files: shipped ones, and how any are read and checked."""
