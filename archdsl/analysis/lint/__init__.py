"""What there is to say of a design that is right, but may not be what its builder wants. One function a question.

A check is a function (design) -> findings, and its code is its key in the table. Each says what is well, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from archdsl.analysis.lint.blocks import pyramid_pooling, unfused_branches
from archdsl.analysis.lint.channels import neck
from archdsl.analysis.lint.design import Design, Finding, Neck, Question, Verdict
from archdsl.analysis.lint.image import input_size, tiny_objects
from archdsl.analysis.lint.scaling import cut_widths, odd_widths, rounded_depths
from archdsl.analysis.lint.stages import levels, unused_stages
from archdsl.diagnostics.problems import ArchError
from archdsl.frontend.compose.config import Config
from archdsl.frontend.compose.merge import copied
from archdsl.frontend.compose.override_grammar import read_overrides
from archdsl.frontend.compose.overrides import apply_overrides

__all__ = [
    "CHECKS",
    "WARNINGS",
    "Design",
    "Finding",
    "Neck",
    "Question",
    "Verdict",
    "examine",
    "suggestions",
    "warnings",
]

Check = Callable[[Design], Iterator[Finding]]

WARNINGS: dict[str, Check] = {
    "input-size": input_size,
    "depth-rounded": rounded_depths,
    "width-cut": cut_widths,
    "odd-width": odd_widths,
    "unused-stage": unused_stages,
}
"""Of a slip rather than a plan: `archdsl show` prints them too."""

CHECKS: dict[str, Check] = {
    "levels": levels,
    "neck": neck,
    "pyramid-pooling": pyramid_pooling,
    "tiny-objects": tiny_objects,
    "unfused": unfused_branches,
    **WARNINGS,
}


def examine(design: Design, checks: Iterable[str] = tuple(CHECKS)) -> list[Finding]:
    """The answers of the named checks. Raises ArchError for a config that cannot be compiled."""
    return [finding._replace(code=code) for code in checks for finding in CHECKS[code](design)]


def warnings(design: Design) -> list[Finding]:
    """What is likely a slip, in what the user wrote rather than in a shipped config."""
    return [each for each in examine(design, WARNINGS) if each.verdict != "ok" and each.own]


def suggestions(design: Design) -> list[Finding]:
    """All answers; a change that would not compile, or not mend what it is for, is left out."""
    return [each if mends(each, design) else each._replace(change=()) for each in examine(design)]


def mends(finding: Finding, design: Design) -> bool:
    """Whether the finding is gone once its change is made. Options are as good as said."""
    overrides = [word for word in finding.change if "=" in word or word.startswith("~")]
    if not overrides or len(overrides) < len(finding.change):
        return True
    try:
        changed = examine(replace(design, config=changed_config(design.config, overrides)), [finding.code])
    except ArchError:
        return False
    return (finding.path, finding.message) not in [(other.path, other.message) for other in changed]


def changed_config(config: Config, overrides: list[str]) -> Config:
    """The config with more overrides."""
    values, places = copied(config.values), dict(config.places)
    apply_overrides(values, places, read_overrides(overrides))
    return replace(config, values=values, places=places)
