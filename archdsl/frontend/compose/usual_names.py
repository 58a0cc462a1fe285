"""What networks are called elsewhere, as presets: yolov8n-seg.pt is yolo_v8_xs_segment here."""

from __future__ import annotations

import re
from collections.abc import Collection

from archdsl.diagnostics.wording import did_you_mean, joined, meant

_YOLO = re.compile(
    r"yolo-?v?(?P<version>\d{1,2})-?(?P<size>[a-z]?)(?P<no_anchors>u?)(?:-(?P<level>p\d))?"
    r"(?:-(?P<task>[a-z]+))?(?:\.[a-z]+)?"  # yolov5su, yolov8n-p6, yolo11x-pose, yolov8n-seg.pt
)
_SIZES = {"n": "xs", "x": "xl"}  # of YOLOv8, which has those of keras_cv
_TASKS = {"cls": "classify", "det": "detect", "seg": "segment"}


def meant_preset(text: str, known: Collection[str]) -> str:
    """The hint for a name that is none of `known`; may be empty."""
    found = _YOLO.fullmatch(text[:40].casefold().replace("_", "-"))
    if found is None:
        return did_you_mean(text, known)
    stem, task = _stem(**found.groupdict()), found["task"]
    tasks = [_TASKS.get(task, task)] if task else ["backbone", "detect"]
    names = [name for task in tasks if (name := f"{stem}_{task}") in known]
    if not names:
        return did_you_mean(text, known)
    return joined(" ", meant(names[0], text), *[f"its detector is '{name}'" for name in names[1:]])


def _stem(version: str, size: str, no_anchors: str, level: str | None, **_: str | None) -> str:
    """What the presets of a network have in common: yolo_v8_xs_p6."""
    size = _SIZES.get(size, size) if version == "8" else size
    number = f"{'v' if int(version) < 11 else ''}{version}{no_anchors}"
    return "_".join(filter(None, ["yolo", number, size, level]))
