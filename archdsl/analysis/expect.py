"""`expect:`, the figures that a config file promises of itself."""

from __future__ import annotations

from archdsl.analysis.report import Report, report
from archdsl.diagnostics.problems import ArchError, problem
from archdsl.frontend.compose.config import Config
from archdsl.frontend.lower import outline

SIDE = 640  # pixels of a side that the config leaves open, for figures that depend on it


def check_expectations(config: Config, costs: Report) -> None:
    """Compare costs with `expect`, where the file itself states it: what a parent promises is true of the parent.

    `macs` are those of an image of SIDE pixels a side where the config gives no size.

    Raises ArchError for every figure that differs.
    """
    problems = []
    for key, promised in (config.values.get("expect") or {}).items():
        place = config.place(("expect", key)).value
        if place.file != config.file or promised is None:
            continue
        found = getattr(costs, key)
        found = _of_known_size(config, costs).macs if found is None else found
        if found != promised:
            number = "an unknown number" if found is None else f"{found:,}"
            message = f"the file promises {promised:,}, the graph has {number}"
            problems.append(problem("expect", message, mark=place, path=f"expect.{key}"))
    if problems:
        raise ArchError(problems)


def _of_known_size(config: Config, costs: Report) -> Report:
    height, image_width, _ = costs.input_shape
    return report(outline(config.with_size(height or SIDE, image_width or SIDE)))
