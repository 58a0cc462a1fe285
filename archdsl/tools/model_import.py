"""A model in a `.keras` or `.h5` file → its config in YAML, or our `.safetensors` with the config and the weights."""

from __future__ import annotations

from pathlib import Path

from archdsl.api import build_from_config, compile_config
from archdsl.backends.atomic_write import written_whole
from archdsl.frontend.budget import DEFAULT, Budget
from archdsl.frontend.importers.network_config import config_text
from archdsl.frontend.yaml.embedded import SUFFIX
from archdsl.ir.graph import Graph
from archdsl.models.keras_config import config_of
from archdsl.models.keras_file import read_keras_file
from archdsl.weights import load as load_weights
from archdsl.weights import save as save_weights


def import_model(file: Path, output: Path, budget: Budget = DEFAULT) -> Graph:
    """Write the config of a model, with its weights where `output` is a `.safetensors` file, and return its graph.

    Raises ArchError, and writes nothing, for a file that is damaged, and with a problem for each layer that the
    language has no words for.
    """
    model = read_keras_file(file, budget)
    config = config_of(model)
    graph = compile_config(config, budget=budget)
    if output.suffix == SUFFIX:
        built = build_from_config(config, weights=False, budget=budget)
        load_weights(built, model)
        save_weights(built, output)
        return graph
    with written_whole(output) as unfinished:
        unfinished.write_text(config_text(config), encoding="utf-8")
    return graph
