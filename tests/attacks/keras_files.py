"""`.keras` files: a model from somebody, which `archdsl features` and a program read."""

from __future__ import annotations

import json
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import archdsl.tools.cli.import_command  # noqa: F401  (it imports NumPy, and compiles data classes)
from attacks.case import Attack, command

INNER = {"archdsl": 1, "name": "net", "stages": {"p1": {"width": 8, "down": {"block": "conv", "stride": 2}}}}
OURS = {"name": "net", "trainable": True, "dtype": "float32", "frozen": [], "config": INNER, "passes": []}
FAMILY = {"stackwise_channels": [8, 8], "stackwise_depth": [1, 1], "include_rescaling": True}


def written(config: Any, **members: bytes) -> Callable[[Path], object]:
    """A file with this description of a model, and few weights."""

    def make(folder: Path) -> None:
        (folder.parent / "other.yaml").write_text((folder.parent / "secret.txt").read_text())
        with zipfile.ZipFile(folder / "a.keras", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("config.json", config if isinstance(config, bytes) else json.dumps(config))
            archive.writestr("metadata.json", "{}")
            for name, data in {"model.weights.h5": random.Random(0).randbytes(4096), **members}.items():
                archive.writestr(name, data)

    return make


def whole(config: Any) -> Callable[[Path], object]:
    """The same as one HDF5 file."""

    def make(folder: Path) -> None:
        import h5py

        with h5py.File(folder / "a.h5", "w") as file:
            file.attrs["model_config"] = config if isinstance(config, bytes) else json.dumps(config).encode()
            file.create_group("model_weights").attrs["layer_names"] = []

    return make


def ours(**said: Any) -> dict[str, Any]:
    """A Backbone that says something else of itself."""
    config = {**OURS, **said}
    return {"module": "archdsl.emit", "class_name": "Backbone", "registered_name": "archdsl>Backbone", "config": config}


def inner(**said: Any) -> dict[str, Any]:
    return ours(config={**INNER, **said})


def family(**said: Any) -> dict[str, Any]:
    config = {**FAMILY, **said}
    name = "YOLOV8Backbone"
    return {"module": "archdsl.models", "class_name": name, "registered_name": f"archdsl>{name}", "config": config}


def part(module: str | None, class_name: str, config: Any = None, **more: Any) -> dict[str, Any]:
    """A plain model with one layer of this kind."""
    layer = {"module": module, "class_name": class_name, "config": config or {}, "registered_name": None, **more}
    inside = {"name": "net", "trainable": True, "layers": [{**layer, "name": "x", "inbound_nodes": []}]}
    return {
        "module": "keras.src.models.functional",
        "class_name": "Functional",
        "config": {**inside, "input_layers": [["x", 0, 0]], "output_layers": [["x", 0, 0]]},
        "registered_name": "Functional",
    }


def sequential(*layers: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    made = [
        {"module": "keras.layers", "class_name": name, "config": config, "registered_name": None}
        for name, config in layers
    ]
    config = {"name": "net", "trainable": True, "layers": made}
    return {
        "module": "keras.src.models.sequential",
        "class_name": "Sequential",
        "config": config,
        "registered_name": "Sequential",
    }


def read(folder: Path) -> object:
    from archdsl.tools.pictures.feature_maps import read_model

    return read_model("a.keras")


def row(name: str, config: Any, answer: str, **more: Any) -> Attack:
    return Attack(f"keras file: {name}", written(config), read, answer, keras=True, **more)


def imported(name: str, config: Any, answer: str) -> Attack:
    act = command("import", "a.keras", "-o", "a.yaml")
    return Attack(f"keras file: imported, {name}", written(config), act, answer, keras=True)


def as_whole(name: str, config: Any, answer: str) -> Attack:
    act = command("import", "a.h5", "-o", "a.yaml")
    return Attack(f"keras file: in HDF5, {name}", whole(config), act, answer, keras=True)


def legacy(class_name: str, **said: Any) -> dict[str, Any]:
    """A model with one layer of this kind, as Keras 2 describes it: no part says which module it is of."""
    layer = {"class_name": class_name, "config": {"name": "x", **said}}
    first = {"class_name": "InputLayer", "config": {"batch_input_shape": [None, 8, 8, 3], "name": "image"}}
    return {"class_name": "Sequential", "config": {"name": "net", "layers": [first, layer]}}


WIDE = {"s": {"width": 60_000, "depth": 9, "body": {"block": "conv", "kernel": 3}}}
IMAGE = ("InputLayer", {"batch_shape": [None, 8, 8, 3], "dtype": "float32", "name": "image"})
DENSE = [("Dense", {"units": 60_000, "name": f"d{number}"}) for number in range(9)]
TEXT = ("InputLayer", {"batch_shape": [None, 8], "dtype": "int32", "name": "text"})
PETABYTES = ("Embedding", {"input_dim": 10**9, "output_dim": 10**6, "name": "e"})
ATTACKS: list[Attack] = [
    row("a path as the config", ours(config="../other.yaml"), "expected a mapping"),
    row("a preset as the config", ours(config="yolo_v8_s_backbone"), "expected a mapping"),
    row("parents", inner(defaults=["../other", "_self_"]), "has no parents"),
    row("a reference to the environment", inner(description="${oc.env:HOME}"), "oc.env"),
    row("parameters without weights", inner(stages=WIDE), "expected at most"),
    row(
        "layers without end",
        inner(stages={f"s{n}": {"width": 8, "depth": 1000, "body": {"block": "c2f"}} for n in range(99)}),
        "over 20,000 operations",
    ),
    row("a description of 3 MB", inner(description="x" * 3_000_000), "unpacks to more than"),
    row("a description of 900 KB", ours(frozen=["x" * 8] * 80_000), "more than 20000 values"),
    row("a description that unpacks to a gigabyte", b" " * (1 << 28), "unpacks to more than"),
    row("deep JSON", b'{"config": {"a": ' + b"[" * 200_000, "does not describe a model"),
    row("a list", [1], "does not describe a model"),
    row("a precision", ours(dtype="float99"), "no precision called"),
    row("passes", ours(passes=["../other"]), "no pass '../other'"),
    row("an empty name", ours(name=""), "name"),
    row("a family's wide layers", family(stackwise_channels=[60_000] * 8, stackwise_depth=[9] * 8), "expected at most"),
    row("a family's file", family(stackwise_channels="../other.yaml"), "stackwise_channels"),
    row("a family's name of a folder", family(name="../x"), "name"),
    row("keras_cv", part("keras_cv.models", "YOLOV8Detector"), "'keras_cv.models'"),
    row("keras_hub", part("keras_hub.models", "RWKVTokenizer"), "'keras_hub.models'"),
    row("a module of the folder", part("hostile", "Layer"), "'hostile'"),
    row("os.system", part("os", "function", "system"), "'function'"),
    row("a function of Keras", part("keras.utils", "function", "get_file"), "'function'"),
    row("a precision for the whole process", part("keras.config", "function", "set_dtype_policy"), "'function'"),
    row(
        "a function under our name",
        part("keras.utils", "function", "get_file", registered_name="archdsl>Backbone"),
        "'function'",
    ),
    row(
        "code", part("keras.layers", "Lambda", {"function": {"class_name": "__lambda__", "config": {}}}), "not a layer"
    ),
    row("a SavedModel", part("keras.layers", "TFSMLayer", {"filepath": "../x"}), "'TFSMLayer'"),
    row("PyTorch", part("keras.layers", "TorchModuleWrapper", {"module": "AA=="}), "'TorchModuleWrapper'"),
    row("a file of words", part("keras.layers", "StringLookup", {"vocabulary": "../secret.txt"}), "'StringLookup'"),
    row("a type of TensorFlow", part("tensorflow", "__typespec__", []), "'__typespec__'"),
    row("a large constant", part(None, "__numpy__", {"value": ["a"], "dtype": "S1000000000"}), "'__numpy__'"),
    row("plain layers without weights", sequential(IMAGE, *DENSE), "parameters, and the file"),
    row("an embedding of petabytes", sequential(TEXT, PETABYTES), "parameters, and the file"),
    imported("code", part("keras.layers", "Lambda", {"name": "x\x1b[2J", "function": "rm"}), "'Lambda'"),
    imported("code a thousand times", sequential(*[("Lambda", {"name": f"x{n}"}) for n in range(1_000)]), "x19"),
    imported("an embedding of petabytes", sequential(TEXT, PETABYTES), "parameters, and the file"),
    as_whole("code", legacy("Lambda", function=["4wEA", None, None]), "'Lambda'"),
    as_whole("a SavedModel", legacy("TFSMLayer", filepath="../x"), "'TFSMLayer'"),
    as_whole("a class of somebody", legacy("hostile>Layer"), "'hostile>Layer'"),
    as_whole("a class that says its module", legacy("Dense", module="os", units=1), "Keras cannot load it"),
    as_whole("a function", legacy("Activation", activation={"class_name": "function", "config": "system"}), "function"),
    as_whole("a function of a module", part("os", "function", "system"), "'function'"),
    as_whole("wide layers without weights", legacy("Dense", units=10**9), "parameters, and the file"),
    as_whole("deep JSON", b'{"config": {"a": ' + b"[" * 200_000, "does not describe a model"),
    as_whole("a description of 3 MB", b" " * 3_000_000, "3000000 bytes; expected at most"),
    as_whole("a list", [1], "does not describe a model"),
]
