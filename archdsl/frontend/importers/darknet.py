"""Darknet's .cfg → a config: stages by stride, a neck from where maps grow again, and the decoding of [yolo] as head.

Facts: parser.c, convolutional_layer.c, maxpool_layer.c, yolo_layer.c of Darknet, as they compute for inference.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

from archdsl.diagnostics.problems import fail
from archdsl.diagnostics.unicode import printable
from archdsl.diagnostics.wording import one_of
from archdsl.frontend.importers.darknet_cfg import MAX_NUMBER, Section, read_cfg
from archdsl.frontend.importers.rows import OPEN, Rows, Strides, Value
from archdsl.frontend.source import Source
from archdsl.frontend.yaml.writing import yaml_line
from archdsl.ir.types import both

ACTIVATIONS = {
    "linear": "linear",
    "leaky": "leaky_relu",
    "logistic": "sigmoid",
    "mish": "mish",
    "relu": "relu",
    "relu6": "relu6",
    "swish": "silu",
    "tanh": "tanh",
    "selu": "selu",
}
DEFAULT_ACTIVATION = "logistic"
ENLARGING = ("upsample", "yolo")
CLASSIFYING = ("avgpool", "connected", "softmax")
MAX_NUMBERS_READ = 50_000
ONE_PIXEL = (0, 0)  # the strides of a map of one pixel
NORMALIZATIONS = {"none": "none", "relu": "relu", "avg_relu": "relu", "softmax": "softmax"}
WEIGHTS_TYPES = {"none": None, "per_feature": False, "per_layer": False, "per_channel": True}  # whether by channel
OTHER_NETWORKS = (  # keys that change what is computed, in ways that are not here
    *("binary", "xnor", "flipped", "antialiasing", "assisted_excitation", "share_index", "deform", "sway", "rotate"),
    *("stretch", "stretch_sway", "maxpool_depth", "reverse", "temperature", "tree"),
)
_HEADER = """# From {name}, whose images are {width} × {height} pixels. Layers have the numbers of its sections.
input: {{shape: [{sides}, {channels}], rescale: true}}
conventions:
  activation: leaky_relu
  slope: 0.1
  padding: symmetric
  norm: {{kind: batch, momentum: 0.9, epsilon: 1.0e-5}}
