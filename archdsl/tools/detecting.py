"""A detector on photos: its model, what it finds in one, and the results in COCO's form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from archdsl.analysis.text import counted
from archdsl.diagnostics.problems import Mark, fail
from archdsl.diagnostics.unicode import printable
from archdsl.diagnostics.wording import one_of
from archdsl.models.detections import detections
from archdsl.models.letterbox import Letterbox, letterbox
from archdsl.models.masks import masks_of

if TYPE_CHECKING:
    import numpy
    from PIL import Image

    Array = numpy.ndarray[Any, Any]

Point = tuple[float, float]


class RunLengths(NamedTuple):
    """Which pixels of a photo are of an object, as COCO has it: `counts` pixels are not, are, are not, … by columns."""

    size: tuple[int, int]
    counts: list[int]

    @classmethod
    def of(cls, mask: Array) -> RunLengths:
        import numpy

        flat = numpy.concatenate([[False], mask.T.ravel(), [False]])
        ends = numpy.flatnonzero(flat[1:] != flat[:-1])
        counts: list[int] = numpy.diff(numpy.concatenate([[0], ends, [mask.size]])).tolist()
        return cls((mask.shape[0], mask.shape[1]), counts if counts[-1] or len(counts) == 1 else counts[:-1])

    def mask(self) -> Array:
        """(height, image_width) of bool."""
        import numpy

        height, image_width = self.size
        found: Array = numpy.repeat(numpy.arange(len(self.counts)) % 2 == 1, self.counts)
        return found.reshape(image_width, height).T


RESULTS = ("boxes", "scores")
FAR = 1e6  # pixels
OF_TASKS = ("masks", "prototypes", "points")
MAX_NAMES_BYTES = 1 << 20
MAX_NAME = 60  # letters of a class's name that are shown


class Detection(NamedTuple):
    """An object in a photo: its box xyxy in pixels of the photo, from the top left corner.

    A turned box has its corners in `outline` too, in turn; `points` are x, y, and how likely it is that each is seen.
    """

    box: tuple[float, float, float, float]
    score: float
    number: int
    outline: Sequence[Point] = ()
    points: Sequence[tuple[float, float, float]] = ()
    mask: RunLengths | None = None  # the bits of 300 masks of a large photo would take gigabytes


def check_results(names: Iterable[str]) -> None:
    """Raise ArchError unless these are the names of a detector's results."""
    found = list(names)
    if not set(RESULTS) <= set(found):
        has = f"its results: {', '.join(found[:20])}" if found else "it has one result without a name"
        hint = "a config names them: outputs: {boxes: LAYER, scores: LAYER}"
        raise fail("detector", f"the model is not a detector, which gives boxes and scores; {has}", hint=hint)


def detect(model: Any, photo: Image.Image, size: tuple[int, int], **options: Any) -> list[Detection]:
    """What a Keras model finds in a photo, by falling score; `options` are those of archdsl.detections.

    The photo is letterboxed to (height, width); a model with a fixed input has its own. Raises ArchError for a model
    that is not a detector, and where it does not take images of this size.
    """
    import keras

    from archdsl.backends.keras.inference import inferred

    check_results(model.output if isinstance(model.output, dict) else ())
    fitted = letterbox(photo, input_size(model, size))
    rescales = any(isinstance(layer, keras.layers.Rescaling) for layer in model.layers)
    batch = fitted.image[None].astype("float32") / (1 if rescales else 255)
    try:
        outputs = inferred(model, batch)
    except Exception as error:  # of any backend: maps of odd sides do not join, the memory is too small
        sides = " × ".join(map(str, fitted.image.shape[:2]))
        hint = "choose a --size that the largest stride divides, such as 640, or a smaller one"
        raise fail(
            "input", f"'{model.name}' fails on an image of {sides} pixels: {_reason(error)}", hint=hint
        ) from None
    given = {name: outputs[name] for name in (*RESULTS, *OF_TASKS) if name in outputs}
    if "points" in given and given["points"].shape[-1] % 3:
        raise fail("detector", f"points {tuple(given['points'].shape)}; expected x, y and whether it is seen of each")
    found = detections(given, **options)
    if "prototypes" in given:  # masks are made one by one: 300 of a large image would take gigabytes
        found["prototypes"] = keras.ops.convert_to_numpy(given["prototypes"])
    return [_detection(fitted, found, place) for place in range(found["count"][0])]


def _detection(fitted: Letterbox, found: Mapping[str, Array], place: int) -> Detection:
    """The object at a place of what was found in the only image."""
    import numpy

    box = found["boxes"][0, place]
    outline = fitted.points_to_original(_corners(box)) if len(box) == 5 else box.reshape(2, 2)[:0]
    around = numpy.concatenate([_corners(box).min(0), _corners(box).max(0)]) if len(box) == 5 else box
    left, top, right, bottom = fitted.to_original(around).tolist()
    points = found["points"][0, place].reshape(-1, 3) if "points" in found else numpy.zeros((0, 3))
    places = numpy.concatenate([fitted.points_to_original(points[:, :2]), points[:, 2:]], -1)
    return Detection(
        (left, top, right, bottom),
        float(found["scores"][0, place]),
        int(found["classes"][0, place]),
        [(x, y) for x, y in _near(outline)],
        [(x, y, seen) for x, y, seen in _near(places)],
        _mask(fitted, found, place, (left, top, right, bottom)),
    )


