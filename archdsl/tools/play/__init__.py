"""A config and what it comes to, side by side in a page: answers to it, the files it may touch, and its server."""
