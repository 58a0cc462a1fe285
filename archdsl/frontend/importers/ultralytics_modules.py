"""Modules of Ultralytics' model files, each with the arguments of its row → a layer of ours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, inf, nextafter
from typing import Any

from archdsl.diagnostics.problems import ArchError, Mark, fail
from archdsl.frontend.sema.scale import scaled_depth, scaled_width
from archdsl.frontend.sema.spec import Scale

NESTED_SIZES = ("m", "l", "x")  # in which every C3k2 is nested, whatever its row says
SCALED_SIZES = ("l", "x")  # in which every A2C2f scales its result, and has a smaller perceptron
MAX_ROWS = 1000
MOST = 65_536
Layer = dict[str, Any]


@dataclass(frozen=True)
class Size:
    """One of the sizes of a file, and what it scales widths and depths by."""

    name: str
    factors: Scale


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


def exact_width(width: int, factors: Scale) -> int:
    """Ultralytics rounds up to a multiple of 8; the divisor is 1 where widths were counted."""
    return ceil(min(width, factors.max_width or width) * factors.width / factors.divisor) * factors.divisor


def width_of(width: int, factors: Scale) -> Layer:
    """A width, or what our rule would make something else of as `filters`, which are not scaled."""
    exact = exact_width(width, factors)
    return {"width": width} if scaled_width(width, factors) == exact else {"filters": exact}


Module = Callable[[Row, Size], tuple[Layer, float]]
"""A row and the size → the layer, and by how much it changes the stride."""


def _conv(row: Row, size: Size) -> tuple[Layer, float]:
    width, kernel, stride = row.argument(0, 1), row.argument(1, 1), row.argument(2, 1)
    if not stride:
        raise row.bad("a stride of 0")
    groups, dilation = row.argument(4, 1), row.argument(5, 1)
    padding = row.argument(3, (dilation * (kernel - 1) + 1) // 2)
    if len(row.arguments) > 6:
        raise row.bad("an activation of its own is not known")
    layer: Layer = {"block": "conv_bn_act", "width": width, "kernel": kernel, "stride": stride}
    layer |= {"groups": groups} if groups != 1 else {}
    layer |= {"dilation": dilation} if dilation != 1 else {}
    return layer | ({} if 2 * padding == dilation * (kernel - 1) else {"padding": padding}), stride


def _stack(block: str, residual: bool) -> Module:
    """[width, shortcut, groups, expansion] of C2f and C3."""

    def read(row: Row, size: Size) -> tuple[Layer, float]:
        expansion = row.argument(3, 0.5)
        if row.argument(2, 1) != 1:
            raise row.bad("groups are not known")
        layer = {"block": block, "width": row.argument(0, 1), "depth": 1, "residual": row.argument(1, residual)}
        return layer | _expansion(expansion), 1

    return read


def _c3k2(row: Row, size: Size) -> tuple[Layer, float]:
    nested, expansion = row.argument(1, False) or size.name in NESTED_SIZES, row.argument(2, 0.5)
    if row.argument(3, 1) != 1:
        raise row.bad("groups are not known")
    layer = {"block": "c3k2", "width": row.argument(0, 1), "depth": 1, "nested": nested}
    layer |= {"residual": False} if not row.argument(4, True) else {}
    return layer | _expansion(expansion), 1


def _attention(block: str, repeats: bool = True) -> Module:
    """[width, expansion] of C2PSA, C2fPSA and PSA."""

    def read(row: Row, size: Size) -> tuple[Layer, float]:
        layer = {"block": block, "width": row.argument(0, 1)} | ({"depth": 1} if repeats else {})
        return layer | _expansion(row.argument(1, 0.5)), 1

    return read


def _expansion(expansion: float) -> Layer:
    return {"expansion": expansion} if expansion != 0.5 else {}


def share(part: float, width: int) -> float:
    """The expansion of which a block of this width makes `part` channels; it drops what is less than one."""
    found = part / width
    return found if int(width * found) >= part else nextafter(found, inf)


def _inside(row: Row, size: Size, place: int) -> Layer:
    """An argument that is a width inside of a block, and is not scaled, as the expansion of the block."""
    return _expansion(share(row.argument(place, 1), exact_width(row.argument(0, 1), size.factors)))


def _elan1(row: Row, size: Size) -> tuple[Layer, float]:
    """[width, channels of both halves, channels of each step]"""
    if row.argument(1, 1) != 2 * row.argument(2, 1):
        raise row.bad("argument 1 is not twice argument 2")
    return {"block": "split_elan", "width": row.argument(0, 1)} | _inside(row, size, 2), 1


def _gelan(row: Row, size: Size) -> tuple[Layer, float]:
    """[width, channels of both halves, channels of each step, bottlenecks of each]"""
    layer, change = _elan1(row, size)
    depth = row.argument(3, 1)
    if scaled_depth(depth, size.factors) != depth:
        raise row.bad(f"{depth} bottlenecks, which are not scaled there, with a depth of {size.factors.depth:g}")
    return layer | {"block": "rep_ncsp_elan"} | ({"depth": depth} if depth > 1 else {}), change


def _spp_elan(row: Row, size: Size) -> tuple[Layer, float]:
    """[width, channels between the poolings, window]"""
    return {"block": "spp_elan", "width": row.argument(0, 1), "kernel": row.argument(2, 5)} | _inside(row, size, 1), 1


def _half(block: str) -> Module:
    """[width] of what halves the sides."""
    return lambda row, size: ({"block": block, "width": row.argument(0, 1)}, 2)


def _sc_down(row: Row, size: Size) -> tuple[Layer, float]:
    kernel, stride = row.argument(1, 3), row.argument(2, 2)
    if not stride:
        raise row.bad("a stride of 0")
    return {"block": "sc_down", "width": row.argument(0, 1), "kernel": kernel, "stride": stride}, stride


def _c2f_cib(row: Row, size: Size) -> tuple[Layer, float]:
    """[width, shortcut, large kernel, groups, expansion]"""
    if row.argument(3, 1) != 1:
        raise row.bad("groups are not known")
    layer = {"block": "c2f_cib", "width": row.argument(0, 1), "depth": 1, "residual": row.argument(1, False)}
    layer |= {"large_kernel": True} if row.argument(2, False) else {}
    return layer | _expansion(row.argument(4, 0.5)), 1


def _a2c2f(row: Row, size: Size) -> tuple[Layer, float]:
    """[width, attention, areas, scaled and added, share of the perceptron, expansion]"""
    attention, is_scaled = row.argument(1, True), size.name in SCALED_SIZES
    layer = {"block": "r_elan", "width": row.argument(0, 1), "depth": 1} | _expansion(row.argument(5, 0.5))
    if not attention:  # areas are -1
        return layer | {"attention": False}, 1
    areas, share = row.argument(2, 1), row.argument(4, 1.2 if is_scaled else 2.0)
    layer |= {"areas": areas} if areas != 1 else {}
    layer |= {"mlp_expansion": share} if share != 2 else {}
    return layer | ({"initial": 0.01} if row.argument(3, is_scaled) else {}), 1


def _sppf(row: Row, size: Size) -> tuple[Layer, float]:
    return {"block": "sppf", "width": row.argument(0, 1), "kernel": row.argument(1, 5)}, 1


def _upsample(row: Row, size: Size) -> tuple[Layer, float]:
    factor = row.argument(1, 2)
    if row.argument(2, "nearest") != "nearest" or row.argument(0, "None") != "None" or not 1 <= factor <= 32:
        raise row.bad("expected [None, factor, nearest]")
    return {"block": "upsample"} | ({"factor": factor} if factor != 2 else {}), 1 / factor


def _mp(row: Row, size: Size) -> tuple[Layer, float]:
    """[window], which is the stride too."""
    window = row.argument(0, 2)
    if not window:
        raise row.bad("a window of 0")
    return {"block": "max_pool"} | ({"kernel": window, "stride": window} if window != 2 else {}), window


def _sp(row: Row, size: Size) -> tuple[Layer, float]:
    """[window, stride]"""
    window, stride = row.argument(0, 3), row.argument(1, 1)
    if not stride or not window % 2:
        raise row.bad("expected [window, stride], a window with a middle")
    return {"block": "max_pool", "kernel": window, "stride": stride}, stride


def _spp_csp(row: Row, size: Size) -> tuple[Layer, float]:
    """[width, repeats, shortcut, groups, expansion of half of the branches, windows]"""
    expansion, windows = 2 * row.argument(4, 0.5), row.argument(5, [5, 9, 13])
    layer: Layer = {"block": "spp_csp", "width": row.argument(0, 1)}
    layer |= {"kernels": windows} if windows != [5, 9, 13] else {}
    return layer | ({"expansion": expansion} if expansion != 1 else {}), 1


def _rep_conv(row: Row, size: Size) -> tuple[Layer, float]:
    """[width, kernel, stride, padding, groups, activation, identity], which is there where it fits, as in YOLOv7."""
    kernel, stride, groups = row.argument(1, 3), row.argument(2, 1), row.argument(4, 1)
    if not stride or row.argument(3, kernel // 2) != kernel // 2 or not row.argument(5, True):
        raise row.bad("expected [width, kernel, stride, None, groups]")
    layer: Layer = {"block": "rep_conv", "width": row.argument(0, 1), "kernel": kernel, "stride": stride}
    layer |= {"groups": groups} if groups != 1 else {}
    return layer | ({} if row.argument(6, True) else {"identity": False}), stride


def _concat(row: Row, size: Size) -> tuple[Layer, float]:
    if row.argument(0, 1) != 1:
        raise row.bad("expected channels, [1]")
    return {"block": "concat"}, 1


MODULES: dict[str, Module] = {
    "Conv": _conv,
    "C2f": _stack("c2f", residual=False),
    "C3": _stack("c3", residual=True),
    "C3k2": _c3k2,
    "C2": _stack("c2", residual=True),
    "C2fCIB": _c2f_cib,
    "C2PSA": _attention("c2psa"),
    "C2fPSA": _attention("c2f_psa"),
    "PSA": _attention("psa", repeats=False),
    "A2C2f": _a2c2f,
    "ELAN1": _elan1,
    "RepNCSPELAN4": _gelan,
    "SPPELAN": _spp_elan,
    "AConv": _half("a_conv"),
    "ADown": _half("a_down"),
    "SCDown": _sc_down,
    "SPPF": _sppf,
    "SPPCSPC": _spp_csp,
    "RepConv": _rep_conv,
    "MP": _mp,
    "SP": _sp,
    "nn.Upsample": _upsample,
    "Concat": _concat,
}
