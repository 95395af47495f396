"""The tokenizers in core TensorFlow operations, for SavedModels.

    segmentation     texts -> words, and ids -> text
    words, subwords  the two tokenizers
    tokenizers       the graph form of a tokenizer, by its class

The graph stands above the Python tokenizers and imports them, never the other way: text is read
and written without TensorFlow.
"""
