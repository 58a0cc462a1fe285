"""Checkpoints in tests/weights/files with numbered modules, as YOLO has them (torch_modules.py), and ours of them."""

from __future__ import annotations

from typing import Any

import archdsl
from support import TESTS

FILES = TESTS / "weights" / "files"
DETECT = ["scale.width=0.03125", "+head.box.bins=4", "+head.boxes.bins=4", "head.class.classes=2"]
DETECT += ["+outputs.box=head_box", "+outputs.class=head_class"]
STYLE = {"activation": "silu", "padding": "symmetric", "norm": {"kind": "batch", "epsilon": 1e-3}}
GELAN: dict[str, Any] = {
    "conventions": STYLE,
    "input": {"rescale": True},
    "stages": {
        "p1": {
            "down": {"block": "conv_bn_act", "width": 8, "kernel": 3, "stride": 2},
            "body": {"block": "rep_ncsp_elan", "width": 16, "depth": 2, "expansion": 0.25},
        }
    },
}
MAPS = ["box_n3", "box_n4", "box_n5", "class_n3", "class_n4", "class_n5"]
CASES = {
    "yolo_v8.pt": ("yolo_v8_s_detect", DETECT, MAPS),
    "yolo_v8_folded.pt": ("yolo_v8_s_detect", DETECT, MAPS),
    "yolo_v5.pt": ("yolo_v5_s_backbone", ["scale.width=0.03125"], ["P5"]),
    "gelan.pt": (GELAN, [], ["P1"]),
}


def built(file: str) -> archdsl.Backbone:
    config, overrides, _ = CASES[file]
    return archdsl.build_from_config(config, overrides)
