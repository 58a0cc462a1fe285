"""A checkpoint of a whole module, which describes its own network → rows as model files have them, and a config."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from archdsl.diagnostics.problems import ArchError, Mark, Problem, problem
from archdsl.frontend.importers.ultralytics import Network, text_of
from archdsl.frontend.importers.ultralytics_heads import HEADS
from archdsl.frontend.importers.ultralytics_modules import Row, Size, share
from archdsl.frontend.sema.spec import Scale
from archdsl.weights.formats.contents import Contents
from archdsl.weights.formats.described import Described, Undescribed

_COUNTED = Size("", Scale(1.0, 1.0, None, 1))  # widths and depths are those of the arrays
_FACTORS = range(2, 33)
Arguments = tuple[int, list[Any]]
"""The repeats and the arguments of a row."""


def text_of_checkpoint(contents: Contents, name: str, mark: Mark) -> str:
    """The config in YAML of the network that a checkpoint describes.

    Raises ArchError, with a problem for each module that is not known.
    """
    problems: list[Problem] = []
    rows: list[Row] = []
    facts: dict[str, Any] = {}
    norm = None
    for number, (module, reads) in enumerate(zip(contents.modules, (contents.reads or {}).values(), strict=True)):
        try:
            found = Described.of(module)
            rows.append(_row(number, found, reads, mark))
            norm = norm or _norm(found)
            facts |= _facts(found)
        except Undescribed as fact:
            problems.append(problem("unknown-block", f"module {number}: {fact}", mark=mark))
    if problems:
        raise ArchError(problems)
    enlarging = [row.number for row in rows if row.module == "nn.Upsample" or row.module in HEADS]
    return text_of(rows, min(enlarging, default=len(rows)), Network(name, facts, _COUNTED, norm))


def _row(number: int, module: Described, reads: tuple[int, ...], mark: Mark) -> Row:
    if module.kind not in _READERS:
        raise Undescribed(f"'{module.kind}' is not a module that is known here")
    repeats, arguments = _READERS[module.kind](module)
    inputs = [-1 if read < 0 else read for read in reads]
    return Row(number, inputs, repeats, _NAMES.get(module.kind, module.kind), arguments, mark)


_NAMES = {"Upsample": "nn.Upsample"}


def _facts(module: Described) -> dict[str, Any]:
    """What a head says of the network: the keypoints, and the bins of distances to the sides of a box."""
    if module.kind not in HEADS or "cv2" not in module.inside:
        return {}
    points = module.state.get("kpt_shape")
    found = {"kpt_shape": list(points)} if isinstance(points, (list, tuple)) else {}
    return {**found, "reg_max": _width(module, "cv2.0.2") // 4}


def _norm(module: Described) -> dict[str, Any] | None:
    """That of a convolution."""
    if "bn" not in module.inside:
        return None
    state = module.part("bn").state
    epsilon, momentum = state.get("eps"), state.get("momentum")
    if not isinstance(epsilon, float) or not isinstance(momentum, float):
        return None
    return {"kind": "batch", "momentum": round(1 - momentum, 6), "epsilon": epsilon}


# Modules


def _width(module: Described, path: str) -> int:
    """How many channels a part of a module gives."""
    part = module.part(path)
    width = (part.part("conv") if "conv" in part.inside else part).number("out_channels")
    if width < 1:
        raise Undescribed(f"{module.kind} of no channels")
    return width


def _conv(module: Described) -> Arguments:
    conv = module.part("conv")
    if module.part("act").kind != "SiLU":
        raise Undescribed(f"Conv with the activation {module.part('act').kind}; expected SiLU")
    names = ("out_channels", "kernel_size", "stride", "padding", "groups", "dilation")
    return 1, [conv.number(name) for name in names]


def _stack(last: str, halves: int) -> Callable[[Described], Arguments]:
    """C2f and C3; its first convolution makes this many halves."""

    def read(module: Described) -> Arguments:
        width, hidden = _width(module, last), _width(module, "cv1") // halves
        return _repeats(module), [width, _is_added(module.part("m.0")), 1, share(hidden, width)]

    return read


def _repeats(module: Described) -> int:
    return max(len(module.part("m").inside), 1)


def _is_added(module: Described) -> bool:
    return module.state.get("add") is True


def _c3k2(module: Described) -> Arguments:
    width, first = _width(module, "cv2"), module.part("m.0")
    nested = "cv3" in first.inside
    added = _is_added(first.part("m.0") if nested else first)
    return _repeats(module), [width, nested, share(_width(module, "cv1") / 2, width), 1, added]


def _c2f_cib(module: Described) -> Arguments:
    width, first = _width(module, "cv2"), module.part("m.0")
    large = "conv1" in first.part("cv1.2").inside
    return _repeats(module), [width, _is_added(first), large, 1, share(_width(module, "cv1") / 2, width)]


def _attention(module: Described) -> Arguments:
    width = _width(module, "cv2")
    return _repeats(module) if "m" in module.inside else 1, [width, share(_width(module, "cv1") / 2, width)]


def _a2c2f(module: Described) -> Arguments:
    width, hidden = _width(module, "cv2"), _width(module, "cv1")
    first = module.part("m.0")
    if "0" not in first.inside:
        return _repeats(module), [width, False, -1, False, 2.0, share(hidden, width)]
    areas, expansion = first.part("0.attn").number("area"), share(_width(first, "0.mlp.0"), hidden)
    parameters = module.state.get("_parameters")
    is_scaled = isinstance(parameters, dict) and parameters.get("gamma") is not None
    return _repeats(module), [width, True, areas, is_scaled, expansion, share(hidden, width)]


def _upsample(module: Described) -> Arguments:
    factor, mode = module.state.get("scale_factor"), module.state.get("mode")
    if not isinstance(factor, (int, float)) or factor not in _FACTORS or mode != "nearest":
        raise Undescribed("Upsample by other than 2 to 32 times the nearest pixel")
    return 1, [None, int(factor), "nearest"]


def _detect(*more: Callable[[Described], Any]) -> Callable[[Described], Arguments]:
    return lambda module: (1, [_width(module, "cv3.0.2"), *[each(module) for each in more]])


_READERS: Mapping[str, Callable[[Described], Arguments]] = {
    "Conv": _conv,
    "C2f": _stack("cv2", 2),
    "C2": _stack("cv2", 2),
    "C3": _stack("cv3", 1),
    "C3k2": _c3k2,
    "C2fCIB": _c2f_cib,
    "A2C2f": _a2c2f,
    "C2PSA": _attention,
    "C2fPSA": _attention,
    "PSA": _attention,
    "SPPF": lambda module: (1, [_width(module, "cv2"), module.part("m").number("kernel_size")]),
    "SPPELAN": lambda module: (
        1,
        [_width(module, "cv5"), _width(module, "cv1"), module.part("cv2").number("kernel_size")],
    ),
    "ELAN1": lambda module: (1, [_width(module, part) for part in ("cv4", "cv1", "cv2")]),
    "RepNCSPELAN4": lambda module: (
        1,
        [*[_width(module, part) for part in ("cv4", "cv1", "cv2.1")], _repeats(module.part("cv2.0"))],
    ),
    "AConv": lambda module: (1, [_width(module, "cv1")]),
    "ADown": lambda module: (1, [_width(module, "cv1") + _width(module, "cv2")]),
    "SCDown": lambda module: (
        1,
        [_width(module, "cv2"), *[module.part("cv2.conv").number(name) for name in ("kernel_size", "stride")]],
    ),
    "Upsample": _upsample,
    "Concat": lambda module: (1, [1]),
    "Detect": _detect(),
    "v10Detect": _detect(),
    "Segment": _detect(lambda module: _width(module, "proto.cv3"), lambda module: _width(module, "proto.cv1")),
    "Pose": _detect(lambda module: "kpt_shape"),
    "OBB": _detect(),
    "Classify": lambda module: (1, [module.part("linear").number("out_features")]),
}
