"""The user's function that judges a built network, named on the command line: no space file names code."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from collections.abc import Callable, Sequence
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

from archdsl.diagnostics.problems import fail
from archdsl.diagnostics.terminal import say
from archdsl.diagnostics.wording import describe, did_you_mean

Function = Callable[[Any, Any], Any]
_HINT = "write --objective train:accuracy for the function accuracy(model, trial) in train.py"


class Objective(NamedTuple):
    """`function(model, trial)`, which gives one number or several, and its name, `module:function`."""

    name: str
    function: Function


class Named(NamedTuple):
    """A module that can be imported, and the name of a function in it."""

    module: str
    function: str


def find_objective(text: str) -> Named:
    """What `module:function` or `folder/file.py:function` names; modules of the current folder are found too.

    Raises ArchError where there is no such module. None is imported, but for the packages that it is in.
    """
    where, _, name = text.rpartition(":")
    file = Path(where) if where.endswith(".py") else None
    module = file.stem if file else where
    if not all(part.isidentifier() for part in [*module.split("."), name]):
        raise fail("objective", f"'{text}' is not module:function", hint=_HINT)
    sys.path.insert(0, str((file.parent if file else Path()).absolute()))
    if not (file.is_file() if file else _is_module(module)):
        raise fail("objective", f"there is no {'file' if file else 'module'} '{where}' here", hint=_HINT)
    return Named(module, name)


def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # of a package that it would be in
        return False


def read_objective(named: Named) -> Objective:
    """Import it. Raises ArchError where that fails, after a traceback, and where there is no such function."""
    try:
        module = importlib.import_module(named.module)
    except Exception as error:  # whatever the user's code raises
        say(*own_traceback(error, named.module), err=True)
        raise fail("objective", f"importing {named.module} fails: {type(error).__name__}: {error}") from None
    function = getattr(module, named.function, None)
    if not callable(function):
        known = [each for each, value in vars(module).items() if callable(value)]
        hint = did_you_mean(named.function, known) or _HINT
        raise fail("objective", f"{named.module} has no function '{named.function}'", hint=hint)
    return Objective(":".join(named), function)


def own_traceback(error: BaseException, name: str) -> list[str]:
    """The traceback of an error from the user's module on."""
    frames = error.__traceback__
    while frames and frames.tb_frame.f_globals.get("__name__") != name and frames.tb_next:
        frames = frames.tb_next
    return "".join(traceback.format_exception(error.with_traceback(frames))).rstrip().split("\n")


def numbers(returned: Any, wanted: int, name: str) -> Sequence[float]:
    """The numbers that an objective gave; empty where one is not finite. Raises ArchError for anything else."""
    values = list(returned) if isinstance(returned, (list, tuple)) else [returned]
    try:
        found = [float(each) for each in values]
    except (TypeError, ValueError):
        raise fail("objective", f"{name} returned {describe(returned)}; expected {_expected(wanted)}") from None
    if len(found) != wanted:
        hint = "give --direction once for each number"
        raise fail("objective", f"{name} returned {len(found)} numbers; expected {_expected(wanted)}", hint=hint)
    return found if all(map(isfinite, found)) else ()


def _expected(wanted: int) -> str:
    return "a number" if wanted == 1 else f"{wanted} numbers"
