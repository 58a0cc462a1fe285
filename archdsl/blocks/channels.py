"""Layers that pick, order or summarise channels."""

from __future__ import annotations

from typing import Annotated

from archdsl.blocks.registry import Groups, Width, block
from archdsl.ir.node import Node
from archdsl.ir.ops import ChannelMax, ChannelMean, ChannelShuffle, ReverseChannels, Slice
from archdsl.ir.ops.channels import group_size
from archdsl.schemas.annotations import Limits

Position = Annotated[int, Limits(ge=0, le=65_535)]


@block(name="slice")
def slice_channels(x: Node, *, start: Position = 0, stop: Width | None = None, groups: Groups = 1) -> Node:
    """The channels from `start` to before `stop`, by default to the last, of each of `groups`. (…, C) -> (…, C)."""
    return Slice(start, group_size(x.type, groups) if stop is None else stop, groups)(x, name="slice")


@block
def split(x: Node, *, parts: Groups = 2, part: Position = 0) -> Node:
    """One of `parts` equal parts of the channels, counted from 0. (…, C) -> (…, C/parts)."""
    size = group_size(x.type, parts, "parts")
    return Slice(part * size, (part + 1) * size)(x, name="part")


@block
def channel_shuffle(x: Node, *, groups: Groups = 2) -> Node:
    """The first channel of each group, then the second of each, … (ShuffleNet, Zhang et al. 2018). (…, C) -> (…, C)."""
    return ChannelShuffle(groups)(x, name="shuffle")


@block
def reverse_channels(x: Node) -> Node:
    """The last channel first: RGB as BGR, which networks trained with Caffe expect. (…, C) -> (…, C)."""
    return ReverseChannels()(x, name="reverse")


@block
def channel_mean(x: Node) -> Node:
    """Mean over the channels at each pixel. (H, W, C) -> (H, W, 1)."""
    return ChannelMean()(x, name="mean")


@block
def channel_max(x: Node) -> Node:
    """Largest value over the channels at each pixel. (H, W, C) -> (H, W, 1)."""
    return ChannelMax()(x, name="max")
