"""Answers the page's questions about a config: plain data in, plain data out, nothing kept.

The server and the page without a server both call `answer`.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from archdsl.analysis.lint import Design, Finding, Question, warnings
from archdsl.analysis.report import LayerInfo, Report, report
from archdsl.analysis.text import bytes_text, count_text, field_text, shape_text
from archdsl.diagnostics.fixes import Edit, Fix, Range
from archdsl.diagnostics.problems import ArchError, Mark, Problem, fail, problem
from archdsl.frontend.compose.config import Config
from archdsl.frontend.compose.search_path import config_root
from archdsl.frontend.lower import outline
from archdsl.frontend.source import dotted
from archdsl.frontend.yaml.extents import with_extents
from archdsl.frontend.yaml.writing import yaml_document
from archdsl.tools.editing.document import Document
from archdsl.tools.editing.hints import Inlay, inlays
from archdsl.tools.pictures.diagram import svg_of
from archdsl.tools.play.keeping import kept

MAX_OVERRIDES = 100
MAX_OPTIONS = 500
MAX_SIDE = 65_536
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
    """The answer to one of WANTS. Parents are looked for in `folder` and among the shipped configs.

    On failure it is `{"problems": [...]}`, with places and fixes where the text is at fault.
    """
    try:
        request = read_request(given)
        return WANTS[request.want](request, folder)
    except ArchError as error:
        return {"problems": [_problem(each, "") for each in error.problems]}


def read_request(given: Any) -> Request:
    """The question as a Request. Raises ArchError for anything that the page never sends."""
    values = given if isinstance(given, dict) else {}
    name, text, overrides = values.get("name"), values.get("text"), values.get("overrides", [])
    line, column = values.get("line", 1), values.get("column", 1)
    want = values.get("want")
    is_text = isinstance(overrides, list) and all(_is_text(each) for each in (want, name, text, *overrides))
    if not (is_text and want in WANTS and type(line) is type(column) is int):
        raise fail("value", f"expected a text under a name, and one of: {', '.join(WANTS)}")
    if len(overrides) > MAX_OVERRIDES:
        raise fail("limit", f"{len(overrides)} overrides; expected at most {MAX_OVERRIDES}")
    given_overrides = tuple(each for each in overrides if each.strip())
    return Request(str(want), str(name), str(text), given_overrides, _size(values.get("size", "")), line, column)


def _is_text(value: Any) -> bool:
    """Whether it is a string that can be encoded, without half a character."""
    return isinstance(value, str) and value == value.encode("utf-8", "replace").decode()


def _size(text: Any) -> tuple[int, int] | None:
    """The size in `640` or `480x640`; None for an empty text, the config's own size."""
    sides = str(text).lower().replace("×", "x").replace(" ", "").split("x")
    if sides == [""]:
        return None
    if len(sides) > 2 or not all(side.isdecimal() and len(side) < 6 and 0 < int(side) <= MAX_SIDE for side in sides):
        raise fail("value", f"'{str(text)[:40]}' is not an image size", hint="write one such as 640, or 480x640")
    return int(sides[0]), int(sides[-1])


def _redrawn(request: Request, folder: Path | None) -> Data:
    """Problems, places and hints; if there is a network, also its picture, tables and totals."""
    document = request.document(folder)
    problems = [each for each in document.problems if not (each.code == "expect" and request.overrides)]
    network, slips = None, []
    try:
        if document.report is not None:
            network = _network(sized_report(document, request.size), document)
            slips = _slips(document, request.size)
    except ArchError as error:  # not for images of this size
        problems += error.problems
    return {
        "problems": [*[_problem(each, request.name) for each in problems], *slips],
        "places": _places(document.config, request.name) if document.config else [],
        "hints": _hints(document),
        "network": network,
    }


def sized_report(document: Document, size: tuple[int, int] | None) -> Report:
    """The report for images of `size`, or of the config's own. Raises ArchError for an invalid text."""
    if document.config is None or document.report is None:
        raise ArchError(document.problems)
    if size is not None:
        document.last_good = report(outline(_sized(document.config, size)))  # for its hints
        return document.last_good
    return document.report


def _sized(config: Config, size: tuple[int, int] | None) -> Config:
    return config.with_size(*size) if size else config


def _slips(document: Document, size: tuple[int, int] | None) -> list[Data]:
    """The warnings of `archdsl show`, in the form of problems."""
    assert document.config
    found = [
        problem(each.code, each.message, mark=each.mark, path=each.path, hint=_remedy(each))  # type: ignore[arg-type]
        for each in warnings(Design(_sized(document.config, size), Question()))
    ]
    return [{**_problem(each, document.name), "severity": "warning"} for each in with_extents(found, document.text_of)]


def _remedy(finding: Finding) -> str:
    return "; ".join(filter(None, [shlex.join(finding.change), finding.advice]))


