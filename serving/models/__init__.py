"""A loaded version and its signatures: SavedModels and TFLite files."""
