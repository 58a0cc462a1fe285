"""keras_cv's constructor arguments as data: what a preset folder may hold, and what the shipped presets stand for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

from archdsl.blocks.registry import Depth, Dilation, Stride, Width
from archdsl.frontend.compose.config import Config, load
from archdsl.frontend.importers.keras_cv import csp_darknet, resnet_v2, yolo_v8
from archdsl.frontend.importers.saved_model import PlainArguments
from archdsl.frontend.sema.resolve import resolve
from archdsl.frontend.sema.scale import scale_spec
from archdsl.frontend.sema.schema import Side, Text
from archdsl.frontend.sema.spec import LayerSpec
from archdsl.schemas.annotations import Limits

Listed = Limits(min_length=1, max_length=64)
ANY_SIZE = (None, None, 3)


class BackboneArguments(PlainArguments):
    """What every class of keras_cv takes, as its presets write it."""

    include_rescaling: bool
    input_shape: tuple[Side | None, Side | None, Side] = ANY_SIZE
    input_tensor: None = None


class SizeArguments(BackboneArguments):
    """What the class of one size takes."""

    include_rescaling: bool = True


class StackwiseArguments(BackboneArguments):
    stackwise_channels: Annotated[list[Width], Listed]
    stackwise_depth: Annotated[list[Depth], Listed]


class YOLOV8Arguments(StackwiseArguments):
    activation: Text = "swish"


class CSPDarkNetArguments(StackwiseArguments):
    use_depthwise: bool = False


class ResNetV2Arguments(BackboneArguments):
    stackwise_filters: Annotated[list[Width], Listed]
    stackwise_blocks: Annotated[list[Depth], Listed]
    stackwise_strides: Annotated[list[Stride], Listed]
    stackwise_dilations: Annotated[list[Dilation], Listed] | None = None
    block_type: Text = "block"


FAMILIES: dict[str, type[BackboneArguments]] = {
    "YOLOV8Backbone": YOLOV8Arguments,
    "CSPDarkNetBackbone": CSPDarkNetArguments,
    "ResNetV2Backbone": ResNetV2Arguments,
}
_CONFIGS: dict[str, Callable[..., dict[str, Any]]] = {
    "YOLOV8Backbone": yolo_v8,
    "CSPDarkNetBackbone": csp_darknet,
    "ResNetV2Backbone": resnet_v2,
}
SIZES = {
    "CSPDarkNetTinyBackbone": ("CSPDarkNetBackbone", "csp_darknet_tiny"),
    "CSPDarkNetSBackbone": ("CSPDarkNetBackbone", "csp_darknet_s"),
    "CSPDarkNetMBackbone": ("CSPDarkNetBackbone", "csp_darknet_m"),
    "CSPDarkNetLBackbone": ("CSPDarkNetBackbone", "csp_darknet_l"),
    "CSPDarkNetXLBackbone": ("CSPDarkNetBackbone", "csp_darknet_xl"),
    "ResNet18V2Backbone": ("ResNetV2Backbone", "resnet18_v2"),
    "ResNet34V2Backbone": ("ResNetV2Backbone", "resnet34_v2"),
    "ResNet50V2Backbone": ("ResNetV2Backbone", "resnet50_v2"),
    "ResNet101V2Backbone": ("ResNetV2Backbone", "resnet101_v2"),
    "ResNet152V2Backbone": ("ResNetV2Backbone", "resnet152_v2"),
}


def config_of(class_name: str, arguments: Mapping[str, Any]) -> Config:
    """The config that one of the FAMILIES builds for its constructor arguments, without `name` and `trainable`."""
    write = _CONFIGS[class_name]
    own = {key: value for key, value in arguments.items() if key not in BackboneArguments.model_fields}
    shape, rescale = arguments.get("input_shape", ANY_SIZE), arguments["include_rescaling"]
    return load(write(**own)).with_input(shape=shape, rescale=rescale)


def arguments_of(class_name: str, preset: str) -> dict[str, Any]:
    """The constructor arguments of one of the FAMILIES that one of its shipped presets stands for."""
    spec = scale_spec(resolve(load(preset)))
    bodies = [next(layer for layer in stage.layers if layer.at.path[-1] == "body") for stage in spec.stages]
    own = _resnet_arguments(bodies) if class_name == "ResNetV2Backbone" else _stackwise_arguments(bodies)
    return {"include_rescaling": True, **own}


def _stackwise_arguments(bodies: Sequence[LayerSpec]) -> dict[str, Any]:
    return {
        "stackwise_channels": [body.arguments["width"] for body in bodies],
        "stackwise_depth": [body.arguments["depth"] for body in bodies],
    }


def _resnet_arguments(bodies: Sequence[LayerSpec]) -> dict[str, Any]:
    basic = bodies[0].block.name == "preact_basic"
    return {
        "stackwise_filters": [body.arguments["width"] // (1 if basic else 4) for body in bodies],
        "stackwise_blocks": [body.repeats for body in bodies],
        "stackwise_strides": [body.last["stride"] for body in bodies],
        "block_type": "basic_block" if basic else "block",
    }
