"""archdsl detect MODEL_OR_CONFIG IMAGE… -o out.png"""

from __future__ import annotations

import importlib
import json
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from archdsl.api import Weights
from archdsl.backends.atomic_write import written_whole
from archdsl.diagnostics.packages import require
from archdsl.diagnostics.problems import Mark, fail
from archdsl.diagnostics.terminal import say
from archdsl.frontend.budget import Budget
from archdsl.frontend.compose.config import load
from archdsl.frontend.lower import compile_graph
from archdsl.frontend.yaml.embedded import SUFFIX
from archdsl.models.photo import open_image
from archdsl.tools.cli.options import (
    ConfigArgument,
    Size,
    budget_option,
    config_argument,
    output_options,
    plugin_option,
    size_option,
)
from archdsl.tools.cli.output import import_keras, progress
from archdsl.tools.cli.suppression_options import suppression_options
from archdsl.tools.cli.weights_option import weights_of, weights_option
from archdsl.tools.detecting import (
    Detection,
    check_names,
    check_results,
    coco_results,
    detect,
    name_of,
    read_names,
    suffix_of,
)
from archdsl.tools.output_file import check_output
from archdsl.tools.pictures.boxes import PICTURES, draw_boxes, save_picture
from archdsl.tools.pictures.feature_maps import MAX_IMAGE_SIZE, read_model, saved_model


@click.command("detect")
@plugin_option
@budget_option
@config_argument("config", "MODEL_OR_CONFIG")
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="IMAGE...")
@output_options("A picture (.png, .jpg, .webp), COCO's results (.json), or a folder for a picture of each photo.")
@weights_option
@click.option("--classes", type=click.Path(path_type=Path), help="Names of the classes, one to a line.")
@suppression_options
@size_option
def command(
    config: ConfigArgument,
    images: tuple[Path, ...],
    budget: Budget,
    output: Path,
    force: bool,
    weights: str | None,
    classes: Path | None,
    confidence: float,
    iou: float,
    limit: int,
    size: Size | None,
) -> None:
    """Find objects in photos: pictures with boxes, or JSON.

    MODEL_OR_CONFIG is a detector: a config, whose model starts from random weights unless --weights gives others, or a
    .keras file. Photos are letterboxed to --size, 640 by default.
    """
    require("keras")
    read = [Path(each) for each in (config, weights, classes) if isinstance(each, (str, Path))]
    outputs = _outputs(output, images, read, force)
    for image in images:
        open_image(image)  # what cannot be read is told before the seconds that Keras takes
    names = read_names(classes) if classes else []
    sides = _sides(size)
    model = _model(config, weights, budget, sides)
    if classes:
        check_names(names, model, classes)
    results: list[dict[str, Any]] = []
    for number, image in enumerate(images, 1):
        start = time.perf_counter()
        with progress(f"{number} of {len(images)}: {image}"):
            photo = open_image(image)
            found = detect(model, photo, sides, confidence=confidence, iou=iou, limit=limit)
            results += coco_results(image, found)
            if image in outputs:
                with written_whole(outputs[image]) as partial:
                    save_picture(draw_boxes(photo, found, names), partial, suffix_of(outputs[image], PICTURES))
        say(f"{outputs.get(image, image)}: {_summary(found, names)} ({time.perf_counter() - start:.1f} s)")
    if not outputs:
        with written_whole(output) as partial:
            partial.write_text("[" + ",\n ".join(json.dumps(each) for each in results) + "]\n")
        say(f"{output}: {len(results):,} results")


def _model(config: ConfigArgument, weights: str | None, budget: Budget, sides: tuple[int, int]) -> Any:
    """The detector. What a config says wrong comes before the seconds that Keras takes."""
    file: Weights = weights
    if saved_model(config, (), weights) is None:
        loaded = load(config, (), budget)
        graph = compile_graph(loaded, budget)
        check_results(graph.named)
        height, image_width = graph.image.height or sides[0], graph.image.image_width or sides[1]
        compile_graph(loaded.with_size(height, image_width), budget)
        file = weights_of(config, weights) or False
        if not file and not loaded.file.endswith(SUFFIX):
            say(f"{loaded.name}: random weights, which find nothing that is there; --weights loads others", err=True)
    import_keras()
    importlib.import_module("keras").utils.set_random_seed(0)
    with progress(f"reading {config if isinstance(config, str) else config.file}"):
        return read_model(config, (), file, budget)


def _sides(size: Size | None) -> tuple[int, int]:
    height, image_width = size or (640, 640)
    if height is None or image_width is None or max(height, image_width) > MAX_IMAGE_SIZE:
        raise click.BadParameter(f"a photo is brought to a known size, of at most {MAX_IMAGE_SIZE} pixels a side")
    return height, image_width


def _outputs(output: Path, images: Sequence[Path], read: Sequence[Path], force: bool) -> dict[Path, Path]:
    """The picture to write for each photo; none for .json. Raises ArchError for what cannot be written."""
    inputs = [*images, *read]
    if output.is_dir():
        pictures = {image: output / f"{image.stem}.png" for image in images}
        twice = [name for name, count in Counter(pictures.values()).items() if count > 1]
        if twice:
            raise fail("output", "two photos of this name", mark=Mark(str(twice[0])), hint="use two folders")
    else:
        is_json = suffix_of(output, PICTURES) == ".json"
        pictures = {} if is_json else dict.fromkeys(images, output)
        if len(pictures) > 1:
            hint = "make a folder and give that, or write .json"
            raise fail("output", f"one picture for {len(images)} photos", mark=Mark(str(output)), hint=hint)
    for path in pictures.values() or [output]:
        check_output(path, inputs, force)
    return pictures


def _summary(found: Sequence[Detection], names: Sequence[str]) -> str:
    """`2 dog, 1 cat`, the most frequent first."""
    counts = Counter(name_of(each.number, names) for each in found).most_common(8)
    return ", ".join([f"{count} {name}" for name, count in counts]) or "nothing found"
