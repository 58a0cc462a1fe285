"""`expect:`, the figures that a config file promises of itself."""

from __future__ import annotations

from typing import Any

from archdsl.analysis.report import Report, report
from archdsl.diagnostics.problems import ArchError, problem
from archdsl.diagnostics.wording import write
from archdsl.frontend.compose.config import Config
from archdsl.frontend.lower import outline
from archdsl.frontend.source import dotted


def check_expectations(config: Config, costs: Report) -> None:
    """Compare costs with `expect`, where the file itself states it: what a parent promises is true of the parent.

    Where the config leaves the size open, `macs` and memory are those of Config.at_known_size.

    Raises ArchError for every figure that differs, or is more than `within`.
    """
    problems = []
    for key, promised in (config.values.get("expect") or {}).items():
        path = ("expect", key, "within") if isinstance(promised, dict) else ("expect", key)
        place = config.place(path).value
        if place.file != config.file or promised is None:
            continue
        found = getattr(costs, key)
        found = getattr(at_known_size(config, costs), key) if found is None else found
        if broken := _broken(promised, found):
            hint = write(str(found)) if found is not None and not isinstance(promised, dict) else ""
            problems.append(problem("expect", broken, mark=place, path=dotted(path), hint=hint))
    if problems:
        raise ArchError(problems)


def _broken(promised: Any, found: int | None) -> str:
    """How a figure differs from what is promised of it; empty where it does not."""
    number = "an unknown number" if found is None else f"{found:,}"
    if isinstance(promised, dict):
        most = promised["within"]
        is_within = found is not None and found <= most
        return "" if is_within else f"the file promises at most {most:,.0f}, the graph has {number}"
    return "" if found == promised else f"the file promises {promised:,}, the graph has {number}"


def at_known_size(config: Config, costs: Report) -> Report:
    """The same costs, with those that depend on the size of the image."""
    known = config.at_known_size()
    return costs if known is config else report(outline(known))
