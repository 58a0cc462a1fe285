"""keras_cv's detectors by their names and arguments. Each writes a config around that of a backbone, and builds it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archdsl.blocks.registry import MAX_DEPTH
from archdsl.diagnostics.problems import fail
from archdsl.frontend.compose.config import load
from archdsl.frontend.lower import compile_graph
from archdsl.frontend.sema.scale import scaled_depth
from archdsl.frontend.sema.spec import Scale
from archdsl.models.backbone import Backbone

LEVELS = ("P3", "P4", "P5")
BOTTOM_UP_DEPTH = 2  # whatever fpn_depth is


class YOLOV8Detector(Backbone):
    """YOLOv8's neck and head as keras_cv has them, on a backbone of archdsl: its layers anew, with its weights.

    A call gives an archdsl.Backbone, (batch, H, W, 3) -> {"boxes": (batch, N, 4), "scores": (batch, N, num_classes)}:
    left, top, right and bottom edge in pixels of the image, and probabilities. Of keras_cv's arguments
    bounding_box_format must be "xyxy", and the parts of training and of suppression None.

    Raises ArchError for another value, and for a backbone that has not P3, P4 and P5.
    """

    def __new__(
        cls,
        backbone: Backbone,
        num_classes: int,
        bounding_box_format: str,
        fpn_depth: int = 2,
        label_encoder: Any = None,
        prediction_decoder: Any = None,
        **kwargs: Any,
    ) -> Any:
        _check_arguments(bounding_box_format, label_encoder=label_encoder, prediction_decoder=prediction_decoder)
        p3, p4, p5 = _channels(backbone)
        scale = backbone.config.get("scale", {})
        down, up = [_before_scaling(depth, scale) for depth in (fpn_depth, BOTTOM_UP_DEPTH)]
        layers = {"td4": (p4, down), "n3": (p3, down), "n4": (p4, up), "n5": (p5, up)}
        neck = {name: {"width": None, "filters": width, "depth": depth} for name, (width, depth) in layers.items()}
        neck |= {name: {"width": None, "filters": width} for name, width in (("down4", p3), ("down5", p4))}
        head = {"class": {"classes": num_classes, "hidden": max(num_classes, p3)}}
        defaults = [{"neck": "pan_c2f"}, {"head": "dfl_detect"}, "_self_"]
        return _on(backbone, {"defaults": defaults, "neck": neck, "head": head}, kwargs)


class RetinaNet(Backbone):
    """RetinaNet as keras_cv has it, on a backbone of archdsl: its layers anew, with its weights.

    A call gives an archdsl.Backbone, as YOLOV8Detector does; the boxes are not suppressed. Of keras_cv's arguments
    bounding_box_format must be "xyxy", and those that replace a part None.

    Raises ArchError for another value, and for a backbone that has not P3, P4 and P5.
    """

    def __new__(
        cls,
        backbone: Backbone,
        num_classes: int,
        bounding_box_format: str,
        anchor_generator: Any = None,
        label_encoder: Any = None,
        prediction_decoder: Any = None,
        feature_pyramid: Any = None,
        classification_head: Any = None,
        box_head: Any = None,
        **kwargs: Any,
    ) -> Any:
        _check_arguments(
            bounding_box_format,
            anchor_generator=anchor_generator,
            label_encoder=label_encoder,
            prediction_decoder=prediction_decoder,
            feature_pyramid=feature_pyramid,
            classification_head=classification_head,
            box_head=box_head,
        )
        _channels(backbone)
        defaults = [{"neck": "retinanet"}, {"head": "retinanet"}, "_self_"]
        return _on(backbone, {"defaults": defaults, "head": {"class": {"values": num_classes}}}, kwargs)


def _on(backbone: Backbone, parts: Mapping[str, Any], kwargs: Mapping[str, Any]) -> Backbone:
    """A detector with the layers of a backbone and its weights."""
    own = backbone.config
    outputs = {"boxes": "head_boxes", "scores": "head_scores", **({"top": "tail"} if own.get("tail") else {})}
    loaded = load({**own, **parts, "outputs": outputs})
    detector = Backbone(compile_graph(loaded), loaded.resolved, **kwargs)
    for name, layer in backbone.layers_by_node.items():
        detector.layers_by_node[name].set_weights(layer.get_weights())
    return detector


def _channels(backbone: Any) -> list[int]:
    """Of P3, P4 and P5."""
    if not isinstance(backbone, Backbone):
        hint = "build it by archdsl.models, or by archdsl.from_preset"
        raise fail(
            "argument", f"got a {type(backbone).__name__}; expected an archdsl.Backbone", path="backbone", hint=hint
        )
    missing = [level for level in LEVELS if level not in backbone.graph.levels]
    if missing:
        raise fail("no-levels", f"the backbone has no {' and '.join(missing)}", path="backbone")
    return [backbone.graph.levels[level].channels for level in LEVELS]


def _before_scaling(depth: int, scale: Mapping[str, Any]) -> int:
    """What the config of a backbone scales to this depth."""
    factors = Scale(**{key: value for key, value in scale.items() if key in ("depth", "depth_rounding")})
    found = next((each for each in range(1, MAX_DEPTH + 1) if scaled_depth(each, factors) == depth), None)
    if found is None:
        raise fail("depth", f"no depth becomes {depth} under scale.depth {factors.depth:g}", path="fpn_depth")
    return found


def _check_arguments(bounding_box_format: str, **parts: Any) -> None:
    if bounding_box_format != "xyxy":
        hint = "keras_cv.bounding_box.convert_format gives other forms"
        message = f"got '{bounding_box_format}'; expected 'xyxy'"
        raise fail("unknown-value", message, path="bounding_box_format", hint=hint)
    for name, part in parts.items():
        if part is not None:
            raise fail("argument", f"'{name}' cannot be replaced here; expected None", path=name)
