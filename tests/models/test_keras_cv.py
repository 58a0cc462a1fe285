"""Our backbones give keras_cv's numbers with keras_cv's weights, at every level, for presets and for any lists.

Drawn lists come from a seed, printed by the test; ARCHDSL_SEED=N draws the same ones again.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import pytest

import archdsl
from archdsl.frontend.importers import keras_cv as keras_cv_configs

keras_cv = pytest.importorskip("keras_cv")

import keras  # noqa: E402
from keras_cv.src.models.backbones.resnet_v2 import resnet_v2_backbone  # noqa: E402
from support import oracle  # noqa: E402

Arguments = Mapping[str, Any]

IMAGE_SIZES = ((64, 64), (96, 160))
TOLERANCE = 1e-5  # of the largest value of the map, in float32
SEED = int(os.environ.get("ARCHDSL_SEED", random.randrange(1_000_000)))
DRAWS = 30

FAMILIES: Mapping[str, tuple[str, Callable[..., dict[str, Any]]]] = {
    "yolo_v8": ("YOLOV8Backbone", keras_cv_configs.yolo_v8),
    "csp_darknet": ("CSPDarkNetBackbone", keras_cv_configs.csp_darknet),
    "resnet_v2": ("ResNetV2Backbone", keras_cv_configs.resnet_v2),
}

# Arguments and parameter counts of keras_cv 0.9.0's presets (its *_backbone_presets.py; counts by count_params).
YOLO_V8 = {
    "yolo_v8_xs_backbone": ([32, 64, 128, 256], [1, 2, 2, 1], 1_277_680),
    "yolo_v8_s_backbone": ([64, 128, 256, 512], [1, 2, 2, 1], 5_089_760),
    "yolo_v8_m_backbone": ([96, 192, 384, 576], [2, 4, 4, 2], 11_872_464),
    "yolo_v8_l_backbone": ([128, 256, 512, 512], [3, 6, 6, 3], 19_831_744),
    "yolo_v8_xl_backbone": ([160, 320, 640, 640], [3, 6, 6, 3], 30_972_080),
}
CSP_DARKNET = {
    "csp_darknet_tiny": ([48, 96, 192, 384], [1, 3, 3, 1], 2_380_416),
    "csp_darknet_s": ([64, 128, 256, 512], [1, 3, 3, 1], 4_223_488),
    "csp_darknet_m": ([96, 192, 384, 768], [2, 6, 6, 2], 12_374_400),
    "csp_darknet_l": ([128, 256, 512, 1024], [3, 9, 9, 3], 27_111_424),
    "csp_darknet_xl": ([170, 340, 680, 1360], [4, 12, 12, 4], 56_837_970),
}
RESNET_V2 = {
    "resnet18_v2": ("basic_block", [2, 2, 2, 2], 11_183_488),
    "resnet34_v2": ("basic_block", [3, 4, 6, 3], 21_299_072),
    "resnet50_v2": ("block", [3, 4, 6, 3], 23_564_800),
    "resnet101_v2": ("block", [3, 4, 23, 3], 42_626_560),
    "resnet152_v2": ("block", [3, 8, 36, 3], 58_331_648),
}
TRAINED = [  # the same architectures, published with weights
    *[f"{name}_coco" for name in YOLO_V8],
    *[f"{name}_imagenet" for name in ("csp_darknet_tiny", "csp_darknet_l", "resnet50_v2")],
]
PARAMS = {name: row[2] for table in (YOLO_V8, CSP_DARKNET, RESNET_V2) for name, row in table.items()}
ARCHITECTURES: Mapping[str, tuple[str, Arguments]] = {
    **{
        name: (family, {"stackwise_channels": channels, "stackwise_depth": depth})
        for family, table in (("yolo_v8", YOLO_V8), ("csp_darknet", CSP_DARKNET))
        for name, (channels, depth, _) in table.items()
    },
    **{
        name: (
            "resnet_v2",
            {
                "stackwise_filters": [64, 128, 256, 512],
                "stackwise_blocks": blocks,
                "stackwise_strides": [1, 2, 2, 2],
                "block_type": block_type,
            },
        )
        for name, (block_type, blocks, _) in RESNET_V2.items()
    },
}
SAMPLE = ["yolo_v8_xs_backbone", "csp_darknet_tiny", "resnet18_v2", "resnet50_v2"]


def sample_and_all(sample: Iterable[Any], everything: Iterable[Any]) -> list[Any]:
    """Parameters of a test: a sample for every run, and everything for `-m full`."""
    return [*sample, *[pytest.param(case, marks=pytest.mark.full, id=f"full-{case}") for case in everything]]


@pytest.fixture(autouse=True)
def fresh_keras():
    """No model outlives its test: the larger ones take a quarter of a gigabyte each."""
    yield
    keras.utils.clear_session()


@pytest.mark.parametrize("name", sample_and_all(SAMPLE, ARCHITECTURES))
def test_presets_give_keras_cvs_numbers(name):
    family, arguments = ARCHITECTURES[name]
    theirs, ours = in_keras_cv(family, arguments), archdsl.build_from_config(name)
    assert list(ours.pyramid_level_inputs) == [level for level in theirs.pyramid_level_inputs if level != "P1"]
    assert theirs.count_params() == ours.count_params() == PARAMS[name]
    assert_same_outputs(theirs, ours)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_presets_are_what_their_constructor_arguments_say(name):
    family, arguments = ARCHITECTURES[name]
    written = archdsl.compile_config(FAMILIES[family][1](**arguments))
    shipped = archdsl.compile_config(name)
    assert [str(node) for node in shipped.nodes] == [str(node) for node in written.nodes]


@pytest.mark.parametrize("name", [*ARCHITECTURES, *TRAINED])
def test_presets_have_keras_cvs_number_of_parameters(name):
    published = PARAMS[name.removesuffix("_coco").removesuffix("_imagenet")]
    assert archdsl.analyze(name, input_shape=(None, None, 3)).params == published


@pytest.mark.parametrize("family", ["yolo_v8", "csp_darknet"])
def test_pooling_windows_are_keras_cvs(family):
    """On a last map of 16 × 16 and more: a preset's is so small that every window covers all of it."""
    assert_family_agrees(family, {"stackwise_channels": [16], "stackwise_depth": [1]})


