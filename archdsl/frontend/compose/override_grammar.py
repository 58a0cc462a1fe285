"""`stages.p4.depth=9`, `+stages.p6={…}`, `~stages.p5`: Hydra's override grammar, and its own parser under limits."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from functools import cache, lru_cache, partial
from itertools import accumulate, count, takewhile
from math import isfinite, isnan
from typing import TYPE_CHECKING, Any, NamedTuple

from archdsl.diagnostics.codes import CodeName
from archdsl.diagnostics.problems import ArchError, Mark, Problem, fail
from archdsl.diagnostics.unicode import named
from archdsl.diagnostics.wording import describe
from archdsl.frontend.sections import GROUPS
from archdsl.frontend.values import MAX_DEPTH, MAX_SCALAR, UNPRINTABLE
from archdsl.frontend.yaml.scalars import MAX_DIGITS

if TYPE_CHECKING:
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.core.override_parser.types import Override

_MAX_COMMAS = 2_000  # Hydra's parser takes half a second for a list of so many items, and four times that for twice
_MAX_REASON = 120
_TOO_MANY_DIGITS = re.compile(r"(?<!\d)\d{4301,}")
_PIECES = re.compile(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|\\.|[{}\[\](),:]|[^'"\\{}\[\](),:]+|.""")
_HINT = "write key=value, and quotes around a value that is more than a word: key='a: b'"
# Patterns of texts that are not overrides, with the fix for each.
_HINTS = (
    (r"[^=]*\[-?\d+\]", "take an item of a list by its number, counted from 0: outputs.0=…"),
    (r"[^=]*\.-\d", "take an item of a list by its number, counted from 0: outputs.0=…"),
    (r"[^=]*\s=|[^=]*=\s", "write key=value, without spaces around ="),
    (r"[\w.]+:", "write key=value, with = in place of the colon"),
    (r"[^=]*=[^=]*=", "write quotes around a value that holds =: key='a=b'"),
)


OVERRIDE = "<override "


def override_name(number: int) -> str:
    """The file name in the marks of the override with this number, counted from 1."""
    return f"{OVERRIDE}{number}>"


class Given(NamedTuple):
    """An override as it was given: parsed, or the error in its text."""

    mark: Mark
    override: Override | None = None
    problems: tuple[Problem, ...] = ()

    @property
    def chooses(self) -> bool:
        """Whether it is about the option of a group, and not about values: `neck=bifpn`, but not `neck={…}`."""
        said = self.override
        return (
            said is not None
            and said.key_or_group in GROUPS
            and (said.is_delete() or not isinstance(said.value(), (dict, type(None))))
        )


class Sweep(NamedTuple):
    """The values of an override that sweeps over several, each as an override writes it; or an interval of numbers."""

    values: Iterable[str] = ()
    interval: tuple[float, float] | None = None


def read_sweep(text: str) -> Sweep:
    """`width=range(8,64,8)`, `depth=choice(1,2)`, `depth=1,2`, `scale=interval(0.1,1)`; a single value is one of one.

    Raises ArchError without a place.
    """
    from hydra.core.override_parser.types import ChoiceSweep, IntervalSweep, RangeSweep
    from hydra.core.override_parser.types import Sweep as Sweep_

    parsed = _parse(text, Mark(""), may_sweep=True)
    value = parsed.value()
    if isinstance(value, IntervalSweep):
        return Sweep(interval=(value.start or 0, value.end or 0))
    if isinstance(value, RangeSweep):
        return Sweep(_range(text, value.start or 0, value.stop or 0, value.step))
    if isinstance(value, ChoiceSweep):
        if any(isinstance(each, Sweep_) for each in value.list):
            raise _fault("override", f"{_quoted(text)} has a sweep among its values", Mark(""), "list all of them")
        return Sweep(parsed.sweep_string_iterator())
    return Sweep([(parsed.input_line or "").partition("=")[2]])


def _range(text: str, begin: float, end: float, step: float) -> Iterable[str]:
    """What Python's range has, of any numbers: in decimals, as they are written, where binary ones add up to others."""
    if not step or not all(map(isfinite, (begin, step))) or isnan(end):
        fact = "has an end that is never reached" if step else "goes in steps of 0"
        raise _fault("override", f"{_quoted(text)} {fact}", Mark(""), "range(begin, end, step)")
    if all(isinstance(each, int) for each in (begin, end, step)):
        return map(str, range(*map(int, (begin, end, step))))
    first, last, by = [Decimal(repr(each)) for each in (begin, end, step)]
    values = takewhile(lambda each: each < last if by > 0 else each > last, (first + by * n for n in count()))
    return map(str, map(float, values))


def read_overrides(texts: Sequence[str]) -> list[Given]:
    """Each text, parsed. Errors are kept, so that one report has them all."""
    return [_read(text, Mark(override_name(number), 1, 1)) for number, text in enumerate(texts, 1)]


