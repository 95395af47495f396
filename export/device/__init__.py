"""The reference runtime of exported `.tflite` files, with nothing but LiteRT and NumPy."""
