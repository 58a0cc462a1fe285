"""keras_cv's backbones as an oracle: its weights in our layers.

The two are built by different code from different descriptions, so a backbone that gives keras_cv's numbers
with keras_cv's weights is the same backbone. Layers are paired by name, family by family.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

import archdsl
from archdsl.models import fuse

Layers = dict[str, keras.Layer]
"""Layers of keras_cv that own weights, by the name of the node that must get them."""


# keras_cv's weights → our layers


def corresponding_layers(theirs: keras.Model, ours: keras.Model) -> Layers:
    """keras_cv's layers that own weights, by the names of ours. Fails unless the two match one to one."""
    pairs = LAYERS_OF[type(theirs).__name__](theirs, list(ours.graph.levels))
    owned = {id(weight) for layer in pairs.values() for weight in layer.weights}
    forgotten = [weight.path for weight in theirs.weights if id(weight) not in owned]
    assert not forgotten, f"weights of keras_cv that nothing corresponds to: {forgotten}"
    assert set(pairs) == {layer.name for layer in ours.layers if layer.weights}
    return pairs


def copy_weights(theirs: keras.Model, ours: keras.Model, seed: int = 0) -> None:
    """Give both models the same weights, every one of them random. `theirs` is of keras_cv, `ours` of archdsl.

    Fails unless each weight of each model has one counterpart, of the same name and shape, in the other.
    """
    generator = np.random.default_rng(seed)
    pairs = corresponding_layers(theirs, ours)
    for layer in pairs.values():
        assign(layer, {weight.name: random_values(weight, layer, generator) for weight in layer.weights})
    norms = [layer for layer in pairs.values() if isinstance(layer, keras.layers.BatchNormalization)]
    settle(theirs, norms, generator)
    for name, layer in pairs.items():
        assign(ours.get_layer(name), values_of(layer))


def trained(config: Any, *overrides: str) -> archdsl.Backbone:
    """A model with every weight and every statistic away from its start, and activations of a usual size."""
    keras.utils.set_random_seed(0)
    model = archdsl.build_from_config(config, overrides)
    generator = np.random.default_rng(0)
    layers = [layer for layer in fuse._all_levels(model).layers if layer.weights]
    for layer in layers:
        assign(layer, {weight.name: random_values(weight, layer, generator) for weight in layer.weights})
    settle(model, [layer for layer in layers if isinstance(layer, keras.layers.BatchNormalization)], generator)
    return model


def largest_relative_difference(model: archdsl.Backbone, other: archdsl.Backbone, sides: tuple[int, int]) -> float:
    """Over all levels and the last feature map, each against its own largest value."""
    image = random_images(np.random.default_rng(1), *sides)
    pairs = [(model(image), other(image))]
    expected, received = model.features(model.graph.levels)(image), other.features(model.graph.levels)(image)
    pairs += [(expected[level], received[level]) for level in expected]
    return max(fuse.relative_difference(np.asarray(first), np.asarray(second)) for first, second in pairs)


def values_of(layer: keras.Layer) -> dict[str, np.ndarray]:
    return {weight.name: np.asarray(weight) for weight in layer.weights}


def assign(layer: keras.Layer, values: Mapping[str, np.ndarray]) -> None:
    """Set the weights of `layer` by their names, refusing other names and other shapes."""
    expected = {weight.name: tuple(weight.shape) for weight in layer.weights}
    assert {name: value.shape for name, value in values.items()} == expected, layer.name
    layer.set_weights([values[weight.name] for weight in layer.weights])


def random_values(weight: Any, layer: keras.Layer, generator: np.random.Generator) -> np.ndarray:
    """Values far from the ones a layer starts with; kernels as wide as keeps the activations' size."""
    shape = tuple(weight.shape)
    if weight.name == "kernel":
        inputs = math.prod(shape[:2] if isinstance(layer, keras.layers.DepthwiseConv2D) else shape[:3])
        return generator.normal(0, math.sqrt(2 / inputs), shape)
    if weight.name in ("gamma", "moving_variance"):
        return generator.uniform(0.5, 1.5, shape)
    return generator.normal(0, 0.3, shape)  # bias, beta, moving_mean