def _near(points: Array) -> list[list[float]]:
    """Numbers that can be drawn and written, whatever a network gives."""
    import numpy

    found: list[list[float]] = numpy.clip(numpy.nan_to_num(points), -FAR, FAR).tolist()
    return found


def _mask(fitted: Letterbox, found: Mapping[str, Array], place: int, box: Sequence[float]) -> RunLengths | None:
    if not {"masks", "prototypes"} <= {*found}:
        return None
    coefficients, around = [found[name][:, place : place + 1] for name in ("masks", "boxes")]
    whole = masks_of(coefficients, found["prototypes"], around, fitted.image.shape[:2])
    return RunLengths.of(fitted.mask_to_original(whole[0, 0], box))


def _corners(box: Array) -> Array:
    """Of a turned box, in turn. (5) -> (4, 2)."""
    import numpy

    x, y, width, height, angle = box
    along = numpy.array([numpy.cos(angle), numpy.sin(angle)]) * width / 2
    across = numpy.array([-numpy.sin(angle), numpy.cos(angle)]) * height / 2
    found: Array = numpy.array([-along - across, along - across, along + across, across - along]) + numpy.array([x, y])
    return found


def _reason(error: Exception) -> str:
    """The first line of it, without the layer and the arguments that Keras puts around what it prints in bold."""
    first = str(error).split("\x1b[1m")[-1].split("\n")[0].split("}} ")[-1]  # behind TensorFlow's {{function_node …}}
    return printable(first.removesuffix("\x1b[0m")[:200])


def input_size(model: Any, size: tuple[int, int]) -> tuple[int, int]:
    """(height, width) of the images that the model takes: its own where they are fixed, else those of `size`."""
    shape = model.inputs[0].shape
    if len(model.inputs) != 1 or len(shape) != 4 or shape[-1] != 3:
        raise fail("input", f"model '{model.name}' takes an input of shape {shape}; expected one photo, (?, ?, ?, 3)")
    return shape[1] or size[0], shape[2] or size[1]


def coco_results(photo: Path, found: Sequence[Detection]) -> list[dict[str, Any]]:
    """The detections as COCO's results: bbox [x, y, width, height]; categories are counted from 0.

    `image_id` is the file's name without its suffix, as a number where it is one. A mask is a segmentation in COCO's
    uncompressed run lengths, a turned box one polygon; keypoints are x, y and how likely it is that each is seen.
    """
    stem = photo.stem
    image_id = int(stem) if stem.isascii() and stem.isdecimal() and len(stem) < 19 else stem
    return [{"image_id": image_id, **_coco(each)} for each in found]


def _coco(found: Detection) -> dict[str, Any]:
    left, top, right, bottom = found.box
    result: dict[str, Any] = {
        "category_id": found.number,
        "bbox": [round(value, 3) for value in (left, top, right - left, bottom - top)],
        "score": round(found.score, 5),
    }
    if found.outline:
        result["segmentation"] = [[round(value, 3) for point in found.outline for value in point]]
    if found.mask is not None:
        result["segmentation"] = {"size": list(found.mask.size), "counts": found.mask.counts}
    if found.points:
        result["keypoints"] = [round(value, 3) for point in found.points for value in point]
    return result


def read_names(path: Path) -> list[str]:
    """Names of classes, one to a line. Raises ArchError for a file that is not such a text."""
    mark = Mark(str(path))
    try:
        if not path.is_file():
            raise fail("missing-file", "there is no such file of names", mark=mark)
        with path.open("rb") as file:
            data = file.read(MAX_NAMES_BYTES + 1)
        names = data.decode("utf-8-sig").split("\n")
    except UnicodeDecodeError:
        raise fail("encoding", "not a text in UTF-8; expected a name on each line", mark=mark) from None
    except OSError as error:
        raise fail("unreadable", f"cannot be read: {error.strerror or error}", mark=mark) from None
    if len(data) > MAX_NAMES_BYTES:
        raise fail("limit", f"more than {MAX_NAMES_BYTES} bytes of names", mark=mark)
    return [printable(name.strip())[:MAX_NAME] for name in "\n".join(names).rstrip().split("\n")]


def check_names(names: Sequence[str], model: Any, path: Path) -> None:
    """Raise ArchError for a file with names for more or fewer classes than a detector has."""
    results = model.output if isinstance(model.output, dict) else {}
    classes = results["scores"].shape[-1] if "scores" in results else None
    if classes is not None and len(names) != classes:
        message = f"it has {counted(len(names), 'name')}, and the detector {classes} class{'es' * (classes != 1)}"
        raise fail("value", message, mark=Mark(str(path)), hint="one to a line, in the order of the scores")


def name_of(number: int, names: Sequence[str]) -> str:
    """The name of a class, or its number where it has none."""
    return (names[number] if number < len(names) else "") or f"class {number}"


def suffix_of(output: Path, pictures: Sequence[str]) -> str:
    """The suffix of the file to write. Raises ArchError for one that is neither .json nor a picture's."""
    suffix = output.suffix.lower()
    known = [".json", *pictures]
    if suffix not in known:
        raise fail(
            "output", f"'{suffix or output.name}' is not a form of results; {one_of(known)}", mark=Mark(str(output))
        )
    return suffix
