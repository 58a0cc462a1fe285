"""A checkpoint of a whole module, which describes its own network → rows as model files have them, and a config."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from archdsl.diagnostics.problems import ArchError, Mark, Problem, problem
from archdsl.frontend.importers.ultralytics import SILU, Network, text_of
from archdsl.frontend.importers.ultralytics_heads import HEADS
from archdsl.frontend.importers.ultralytics_modules import Row, Size, share
from archdsl.frontend.sema.spec import Scale
from archdsl.weights.arrays import read_arrays
from archdsl.weights.formats.contents import Contents, StoredArray
from archdsl.weights.formats.described import Described, Undescribed
from archdsl.weights.pytorch.units import modules_of

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
    norm = activation = None
    anchors = {module.number: module.anchors for module in modules_of(contents) if module.anchors}
    for number, (module, reads) in enumerate(zip(contents.modules, (contents.reads or {}).values(), strict=True)):
        try:
            found = Described.of(module)
            rows.append(_row(number, found, reads, anchors.get(number), mark))
            norm = norm or _norm(found)
            facts |= _facts(found)
            activation = _activation(found, activation)
        except Undescribed as fact:
            problems.append(problem("unknown-block", f"module {number}: {fact}", mark=mark))
    if problems:
        raise ArchError(problems)
    enlarging = [row.number for row in rows if row.module == "nn.Upsample" or row.module in HEADS]
    return text_of(rows, min(enlarging, default=len(rows)), Network(name, facts, _COUNTED, norm, activation))


def _row(number: int, module: Described, reads: tuple[int, ...], anchors: StoredArray | None, mark: Mark) -> Row:
    if module.kind not in _READERS:
        raise Undescribed(f"'{module.kind}' is not a module that is known here")
    repeats, arguments = _READERS[module.kind](module)
    inputs = [read if read >= 0 else -1 - number for read in reads]  # the image is before the first
    arguments = [*arguments, *_anchors(module, anchors, mark)]
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


def _activation(module: Described, before: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """That of a convolution, as `conventions` have it; what it was before for a module that has none itself."""
    if module.kind not in ("Conv", "RepConv"):
        return before
    act = module.part("act")
    slope = act.state.get("negative_slope")
    is_leaky = act.kind == "LeakyReLU" and isinstance(slope, float)
    found = {"activation": "leaky_relu", "slope": slope} if is_leaky else SILU if act.kind == "SiLU" else None
    if found is None or found != (before or found):
        wanted = before["activation"] if before else "SiLU or LeakyReLU"
        raise Undescribed(f"{module.kind} with the activation {act.kind}; expected {wanted}")
    return found


def _anchors(module: Described, array: StoredArray | None, mark: Mark) -> list[Any]:
    """The arguments of a head with anchors, [classes, anchors, in pixels of the maps]; none for any other."""
    if module.kind not in HEADS or "m" not in module.inside:
        return []
    levels = len(module.part("m").inside)
    count = array.shape[1] if array and len(array.shape) == 3 else 0
    if array is None or not levels or not count or array.shape != (levels, count, 2):
        raise Undescribed("it has no anchors for each map")
    (given,) = read_arrays([array], "anchors", mark)
    numbers, more = divmod(_width(module, "m.0"), count)
    if more or numbers < 6:
        raise Undescribed(f"{_width(module, 'm.0')} numbers for {count} anchors")
    return [numbers - 5, given.reshape(levels, -1).tolist(), True]


# Modules


def _width(module: Described, path: str) -> int:
    """How many channels a part of a module gives."""
    part = module.part(path)
    width = (part.part("conv") if "conv" in part.inside else part).number("out_channels")
    if width < 1:
        raise Undescribed(f"{module.kind} of no channels")
    return width


def _conv(module: Described) -> Arguments:
    return 1, _numbers(module.part("conv"), "out_channels", "kernel_size", "stride", "padding", "groups", "dilation")


def _numbers(module: Described, *names: str) -> list[int]:
    return [module.number(name) for name in names]


_REP_CONV = {"rbr_reparam": "rbr_reparam", "rbr_dense": "rbr_dense.0", "conv1": "conv1.conv", "conv": "conv"}
"""A part of a RepConv → the convolution that tells of it."""


def _rep_conv(module: Described) -> Arguments:
    """As it is for training, or merged, by YOLOv7's names or the later ones."""
    conv = module.part(next((path for first, path in _REP_CONV.items() if first in module.inside), "rbr_dense"))
    numbers = _numbers(conv, "out_channels", "kernel_size", "stride", "padding", "groups")
    return 1, [*numbers, True, not {"rbr_identity", "bn"}.isdisjoint(module.inside)]


def _max_pool(module: Described) -> Arguments:
    """MP, of windows side by side, and SP, which goes on by less than a window."""
    window, stride, padding = _numbers(module.part("m"), "kernel_size", "stride", "padding")
    if module.kind == "MP" and (stride, padding) == (window, 0):
        return 1, [window]
    if module.kind != "SP" or padding != window // 2:
        raise Undescribed(f"{module.kind} of windows of {window}, a stride of {stride} and a padding of {padding}")
    return 1, [window, stride]


def _spp_csp(module: Described) -> Arguments:
    width, windows = _width(module, "cv7"), module.part("m").inside
    expansion = share(_width(module, "cv1"), width) / 2
    return 1, [width, 1, False, 1, expansion, [module.part(f"m.{name}").number("kernel_size") for name in windows]]


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
    middle = first.part("cv1.2")
    large = "conv1" in middle.inside or middle.part("conv").number("kernel_size") == 7  # merged
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
    """One without anchors. Those with them have their arguments from their arrays."""
    return lambda module: (
        1,
        [] if "m" in module.inside else [_width(module, "cv3.0.2"), *[each(module) for each in more]],
    )


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
    "SPPCSPC": _spp_csp,
    "RepConv": _rep_conv,
    "MP": _max_pool,
    "SP": _max_pool,
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
    "IDetect": _detect(),
    "v10Detect": _detect(),
    "Segment": _detect(lambda module: _width(module, "proto.cv3"), lambda module: _width(module, "proto.cv1")),
    "Pose": _detect(lambda module: "kpt_shape"),
    "OBB": _detect(),
    "Classify": lambda module: (1, [module.part("linear").number("out_features")]),
}
