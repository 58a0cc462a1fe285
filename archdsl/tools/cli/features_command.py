"""archdsl features CONFIG_OR_MODEL IMAGE -o features.png"""

from __future__ import annotations

import importlib
from pathlib import Path

import click

from archdsl.api import Weights
from archdsl.diagnostics.packages import require
from archdsl.diagnostics.terminal import say
from archdsl.frontend.budget import Budget
from archdsl.frontend.compose.config import load
from archdsl.frontend.lower import compile_graph
from archdsl.frontend.yaml.embedded import SUFFIX
from archdsl.tools.cli.options import (
    ConfigArgument,
    budget_option,
    config_argument,
    output_options,
    overrides_argument,
    plugin_option,
)
from archdsl.tools.cli.output import import_keras, progress
from archdsl.tools.cli.weights_option import weights_of, weights_option
from archdsl.tools.output_file import check_output
from archdsl.tools.pictures.feature_maps import (
    MAX_CHANNELS,
    MAX_IMAGE_SIZE,
    MAX_NAME,
    check_paths,
    draw_features,
    pyramid,
    read_model,
    saved_model,
)


@click.command("features")
@plugin_option
@budget_option
@config_argument("config", "CONFIG_OR_MODEL")
@click.argument("image", type=click.Path(path_type=Path))
@overrides_argument
@output_options("The picture to write: .png, .pdf …")
@weights_option
@click.option(
    "--channels", default=6, show_default=True, type=click.IntRange(1, MAX_CHANNELS), help="Channels drawn of a level."
)
@click.option(
    "--size", default=640, show_default=True, type=click.IntRange(1, MAX_IMAGE_SIZE), help="Longest side in pixels."
)
def command(
    config: ConfigArgument,
    image: Path,
    overrides: tuple[str, ...],
    budget: Budget,
    output: Path,
    force: bool,
    weights: str | None,
    channels: int,
    size: int,
) -> None:
    """Run a photo through a model and draw its strongest channels.

    CONFIG_OR_MODEL is a config, whose model starts from random weights unless --weights gives others, or a
    .keras file. Levels are drawn with their shapes and strides.
    """
    require("keras")
    check_paths(image, output)
    check_output(output, [each for each in (config, weights, image) if isinstance(each, (str, Path))], force)
    file: Weights = weights
    note = ""
    if saved_model(config, overrides, weights) is None:
        loaded = load(config, overrides, budget)
        compile_graph(loaded, budget)  # mistakes come before the seconds that Keras takes
        file = weights_of(config, weights) or False  # which says itself that they are random
        note = "" if file or loaded.file.endswith(SUFFIX) else "random weights"
    import_keras()
    importlib.import_module("keras").utils.set_random_seed(0)  # random weights draw the same picture every time
    with progress(f"reading {config if isinstance(config, str) else config.file}"):
        model = read_model(config, overrides, file, budget)
    with progress(f"drawing {output}"):
        title = " ".join([model.name, *overrides])
        draw_features(model, image, output, channels=channels, image_size=size, title=title, note=note)
    levels = ", ".join([name[:MAX_NAME] for name in pyramid(model)])
    say(f"{output}: levels {levels} of {model.name[:MAX_NAME]}")
