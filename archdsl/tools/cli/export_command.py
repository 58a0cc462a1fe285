"""archdsl export CONFIG [OVERRIDE…] -o net.onnx"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from archdsl.diagnostics.problems import Mark, fail
from archdsl.diagnostics.terminal import say
from archdsl.diagnostics.wording import one_of
from archdsl.frontend.budget import Budget
from archdsl.frontend.compose.config import load
from archdsl.frontend.lower import compile_graph
from archdsl.tools.cli.options import ConfigArgument, config_options, names, output_options, read_size
from archdsl.tools.cli.output import import_keras, print_json, progress
from archdsl.tools.cli.weights_option import weights_of, weights_option
from archdsl.tools.output_file import check_output

THROUGH_KERAS = ("litert", "saved_model")
FORMATS = {".onnx": "onnx", ".xml": "openvino", ".tflite": "litert", "": "saved_model"}  # by the ending of the file


def _size(context: click.Context, parameter: click.Parameter, value: str | None) -> Any:
    return read_size("any" if value == "dynamic" else value)


@click.command("export")
@config_options
@output_options("The file to write: .onnx, .xml (OpenVINO), .tflite, or a folder (SavedModel).")
@weights_option
@click.option("--format", "kind", type=click.Choice(list(FORMATS.values())), help="By default that of the ending.")
@click.option("--size", callback=_size, help="Image size: a side, HEIGHTxWIDTH, or 'dynamic'; by default the config's.")
@click.option("--batch", type=click.IntRange(1, 4096), help="Images at a time; by default any number.")
@click.option(
    "--outputs",
    callback=names,
    metavar="NAMES",
    help="What the file gives: stages or layers, P3,P5; by default the config's.",
)
@click.option(
    "--layout", type=click.Choice(["nhwc", "nchw"]), default="nhwc", show_default=True, help="Of images and maps."
)
@click.option("--precision", type=click.Choice(["float32", "float16"]), default="float32", show_default=True)
@click.option("--no-fuse", is_flag=True, help="Keep batch norms, padding and branches as layers of their own.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    config: ConfigArgument,
    overrides: tuple[str, ...],
    budget: Budget,
    output: Path,
    force: bool,
    weights: str | None,
    kind: str | None,
    size: Any,
    batch: int | None,
    outputs: list[str] | None,
    layout: Any,
    precision: Any,
    no_fuse: bool,
    as_json: bool,
) -> None:
    """Write CONFIG as a file for another runtime, run it there, and compare it with the network as it was.

    Images go in as the Keras model takes them, channels last and 0 … 255 where the config rescales them. CONFIG may be
    a .safetensors file, which has its weights. Weights are random unless it has some, or --weights gives them.
    """
    kind = kind or _format_of(output)
    _check(output, kind, [each for each in (config, weights) if isinstance(each, str)], force)
    loaded = load(config, overrides, budget)
    loaded = loaded if size is None else loaded.with_size(*size)
    compile_graph(loaded, budget)  # mistakes come before the packages are imported
    file = weights_of(config, weights)

    from archdsl.backends.form import Form
    from archdsl.models.export import export
    from archdsl.weights.network import network_of

    if kind in THROUGH_KERAS:
        import_keras()
    with progress(f"writing {output}"):
        network = network_of(loaded, file, outputs or (), budget)
        exported = export(network, output, kind, Form(layout, batch, precision), fuse=not no_fuse)
    _print(exported, as_json)


def _check(output: Path, kind: str, inputs: list[str], force: bool) -> None:
    """Raise ArchError for an output that cannot be written; a folder is never replaced."""
    if kind == "saved_model" and output.is_dir():
        raise fail("output", "exists already", mark=Mark(str(output)), hint="choose the name of a new folder")
    check_output(output, inputs, force)
    if kind == "openvino":
        check_output(output.with_suffix(".bin"), inputs, force)


def _format_of(output: Path) -> str:
    """By the ending of its name. Raises ArchError for another."""
    if output.suffix not in FORMATS:
        endings = [ending for ending in FORMATS if ending]
        hint = "a name without an ending becomes a folder; or say --format"
        raise fail(
            "output", f"no format ends in '{output.suffix}'; {one_of(endings)}", mark=Mark(str(output)), hint=hint
        )
    return FORMATS[output.suffix]


def _print(exported: Any, as_json: bool) -> None:
    proof = exported.proof
    if as_json:
        found = {"file": str(exported.file), "format": exported.format, "bytes": exported.bytes}
        found |= {"runtime": exported.runtime, **proof._asdict()}
        print_json(found)
        return
    sizes = " and ".join(f"{height} × {width}" for height, width in proof.sizes)
    say(f"{exported.file}: {exported.bytes / 2**20:.1f} MiB")
    say(f"{exported.runtime}: differs by at most {proof.largest:.1e} on a random image of {sizes}")
    say(f"{1000 * proof.seconds:.1f} ms for {proof.sizes[0][0]} × {proof.sizes[0][1]}")
