"""Nodes, operations and graphs: what plugin authors and passes rely on. Shapes are checked by hand."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

import archdsl
from archdsl.blocks import registry
from archdsl.blocks.conventions import Conventions
from archdsl.blocks.registry import Block, all_blocks, block, get_block
from archdsl.ir.cost import Weight
from archdsl.ir.graph import Graph, verify
from archdsl.ir.layout import Layout
from archdsl.ir.node import Node, ShapeError
from archdsl.ir.ops import (
    Activation,
    Add,
    AvgPool,
    BatchNorm,
    Concat,
    Conv2D,
    DepthwiseConv2D,
    Input,
    MaxPool,
    Pad,
    Slice,
    SpaceToDepth,
    Upsample,
)
from archdsl.ir.ops.windows import same_border
from archdsl.ir.types import FeatureMap

STYLE = Conventions(Activation("relu"), BatchNorm(), "same")


def image(height: int | None = 33, image_width: int | None = 40, channels: int = 6) -> Node:
    return Input(FeatureMap(height, image_width, channels))(name="input")


@pytest.mark.parametrize(
    ("op", "shape", "stride"),
    [
        (Conv2D(8, 3, 2), (17, 20, 8), 2),
        (Conv2D(8, 3, 2, "valid"), (16, 19, 8), 2),
        (Conv2D(8, 3, 1, "valid", dilation=2), (29, 36, 8), 1),
        (Conv2D(9, 5, 1, groups=3), (33, 40, 9), 1),
        (DepthwiseConv2D(3, 2), (17, 20, 6), 2),
        (MaxPool(3, 2), (17, 20, 6), 2),
        (MaxPool(2, 2, "valid"), (16, 20, 6), 2),
        (AvgPool(2, 2), (17, 20, 6), 2),
        (Pad(2), (37, 44, 6), 1),
        (Upsample(2), (66, 80, 6), 0.5),
        (Slice(1, 4), (33, 40, 3), 1),
    ],
)
def test_shapes_follow_the_sliding_window(op: archdsl.ir.node.Op, shape: tuple[int, int, int], stride: float) -> None:
    known = op(image()).type
    assert (known.shape, known.stride) == (shape, stride)
    unknown = op(image(None, None)).type
    assert (unknown.shape, unknown.stride) == ((None, None, shape[2]), stride)


def test_same_pads_as_little_as_lets_every_window_fit_and_more_after_than_before() -> None:
    for side, kernel, stride, dilation in product(range(1, 12), range(1, 5), range(1, 4), (1, 2)):
        windows = -(-side // stride)
        last = (windows - 1) * stride + dilation * (kernel - 1)  # the pixel that the last window ends on
        missing = max(last + 1 - side, 0)
        assert same_border(side, kernel, stride, dilation) == (missing // 2, missing - missing // 2)


def test_a_whole_stride_is_a_whole_number() -> None:
    """2 and 2.0 are one key of a cache: the text of a graph would depend on what was compiled before it."""
    halved = FeatureMap(8, 8, 4).strided(2)
    assert repr((halved.strides, halved.resized(8, 8, 4, factor=2).strides)) == "((2, 2), (1, 1))"
    assert repr(FeatureMap(8, 8, 4).resized(16, 8, 4, factor=(2, 1)).strides) == "(0.5, 1)"


def test_space_to_depth_halves_even_sides() -> None:
    assert SpaceToDepth()(image(32, 40)).type.shape == (16, 20, 24)
    with pytest.raises(ShapeError, match="a side of 33 is odd"):
        SpaceToDepth()(image())


def test_a_stride_prints_alike_by_whatever_way_it_is_reached() -> None:
    image = FeatureMap(64, 64, 3)
    around = image.strided((4, 4)).resized(32, 32, 3, factor=2)
    assert str(around.strides) == str(image.strided(2).strides) == "(2, 2)"
    assert str(image.resized(128, 96, 3, factor=(2, 1)).strides) == "(0.5, 1)"


def test_weights_and_macs_are_those_of_the_formula() -> None:
    conv = Conv2D(8, 3, 2, groups=2, bias=True)(image())
    assert conv.weights == (Weight("kernel", (3, 3, 3, 8)), Weight("bias", (8,)))
    assert conv.macs == 17 * 20 * 3 * 3 * (6 // 2) * 8
    depthwise = DepthwiseConv2D(5)(image())
    assert depthwise.weights == (Weight("kernel", (5, 5, 6, 1)),)
    assert depthwise.macs == 33 * 40 * 5 * 5 * 6
    assert Conv2D(8)(image(None)).macs is None
    norm = BatchNorm()(image())
    assert [(weight.size, weight.trainable) for weight in norm.weights] == [
        (6, True),
        (6, True),
        (6, False),
        (6, False),
    ]


@pytest.mark.parametrize(
    ("build", "fact"),
    [
        (lambda x: Conv2D(8, 3, 2, dilation=2)(x), "stride 2 and dilation 2 at once"),
        (lambda x: Conv2D(8, 3, groups=4)(x), "do not divide into 4 groups"),
        (lambda x: Conv2D(8, 64, padding="valid")(x), "a side of 33 is shorter than a window of 64"),
        (lambda x: Slice(2, 7)(x), "there is no range 2:7 among 6 channels"),
        (lambda x: Add()(x, Conv2D(7)(x)), "the channels differ"),
        (lambda x: Concat()(x, Conv2D(7, 3, 2)(x)), "their strides are 1 and 2"),
        (lambda x: Concat()(x, Conv2D(7, 3, padding="valid")(x)), "heights or widths differ"),
    ],
)
def test_what_does_not_fit_is_a_fact_with_the_nodes(build: object, fact: str) -> None:
    with pytest.raises(ShapeError) as caught:
        build(image())  # type: ignore[operator]
    assert fact in caught.value.fact
    assert "input (33x40x6)" in caught.value.fact


def test_an_unknown_side_takes_the_known_one() -> None:
    assert Add()(image(None, 40), image(33, None)).type.shape == (33, 40, 6)


def two_convolutions(x: Node, *, width: int, style: Conventions) -> Node:
    """A plugin's block that names nothing."""
    return Conv2D(width)(Conv2D(width, 3)(x))


