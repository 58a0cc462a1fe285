"""What an editor asks while a config is written: pure functions of its text, without a server."""
