"""Model files of Ultralytics, rows of [from, repeats, module, arguments] → a config of stages, neck and head."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

from archdsl.diagnostics.problems import ArchError, Mark, fail
from archdsl.diagnostics.unicode import printable
from archdsl.diagnostics.wording import did_you_mean, one_of
from archdsl.frontend.importers.rows import Rows, Value, flow
from archdsl.frontend.sema.scale import scaled_width
from archdsl.frontend.sema.spec import Scale
from archdsl.frontend.source import Source
from archdsl.frontend.yaml.files import read_file

KNOWN_KEYS = ("nc", "scales", "scale", "backbone", "head", "depth_multiple", "width_multiple", "ch", "activation")
NESTED_SIZES = ("m", "l", "x")  # in which every C3k2 is nested, whatever its row says
LIGHT_HEAD = ("C3k2", "A2C2f", "C2fCIB")  # with one of these the classes are found by depthwise convolutions
MAX_ROWS = 1000
MOST = 65_536
_HEADER = """# From {name}{size}. Layers have the numbers of its rows.
input: {{shape: [null, null, 3], rescale: true}}
conventions:
  activation: silu
  padding: symmetric
  norm: {{kind: batch, momentum: 0.97, epsilon: 1.0e-3}}
scale: {scale}
"""


@dataclass(frozen=True)
class Row:
    """A line of `backbone` or `head`: places of its inputs, repeats, module and arguments."""

    number: int
    inputs: list[int]
    repeats: int
    module: str
    arguments: list[Any]
    mark: Mark

    def bad(self, fact: str, hint: str = "") -> ArchError:
        return fail("argument", f"row {self.number}, {self.module}: {fact}", mark=self.mark, hint=hint)

    def argument(self, place: int, default: Any) -> Any:
        """An argument, of the type of its default. Raises ArchError for another type."""
        if place >= len(self.arguments) or self.arguments[place] in (None, "None"):
            return default
        value = self.arguments[place]
        wanted = (int, float) if isinstance(default, float) else type(default)
        if not isinstance(value, wanted) or isinstance(value, bool) is not isinstance(default, bool):
            raise self.bad(f"argument {place} is {value!r:.60}; expected one such as {default}")
        if isinstance(value, (int, float)) and not 0 <= value <= MOST:
            raise self.bad(f"argument {place} is {value!r:.60}; expected 0 to {MOST}")
        return value


def config_text(path: Path, scale: str | None = None) -> str:
    """The config in YAML, in one of the sizes of the file; by default the first.

    Raises ArchError, with its line, for a module or an argument that is not known.
    """
    source = read_file(path)
    values = source.values
    unknown = [key for key in values if key not in KNOWN_KEYS]
    if unknown or values.get("activation", "nn.SiLU()") != "nn.SiLU()":
        key = (unknown or ["activation"])[0]
        raise fail("unknown-key", f"'{key}' is not known", mark=source.place((key,)).key, path=str(key))
    size, factors = _scale(source, scale)
    places = [(part, index) for part in ("backbone", "head") for index in range(len(_list(source, part)))]
    rows = [_row(source, number, *place) for number, place in enumerate(places)]
    network, first_of_head = Rows(), len(_list(source, "backbone"))
    is_light = any(row.module in LIGHT_HEAD for row in rows)
    head: list[str] = []
    for row in rows:
        network.in_neck = row.number >= first_of_head
        inputs = [_input(network, row, place) for place in row.inputs]
        if row.module == "Detect":
            head = _detect(row, inputs, values.get("nc"), is_light)
            break
        network.values.append(_layer(network, row, inputs, size, factors))
    header = _HEADER.format(
        name=printable(path.name)[:200],
        size=f", size {size}" if size else "",
        scale=flow({"width": factors.width, "depth": factors.depth, "max_width": factors.max_width}),
    )
    return "".join([header, *network.lines(), *(head or [f"outputs: [{network.last}]\n"])])


def _list(source: Source, key: str) -> list[Any]:
    found = source.values.get(key)
    if not isinstance(found, list) or not 0 < len(found) <= MAX_ROWS:
        mark = source.place((key,)).key
        raise fail("type", f"'{key}' is not a list of at most {MAX_ROWS} rows", mark=mark, path=key)
    return found


def _row(source: Source, number: int, part: str, index: int) -> Row:
    mark = source.place((part, index)).value
    match source.values[part][index]:
        case [int() | list() as origin, int(repeats), str(module), list(arguments)] if 0 < repeats <= MAX_ROWS:
            inputs = origin if isinstance(origin, list) else [origin]
            if inputs and all(type(place) is int for place in inputs):
                return Row(number, inputs, repeats, module, arguments, mark)
    raise fail("type", f"row {number} is not [from, repeats, module, arguments]", mark=mark, path=f"{part}.{index}")


def _scale(source: Source, wanted: str | None) -> tuple[str, Scale]:
    """The size and what it does; widths are rounded to multiples of 8."""
    sizes = source.values.get("scales")
    if not isinstance(sizes, dict) or not sizes:
        if wanted is not None:
            raise fail("unknown-value", "the file has no scales", mark=Mark(source.file))
        found = [source.values.get(key, 1.0) for key in ("depth_multiple", "width_multiple")]
        return "", _factors(source, "depth_multiple", [*found, MOST])
    size = wanted or str(next(iter(sizes)))
    if size not in sizes:
        mark = source.place(("scales",)).key
        raise fail("unknown-value", f"no scale '{size}'; {one_of(sizes)}", mark=mark, hint=did_you_mean(size, sizes))
    return size, _factors(source, "scales", sizes[size])


def _factors(source: Source, key: str, numbers: Any) -> Scale:
    match numbers:
        case [int() | float() as depth, int() | float() as width, int(most)]:
            if 0 < depth <= 100 and 0 < width <= 100 and 0 < most <= MOST:
                return Scale(width, depth, most, 8)
    raise fail("value", "expected [depth, width, largest width]", mark=source.place((key,)).value, path=key)


def _input(network: Rows, row: Row, place: int) -> Value:
    at = place + row.number if place < 0 else place
    if place == -1 and row.number == 0:
        return Value("input", 3, 1)
    if not 0 <= at < row.number:
        raise row.bad(f"reads row {at}; expected one before it")
    return network.values[at]


def _layer(network: Rows, row: Row, inputs: Sequence[Value], size: str, factors: Scale) -> Value:
    if row.module not in MODULES:
        raise fail(
            "unknown-block",
            f"row {row.number}: no module '{row.module}'; {one_of([*MODULES, 'Detect'])}",
            mark=row.mark,
            hint=did_you_mean(row.module, MODULES),
        )
    if row.module != "Concat" and len(inputs) != 1:
        raise row.bad(f"reads {len(inputs)} rows; expected one")
    layer, change = MODULES[row.module](row, size)
    if "width" in layer:
        layer |= _width(layer.pop("width"), factors)
    if row.repeats > 1:
        if "depth" not in layer:
            raise row.bad(f"{row.repeats} repeats; expected 1")
        layer["depth"] = row.repeats
    else:
        layer.pop("depth", None)
    stride = inputs[0].stride * change
    if stride != int(stride) or not 1 <= stride <= MOST:
        raise row.bad("enlarges the map beyond the image, or makes nothing of it")
    name = f"{layer['block']}_{row.number}"
    return network.add(name, layer, inputs, 0, int(stride))


def _width(width: int, factors: Scale) -> dict[str, int]:
    """Ultralytics rounds up; what our rule makes something else of is not scaled again."""
    exact = ceil(min(width, factors.max_width or width) * factors.width / 8) * 8
    return {"width": width} if scaled_width(width, factors) == exact else {"filters": exact}


Module = Callable[[Row, str], tuple[dict[str, Any], float]]
"""A row and the size → the layer, and by how much it changes the stride."""


def _conv(row: Row, size: str) -> tuple[dict[str, Any], float]:
    width, kernel, stride = row.argument(0, 1), row.argument(1, 1), row.argument(2, 1)
    if not stride:
        raise row.bad("a stride of 0")
    padding, groups, dilation = row.argument(3, kernel // 2), row.argument(4, 1), row.argument(5, 1)
    if len(row.arguments) > 6:
        raise row.bad("an activation of its own is not known")
    layer: dict[str, Any] = {"block": "conv_bn_act", "width": width, "kernel": kernel, "stride": stride}
    layer |= {"groups": groups} if groups != 1 else {}
    layer |= {"dilation": dilation} if dilation != 1 else {}
    padding = padding * dilation if len(row.arguments) < 4 else padding
    return layer | ({} if 2 * padding == dilation * (kernel - 1) else {"padding": padding}), stride


def _stack(block: str, residual: bool) -> Module:
    """[width, shortcut, groups, expansion] of C2f and C3."""

    def read(row: Row, size: str) -> tuple[dict[str, Any], float]:
        expansion = row.argument(3, 0.5)
        if row.argument(2, 1) != 1:
            raise row.bad("groups are not known")
        layer = {"block": block, "width": row.argument(0, 1), "depth": 1, "residual": row.argument(1, residual)}
        return layer | ({"expansion": expansion} if expansion != 0.5 else {}), 1

    return read


def _c3k2(row: Row, size: str) -> tuple[dict[str, Any], float]:
    nested, expansion = row.argument(1, False) or size in NESTED_SIZES, row.argument(2, 0.5)
    if row.argument(3, 1) != 1:
        raise row.bad("groups are not known")
    layer = {"block": "c3k2", "width": row.argument(0, 1), "depth": 1, "nested": nested}
    layer |= {"residual": False} if not row.argument(4, True) else {}
    return layer | ({"expansion": expansion} if expansion != 0.5 else {}), 1


def _c2psa(row: Row, size: str) -> tuple[dict[str, Any], float]:
    expansion = row.argument(1, 0.5)
    layer = {"block": "c2psa", "width": row.argument(0, 1), "depth": 1}
    return layer | ({"expansion": expansion} if expansion != 0.5 else {}), 1


def _sppf(row: Row, size: str) -> tuple[dict[str, Any], float]:
    return {"block": "sppf", "width": row.argument(0, 1), "kernel": row.argument(1, 5)}, 1


def _upsample(row: Row, size: str) -> tuple[dict[str, Any], float]:
    factor = row.argument(1, 2)
    if row.argument(2, "nearest") != "nearest" or row.argument(0, "None") != "None" or not 1 <= factor <= 32:
        raise row.bad("expected [None, factor, nearest]")
    return {"block": "upsample"} | ({"factor": factor} if factor != 2 else {}), 1 / factor


def _concat(row: Row, size: str) -> tuple[dict[str, Any], float]:
    if row.argument(0, 1) != 1:
        raise row.bad("expected channels, [1]")
    return {"block": "concat"}, 1


MODULES: dict[str, Module] = {
    "Conv": _conv,
    "C2f": _stack("c2f", residual=False),
    "C3": _stack("c3", residual=True),
    "C3k2": _c3k2,
    "C2PSA": _c2psa,
    "SPPF": _sppf,
    "nn.Upsample": _upsample,
    "Concat": _concat,
}


def _detect(row: Row, inputs: Sequence[Value], stated: Any, is_light: bool) -> list[str]:
    """The head of boxes as distributions, on the rows that it names, fine to coarse."""
    given = row.arguments[0] if row.arguments else "nc"
    classes = stated if given == "nc" else given
    if type(classes) is not int or not 1 <= classes <= MOST:
        raise row.bad("expected [nc], a number of classes")
    names = [each.name for each in inputs]
    light = {"depthwise": True} if is_light else {}
    layers = {
        "box": {"block": "box_branch", "each": names, "from": names[0]},
        "class": {"block": "class_branch", "each": names, "from": names[0], "classes": classes} | light,
        "boxes": {"block": "dfl_boxes", "from": "box"},
        "scores": {"block": "class_scores", "from": "class"},
    }
    results = "outputs: {boxes: head_boxes, scores: head_scores}\n"
    return ["head:\n", *[f"  {name}: {flow(layer)}\n" for name, layer in layers.items()], results]