def test_applying_is_pure_and_layout_gives_names() -> None:
    once = Block("twice", two_convolutions)(image(), width=4, style=STYLE, name="left")
    both = Add()(once, Block("twice", two_convolutions)(once, width=4, style=STYLE, name="right"), name="sum")
    layout = Layout()
    layout.place(both)
    assert [node.name for node in layout.nodes] == [
        "input",
        "left_conv2d",
        "left_conv2d_2",
        "right_conv2d",
        "right_conv2d_2",
        "sum",
    ]
    assert once.name == "left"


def test_a_block_that_does_nothing_adds_nothing() -> None:
    layout = Layout()
    x = layout.place(Block("twice", two_convolutions)(image(), width=4, style=STYLE), "a")
    assert layout.place(Block("nothing", lambda x: x)(x), "b") is x
    assert len(layout.nodes) == 3


def test_a_chain_of_thousands_of_nodes_is_laid_out() -> None:
    x = image()
    for _ in range(3_000):
        x = Pad(0)(x)
    layout = Layout()
    layout.place(x)
    assert len(layout.nodes) == 3_001


def test_a_graph_prints_as_text() -> None:
    config = {"stages": {"p1": {"width": 4, "down": {"block": "conv_bn_act", "kernel": 3, "stride": 2}}}}
    assert str(archdsl.compile_config(config, input_shape=(8, 8, 3))) == "\n".join(
        [
            "graph backbone",
            "  input = Input(shape=8x8x3)()  8x8x3",
            "  p1_down_conv = Conv2D(filters=4, kernel=3, stride=2)(input)  4x4x4",
            "  p1_down_bn = BatchNorm()(p1_down_conv)  4x4x4",
            "  p1_down_act = Activation(function=silu)(p1_down_bn)  4x4x4",
            "  levels: P1=p1_down_act",
            "  output: p1_down_act",
        ]
    )


def test_a_graph_and_its_nodes_are_shown_in_one_line_each() -> None:
    graph = archdsl.compile_config("resnet152_v2")
    assert repr(graph) == f"<Graph resnet152_v2, {len(graph.nodes)} nodes>"
    assert repr(graph.output) == f"<Node {graph.output}>"
    assert "\n" not in repr(Block("twice", two_convolutions)(image(), width=4, style=STYLE))


def test_verify_finds_what_a_wrong_pass_leaves_behind() -> None:
    graph = archdsl.compile_config("yolo_v8_xs_backbone", input_shape=(64, 64, 3))
    verify(graph)

    def broken(**changes: object) -> Graph:
        return replace(graph, **changes)  # type: ignore[arg-type]

    narrower = replace(graph.nodes[3], type=FeatureMap(32, 32, 1, 2))
    for wrong in (
        broken(nodes=graph.nodes[:-1]),
        broken(nodes=(*graph.nodes[:5], *graph.nodes[6:])),
        broken(nodes=(*graph.nodes, graph.nodes[-1])),
        broken(nodes=(*graph.nodes[:3], narrower, *graph.nodes[4:])),
        broken(output=image()),
    ):
        with pytest.raises(ValueError, match=r"two nodes|has not run yet|its operation gives|not in the graph"):
            verify(wrong)


def test_a_block_of_ones_own_is_used_and_its_arguments_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_blocks", dict(all_blocks()))

    @archdsl.block(name="squeeze")
    def squeeze(x: Node, *, ratio: float = 0.5) -> Node:
        """Fewer channels. (H, W, C) -> (H, W, ratio C)."""
        return Conv2D(int(x.channels * ratio))(x)

    config = {"stages": {"a": {"body": {"block": "squeeze"}}}, "input": {"shape": [8, 8, 4]}}
    assert archdsl.compile_config(config).output.channels == 2
    with pytest.raises(archdsl.ArchError, match=r"stages\.a\.body\.ratoi: unknown key 'ratoi' of block 'squeeze'"):
        archdsl.compile_config(config, ["+stages.a.body.ratoi=1.0"])
    with pytest.raises(archdsl.ArchError, match="expected a number, got text 'half'"):
        archdsl.compile_config(config, ["+stages.a.body.ratio=half"])


def test_one_name_for_two_blocks_is_refused_with_both_places() -> None:
    def c2f(x: Node) -> Node:
        return x

    with pytest.raises(
        archdsl.ArchError, match=r"'c2f' is defined twice, in .*csp\.py:\d+ and in .*test_graph\.py:\d+"
    ):
        block(c2f)
    assert "csp.py" in get_block("c2f").source


def test_every_block_says_what_it_is_and_what_it_gives() -> None:
    for name, found in all_blocks().items():
        assert found.summary, name
        assert "->" in (found.function.__doc__ or ""), name
