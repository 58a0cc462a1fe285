"""archdsl build CONFIG [OVERRIDE…] -o model.keras"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from archdsl.api import build
from archdsl.backends.atomic_write import written_whole
from archdsl.diagnostics.problems import Mark, fail
from archdsl.frontend.budget import Budget
from archdsl.frontend.compose.config import load
from archdsl.frontend.lower import compile_graph
from archdsl.tools.cli.options import budget_option, config_argument, overrides_argument, plugin_option
from archdsl.tools.cli.output import console, import_keras, print_json, progress, say

if TYPE_CHECKING:
    from archdsl.models.backbone import Backbone
    from archdsl.weights.transfer import Transfer


def _parts(context: click.Context, parameter: click.Parameter, value: str | None) -> list[str] | None:
    return None if value is None else [name.strip() for name in value.split(",") if name.strip()]


@click.command("build")
@plugin_option
@config_argument
@overrides_argument
@budget_option
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The .keras file to write.")
@click.option("--weights", type=click.Path(), help="Weights to load: .safetensors, .weights.h5, .h5 or .keras.")
@click.option("--partial", is_flag=True, help="Load the layers that fit, and print what moved and what did not.")
@click.option("--freeze", callback=_parts, metavar="STAGES", help="Stages that training leaves alone: stem,p2,p3")
@click.option("--plain", is_flag=True, help="Write a plain Keras model, which loads where archdsl is not installed.")
@click.option("--fuse", is_flag=True, help="Fold batch norms, padding and branches into convolutions, for inference.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with every layer that moved or did not.")
def command(
    config: str,
    overrides: tuple[str, ...],
    budget: Budget,
    output: Path,
    weights: str | None,
    partial: bool,
    freeze: list[str] | None,
    plain: bool,
    fuse: bool,
    as_json: bool,
) -> None:
    """Build CONFIG and write it as a Keras model file. CONFIG may be a .safetensors file, which has its weights."""
    if output.suffix != ".keras":
        raise fail("output", "a model file is named *.keras", mark=Mark(str(output)))
    loaded = load(config, overrides, budget).with_freeze(freeze)
    compile_graph(loaded, budget)  # mistakes come before the seconds that Keras takes to be imported
    import_keras()
    with written_whole(output) as unfinished:
        with progress(f"building {config}"):
            model, transfer = build(loaded, weights, partial=partial, budget=budget)
        if fuse:
            from archdsl.models.fuse import fuse as fuse_model

            with progress(f"fusing {config}"):
                model = fuse_model(model)
        with progress(f"writing {output}"):
            (model.to_keras() if plain else model).save(unfinished)
    _print(model, output, transfer, partial, as_json)


def _print(model: Backbone, output: Path, transfer: Transfer | None, partial: bool, as_json: bool) -> None:
    size, params = output.stat().st_size, model.count_params()
    if as_json:
        moved = transfer.to_dict() if transfer else None
        print_json({"file": str(output), "bytes": size, "name": model.name, "params": params, "transfer": moved})
        return
    if transfer and partial:
        console().print(transfer.table())
        console().print(transfer.summary())
    say(f"{output}: {model.name}, {params:,} parameters, {size / 2**20:.1f} MiB")
