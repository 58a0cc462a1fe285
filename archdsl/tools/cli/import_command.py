"""archdsl import FILE.pt -o net.safetensors; archdsl import net.cfg, yolov8.yaml, model.keras or .h5 -o net.yaml"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from archdsl.analysis.text import Table, bytes_text
from archdsl.backends.atomic_write import written_whole
from archdsl.diagnostics.problems import Mark, fail
from archdsl.diagnostics.terminal import say
from archdsl.frontend.budget import Budget
from archdsl.frontend.compose.config import load
from archdsl.frontend.importers.ultralytics import config_text
from archdsl.frontend.lower import compile_graph
from archdsl.frontend.yaml.embedded import SUFFIX
from archdsl.frontend.yaml.parser import read_text
from archdsl.tools.cli.options import budget_option, output_options, overrides_argument, plugin_option
from archdsl.tools.cli.output import import_keras, print_json, print_table, progress
from archdsl.tools.output_file import check_output

if TYPE_CHECKING:  # of NumPy, which a text is imported without
    from archdsl.weights.pytorch.difference import Pair
    from archdsl.weights.pytorch.importing import Described, Imported

CFG, YAML = ".cfg", ".yaml"
YAMLS, MODELS = (YAML, ".yml"), (".keras", ".h5")
_TAKES = {CFG: "at most a .weights file", **dict.fromkeys(MODELS, "no other arguments")}


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@overrides_argument
@plugin_option
@budget_option
@output_options("The .safetensors file to write.")
@click.option("--config", metavar="CONFIG", help="What the file's network is; by default the preset that it fits.")
@click.option("--scale", help="The size, of those that a model file of Ultralytics has; by default the first.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with every layer and where it came from.")
def command(
    file: Path,
    overrides: tuple[str, ...],
    budget: Budget,
    output: Path,
    force: bool,
    config: str | None,
    scale: str | None,
    as_json: bool,
) -> None:
    """Read the weights of FILE, a PyTorch checkpoint, and write them with their config as one .safetensors file.

    Nothing in FILE is executed, and PyTorch is not needed. As .yaml only the config is written: that of the preset it
    is, or what the checkpoint of a whole module says of itself. OVERRIDE changes values of CONFIG. Darknet's .cfg as
    FILE is written as .yaml, and with its .weights in the place of OVERRIDE as one .safetensors file. A model file of
    Ultralytics (.yaml) is written as one of ours. A Keras model (.keras, or a whole one in .h5) is written as .yaml, or
    with its weights as .safetensors.
    """
    if file.suffix in (CFG, *YAMLS, *MODELS):
        most = 1 if file.suffix == CFG else 0
        if config is not None or as_json or len(overrides) > most or (scale is not None and file.suffix not in YAMLS):
            takes = _TAKES.get(file.suffix, "nothing but --scale")
            raise click.UsageError(f"a {file.suffix} file takes {takes}")
    if file.suffix in YAMLS:
        _import_rows(file, scale, output, force, budget)
        return
    if file.suffix == CFG:
        _import_darknet(file, Path(overrides[0]) if overrides else None, output, force, budget)
        return
    if file.suffix in MODELS:
        _import_model(file, output, force, budget)
        return
    if overrides and config is None:
        raise click.UsageError("an OVERRIDE needs --config")
    from archdsl.weights.pytorch.importing import import_config, import_torch

    _check_suffix(output, SUFFIX, *([] if config or as_json else [YAML]))
    check_output(output, [file], force)
    if output.suffix == YAML:
        _print_described(import_config(file, output, budget), file, output)
        return
    _print(import_torch(file, output, load(config, overrides, budget) if config else None, budget), output, as_json)


def _print_described(found: Described, file: Path, output: Path) -> None:
    """Which preset a checkpoint is, or how it differs from the nearest."""
    if difference := found.difference:
        sizes = [(part, f"{ours:,}", f"{theirs:,}") for part, (ours, theirs) in difference.parts().items()]
        print_table(Table(("parameters", difference.preset, file.name), sizes, (difference.preset, file.name)))
        others = [(_layer(pair), _module(pair)) for pair in difference.others()]
        say("")
        print_table(Table(("layer", "module"), others, ()))
    params = sum(node.params for node in found.graph.nodes)
    name = f"the preset {found.preset}" if found.preset else file.stem
    say(f"{output}: {name}, {params:,} parameters")


def _layer(pair: Pair) -> str:
    return f"{pair.layer.path.removeprefix('stages.')}, {pair.layer.params:,}" if pair.layer else "-"


def _module(pair: Pair) -> str:
    from archdsl.weights.pytorch.presets import params_of

    return f"{pair.module.name}, {params_of(pair.module):,}" if pair.module else "-"


def _import_rows(file: Path, scale: str | None, output: Path, force: bool, budget: Budget) -> None:
    _check_suffix(output, YAML)
    check_output(output, [file], force)
    text = config_text(file, scale)
    graph = compile_graph(load(read_text(text, str(output)), (), budget), budget)
    with written_whole(output) as unfinished:
        unfinished.write_text(text, encoding="utf-8")
    say(f"{output}: {file.stem}, {sum(node.params for node in graph.nodes):,} parameters")


def _import_model(file: Path, output: Path, force: bool, budget: Budget) -> None:
    _check_suffix(output, YAML, SUFFIX)
    check_output(output, [file], force)
    if not file.is_file():
        raise fail("missing-file", "there is no such model file", mark=Mark(str(file)))
    import_keras()
    from archdsl.tools.model_import import import_model

    with progress(f"reading {file}"):
        graph = import_model(file, output, budget)
    say(f"{output}: {file.stem}, {sum(node.params for node in graph.nodes):,} parameters")


def _check_suffix(output: Path, *wanted: str) -> None:
    if output.suffix not in wanted:
        raise fail("output", f"the name of what is written here ends in {' or '.join(wanted)}", mark=Mark(str(output)))


def _import_darknet(cfg: Path, weights: Path | None, output: Path, force: bool, budget: Budget) -> None:
    _check_suffix(output, SUFFIX if weights else YAML)
    check_output(output, [cfg, *([weights] if weights else [])], force)
    from archdsl.weights.darknet import import_cfg, import_weights

    graph = import_weights(cfg, weights, output, budget) if weights else import_cfg(cfg, output, budget)
    say(f"{output}: {cfg.stem}, {sum(node.params for node in graph.nodes):,} parameters")


def _print(imported: Imported, output: Path, as_json: bool) -> None:
    transfer, name = imported.transfer, imported.config.name
    if as_json:
        found = {"file": str(output), "bytes": output.stat().st_size, "name": name, "transfer": transfer.to_dict()}
        print_json(found)
        return
    print_table(_origins(imported))
    say(*transfer.summary().split("\n"))
    say(f"{output}: {name}, {bytes_text(output.stat().st_size)}")


def _origins(imported: Imported) -> Table:
    """A row for each layer of the config: the module of the file that it came from, and how many arrays' owners."""
    from archdsl.weights.formats.contents import short

    entries: dict[str, list[str]] = {}
    for moved in imported.transfer.moved:
        entries.setdefault(moved.entry, []).append(moved.stored)
    rows = [(entry.removeprefix("stages."), short(_common(names)), str(len(names))) for entry, names in entries.items()]
    return Table(("layer", "from", "parts"), rows, ("parts",))


def _common(names: list[str]) -> str:
    """The path that all of these begin with."""
    first, last = (name.split(".") for name in (min(names), max(names)))
    same = next((index for index, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    return ".".join(first[:same])
