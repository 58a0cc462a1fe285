"""What an export is asked for, against what its format and its network can do."""

from __future__ import annotations

from typing import get_args

from archdsl.backends.form import Form, FormatName, Layout
from archdsl.diagnostics.problems import fail
from archdsl.diagnostics.wording import describe, did_you_mean, one_of
from archdsl.ir.graph import Graph
from archdsl.models.export.formats import FORMATS

_MANY = "many_boxes"  # of a detector with two heads, whose own boxes are one for an object
_TAKEN = ("classes", "images")


def check_words(format: FormatName, form: Form) -> None:
    """Raise ArchError for a word that export does not know, and for a precision that a format does not have."""
    for what, given, known in (("format", format, FORMATS), ("layout", form.layout, get_args(Layout))):
        if given not in known:
            raise fail("value", f"{what}={describe(given)}; {one_of(known)}", hint=did_you_mean(str(given), known))
    if form.precision not in FORMATS[format].precisions:
        raise fail("export", f"{format} has no {form.precision}; {one_of(FORMATS[format].precisions)}")


def check_wishes(graph: Graph, format: FormatName, form: Form) -> None:
    """Raise ArchError for the first that cannot be had."""
    check_words(format, form)
    if form.precision == "int8" and form.calibration is None:
        message = "int8 needs photos, whose ranges it is made for"
        raise fail("export", message, hint="--calibrate FOLDER, calibrate= in Python")
    if form.calibration and form.precision != "int8":
        message = f"photos to calibrate with are for int8; the precision is {form.precision}"
        raise fail("export", message, hint="--precision int8")
    if form.suppression:
        _check_suppression(graph, format, form.suppression.iou)


def _check_suppression(graph: Graph, format: FormatName, iou: float) -> None:
    outputs = graph.outputs
    if not FORMATS[format].suppresses:
        message = f"{format} has no suppression of boxes; ONNX and OpenVINO have"
        raise fail("export", message, hint="archdsl.detections does it to the results")
    if not {"boxes", "scores"} <= {*outputs} or outputs["boxes"].channels != 4:
        kinds = ", ".join([f"{name} of {node.channels} channels" for name, node in outputs.items()])
        message = f"'{graph.name}' has no boxes to suppress; its outputs: {kinds}"
        raise fail("detector", message, hint="expected boxes of 4 numbers, and scores")
    if taken := [name for name in _TAKEN if name in outputs]:
        raise fail("detector", f"'{graph.name}' has a result '{taken[0]}', which suppression gives")
    if _MANY in outputs and iou < 1:
        message = f"'{graph.name}' gives one box for each object, and needs no suppression"
        raise fail("detector", message, hint="--iou 1 keeps all boxes with the score")
