"""What differs between two configs, in values, layers and costs; as data and as tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from archdsl.analysis.report import Report
from archdsl.analysis.text import Table, count_text, shape_text, yaml_text
from archdsl.frontend.compose.config import Config
from archdsl.frontend.source import ABSENT

_LABELS = {"macs": "MACs", "activation_memory": "bytes of memory"}
_DIFFERENCE = "difference"
_ABBREVIATED = 10**8


class Change(NamedTuple):
    """A key with another value in the second config; ABSENT where one of them has no such key."""

    key: str
    before: Any
    after: Any


def differences(configs: Sequence[Config], reports: Sequence[Report]) -> dict[str, list[Change]]:
    """What differs between two configs: each `value`, each `layer`, each `cost`."""
    return {
        "value": changes(*[dict(flat({**config.resolved, "name": None})) for config in configs]),
        "layer": changes(*[layers(costs) for costs in reports]),
        "cost": changes(*[figures(costs) for costs in reports]),
    }


def flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every single value of a config under its dotted key."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from flat(item, f"{path}.{key}" if path else str(key))
    else:
        yield path, value


def layers(costs: Report) -> dict[str, dict[str, Any]]:
    return {
        layer.path: {"block": layer.block, "shape": list(layer.shape), "params": layer.params, "macs": layer.macs}
        for layer in costs.layers
    }


def figures(costs: Report) -> dict[str, Any]:
    outputs = {f"outputs.{level}": list(info.shape) for level, info in costs.outputs.items()}
    return {"params": costs.params, "macs": costs.macs, "activation_memory": costs.activation_memory, **outputs}


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """Every difference, in the order of the first, then keys that only the second has."""
    keys = list(before) + [key for key in after if key not in before]
    found = [Change(key, before.get(key, ABSENT), after.get(key, ABSENT)) for key in keys]
    return [change for change in found if change.before != change.after]


def table(kind: str, names: Sequence[str], rows: Sequence[Change]) -> Table:
    """The changes of one kind of `differences` between two configs of these names."""
    show = {"value": yaml_text, "layer": layer_text, "cost": figure_text}[kind]
    texts = [
        (_LABELS.get(key, key), *["–" if side is ABSENT else show(side) for side in sides], difference(*sides))
        for key, *sides in rows
    ]
    return Table((kind, *names, _DIFFERENCE), texts, (_DIFFERENCE,))


def layer_text(layer: dict[str, Any]) -> str:
    return f"{layer['block']}, {shape_text(tuple(layer['shape']))}, {layer['params']:,}"


def figure_text(figure: Any) -> str:
    """A shape, or a number as precisely as `archdsl show` prints it."""
    if isinstance(figure, list):
        return shape_text(tuple(figure))
    return f"{figure:,}" if figure is not None and figure < _ABBREVIATED else count_text(figure)


def difference(before: Any, after: Any) -> str:
    """`+1,234 (+5.1 %)` for two numbers, and for the parameters of two layers; empty for other values."""
    before, after = [
        side["params"] if isinstance(side, dict) and "params" in side else side for side in (before, after)
    ]
    if not all(isinstance(side, (int, float)) and not isinstance(side, bool) for side in (before, after)):
        return ""
    change, sign = abs(after - before), "-" if after < before else "+"
    size = figure_text(change) if isinstance(change, int) else f"{change:g}"
    share = f" ({(after - before) / before:+.1%})".replace("%", " %") if before else ""
    return f"{sign}{size}{share}" if change else ""
