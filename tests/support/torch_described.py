"""Whole modules as checkpoints have them, from the layout of their arrays and the rows of their model file."""

from __future__ import annotations

from typing import Any

import numpy as np
import yaml

from archdsl.weights.formats.contents import Contents
from archdsl.weights.formats.pickle_data import Record
from support.torch_files import Made, Name
from support.torch_layout import layout


def module(kind: str, **state: Any) -> Record:
    return Record(f"ultralytics.nn.modules.{kind}", (), {"_modules": {}, "_parameters": {}, **state})


def described(text: str, size: str | None) -> Contents:
    """What a checkpoint of this model file says of its modules."""
    values = yaml.safe_load(text)
    rows = [*values["backbone"], *values["head"]]
    modules = [module(row[2].rpartition(".")[2]) for row in rows]
    for name, shape in layout(text, size).items():
        _, number, *path, leaf = name.split(".")
        _put(modules[int(number)], path, leaf, shape)
    for made, row in zip(modules, rows, strict=True):
        _tell(made, row, values)
        made.state["f"] = row[0]
    reads = {
        number: tuple([place if place >= 0 else max(number + place, -1) for place in _listed(row[0])])
        for number, row in enumerate(rows)
    }
    return Contents("torch", (), reads=reads, modules=tuple(modules))


def saved(contents: Contents) -> Made:
    """The module as PyTorch saves it: of zeros, and variances of one."""
    rows = {str(number): _as_made(each) for number, each in enumerate(contents.modules)}
    row = Made(Name("torch.nn.modules.container", "Sequential"), {"_modules": rows})
    return Made(Name("ultralytics.nn.tasks", "DetectionModel"), {"_modules": {"model": row}})


def _as_made(record: Record) -> Made:
    inside = {name: _as_made(each) for name, each in record.state["_modules"].items()}
    arrays = {
        name: (np.ones if name == "running_var" else np.zeros)(shape, "float32")
        for name, shape in record.state["_parameters"].items()
        if name != "num_batches_tracked"
    }
    path, _, kind = record.name.rpartition(".")
    return Made(Name(path, kind), {**record.state, "_modules": inside, "_parameters": arrays})


def _listed(value: Any) -> list[int]:
    return value if isinstance(value, list) else [value]


def _put(inside: Record, path: list[str], leaf: str, shape: tuple[int, ...]) -> None:
    for name in path:
        inside = inside.state["_modules"].setdefault(name, module("Part"))
    inside.state["_parameters"][leaf] = shape
    if leaf == "weight" and len(shape) == 4:
        width, each, kernel, _ = shape
        groups = width if each == 1 and width > 1 else 1
        sides = {"kernel_size": (kernel, kernel), "stride": (1, 1), "padding": (kernel // 2,) * 2, "dilation": (1, 1)}
        inside.state |= {"out_channels": width, "groups": groups, **sides}
    elif leaf == "weight" and len(shape) == 2:
        inside.state["out_features"] = shape[0]
    elif leaf == "running_mean":
        inside.state |= {"eps": 0.001, "momentum": 0.03}


def _tell(made: Record, row: list[Any], values: dict[str, Any]) -> None:
    """What the arrays do not say of a module."""
    _, _, kind, arguments = row
    own = made.state["_modules"]
    shortcut = {"C2f": 1, "C3": 1, "C2fCIB": 1, "C3k2": 4}.get(kind, 99)
    added = bool(arguments[shortcut]) if len(arguments) > shortcut else kind in ("C3", "C3k2")
    for part in _all(made):
        inside = part.state["_modules"]
        if "conv" in inside:
            inside["act"] = module("SiLU")
        part.state |= {"add": added} if "cv1" in inside and part is not made else {}
    if kind in ("Conv", "SCDown"):
        conv = (own["cv2"].state["_modules"] if kind == "SCDown" else own)["conv"].state
        conv["stride"] = (arguments[2],) * 2 if len(arguments) > 2 else (1, 1)
        conv["padding"] = (arguments[3],) * 2 if len(arguments) > 3 else conv["padding"]
    elif kind == "SPPF":
        own["m"] = module("MaxPool2d", kernel_size=arguments[1])
    elif kind == "SPPELAN":
        own["cv2"] = module("MaxPool2d", kernel_size=5)
    elif kind == "nn.Upsample":
        made.state |= {"scale_factor": float(arguments[1]), "mode": arguments[2]}
    elif kind == "Pose":
        made.state["kpt_shape"] = values["kpt_shape"]
    elif kind == "A2C2f" and arguments[1]:
        for part in _all(made):
            if "qkv" in part.state["_modules"]:
                part.state["area"] = arguments[2]


def _all(made: Record) -> list[Record]:
    return [made, *[part for inner in made.state["_modules"].values() for part in _all(inner)]]
