"""Fixes for a value that does not fit: what it was most likely meant to be."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from archdsl.diagnostics.problems import ArchError
from archdsl.diagnostics.unicode import ascii_form, named
from archdsl.diagnostics.wording import joined, write
from archdsl.frontend.yaml.scalars import read_plain

_YES, _NO = ("yes", "on", "y", "t", "true", "1"), ("no", "off", "n", "f", "false", "0")
_POWERS = {"k": 10**3, "m": 10**6}

# Texts where a number is expected: a pattern, and the fix made from the match.
_NUMBERS: Sequence[tuple[str, Callable[[re.Match[str]], str]]] = (
    (r"([-+]?\d{1,3}(?:[, ]\d{3})+)", lambda found: write(re.sub("[, ]", "", found[1]))),
    (r"([-+]?[\d.]+) ?[,;]", lambda found: write(found[1], f", without the {found[0][-1]}")),
    (r"\d+(?: +\d+)+", lambda found: "put commas between the numbers of a list"),
    (r"(\d+),(\d+)", lambda found: write(f"{found[1]}.{found[2]}", ", with a point")),
    (r"([\d.]+) ?([kKmM])", lambda found: write(_product(found[1], _POWERS[found[2].lower()]))),
    (r"([\d.]+) ?%", lambda found: write(_product(found[1], 0.01), ", the share")),
    (r"([-+]?[\d.]+) ?[a-zA-Z]+", lambda found: write(found[1], ", without a unit")),
    (r"0b([01]+)", lambda found: write(str(int(found[1][:64], 2)))),
    (r"\(.*\)", lambda found: "write one number"),
    (r"[\d.]+ ?[-+*/^x×]+ ?[\d.]+", lambda found: "write the result; a config does not calculate"),
    (r"[\d_]+", lambda found: "write the digits without _"),
    (r"[\d:]+", lambda found: "write one number"),
    (r"[-+.]?(?:inf|infinity|nan)", lambda found: "write a finite number"),
)


def number(received: Any, whole: bool) -> str:
    """A fix for a value where a number is expected, or an empty string; `whole` where it must have no fraction."""
    if isinstance(received, float):
        return write(str(int(received))) if received.is_integer() and abs(received) < 10**15 else ""
    if isinstance(received, list) and len(received) == 1:
        return "write the number without brackets"
    if isinstance(received, dict):
        is_relative = not {"of", "times", "plus", "divisor"}.isdisjoint(received)
        return "a relative number is {of: input, times: 2}, in a layer of a block under `blocks:`" * is_relative
    if not isinstance(received, str):
        return "write a number, or leave the key out" if received is None else ""
    if elsewhere := argument(received) or product(received):
        return elsewhere
    text = ascii_form(received).strip()
    if text != received:
        return joined(" ", write(text) if text.isascii() else "", f"({named(received)})")
    try:
        value = read_plain(text)
        if isinstance(value, (int, float)):
            return write(str(value), " without quotes" * (str(value) == text))
    except ArchError as refused:
        return refused.problems[0].hint
    return next((fix(found) for pattern, fix in _NUMBERS if (found := re.fullmatch(pattern, text, re.I))), "")


def product(received: str) -> str:
    """A fix for a calculation with an argument or the channels of a layer, or an empty string."""
    found = re.fullmatch(r"(\$?[a-z]\w{,60}) ?[*×] ?([\d.]{1,9})", received)
    return f"in a layer of a block, write {{of: {found[1]}, times: {found[2]}}}" if found else ""


def argument(received: str) -> str:
    """A fix for the `$name` of an argument where there is none, or an empty string."""
    is_name = re.fullmatch(r"\$[a-z]\w{,60}", received)
    return f"{received} is an argument, which only a block under `blocks:` has" if is_name else ""


def condition(received: str) -> str:
    """A fix for what `when:` does not take."""
    if re.search(r"!|\bnot\b|\bor\b", received):
        return "all that is named must be true; there is no `not` and no `or`: let an argument say the opposite"
    words = re.findall(r"\$[a-z]\w{,60}|\bfits\b", received)
    if len(words) > 1:
        return write(f"[{', '.join(words)}]")
    found = re.search(r"\$([a-z]\w{,60})", received) or re.fullmatch(r"([a-z]\w{,60})", received)
    return write(f"${found[1]}", ", which is asked to be true") if found else ""


def pair(received: Any) -> str:
    """A fix for two numbers that are not a list, or an empty string."""
    if isinstance(received, dict):
        values = list(received.values())
        is_of_numbers = len(values) in (1, 2) and all(type(value) is int for value in values)
        return write(str((values * 2)[:2])) if is_of_numbers else ""
    if found := re.fullmatch(r"\(? ?(\d+) ?[x×,] ?(\d+) ?\)?", str(received)):
        return write(f"[{found[1]}, {found[2]}]")
    return "a list is written in [brackets]" if str(received).startswith("(") else ""


def image(received: Any) -> str:
    """A fix for the shape of an image that is not a list."""
    sides = re.findall(r"\d{1,5}", str(received)) if isinstance(received, (int, str)) else []
    shapes = {1: [*sides, *sides, "3"], 2: [*sides, "3"], 3: sides}
    return write(f"[{', '.join(shapes.get(len(sides), ['null', 'null', '3']))}]", ": height, width, channels")


# Texts where the name of a layer is expected: a pattern, and the fix made from the match.
_REFERENCES: Sequence[tuple[str, Callable[[re.Match[str]], str]]] = (
    (
        r"([a-z][a-z_]{,30})(\d{1,2}) ?(?:-|\.{2,3}|:|to) ?\1(\d{1,2})",
        lambda found: write(f"[{', '.join([f'{found[1]}{at}' for at in range(int(found[2]), int(found[3]) + 1)])}]"),
    ),
    (
        r"[a-z][\w.]{,60}(?:(?: ?[,;+&] ?| )[a-z][\w.]{,60}){1,8}",
        lambda found: write(f"[{', '.join(re.findall('[a-z][a-z0-9_.]*', found[0]))}]"),
    ),
    (r"([a-z]\w{,60})\[.*\]", lambda found: f"each result of '{found[1]}' has a name of its own; it is not numbered"),
)


def reference(received: str) -> str:
    """A fix for the name of a stage or a layer, where a value names one."""
    found = ((pattern, fix, re.fullmatch(pattern, received)) for pattern, fix in _REFERENCES)
    if other := next((fix(match) for _, fix, match in found if match), ""):
        return other
    section, _, rest = received.partition(".")
    if not rest:
        return name(received)
    return name(rest.replace(".", "_") if section == "stages" else received.replace(".", "_"), received)


def _product(text: str, factor: float) -> str:
    try:
        return f"{float(text) * factor:.10g}"
    except ValueError:
        return text


def truth(received: Any) -> str:
    """A fix for a value where a boolean is expected, or an empty string."""
    word = ascii_form(str(received)).strip().lower()
    if word in _YES or word in _NO:
        return write("true" if word in _YES else "false", ", in small letters and without quotes")
    return ""


def text(received: Any) -> str:
    """A fix for a value where a text is expected, or an empty string."""
    if isinstance(received, bool):
        return write(f"'{str(received).lower()}'", " in quotes")
    if isinstance(received, (int, float)):
        return write(f"'{received}'", " in quotes")
    if isinstance(received, dict):
        received = [value if isinstance(value, str) else key for key, value in received.items()]
    if isinstance(received, list):
        return write(received[0][:60]) if len(received) == 1 and isinstance(received[0], str) else "write one name"
    return "" if received is not None else "write a text, or leave the key out"


def sequence(received: Any) -> str:
    """A fix for a value where a list is expected, or an empty string."""
    if isinstance(received, dict):
        values = list(received.values())
        names = values if values and all(isinstance(value, str) for value in values) else list(received)
        return write(f"[{', '.join(names[:5])[:60]}]")
    if isinstance(received, str):
        if re.match(r"-\S", received):
            return "put a space after the dash of each item"
        words = re.findall(r"[^\s,;()\[\]]+", received)[:5]
        return write(f"[{', '.join(words)}]") if words else "write [one, another]"
    return "" if received is None or isinstance(received, bool) else write(f"[{received}]")


def mapping(received: Any, holds: Sequence[str]) -> str:
    """A fix for a value where a mapping is expected; `holds` are its keys, empty where they are names."""
    if isinstance(received, list) and "shape" in holds:
        return write(f"{{shape: {received}}}".replace("None", "null")[:200])
    if isinstance(received, list):
        return "its entries have names: write `name: …` for each, without a dash"
    if received is None:
        return "indent its keys below it, or leave it out"
    if isinstance(received, str):
        if found := re.match(r"([\w.-]+):(\S.*)", received):
            return f"put a space after the colon: {found[1]}: {found[2][:40]}"
        if "block" in holds:
            return write(f"{{block: {received[:60]}}}")
    if not holds:
        return "write a name, and its layer below it: name: {block: …}"
    if isinstance(received, bool) or not isinstance(received, (int, float)):
        return f"write {{{holds[0]}: …}}"
    return write(f"{{width: {received}}}") if "width" in holds else f"write {{{holds[0]}: …}}"


def name(received: str, written: str = "") -> str:
    """A fix for the name of a stage or a layer, `written` in another way than it is understood."""
    if "." in received.strip("."):
        return nested(received)
    slug = re.sub(r"[^a-z0-9_]+", "_", ascii_form(received).lower()).strip("_")
    fix = write(slug[:60], wrong=written or received) if re.match(r"[a-z]", slug) else ""
    strange = named(received)
    return joined(" ", fix, f"({strange})" if strange else "")


def nested(key: str) -> str:
    """A fix for a key with dots in it."""
    steps = [step for step in key.split(".") if step][:6]
    return f"write {': {'.join(steps)}: …{'}' * (len(steps) - 1)}; only overrides have dots"
