"""Graph → Keras layers."""
