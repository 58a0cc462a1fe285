"""Checkpoints of PyTorch: which module is which layer, both ways, and the networks that they describe."""
