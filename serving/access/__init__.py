"""Who may ask: TLS, API keys, and whether anyone else can reach the server."""
