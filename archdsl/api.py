"""The functions of `import archdsl`. None imports Keras before it has a graph to build."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archdsl.budget import Budget
from archdsl.carried import SUFFIX, carried_by
from archdsl.compiler import DEFAULT, compile_graph
from archdsl.errors import fail
from archdsl.ir import Graph
from archdsl.loader import Config, ConfigLike, load
from archdsl.passes import run_passes
from archdsl.plugins import Plugin, load_plugins
from archdsl.presets import PresetInfo, preset_info
from archdsl.report import Report, report
from archdsl.weights import load as load_weights_file

if TYPE_CHECKING:
    from archdsl.emit import Backbone
    from archdsl.weights.transfer import Transfer

ImageShape = Sequence[int | None]


def compile_config(
    config: ConfigLike,
    overrides: Sequence[str] = (),
    input_shape: ImageShape | None = None,
    *,
    plugins: Sequence[Plugin] = (),
    budget: Budget = DEFAULT,
) -> Graph:
    """The graph of a config: every operation with its shape, weights and cost. Does not import Keras.

    `config` is a preset name, a path, a dict or a DictConfig; `overrides` follow Hydra's grammar;
    `input_shape` (H, W, C) replaces the config's, None for a side that is not known. `plugins` are Python files or
    modules whose blocks the config may use. `budget` is how much it may cost, such as Budget(params=5e9).

    Raises ArchError with the place of everything that is wrong.
    """
    load_plugins(plugins)
    return compile_graph(load(config, overrides).with_input(shape=input_shape), budget)


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
    return report(compile_config(config, overrides, input_shape, plugins=plugins, budget=budget))


def build_from_config(
    config: ConfigLike,
    overrides: Sequence[str] = (),
    *,
    input_shape: ImageShape | None = None,
    input_tensor: Any = None,
    include_rescaling: bool | None = None,
    weights: str | os.PathLike[str] | None = None,
    freeze: Sequence[str] | None = None,
    name: str | None = None,
    plugins: Sequence[Plugin] = (),
    budget: Budget = DEFAULT,
) -> Backbone:
    """A functional Keras model of a config: (batch, H, W, C) -> the last feature map.

    `config` may also be a `.safetensors` file that archdsl wrote, which holds its config and its weights.
    `input_tensor`, a keras.Input, takes the place of a new one; of any other tensor only the shape and type are
    used. `include_rescaling` replaces the config's `input.rescale` (divide by 255), `freeze` its `freeze`: names of
    stages, `stem` and `tail` that training leaves alone. `weights` is a file to load, see archdsl.weights.load.
    Other arguments and errors as for compile_config.
    """
    load_plugins(plugins)
    if input_tensor is not None:
        input_shape = tuple(input_tensor.shape)[1:]
    loaded = load(config, overrides).with_input(shape=input_shape, rescale=include_rescaling).with_freeze(freeze)
    model, _ = build(loaded, weights, input_tensor=input_tensor, name=name, budget=budget)
    return model


def build(
    loaded: Config,
    weights: str | os.PathLike[str] | None = None,
    *,
    partial: bool = False,
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

    from archdsl.emit import Backbone

    fresh = file is None or partial
    model = Backbone(graph, loaded.resolved, input_tensor, passes=passes, fresh=fresh, name=name or graph.name)
    return model, None if file is None else load_weights_file(model, file, partial=partial)


def from_preset(name: str, load_weights: bool | None = None, **kwargs: Any) -> Backbone:
    """The model of a shipped preset; `kwargs` as for build_from_config.

    `load_weights` True asks for its trained weights, False for fresh ones, None for trained ones where they
    exist. Trained weights are read from a file given as `weights=`; nothing is downloaded.

    Raises ArchError for a name that is no preset, and for weights that cannot be had.
    """
    info = preset_info(name)
    model = build_from_config(name, **kwargs)
    if "weights" not in kwargs:
        load_preset_weights(model, info, load_weights)
    return model


def load_preset_weights(model: Backbone, info: PresetInfo, load_weights: bool | None) -> None:
    """Give `model` the trained weights of a preset, as far as `load_weights` asks for them (see from_preset)."""
    if load_weights is False or (load_weights is None and not info.has_weights):
        return
    if not info.has_weights:
        hint = "`archdsl list` says which have"
        raise fail("no-weights", f"preset '{info.name}' has no trained weights", hint=hint)
    message = f"the trained weights of '{info.name}' are not on this machine; they are published at {info.weights_url}"
    if load_weights:
        raise fail("no-weights", message, hint="download the file and give it as weights='FILE'")
    warnings.warn(f"{message}. The model starts from fresh weights.", stacklevel=3)
