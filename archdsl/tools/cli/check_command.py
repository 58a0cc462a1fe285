"""archdsl check CONFIG [OVERRIDE…]"""

from __future__ import annotations

import re
import shlex
import sys
from typing import Any, get_args

import click

from archdsl.analysis.lint import Design, Finding, Neck, Question, suggestions
from archdsl.analysis.text import counted, shape_text
from archdsl.diagnostics.terminal import Styled, say, say_styled
from archdsl.frontend.budget import Budget
from archdsl.frontend.compose.config import load
from archdsl.tools.cli.options import ConfigArgument, Size, at_size, config_options, size_option
from archdsl.tools.cli.output import print_json

COLOURS = {"ok": "green", "note": "cyan", "change": "yellow"}


def _levels(context: click.Context, parameter: click.Parameter, value: str) -> tuple[str, ...]:
    names = tuple(value.lower().replace(" ", "").split(","))
    if not all(re.fullmatch("p[1-9]", name) for name in names):
        raise click.BadParameter(f"'{value}' is not a list of levels; expected one such as p2,p3,p4")
    return names


def _pixels(context: click.Context, parameter: click.Parameter, value: str | None) -> int | None:
    number = (value or "1").removesuffix("px").strip()
    if not number.isdecimal() or not 0 < int(number) <= 65_536:
        raise click.BadParameter(f"'{value}' is not a size in pixels; expected one such as 8 or 8px")
    return int(number) if value else None


@click.command("check")
@config_options
@size_option
@click.option("--levels", default="p3,p4,p5", show_default=True, callback=_levels, help="What the detector takes.")
@click.option(
    "--neck", type=click.Choice(get_args(Neck)), default="multiple-of-8", show_default=True, help="What the neck takes."
)
@click.option("--min-object", callback=_pixels, help="The smallest object, in pixels of the image, such as 8px.")
@click.option("--fuse", is_flag=True, help="Check what is left when batch norms and branches are folded away.")
@click.option("--strict", is_flag=True, help="Exit with 2 if there is something to change.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    config: ConfigArgument,
    overrides: tuple[str, ...],
    size: Size | None,
    budget: Budget,
    levels: tuple[str, ...],
    neck: Neck,
    min_object: int | None,
    fuse: bool,
    strict: bool,
    as_json: bool,
) -> None:
    """Go through the builder's checklist for CONFIG. Nothing is built.

    Every answer is ok, a note (worth knowing), or a change (worth making) with the override that makes it. The exit
    code is 0 whatever the answers are; with --strict it is 2 when there is a change.
    """
    design = Design(at_size(load(config, overrides, budget), size), Question(levels, neck, min_object, fuse), budget)
    findings = suggestions(design)
    shape = design.graph.input.type.shape
    if as_json:
        print_json({"name": design.config.name, "input_shape": list(shape), "findings": list(map(as_data, findings))})
    else:
        say(f"{design.config.name}, for an image of {shape_text(shape)}", "")
        for finding in findings:
            print_finding(finding)
        say("", summary(findings))
    if strict and any(finding.verdict == "change" for finding in findings):
        sys.exit(2)


def as_data(finding: Finding) -> dict[str, Any]:
    """Plain data, ready for JSON."""
    plain = finding._asdict()
    return {
        **{key: plain.pop(key) for key in ("code", "verdict")},
        **plain.pop("mark")._asdict(),
        **plain,
        "change": list(finding.change),
    }


def print_finding(finding: Finding) -> None:
    """The verdict and the fact; then, indented, its place and what to do, ready to be copied."""
    lines = [f"{finding.code}: {finding.message}"]
    if finding.verdict != "ok":
        lines.append(f"at {finding.mark}: {finding.path}")
    if finding.change:
        lines.append(f"change: {shlex.join(finding.change)}")
    if finding.advice:
        lines.append(f"hint: {finding.advice}")
    verdict = Styled(f"{finding.verdict:8}", COLOURS[finding.verdict])
    say_styled([[verdict, lines[0]], *[[" " * 8 + line] for line in lines[1:]]])


def summary(findings: list[Finding]) -> str:
    """`1 change, 2 notes`."""
    verdicts = [finding.verdict for finding in findings]
    counts = [(verdicts.count("change"), "change"), (verdicts.count("note"), "note")]
    found = [counted(count, word) for count, word in counts if count]
    remedy = "; try one by adding its change to this command" if any(each.change for each in findings) else ""
    return f"{', '.join(found)}{remedy}" if found else "nothing to change"
