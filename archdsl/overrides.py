"""`stages.p4.depth=9`, `+stages.p6={…}`, `~stages.p5`: Hydra's override grammar, parsed by Hydra's own parser.

What an override does to a config equals what Hydra does: `key=value` changes what is there, `+key=value` adds
what is not, `++key=value` does either, `~key` deletes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from archdsl.errors import ArchError, Mark, Problem, did_you_mean, problem
from archdsl.inheritance import copied, merge_into
from archdsl.source import KeyPath, Place, dotted

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override


@dataclass(frozen=True)
class Target:
    """Where an override points: the mapping or list that holds the key, and the key in it."""

    holder: Any
    key: str | int
    path: KeyPath

    @property
    def exists(self) -> bool:
        if isinstance(self.holder, list):
            return isinstance(self.key, int) and 0 <= self.key < len(self.holder)
        return self.key in self.holder


def apply_overrides(values: dict[str, Any], places: dict[KeyPath, Place], overrides: Sequence[str]) -> None:
    """Change `values` in place, in order. Raises ArchError with every override that cannot be applied."""
    problems: list[Problem] = []
    for number, text in enumerate(overrides, 1):
        mark = Mark(f"<override {number}>", 1, 1)
        try:
            _apply(values, places, _parse(text, mark), mark)
        except ArchError as error:
            problems += error.problems
    if problems:
        raise ArchError(problems)


def _parse(text: str, mark: Mark) -> Override:
    if not isinstance(text, str):
        raise _error("override", f"expected text such as 'scale.width=0.5', got {text!r}", mark)
    try:
        parsed = _hydra_parse(text)
    except Exception as error:  # Hydra raises several types, some of them private to its parser
        first = str(error).strip().partition("\n")[0] or "it ends too early"
        raise _error("override", f"'{text}' is not an override: {first}", mark, hint="write key=value") from None
    if parsed.is_sweep_override():
        hint = "quote a value that holds commas; lists are written [a,b]"
        raise _error("sweep", f"'{text}' is a sweep over several values; expected one", mark, hint)
    if parsed.package is not None or "/" in parsed.key_or_group:
        hint = "to change parents, write a file with `defaults:`"
        raise _error("override", f"'{text}' names a config group; overrides change values", mark, hint)
    return parsed


@lru_cache(maxsize=1024)
def _hydra_parse(text: str) -> Override:
    # Imported here: it takes 80 ms, and most commands have no override.
    from hydra.core.override_parser.overrides_parser import OverridesParser

    return OverridesParser.create().parse_override(text)


def _apply(values: dict[str, Any], places: dict[KeyPath, Place], override: Override, mark: Mark) -> None:
    target = _target(values, override, mark)
    if override.is_delete():
        _delete(target, override, mark)
        return
    value = copied(override.value())
    if override.is_add():
        _require_free(target, value, mark)
    elif not override.is_force_add():
        _require_present(target, value, mark)
    _forget(places, target, value)
    _note(places, target.path, value, mark)
    if isinstance(target.holder, list):
        target.holder[int(target.key)] = value
    else:
        merge_into(target.holder, {str(target.key): value})


def _require_free(target: Target, value: Any, mark: Mark) -> None:
    """`+key=` adds; like Hydra it also extends a mapping, replaces a list and fills a null."""
    if target.exists and target.holder[target.key] is not None and not isinstance(value, (dict, list)):
        path = dotted(target.path)
        raise _error("override", f"'{path}' is there already", mark, f"change it with {path}=…", target.path)


def _require_present(target: Target, value: Any, mark: Mark) -> None:
    """`key=` changes what is there, down to the keys inside a mapping."""
    if not target.exists:
        raise _unknown_key(target, mark)
    present = target.holder[target.key]
    if isinstance(present, dict) and isinstance(value, dict):
        for key, item in value.items():
            _require_present(Target(present, key, (*target.path, key)), item, mark)


def _forget(places: dict[KeyPath, Place], target: Target, value: Any) -> None:
    """What a replaced mapping or list held has no place any more."""
    if target.exists and not isinstance(value, dict) and isinstance(target.holder[target.key], (dict, list)):
        length = len(target.path)
        for path in [path for path in places if path[:length] == target.path]:
            del places[path]


def _target(values: dict[str, Any], override: Override, mark: Mark) -> Target:
    """Walk to the holder of the key. A missing mapping on the way is made for `+` and `++`."""
    keys = override.key_or_group.split(".")
    holder: Any = values
    path: KeyPath = ()
    for key in keys[:-1]:
        target = _child(holder, key, path, mark)
        if not target.exists or target.holder[target.key] is None:
            if not (override.is_add() or override.is_force_add()) or isinstance(holder, list):
                raise _unknown_key(target, mark)
            holder[key] = {}
        holder, path = holder[target.key], target.path
    return _child(holder, keys[-1], path, mark)


def _child(holder: Any, key: str, path: KeyPath, mark: Mark) -> Target:
    if isinstance(holder, dict):
        return Target(holder, key, (*path, key))
    if isinstance(holder, list) and key.isdecimal():
        return Target(holder, int(key), (*path, int(key)))
    kind = f"a list of {len(holder)}; take one of its items by number" if isinstance(holder, list) else "a single value"
    raise _error("override", f"there is no '{key}' in '{dotted(path)}', which is {kind}", mark, path=(*path, key))


def _unknown_key(target: Target, mark: Mark) -> ArchError:
    path = dotted(target.path)
    near = did_you_mean(str(target.key), target.holder) if isinstance(target.holder, dict) else ""
    hint = near or f"to add it, write +{path}=…"
    return _error("override", f"there is no '{path}' to change in this config", mark, hint, path=target.path)


def _delete(target: Target, override: Override, mark: Mark) -> None:
    if not target.exists:
        raise _unknown_key(target, mark)
    present, expected = target.holder[target.key], override.value()
    if expected is not None and expected != present:
        message = f"'{dotted(target.path)}' is {present!r}, not {expected!r}, so it was not deleted"
        raise _error("override", message, mark, path=target.path)
    if isinstance(target.holder, list):
        hint = f"write the whole list: {dotted(target.path[:-1])}=[…]"
        raise _error("override", "an item of a list cannot be deleted", mark, hint, path=target.path)
    del target.holder[target.key]


def _note(places: dict[KeyPath, Place], path: KeyPath, value: Any, mark: Mark) -> None:
    """Everything inside an overriding value comes from the override."""
    places[path] = Place(mark, mark)
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        _note(places, (*path, key), item, mark)


def _error(code: str, message: str, mark: Mark, hint: str = "", path: KeyPath = ()) -> ArchError:
    return ArchError([problem(code, message, mark=mark, path=dotted(path), hint=hint)])
