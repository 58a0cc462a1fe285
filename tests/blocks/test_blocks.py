"""The shipped blocks, one by one: shape, parameters counted by hand, structure; and all of them in one Keras model."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import keras

import archdsl
from archdsl.blocks.conventions import Conventions
from archdsl.blocks.registry import Block, all_blocks, get_block
from archdsl.ir.layout import Call, Layout, results_of
from archdsl.ir.node import Node, ShapeError
from archdsl.ir.ops import Activation, Add, BatchNorm, Conv2D, Crop, DepthwiseConv2D, Input, MaxPool, Pad, Slice
from archdsl.ir.types import FeatureMap, Tokens, Vector

STYLE = Conventions(Activation("silu"), BatchNorm(), "symmetric")
WITHOUT_NORM = Conventions(Activation("silu"), None, "symmetric")
SINGLE = {name: found for name, found in all_blocks().items() if len(found.inputs or ()) == 1}
FRAMES = {"pad", "crop", "global_avg_pool", "global_max_pool"}  # they change the sides and not the stride
OF_KNOWN_SIZE = {"flatten", "resize"}
OF_PLACES = {"attention", "transformer"}  # of which a vector has none
NEEDED = {"length": 5, "width": 16, "units": 9, "heads": 2, "height": 9, "image_width": 7}
SEVERAL = ["exchange", "bifpn"]  # maps of several sizes
HEADS = ["box_branch", "class_branch", "value_branch"]
READERS = {"dfl_boxes": "box_branch", "class_scores": "class_branch"}
ANCHORED = {
    "anchor_decode": {"from": "the_anchor_branch", "sizes": [[[10, 13], [16, 30], [33, 23]]]},
    "anchor_scores": {"from": "the_anchor_tower"},
    "delta_boxes": {"from": ["input", "the_anchor_tower"]},
}
PLACED = {
    "keypoints": {"from": "the_value_branch"},
    "all_places": {"from": "the_value_branch"},
    "rotated_boxes": {"from": ["the_box_branch", "angle"]},
    "learned_tokens": {"from": "input", "length": 5, "width": 8},
    "transpose": {"from": "the_to_tokens"},
    "cross_attention": {"from": ["the_to_tokens", "the_learned_tokens"], "heads": 3},
}
RESIZED = {
    "resize_like": {"from": ["the_to_map", "input"]},
    "pixel_shuffle": {"from": "the_space_to_depth"},
}
STRIDED = {name for name, found in SINGLE.items() if "stride" in found.parameters} - {"pad"}
SHIPPED = {name: found for name, found in all_blocks().items() if "archdsl/blocks" in found.source}


def image(height: int | None = 32, image_width: int | None = 48, channels: int = 24) -> Node:
    return Input(FeatureMap(height, image_width, channels))(name="input")


def applied(name: str, x: Node, style: Conventions = STYLE, **arguments: Any) -> Node:
    """The block on `x`; a width of 16 where it needs one and nothing else is said."""
    found = get_block(name)
    given = {**{key: value for key, value in NEEDED.items() if key in found.parameters}, **arguments}
    return found(x, **given, **({"style": style} if found.takes_style else {}))


def nodes(result: Node) -> list[Node]:
    """Everything inside a block, under its names there; a block of one operation is that."""
    if not isinstance(result.op, Call):
        return [result]
    layout = Layout()
    layout.expand(result.op.body, [layout.place(source) for source in result.inputs])
    return layout.nodes


def params(result: Node) -> int:
    return sum(weight.size for node in nodes(result) for weight in node.weights)


def ops_of(result: Node, kind: type[Any]) -> list[Any]:
    return [node.op for node in nodes(result) if isinstance(node.op, kind)]


def named(result: Node, name: str) -> Node:
    return next(node for node in nodes(result) if node.name == name)


def sources(result: Node, name: str) -> list[str]:
    """What the node called `name` reads."""
    return [source.name for source in named(result, name).inputs]


# Shapes


def arrow(block: Block) -> tuple[str, str]:
    """The shapes before and after the first arrow in the block's docstring: "H, W, C", "N, C", "…, C" for any."""
    found = re.search(r"\(([^)]*)\) -> \(([^)]*)\)", block.function.__doc__ or "")
    assert found, f"block {block.name} has no shape arrow"
    return found[1], found[2]


