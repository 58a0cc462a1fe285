"""Darknet as an oracle: cfgs of our own, .weights files, and the layers in NumPy as its C code computes them."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy

Options = dict[str, str]
NET = "[net]\nwidth=64\nheight=64\nchannels=3\n"
ANCHORS = "anchors=10,14, 23,27, 37,58, 81,82, 135,169, 344,319\nclasses=2\nnum=6\n"


def conv(filters: int, size: int = 3, stride: int = 1, activation: str = "leaky", norm: int = 1, more: str = "") -> str:
    head = f"[convolutional]\nbatch_normalize={norm}\nfilters={filters}\nsize={size}\nstride={stride}\n"
    return f"{head}pad=1\nactivation={activation}\n{more}"


def maxpool(size: int, stride: int, more: str = "") -> str:
    return f"[maxpool]\nsize={size}\nstride={stride}\n{more}"


def yolo(mask: str, more: str = "") -> str:
    return f"[yolo]\nmask={mask}\n{ANCHORS}{more}"


LAST = conv(21, 1, activation="linear", norm=0)
V3_TINY = "".join(  # pools that pad at the end, two scales
    [
        *(NET, conv(4), maxpool(2, 2), conv(6), maxpool(2, 2), conv(8), maxpool(2, 2), conv(8), maxpool(2, 1)),
        *(conv(12), conv(6, 1), conv(8), LAST, yolo("3,4,5"), "[route]\nlayers = -4\n", conv(6, 1)),
        *("[upsample]\nstride=2\n", "[route]\nlayers = -1, 4\n", conv(8), LAST, yolo("0,1,2")),
    ]
)
V4_TINY = "".join(  # routes of half the channels, shortcuts, mish, scales
    [
        *(NET, conv(8, stride=2), conv(8), "[route]\nlayers=-1\ngroups=2\ngroup_id=1\n", conv(4, activation="mish")),
        *(conv(4), "[route]\nlayers = -1,-2\n", conv(8, 1), "[route]\nlayers = -6,-1\n", maxpool(2, 2), conv(16)),
        *(conv(16, activation="linear"), "[shortcut]\nfrom=-3\nactivation=leaky\n", "[shortcut]\nfrom=-2\n"),
        *(LAST, yolo("3,4,5", "scale_x_y=1.05\n"), "[route]\nlayers=-3\n", "[upsample]\nstride=2\n"),
        *("[route]\nlayers=-1,0\n", LAST, yolo("0,1,2", "scale_x_y=1.1\n")),
    ]
)
OTHERS = "".join(  # what is rarer
    [
        *(NET, conv(6, norm=0, activation="swish"), conv(6, 5, more="groups=3\n"), maxpool(2, 2), conv(8, 3, 2)),
        *("[route]\nlayers=-3\n", conv(8, 3, 4, activation="relu"), "[route]\nlayers=-1,-3\ngroups=2\ngroup_id=0\n"),
        *(maxpool(5, 1), "[route]\nlayers=-2\n", maxpool(9, 1), "[route]\nlayers=-1,-3,-4\n", conv(8, 4)),
        *("[convolutional]\nsize=4\nfilters=4\nstride=1\npadding=1\n", conv(21, 1, activation="logistic", norm=0)),
        yolo("0,1,2", "new_coords=1\nscale_x_y=2.0\n"),
    ]
)


def weighted(kind: str, normalization: str, origin: str = "-2") -> str:
    more = f"weights_type={kind}\nweights_normalization={normalization}\nactivation=leaky\n"
    return f"[shortcut]\nfrom={origin}\n{more}"


def connected(outputs: int, activation: str = "leaky", norm: int = 0) -> str:
    return f"[connected]\noutput={outputs}\nactivation={activation}\n" + f"batch_normalize={norm}\n" * norm


WEIGHTED = "".join(  # every kind of shortcut with weights
    [
        *(NET, conv(4), conv(4), weighted("per_feature", "relu"), weighted("per_channel", "relu", "-2,-3")),
        *(weighted("per_feature", "softmax"), weighted("per_channel", "softmax"), conv(4), maxpool(2, 2), LAST),
        *(yolo("3,4,5"), "[route]\nlayers=5\n", weighted("per_layer", "none", "6")),
        *(weighted("per_channel", "none", "6").replace("normalization", "normalizion"), LAST, yolo("0,1,2")),
    ]
)
UNEVEN = "".join(  # sides that shrink one after the other, a dilation, a norm before boxes
    [
        *(NET, conv(4, more="dilation=2\n"), conv(6, more="stride_x=2\nstride_y=1\n"), conv(6, 5, more="dilation=3\n")),
        *(maxpool(2, 2, "stride_x=1\nstride_y=2\n"), conv(21, 1, activation="logistic")),
        yolo("0,1,2", "new_coords=1\nscale_x_y=2.0\n"),
    ]
)
CFGS = {"v3_tiny": V3_TINY, "v4_tiny": V4_TINY, "others": OTHERS, "weighted": WEIGHTED, "uneven": UNEVEN}
SMALL = NET.replace("64", "12")
CLASSIFIERS = {
    "pooled": SMALL
    + conv(4)
    + maxpool(2, 2)
    + conv(6)
    + "[avgpool]\n"
    + conv(5, 1, norm=0, activation="linear")
    + "[softmax]\n",
    "connected": SMALL
    + conv(4, 3, 2)
    + connected(7)
    + "[dropout]\n"
    + connected(6, "logistic", norm=1)
    + connected(5, "linear")
    + "[softmax]\ngroups=1\n",
    "both": SMALL + conv(4, 3, 2) + "[avgpool]\n" + connected(3, norm=1) + "[cost]\n",
}


def read(text: str) -> list[tuple[str, Options]]:
    """Sections with what follows them."""
    sections: list[tuple[str, Options]] = []
    for line in filter(None, text.split("\n")):
        if line[0] == "[":
            sections.append((line[1:-1], {}))
        else:
            key, _, value = line.partition("=")
            sections[-1][1][key.strip()] = value.strip()
    return sections


def behind(options: Options, key: str, values: list[Any]) -> list[Any]:
    places = [int(each) for each in options[key].split(",")]
    return [values[place if place >= 0 else len(values) + place] for place in places]


class Darknet:
    """A network with random weights; `layers` are those of a .weights file in its order."""

    def __init__(self, text: str, seed: int = 0):
        self.sections = read(text)[1:]
        self.random = numpy.random.default_rng(seed)
        self.layers: list[dict[str, Any]] = []
        self.boxes: list[Any] = []
        self.scores: list[Any] = []

    def run(self, image: Any) -> list[Any]:
        """The result of each section for one image of 0 … 1. (H, W, 3) -> (H', W', C), …."""
        fresh, values, number = not self.layers, [], 0
        self.boxes, self.scores = [], []
        for kind, options in self.sections:
            x = values[-1] if values else image
            is_weighted = options.get("weights_type", "none") != "none"
            if kind in ("convolutional", "connected") or is_weighted:
                if fresh:
                    self.layers.append(DRAWN[kind](self, options, x))
                number += 1
            if kind == "convolutional":
                x = convolved(x, options, self.layers[number - 1])
            elif kind == "connected":
                x = fully_connected(x, options, self.layers[number - 1])
            elif kind == "avgpool":
                x = x.mean((0, 1), keepdims=True)
            elif kind == "softmax":
                x = numpy.exp(x - x.max()) / numpy.exp(x - x.max()).sum()
            elif kind in ("dropout", "cost"):
                pass
            elif is_weighted:
                together = numpy.stack([x, *behind(options, "from", values)])
                x = activated(summed(together, options, self.layers[number - 1]), options["activation"])
            elif kind == "yolo":
                self.decode(x, options, image.shape[0] // x.shape[0])
            elif kind == "route":
                parts, part = int(options.get("groups", 1)), int(options.get("group_id", 0))
                found = behind(options, "layers", values)
                x = numpy.concatenate([numpy.split(each, parts, -1)[part] for each in found], -1)
            elif kind == "shortcut":
                x = activated(x + sum(behind(options, "from", values)), options.get("activation", "linear"))
            elif kind == "upsample":
                x = x.repeat(int(options["stride"]), 0).repeat(int(options["stride"]), 1)
            else:
                x = pooled(x, options)
            values.append(x)
        return values

    def factors(self, options: Options, x: Any) -> dict[str, Any]:
        inputs = 1 + len(options["from"].split(","))
        shape = inputs, x.shape[-1] if options["weights_type"] == "per_channel" else 1
        return {"weights": self.random.normal(0.4, size=shape).astype("float32")}

    def matrix(self, options: Options, x: Any) -> dict[str, Any]:
        """Of a fully connected layer: biases and weights come before what a norm has."""
        outputs = int(options["output"])
        kernel = (self.random.normal(size=(outputs, x.size)) / x.size**0.5).astype("float32")
        names = ("scales", "means", "variances") if options.get("batch_normalize") == "1" else ()
        biases, *norm = (self.random.uniform(0.5, 1.5, outputs).astype("float32") for _ in ("biases", *names))
        return {"biases": biases, "kernel": kernel, **dict(zip(names, norm, strict=True))}

    def drawn(self, options: Options, x: Any) -> dict[str, Any]:
        channels, filters, size = x.shape[-1], int(options["filters"]), int(options["size"])
        has_norm = options.get("batch_normalize") == "1"
        shape = filters, channels // int(options.get("groups", 1)), size, size
        names = ("biases", "scales", "means", "variances") if has_norm else ("biases",)
        found = {name: self.random.uniform(0.5, 1.5, filters).astype("float32") for name in names}
        return {**found, "kernel": (self.random.normal(size=shape) / size / channels**0.5).astype("float32")}

    def decode(self, x: Any, options: Options, stride: int) -> None:
        """yolo_layer.c: boxes as corners in pixels, scores are objectness × class."""
        flat = [float(each) for each in options["anchors"].split(",")]
        spread, has_new = float(options.get("scale_x_y", 1)), options.get("new_coords") == "1"
        mask = [int(each) for each in options["mask"].split(",")]
        boxes, scores = [], []
        for row in range(x.shape[0]):
            for column in range(x.shape[1]):
                for place, anchor in enumerate(mask):
                    raw = numpy.split(x[row, column], len(mask))[place]
                    chance = raw if has_new else 1 / (1 + numpy.exp(-raw))
                    middle = chance[:2] * spread - (spread - 1) / 2 + [column, row]
                    size = (2 * raw[2:4]) ** 2 if has_new else numpy.exp(raw[2:4])
                    half = size * flat[2 * anchor : 2 * anchor + 2] / 2
                    boxes.append([*(middle * stride - half), *(middle * stride + half)])
                    scores.append(chance[4] * chance[5:])
        self.boxes.insert(0, numpy.array(boxes))
        self.scores.insert(0, numpy.array(scores))

    def write(self, path: Path, major: int = 0, minor: int = 2) -> None:
        """save_weights of parser.c."""
        seen = struct.pack("<Q" if major * 10 + minor >= 2 else "<I", 32_013_312)
        arrays = [array.tobytes() for layer in self.layers for array in layer.values()]
        path.write_bytes(struct.pack("<3i", major, minor, 5) + seen + b"".join(arrays))


def convolved(x: Any, options: Options, layer: dict[str, Any]) -> Any:
    """convolutional_layer.c: `pad` keeps the size of the map, as far as pixels of a window may be apart."""
    size, dilation, (down, across) = int(options["size"]), int(options.get("dilation", 1)), strides(options)
    pad = dilation * (size // 2 if options.get("pad") == "1" else int(options.get("padding", 0)))
    x = numpy.pad(x, ((pad, pad), (pad, pad), (0, 0)))
    extent = dilation * (size - 1) + 1
    groups = int(options.get("groups", 1))
    windows = numpy.lib.stride_tricks.sliding_window_view(x, (extent, extent), (0, 1))
    windows = windows[::down, ::across, :, ::dilation, ::dilation]
    parts = zip(numpy.split(windows, groups, 2), numpy.split(layer["kernel"], groups), strict=True)
    x = numpy.concatenate([numpy.einsum("yxchw,ochw->yxo", part, kernel) for part, kernel in parts], -1)
    if "scales" in layer:
        x = layer["scales"] * (x - layer["means"]) / numpy.sqrt(layer["variances"] + 1e-5)
    return activated(x + layer["biases"], options.get("activation", "logistic"))


def strides(options: Options) -> tuple[int, int]:
    """Down and across."""
    return int(options.get("stride_y", options["stride"])), int(options.get("stride_x", options["stride"]))


def fully_connected(x: Any, options: Options, layer: dict[str, Any]) -> Any:
    """connected_layer.c: of a map channel by channel."""
    x = layer["kernel"] @ x.transpose(2, 0, 1).ravel()
    if "scales" in layer:
        x = layer["scales"] * (x - layer["means"]) / numpy.sqrt(layer["variances"] + 1e-5)
    return activated(x + layer["biases"], options.get("activation", "logistic"))[None, None]


def summed(together: Any, options: Options, layer: dict[str, Any]) -> Any:
    """shortcut_layer.c, with weights, one for each input or each channel of it; what is before comes first."""
    w = layer["weights"]
    normalization = options.get("weights_normalization", "none")
    if normalization == "relu":
        w = numpy.maximum(w, 0) / (numpy.maximum(w, 0).sum(0) + 1e-4)
    if normalization == "softmax":
        w = numpy.exp(w) / numpy.exp(w).sum(0)
    return (together * w[:, None, None]).sum(0)


def activated(x: Any, function: str) -> Any:
    return {
        "linear": lambda: x,
        "leaky": lambda: numpy.where(x > 0, x, 0.1 * x),
        "logistic": lambda: 1 / (1 + numpy.exp(-x)),
        "mish": lambda: x * numpy.tanh(numpy.log1p(numpy.exp(x))),
        "relu": lambda: numpy.maximum(x, 0),
        "swish": lambda: x / (1 + numpy.exp(-x)),
    }[function]()


def pooled(x: Any, options: Options) -> Any:
    """maxpool_layer.c: `padding` is size - 1 in total, the window begins half of it before the map."""
    size, steps = int(options["size"]), strides(options)
    padding = int(options.get("padding", size - 1))
    sides = [(side + padding - size) // step + 1 for side, step in zip(x.shape[:2], steps, strict=True)]
    result = numpy.full((*sides, x.shape[2]), -numpy.inf)
    for row in range(sides[0]):
        for column in range(sides[1]):
            top, left = row * steps[0] - padding // 2, column * steps[1] - padding // 2
            window = x[max(top, 0) : top + size, max(left, 0) : left + size]
            result[row, column] = window.max((0, 1))
    return result


DRAWN = {"convolutional": Darknet.drawn, "connected": Darknet.matrix, "shortcut": Darknet.factors}
