"""Names and shapes in the checkpoints that Ultralytics writes for a model file, by the reference of their layout.

Written from what its checkpoints hold (tests/weights/files/layouts.txt has five of them), module by module.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import ceil
from typing import Any

import yaml

Shapes = dict[str, tuple[int, ...]]
Pairs = Iterator[tuple[str, tuple[int, ...]]]


def conv(path: str, before: int, width: int, kernel: int = 1, groups: int = 1) -> Pairs:
    yield f"{path}conv.weight", (width, before // groups, kernel, kernel)
    for name in ("weight", "bias", "running_mean", "running_var"):
        yield f"{path}bn.{name}", (width,)
    yield f"{path}bn.num_batches_tracked", ()


def last(path: str, before: int, width: int) -> Pairs:
    yield f"{path}weight", (width, before, 1, 1)
    yield f"{path}bias", (width,)


def depthwise(path: str, width: int, kernel: int = 3) -> Pairs:
    yield from conv(path, width, width, kernel, width)


def bottleneck(path: str, width: int, kernels: tuple[int, int] = (3, 3), share: float = 1.0) -> Pairs:
    inner = int(width * share)
    yield from conv(f"{path}cv1.", width, inner, kernels[0])
    yield from conv(f"{path}cv2.", inner, width, kernels[1])


def c3k(path: str, width: int) -> Pairs:
    yield from c3(path, width, width, 2, (3, 3))


def attended(path: str, width: int, keys: float, kernel: int, mixed: str, inner: int) -> Pairs:
    yield from conv(f"{path}attn.qkv.", width, int(width * (1 + 2 * keys)))
    yield from conv(f"{path}attn.proj.", width, width)
    yield from depthwise(f"{path}attn.pe.", width, kernel)
    yield from conv(f"{path}{mixed}.0.", width, inner)
    yield from conv(f"{path}{mixed}.1.", inner, width)


def psa_block(path: str, width: int) -> Pairs:
    yield from attended(path, width, 0.5, 3, "ffn", 2 * width)


def c3(path: str, before: int, width: int, count: int, kernels: tuple[int, int] = (1, 3)) -> Pairs:
    half = width // 2
    for name, given in (("cv1", before), ("cv2", before), ("cv3", 2 * half)):
        yield from conv(f"{path}{name}.", given, width if name == "cv3" else half)
    for number in range(count):
        yield from bottleneck(f"{path}m.{number}.", half, kernels)


def c2f(path: str, before: int, width: int, count: int, step: Callable[[str, int], Pairs], share: float = 0.5) -> Pairs:
    half = int(width * share)
    yield from conv(f"{path}cv1.", before, 2 * half)
    yield from conv(f"{path}cv2.", (2 + count) * half, width)
    for number in range(count):
        yield from step(f"{path}m.{number}.", half)


def c2(
    path: str, before: int, width: int, count: int, step: Callable[[str, int], Pairs], number: str = "m.{}."
) -> Pairs:
    half = width // 2
    yield from conv(f"{path}cv1.", before, 2 * half)
    yield from conv(f"{path}cv2.", 2 * half, width)
    for each in range(count):
        yield from step(f"{path}{number.format(each)}", half)


def cib(path: str, width: int, is_large: bool) -> Pairs:
    yield from depthwise(f"{path}cv1.0.", width)
    yield from conv(f"{path}cv1.1.", width, 2 * width)
    if is_large:
        yield from depthwise(f"{path}cv1.2.conv.", 2 * width, 7)
        yield from depthwise(f"{path}cv1.2.conv1.", 2 * width)
    else:
        yield from depthwise(f"{path}cv1.2.", 2 * width)
    yield from conv(f"{path}cv1.3.", 2 * width, width)
    yield from depthwise(f"{path}cv1.4.", width)


def a2c2f(path: str, before: int, width: int, count: int, attention: bool, size: str) -> Pairs:
    half, share = width // 2, 1.2 if size in "lx" else 2.0
    if attention and size in "lx":
        yield f"{path}gamma", (width,)
    yield from conv(f"{path}cv1.", before, half)
    yield from conv(f"{path}cv2.", (1 + count) * half, width)
    for number in range(count):
        if attention:
            for each in (0, 1):
                yield from attended(f"{path}m.{number}.{each}.", half, 1, 7, "mlp", int(half * share))
        else:
            yield from c3k(f"{path}m.{number}.", half)


def rep_csp(path: str, before: int, width: int, count: int) -> Pairs:
    half = width // 2
    for name, given in (("cv1", before), ("cv2", before), ("cv3", 2 * half)):
        yield from conv(f"{path}{name}.", given, width if name == "cv3" else half)
    for number in range(count):
        yield from conv(f"{path}m.{number}.cv1.conv1.", half, half, 3)
        yield from conv(f"{path}m.{number}.cv1.conv2.", half, half, 1)
        yield from conv(f"{path}m.{number}.cv2.", half, half, 3)


def gelan(path: str, before: int, width: int, both: int, step: int, count: int) -> Pairs:
    yield from conv(f"{path}cv1.", before, both)
    for name, given in (("cv2", both // 2), ("cv3", step)):
        yield from rep_csp(f"{path}{name}.0.", given, step, count)
        yield from conv(f"{path}{name}.1.", step, step, 3)
    yield from conv(f"{path}cv4.", both + 2 * step, width)


def branches(path: str, widths: list[int], inner: int, final: int, is_separable: bool = False) -> Pairs:
    for level, width in enumerate(widths):
        for number, given in enumerate((width, inner)):
            if is_separable:
                yield from depthwise(f"{path}{level}.{number}.0.", given)
                yield from conv(f"{path}{level}.{number}.1.", given, inner)
            else:
                yield from conv(f"{path}{level}.{number}.", given, inner, 3)
        yield from last(f"{path}{level}.2.", inner, final)


def detect(path: str, module: str, widths: list[int], arguments: list[int], is_separable: bool) -> Pairs:
    classes, *more = arguments
    box, inner = max(16, widths[0] // 4, 64), max(widths[0], min(classes, 100))
    for prefix in ("", "one2one_") if module == "v10Detect" else ("",):
        yield from branches(f"{path}{prefix}cv2.", widths, box, 64)
        yield from branches(f"{path}{prefix}cv3.", widths, inner, classes, is_separable)
    yield f"{path}dfl.conv.weight", (1, 16, 1, 1)
    if module == "Segment":
        yield from conv(f"{path}proto.cv1.", widths[0], more[1], 3)
        yield from {
            f"{path}proto.upsample.weight": (more[1], more[1], 2, 2),
            f"{path}proto.upsample.bias": (more[1],),
        }.items()
        yield from conv(f"{path}proto.cv2.", more[1], more[1], 3)
        yield from conv(f"{path}proto.cv3.", more[1], more[0])
    if more:
        yield from branches(f"{path}cv4.", widths, max(widths[0] // 4, more[0]), more[0])


def layout(text: str, size: str | None) -> Shapes:
    """All names of the checkpoint of a model file, with their shapes."""
    values: dict[str, Any] = yaml.safe_load(text)
    depth, factor, most = values["scales"][size] if size else (1, 1, 1 << 20)
    rows = [*values["backbone"], *values["head"]]
    is_separable = bool({row[2] for row in rows} & {"C3k2", "A2C2f", "C2fCIB", "v10Detect"})
    widths: list[int] = []
    found: Shapes = {}
    for number, (origin, repeats, module, arguments) in enumerate(rows):
        origins = origin if isinstance(origin, list) else [origin]
        inputs = [widths[each] if widths else 3 for each in origins]
        count = max(round(repeats * depth), 1) if repeats > 1 else 1
        scaled = [ceil(min(each, most) * factor / 8) * 8 if type(each) is int else 0 for each in arguments]
        own = [values.get(each, each) if isinstance(each, str) else each for each in arguments]
        width = {"Concat": sum(inputs), "nn.Upsample": inputs[0]}.get(module, scaled[0] if scaled else 0)
        widths.append(width)
        path, (before, *_) = f"model.{number}.", inputs
        found |= dict(_module(path, module, before, inputs, width, count, own, scaled, size or "", is_separable))
    return found


def _module(
    path: str,
    module: str,
    before: int,
    inputs: list[int],
    width: int,
    count: int,
    own: list[Any],
    scaled: list[int],
    size: str,
    is_separable: bool,
) -> Pairs:
    def c3k2_step(path: str, half: int) -> Pairs:
        nested = size in "mlx" or (len(own) > 1 and own[1])
        return c3k(path, half) if nested else bottleneck(path, half, share=0.5)

    match module:
        case "Conv":
            yield from conv(path, before, width, own[1] if len(own) > 1 else 1)
        case "C2f":
            yield from c2f(path, before, width, count, bottleneck)
        case "C3":
            yield from c3(path, before, width, count)
        case "C3k2":
            yield from c2f(path, before, width, count, c3k2_step, own[2] if len(own) > 2 else 0.5)
        case "C2fCIB":
            yield from c2f(path, before, width, count, lambda path, half: cib(path, half, len(own) > 2 and own[2]))
        case "A2C2f":
            yield from a2c2f(path, before, width, count, own[1], size)
        case "C2PSA":
            yield from c2(path, before, width, count, psa_block)
        case "PSA":
            yield from c2(path, before, width, 1, psa_block, "")
        case "SPPF":
            yield from conv(f"{path}cv1.", before, before // 2)
            yield from conv(f"{path}cv2.", 2 * before, width)
        case "SPPELAN":
            yield from conv(f"{path}cv1.", before, own[1])
            yield from conv(f"{path}cv5.", 4 * own[1], width)
        case "ELAN1":
            yield from conv(f"{path}cv1.", before, own[1])
            yield from conv(f"{path}cv2.", own[1] // 2, own[2], 3)
            yield from conv(f"{path}cv3.", own[2], own[2], 3)
            yield from conv(f"{path}cv4.", own[1] + 2 * own[2], width)
        case "RepNCSPELAN4":
            yield from gelan(path, before, width, *own[1:])
        case "AConv":
            yield from conv(f"{path}cv1.", before, width, 3)
        case "ADown":
            yield from conv(f"{path}cv1.", before // 2, width // 2, 3)
            yield from conv(f"{path}cv2.", before // 2, width // 2)
        case "SCDown":
            yield from conv(f"{path}cv1.", before, width)
            yield from depthwise(f"{path}cv2.", width)
        case "Detect" | "v10Detect" | "Segment" | "Pose" | "OBB":
            more = {"Segment": [*own[1:2], *scaled[2:3]], "Pose": [51], "OBB": [1]}.get(module, [])
            yield from detect(path, module, inputs, [own[0], *more], is_separable)
        case "Classify":
            yield from conv(f"{path}conv.", before, 1280)
            yield f"{path}linear.weight", (own[0], 1280)
            yield f"{path}linear.bias", (own[0],)
