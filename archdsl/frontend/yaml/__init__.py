"""Text → plain values: YAML read strictly, and the likely cause where a text is not YAML."""
