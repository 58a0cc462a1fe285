"""Schemas of plain data: which keys there are, and of which type and range their values."""
