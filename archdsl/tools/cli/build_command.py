"""archdsl build CONFIG [OVERRIDE…] -o model.keras, or -o net.safetensors for the weights with their config"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from archdsl.analysis.text import bytes_text
from archdsl.api import build
from archdsl.backends.atomic_write import written_whole
from archdsl.diagnostics.packages import require
from archdsl.diagnostics.problems import Mark, fail
from archdsl.diagnostics.terminal import say
from archdsl.frontend.budget import Budget
from archdsl.frontend.compose.config import Config, load
from archdsl.frontend.lower import compile_graph
from archdsl.frontend.source import Place
from archdsl.frontend.yaml.embedded import SUFFIX
from archdsl.tools.cli.options import ConfigArgument, config_options, names, output_options
from archdsl.tools.cli.output import import_keras, print_json, progress
from archdsl.tools.cli.weights_option import weights_of, weights_option
from archdsl.tools.output_file import check_output
from archdsl.weights import check_names, save

if TYPE_CHECKING:
    from archdsl.models.backbone import Backbone
    from archdsl.weights.transfer import Transfer

_ONE_BOX = "  hint: it holds the config, and Netron sees one box; --plain writes the layers themselves"


@click.command("build")
@config_options
@output_options("The .keras file to write, or .safetensors: the weights with their config.")
@weights_option
@click.option("--partial", is_flag=True, help="Load the layers that fit, and print what moved and what did not.")
@click.option("--classes", metavar="FILE", help="Names of the classes, one to a line: --partial keeps those by name.")
@click.option(
    "--names",
    "as_named",
    metavar="torch|FILE",
    help="PyTorch's names in a .safetensors: YOLO's, or those of a checkpoint FILE of the same network.",
)
@click.option("--freeze", callback=names, metavar="STAGES", help="Stages that training leaves alone: stem,p2,p3")
@click.option(
    "--plain", is_flag=True, help="Write the layers, not the config: for Netron, and where archdsl is not installed."
)
@click.option("--fuse", is_flag=True, help="Fold batch norms, padding and branches into convolutions, for inference.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with every layer that moved or did not.")
def command(
    config: ConfigArgument,
    overrides: tuple[str, ...],
    budget: Budget,
    output: Path,
    force: bool,
    weights: str | None,
    partial: bool,
    classes: str | None,
    as_named: str | None,
    freeze: list[str] | None,
    plain: bool,
    fuse: bool,
    as_json: bool,
) -> None:
    """Build CONFIG and write it as a Keras model file. CONFIG may be a .safetensors file, which has its weights."""
    if classes is not None and not partial:
        raise click.UsageError("--classes needs --partial")
    if as_named is not None and (output.suffix != SUFFIX or fuse):
        raise click.UsageError(f"--names needs an output named *{SUFFIX}, and no --fuse")
    check_names(as_named or "archdsl")
    if plain and output.suffix == SUFFIX:
        raise click.UsageError("--plain needs an output named *.keras")
    inputs = [each for each in (config, weights, as_named) if isinstance(each, str)]
    check_call(output, inputs, force=force, is_partial_of_nothing=partial and weights is None)
    loaded = with_freeze(load(config, overrides, budget), freeze)
    compile_graph(loaded, budget)  # mistakes come before the seconds that Keras takes to be imported
    require("keras")  # nor is anything downloaded for it
    file = weights_of(config, weights)
    names = _names(classes)
    import_keras()
    with written_whole(output) as unfinished:
        with progress(f"building {loaded.name}"):
            model, transfer = build(loaded, file, partial=partial, classes=names, budget=budget)
        if fuse:
            from archdsl.models.fuse import fuse as fuse_model

            with progress(f"fusing {loaded.name}"):
                model = fuse_model(model)
        with progress(f"writing {output}"):
            _write(model, unfinished, plain, as_named)
    _print(model, output, transfer, partial, as_json)
    if not plain and output.suffix != SUFFIX:
        say(_ONE_BOX, err=True)


def _write(model: Backbone, path: Path, plain: bool, as_named: str | None) -> None:
    if path.suffix != SUFFIX:
        (model.to_keras() if plain else model).save(path)
        return
    save(model, path, names=as_named or "archdsl")


def _names(file: str | None) -> list[str]:
    if file is None:
        return []
    from archdsl.tools.detecting import read_names

    return read_names(Path(file))


def check_call(output: Path, inputs: list[str], *, force: bool, is_partial_of_nothing: bool) -> None:
    """Raises for options that make no sense together, and for an output that cannot be written."""
    if is_partial_of_nothing and not any(each.endswith(SUFFIX) for each in inputs):
        raise click.UsageError("--partial needs --weights")
    if output.suffix not in (".keras", SUFFIX):
        raise fail("output", f"the name of a model file ends in .keras or {SUFFIX}", mark=Mark(str(output)))
    check_output(output, inputs, force)


def with_freeze(config: Config, parts: list[str] | None) -> Config:
    """The config with these parts frozen; what is wrong with them is the option's fault."""
    if parts is None:
        return config
    paths = [("freeze",), *[("freeze", index) for index in range(len(parts))]]
    option = Mark("--freeze")
    places = {**config.places, **dict.fromkeys(paths, Place(option, option))}
    return replace(config.with_freeze(parts), places=places)


def _print(model: Backbone, output: Path, transfer: Transfer | None, partial: bool, as_json: bool) -> None:
    size, params = output.stat().st_size, model.count_params()
    if as_json:
        moved = transfer.to_dict() if transfer else None
        print_json({"file": str(output), "bytes": size, "name": model.name, "params": params, "transfer": moved})
        return
    if transfer and partial:
        say(*transfer.to_table().rstrip("\n").split("\n"))
    say(f"{output}: {model.name}, {params:,} parameters, {bytes_text(size)}")
