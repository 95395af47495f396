"""From request messages to model inputs and back: Predict and the tf.Example calls."""
