"""Presets as folders: keras_cv's, a config.json with a weights file, and ours, a config.yaml with one.

What is read is data: nothing in it names code, and its arguments are checked like a config.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic_core import ValidationError

from archdsl.backends.atomic_write import folder_written_whole
from archdsl.diagnostics.codes import CodeName
from archdsl.diagnostics.problems import ArchError, Mark, fail
from archdsl.diagnostics.wording import did_you_mean, one_of
from archdsl.frontend.budget import DEFAULT, Budget
from archdsl.frontend.compose.config import Config, load
from archdsl.frontend.importers import keras_cv_arguments
from archdsl.frontend.importers.saved_model import PlainArguments
from archdsl.frontend.sema.schema import Text
from archdsl.frontend.sema.validate import problems_of
from archdsl.frontend.source import KeyPath, Source
from archdsl.frontend.yaml.files import read_file
from archdsl.frontend.yaml.parser import read_text
from archdsl.frontend.yaml.writing import yaml_document
from archdsl.schemas.schema import OPEN, Schema

if TYPE_CHECKING:
    from archdsl.weights.model import Model

CONFIG, METADATA, WEIGHTS = "config.yaml", "metadata.json", "model.safetensors"
KERAS_CV_CONFIG, KERAS_CV_WEIGHTS = "config.json", "model.weights.h5"
PLAIN = "Backbone"
_STATE = ("trainable", "frozen")


@dataclass(frozen=True)
class PresetFolder:
    """A model in a folder. `class_name` is "Backbone", built from `config`, or a class of archdsl.models.

    `arguments` are those of its constructor, `state` lists which layers are trained, `weights` is the name of the
    weights file, None for none. `handle` is where the weights can be had if they are not in the folder.
    """

    path: Path
    class_name: str
    arguments: Mapping[str, Any]
    state: Mapping[str, Any]
    config: Path | None = None
    weights: str | None = None
    handle: str | None = None


class Description(Schema):
    """keras_cv's config.json, and our metadata.json: a class, its arguments, and the name of the weights file."""

    model_config = OPEN

    class_name: Text
    config: dict[str, Any]
    weights: Text | None


CLASSES: dict[str, type[Schema]] = {
    **keras_cv_arguments.FAMILIES,
    **dict.fromkeys(keras_cv_arguments.SIZES, keras_cv_arguments.SizeArguments),
}


def read_folder(path: Path) -> PresetFolder:
    """What is in a preset's folder. Does not import Keras.

    Raises ArchError when it holds no preset, or one that is broken or of a class that is not known.
    """
    try:
        found = {each.name for each in path.iterdir()}
    except NotADirectoryError:
        hint = "build_from_config takes a config, keras.saving.load_model a .keras file"
        raise fail("preset", "is a file; expected the folder of a preset", mark=Mark(str(path)), hint=hint) from None
    except OSError as error:
        raise fail("unreadable", f"cannot be read: {error.strerror}", mark=Mark(str(path))) from None
    if CONFIG in found and METADATA in found:
        return _read_ours(path)
    if CONFIG in found:
        weights = next((name for name in (WEIGHTS, KERAS_CV_WEIGHTS) if name in found), None)
        return PresetFolder(path, PLAIN, {}, {}, path / CONFIG, weights)
    if KERAS_CV_CONFIG in found:
        return _read_description(path / KERAS_CV_CONFIG, CLASSES)
    message = f"the folder does not contain a preset; expected a {CONFIG}, or a {KERAS_CV_CONFIG} that keras_cv wrote"
    raise fail("preset", message, mark=Mark(str(path)))


def write_folder(model: Model, folder: str | os.PathLike[str]) -> None:
    """Write a model as a folder that from_preset reads; see Backbone.save_to_preset."""
    from archdsl.weights import save

    class_name = type(model).__name__
    if model.passes or class_name not in {PLAIN, *CLASSES}:
        what = "a fused model" if model.passes else f"a {class_name}"
        hint = "model.save('model.keras') writes any model"
        raise fail("preset", f"{what} cannot be a preset; {one_of([PLAIN, *CLASSES])}", hint=hint)
    arguments = {key: value for key, value in model.get_config().items() if key not in ("config", "dtype", "passes")}
    description = {"class_name": class_name, "config": arguments, "weights": WEIGHTS}
    with folder_written_whole(Path(folder), (CONFIG, METADATA, WEIGHTS)) as partial:
        (partial / CONFIG).write_text(yaml_document(model.config), encoding="utf-8")
        (partial / METADATA).write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")
        save(model, partial / WEIGHTS)


def _read_ours(path: Path) -> PresetFolder:
    folder = _read_description(path / METADATA, {PLAIN: PlainArguments, **CLASSES})
    if folder.class_name == PLAIN:
        return replace(folder, config=path / CONFIG)
    if folder.class_name in keras_cv_arguments.FAMILIES:
        built = keras_cv_arguments.config_of(folder.class_name, folder.arguments)
        if built.resolved != load(path / CONFIG).resolved:
            message = f"is not the config of the class and arguments in {METADATA}"
            hint = f"without {METADATA} the folder is read as a plain Backbone"
            raise fail("preset", message, mark=Mark(str(path / CONFIG)), hint=hint)
    return folder


def _read_description(file: Path, classes: Mapping[str, type[Schema]]) -> PresetFolder:
    """A folder that one of its files describes. Raises ArchError for a class that is not one of `classes`."""
    source = read_file(file, read_json)
    stated = _validated(source, Description, source.values, (), "a preset")
    name, weights = stated.class_name, stated.weights
    if name not in classes:
        message = f"a preset of class '{name}'; {one_of(classes)}"
        raise _error("unknown-class", message, source, "class_name", did_you_mean(name, classes))
    if weights is not None and Path(weights).name != weights:
        raise _error("value", f"got '{weights}'; expected the name of a file in this folder", source, "weights")
    _validated(source, classes[name], stated.config, ("config",), name)
    state = {key: stated.config[key] for key in _STATE if key in stated.config}
    arguments = {key: value for key, value in stated.config.items() if key not in (*_STATE, "input_tensor")}
    return PresetFolder(file.parent, name, arguments, state, weights=weights)


def _error(code: CodeName, message: str, source: Source, key: str, hint: str = "") -> ArchError:
    return fail(code, message, mark=source.place((key,)).value, path=key, hint=hint)


def _validated(source: Source, schema: type[Schema], values: dict[str, Any], path: KeyPath, owner: str) -> Any:
    try:
        return schema.model_validate(values)
    except ValidationError as error:
        config = Config(owner, source.file, source.values, source.places)
        raise ArchError(problems_of(error, config, schema, path, owner)) from None


def read_json(text: str, file: str, budget: Budget = DEFAULT) -> Source:
    """JSON read as strictly as YAML, whose subset it is: limits, no key twice, the place of each value."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        mark = Mark(file, error.lineno, error.colno)
        raise fail("syntax", f"not valid JSON: {error.msg[0].lower()}{error.msg[1:]}", mark=mark) from None
    except (RecursionError, ValueError):  # too deep, or a number of thousands of digits: the loader says where
        pass
    return read_text(text, file, budget)