"""


@dataclass
class Network(Rows):
    """What has been read so far."""

    sections: Sequence[Section] = ()
    channels: int = 3
    vectors: set[Value] = field(default_factory=set)
    numbers_read: int = 0  # of sections, by routes and shortcuts
    has_one_size: bool = False
    decoded: list[tuple[float, Section, Value]] = field(default_factory=list)  # with their spreads

    @property
    def before(self) -> Value:
        return self._read(-1) if self.values else Value("input", self.channels, (1, 1))

    def _read(self, place: int) -> Value:
        """The result of a section. Raises ArchError for boxes, which only the head of the config has."""
        if not self.values[place].name:
            reader = self.sections[len(self.values) + 1]
            raise fail("value", f"[{reader.kind}] reads what [yolo] has decoded", mark=reader.mark)
        return self.values[place]

    def behind(self, section: Section, key: str) -> list[Value]:
        """The results that a list of numbers means: from the front, or negative from this section back."""
        found = []
        for number in section.numbers(key):
            place = int(number) + (len(self.values) if number < 0 else 0)
            if number != int(number) or not 0 <= place < len(self.values):
                raise section.bad(key, f"expected numbers of sections before this one, which is {len(self.values)}")
            found.append(self._read(place))
        if not found:
            raise fail("missing-key", f"[{section.kind}] needs '{key}'", mark=section.mark)
        self.numbers_read += len(found)
        if self.numbers_read > MAX_NUMBERS_READ:
            raise fail("limit", f"expected at most {MAX_NUMBERS_READ} numbers of sections in all", mark=section.at(key))
        return found


def network_of(path: Path) -> Network:
    """What a .cfg file describes. Raises ArchError, with its line, for a section or a key that is not known here."""
    sections = read_cfg(path)
    network = Network(sections=sections, channels=sections[0].number("channels", 3, 1))
    has_boxes = any(section.kind == "yolo" for section in sections)
    for section in sections[1:]:
        if section.kind not in READERS:
            hint = f"sections are {', '.join(READERS)}"
            raise fail("unknown-layer", f"[{section.kind}] is not known", mark=section.mark, hint=hint)
        other = [key for key in OTHER_NETWORKS if section.text(key, "0") not in ("0", "none")]
        if other:
            raise section.bad(other[0], "it changes the network in a way that is not known here")
        network.in_neck = network.in_neck or section.kind in ENLARGING
        network.in_head = network.in_head or (section.kind in CLASSIFYING and not has_boxes)
        value = READERS[section.kind](network, section, len(network.values))
        if value.channels > MAX_NUMBER:
            message = f"[{section.kind}] of {value.channels} channels; expected at most {MAX_NUMBER}"
            raise fail("limit", message, mark=section.mark)
        network.values.append(value)
    if not network.parts or all(part in OPEN for part in network.parts):
        raise fail("empty", "there is no layer before the maps grow", mark=sections[0].mark)
    return network


def _convolutional(network: Network, section: Section, number: int) -> Value:
    size, filters = section.number("size", 1, 1, 64), section.number("filters", 1, 1)
    strides = _strides(section)
    groups, dilation = section.number("groups", 1, 1), section.number("dilation", 1, 1)
    padding = dilation * (size // 2 if section.number("pad", 0) else section.number("padding", 0))
    before, has_norm = network.before, bool(section.number("batch_normalize", 0))
    if before.channels % groups:
        raise section.bad("groups", f"expected a divisor of {before.channels} channels")
    following = network.sections[number + 2].kind if number + 2 < len(network.sections) else ""
    activation = "linear" if following == "yolo" else _activation(section, DEFAULT_ACTIVATION)  # decoding has it
    options: dict[str, tuple[Any, int]] = {
        "kernel": (size, 1),
        "stride": (strides, 1),
        "groups": (groups, 1),
        "dilation": (dilation, 1),
    }
    layer: dict[str, Any] = {"block": "conv_bn_act" if has_norm else "conv", "filters": filters}
    layer |= {key: value for key, (value, default) in options.items() if value != default}
    layer |= {} if 2 * padding == dilation * (size - 1) else {"padding": padding}
    layer |= {"activation": activation} if has_norm and activation != "leaky_relu" else {}
    value = network.add(f"conv_{number}", layer, [before], filters, _strided(before, strides))
    return value if has_norm else _activated(network, activation, value, number)


def _strides(section: Section) -> int | list[int]:
    stride = section.number("stride", 1, 1, 32)
    across, down = section.number("stride_x", stride, 1, 32), section.number("stride_y", stride, 1, 32)
    return down if across == down else [down, across]


def _strided(before: Value, strides: int | list[int]) -> Strides:
    down, across = both(strides)
    return before.strides[0] * down, before.strides[1] * across


def _activation(section: Section, default: str) -> str:
    name = section.text("activation", default)
    if name not in ACTIVATIONS:
        raise section.bad("activation", one_of(ACTIVATIONS))
    return ACTIVATIONS[name]


def _activated(network: Network, activation: str, value: Value, number: int) -> Value:
    if activation == "linear":
        return value
    layer = {"block": "activation", "function": activation}
    return network.add(f"act_{number}", layer, [value], value.channels, value.strides)


def _maxpool(network: Network, section: Section, number: int) -> Value:
    """`padding` is of both sides together, the larger half after the map."""
    strides = _strides(section)
    size = section.number("size", section.number("stride", 1, 1, 32), 1, 64)
    both = section.number("padding", size - 1, 0, 64)
    ends = [both // 2, both - both // 2]
    before = network.before
    padding = {} if ends == [size // 2] * 2 and size % 2 else {"padding": [ends, [*ends]] if any(ends) else "valid"}
    layer = {"block": "max_pool", "kernel": size, "stride": strides} | padding
    return network.add(f"maxpool_{number}", layer, [before], before.channels, _strided(before, strides))


def _upsample(network: Network, section: Section, number: int) -> Value:
    factor = section.number("stride", 2, 1, 32)
    if section.numbers("scale", (1.0,)) != (1.0,):
        raise section.bad("scale", "expected 1")
    before = network.before
    down, across = before.strides
    if down % factor or across % factor:
        raise section.bad("stride", f"expected a divisor of the strides of its input, {down} and {across}")
    layer = {"block": "upsample"} | ({} if factor == 2 else {"factor": factor})
    return network.add(f"upsample_{number}", layer, [before], before.channels, (down // factor, across // factor))


def _shortcut(network: Network, section: Section, number: int) -> Value:
    inputs = [network.before, *network.behind(section, "from")]
    shapes = {"{} channels at strides {} and {}".format(each.channels, *each.strides) for each in inputs}
    if len(shapes) > 1:
        message = f"[shortcut] of {' and '.join(sorted(shapes))}; expected equal shapes"
        raise fail("shape", message, mark=section.at("from"))
    layer: dict[str, Any] = {"block": "add"}
    is_by_channel = _one_of(section, "weights_type", WEIGHTS_TYPES)
    if is_by_channel is not None:
        key = "weights_normalization" if "weights_normalization" in section.values else "weights_normalizion"
        layer = {"block": "weighted_sum", "normalization": _one_of(section, key, NORMALIZATIONS)}
        layer |= {"per_channel": True} if is_by_channel else {}
    value = network.add(f"shortcut_{number}", layer, inputs, inputs[0].channels, inputs[0].strides)
    return _activated(network, _activation(section, "linear"), value, number)


def _one_of(section: Section, key: str, values: Mapping[str, Any]) -> Any:
    """What a word means; without the key, what `none` does."""
    word = section.text(key, "none")
    if word not in values:
        raise section.bad(key, one_of(values))
    return values[word]


def _avgpool(network: Network, section: Section, number: int) -> Value:
    layer = {"block": "global_avg_pool", "keep_sides": True}
    return network.add(f"avgpool_{number}", layer, [network.before], network.before.channels, ONE_PIXEL)


def _vector(network: Network, number: int) -> Value:
    """What is before as a vector; a map of several pixels makes the size of the image that of [net]."""
    before = network.before
    if before in network.vectors:
        return before
    network.has_one_size = network.has_one_size or before.strides != ONE_PIXEL
    return network.add(f"flat_{number}", {"block": "flatten"}, [before], before.channels, ONE_PIXEL)


def _connected(network: Network, section: Section, number: int) -> Value:
    outputs, before = section.number("output", 1, 1), _vector(network, number)
    has_norm = bool(section.number("batch_normalize", 0))
    layer = {"block": "dense", "units": outputs} | ({"bias": False} if has_norm else {})
    value = network.add(f"connected_{number}", layer, [before], outputs, ONE_PIXEL)
    if has_norm:
        value = network.add(f"norm_{number}", {"block": "norm"}, [value], outputs, ONE_PIXEL)
    value = _activated(network, _activation(section, DEFAULT_ACTIVATION), value, number)
    network.vectors.add(value)
    return value


def _softmax(network: Network, section: Section, number: int) -> Value:
    if section.number("groups", 1) != 1 or network.before.strides != ONE_PIXEL:
        raise fail("value", "[softmax] of groups, or of a map; expected one of numbers", mark=section.mark)
    before = _vector(network, number)
    value = network.add(f"softmax_{number}", {"block": "softmax"}, [before], before.channels, ONE_PIXEL)
    network.vectors.add(value)
    return value


def _nothing(network: Network, section: Section, number: int) -> Value:
    """Of training alone."""
    return network.before


def _route(network: Network, section: Section, number: int) -> Value:
    """One result, or the channels of several in the order that is given; of each the part `group_id` of `groups`."""
    inputs = network.behind(section, "layers")
    parts = section.number("groups", 1, 1)
    part = section.number("group_id", 0, 0, parts - 1)
    if len({each.strides for each in inputs}) > 1:
        raise fail("shape", "[route] of maps of other sizes", mark=section.at("layers"))
    if any(each.channels % parts for each in inputs):
        raise section.bad("groups", "expected a divisor of the channels of each map")
    if parts > 1:
        layer = {"block": "split", "parts": parts, "part": part}
        names = [f"part_{number}" if len(inputs) == 1 else f"part_{number}_{index}" for index in range(len(inputs))]
        inputs = [
            network.add(name, layer, [each], each.channels // parts, each.strides)
            for name, each in zip(names, inputs, strict=True)
        ]
    if len(inputs) == 1:
        return inputs[0]
    channels = sum(each.channels for each in inputs)
    return network.add(f"route_{number}", {"block": "concat"}, inputs, channels, inputs[0].strides)


def _yolo(network: Network, section: Section, number: int) -> Value:
    """The map before it is a result, which the head decodes."""
    before = network.before
    previous = network.sections[number]  # [net] is the first
    boxes, classes = len(_mask(section)), section.number("classes", 20, 1)
    if before.channels != boxes * (classes + 5):
        message = f"[yolo] of {before.channels} channels; expected {boxes} boxes × (5 + {classes} classes)"
        raise fail("shape", message, mark=section.mark)
    wanted = "logistic" if section.number("new_coords", 0) else "linear"
    if previous.kind != "convolutional" or previous.text("activation", DEFAULT_ACTIVATION) != wanted:
        raise fail("shape", f"[yolo] after other than a {wanted} convolution", mark=section.mark)
    spread = section.numbers("scale_x_y", (1.0,))
    if len(spread) != 1:
        raise section.bad("scale_x_y", "expected one number")
    network.decoded.append((*spread, section, before))
    decoded = before._replace(name="")
    network.values[-1] = decoded if wanted == "logistic" else before  # whose activation is a part of decoding
    return decoded


def _mask(section: Section) -> list[tuple[float, float]]:
    """The anchors of a [yolo], width and height in pixels."""
    flat = [int(each) if each == int(each) else each for each in section.numbers("anchors")]
    pairs = list(zip(flat[::2], flat[1::2], strict=False))
    mask = section.numbers("mask", tuple(range(len(pairs))))
    if not mask or len(flat) % 2 or not all(each == int(each) and 0 <= each < len(pairs) for each in mask):
        raise section.bad("mask" if "mask" in section.values else "anchors", "expected places of pairs in anchors")
    return [pairs[int(each)] for each in mask]


Reader = Callable[[Network, Section, int], Value]
READERS: dict[str, Reader] = {
    "avgpool": _avgpool,
    "connected": _connected,
    "convolutional": _convolutional,
    "cost": _nothing,
    "dropout": _nothing,
    "maxpool": _maxpool,
    "route": _route,
    "shortcut": _shortcut,
    "softmax": _softmax,
    "upsample": _upsample,
    "yolo": _yolo,
}


def config_text(network: Network, name: str) -> str:
    """The network as a config in YAML; boxes and scores are its results where it has a [yolo], fine to coarse."""
    net = network.sections[0]
    size = {key: net.number(key, 416, 1) for key in ("width", "height")}
    sides = "{height}, {width}".format(**size) if network.has_one_size else "null, null"
    header = _HEADER.format(name=printable(name)[:200], channels=network.channels, sides=sides, **size)
    return "".join([header, *network.lines(), *_head(network)])


def _head(network: Network) -> list[str]:
    if not network.decoded:
        return [f"outputs: [{network.values[-1].name}]\n"]
    levels = sorted(network.decoded, key=lambda each: prod(each[2].strides))
    formulas = {"yolo" if section.number("new_coords", 0) else "darknet" for _, section, _ in levels}
    if len(formulas) > 1:
        raise fail("value", "[yolo] with and without new_coords", mark=levels[0][1].mark)
    spreads = [spread for spread, _, _ in levels]
    decode = {
        "block": "anchor_decode",
        "from": [value.name for _, _, value in levels],
        "formula": formulas.pop(),
        "spread": spreads[0] if len(set(spreads)) == 1 else spreads,
        "sizes": [[list(pair) for pair in _mask(section)] for _, section, _ in levels],
    }
    results = "{boxes: head_decode_boxes, scores: head_decode_scores}"
    return [f"head:\n  decode: {yaml_line(decode)}\n", f"outputs: {results}\n"]


def source_of(network: Network, path: Path) -> Source:
    """The config as text that was read from a file named like the .cfg."""
    from archdsl.frontend.yaml.parser import read_text

    return read_text(config_text(network, path.name), str(path.with_suffix(".yaml")))
