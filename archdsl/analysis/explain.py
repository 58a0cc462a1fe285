"""Where a value of a config comes from: what each file and override says about its key, in the order they apply."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from archdsl.diagnostics.problems import ArchError, Mark, Note, fail
from archdsl.diagnostics.wording import describe, did_you_mean
from archdsl.frontend.compose.config import Config, ConfigLike, load, sources_of
from archdsl.frontend.compose.merge import merge
from archdsl.frontend.compose.overrides import apply_overrides, override_name
from archdsl.frontend.sections import SECTIONS, default_of, has_layers
from archdsl.frontend.sema.composite import Composite
from archdsl.frontend.sema.resolve import check, resolve, scale
from archdsl.frontend.sema.scale import scaled_depth, scaled_width
from archdsl.frontend.sema.schema import ConfigSchema, filled
from archdsl.frontend.sema.spec import LayerSpec, Scale
from archdsl.frontend.source import KeyPath, Places, dotted, key_path, nearest_place

ABSENT: Any = type("Absent", (), {"__repr__": lambda self: "absent"})()


@dataclass(frozen=True)
class Statement:
    """What one file or override says about a key, at `mark`: a value, or ABSENT where it takes the key away.

    `path` is the key as it is written there: the one asked for, or that of stage_defaults behind it. Of a mapping,
    `value` holds the keys that are said here. `wins` tells whether any of it is in force.
    """

    mark: Mark
    path: KeyPath
    value: Any
    wins: bool


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
    loaded = load(config, overrides)
    path = key_path(key)
    checked, _ = check(loaded)
    effective = _effective(checked)
    steps = list(_steps(config, overrides))
    layers, blocks = _resolved(loaded)
    taken = _taken(loaded, path, effective)
    statements = (*_said(steps, _behind(path), {_behind(leaf) for leaf in taken}), *_said(steps, path))
    value, default = _at(loaded.values, path), ""
    if taken:
        value = _part(_at(effective, path), path, _leaves(value, path) | taken)
    elif value is not ABSENT:
        statements = statements or _said(steps, _written(steps, path))
    else:
        value, default = _default(path, effective, layers)
        if value is ABSENT and not statements:
            raise _unknown(loaded, path, effective)
    size = _size(path, layers, blocks)
    return Explanation(path, value, statements, default, *_scaled(size, value, scale(checked.scale)))


def _behind(path: KeyPath) -> KeyPath:
    """The key of stage_defaults that fills `path` of a stage; no key for what is in no stage."""
    return default_of(path)


def _taken(config: Config, path: KeyPath, effective: dict[str, Any]) -> dict[KeyPath, Any]:
    """The single values at and under `path` that a stage takes from stage_defaults."""
    stated = _leaves(_at(config.values, path), path)
    inside = _leaves(_at(effective, path), path)
    return {
        leaf: value
        for leaf, value in inside.items()
        if leaf not in stated and _behind(leaf) and _at(config.values, _behind(leaf)) is not ABSENT
    }


@dataclass(frozen=True)
class _Step:
    """The config after one more file or override, which marks know by `name`."""

    name: str
    values: dict[str, Any]
    places: Places

    def leaves(self, path: KeyPath) -> dict[KeyPath, Any]:
        """The single values at and under `path`."""
        return _leaves(_at(self.values, path), path)

    def author(self, leaf: KeyPath) -> str:
        """The name of the file or override that a value comes from."""
        return nearest_place(self.places, leaf, self.name).value.file

    def mark(self, path: KeyPath, said: Iterable[KeyPath]) -> Mark:
        """Where it says something of `path`: there, else of the first key inside, else of the nearest around it."""
        for candidate in (path, *said, *_upwards(path)):
            place = self.places.get(candidate)
            if place is not None and place.value.file == self.name:
                return place.value if candidate == path and not isinstance(_at(self.values, path), dict) else place.key
        return Mark(self.name, 1, 1)


def _steps(config: ConfigLike, overrides: Sequence[str]) -> Iterator[_Step]:
    sources = sources_of(config)
    for count, source in enumerate(sources, 1):
        yield _Step(source.file, *merge(sources[:count]))
    for count in range(1, len(overrides) + 1):
        values, places = merge(sources)
        apply_overrides(values, places, overrides[:count])
        yield _Step(override_name(count), values, places)


def _said(steps: Sequence[_Step], path: KeyPath, kept: Set[KeyPath] | None = None) -> tuple[Statement, ...]:
    """What each step says; it wins with what the last step still has of it, among `kept` where that is given."""
    if not path:
        return ()
    statements = []
    before: set[KeyPath] = set()
    in_force = {(leaf, steps[-1].author(leaf)) for leaf in steps[-1].leaves(path) if kept is None or leaf in kept}
    for step in steps:
        after = step.leaves(path)
        said = {leaf: value for leaf, value in after.items() if step.author(leaf) == step.name}
        if said or before - set(after):
            value = _part(_at(step.values, path), path, said)
            wins = any((leaf, step.name) in in_force for leaf in said)
            statements.append(Statement(step.mark(path, said), path, value, wins))
        before = set(after)
    return tuple(statements)


def _written(steps: Sequence[_Step], path: KeyPath) -> KeyPath:
    """The key around `path` whose value is a reference, and stands for a mapping or list with `path` in it."""
    return next(each for each in _upwards(path) if _at(steps[-1].values, each) is not ABSENT)


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
    values: dict[str, Any] = checked.model_copy(update=complete).model_dump(by_alias=True, mode="json", warnings=False)
    return values


def _default(path: KeyPath, effective: dict[str, Any], layers: Mapping[KeyPath, LayerSpec]) -> tuple[Any, str]:
    """The value of a key that nobody states, and whose it is; ABSENT when there is no such key."""
    value = _at(effective, path)
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
    if size == "depth":
        start, exact, result = f"{value}", value * factors.depth, scaled_depth(value, factors)
        rule = ", at least 1" if exact < 0.5 else ""
    else:
        capped = min(value, factors.max_width or value)
        start = f"{value}" if capped == value else f"min({value}, scale.max_width {factors.max_width})"
        exact, result = capped * factors.width, scaled_width(value, factors)
        rule = f" to a multiple of {factors.divisor}" if factors.divisor > 1 else ""
    rounding = "" if exact == result else f", rounded{rule}"
    return result, f"{start} × scale.{size} {getattr(factors, size):g} = {exact:g}{rounding}"


def _unknown(config: Config, path: KeyPath, effective: dict[str, Any]) -> ArchError:
    leaves = [*_leaves(effective), *_leaves(config.values)]
    known = {dotted(around): None for leaf in leaves for around in _upwards(leaf) if around}
    around = next(each for each in _upwards(path) if _at(effective, each) is not ABSENT)
    holder = _at(effective, around)
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


def _at(values: Any, path: KeyPath) -> Any:
    for step in path:
        items = values if isinstance(values, dict) else dict(enumerate(values)) if isinstance(values, list) else {}
        if step not in items:
            return ABSENT
        values = items[step]
    return values


def _leaves(values: Any, path: KeyPath = ()) -> dict[KeyPath, Any]:
    """The single values in `values`, which stands at `path`, by their whole paths."""
    if not isinstance(values, (dict, list)) or not values:
        return {} if values is ABSENT else {path: values}
    items = values.items() if isinstance(values, dict) else enumerate(values)
    return {leaf: value for key, item in items for leaf, value in _leaves(item, (*path, key)).items()}


def _part(value: Any, path: KeyPath, leaves: Collection[KeyPath]) -> Any:
    """What of `value`, which stands at `path`, are the `leaves`; of a list only some of its items are a mapping."""
    if path in leaves or not isinstance(value, (dict, list)):
        return value
    depth = len(path)
    inside = {leaf[depth] for leaf in leaves if len(leaf) > depth and leaf[:depth] == path}
    items = value.items() if isinstance(value, dict) else enumerate(value)
    kept = {key: _part(item, (*path, key), leaves) for key, item in items if key in inside}
    return list(kept.values()) if isinstance(value, list) and len(kept) == len(value) else kept
