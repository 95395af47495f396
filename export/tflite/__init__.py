"""`.tflite` files with built-in operations only: one file a kind of model."""
