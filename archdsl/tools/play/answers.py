"""What the page asks while a config is written, and the answers: plain data in, plain data out, and nothing is kept.

The server and the page without a server both call `answer`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from archdsl.analysis.report import LayerInfo, Report, report
from archdsl.analysis.text import bytes_text, count_text, field_text, shape_text
from archdsl.diagnostics.fixes import Edit, Fix, Range
from archdsl.diagnostics.problems import ArchError, Mark, Problem, fail
from archdsl.frontend.compose.config import Config
from archdsl.frontend.lower import outline
from archdsl.frontend.source import dotted
from archdsl.tools.editing.document import Document

MAX_OVERRIDES = 100
MAX_SIDE = 65_536
SIDE = 640  # of an image whose size the config leaves open
Data = dict[str, Any]


class Request(NamedTuple):
    """A text under the name of a file, with overrides, for images of a size; lines and columns start at 1."""

    want: str
    name: str
    text: str
    overrides: tuple[str, ...]
    size: tuple[int, int] | None
    line: int
    column: int

    def document(self, folder: Path | None) -> Document:
        return Document(self.name, self.text, folder=folder, overrides=self.overrides)


def answer(given: Any, folder: Path | None = None) -> Data:
    """The answer to one of WANTS, of a text whose parents are in `folder` or among the shipped configs.

    What cannot be answered is `{"problems": [...]}`: where the text is at fault, with places and fixes.
    """
    try:
        request = read_request(given)
        return WANTS[request.want](request, folder)
    except ArchError as error:
        return {"problems": [_problem(each, "") for each in error.problems]}


def read_request(given: Any) -> Request:
    """Raises ArchError for what no page of ours sends."""
    values = given if isinstance(given, dict) else {}
    name, text, overrides = values.get("name"), values.get("text"), values.get("overrides", [])
    line, column = values.get("line", 1), values.get("column", 1)
    is_text = isinstance(overrides, list) and all(_is_text(each) for each in (name, text, *overrides))
    if not (is_text and values.get("want") in WANTS and type(line) is type(column) is int):
        raise fail("value", f"expected a text under a name, and one of: {', '.join(WANTS)}")
    if len(overrides) > MAX_OVERRIDES:
        raise fail("limit", f"{len(overrides)} overrides; expected at most {MAX_OVERRIDES}")
    given_overrides = tuple(each for each in overrides if each.strip())
    return Request(values["want"], str(name), str(text), given_overrides, _size(values.get("size", "")), line, column)


def _is_text(value: Any) -> bool:
    """Whether it is a text that can be written, unlike half of a character."""
    return isinstance(value, str) and value == value.encode("utf-8", "replace").decode()


def _size(text: Any) -> tuple[int, int] | None:
    """`640`, `480x640`; nothing for the config's own."""
    sides = str(text).lower().replace("×", "x").replace(" ", "").split("x")
    if sides == [""]:
        return None
    if len(sides) > 2 or not all(side.isdecimal() and 0 < int(side[:9]) <= MAX_SIDE for side in sides):
        raise fail("value", f"'{str(text)[:40]}' is not an image size", hint="write one such as 640, or 480x640")
    return int(sides[0]), int(sides[-1])


def _redrawn(request: Request, folder: Path | None) -> Data:
    """Problems, places and hints; and where there is a network, its picture, tables and totals."""
    document = request.document(folder)
    problems = [each for each in document.problems if not (each.code == "expect" and request.overrides)]
    found: Data = {"places": [], "network": None}
    if document.config is not None:
        found["places"] = _places(document.config, request.name)
    if document.config is not None and document.report is not None:
        try:
            found["network"] = _network(sized_report(document.config, request.size), document.config)
        except ArchError as error:  # not for images of this size
            problems += error.problems
    return {"problems": [_problem(each, request.name) for each in problems], **found}


def sized_report(config: Config, size: tuple[int, int] | None) -> Report:
    """For images of `size`, or of the config's own; of SIDE where that is open."""
    if size is not None:
        return report(outline(config.with_size(*size)))
    costs = report(outline(config))
    height, image_width, _ = costs.input_shape
    if height and image_width:
        return costs
    return report(outline(config.with_size(height or SIDE, image_width or SIDE)))