def promised(block: Block, x: Node, width: int) -> tuple[int, ...]:
    """The shape that the arrow gives for an input, with the block's default arguments."""
    before, after = arrow(block)
    places = ", ".join(map(str, x.type.shape[:-1]))
    letters = before.removeprefix("…, ").split(", ")
    values = {name: parameter.default for name, parameter in block.parameters.items()} | NEEDED
    values |= {"H": 2, "W": 4, **dict(zip(letters, x.type.shape[-len(letters) :], strict=True)), "width": width}
    formulas = re.sub(r"(?<=\w) (?=\w)", " * ", after.replace("…", places)).strip(", ").split(",")
    return tuple(int(eval(formula, {"__builtins__": {}}, values)) for formula in formulas if formula.strip())


def inputs_of(block: Block) -> list[Node]:
    """One input of each type that the block promises to take."""
    before, _ = arrow(block)
    tokens, vector = Input(Tokens(9, 24, (2, 4), extra=1))(), Input(Vector(24))()  # type: ignore[arg-type]
    several = [image(), tokens] if block.name in OF_PLACES else [image(), tokens, vector]
    return {"H, W, C": [image()], "N, C": [tokens], "…, C": several}[before]


@pytest.mark.parametrize("name", SINGLE)
def test_a_block_gives_the_shape_of_its_arrow(name: str) -> None:
    for x in inputs_of(SINGLE[name]):
        assert applied(name, x).type.shape == promised(SINGLE[name], x, width=16)


@pytest.mark.parametrize("name", [name for name, found in SINGLE.items() if arrow(found)[0] != "N, C"])
def test_a_block_gives_the_same_for_an_image_of_any_size(name: str) -> None:
    known = applied(name, image())
    if name in OF_KNOWN_SIZE:
        with pytest.raises(ShapeError, match="size is not known"):
            applied(name, image(None, None))
        return
    unknown = applied(name, image(None, None))
    height = known.type.shape[0] if isinstance(known.type, FeatureMap) else 32
    assert unknown.channels == known.channels
    assert unknown.type.stride == known.type.stride == (1 if name in FRAMES else 32 / height)
    assert params(unknown) == params(known)


