"""SavedModels that take raw text: one file a kind of model."""
