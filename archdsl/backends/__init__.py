"""Graph → what runs."""