def _network(costs: Report, document: Document) -> Data:
    return {
        "svg": svg_of(costs, "page"),
        "name": costs.name,
        "totals": _totals(costs),
        "layers": [_layer(each) for each in costs.layers],
        "outputs": _outputs(costs),
        "scale": _scale(document),
    }


def _hints(document: Document) -> list[Data]:
    """One for each line: that of its outermost entry."""
    lines: dict[int, Inlay] = {}
    for each in sorted(inlays(document), key=lambda each: len(each.path)):
        lines.setdefault(each.line, each)
    return [{"line": line, "text": each.text} for line, each in lines.items()]


def _totals(costs: Report) -> Data:
    memory = costs.activation_memory
    return {
        "params": costs.params,
        "trainable": costs.trainable_params,
        "macs": costs.macs,
        "memory": memory,
        "image": shape_text(costs.input_shape),
        "texts": {"params": count_text(costs.params), "macs": count_text(costs.macs), "memory": bytes_text(memory)},
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


def _scale(document: Document) -> Data:
    given = (document.config.values.get("scale") if document.config else None) or {}
    return {name: given.get(name, 1) for name in ("width", "depth")}


def _places(config: Config, file: str) -> list[tuple[str, int, int]]:
    """Key path, line and column of each key of the text, in order."""
    keys = ((path, place.key) for path, place in config.places.items())
    here = [(dotted(path), key.line, key.column) for path, key in keys if key.file == file]
    return sorted(here, key=lambda each: each[1:])


def _problem(problem: Problem, file: str) -> Data:
    """Plain data of a problem; its file is empty if it is the text itself."""
    return {
        "code": problem.code,
        "message": _shortened(problem.fact),
        "hint": _shortened(problem.hint),
        **_range(problem.range, file),
        "notes": [{"text": note.text, **_mark(note.mark, file)} for note in problem.notes],
        "fixes": [_fix(each, file) for each in problem.fixes if _is_within(each.edits, file)],
    }


def _fix(fix: Fix, file: str) -> Data:
    return {"title": fix.title, "edits": [_edit(each, file) for each in fix.edits]}


def _edit(edit: Edit, file: str) -> Data:
    return {**_range(edit.range, file), "text": edit.text}


def _is_within(edits: Iterable[Edit], file: str) -> bool:
    return all(each.range.file == file for each in edits)


def _range(place: Range, file: str) -> Data:
    return {**_mark(Mark(*place[:3]), file), "end_line": place.end_line, "end_column": place.end_column}


def _mark(mark: Mark, file: str) -> Data:
    return {"file": "" if mark.file == file else _shortened(mark.file), "line": mark.line, "column": mark.column}


def _resolved(request: Request, folder: Path | None) -> Data:
    """The whole config as one file, as `archdsl resolve` prints it."""
    document = request.document(folder)
    if document.config is None or document.report is None:
        raise ArchError(document.problems)
    return {"text": yaml_document(document.config.resolved)}


def _drawn(request: Request, folder: Path | None) -> Data:
    """The diagram as a file of its own."""
    return {"text": svg_of(sized_report(request.document(folder), request.size))}


def _reported(request: Request, folder: Path | None) -> Data:
    """The page that `archdsl report` writes."""
    from archdsl.tools.pictures.report.data import Network
    from archdsl.tools.pictures.report.page import page_of

    document = request.document(folder)
    costs = sized_report(document, request.size)
    assert document.config
    return {"text": page_of([Network(costs.name, document.config, costs)])}


def _kept(request: Request, folder: Path | None) -> Data:
    """The edit that writes the last override into the text."""
    return {"edits": [_edit(kept(request.text, request.overrides[-1] if request.overrides else ""), "")]}


def _completed(request: Request, folder: Path | None) -> Data:
    """The completions at a place, and the range that they replace."""
    from archdsl.tools.editing.completion import complete  # what drawing does not need

    found = complete(request.document(folder), request.line, request.column)
    options = [
        {"label": each.label, "insert": each.text, "detail": each.detail, "info": _shortened(each.documentation)}
        for each in found[:MAX_OPTIONS]
    ]
    return {"options": options, **(_range(found[0].range, request.name) if found else {})}


def _hovered(request: Request, folder: Path | None) -> Data:
    """The hover text of a place, as Markdown."""
    from archdsl.tools.editing.hover import hover

    found = hover(request.document(folder), request.line, request.column)
    return {"markdown": _shortened(found.markdown), **_range(found.range, request.name)} if found else {}


def _shortened(text: str) -> str:
    """The text with short names for shipped configs, `family/yolo_v8.yaml`, instead of whole paths."""
    root = f"{config_root()}/"
    return text.replace(root, "").replace(root.replace("_", "\\_"), "")  # also in Markdown


WANTS: Mapping[str, Callable[[Request, Path | None], Data]] = {
    "redraw": _redrawn,
    "complete": _completed,
    "hover": _hovered,
    "keep": _kept,
    "resolved": _resolved,
    "svg": _drawn,
    "report": _reported,
}