def _read(text: str, mark: Mark) -> Given:
    try:
        return Given(mark, _parse(text, mark))
    except ArchError as error:
        return Given(mark, problems=tuple(error.problems))


def _parse(text: str, mark: Mark, may_sweep: bool = False) -> Override:
    if not isinstance(text, str):
        raise _fault("override", f"expected text such as 'scale.width=0.5', got {describe(text)}", mark)
    for fact, size, most in (("characters", len(text), MAX_SCALAR), ("commas", text.count(","), _MAX_COMMAS)):
        if size > most:
            hint = "write a file with `defaults:` and the changes"
            raise _fault("limit", f"an override of {size} {fact}; the limit is {most}", mark, hint)
    strange = UNPRINTABLE.search(text)
    if strange:
        raise _fault("encoding", f"the character U+{ord(strange[0]):04X} is not allowed", mark, "write plain text")
    if _nesting(text) > MAX_DEPTH:
        raise _fault("depth", f"brackets nested deeper than {MAX_DEPTH}", mark, "write a file with `defaults:`")
    if digits := _TOO_MANY_DIGITS.search(text):  # Python refuses to read them
        raise _fault("range", f"a number of {len(digits[0])} digits; expected at most {MAX_DIGITS}", mark)
    try:
        parsed = _hydra_parse(text)
    except Exception as error:  # Hydra raises several types, some of them private to its parser
        reason = str(error).strip().partition("\n")[0].partition(" expecting ")[0] or "it ends too early"
        hint = next((hint for pattern, hint in _HINTS if re.match(pattern, text)), _HINT)
        if not text.isascii():
            hint = f"{named(text)}; write other characters than ASCII in quotes, and in no key"
        raise _fault("override", f"{_quoted(text)} is not an override: {reason[:_MAX_REASON]}", mark, hint) from None
    if not parsed.key_or_group and parsed.package is None:
        raise _fault("override", f"{_quoted(text)} names no key", mark, "write key=value")
    if parsed.is_sweep_override() and not may_sweep:
        hint = "quote a value that holds commas; lists are written [a,b]"
        raise _fault("sweep", f"{_quoted(text)} is a sweep over several values; expected one", mark, hint)
    if parsed.package is not None or "/" in parsed.key_or_group:
        group = re.split("[@/]", parsed.key_or_group)[0]
        hint = f"write {group}=NAME" if group in GROUPS else "to change parents, write a file with `defaults:`"
        raise _fault(
            "override", f"{_quoted(text)} names a config group; those of a config are {', '.join(GROUPS)}", mark, hint
        )
    if repeated := _repeated_key(text):
        raise _fault("duplicate-key", f"the key '{repeated}' appears twice in a mapping", mark, "keep one of the two")
    return parsed


def _nesting(text: str) -> int:
    """How deep its brackets are; Hydra's parser takes seconds for thousands."""
    depths = accumulate([(letter in "{[(") - (letter in "}])") for letter in text])
    return max(depths, default=0)


def _repeated_key(text: str) -> str:
    """The first key that appears twice in a mapping of the text; Hydra's parser keeps the last."""
    keys: list[set[str]] = []
    word, is_key = "", False
    for piece in re.findall(_PIECES, text):
        if piece in ("{", "[", "("):
            keys.append(set())
            word, is_key = "", piece == "{"
        elif piece in ("}", "]", ")"):
            keys.pop()
            is_key = False
        elif piece == ",":
            word, is_key = "", True
        elif piece == ":" and is_key and keys:
            if word.strip() in keys[-1]:
                return word.strip()
            keys[-1].add(word.strip())
            is_key = False
        else:
            word += piece
    return ""


def _quoted(text: str) -> str:
    return describe(text).removeprefix("text ")


@lru_cache(maxsize=1024)
def _hydra_parse(text: str) -> Override:
    return _hydra_parser().parse_override(text)


@cache
def _hydra_parser() -> OverridesParser:
    # Imported here: it takes 80 ms, and most commands have no override.
    from hydra.core.override_parser.overrides_parser import OverridesParser, create_functions

    functions = create_functions()
    functions.functions["int"] = partial(_whole, functions.functions["int"])
    del functions.definitions["shuffle"]  # what is built does not depend on chance
    return OverridesParser(functions)


def _whole(cast: Callable[..., Any], *values: Any, **named: Any) -> Any:
    """Hydra's `int(3.7)` is 3; here a number loses nothing."""
    number = cast(*values, **named)
    if isinstance(number, (int, list, dict)) and number != values[0] and not isinstance(values[0], str):
        raise ValueError(f"{values[0]} is not a whole number")
    return number


def _fault(code: CodeName, message: str, mark: Mark, hint: str = "") -> ArchError:
    return fail(code, message, mark=mark, hint=hint)
