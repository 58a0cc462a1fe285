"""archdsl export CONFIG [OVERRIDE…] -o net.onnx"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from archdsl.analysis.text import bytes_text
from archdsl.api import export
from archdsl.backends.form import FormatName
from archdsl.diagnostics.problems import Mark, fail
from archdsl.diagnostics.terminal import say
from archdsl.frontend.budget import Budget
from archdsl.frontend.compose.config import load
from archdsl.frontend.lower import compile_graph
from archdsl.models.calibration import MOST_IMAGES
from archdsl.tools.cli.options import (
    ConfigArgument,
    config_options,
    names,
    output_options,
    read_size,
)
from archdsl.tools.cli.output import print_json, progress, without_logs
from archdsl.tools.cli.suppression_options import suppression_options
from archdsl.tools.cli.weights_option import weights_of, weights_option
from archdsl.tools.output_file import check_output

if TYPE_CHECKING:
    from archdsl.models.export import Exported

GOOD_COSINE = 0.98  # of a result in int8


def _size(context: click.Context, parameter: click.Parameter, value: str | None) -> Any:
    return read_size("any" if value == "dynamic" else value)


@click.command("export")
@config_options
@output_options("The file to write: .onnx, .xml (OpenVINO), .tflite, or a folder (SavedModel).")
@weights_option
@click.option("--format", "kind", type=click.Choice(get_args(FormatName)), help="By default that of the ending.")
@click.option("--size", callback=_size, help="Image size: a side, HEIGHTxWIDTH, or 'dynamic'; by default the config's.")
@click.option("--batch", type=click.IntRange(1, 4096), help="Images at a time; by default any number, in .tflite one.")
@click.option(
    "--outputs", callback=names, default="", metavar="NAMES", help="Stages or layers, P3,P5; else the config's."
)
@click.option(
    "--layout", type=click.Choice(["nhwc", "nchw"]), default="nhwc", show_default=True, help="Of images and maps."
)
@click.option("--precision", type=click.Choice(["float32", "float16", "int8"]), default="float32", show_default=True)
@click.option("--calibrate", type=click.Path(path_type=Path), metavar="FOLDER", help="Photos that int8 is made for.")
@click.option(
    "--keep",
    callback=names,
    default="last",
    show_default=True,
    metavar="NAMES",
    help="Layers that int8 leaves in float32, by the beginning of their names; first, last.",
)
@click.option("--nms", is_flag=True, help="ONNX, OpenVINO: only the best boxes: boxes, scores, classes, images.")
@suppression_options
@click.option("--fuse/--no-fuse", default=True, help="Fold batch norms, padding and branches into convolutions.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    config: ConfigArgument,
    overrides: tuple[str, ...],
    budget: Budget,
    output: Path,
    force: bool,
    weights: str | None,
    kind: FormatName | None,
    size: Any,
    as_json: bool,
    **asked: Any,
) -> None:
    """Write CONFIG as a file for another runtime, run it there, and compare it with the network as it was.

    Images go in as the Keras model takes them, channels last and 0 … 255 where the config rescales them. CONFIG may be
    a .safetensors file, which has its weights. Weights are random unless it has some, or --weights gives them.

    int8 needs --calibrate. What follows the last kernels, a detector's boxes among it, stays in float32. Where weights
    are random, batch norms get the mean and variance of an image, since values would shrink to nothing.
    """
    from archdsl.models.export.formats import format_of

    kind = kind or format_of(output)
    _check(output, kind, [each for each in (config, weights) if isinstance(each, str)], force)
    loaded = load(config, overrides, budget)
    compile_graph(loaded if size is None else loaded.with_size(*size), budget)  # mistakes come before a download
    file = weights_of(config, weights)
    if asked["precision"] == "int8" and asked["calibrate"]:
        say(f"reading at most {MOST_IMAGES} photos of {asked['calibrate']}", err=True)
    with progress(f"writing {output}"), without_logs():  # `asked` has export's own names
        exported = export(config, output, overrides, format=kind, weights=file, size=size, budget=budget, **asked)
    _print(exported, as_json)
    _warn(exported)


def _check(output: Path, kind: str, inputs: list[str], force: bool) -> None:
    """Raise ArchError for an output that cannot be written; a folder is never replaced."""
    if kind == "saved_model" and output.is_dir():
        raise fail("output", "exists already", mark=Mark(str(output)), hint="choose the name of a new folder")
    check_output(output, inputs, force)
    beside = {"openvino": output.with_suffix(".bin"), "onnx": output.with_name(f"{output.name}.data")}
    if kind in beside:
        check_output(beside[kind], inputs, force)


def _print(exported: Exported, as_json: bool) -> None:
    proof = exported.proof
    if as_json:
        found = {"file": str(exported.file), "format": exported.format, "bytes": exported.bytes}
        found |= {"runtime": exported.runtime, "precision": exported.precision, **proof._asdict()}
        found |= {"boxes": {f"{confidence:g}": count for confidence, count in exported.boxes.items()}}
        print_json(found)
        return
    sizes = " and ".join(f"{height} × {width}" for height, width in proof.sizes)
    say(f"{exported.file}: {bytes_text(exported.bytes)}")
    if exported.precision == "int8":
        cosines = ", ".join(f"{name} {cosine:.4f}" for name, cosine in proof.cosines.items())
        say(f"{exported.runtime}: cosines to float32 on photos of {sizes}: {cosines}")
    else:
        say(f"{exported.runtime}: differs by at most {proof.largest:.1e} on a random image of {sizes}")
    if exported.boxes:
        counts = " and ".join(f"{count} above {confidence:g}" for confidence, count in exported.boxes.items())
        say(f"the boxes that archdsl.detections leaves: {counts}")
    say(f"{1000 * proof.seconds:.1f} ms for {proof.sizes[0][0]} × {proof.sizes[0][1]}")


def _warn(exported: Exported) -> None:
    """Of results in int8 that are not as good as they could be, and of those that say nothing of the file."""
    if steady := exported.proof.steady:
        fact = f"{', '.join(steady)} of a black image {'is' if len(steady) == 1 else 'are'} the same"
        say(f"{exported.file}: {fact}, so the comparison proves little; trained weights prove more", err=True)
    low = [name for name, cosine in exported.proof.cosines.items() if cosine < GOOD_COSINE]
    if exported.precision == "int8" and low:
        advice = "--keep more layers in float32, or calibrate with other photos"
        say(f"{exported.file}: cosine below {GOOD_COSINE} of {', '.join(low)}; {advice}", err=True)
