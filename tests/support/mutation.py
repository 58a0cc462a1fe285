"""Seeded mutants of good configs, shipped ones and one more: what a slip of the hand makes of them, or an enemy."""

from __future__ import annotations

import copy
import math
import random
from collections.abc import Callable
from functools import cache
from typing import Any

import yaml

from archdsl.frontend.compose.config import load
from archdsl.frontend.compose.search_path import config_root, preset_names

NUMBERS = [0, -1, 1, 2, 3.7, 1e-3, 10**6, 10**12, 2**63, 10**19, 10**40, 1e308, 1e-308, math.inf, -math.inf, math.nan]
VALUES = [
    *NUMBERS,
    10**5000,
    True,
    False,
    None,
    "",
    "x",
    "p3",
    "c2f",
    "${scale}",
    "${nothing}",
    "???",
    "é",
    [],
    {},
    [1],
    {"a": 1},
]
TEXTS = [
    *map(str, NUMBERS),
    "010",
    "1_0",
    "1e3",
    "yes",
    "null",
    "~",
    "''",
    "[]",
    "{}",
    "[1, 2]",
    "{a: 1}",
    "${scale}",
    "???",
]
TEXTS += [
    "'",
    '"',
    "[",
    "{",
    "]",
    "}",
    ":",
    "- ",
    "&a",
    "*a",
    "!x",
    "!!int",
    "|",
    ">",
    "@",
    "%",
    "#",
    "\t",
    "<<: *a",
    "---",
]
TEXTS += ["\u00a0", "\u200b", "\ufeff", "𝟑", "é", "\x00", "\x1b[31m"]

Holder = Any  # a mapping or a list
Place = tuple[Holder, Any]  # and a key or an index in it
Change = Callable[[random.Random, dict[str, Any]], None]


WITH_BLOCKS = """\
blocks:
  pair:
    arguments: {width: null, hidden: 4, kernel: 3}
    layers:
      one: {block: conv_bn_act, width: $hidden, kernel: $kernel, from: input}
      two: {block: conv_bn_act, width: $hidden, depth: 2}
      all: {block: concat, from: [one, two]}
      out: {block: conv_bn_act, width: $width}
  twice: {arguments: {width: null}, layers: {first: {block: pair, width: $width}, then: {block: pair, width: $width}}}
scale: {width: 0.5}
stem: {conv: {block: conv_bn_act, width: 16, stride: 2}}
stages:
  p2: {width: 16, depth: 2, stride: 2, down: {block: conv}, body: {block: twice}}
  p3: {width: "${stages.p2.width}", stride: 2, down: {block: conv}, body: {block: pair, hidden: 8}}
outputs: [p2, p3]
"""


@cache
def whole(name: str) -> dict[str, Any]:
    """A preset, or the config with blocks of its own."""
    return load(name if name else yaml.safe_load(WITH_BLOCKS)).resolved


def value_mutant(seed: int) -> dict[str, Any]:
    """A shipped config, one to three of its values changed."""
    draw = random.Random(seed)
    values = copy.deepcopy(whole(draw.choice([*preset_names(), *[""] * 6])))
    for _ in range(draw.choice([1, 1, 2, 3])):
        draw.choice(CHANGES)(draw, values)
    return values


def text_mutant(seed: int) -> str:
    """The text of a shipped file, preset or family, one to three of its lines changed."""
    draw = random.Random(seed)
    path = draw.choice([*sorted(config_root().rglob("*.yaml")), *[None] * 6])
    lines = (path.read_text() if path else WITH_BLOCKS).splitlines()
    for _ in range(draw.choice([1, 1, 2, 3])):
        draw.choice(LINE_CHANGES)(draw, lines)
    return draw.choice(["\n", "\n", "\n", "\r\n"]).join(lines) + "\n"


