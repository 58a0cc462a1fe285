"""The functions of `import archdsl`. None imports Keras before it has a graph to build."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from archdsl.analysis.report import Report, report
from archdsl.backends.form import LAST, Calibration, Form, FormatName, Layout, Precision, Suppression
from archdsl.blocks.plugins import Plugin, load_plugins
from archdsl.diagnostics.packages import require
from archdsl.diagnostics.problems import fail
from archdsl.frontend.budget import DEFAULT, Budget
from archdsl.frontend.compose.config import Config, ConfigLike, listed, load
from archdsl.frontend.compose.search_path import preset_names
from archdsl.frontend.lower import compile_graph, outline
from archdsl.frontend.presets import PresetInfo, preset_info
from archdsl.frontend.yaml.embedded import SUFFIX, carried_by
from archdsl.ir.graph import Graph
from archdsl.ir.passes import run_passes
from archdsl.models.registration import import_keras
from archdsl.weights import load as load_weights_file

if TYPE_CHECKING:
    from archdsl.models.backbone import Backbone
    from archdsl.models.export import Exported
    from archdsl.weights.network import Network
    from archdsl.weights.transfer import Transfer

ImageShape = Sequence[int | None]
Weights = str | os.PathLike[str] | Literal[False] | None
"""A weights file, "published" for the trained weights of a preset, False for random ones; None warns of those."""

PUBLISHED = "published"


def compile_config(
    config: ConfigLike,
    overrides: Sequence[str] = (),
    input_shape: ImageShape | None = None,
    *,
    plugins: Sequence[Plugin] = (),
    budget: Budget = DEFAULT,
) -> Graph:
    """The graph of a config: every operation with its shape, weights and cost. Does not import Keras.

    `config` is a preset name, a path, a dict, a DictConfig, or a ConfigText, which is a text with the name of a file;
    `overrides` follow Hydra's grammar; `input_shape` (H, W, C) replaces the config's, None for a side that is not
    known. `plugins` are Python files or modules whose blocks the config may use. `budget` is how much it may cost, such
    as Budget(params=5e9).

    Raises ArchError with the place of everything that is wrong.
    """
    load_plugins(plugins)
    return compile_graph(load(config, overrides, budget).with_input(shape=input_shape), budget)


def analyze(
    config: ConfigLike,
    overrides: Sequence[str] = (),
    input_shape: ImageShape | None = (640, 640, 3),
    *,
    plugins: Sequence[Plugin] = (),
    budget: Budget = DEFAULT,
) -> Report:
    """Parameters, MACs and output maps of a config for one image, in milliseconds. Does not import Keras.

    Arguments and errors as for compile_config.
    """
    load_plugins(plugins)
    return report(outline(load(config, overrides, budget).with_input(shape=input_shape), budget))


def build_from_config(
    config: ConfigLike,
    overrides: Sequence[str] = (),
    *,
    input_shape: ImageShape | None = None,
    input_tensor: Any = None,
    include_rescaling: bool | None = None,
    weights: Weights = None,
    freeze: Sequence[str] | None = None,
    name: str | None = None,
    plugins: Sequence[Plugin] = (),
    budget: Budget = DEFAULT,
) -> Backbone:
    """A functional Keras model of a config: (batch, H, W, C) -> the last feature map.

    `config` may also be a `.safetensors` file that archdsl wrote, which holds its config and its weights.
    `input_tensor`, a keras.Input, takes the place of a new one; of any other tensor only the shape and type are
    used. `include_rescaling` replaces the config's `input.rescale` (divide by 255), `freeze` its `freeze`: names of
    stages, `stem` and `tail` that training leaves alone.

    `weights` is a file to load, see archdsl.weights.load; "published" loads the trained weights of a preset, which are
    downloaded if they are not on this machine. Without it weights are random, of which a preset that has published
    ones warns; False asks for random ones.

    Other arguments and errors as for compile_config.
    """
    load_plugins(plugins)
    if input_tensor is not None:
        input_shape = tuple(input_tensor.shape)[1:]
    loaded = (
        load(config, overrides, budget).with_input(shape=input_shape, rescale=include_rescaling).with_freeze(freeze)
    )
    file = _weights_file(config, weights)
    model, _ = build(loaded, file, input_tensor=input_tensor, name=name, budget=budget)
    return model


def _weights_file(config: ConfigLike, weights: Weights) -> str | os.PathLike[str] | None:
    if isinstance(weights, str) and weights == PUBLISHED:
        from archdsl.models.hub import published_weights  # takes a while to import

        return published_weights(config)
    is_preset = isinstance(config, str) and config in preset_names()
    if weights is None and is_preset and preset_info(str(config)).has_weights:
        hint = "weights='published' loads the published ones, weights=False asks for random ones"
        warnings.warn(f"{config}: the weights are random; {hint}", stacklevel=3)
    return None if weights is False else weights


def build(
    loaded: Config,
    weights: str | os.PathLike[str] | None = None,
    *,
    partial: bool = False,
    classes: Sequence[str] = (),
    input_tensor: Any = None,
    name: str | None = None,
    budget: Budget = DEFAULT,
) -> tuple[Backbone, Transfer | None]:
    """The model of a composed config, and what was loaded into it.

    A config that comes from a weights file takes the file's weights, unless `weights` names others.
    """
    carrier = Path(loaded.file) if loaded.file.endswith(SUFFIX) else None
    passes = carried_by(carrier).passes if carrier else ()
    graph = compile_graph(loaded, budget)  # before Keras is imported: a mistake is reported at once
    graph, _ = run_passes(graph, names=passes)
    file = weights if weights is not None else carrier

    import_keras()
    from archdsl.models.backbone import Backbone

    fresh = file is None or partial
    model = Backbone(graph, loaded.resolved, input_tensor, passes=passes, fresh=fresh, name=name or graph.name)
    return model, None if file is None else load_weights_file(model, file, partial=partial, classes=classes)


def from_preset(name: str | os.PathLike[str], load_weights: bool | None = None, **kwargs: Any) -> Backbone:
    """The model of a preset; a folder gives the class that was saved.

    `name` is that of a shipped preset, a folder that keras_cv or save_to_preset wrote, or a kaggle:// handle.
    `load_weights` True asks for its trained weights, False for fresh ones, None for trained ones where they exist;
    they are downloaded if they are not on this machine, unless `weights=FILE` gives them. `kwargs` as for
    build_from_config; for a class of keras_cv they replace constructor arguments.

    Raises ArchError for a name that is not a preset, and for weights that cannot be had: within a second where there
    is no network, and before Keras is imported.
    """
    from archdsl.models.hub import find_preset, weights_file  # what speaks with the network takes a while to import

    preset = find_preset(name, preset_names(), "archdsl")
    given = kwargs.pop("weights", None)
    weights = given if given is not None else weights_file(preset, load_weights)
    if isinstance(preset, PresetInfo):
        return build_from_config(preset.name, weights=False if weights is None else weights, **kwargs)
    if preset.config is not None:
        model = build_from_config(preset.config, weights=weights, **{**preset.arguments, **kwargs})
        if preset.state and not {"freeze", "overrides"} & set(kwargs):  # else the config sets what is trained
            model.restore_state(preset.state)
        return model

    from archdsl.models.keras_cv import build_folder

    return build_folder(preset, weights, kwargs)


def export(
    config: ConfigLike | Backbone,
    output: str | os.PathLike[str],
    overrides: Sequence[str] = (),
    *,
    format: FormatName | None = None,
    weights: str | os.PathLike[str] | None = None,
    size: int | tuple[int | None, int | None] | Literal["dynamic"] | None = None,
    batch: int | None = None,
    outputs: Sequence[str] = (),
    layout: Layout = "nhwc",
    precision: Precision = "float32",
    fuse: bool = True,
    calibrate: str | os.PathLike[str] | None = None,
    keep: Sequence[str] = (LAST,),
    nms: bool = False,
    confidence: float = 0.25,
    iou: float = 0.7,
    limit: int = 300,
    plugins: Sequence[Plugin] = (),
    budget: Budget = DEFAULT,
) -> Exported:
    """Write a config, or a model, as a file for another runtime; run it there, and compare it with what it is of.

    `config` is what compile_config takes, a `.safetensors` file with its weights, or a Backbone in memory with its own;
    `overrides` and `weights` (a file) are for a config, whose weights are random without. `format` is "onnx",
    "openvino", "litert" or "saved_model", by default that of the ending of `output`: .onnx, .xml, .tflite, or none.

    Images go in as the Keras model takes them: `layout` nhwc or nchw, `batch` at a time (any number by default, in
    LiteRT one), of `size`: a side, (height, width), "dynamic", by default the config's. `outputs` are stages or
    layers, by default the config's. With `fuse` batch norms, padding and branches are folded into convolutions.

    `precision` is float32, float16 or int8, which needs `calibrate`, a folder of photos, and leaves the layers `keep`
    in float32: layers by the beginning of their names, "first", "last". Where weights are random, batch norms then have
    the mean and variance of an image, since values would shrink to nothing.

    With `nms` a file of ONNX or OpenVINO leaves the best boxes of a detector: boxes (K, 4), scores (K), classes (K),
    and in images (K) the image of each in the batch; `confidence`, `iou` and `limit` are those of archdsl.detections.

    Replaces a file, but no folder. -> what was written and how it ran. Raises ArchError, and writes nothing, for what
    cannot be had, for a package that is not installed (it names the extra), and where the file gives something else:
    beyond 1e-4 of a result's largest value in float32, 1e-2 in float16, below a cosine of 0.9 in int8.
    """
    from archdsl.models.export import export as written
    from archdsl.models.export.formats import FORMATS, format_of
    from archdsl.models.export.wishes import check_words

    path = Path(output)
    kind = format or format_of(path)
    suppression = Suppression(confidence, iou, limit) if nms else None
    form = Form(layout, batch, precision, suppression=suppression)
    check_words(kind, form)
    require(*FORMATS[kind].packages)
    load_plugins(plugins)
    network = _network(config, overrides, weights, size, outputs, budget)
    return written(network, path, kind, _calibrated(form, network, calibrate, keep), fuse)


def _calibrated(form: Form, network: Network, folder: str | os.PathLike[str] | None, keep: Sequence[str]) -> Form:
    """The form with the photos of a folder, if there is one, and the layers to keep."""
    if folder is None:
        return form
    from archdsl.models.calibration import photos_of

    photos = photos_of(folder, network.graph, form)
    return form._replace(calibration=Calibration(photos, tuple(listed(keep, "keep"))))


def _network(
    config: Any, overrides: Sequence[str], weights: Any, size: Any, outputs: Sequence[str], budget: Budget
) -> Network:
    """A config with a file, or a model with its own arrays, for images of a size."""
    from archdsl.weights.model import Model
    from archdsl.weights.network import arrays_of, network_of, network_with

    if isinstance(config, Model):
        if overrides or weights is not None:
            raise fail("model", f"'{config.name}' is built, and has weights; overrides and weights are for a config")
        loaded = replace(load(config.config), name=config.name)
        return network_with(_at_size(loaded, size), arrays_of(config), outputs, config.passes)
    return network_of(_at_size(load(config, overrides, budget), size), weights, outputs, budget)


def _at_size(loaded: Config, size: Any) -> Config:
    if size is None:
        return loaded
    sides = (None, None) if size == "dynamic" else (size, size) if isinstance(size, int) else tuple(size)
    return loaded.with_size(*sides)
