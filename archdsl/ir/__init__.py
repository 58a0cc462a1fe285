"""The typed graph: nodes, primitive operations, passes."""
