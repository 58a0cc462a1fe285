"""What is wrong with an input, where, and how to fix it."""
