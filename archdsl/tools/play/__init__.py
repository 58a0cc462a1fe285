"""A page with a config and its network side by side: its answers, its files, and its server."""
