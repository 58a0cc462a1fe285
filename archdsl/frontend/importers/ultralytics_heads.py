"""Heads of Ultralytics' model files, which are one module there → the layers and results of our heads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from archdsl.frontend.importers.rows import Value
from archdsl.frontend.importers.ultralytics_modules import MOST, Layer, Row, Size, width_of
from archdsl.frontend.yaml.writing import yaml_line

SEPARABLE = ("C3k2", "A2C2f", "C2fCIB")  # with one of these the classes are found by depthwise convolutions
DETECT_NORM = {"kind": "batch", "momentum": 0.97, "epsilon": 1e-3}
PLAIN_NORM = {"kind": "batch", "momentum": 0.9, "epsilon": 1e-5}  # classifiers keep what PyTorch has
Layers = dict[str, Layer]
Results = dict[str, str]


class Head:
    """A head's row with what it reads: `names` of the maps, fine to coarse, and `values` of the file."""

    def __init__(self, row: Row, inputs: Sequence[Value], values: Mapping[str, Any], size: Size, modules: set[str]):
        self.row, self.size, self.values = row, size, values
        self.names, self.strides = [each.name for each in inputs], [each.strides[0] for each in inputs]
        self.is_separable = bool(modules & {*SEPARABLE, "v10Detect"})

    def argument(self, place: int, default: Any) -> Any:
        """An argument, or what the file has under its name."""
        given = self.row.arguments[place] if place < len(self.row.arguments) else default
        return self.values.get(given) if isinstance(given, str) else given

    def number(self, place: int, default: Any, what: str) -> int:
        found = self.argument(place, default)
        if type(found) is not int or not 1 <= found <= MOST:
            raise self.row.bad(f"expected {what}")
        return found

    def branch(self, block: str, **arguments: Any) -> Layer:
        """The same layers on each map, as wide as the finest asks for."""
        return {"block": block, "each": self.names, "from": self.names[0], **arguments}

    def lines(self) -> list[str]:
        """`head` and `outputs` of the config."""
        layers, results = HEADS[self.row.module](self)
        outputs = {name: f"head_{layer}" for name, layer in results.items()}
        return [
            "head:\n",
            *[f"  {key}: {yaml_line(layer)}\n" for key, layer in layers.items()],
            f"outputs: {yaml_line(outputs)}\n",
        ]


def _detect(head: Head, prefix: str = "") -> tuple[Layers, Results]:
    if head.row.module == "Detect" and len(head.row.arguments) > 1:
        return _anchored(head)
    if head.row.module == "v10Detect" and len(head.row.arguments) > 1:
        raise head.row.bad("expected [nc]")
    classes = head.number(0, "nc", "[nc], a number of classes")
    separable = {"depthwise": True} if head.is_separable else {}
    bins = head.values.get("reg_max", 16)
    own = {} if bins == 16 else {"bins": bins}
    layers = {
        f"{prefix}box": head.branch("box_branch", **own),
        f"{prefix}class": head.branch("class_branch", classes=classes, **separable),
        f"{prefix}boxes": {"block": "dfl_boxes", "from": f"{prefix}box", **own},
        f"{prefix}scores": {"block": "class_scores", "from": f"{prefix}class"},
    }
    return layers, {"boxes": f"{prefix}boxes", "scores": f"{prefix}scores"}


def _anchored(head: Head) -> tuple[Layers, Results]:
    """[nc, anchors], width and height in pixels of those of each map; [nc, anchors, True] in pixels of the map."""
    classes, anchors = head.number(0, "nc", "[nc, anchors]"), head.argument(1, "anchors")
    units = head.strides if head.argument(2, False) is True else [1] * len(head.strides)
    if not _are_anchors(anchors, len(units)):
        raise head.row.bad("expected [nc, anchors], and as many pairs of numbers for each map")
    sizes = [
        [[_short(side * unit) for side in level[at : at + 2]] for at in range(0, len(level), 2)]
        for level, unit in zip(anchors, units, strict=True)
    ]
    count = {} if len(sizes[0]) == 3 else {"anchors": len(sizes[0])}
    raw = {"block": "anchor_branch", "classes": classes, **count, "each": head.names}
    decode = {"block": "anchor_decode", "from": "raw", "sizes": sizes}
    return {"raw": raw, "decode": decode}, {"boxes": "decode_boxes", "scores": "decode_scores"}


