"""The meaning of every argument of a block, for JSON Schema and documents; keys have docstrings in schema.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archdsl.blocks.registry import Block

if TYPE_CHECKING:
    from archdsl.schemas.json_form import Json

ARGUMENTS = {
    "activation": "Its activation; by default that of the conventions.",
    "anchors": "Number of anchors at each pixel.",
    "areas": "Number of equal runs of places; attention stays within each.",
    "attention": "Whether its steps are attention; else they are cross-stage blocks.",
    "bias": "Whether it has a bias.",
    "bins": "Distances that each side of a box has a share of: 0 to one less, in pixels of the map.",
    "bottleneck_expansion": "Channels inside a bottleneck, as a share of those of its branch.",
    "branches": "Number of equal convolutions side by side.",
    "cardinality": "Number of ELANs side by side.",
    "center": "Whether each channel has an addend that is learned (beta); by default that of the conventions.",
    "chain_expansion": "Channels of the chain, as a share of the width; by default those of the branches.",
    "classes": "Number of classes, not scaled.",
    "convolutions": "3 × 3 convolutions in each step of the chain.",
    "csp_expansion": "Channels that go through the bottlenecks, as a share of those of their step.",
    "depth": "Repeats inside the block, before scaling.",
    "depthwise": "Whether the 3 × 3 convolutions are depthwise separable.",
    "dilation": "Step between the taps of the window, in pixels.",
    "divisor": "The channels inside are rounded to a multiple of this.",
    "drop": "Rate of stochastic depth: how often a branch is dropped in training.",
    "epsilon": "Added to the variance; by default that of the conventions.",
    "expansion": "Channels inside the block, as a share of its width, or of its input's if it has none.",
    "factor": "Factor by which both sides grow.",
    "filters": "Output channels, not scaled; in place of width.",
    "formula": "How the numbers of the network change an anchor.",
    "function": "The activation; by default that of the conventions.",
    "gate": "Activation that makes the gate.",
    "ghost_kernel": "Side of the window that makes the second half of the channels, in pixels.",
    "groups": "Groups of channels, each on its own; in a convolution `all` makes one of every channel.",
    "heads": "Heads of the attention, which divide the channels among them.",
    "height": "Height of the result, in pixels.",
    "hidden": "Channels inside the block, not scaled.",
    "identity": "Whether the input is a third branch, if its shape fits.",
    "image_width": "Width of the result, in pixels.",
    "initial": "Initial value.",
    "interpolation": "How new pixels are computed.",
    "keep_sides": "Whether the result is a map of one pixel.",
    "kernel": "Side of the window, in pixels.",
    "kernels": "Sides of the pooling windows, in pixels.",
    "key_expansion": "Channels of queries and keys, as a share of those of the values.",
    "kind": "Kind of normalisation; by default that of the conventions.",
    "large_kernel": "Whether the middle convolution is one of 7 × 7 and one of 3 × 3, added.",
    "length": "Number of tokens.",
    "limit": "Largest value that relu gives.",
    "mean": "Subtracted from each channel.",
    "mlp_expansion": "Channels between the layers of a perceptron, as a share of those around it.",
    "momentum": "Weight of the old statistics at each step; by default that of the conventions.",
    "nested": "Whether its bottlenecks are cross-stage blocks themselves.",
    "normalization": "How the factors are made of the weights: `relu`, each by the sum of all, `softmax`, or `none`.",
    "octaves": "Steps from one size of the anchors to twice that size.",
    "offset": "Added after the factor.",
    "padding": "How the map is padded: `same` as TensorFlow pads, `symmetric` as PyTorch does, `valid` for nothing, "
    "or pixels: a number, [height, width], or each of them as [before, after].",
    "part": "Which of the parts, counted from 0.",
    "parts": "Number of equal parts.",
    "per_channel": "Whether every channel of an input has a factor of its own; else one for the input.",
    "prior": "Probability that the values begin with.",
    "projection": "Whether the shortcut is a 1 × 1 convolution; by default if the channels change.",
    "rate": "Share that is dropped in training.",
    "ratios": "Width of an anchor, as a multiple of its height.",
    "residual": "Whether the input is added to the result, if its shape fits.",
    "scale": "Factor; of a norm, whether each channel has one that is learned (gamma).",
    "size": "Side of the smallest square anchor, in pixels of its map.",
    "sizes": "Width and height of the anchors of each input, in pixels of the image.",
    "slope": "Slope of leaky_relu below zero; by default that of the conventions.",
    "spread": "How far the middle of a box may move, in pixels of its map; a number, or one for each input.",
    "squeeze": "Channels between the two layers; by default a share of those of the input.",
    "start": "First channel, counted from 0.",
    "std": "Divides each channel.",
    "stop": "Channel after the last one; by default the end.",
    "stride": "Step between two windows, in pixels: 2 halves height and width.",
    "transition": "Whether a 1 × 1 convolution follows the bottlenecks.",
    "units": "Output channels, not scaled.",
    "values": "Numbers for each anchor: 4 for a box, or the classes.",
    "width": "Output channels, before scaling; by default those of the stage.",
}
"""Meanings of the shipped blocks' arguments, by name; the blocks' docstrings have the details."""


def arguments_of(block: Block) -> Json:
    """The arguments of a block by name, with types, ranges, defaults and meaning."""
    from archdsl.schemas.json_form import json_schema_of  # imports pydantic, which takes a while

    arguments = json_schema_of(block.schema).get("properties", {})
    return {name: {**_meaning(name), **argument} for name, argument in arguments.items()}


def _meaning(argument: str) -> Json:
    return {"description": ARGUMENTS[argument]} if argument in ARGUMENTS else {}  # a plugin may have others