@pytest.mark.parametrize("depths", sample_and_all([[1, 2, 1]], [[2, 1, 1, 1, 3]]), ids=str)
def test_depthwise_csp_darknet_gives_keras_cvs_numbers(depths):
    channels = [24, 40, 52, 36, 64][: len(depths)]
    assert_family_agrees(
        "csp_darknet", {"stackwise_channels": channels, "stackwise_depth": depths, "use_depthwise": True}
    )


@pytest.mark.parametrize(
    ("dilations", "block_type"),
    [
        ([1, 1, 2, 4], "block"),
        ([1, 2, 1, 1], "basic_block"),
        pytest.param([1, 1, 2, 4], "basic_block", marks=pytest.mark.full),
        pytest.param([1, 2, 1, 1], "block", marks=pytest.mark.full),
    ],
    ids=str,
)
def test_dilated_resnet_gives_keras_cvs_numbers(dilations, block_type):
    """A dilated stack keeps its resolution and begins with one undilated block."""
    arguments = {
        "stackwise_filters": [64, 32, 48, 24],
        "stackwise_blocks": [2, 2, 3, 2],
        "stackwise_strides": [1, 2, 2, 2],
        "stackwise_dilations": dilations,
        "block_type": block_type,
    }
    assert_family_agrees("resnet_v2", arguments)


@pytest.mark.parametrize("block_type", ["basic_block", "block"])
def test_a_stack_of_one_block_projects_and_strides_in_it(monkeypatch, block_type):
    """keras_cv cannot build such a stack (it runs the block twice, under one name), but its block can be asked."""
    monkeypatch.setattr(resnet_v2_backbone, "apply_stack", one_block)
    arguments = {
        "stackwise_filters": [64, 32, 48],
        "stackwise_blocks": [1, 1, 1],
        "stackwise_strides": [1, 2, 3],
        "block_type": block_type,
    }
    assert_family_agrees("resnet_v2", arguments)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("number", sample_and_all(range(1), range(DRAWS)))
def test_any_lists_give_keras_cvs_numbers(family, number):
    arguments = DRAWN[family](random.Random(f"{SEED} {family} {number}"))
    print(f"ARCHDSL_SEED={SEED}: {family}({arguments})")
    assert_family_agrees(family, arguments)


# What "the same" means


def assert_family_agrees(family: str, arguments: Arguments) -> None:
    theirs = in_keras_cv(family, arguments)
    ours = archdsl.build_from_config(FAMILIES[family][1](**arguments))
    assert theirs.count_params() == ours.count_params()
    assert_same_outputs(theirs, ours)


