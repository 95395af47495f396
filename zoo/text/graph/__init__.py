"""The tokenizers in core TensorFlow operations, for SavedModels."""
