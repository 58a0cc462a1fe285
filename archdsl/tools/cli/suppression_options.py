"""--confidence, --iou and --limit: which boxes of a detector are left, as archdsl.detections has them."""

from __future__ import annotations

import click

from archdsl.backends.form import Suppression
from archdsl.models.detections import CANDIDATES
from archdsl.tools.cli.options import Decorated

_SHARE = click.FloatRange(0, 1)
_COUNT = click.IntRange(1, CANDIDATES)
_BY_DEFAULT = Suppression()


def suppression_options(function: Decorated) -> Decorated:
    """The three options, each with its default."""
    for name, default, kind, help_text in (
        ("--limit", _BY_DEFAULT.limit, _COUNT, "Most boxes of an image."),
        ("--iou", _BY_DEFAULT.iou, _SHARE, "Overlap at which the better box is kept."),
        ("--confidence", _BY_DEFAULT.confidence, _SHARE, "Boxes that score more are kept."),
    ):
        function = click.option(name, default=default, show_default=True, type=kind, help=help_text)(function)
    return function
