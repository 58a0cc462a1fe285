"""A block of your own: one function. Here the inverted residual of MobileNetV2.

python examples/add_a_block.py
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy

import archdsl
from archdsl.blocks import (
    Add,
    Conv2D,
    Conventions,
    Kernel,
    Node,
    Ratio,
    Stride,
    Width,
    Window,
    conv_bn_act,
    depthwise2d,
)


@archdsl.block
def inverted_residual(
    x: Node,
    *,
    width: Width,
    kernel: Kernel = 3,
    stride: Stride = 1,
    expansion: Ratio = 6.0,
    style: Conventions,
) -> Node:
    """Expand, filter each channel, project without activation (MobileNetV2, Sandler et al. 2018, figure 4d).

    (H, W, C) -> (H/stride, W/stride, width). Added to its input where the two have one shape.
    """
    deep = x
    if expansion != 1:
        deep = conv_bn_act(x, width=int(x.channels * expansion), style=style, name="expand")
    bias = style.norm is None  # a norm has one of its own
    deep = depthwise2d(deep, Window(kernel, stride), bias=bias, style=style)
    deep = style.activate(style.normalize(deep, name="depthwise_bn"), name="depthwise_act")
    deep = style.normalize(Conv2D(width, bias=bias)(deep, name="project"), name="project_bn")
    return Add()(x, deep, name="add") if deep.type == x.type else deep


# Table 2 of the paper, up to its last bottleneck. The stage's stride goes to the first of its blocks.
CONFIG = """
archdsl: 1
description: MobileNetV2
source: https://arxiv.org/abs/1801.04381
input: {shape: [null, null, 3], rescale: true}
conventions: {activation: relu6, padding: same, norm: {momentum: 0.99, epsilon: 1e-3}}
stem:
  conv: {block: conv_bn_act, width: 32, kernel: 3, stride: 2}
  first: {block: inverted_residual, width: 16, expansion: 1.0}
stage_defaults: {stride: 2, body: {block: inverted_residual}}
stages:
  p2: {width: 24, depth: 2}
  p3: {width: 32, depth: 3}
  p4: {width: 64, depth: 4, post: {wider: {block: inverted_residual, width: 96, depth: 3}}}
  p5: {width: 160, depth: 3, post: {wider: {block: inverted_residual, width: 320}}}
outputs: [p3, p4, p5]
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "mobilenet_v2.yaml"
        file.write_text(CONFIG)
        print(archdsl.analyze(file, input_shape=(224, 224, 3)).to_table())
        print("building the Keras model …", flush=True)
        model = archdsl.build_from_config(file)
    image = numpy.random.default_rng(0).uniform(0, 255, (1, 224, 224, 3))
    for level, features in model.features()(image).items():
        print(f"{level}: {tuple(features.shape)}")


if __name__ == "__main__":
    main()
