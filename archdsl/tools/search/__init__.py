"""Finds the networks of a space that are within a budget: exactly by sums of tables, or by compiling each."""
