"""archdsl features CONFIG_OR_MODEL IMAGE -o features.png"""

from __future__ import annotations

import importlib
from pathlib import Path

import click

from archdsl.budget import Budget
from archdsl.cli.common import budget_option, complete_config, import_keras, overrides_argument, plugin_option, progress
from archdsl.cli.output import say
from archdsl.compiler import compile_graph
from archdsl.features import MAX_NAME, check_paths, draw_features, pyramid, read_model
from archdsl.loader import load


@click.command("features")
@plugin_option
@budget_option
@click.argument("config", metavar="CONFIG_OR_MODEL", shell_complete=complete_config)
@click.argument("image", type=click.Path(path_type=Path))
@overrides_argument
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help="The picture to write: .png, .pdf …"
)
@click.option("--weights", type=click.Path(), help="Weights to load, a *.weights.h5 file of this architecture.")
@click.option("--channels", default=6, show_default=True, help="Channels drawn of each level.")
@click.option("--size", default=640, show_default=True, help="Longest side of the image in pixels.")
def command(
    config: str,
    image: Path,
    overrides: tuple[str, ...],
    budget: Budget,
    output: Path,
    weights: str | None,
    channels: int,
    size: int,
) -> None:
    """Run a photo through a model and draw its strongest channels.

    CONFIG_OR_MODEL is a config, whose model starts from random weights unless --weights gives others, or a
    .keras file. Levels are drawn with their shapes and strides.
    """
    check_paths(image, output)
    if not config.endswith(".keras"):
        compile_graph(
            load(config, overrides, budget), budget
        )  # mistakes come before the seconds that Keras takes to be imported
    import_keras()
    importlib.import_module("keras").utils.set_random_seed(0)  # random weights draw the same picture every time
    with progress(f"reading {config}"):
        model = read_model(config, overrides, weights, budget)
    with progress(f"drawing {output}"):
        draw_features(model, image, output, channels=channels, image_size=size)
    levels = ", ".join([name[:MAX_NAME] for name in pyramid(model)])
    say(f"{output}: levels {levels} of {model.name[:MAX_NAME]}")
