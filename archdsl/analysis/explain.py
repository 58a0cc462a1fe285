"""Where a value of a config comes from: what each file and override says about its key, in the order they apply."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from archdsl.diagnostics.problems import ArchError, Mark, Note, fail
from archdsl.diagnostics.wording import describe, did_you_mean
from archdsl.frontend.compose.config import Config, ConfigLike, load
from archdsl.frontend.sections import SECTIONS, default_of, has_layers
from archdsl.frontend.sema.composite import Composite
from archdsl.frontend.sema.resolve import check, resolve, scale
from archdsl.frontend.sema.scale import SCALED, scaling
from archdsl.frontend.sema.schema import ConfigSchema, filled
from archdsl.frontend.sema.spec import LayerSpec, Scale
from archdsl.frontend.source import ABSENT, KeyPath, Source, dotted, key_path
from archdsl.schemas.schema import plain_data

_MOST_VALUES = 50_000


@dataclass(frozen=True)
class Statement:
    """What one file or override sets for a key, at `mark`: a value, or ABSENT if it removes the key.

    `path` is the key as it is written there: the one explained, or that of stage_defaults behind it. Of a mapping,
    `value` holds the keys that are set here. `wins` tells whether any of it is in force. `chosen_at` is where the file
    was chosen, for the option of a group.
    """

    mark: Mark
    path: KeyPath
    value: Any
    wins: bool
    chosen_at: Mark | None = None


@dataclass(frozen=True)
class Explanation:
    """A key, its value (ABSENT: the key was taken away), and every statement about it.

    `default` says whose default the value is when nobody states it, `becomes` is what scaling makes of it, and
    `scaling` how.
    """

    path: KeyPath
    value: Any
    statements: tuple[Statement, ...]
    default: str = ""
    becomes: int | None = None
    scaling: str = ""


def explain(config: ConfigLike, key: str, overrides: Sequence[str] = ()) -> Explanation:
    """Where the value of `key`, such as ``stages.p4.depth`` or ``outputs.0``, comes from.

    Raises ArchError for a config or overrides that cannot be read, and with the nearest key for one that is unknown.
    """
    return explained(load(config, overrides), key_path(key))


def explained(loaded: Config, path: KeyPath) -> Explanation:
    """The same of a composed config."""
    checked, _ = check(loaded)
    _refuse_expansion(loaded, checked)
    effective = _effective(checked)
    layers, blocks = _resolved(loaded)
    taken = _taken(loaded, path, effective)
    statements = (*_statements(loaded.history, default_of(path), set(map(default_of, taken))),)
    statements += (*_statements(loaded.history, path),)
    value, default = at(loaded.values, path), ""
    if taken:
        value = _part(at(effective, path), path, _leaves(value, path) | taken)
    elif value is not ABSENT:
        statements = statements or _around(loaded.history, path)
    else:
        value, default = _default(path, effective, layers)
        if value is ABSENT and not statements:
            raise _unknown(loaded, path, effective)
    size = _size(path, layers, blocks)
    return Explanation(path, value, statements, default, *_scaled(size, value, scale(checked.scale)))


def _taken(config: Config, path: KeyPath, effective: dict[str, Any]) -> dict[KeyPath, Any]:
    """The single values at and under `path` that a stage takes from stage_defaults."""
    stated = _leaves(at(config.values, path), path)
    inside = _leaves(at(effective, path), path)
    return {
        leaf: value
        for leaf, value in inside.items()
        if leaf not in stated and default_of(leaf) and at(config.values, default_of(leaf)) is not ABSENT
    }


def _statements(history: Iterable[Source], path: KeyPath, kept: Set[KeyPath] | None = None) -> tuple[Statement, ...]:
    """What each source sets. A statement wins if any value it set is still in force (and in `kept`, if given)."""
    authors: Any = {}
    made = []
    for source in history if path else ():
        before = at(authors, path)
        authors = _merged(authors, source.values, source.file)
        said = _leaves(at(source.values, path), path)
        if said or (before is not ABSENT and _is_set(source, path) and _loses(before, at(authors, path))):
            made.append((source, said))
    in_force = _leaves(at(authors, path), path)
    winners = {leaf: file for leaf, file in in_force.items() if kept is None or leaf in kept}
    return tuple(_statement(source, path, said, winners) for source, said in made)


def _statement(source: Source, path: KeyPath, said: Iterable[KeyPath], winners: Mapping[KeyPath, str]) -> Statement:
    wins = any(winners.get(leaf) == source.file for leaf in said)
    return Statement(_mark(source, path, said), path, _value(source, path), wins, source.chosen_at)


def _merged(before: Any, value: Any, file: str) -> Any:
    """Who sets each single value, after one more source: mappings merge, anything else replaces what was there."""
    if isinstance(before, dict) and isinstance(value, dict) and _has_items(before) <= _has_items(value):
        return before | {key: _merged(before.get(key), item, file) for key, item in value.items()}
    if value is ABSENT:
        return ABSENT
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return {key: _merged(None, item, file) for key, item in items} or file


def _has_items(value: Mapping[Any, Any]) -> bool:
    """Whether it is a list, or what changes one: its keys are the numbers of items."""
    return any(type(key) is int for key in value)


def _is_set(source: Source, path: KeyPath) -> bool:
    """Whether a source sets `path`, something in it, or something around it that is no mapping."""
    around = next(each for each in _upwards(path) if each == () or _is_there(source.values, each))
    return around == path or not isinstance(at(source.values, around), dict)


def _is_there(values: Any, path: KeyPath) -> bool:
    """Whether `values` has a key `path`, if only to delete it."""
    holder = at(values, path[:-1])
    return isinstance(holder, dict) and path[-1] in holder


def _loses(before: Any, after: Any) -> bool:
    return bool(set(_leaves(before)) - set(_leaves(after)))


def _value(source: Source, path: KeyPath) -> Any:
    """What a source sets at `path`; of a mapping, without the keys that it deletes."""
    value = at(source.values, path)
    return _part(value, path, _leaves(value, path))


def _mark(source: Source, path: KeyPath, said: Iterable[KeyPath]) -> Mark:
    """Where a source sets something of `path`: there, else the first key inside, else the nearest around it."""
    for candidate in (path, *said, *_upwards(path)):
        place = source.places.get(candidate)
        if place is not None:
            return place.value if candidate == path and not isinstance(at(source.values, path), dict) else place.key
    return Mark(source.file, 1, 1)


def _around(history: Sequence[Source], path: KeyPath) -> tuple[Statement, ...]:
    """The statements of the nearest key around `path`, whose value is a reference to what holds `path`."""
    return next((found for each in _upwards(path) if (found := _statements(history, each))), ())


def _effective(checked: ConfigSchema) -> dict[str, Any]:
    """The config with every key of the language: stages filled from stage_defaults, the rest by default."""
    complete = {
        section.name: {
            name: stage and filled(stage, getattr(checked, section.defaults))
            for name, stage in getattr(checked, section.name).items()
        }
        for section in SECTIONS
        if section.has_stages
    }
    return {**plain_data(checked), **plain_data(complete)}


def _refuse_expansion(config: Config, checked: ConfigSchema) -> None:
    """What fills stages is shown for every stage, which a few lines can make millions of values."""
    for section in [section for section in SECTIONS if section.has_stages]:
        filling = sum(path[0] == section.defaults for path in config.places if path)
        count = filling * len(getattr(checked, section.name))
        if count > _MOST_VALUES:
            message = f"{section.defaults} stands for {count} values in all stages; expected at most {_MOST_VALUES}"
            raise fail("budget", message, mark=config.at(section.defaults).key, path=section.defaults)


def _default(path: KeyPath, effective: dict[str, Any], layers: Mapping[KeyPath, LayerSpec]) -> tuple[Any, str]:
    """The value of a key that nobody states, and whose it is; ABSENT when there is no such key."""
    value = at(effective, path)
    layer = layers.get(path[:-1])
    if layer is not None and value is ABSENT:
        key = str(path[-1])
        if key in layer.arguments:
            return layer.arguments[key], f"given by {dotted(path[:2])}"
        parameter = layer.block.parameters.get(key)
        if parameter is not None and parameter.default is not parameter.empty:
            return parameter.default, f"the default of block '{layer.block.name}'"
    return value, "" if value is ABSENT else "the default of the language"


def _resolved(config: Config) -> tuple[dict[KeyPath, LayerSpec], dict[str, Composite]]:
    """The layers by key path and the config's own blocks; none where it has mistakes, whose keys are explained too."""
    try:
        spec = resolve(config)
    except ArchError:
        return {}, {}
    blocks = {block.name: block for block in spec.blocks if isinstance(block, Composite)}
    layers = [*spec.layers, *[layer for block in blocks.values() for layer in block.layers]]
    return {layer.at.path: layer for layer in layers}, blocks