def in_keras_cv(family: str, arguments: Arguments) -> keras.Model:
    return getattr(keras_cv.models, FAMILIES[family][0])(**arguments, include_rescaling=True)


def assert_same_outputs(theirs: keras.Model, ours: keras.Model) -> None:
    """Equal maps at every level and at the end, and batch norms that will train alike."""
    assert_same_norms(theirs, ours)
    oracle.copy_weights(theirs, ours)
    our_levels = ours.features(list(ours.graph.levels)).output.values()
    their_ends = keras.Model(theirs.inputs[0], [*oracle.levels(theirs), theirs.outputs[0]])
    our_ends = keras.Model(ours.inputs[0], [*our_levels, ours.outputs[0]])
    differences = [
        relative_difference(np.asarray(expected), np.asarray(got))
        for images in images_of_all_sizes()
        for expected, got in zip(their_ends(images), our_ends(images), strict=True)
    ]
    print(f"{ours.name}: {len(differences)} maps, largest relative difference {max(differences):.1e}")
    assert max(differences) <= TOLERANCE


def assert_same_norms(theirs: keras.Model, ours: keras.Model) -> None:
    """Momentum cannot be seen in an output, nor a small error of epsilon."""
    for name, layer in oracle.corresponding_layers(theirs, ours).items():
        if isinstance(layer, keras.layers.BatchNormalization):
            our_layer = ours.get_layer(name)
            assert (our_layer.momentum, our_layer.epsilon) == (layer.momentum, layer.epsilon), name


def relative_difference(expected: np.ndarray, got: np.ndarray) -> float:
    assert expected.shape == got.shape
    largest = np.abs(expected).max()
    assert 1e-2 < largest < 1e6, "the weights make values vanish or explode"
    assert np.abs(expected[0] - expected[1]).max() > 1e-3 * largest, "the image must matter"
    return float(np.abs(expected - got).max() / largest)


def images_of_all_sizes() -> list[np.ndarray]:
    generator = np.random.default_rng(SEED)
    return [oracle.random_images(generator, *size) for size in IMAGE_SIZES]


def one_block(x, filters, blocks, stride, dilations, block_type, first_shortcut, name):
    """keras_cv's apply_stack for a single block, which is its first and its last."""
    assert (blocks, dilations) == (1, 1)
    apply = resnet_v2_backbone.apply_basic_block if block_type == "basic_block" else resnet_v2_backbone.apply_block
    return apply(x, filters, stride=stride, conv_shortcut=first_shortcut, name=f"{name}_block1")


# Drawn constructor arguments


def drawn_yolo_v8(draw: random.Random) -> dict[str, Any]:
    count = draw.randint(1, 5)
    return {
        "stackwise_channels": drawn_list(draw, count, 8, 48),
        "stackwise_depth": drawn_list(draw, count, 1, 4),
        "activation": draw.choice(["swish", "silu", "relu", "gelu", "leaky_relu"]),
    }


def drawn_csp_darknet(draw: random.Random) -> dict[str, Any]:
    count = draw.randint(1, 5)
    return {
        "stackwise_channels": drawn_list(draw, count, 8, 48),
        "stackwise_depth": drawn_list(draw, count, 1, 4),
        "use_depthwise": draw.random() < 0.5,
    }


def drawn_resnet_v2(draw: random.Random) -> dict[str, Any]:
    count = draw.randint(1, 5)
    block_type = draw.choice(["basic_block", "block"])
    filters = drawn_list(draw, count, 4, 24)
    if block_type == "basic_block":
        filters[0] = 64  # there the first shortcut is the stem's output itself, which has 64 channels
    return {
        "stackwise_filters": filters,
        "stackwise_blocks": drawn_list(draw, count, 2, 4),
        "stackwise_strides": drawn_list(draw, count, 1, 3),
        "stackwise_dilations": draw.choice([None, drawn_list(draw, count, 1, 3)]),
        "block_type": block_type,
    }


def drawn_list(draw: random.Random, count: int, least: int, most: int) -> list[int]:
    return [draw.randint(least, most) for _ in range(count)]


DRAWN: Mapping[str, Callable[[random.Random], dict[str, Any]]] = {
    "yolo_v8": drawn_yolo_v8,
    "csp_darknet": drawn_csp_darknet,
    "resnet_v2": drawn_resnet_v2,
}