def _network(costs: Report, config: Config) -> Data:
    return {
        "svg": _picture(costs, "page"),
        "name": costs.name,
        "totals": _totals(costs),
        "layers": [_layer(each) for each in costs.layers],
        "outputs": _outputs(costs),
        "scale": _scale(config),
    }


def _totals(costs: Report) -> Data:
    taken = costs.memory()
    return {
        "params": costs.params,
        "trainable": costs.trainable_params,
        "macs": costs.macs,
        "memory": taken and taken.inference,
        "memory_at": taken.layer if taken else "",
        "image": shape_text(costs.input_shape),
        "texts": {
            "params": count_text(costs.params),
            "macs": count_text(costs.macs),
            "memory": bytes_text(taken.inference if taken else None),
        },
    }


def _layer(layer: LayerInfo) -> Data:
    return {
        "path": layer.path,
        "block": layer.block,
        "shape": shape_text(layer.shape),
        "stride": layer.stride,
        "params": layer.params,
        "macs": layer.macs,
        "macs_text": count_text(layer.macs),
        "outputs": layer.levels,
    }


def _outputs(costs: Report) -> list[Data]:
    places = costs.outline.outputs
    return [
        {
            "name": name,
            "path": places[name].origin.path,
            "shape": shape_text(info.shape),
            "stride": info.stride,
            "field": field_text(info.receptive_field),
        }
        for name, info in costs.outputs.items()
    ]


def _scale(config: Config) -> Data:
    given = config.values.get("scale") or {}
    return {name: given.get(name, 1) for name in ("width", "depth")}


def _places(config: Config, file: str) -> list[tuple[str, int, int]]:
    """Where the text has its keys: the key path, line and column, in the order of the text."""
    keys = ((path, place.key) for path, place in config.places.items())
    here = [(dotted(path), key.line, key.column) for path, key in keys if key.file == file]
    return sorted(here, key=lambda each: each[1:])


def _problem(problem: Problem, file: str) -> Data:
    """`file` is empty where it is that of the text."""
    return {
        "code": problem.code,
        "message": problem.fact,
        "hint": problem.hint,
        **_range(problem.range, file),
        "notes": [{"text": note.text, **_mark(note.mark, file)} for note in problem.notes],
        "fixes": [_fix(each, file) for each in problem.fixes if _is_within(each.edits, file)],
    }


def _fix(fix: Fix, file: str) -> Data:
    return {"title": fix.title, "edits": [{**_range(each.range, file), "text": each.text} for each in fix.edits]}


def _is_within(edits: Iterable[Edit], file: str) -> bool:
    return all(each.range.file == file for each in edits)


def _range(place: Range, file: str) -> Data:
    return {**_mark(Mark(*place[:3]), file), "end_line": place.end_line, "end_column": place.end_column}


def _mark(mark: Mark, file: str) -> Data:
    return {"file": "" if mark.file == file else mark.file, "line": mark.line, "column": mark.column}


def _resolved(request: Request, folder: Path | None) -> Data:
    """The whole config as one file, as `archdsl resolve` prints it."""
    from archdsl.tools.resolved import resolved_text

    return {"text": resolved_text(_config_of(request, folder))}


def _drawn(request: Request, folder: Path | None) -> Data:
    """The diagram as a file of its own."""
    return {"text": _picture(sized_report(_config_of(request, folder), request.size), "light")}


def _picture(costs: Report, theme: str) -> str:
    try:
        from archdsl.tools.pictures.diagram import svg_of
    except ImportError:
        return ""
    return svg_of(costs, theme)


def _config_of(request: Request, folder: Path | None) -> Config:
    """Raises ArchError for what is wrong in the text, but for promises of it that no longer hold."""
    document = request.document(folder)
    if document.config is None or document.report is None:
        raise ArchError(document.problems)
    return document.config


WANTS: Mapping[str, Callable[[Request, Path | None], Data]] = {
    "redraw": _redrawn,
    "resolved": _resolved,
    "svg": _drawn,
}
