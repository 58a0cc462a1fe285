"""Model files of Ultralytics, rows of [from, repeats, module, arguments] → a config of stages, neck and head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archdsl.diagnostics.problems import Mark, fail
from archdsl.diagnostics.unicode import printable
from archdsl.diagnostics.wording import did_you_mean, one_of
from archdsl.frontend.importers.rows import Rows, Value
from archdsl.frontend.importers.ultralytics_heads import DETECT_NORM, HEADS, PLAIN_NORM, Head
from archdsl.frontend.importers.ultralytics_modules import MAX_ROWS, MODULES, MOST, Row, Size, width_of
from archdsl.frontend.sema.spec import Scale
from archdsl.frontend.source import Source
from archdsl.frontend.yaml.files import read_file
from archdsl.frontend.yaml.writing import yaml_line

KNOWN_KEYS = (
    *("nc", "scales", "scale", "backbone", "head", "depth_multiple", "width_multiple", "ch", "activation", "anchors"),
    "kpt_shape",
)
SILU = {"activation": "silu"}
_HEADER = """# From {name}{size}. Layers have the numbers of its rows.
input: {{shape: [{side}, {side}, {channels}], rescale: true}}
conventions:
{activation}  padding: symmetric
  norm: {norm}
scale: {scale}
"""


def config_text(path: Path, scale: str | None = None) -> str:
    """The config in YAML, in one of the sizes of the file; by default that which it names, or the first.

    Raises ArchError, with its line, for a module or an argument that is not known.
    """
    source = read_file(path)
    values = source.values
    unknown = [key for key in values if key not in KNOWN_KEYS]
    if unknown or values.get("activation", "nn.SiLU()") != "nn.SiLU()":
        key = (unknown or ["activation"])[0]
        raise fail("unknown-key", f"'{key}' is not known", mark=source.place((key,)).key, path=str(key))
    channels = values.get("ch", 3)
    if type(channels) is not int or not 0 < channels <= MOST:
        raise fail("value", "expected a number of channels", mark=source.place(("ch",)).value, path="ch")
    size = _scale(source, scale)
    places = [(part, index) for part in ("backbone", "head") for index in range(len(_list(source, part)))]
    rows = [_row(source, number, *place) for number, place in enumerate(places)]
    first_of_head = len(_list(source, "backbone"))
    return text_of(rows, first_of_head, Network(path.name, values, size))


@dataclass(frozen=True)
class Network:
    """What a file says of its network besides the rows: `values` by their keys, such as nc."""

    name: str
    values: Mapping[str, Any]
    size: Size
    norm: Mapping[str, Any] | None = None
    activation: Mapping[str, Any] | None = None
    """What it is in `conventions`; without, SiLU."""


def text_of(rows: Sequence[Row], first_of_head: int, of: Network) -> str:
    """The config in YAML of these rows."""
    network, size = Rows(), of.size
    head: list[str] = []
    for row in rows:
        if head:
            raise row.bad("is behind the head")
        network.in_neck = row.number >= first_of_head
        inputs = [_input(network, row, place) for place in row.inputs]
        if row.module in HEADS:
            head = Head(row, inputs, of.values, size, {each.module for each in rows}).lines()
        else:
            network.values.append(_layer(network, row, inputs, size))
    factors = size.factors
    header = _HEADER.format(
        name=printable(of.name)[:200],
        size=f", size {printable(size.name)}" if size.name else "",
        side=640 if any(row.module == "A2C2f" for row in rows) else "null",  # areas are parts of a known size
        channels=of.values.get("ch", 3),
        activation="".join([f"  {key}: {value}\n" for key, value in (of.activation or SILU).items()]),
        norm=yaml_line(of.norm or (PLAIN_NORM if row.module == "Classify" else DETECT_NORM)),
        scale=yaml_line(
            {"width": factors.width, "depth": factors.depth, "max_width": factors.max_width, **_divisor(factors)}
        ),
    )
    return "".join([header, *network.lines(), *(head or [f"outputs: [{network.last}]\n"])])


def _divisor(factors: Scale) -> dict[str, int]:
    return {} if factors.divisor == 8 else {"divisor": factors.divisor}


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


def _scale(source: Source, wanted: str | None) -> Size:
    """The size, by default that which the file names, and what it does; widths are rounded to multiples of 8."""
    sizes = source.values.get("scales")
    if not isinstance(sizes, dict) or not sizes:
        if wanted is not None:
            raise fail("unknown-value", "the file has no scales", mark=Mark(source.file))
        found = [source.values.get(key, 1.0) for key in ("depth_multiple", "width_multiple")]
        return Size("", _factors(source, "depth_multiple", [*found, MOST]))
    size = str(wanted or source.values.get("scale") or next(iter(sizes)))[:60]
    if size not in sizes:
        mark = source.place(("scales",)).key
        raise fail("unknown-value", f"no scale '{size}'; {one_of(sizes)}", mark=mark, hint=did_you_mean(size, sizes))
    return Size(size, _factors(source, "scales", sizes[size]))


def _factors(source: Source, key: str, numbers: Any) -> Scale:
    match numbers:
        case [int() | float() as depth, int() | float() as width, int(most)]:
            if 0 < depth <= 100 and 0 < width <= 100 and 0 < most <= MOST:
                return Scale(width, depth, most, 8)
    raise fail("value", "expected [depth, width, largest width]", mark=source.place((key,)).value, path=key)


def _input(network: Rows, row: Row, place: int) -> Value:
    at = place + row.number if place < 0 else place
    if place == -1 and row.number == 0:
        return Value("input", 3, (1, 1))
    if not 0 <= at < row.number:
        raise row.bad(f"reads row {at}; expected one before it")
    return network.values[at]


def _layer(network: Rows, row: Row, inputs: Sequence[Value], size: Size) -> Value:
    if row.module not in MODULES:
        raise fail(
            "unknown-block",
            f"row {row.number}: no module '{row.module}'; {one_of([*MODULES, *HEADS])}",
            mark=row.mark,
            hint=did_you_mean(row.module, [*MODULES, *HEADS]),
        )
    if row.module != "Concat" and len(inputs) != 1:
        raise row.bad(f"reads {len(inputs)} rows; expected one")
    layer, change = MODULES[row.module](row, size)
    if "width" in layer:
        layer |= width_of(layer.pop("width"), size.factors)
    if row.repeats > 1:
        if layer.get("depth") != 1:  # of its own, or without
            raise row.bad(f"{row.repeats} repeats; expected 1")
        layer["depth"] = row.repeats
    elif layer.get("depth") == 1:
        del layer["depth"]
    stride = inputs[0].strides[0] * change
    if stride != int(stride) or not 1 <= stride <= MOST:
        raise row.bad("enlarges the map beyond the image, or makes nothing of it")
    name = f"{layer['block']}_{row.number}"
    return network.add(name, layer, inputs, 0, (int(stride), int(stride)))