@pytest.mark.parametrize("name", sorted(STRIDED))
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_a_block_with_stride_rounds_odd_sides_up(name: str, stride: int) -> None:
    for style in (STYLE, Conventions(Activation("relu"), BatchNorm(), "same")):
        arguments = {"stride": stride, "style": style, **({"kernel": 3} if "pool" in name else {})}
        shape = applied(name, image(33, 35), **arguments).type.shape
        assert shape[:2] == (-(-33 // stride), -(-35 // stride))


@pytest.mark.parametrize("name", ["a_conv", "a_down"])
def test_a_conv_and_a_down_round_odd_sides_down(name: str) -> None:
    assert applied(name, image(33, 35)).type.shape == (16, 17, 16)


@pytest.mark.parametrize("name", [name for name, found in SINGLE.items() if "width" in found.parameters])
@pytest.mark.parametrize("width", [1, 2, 15])
def test_every_width_is_possible(name: str, width: int) -> None:
    assert applied(name, image(), width=width).channels == width


def test_one_channel_cannot_be_split_by_a_down() -> None:
    with pytest.raises(ShapeError, match="there is no range 1:1 among 1 channels"):
        applied("a_down", image(channels=1))


# Parameters, counted by hand


def cba(channels: int, width: int, kernel: int = 1, groups: int = 1) -> int:
    """A convolution without bias, and the four arrays of its batch norm."""
    return kernel**2 * channels // groups * width + 4 * width


def depthwise(channels: int, kernel: int) -> int:
    return kernel**2 * channels + 4 * channels


def csp_by_hand(channels: int, width: int, inner: int) -> int:
    """Two branches of half the width and the fusing convolution, around bottlenecks of `inner` parameters."""
    half = width // 2
    return 2 * cba(channels, half) + inner + cba(2 * half, width)


def elan_by_hand(channels: int, width: int, hidden: int, convolutions: int, kept: int) -> int:
    return 2 * cba(channels, hidden) + convolutions * cba(hidden, hidden, 3) + cba(kept * hidden, width)


REP_NCSP = csp_by_hand(32, 32, 3 * (cba(16, 16, 3) + cba(16, 16) + cba(16, 16, 3)))  # 3 bottlenecks, 32 -> 32

# Input of 32 channels; what the block is given; its parameters.
BY_HAND: list[tuple[str, dict[str, Any], int]] = [
    ("conv", {"width": 64, "kernel": 3}, 9 * 32 * 64 + 64),
    ("conv_bn_act", {"width": 64, "kernel": 3, "groups": 4}, cba(32, 64, 3, 4)),
    ("depthwise_conv_bn_act", {"width": 64}, depthwise(32, 3) + cba(32, 64)),
    ("residual", {"width": 32}, cba(32, 16) + cba(16, 32, 3)),
    ("residual", {"width": 64}, cba(32, 32) + cba(32, 64, 3) + cba(32, 64)),
    ("bottleneck", {"width": 64, "expansion": 1.0}, cba(32, 64) + cba(64, 64, 3)),
    ("csp", {"width": 64, "depth": 2}, csp_by_hand(32, 64, 2 * (cba(32, 32) + cba(32, 32, 3)))),
    ("c3", {"width": 64, "depth": 2}, csp_by_hand(32, 64, 2 * (cba(32, 32) + cba(32, 32, 3)))),
    (
        "csp",
        {"width": 64, "depth": 2, "transition": True},
        csp_by_hand(32, 64, 2 * (cba(32, 32) + cba(32, 32, 3)) + cba(32, 32)),
    ),
    (
        "csp",  # the first stage of CSPDarknet-53: both branches as wide as the stage
        {"width": 64, "transition": True, "expansion": 1.0, "bottleneck_expansion": 0.5},
        2 * cba(32, 64) + cba(64, 32) + cba(32, 64, 3) + cba(64, 64) + cba(128, 64),
    ),
    ("c2f", {"width": 64, "depth": 2}, cba(32, 64) + 4 * cba(32, 32, 3) + cba(4 * 32, 64)),
    ("elan", {"width": 64}, elan_by_hand(32, 64, 16, convolutions=4, kept=4)),
    ("elan", {"width": 64, "depth": 3}, elan_by_hand(32, 64, 16, convolutions=6, kept=5)),
    ("elan", {"width": 64, "convolutions": 1, "expansion": 0.5}, elan_by_hand(32, 64, 32, convolutions=2, kept=4)),
    ("e_elan", {"width": 64}, 2 * elan_by_hand(32, 64, 16, convolutions=4, kept=4)),
    ("e_elan", {"width": 64, "cardinality": 3}, 3 * elan_by_hand(32, 64, 16, convolutions=4, kept=4)),
    ("mp_down", {"width": 64}, cba(32, 32) + cba(32, 32, 3) + cba(32, 32)),
    ("a_conv", {"width": 64}, cba(32, 64, 3)),
    ("a_down", {"width": 64}, cba(16, 32, 3) + cba(16, 32)),
    ("factorized_down", {"width": 64}, 2 * 32 * 32 + 4 * 64),
    ("factorized_down", {"width": 63}, 32 * 63 + 4 * 63),
    ("rep_conv", {"width": 32}, cba(32, 32, 3) + cba(32, 32) + 4 * 32),
    ("rep_conv", {"width": 32, "identity": False}, cba(32, 32, 3) + cba(32, 32)),
    ("rep_conv", {"width": 32, "stride": 2}, cba(32, 32, 3) + cba(32, 32)),
    ("rep_conv", {"width": 64, "groups": 2}, cba(32, 64, 3, 2) + cba(32, 64, 1, 2)),
    ("rep_ncsp", {"width": 32, "depth": 3}, REP_NCSP),
    ("rep_ncsp_elan", {"width": 64, "depth": 3}, cba(32, 64) + 2 * (REP_NCSP + cba(32, 32, 3)) + cba(4 * 32, 64)),
    ("spp", {"width": 64}, cba(32, 32) + cba(4 * 32, 64)),
    ("sppf", {"width": 64}, cba(32, 16) + cba(4 * 16, 64)),
    ("spp_elan", {"width": 64}, cba(32, 32) + cba(4 * 32, 64)),
    (
        "spp_csp",  # two branches, two convolutions before the pooling, two after it, and the fusing one
        {"width": 64},
        2 * cba(32, 64) + 2 * cba(64, 64, 3) + cba(64, 64) + cba(4 * 64, 64) + cba(2 * 64, 64),
    ),
    ("ghost_conv", {"width": 64, "kernel": 3}, cba(32, 32, 3) + depthwise(32, 3)),
    ("ghost_conv", {"width": 63, "ghost_kernel": 5}, cba(32, 32) + depthwise(31, 5)),
    ("squeeze_excite", {}, 2 * 32 * 2),
    ("squeeze_excite", {"expansion": 0.25}, 2 * 32 * 8),
    ("cbam", {}, 2 * 32 * 2 + 7 * 7 * 2),
    ("focus", {}, 0),
    ("space_to_depth", {}, 0),
    ("identity", {}, 0),
]


@pytest.mark.parametrize(("name", "arguments", "count"), BY_HAND)
def test_a_block_has_the_parameters_counted_by_hand(name: str, arguments: dict[str, Any], count: int) -> None:
    assert params(applied(name, image(channels=32), **arguments)) == count


@pytest.mark.parametrize("name", [name for name, found in SINGLE.items() if found.takes_style])
def test_without_norm_no_batch_norm_is_left(name: str) -> None:
    assert not ops_of(applied(name, image(), WITHOUT_NORM), BatchNorm)


@pytest.mark.parametrize("name", ["csp", "c2f", "c3", "elan", "e_elan", "rep_ncsp", "rep_ncsp_elan"])
def test_what_repeats_inside_grows_evenly_with_depth(name: str) -> None:
    sizes = [params(applied(name, image(), depth=depth)) for depth in (1, 2, 3)]
    assert sizes[2] - sizes[1] == sizes[1] - sizes[0] > 0


# Structure


def test_residual_adds_its_input_or_a_projection_where_the_input_does_not_fit() -> None:
    same = applied("residual", image(channels=16))
    assert sources(same, "add") == ["input", "conv_act"]
    wider = applied("residual", image(channels=8), stride=2)
    assert sources(wider, "add") == ["project_bn", "conv_act"]
    assert named(wider, "project_conv").op == Conv2D(16, 1, 2)


def test_bottleneck_adds_its_input_only_where_it_fits_and_is_asked_for() -> None:
    assert len(ops_of(applied("bottleneck", image(channels=16)), Add)) == 1
    for channels, arguments in ((16, {"residual": False}), (24, {}), (16, {"stride": 2})):
        assert not ops_of(applied("bottleneck", image(channels=channels), **arguments), Add)


def test_c3_is_csp_under_another_name() -> None:
    first, second = (nodes(applied(name, image(), depth=3, residual=False)) for name in ("c3", "csp"))
    assert [str(node) for node in first] == [str(node) for node in second]


def test_csp_has_its_transition_between_the_bottlenecks_and_the_other_branch() -> None:
    assert sources(applied("csp", image(), depth=2, transition=True), "concat") == ["transition_act", "short_act"]
    assert sources(applied("csp", image(), transition=True), "transition_conv") == ["1_add"]


def test_elan_keeps_every_step_and_both_branches() -> None:
    assert sources(applied("elan", image(), depth=3), "concat") == [
        "conv6_act",
        "conv4_act",
        "conv2_act",
        "deep_act",
        "short_act",
    ]


def test_e_elan_is_the_sum_of_elans_side_by_side() -> None:
    assert sources(applied("e_elan", image(), cardinality=3), "add") == [
        "group1_fuse_act",
        "group2_fuse_act",
        "group3_fuse_act",
    ]


def test_rep_conv_has_an_identity_where_it_fits() -> None:
    fits = applied("rep_conv", image(channels=16))
    assert sources(fits, "add") == ["dense_bn", "pointwise_bn", "identity_bn"]
    for channels, arguments in ((16, {"identity": False}), (24, {}), (16, {"stride": 2})):
        assert sources(applied("rep_conv", image(channels=channels), **arguments), "add") == [
            "dense_bn",
            "pointwise_bn",
        ]


def test_rep_conv_activates_once_after_the_sum() -> None:
    assert ops_of(applied("rep_conv", image(), activation="relu"), Activation) == [Activation("relu")]
    assert nodes(applied("rep_conv", image()))[-1].inputs[0].op == Add()


def test_rep_ncsp_elan_splits_one_convolution_and_keeps_every_step() -> None:
    result = applied("rep_ncsp_elan", image())
    assert sources(result, "halves") == ["split_act"]
    assert sources(result, "concat") == ["short", "deep", "1_conv_act", "2_conv_act"]


def test_factorized_down_convolves_pixels_at_even_and_at_odd_places() -> None:
    made = applied("factorized_down", image(33, 35), width=15)
    assert made.type.shape == (17, 18, 15)
    assert sources(made, "concat") == ["even_conv", "odd_conv"]
    assert named(made, "pad").op == Pad(((0, 1), (0, 1)))
    assert named(made, "crop").op == Crop(((1, 0), (1, 0)))


def test_an_exchange_sums_every_map_in_every_size() -> None:
    """HRNet, figure 3: a finer map is halved step by step, a coarser one is projected, then enlarged."""
    maps = [
        Input(FeatureMap(32 // 2**step, 64 // 2**step, 8 * 2**step, 4 * 2**step))(name=f"x{step}") for step in range(3)
    ]
    made = get_block("exchange")(*maps, style=STYLE)
    results = results_of(made)
    assert [node.type for node in results.values()] == [node.type for node in maps]
    assert sources(made, "add1") == ["x0", "from2_to1_up", "from3_to1_up"]
    assert sources(made, "add3") == ["from1_to3_bn", "from2_to3_bn", "x2"]
    assert sources(made, "from1_to3_pad") == ["from1_to3_1_act"]
    up = cba(16, 8) + cba(32, 8) + cba(32, 16)
    down = cba(8, 16, 3) + cba(8, 8, 3) + cba(8, 32, 3) + cba(16, 32, 3)
    assert params(made) == up + down


@pytest.mark.parametrize("depth", [1, 3])
def test_a_bifpn_sums_each_map_with_its_neighbours_down_and_up(depth: int) -> None:
    """EfficientDet, figure 3d: of 5 levels, 8 sums a layer; equations of section 3.3 for P6."""
    maps = [Input(FeatureMap(64 // 2**step, 32 // 2**step, 24, 8 * 2**step))(name=f"p{step + 3}") for step in range(5)]
    made = get_block("bifpn")(*maps, depth=depth, style=STYLE)
    assert [node.type for node in results_of(made).values()] == [node.type for node in maps]
    assert sources(made, "layer1_down4_add") == ["p6", "layer1_up4"]
    assert sources(made, "layer1_sum4_add") == ["p6", "layer1_down4_act", "layer1_pool4_pool"]
    assert sources(made, "layer1_sum5_add") == ["p7", "layer1_pool5_pool"]
    factors = 2 + 2 + 2 + 2 + 3 + 3 + 3 + 2
    assert params(made) == depth * (8 * (3 * 3 * 24 + 24 * 24 + 4 * 24) + factors)


def test_mp_down_joins_a_convolution_and_a_pooling() -> None:
    assert sources(applied("mp_down", image()), "concat") == ["conv_act", "pooled_act"]
    assert ops_of(applied("mp_down", image()), MaxPool) == [MaxPool(2, 2)]


def test_a_down_sends_each_half_of_the_channels_its_own_way() -> None:
    result = applied("a_down", image(channels=25), width=15)
    assert ops_of(result, Slice) == [Slice(0, 13), Slice(13, 25)]
    assert [op.filters for op in ops_of(result, Conv2D)] == [8, 7]


def test_spp_csp_pools_in_parallel_and_spp_elan_in_a_row() -> None:
    parallel = [node for node in nodes(applied("spp_csp", image())) if isinstance(node.op, MaxPool)]
    assert [(node.op, node.inputs[0].name) for node in parallel] == [
        (MaxPool(size, 1), "before2_act") for size in (5, 9, 13)
    ]
    row = [node for node in nodes(applied("spp_elan", image())) if isinstance(node.op, MaxPool)]
    assert [node.inputs[0].name for node in row] == ["reduce_act", "pool1", "pool2"]


def test_ghost_conv_filters_its_own_result() -> None:
    result = applied("ghost_conv", image(), ghost_kernel=5, width=16)
    assert sources(result, "concat") == ["whole_act", "ghost_act"]
    assert ops_of(result, DepthwiseConv2D) == [DepthwiseConv2D(5)]


# In Keras


def config_of_every_block() -> dict[str, Any]:
    """Every shipped block once: those for maps in a row, those for tokens, vectors of both, those that merge."""
    layers: dict[str, Any] = {"begin": {"block": "conv", "width": 8}}

    def add(names: list[str], **source: Any) -> str:
        for name in names:
            given = {key: value for key, value in NEEDED.items() if key in SHIPPED[name].parameters}
            given |= {"stride": 1} if name == "sc_down" else {}  # others make the map small enough
            layers[f"the_{name}"] = {"block": name, **given, **source}
        return list(layers)[-1]

    kinds = {name: arrow(SINGLE[name]) for name in SHIPPED if name in SINGLE}
    vectors = [name for name, (_, after) in kinds.items() if after in ("C", "H W C")]
    rest = [name for name in kinds if name not in (*vectors, *PLACED, *RESIZED, "to_tokens", "to_map", "stop_gradient")]
    of_tokens = [name for name in rest if kinds[name][0] == "N, C"]
    add([name for name in rest if name not in of_tokens])
    for name in SEVERAL:
        layers[f"{name}_half"] = {"block": "max_pool"}
        add([name], **{"from": list(layers)[-2:]})
        layers[f"{name}_coarse"] = {"block": "upsample", "from": f"the_{name}_map2"}
        layers[f"{name}_sum"] = {"block": "add", "from": [f"the_{name}_map1", f"{name}_coarse"]}
    last_token = add(["to_tokens", *of_tokens])
    last_map = add(["to_map"])
    last_fixed = add(["stop_gradient"], **{"from": last_map})
    add(HEADS, **{"from": [last_fixed, last_map]})
    for name, branch in READERS.items():
        add([name], **{"from": f"the_{branch}"})
    layers["found"] = {"block": "concat", "from": [f"the_{name}" for name in READERS]}
    layers["found_mean"] = {"block": "token_mean"}
    layers["angle"] = {"block": "conv", "filters": 1, "from": "the_value_branch"}
    for name, given in {**ANCHORED, **PLACED, **RESIZED}.items():
        layers[f"the_{name}"] = {"block": name, **given}
    read = ["anchor_decode_boxes", "anchor_decode_scores", "anchor_scores", "delta_boxes", *PLACED]
    means = ["found_mean", *[f"mean_{name}" for name in read]]
    layers |= {f"mean_{name}": {"block": "token_mean", "from": f"the_{name}"} for name in read}
    layers |= {f"mean_{name}": {"block": "global_avg_pool", "from": f"the_{name}"} for name in RESIZED}
    means += [f"mean_{name}" for name in RESIZED]
    for name in vectors:
        add([name], **{"from": last_token if kinds[name][0] == "N, C" else last_map})
    layers["joined"] = {"block": "concat", "from": [*means, *[f"the_{name}" for name in vectors]]}
    placed = (*HEADS, *READERS, *ANCHORED, *PLACED, *RESIZED, *SEVERAL)
    merging = [name for name in SHIPPED if name not in (*SINGLE, *placed)]
    for name in sorted(merging, key="subtract".__eq__):
        last = list(layers)[-1]
        add([name], **{"from": [last, last]})
    layers["end"] = {"block": "concat", "from": list(layers)[-2:]}  # a difference of equal numbers is nothing
    return {
        "input": {"shape": [256, 128, 3]},
        "conventions": {"activation": "mish", "padding": "symmetric"},
        "stages": {"all": {"post": layers}},
    }


@pytest.fixture(scope="module")
def every_block() -> archdsl.Backbone:
    keras.utils.set_random_seed(0)
    return archdsl.build_from_config(config_of_every_block())


def photo() -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 1, (2, 256, 128, 3)).astype("float32")


@pytest.fixture(scope="module")
def given_by_every_block(every_block: archdsl.Backbone) -> np.ndarray:
    return np.asarray(every_block(photo()))


@pytest.mark.keras
def test_every_block_in_one_model_gives_finite_numbers(
    every_block: archdsl.Backbone, given_by_every_block: np.ndarray
) -> None:
    used = {node.origin.path.rpartition("the_")[2] for node in every_block.graph.nodes if "the_" in node.origin.path}
    assert used == set(SHIPPED)
    assert np.isfinite(given_by_every_block).all()
    assert given_by_every_block.std() > 0


@pytest.mark.keras
@pytest.mark.parametrize("plain", [False, True])
def test_every_block_is_saved_and_loaded_in_safe_mode(
    every_block: archdsl.Backbone, given_by_every_block: np.ndarray, plain: bool, tmp_path: Path
) -> None:
    model = every_block.to_keras() if plain else every_block
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    assert np.array_equal(np.asarray(loaded(photo())), given_by_every_block)


@pytest.mark.keras
def test_every_block_passes_gradients_to_every_weight(every_block: archdsl.Backbone) -> None:
    import tensorflow as tf

    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.square(every_block(photo(), training=True)))
    gradients = tape.gradient(loss, [weight.value for weight in every_block.trainable_weights])
    assert all(gradient is not None and np.isfinite(gradient).all() for gradient in gradients)


def model_of(block: str, **arguments: Any) -> keras.Model:
    keras.utils.set_random_seed(1)
    config = {"input": {"shape": [None, None, 8]}, "stages": {"only": {"body": {"block": block, **arguments}}}}
    return archdsl.build_from_config(config)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def features() -> np.ndarray:
    return np.random.default_rng(2).normal(size=(2, 12, 9, 8)).astype("float32")


def perceptron(model: keras.Model, x: np.ndarray) -> np.ndarray:
    """relu(x W₀) W₁ with the weights of `model`."""
    first, second = (np.asarray(model.get_layer(f"only_body_{name}").kernel)[0, 0] for name in ("reduce", "restore"))
    return np.maximum(x @ first, 0) @ second


@pytest.mark.keras
def test_squeeze_excite_is_the_equations_of_its_paper() -> None:
    model, x = model_of("squeeze_excite", expansion=0.5, activation="relu"), features()
    expected = x * sigmoid(perceptron(model, x.mean((1, 2), keepdims=True)))
    np.testing.assert_allclose(np.asarray(model(x)), expected, atol=1e-5)


@pytest.mark.keras
def test_cbam_is_the_equations_of_its_paper() -> None:
    model, x = model_of("cbam", expansion=0.5, kernel=3, activation="relu"), features()
    mean, most = x.mean((1, 2), keepdims=True), x.max((1, 2), keepdims=True)
    x = x * sigmoid(perceptron(model, mean) + perceptron(model, most))  # equation 2
    pixels = np.stack([x.mean(-1), x.max(-1)], axis=-1)
    kernel = np.asarray(model.get_layer("only_body_pixel_conv").kernel)
    gate = np.asarray(keras.ops.conv(pixels, kernel, padding="same"))  # equation 3
    np.testing.assert_allclose(np.asarray(model(features())), x * sigmoid(gate), atol=1e-5)