def settle(model: keras.Model, norms: Sequence[keras.Layer], generator: np.random.Generator) -> None:
    """Bring the batch norms' statistics near those of real activations, so that a deep map depends on the image.

    With statistics out of the air all signal is lost on the way, and with it every error of an early layer.
    """
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    model(random_images(generator, 96, 160), training=True)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        assign(norm, disturbed(values_of(norm), generator))


def disturbed(statistics: Mapping[str, np.ndarray], generator: np.random.Generator) -> dict[str, np.ndarray]:
    """A little off, so that no channel is normalised exactly; dead channels are not blown up."""
    variance = statistics["moving_variance"]
    variance = np.maximum(variance, 0.01 * variance.mean()) * generator.uniform(0.8, 1.2, variance.shape)
    offset = 0.1 * np.sqrt(variance) * generator.normal(0, 1, variance.shape)
    return {**statistics, "moving_mean": statistics["moving_mean"] + offset, "moving_variance": variance}


def random_images(generator: np.random.Generator, height: int, image_width: int) -> np.ndarray:
    """Two images with coarse and fine structure, of values 0 … 255: (2, height, image_width, 3)."""
    cell = 16
    coarse = generator.uniform(0, 200, (2, height // cell, image_width // cell, 3)).repeat(cell, axis=1)
    fine = generator.uniform(0, 55, (2, height, image_width, 3))
    return (coarse.repeat(cell, axis=2) + fine).astype("float32")


def levels(theirs: keras.Model) -> list[Any]:
    """keras_cv's feature maps from P2 up, as tensors. (Its YOLOV8 also calls the stem's output P1.)"""
    names = [layer for level, layer in theirs.pyramid_level_inputs.items() if level != "P1"]
    return [theirs.get_layer(name).output for name in names]


def _yolo_v8_layers(model: keras.Model, stages: Sequence[str]) -> Layers:
    stages = [stage.lower() for stage in stages]
    prefixes = {"stem_1": "stem_conv", "stem_2": f"{stages[0]}_down"}
    for number, (stage, depth) in enumerate(zip(stages, model.stackwise_depth, strict=True), start=1):
        stack = f"stack{number}"
        if number > 1:
            prefixes[f"{stack}_downsample"] = f"{stage}_down"
        prefixes[f"{stack}_c2f_pre"] = f"{stage}_body_split"
        for step in range(depth):
            prefixes[f"{stack}_c2f_pre_{step}_1"] = f"{stage}_body_{step + 1}_conv1"
            prefixes[f"{stack}_c2f_pre_{step}_2"] = f"{stage}_body_{step + 1}_conv2"
        prefixes[f"{stack}_c2f_output"] = f"{stage}_body_fuse"
    prefixes[f"stack{len(stages)}_spp_fast_pre"] = f"{stages[-1]}_sppf_reduce"
    prefixes[f"stack{len(stages)}_spp_fast_output"] = f"{stages[-1]}_sppf_fuse"
    return {
        f"{our}_{part}": model.get_layer(f"{their}_{part}")
        for their, our in prefixes.items()
        for part in ("conv", "bn")
    }


def _csp_darknet_layers(model: keras.Model, stages: Sequence[str]) -> Layers:
    stages = [stage.lower() for stage in stages]
    layers = _darknet_block(model.get_layer("stem_conv"), "stem_conv")
    for number, stage in enumerate(stages, start=2):
        layers |= _darknet_block(model.get_layer(f"dark{number}_conv"), f"{stage}_down")
        layers |= _cross_stage_partial(model.get_layer(f"dark{number}_csp"), f"{stage}_body")
    spp = f"dark{len(stages) + 1}_spp"
    layers |= _darknet_block(model.get_layer(f"{spp}_conv1"), f"{stages[-1]}_spp_reduce")
    layers |= _darknet_block(model.get_layer(f"{spp}_conv2"), f"{stages[-1]}_spp_fuse")
    return layers


def _cross_stage_partial(layer: keras.Layer, name: str) -> Layers:
    layers = {
        **_darknet_block(layer.darknet_conv1, f"{name}_deep"),
        **_darknet_block(layer.darknet_conv2, f"{name}_short"),
        **_darknet_block(layer.darknet_conv3, f"{name}_fuse"),
    }
    for step in range(layer.num_bottlenecks):
        layers |= _darknet_block(layer.bottleneck_convs[2 * step], f"{name}_{step + 1}_reduce")
        layers |= _darknet_block(layer.bottleneck_convs[2 * step + 1], f"{name}_{step + 1}_conv")
    return layers


def _darknet_block(block: keras.Sequential, name: str) -> Layers:
    """keras_cv's DarknetConvBlock, or its depthwise form, which ends with the plain one."""
    convolution, norm, _, *pointwise = block.layers
    if not pointwise:
        return {f"{name}_conv": convolution, f"{name}_bn": norm}
    return {
        f"{name}_depthwise": convolution,
        f"{name}_depthwise_bn": norm,
        **_darknet_block(pointwise[0], f"{name}_pointwise"),
    }


def _resnet_v2_layers(model: keras.Model, stages: Sequence[str]) -> Layers:
    parts = {"use_preactivation_bn": "pre_bn", "0_conv": "project_conv"}
    layers = {"stem_conv_conv": model.get_layer("conv1_conv"), "tail_norm_bn": model.get_layer("post_bn")}
    for layer in model.layers:
        found = re.fullmatch(r"v2_stack_(\d+)_block(\d+)_(.*)", layer.name)
        if found and layer.weights:
            stack, block, part = int(found[1]), found[2], found[3]
            repeat = f"_{block}" if model.stackwise_blocks[stack] > 1 else ""
            layers[f"{stages[stack].lower()}_body{repeat}_{parts.get(part, part)}"] = layer
    return layers


def _retinanet_layers(model: keras.Model, stages: Sequence[str]) -> Layers:
    pyramid = model.feature_pyramid
    layers = LAYERS_OF[type(model.backbone).__name__](model.backbone, stages)
    for level in range(3, 8):
        layers[f"neck_n{level}_conv"] = getattr(pyramid, f"conv_c{level}_3x3")
        if level <= 5:
            layers[f"neck_lateral{level}_conv"] = getattr(pyramid, f"conv_c{level}_1x1")
    for head, name in ((model.box_head, "head_box_n3"), (model.classification_head, "head_class_n3")):
        layers |= {f"{name}_{number}_conv": layer for number, layer in enumerate(head.conv_layers, 1)}
        layers[f"{name}_values"] = head.prediction_layer
    return layers


def _yolo_v8_detector_layers(model: keras.Model, stages: Sequence[str]) -> Layers:
    prefixes = {"downsample1": "down4", "downsample2": "down5"}
    blocks = {"p4p5": "td4", "p3p4p5": "n3", "p3p4p5_downsample1_block": "n4", "p3p4p5_downsample2_block": "n5"}
    pairs = {f"pa_fpn_p3p4p5_{their}": f"neck_{our}" for their, our in prefixes.items()}
    for their, our in blocks.items():
        pairs |= {f"pa_fpn_{their}_pre": f"neck_{our}_split", f"pa_fpn_{their}_output": f"neck_{our}_fuse"}
        for step in range(model.fpn_depth if our in ("td4", "n3") else 2):
            pairs |= {f"pa_fpn_{their}_pre_{step}_{part}": f"neck_{our}_{step + 1}_conv{part}" for part in (1, 2)}
    layers = _yolo_v8_layers(model.backbone, stages)
    for level, branch in itertools.product((3, 4, 5), ("box", "class")):
        their, our = f"yolo_v8_head_{level - 2}_{branch}", f"head_{branch}_n{level}"
        pairs |= {f"{their}_{part}": f"{our}_conv{part}" for part in (1, 2)}
        layers[f"{our}_{'distances' if branch == 'box' else 'logits'}"] = model.get_layer(f"{their}_3_conv")
    for their, our in pairs.items():
        layers |= {f"{our}_{part}": model.get_layer(f"{their}_{part}") for part in ("conv", "bn")}
    return layers


LAYERS_OF: Mapping[str, Callable[[keras.Model, Sequence[str]], Layers]] = {
    "YOLOV8Backbone": _yolo_v8_layers,
    "CSPDarkNetBackbone": _csp_darknet_layers,
    "ResNetV2Backbone": _resnet_v2_layers,
    "RetinaNet": _retinanet_layers,
    "YOLOV8Detector": _yolo_v8_detector_layers,
}
