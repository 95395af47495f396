"""The server's process: how it ends, and what starts it again."""
