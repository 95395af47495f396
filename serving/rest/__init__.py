"""The HTTP/REST side of the server."""
