"""Files → one mapping: where configs are, how they inherit, overrides and references."""
