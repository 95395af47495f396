"""The one exception that public entry points raise for bad input, as a single readable line."""


class ZooError(ValueError):
    """Bad input or usage: the message names the value received and the remedy."""
