"""A model in a `.keras` file, or a whole one in `.h5`. Keras gets only what was checked, of its config and its HDF5."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import replace
from itertools import islice
from math import inf, prod
from pathlib import Path
from typing import Any

import keras

import archdsl.models.keras_cv  # noqa: F401  (registers its classes with Keras, and with it the Backbone)
from archdsl.diagnostics.problems import ArchError, Mark, Problem, fail, problem
from archdsl.diagnostics.wording import describe, first_line
from archdsl.frontend.budget import Budget, allow_more
from archdsl.models.backbone import Backbone
from archdsl.models.keras_h5 import IN_HDF5, give, in_todays_form
from archdsl.weights import load as load_weights_file
from archdsl.weights.formats import HDF5, WEIGHTS_IN_ARCHIVE, opened
from archdsl.weights.formats.archive import BadArchive, member, size_of
from archdsl.weights.formats.contents import DamagedFile, short
from archdsl.weights.formats.hdf5 import text_of
from archdsl.weights.loading import most_bytes

CONFIG = "config.json"
_MOST_NAMED = 20  # of what a file asks for, so that a report of it has an end
_MODULES = ("keras.layers", "keras.initializers", "keras.regularizers", "keras.constraints")
_OPERATIONS = "keras.src.ops."  # what keras.ops.split and the like are inside a model
_CLASSES = {
    "keras": {"DTypePolicy"},
    "keras.src.models.functional": {"Functional"},
    "keras.src.models.sequential": {"Sequential"},
    None: {"__keras_tensor__", "__slice__", "__ellipsis__"},
}
_ACTING = {  # layers that run code, or read what they are told to
    *("Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"),
    *("StringLookup", "IntegerLookup", "TextVectorization"),
}


def read_keras_file(path: Path, budget: Budget) -> Any:
    """The model in a `.keras` file that archdsl or Keras wrote, or in an `.h5` file, with its weights, not compiled.

    It may have as many parameters as the file has values. Raises ArchError for a file that is damaged or beyond the
    budget, and for one that names anything but layers of Keras and what the program registered with it.
    """
    mark = Mark(str(path))
    config, stored = _read(path, budget, mark)
    allowed = replace(budget, params=max(stored, 1), macs=inf, activation_bytes=inf)  # no image is run by loading
    try:
        with allowed.for_saved_models():
            model = _model(path, config, stored, mark)
    except ArchError as error:
        raise ArchError([_of_file(each, stored, path) for each in error.problems]) from None
    except (ValueError, TypeError, OSError, LookupError, AttributeError, RuntimeError) as error:
        raise fail("model", f"Keras cannot load it: {short(first_line(error), 300)}", mark=mark) from None
    if not model.name:
        raise fail("model", "the model has an empty name", mark=mark)
    return model


def _of_file(found: Problem, stored: int, path: Path) -> Problem:
    """The problem, placed at the file. No budget allows more parameters than the file holds, so the hint changes."""
    hint = (
        f"the file has {stored:,} bytes of weights"
        if found.code == "budget" and " parameters, " in found.message
        else found.hint
    )
    return found._replace(file=str(path), hint=hint)


def _read(path: Path, budget: Budget, mark: Mark) -> tuple[dict[str, Any], int]:
    """The description of the model, and the size of its weights in the file."""
    most = int(min(budget.file_bytes, 1 << 40))
    try:
        with path.open("rb") as stream:
            is_whole = stream.read(len(HDF5)) == HDF5
            text = text_of(stream, IN_HDF5, most) if is_whole else member(stream, CONFIG, most)
            stored = path.stat().st_size if is_whole else size_of(stream, WEIGHTS_IN_ARCHIVE)
    except (BadArchive, DamagedFile) as error:
        hint = allow_more("file_bytes", 2 * most) if f"{most}" in str(error) else ""
        raise fail("model", f"cannot be read: {error}", mark=mark, hint=hint) from None
    except OSError as error:
        raise fail("unreadable", f"cannot be read: {error.strerror or error}", mark=mark) from None
    if text is None:
        hint = '`model.save("model.h5")` writes a whole one'
        raise fail("model", "it has weights, and nothing that describes a model", mark=mark, hint=hint)
    try:
        config = json.loads(text)
    except (ValueError, RecursionError):
        config = None
    config = in_todays_form(config) if is_whole else config
    if not isinstance(config, dict) or not isinstance(config.get("config"), dict):
        raise fail("model", f"its {IN_HDF5 if is_whole else CONFIG} does not describe a model", mark=mark)
    return config, stored


def _model(path: Path, config: dict[str, Any], stored: int, mark: Mark) -> Any:
    registered = _registered(config)
    if isinstance(registered, type) and issubclass(registered, Backbone):
        model = registered.from_config(config["config"])
        load_weights_file(model, path)
        return model
    if foreign := list(islice(dict.fromkeys(_foreign(config)), _MOST_NAMED)):
        fact = "which is not a layer of Keras's own, nor registered with it"
        hint = "archdsl loads no code that a file names"
        raise ArchError(
            [
                problem("model", f"it asks for {short(asked)}, {fact}", mark=mark, path=name, hint=hint)
                for asked, name in foreign
            ]
        )
    with ThreadPoolExecutor(1) as thread:  # what Keras remembers of it, it remembers for a thread
        params = thread.submit(_params, deepcopy(config)).result()
    if params > stored:
        raise fail("model", f"its layers have {params:,} parameters, and the file {stored:,} bytes of them", mark=mark)
    model = keras.saving.deserialize_keras_object(config, safe_mode=True)
    _load_weights(model, path, most_bytes(params))
    return model


def _registered(value: dict[str, Any]) -> Any:
    """The class that the program registered with Keras under an object's name."""
    name = value.get("registered_name")
    is_named = isinstance(name, str) and value["class_name"] != "function"
    return keras.saving.get_registered_object(name) if is_named else None


