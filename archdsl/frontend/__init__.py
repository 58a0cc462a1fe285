"""Text → typed, scaled spec → graph."""
