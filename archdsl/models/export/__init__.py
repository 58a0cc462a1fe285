"""A network → a file for another runtime, which is run and compared before it gets its name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from archdsl.backends.atomic_write import files_written_whole
from archdsl.backends.form import Form, FormatName, Precision, Suppression
from archdsl.diagnostics.problems import ArchError, Mark, fail
from archdsl.diagnostics.wording import first_line
from archdsl.ir.passes import PASSES, run_passes
from archdsl.models.export.formats import FORMATS, Format
from archdsl.models.export.proof import Proof, check, check_suppression, images_for, prove
from archdsl.models.export.settling import settled
from archdsl.models.export.wishes import check_wishes

if TYPE_CHECKING:
    from archdsl.backends.runtimes import Array, Runner
    from archdsl.weights.network import Network

PROVED_PHOTOS = 4  # of those that int8 was calibrated with
_EXACT = "fold_rescale"  # a kernel divided by 255 loses digits in half precision


class Exported(NamedTuple):
    """A file that was written, or a folder; its size, the runtime that ran it, and how it did.

    `boxes` is for a file that leaves the best ones: how many it left, and archdsl.detections too, by the confidence.
    """

    file: Path
    format: FormatName
    bytes: int
    runtime: str
    precision: Precision
    proof: Proof
    boxes: Mapping[float, int] = {}


def export(network: Network, output: Path, format: FormatName, form: Form, fuse: bool = True) -> Exported:
    """Write `output`. Raises ArchError, and writes nothing, when it does not give what the network gives."""
    check_wishes(network.graph, format, form)
    chosen = FORMATS[format]
    if output.is_dir():
        raise fail("output", "a folder is there already", mark=Mark(str(output)), hint="choose the name of a new one")
    chosen.require(form)
    form = form._replace(batch=form.batch or chosen.batch)
    network = settled(network, chosen) if network.is_fresh and form.calibration else network
    images = _images(network, form)
    expected = _results(chosen.expected(network, form), form, images)
    older = chosen.second_file(output)
    with files_written_whole(output) as unfinished:
        made = chosen.make(fused(network, form) if fuse else network, form)
        chosen.write(made, form, unfinished)
        with _running(output):
            runtime, run = chosen.run(unfinished)
            proof = prove(_in_layout(run, form), images, expected, form.precision)
            check(proof, form.precision, output.name)
            boxes = _suppress(chosen, made, form, form.suppression, unfinished, images) if form.suppression else {}
        size = sum([each.stat().st_size for each in unfinished.parent.rglob("*") if each.is_file()])
        is_whole = older is None or (unfinished.parent / older.name).exists()
    if older and not is_whole:
        older.unlink(missing_ok=True)
    return Exported(output, format, size, runtime, form.precision, proof, boxes)


@contextmanager
def _running(output: Path) -> Iterator[None]:
    """Raises ArchError where a runtime does not take the file that was made for it."""
    try:
        yield
    except (ArchError, OSError):
        raise
    except Exception as error:  # of any runtime: they have no class in common
        message = f"what was written does not run: {type(error).__name__}: {first_line(error)[:200]}"
        raise fail("export", message, mark=Mark(str(output)), hint="choose another --precision or format") from None


def _suppress(
    chosen: Format, made: Any, form: Form, by: Suppression, path: Path, images: list[Array]
) -> dict[float, int]:
    """Write the file again, with only the best boxes. Raises ArchError where they are others.

    A network without training gives no box the score that is asked for; then the file is tried with all boxes first.
    """
    all_boxes = _results(chosen.run(path)[1], form, images)
    chosen.suppress(made, form)
    none = max(float(each["scores"].max()) for each in all_boxes) <= by.confidence
    counts = {}
    for confidence in (*([0.0] if none and by.confidence else []), by.confidence):
        for each in path.parent.iterdir():  # not written into: a runtime may still have it in its memory
            each.unlink()
        chosen.set_confidence(made, confidence)
        chosen.write(made, form, path)
        best = _results(chosen.run(path)[1], form, images)
        counts[confidence] = check_suppression(all_boxes, best, by._replace(confidence=confidence))
    return counts


def _results(run: Runner, form: Form, images: list[Array]) -> list[Mapping[str, Array]]:
    return [_in_layout(run, form)(each) for each in images]


def _images(network: Network, form: Form) -> list[Array]:
    """What the file is tried with, channels last: random pixels, or for int8 photos, whose range it knows."""
    if form.calibration is None:
        return images_for(network.graph, form.batch or 1)
    photos = islice(form.calibration.images, PROVED_PHOTOS)
    return [each if form.layout == "nhwc" else each.transpose(0, 2, 3, 1) for each in photos]


def fused(network: Network, form: Form) -> Network:
    """The network after the passes that its precision allows, its arrays of float32."""
    names = [name for name in PASSES if form.precision != "float16" or name != _EXACT]
    graph, weights = run_passes(network.graph, network.weights, names)
    singles = {name: tuple([each.astype("float32") for each in arrays]) for name, arrays in (weights or {}).items()}
    return network._replace(graph=graph, weights=singles, passes=tuple(names))


def _in_layout(run: Runner, form: Form) -> Runner:
    """A runner that takes images of channels last."""
    return run if form.layout == "nhwc" else lambda images: run(_channels_first(images))


def _channels_first(images: Array) -> Array:
    import numpy

    return numpy.ascontiguousarray(images.transpose(0, 3, 1, 2))