def _foreign(config: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Objects that are neither plain parts of Keras nor registered, and their names; how a model was trained goes."""
    pending: list[Any] = [config]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            value.pop("compile_config", None)
            if "class_name" in value and not _is_known(value):
                inside = value.get("config")
                name = inside.get("name") if isinstance(inside, dict) else None
                yield f"{describe(value['class_name'])} of {describe(value.get('module'))}", _short_text(name)
                continue
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        pending += reversed(list(inner))


def _short_text(value: Any) -> str:
    return short(value) if isinstance(value, str) else ""


def _is_known(value: dict[str, Any]) -> bool:
    name, module = value["class_name"], value.get("module")
    if not isinstance(name, str) or not isinstance(module, str | None) or name in ("function", *_ACTING):
        return False
    is_plain = module in _MODULES or (module or "").startswith(_OPERATIONS) or name in _CLASSES.get(module, ())
    return is_plain or _registered(value) is not None


def _params(config: dict[str, Any]) -> int:
    """How many parameters the model would have, of which none is made."""
    with keras.StatelessScope(initialize_variables=False):
        model = keras.saving.deserialize_keras_object(config, safe_mode=True)
    return sum([prod(variable.shape) for variable in model.variables])


def _load_weights(model: Any, path: Path, most: int) -> None:
    """Give Keras the arrays of the file in a file that we wrote: those of others it reads with a library in C."""
    import h5py

    with opened(path, most) as contents, tempfile.TemporaryDirectory() as folder:
        if contents.layout == "listed":
            give(model, contents, Mark(str(path)))
            return
        clean = Path(folder, "model.weights.h5")
        with h5py.File(clean, "w") as file:
            for layer in contents.layers:
                for key, array in layer.arrays.items():
                    found = file.create_dataset(f"{layer.place}/vars/{key}", data=array.read())
                    found.attrs["dtype"] = array.dtype  # as Keras marks bfloat16
        model.load_weights(clean)
