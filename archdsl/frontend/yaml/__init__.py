"""Text → plain values: YAML read strictly, and what a text that is none was meant to be."""
