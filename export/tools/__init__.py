"""What writes the device pages: test vectors, tables of operators."""