def _size(path: KeyPath, layers: Mapping[KeyPath, LayerSpec], blocks: Mapping[str, Composite]) -> str | None:
    """Whether a key scales as a width or as a depth."""
    key, layer = str(path[-1]), layers.get(path[:-1])
    if layer is not None:
        stated = key in layer.arguments or (key == "depth" and layer.repeats is not None)
        defaults_scale = isinstance(layer.block, Composite)
        return {"depth": "depth", **layer.block.sizes}.get(key) if stated or defaults_scale else None
    if path[0] == "blocks" and path[2:3] == ("arguments",) and path[1] in blocks:
        return blocks[str(path[1])].sizes.get(key)
    return key if has_layers(path) and key in ("width", "depth") else None


def _scaled(size: str | None, value: Any, factors: Scale) -> tuple[int | None, str]:
    """What scaling makes of a width or depth, and how; nothing where it changes nothing."""
    if size is None or type(value) is not int or factors == Scale():
        return None, ""
    return SCALED[size](value, factors), scaling(size, value, factors)


def _unknown(config: Config, path: KeyPath, effective: dict[str, Any]) -> ArchError:
    leaves = [*_leaves(effective), *_leaves(config.values)]
    known = {dotted(around): None for leaf in leaves for around in _upwards(leaf) if around}
    around = next(each for each in _upwards(path) if at(effective, each) is not ABSENT)
    holder = at(effective, around)
    notes: list[Note] = []
    message = f"there is no key '{dotted(path)}' in this config"
    if around and not isinstance(holder, (dict, list)):
        message += f": '{dotted(around)}' is {describe(holder)}"
        mark = config.place(around).value
        notes = [Note(mark, "that is said at")] if mark.line else []
    return fail("unknown-key", message, path=dotted(path), hint=did_you_mean(dotted(path), known), notes=notes)


