"""Which versions are there, loaded, served and unloaded."""
