"""`expect:`, the figures that a config file promises of itself."""

from __future__ import annotations

from archdsl.errors import ArchError, problem
from archdsl.loader import Config
from archdsl.report import Report


def check_expectations(config: Config, costs: Report) -> None:
    """Compare costs with `expect`, where the file itself states it: what a parent promises is true of the parent.

    Raises ArchError for every figure that differs.
    """
    problems = []
    for key, promised in (config.values.get("expect") or {}).items():
        place = config.place(("expect", key)).value
        found = getattr(costs, key)
        if place.file == config.file and found is not None and found != promised:
            message = f"the file promises {promised:,}, the graph has {found:,}"
            problems.append(problem("expect", message, mark=place, path=f"expect.{key}"))
    if problems:
        raise ArchError(problems)