def _upwards(path: KeyPath) -> Iterator[KeyPath]:
    """The path and those of all that it stands in, the whole config last."""
    return (path[:length] for length in range(len(path), -1, -1))


def at(values: Any, path: KeyPath) -> Any:
    """What `values` has at `path`; ABSENT for nothing."""
    for step in path:
        items = values if isinstance(values, dict) else dict(enumerate(values)) if isinstance(values, list) else {}
        if step not in items:
            return ABSENT
        values = items[step]
    return values


def _leaves(values: Any, path: KeyPath = ()) -> dict[KeyPath, Any]:
    """The single values in `values`, found at `path`, by their whole paths."""
    if not isinstance(values, (dict, list)) or not values:
        return {} if values is ABSENT else {path: values}
    items = values.items() if isinstance(values, dict) else enumerate(values)
    return {leaf: value for key, item in items for leaf, value in _leaves(item, (*path, key)).items()}


def _part(value: Any, path: KeyPath, leaves: Collection[KeyPath]) -> Any:
    """`value`, found at `path`, reduced to `leaves`; a list with items missing becomes a mapping of those left."""
    if path in leaves or not isinstance(value, (dict, list)):
        return value
    items = value.items() if isinstance(value, dict) else enumerate(value)
    parts = {key: _inner_part(item, (*path, key), leaves) for key, item in items}
    kept = {key: part for key, part in parts.items() if part is not ABSENT}
    return list(kept.values()) if isinstance(value, list) and len(kept) == len(value) else kept


def _inner_part(value: Any, path: KeyPath, leaves: Collection[KeyPath]) -> Any:
    """The same; ABSENT where there is none."""
    if path in leaves:
        return value
    return (_part(value, path, leaves) or ABSENT) if isinstance(value, (dict, list)) else ABSENT
