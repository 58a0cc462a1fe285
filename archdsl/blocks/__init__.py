"""The shipped blocks, one family a file. Importing this package registers them all."""

from archdsl.blocks import conv, csp, layers, pooling, resnet

__all__ = ["conv", "csp", "layers", "pooling", "resnet"]
