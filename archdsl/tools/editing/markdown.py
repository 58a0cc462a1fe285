"""Any text as safe Markdown."""

from __future__ import annotations

import re

from archdsl.diagnostics.unicode import printable

_TEXT_OR_CODE = re.compile(r"(?P<code>`[^`]+`)|(?P<sign>[\\`*_{}\[\]<>#|~&])")
_TICKS = re.compile("`+")


def escaped(text: str) -> str:
    """The text with Markdown's signs escaped, except between backticks."""
    return "\n".join(_TEXT_OR_CODE.sub(_escaped, printable(line)) for line in text.splitlines())


def _escaped(found: re.Match[str]) -> str:
    return found["code"] or f"\\{found['sign']}"


def code(text: str) -> str:
    """The text as inline code, on one line."""
    shown = " ".join(printable(text).split())
    fence = _fence(shown, 1)
    return f"{fence} {shown} {fence}" if "`" in shown else f"`{shown}`"


def fenced(text: str) -> str:
    """The text as a code block of one line of Python."""
    shown = " ".join(printable(text).split())
    fence = _fence(shown, 3)
    return f"{fence}python\n{shown}\n{fence}"


def _fence(text: str, least: int) -> str:
    """More backticks than the text has in a row, at least `least`."""
    return "`" * max(least, 1 + max(map(len, _TICKS.findall(text)), default=0))
