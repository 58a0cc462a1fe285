"""archdsl build CONFIG [OVERRIDE…] -o model.keras"""

from __future__ import annotations

from pathlib import Path

import click

from archdsl.api import build_from_config, compile_config
from archdsl.budget import Budget
from archdsl.cli.common import budget_option, config_argument, import_keras, overrides_argument, plugin_option, progress
from archdsl.errors import Mark, fail
from archdsl.files import written_whole
from archdsl.printable import printable


@click.command("build")
@plugin_option
@config_argument
@overrides_argument
@budget_option
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The .keras file to write.")
@click.option("--weights", type=click.Path(), help="Weights to load, a *.weights.h5 file of this architecture.")
@click.option("--plain", is_flag=True, help="Write a plain Keras model, which loads where archdsl is not installed.")
@click.option("--fuse", is_flag=True, help="Fold batch norms, padding and branches into convolutions, for inference.")
def command(
    config: str,
    overrides: tuple[str, ...],
    budget: Budget,
    output: Path,
    weights: str | None,
    plain: bool,
    fuse: bool,
) -> None:
    """Build CONFIG and write it as a Keras model file."""
    if output.suffix != ".keras":
        raise fail("output", "a model file is named *.keras", mark=Mark(str(output)))
    compile_config(config, overrides, budget=budget)  # mistakes come before the seconds that Keras takes to be imported
    import_keras()
    with written_whole(output) as partial:
        with progress(f"building {config}"):
            model = build_from_config(config, overrides, weights=weights, budget=budget)
        if fuse:
            from archdsl.fusion import fuse as fuse_model

            with progress(f"fusing {config}"):
                model = fuse_model(model)
        with progress(f"writing {output}"):
            (model.to_keras() if plain else model).save(partial)
    size = output.stat().st_size / 2**20
    click.echo(f"{printable(str(output))}: {model.name}, {model.count_params():,} parameters, {size:.1f} MiB")