def _are_anchors(given: Any, count: int) -> bool:
    if not isinstance(given, list) or len(given) != count or not all(isinstance(level, list) for level in given):
        return False
    sides = [side for level in given for side in level]
    is_sound = all(type(side) in (int, float) and 0 < side <= MOST for side in sides)
    return is_sound and len({len(level) for level in given}) == 1 and bool(given[0]) and len(given[0]) % 2 == 0


def _short(side: float) -> float:
    """12 for 12.0, and no more digits than tell two anchors apart."""
    return int(side) if side == int(side) else round(side, 4)


def _twice(head: Head) -> tuple[Layers, Results]:
    """Beside the head that learns from many boxes, one that learns from one and does not change what is before it."""
    many, of_many = _detect(head)
    fixed = {"block": "stop_gradient", "each": head.names}
    one, results = _detect(head, "one_")
    one |= {key: {**layer, "each": "fixed"} for key, layer in one.items() if "each" in layer}
    return many | {"fixed": fixed} | one, results | {f"many_{name}": layer for name, layer in of_many.items()}


def _segment(head: Head) -> tuple[Layers, Results]:
    layers, results = _detect(head)
    units = head.number(1, 32, "[nc, masks, width of the prototypes]")
    width = width_of(head.number(2, 256, "[nc, masks, width of the prototypes]"), head.size.factors)
    layers |= {
        "mask": head.branch("value_branch", units=units),
        "masks": {"block": "all_places", "from": "mask"},
        "proto1": {"block": "conv_bn_act", **width, "kernel": 3, "from": head.names[0]},
        "proto_up": {"block": "transposed_conv", **width},
        "proto2": {"block": "conv_bn_act", **width, "kernel": 3},
        "prototypes": {"block": "conv_bn_act", "filters": units},
    }
    return layers, results | {"masks": "masks", "prototypes": "prototypes"}


def _pose(head: Head) -> tuple[Layers, Results]:
    match head.argument(1, "kpt_shape"):
        case [int(count), 3] if 1 <= count <= MOST // 3:
            layers, results = _detect(head)
            layers["point"] = head.branch("value_branch", units=3 * count)
            layers["points"] = {"block": "keypoints", "from": "point"}
            return layers, results | {"points": "points"}
    raise head.row.bad("expected [nc, kpt_shape], with kpt_shape: [points, 3]")


def _oriented(head: Head) -> tuple[Layers, Results]:
    layers, results = _detect(head)
    if head.number(1, 1, "[nc, 1], one angle") != 1:
        raise head.row.bad("expected [nc, 1], one angle")
    boxes = {"block": "rotated_boxes", "from": ["box", "angle"]}
    angle = {"angle": head.branch("value_branch", units=1)}
    return {"box": layers["box"], "class": layers["class"]} | angle | {
        "boxes": boxes,
        "scores": layers["scores"],
    }, results


def _classify(head: Head) -> tuple[Layers, Results]:
    classes = head.number(0, "nc", "[nc], a number of classes")
    layers: Layers = {
        "wide": {"block": "conv_bn_act", "filters": 1280, "from": head.names[0]},
        "pool": {"block": "global_avg_pool"},
        "classes": {"block": "dense", "units": classes, "activation": "softmax"},
    }
    return layers, {"classes": "classes"}


HEADS: dict[str, Callable[[Head], tuple[Layers, Results]]] = {
    "Detect": _detect,
    "IDetect": _anchored,
    "v10Detect": _twice,
    "Segment": _segment,
    "Pose": _pose,
    "OBB": _oriented,
    "Classify": _classify,
}
