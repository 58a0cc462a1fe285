"""The shipped blocks, one family a file. Importing this package registers them all."""

from archdsl.blocks import attention, conv, csp, darknet, down, elan, ghost, layers, pooling, rep, resnet

__all__ = ["attention", "conv", "csp", "darknet", "down", "elan", "ghost", "layers", "pooling", "rep", "resnet"]
