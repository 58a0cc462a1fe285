"""What a graph costs, where a value comes from, and what a builder would ask."""
