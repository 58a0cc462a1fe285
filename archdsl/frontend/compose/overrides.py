"""`stages.p4.depth=9`, `+stages.p6={…}`, `~stages.p5`: Hydra's override grammar, parsed by Hydra's own parser.

An override changes a config as it does in Hydra: `key=value` changes a key that exists, `+key=value` adds one that
does not, `++key=value` does either, `~key` deletes.

Two differences. A key of a stage that stage_defaults fills exists too, and `stages.p4.body.block=csp` writes it into
the stage. Hydra knows nothing of stage_defaults and refuses that override; there, write `++stages.p4.body.block=csp`.
And `neck=null` leaves a section empty, whichever file fills it; Hydra refuses null for a config group.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import TYPE_CHECKING, Any, NamedTuple

from archdsl.diagnostics.codes import CodeName
from archdsl.diagnostics.problems import ArchError, Mark, Note, Problem, fail
from archdsl.diagnostics.wording import describe, did_you_mean
from archdsl.frontend.budget import DEFAULT, Budget
from archdsl.frontend.compose.elsewhere import inside, override_elsewhere
from archdsl.frontend.compose.interpolation import has_reference
from archdsl.frontend.compose.merge import copied, merged
from archdsl.frontend.compose.override_grammar import Given
from archdsl.frontend.sections import GROUPS, default_of
from archdsl.frontend.source import ABSENT, KeyPath, Place, Places, Source, dotted, forget_inside, is_index, set_places
from archdsl.frontend.values import MAX_DEPTH, plain_copy

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override


class Target(NamedTuple):
    """Where an override points: the mapping or list that holds the key, and the key in it."""

    holder: Any
    key: str | int
    path: KeyPath

    @property
    def exists(self) -> bool:
        if isinstance(self.holder, list):
            return isinstance(self.key, int) and 0 <= self.key < len(self.holder)
        return self.key in self.holder

    @property
    def value(self) -> Any:
        return self.holder[self.key] if self.exists else None

    def set(self, value: Any) -> None:
        """Mappings merge; anything else replaces what was there."""
        if isinstance(self.value, dict) and isinstance(value, dict):
            value = merged(self.value, copied(value))
        self.holder[self.key] = value


def apply_overrides(
    values: dict[str, Any], places: dict[KeyPath, Place], overrides: Sequence[Given], budget: Budget = DEFAULT
) -> list[Source]:
    """Change `values` in place, in order; returns what each override sets.

    Raises ArchError with every override that cannot be read or applied.
    """
    history: list[Source] = []
    problems: list[Problem] = []
    for mark, override, found in overrides:
        problems += found
        try:
            history += [_apply(values, places, override, mark, budget)] if override else []
        except ArchError as error:
            problems += error.problems
    if problems:
        raise ArchError(problems)
    return history


def _apply(
    values: dict[str, Any], places: dict[KeyPath, Place], override: Override, mark: Mark, budget: Budget
) -> Source:
    adds = override.is_add() or override.is_force_add() or _is_filled(values, override.key_or_group.split("."))
    adds = adds or _empties(override)
    target = _target(values, places, override, mark, adds=adds and not override.is_delete())
    if override.is_delete():
        _delete(target, override, mark, is_filled=adds)
        forget_inside(places, [target.path])
        places[target.path] = Place(mark, mark)  # what is missing now is missing because of this override
        return _as_source(target.path, ABSENT, Place(mark, mark))
    place = Place(mark, mark._replace(column=(override.input_line or "").find("=") + 2))
    value = plain_copy(override.value(), target.path, place.value, budget)
    if not target.exists and (not adds or isinstance(target.holder, list)):
        raise _unknown_key(target, values, mark)
    if override.is_add():
        _require_free(target, value, places, mark)
    _require_fitting(target, value, values, mark, adds=override.is_add() or override.is_force_add())
    if isinstance(target.value, (dict, list)) and not isinstance(value, dict):  # else they merge
        forget_inside(places, [target.path])
    set_places(places, target.path, value, place)
    target.set(value)
    return _as_source(target.path, value, place)


def _empties(override: Override) -> bool:
    """Whether it is `neck=null`, which means the same where there is no neck."""
    return override.key_or_group in GROUPS and not override.is_delete() and override.value() is None


def _as_source(path: KeyPath, value: Any, place: Place) -> Source:
    """An override as the file that would set the same."""
    places: dict[KeyPath, Place] = {}
    set_places(places, path, value, place)
    for key in reversed(path):
        value = {key: value}
    return Source(place.value.file, value, places)


def _is_filled(values: dict[str, Any], path: Sequence[str | int]) -> bool:
    """Whether a stage takes the key at `path` from stage_defaults."""
    return path[-1] in _defaults_beside(values, path)


def _defaults_beside(values: dict[str, Any], path: Sequence[str | int]) -> dict[str, Any]:
    """The mapping in stage_defaults that fills the one with the key at `path`; empty where the stage replaces it."""
    behind = default_of(tuple(path[:-1]))
    own, default = (inside(values, path[:2]), inside(values, behind[:1])) if behind else (None, None)
    for key in (*behind[1:], None):
        if not isinstance(own, dict) or not isinstance(default, dict):
            return {}
        if own.get("block", default.get("block")) != default.get("block"):  # another block has other arguments
            return {}
        if key is not None:
            own, default = own.get(key, {}), default.get(key)
    return default or {}


def _require_free(target: Target, value: Any, places: Places, mark: Mark) -> None:
    """`+key=` adds; like Hydra it also extends a mapping, replaces a list and fills a null."""
    if target.value is not None and not isinstance(value, (dict, list)):
        path = dotted(target.path)
        notes = [Note(places[target.path].key, "it is at")] if target.path in places else []
        raise _error("override", f"'{path}' is there already", mark, f"change it with {path}=…", target.path, notes)


def _require_fitting(target: Target, value: Any, values: dict[str, Any], mark: Mark, *, adds: bool) -> None:
    """A mapping changes a mapping and a list a list; unless it `adds`, every key in it must exist."""
    present = target.value
    if isinstance(present, dict) and isinstance(value, dict):
        for key, item in value.items():
            inner = Target(present, key, (*target.path, key))
            if not inner.exists and not adds and not _is_filled(values, inner.path):
                raise _unknown_key(inner, values, mark)
            _require_fitting(inner, item, values, mark, adds=adds)
    elif isinstance(present, (dict, list)) and isinstance(value, (dict, list)) and type(present) is not type(value):
        message = f"'{dotted(target.path)}' is {describe(present)}; {describe(value)} cannot change it"
        raise _error("override", message, mark, "write a value of the same kind", target.path)


def _target(
    values: dict[str, Any], places: dict[KeyPath, Place], override: Override, mark: Mark, *, adds: bool
) -> Target:
    """Walks to the holder of the key. If it `adds`, a mapping is put where there is none on the way."""
    keys = override.key_or_group.split(".")
    if len(keys) > MAX_DEPTH:
        raise _error("depth", f"the key is nested deeper than {MAX_DEPTH}", mark, "write a shorter key")
    target = _child(values, keys[0], (), mark)
    for key in keys[1:]:
        if not isinstance(target.value, (dict, list)):
            no_place = isinstance(target.holder, list) and not target.exists
            if not adds or no_place or has_reference(target.value):
                if _is_filled(values, target.path) and not target.exists:
                    target = Target(_defaults_beside(values, (*target.path, key)), key, (*target.path, key))
                raise _unknown_key(target, values, mark, keys[len(target.path) :])
            target.set({})
            set_places(places, target.path, {}, Place(mark, mark))
        target = _child(target.value, key, target.path, mark)
    return target


def _child(holder: Any, key: str, path: KeyPath, mark: Mark) -> Target:
    if isinstance(holder, dict):
        return Target(holder, key, (*path, key))
    if is_index(key):
        return Target(holder, int(key), (*path, int(key)))
    message = f"there is no '{key}' in '{dotted(path)}', which is {describe(holder)}"
    raise _error("override", message, mark, "take an item by its number, counted from 0", (*path, key))


def _unknown_key(target: Target, values: dict[str, Any], mark: Mark, rest: Sequence[str] = ()) -> ArchError:
    """The key is not there; or holds a single value, and not what `rest` names inside of it."""
    path, names = dotted(target.path), [*takewhile(lambda key: not is_index(key), rest)]
    added = f"+{dotted((*target.path, *names))}={'…' if len(names) == len(rest) else '[…]'}"
    if target.exists:
        inner = rest[0]
        message = f"there is no '{inner}' in '{path}', which is {describe(target.value)}"
        hint = f"to add it, write {added}" if target.value is None else f"to change it, write {path}=…"
        return _error("override", message, mark, hint, target.path)
    if isinstance(target.holder, list):
        holder = dotted(target.path[:-1])
        message = f"there is no item {target.key} in '{holder}', which is {describe(target.holder)}"
        return _error("override", message, mark, f"write the whole list: {holder}=[…]", target.path)
    near = override_elsewhere(values, target.path, rest) or did_you_mean(str(target.key), target.holder)
    hint = near or f"to add it, write {added}"
    return _error("override", f"there is no '{path}' in this config", mark, hint, target.path)


def _delete(target: Target, override: Override, mark: Mark, *, is_filled: bool) -> None:
    path = dotted(target.path)
    if target.value is None:  # Hydra, too, takes a null for nothing
        others = [] if target.exists or isinstance(target.holder, list) else target.holder
        hint = did_you_mean(str(target.key), others) or "leave this override out"
        hint = f"stage_defaults fills it; to empty it, write {path}=null" if is_filled and not target.exists else hint
        raise _error("override", f"there is no '{path}' to delete", mark, hint, target.path)
    expected = override.value()
    if expected is not None and expected != target.value:
        message = f"'{path}' is {describe(target.value)}, not {describe(expected)}, so it was not deleted"
        raise _error("override", message, mark, f"to delete any value, write ~{path}", target.path)
    if isinstance(target.holder, list):
        hint = f"write the whole list: {dotted(target.path[:-1])}=[…]"
        raise _error("override", "an item of a list cannot be deleted", mark, hint, target.path)
    del target.holder[target.key]


def _error(
    code: CodeName, message: str, mark: Mark, hint: str = "", path: KeyPath = (), notes: Sequence[Note] = ()
) -> ArchError:
    return fail(code, message, mark=mark, path=dotted(path), hint=hint, notes=notes)