def places(value: Any) -> list[Place]:
    """Every entry of a config."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, item in items for place in [(value, key), *places(item)]]


def chosen(draw: random.Random, values: dict[str, Any]) -> Place:
    return draw.choice(places(values) or [(values, "stages")])


def delete(draw: random.Random, values: dict[str, Any]) -> None:
    holder, key = chosen(draw, values)
    del holder[key]


def duplicate(draw: random.Random, values: dict[str, Any]) -> None:
    holder, key = chosen(draw, values)
    if isinstance(holder, list):
        holder.append(copy.deepcopy(holder[key]))
    else:
        holder[f"{key}_again"] = copy.deepcopy(holder[key])


def written(value: Any) -> str:
    try:
        return str(value)
    except ValueError:  # Python prints no number of so many digits
        return "9" * 5_000


def retype(draw: random.Random, values: dict[str, Any]) -> None:
    holder, key = chosen(draw, values)
    value = holder[key]
    holder[key] = draw.choice(
        [
            written(value),
            [value],
            {"value": value},
            {"block": value},
            (value,),
            written(value).encode(),
            {value: 1} if isinstance(value, int) else None,
        ]
    )


def replace(draw: random.Random, values: dict[str, Any]) -> None:
    holder, key = chosen(draw, values)
    holder[key] = copy.deepcopy(draw.choice(VALUES))


def swap(draw: random.Random, values: dict[str, Any]) -> None:
    (first, one), (second, other) = chosen(draw, values), chosen(draw, values)
    first[one], second[other] = copy.deepcopy(second[other]), copy.deepcopy(first[one])


def move(draw: random.Random, values: dict[str, Any]) -> None:
    """A subtree, from where it stands into any mapping."""
    holder, key = chosen(draw, values)
    value = holder.pop(key)
    target = draw.choice([values, *[each[name] for each, name in places(values) if isinstance(each[name], dict)]])
    target[str(key)] = value


def misspell(draw: random.Random, values: dict[str, Any]) -> None:
    """A key, or a text."""
    holder, key = chosen(draw, values)
    if isinstance(holder[key], str) and draw.random() < 0.5:
        holder[key] = slipped(draw, holder[key])
    elif isinstance(holder, dict):
        holder[slipped(draw, key)] = holder.pop(key)


def rename(draw: random.Random, values: dict[str, Any]) -> None:
    """A key becomes another one of the config."""
    holder, key = chosen(draw, values)
    if isinstance(holder, dict):
        holder[str(chosen(draw, values)[1])] = holder.pop(key)


def slipped(draw: random.Random, word: str) -> str:
    """A letter too many, too few, another or two exchanged."""
    letters = list(word) or ["x"]
    at = draw.randrange(len(letters))
    other = draw.choice("abcdefghijklmnopqrstuvwxyz_0123456789-. \u00e9\u0430")
    kind = draw.randrange(4)
    if kind == 0:
        letters.insert(at, other)
    elif kind == 1:
        letters.pop(at)
    elif kind == 2:
        letters[at] = other
    else:
        letters[at - 1], letters[at] = letters[at], letters[at - 1]
    return "".join(letters)


CHANGES: list[Change] = [delete, duplicate, retype, replace, replace, swap, move, misspell, rename]


def delete_line(draw: random.Random, lines: list[str]) -> None:
    if lines:
        lines.pop(draw.randrange(len(lines)))


def repeat_line(draw: random.Random, lines: list[str]) -> None:
    if lines:
        lines.insert(draw.randrange(len(lines) + 1), draw.choice(lines))


def swap_lines(draw: random.Random, lines: list[str]) -> None:
    if lines:
        one, other = draw.randrange(len(lines)), draw.randrange(len(lines))
        lines[one], lines[other] = lines[other], lines[one]


def misspell_line(draw: random.Random, lines: list[str]) -> None:
    if lines:
        at = draw.randrange(len(lines))
        lines[at] = slipped(draw, lines[at])


def indent_line(draw: random.Random, lines: list[str]) -> None:
    if lines:
        at = draw.randrange(len(lines))
        lines[at] = draw.choice(["  ", " ", "\t", "- ", "? "]) + lines[at]


def outdent_line(draw: random.Random, lines: list[str]) -> None:
    if lines:
        at = draw.randrange(len(lines))
        lines[at] = lines[at].lstrip()


def cut_line(draw: random.Random, lines: list[str]) -> None:
    if lines:
        at = draw.randrange(len(lines))
        lines[at] = lines[at][: draw.randrange(len(lines[at]) + 1)]


def insert_text(draw: random.Random, lines: list[str]) -> None:
    if lines:
        at = draw.randrange(len(lines))
        column = draw.randrange(len(lines[at]) + 1)
        lines[at] = lines[at][:column] + draw.choice(TEXTS) + lines[at][column:]


def replace_value(draw: random.Random, lines: list[str]) -> None:
    """What stands behind a colon."""
    with_colon = [at for at, line in enumerate(lines) if ": " in line]
    if with_colon:
        at = draw.choice(with_colon)
        pieces = lines[at].split(": ")
        column = draw.randrange(1, len(pieces))
        end = next((mark for mark in (",", "}", "]") if mark in pieces[column]), "")
        rest = pieces[column].partition(end)[2] if end else ""
        pieces[column] = draw.choice(TEXTS) + end + rest
        lines[at] = ": ".join(pieces)


def truncate(draw: random.Random, lines: list[str]) -> None:
    del lines[draw.randrange(len(lines) + 1) :]


LINE_CHANGES = [
    delete_line,
    repeat_line,
    swap_lines,
    misspell_line,
    indent_line,
    outdent_line,
    cut_line,
    insert_text,
    replace_value,
    replace_value,
    truncate,
]
