"""A photo through a model: the strongest channels of every pyramid level, as a picture."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archdsl.analysis.text import shape_text
from archdsl.api import Weights, build_from_config
from archdsl.backends.atomic_write import written_whole
from archdsl.diagnostics.problems import Mark, fail
from archdsl.diagnostics.unicode import printable
from archdsl.diagnostics.wording import did_you_mean, one_of
from archdsl.frontend.budget import DEFAULT, Budget
from archdsl.frontend.compose.config import ConfigLike
from archdsl.models.photo import open_image
from archdsl.models.registration import import_keras
from archdsl.tools.output_file import check_output

if TYPE_CHECKING:
    import numpy
    from PIL import Image

    Array = numpy.ndarray[Any, Any]

PathLike = str | os.PathLike[str]

MAX_CHANNELS = 16
MAX_LEVELS = 64
MAX_NAME = 200  # letters drawn
MAX_IMAGE_SIZE = 4096  # a power of two, which every stride divides
UNVIEWABLE = {"pgf", "raw", "rgba"}  # matplotlib writes these too: LaTeX source, and bytes without a header


@dataclass(frozen=True)
class LevelMaps:
    """The channels shown of one level: `maps` is (channels, H, W), `numbers` are their places in the level."""

    name: str
    shape: tuple[int, int, int]
    stride: int
    numbers: tuple[int, ...]
    maps: Array

    @property
    def caption(self) -> str:
        return f"{shape_text(self.shape)}    stride {self.stride}"


def read_model(
    reference: ConfigLike,
    overrides: Sequence[str] = (),
    weights: Weights = None,
    budget: Budget = DEFAULT,
) -> Any:
    """The Keras model in a `.keras` file, or the one that a config describes, with weights from a file.

    Raises ArchError when there is no such file or config, or it is not one; overrides and weights are for configs.
    """
    path = saved_model(reference, overrides, weights)
    if path is None:
        return build_from_config(reference, overrides, weights=weights, budget=budget)
    import_keras()
    from archdsl.models.keras_file import read_keras_file

    return read_keras_file(path, budget)


def saved_model(reference: ConfigLike, overrides: Sequence[str], weights: Weights) -> Path | None:
    """The path of a `.keras` file, None for a config. Raises ArchError for one that is missing, or is to be changed."""
    if not isinstance(reference, (str, os.PathLike)) or Path(reference).suffix != ".keras":
        return None
    mark = Mark(os.fspath(reference))
    if overrides or weights is not None:
        raise fail("model", "a saved model takes no overrides and no weights; expected a config", mark=mark)
    if not Path(reference).is_file():
        raise fail("missing-file", "there is no such model file", mark=mark)
    return Path(reference)


def check_paths(image_path: PathLike, output_path: PathLike) -> None:
    """Raise ArchError when the image cannot be read or the picture cannot be written. Does not import Keras."""
    open_image(image_path)
    _check_output(Path(output_path), [image_path])


def draw_features(
    model: Any,
    image_path: PathLike,
    output_path: PathLike,
    *,
    levels: Sequence[str] | None = None,
    channels: int = 6,
    image_size: int = 640,
    title: str = "",
    note: str = "",
) -> None:
    """Run an image through a model and draw it beside the strongest channels of each level.

    `model` has `pyramid_outputs`, as archdsl.Backbone has, or gives a dict of levels, as its `features()` does.
    `levels` are names such as "P3", by default all there are. The strongest `channels` are those whose values
    vary most over the image (standard deviation). The longest side of the image becomes `image_size` pixels;
    both are cut to multiples of the largest stride. The suffix of `output_path` is the format: .png, .pdf, .svg …
    `title` is by default the model's name; `note` is drawn below it, beside the image's size.

    Raises ArchError for an image or a path that cannot be used, and for a model without levels.
    """
    _check_range("channels", channels, MAX_CHANNELS)
    _check_range("image_size", image_size, MAX_IMAGE_SIZE)
    _check_output(Path(output_path), [image_path])
    opened = open_image(image_path)
    tensors = pyramid(model)
    _check_range("the number of levels", len(tensors), MAX_LEVELS)
    image = fit_image(opened, _sides(model, tensors, opened, image_size))
    shown = feature_maps(model, _chosen(tensors, levels), image)
    maps = [_level(name, values, image, channels) for name, values in shown.items()]
    figure = _draw(title or model.name, ", ".join(filter(None, (shape_text(image.shape), note))), image, maps)
    with written_whole(Path(output_path)) as partial:
        figure.savefig(partial, dpi=200)


def pyramid(model: Any) -> dict[str, Any]:
    """Symbolic feature maps by level: {"P3": KerasTensor, …}. Raises ArchError for a model that has none."""
    found = getattr(model, "pyramid_outputs", None) or getattr(model, "output", None)
    if isinstance(found, Mapping) and all(len(tensor.shape) == 4 for tensor in found.values()):
        return dict(found)
    hint = "a plain model, as to_keras() makes it, keeps only its last map; give the Backbone or its features()"
    raise fail("no-levels", f"model '{getattr(model, 'name', model)}' has no pyramid levels", hint=hint)


def feature_maps(model: Any, tensors: Mapping[str, Any], image: Array) -> dict[str, Array]:
    """Values of `tensors` for one image of 0 … 255: (H, W, 3) -> {"P3": (H/8, W/8, C), …}.

    A model that does not rescale its input itself is given 0 … 1.
    """
    import keras
    import numpy

    from archdsl.backends.keras.inference import inferred

    rescales = any(isinstance(layer, keras.layers.Rescaling) for layer in model.layers)
    batch = image[None].astype("float32") / (1 if rescales else 255)
    results = inferred(keras.Model(model.inputs[0], dict(tensors)), batch)
    values = {name: keras.ops.convert_to_numpy(result)[0].astype("float32") for name, result in results.items()}
    for name, value in values.items():
        if not numpy.isfinite(value).all():
            raise fail("not-finite", f"level {name} of '{model.name}' has values that are not finite numbers")
    return values


def strongest_channels(values: Array, count: int) -> tuple[int, ...]:
    """Numbers of the `count` channels with the largest standard deviation, that first. (H, W, C) -> up to `count`."""
    spread = values.astype("float64").std(axis=(0, 1))
    return tuple((-spread).argsort(kind="stable")[:count].tolist())


def fit_image(image: Image.Image, sides: tuple[int, int]) -> Array:
    """Resizes to (height, width) without distortion and crops evenly. -> (height, width, 3)."""
    import numpy
    from PIL import Image, ImageOps

    height, image_width = sides
    return numpy.asarray(ImageOps.fit(image, (image_width, height), Image.Resampling.LANCZOS))


def _check_range(name: str, value: int, largest: int) -> None:
    if not 1 <= value <= largest:
        raise fail("range", f"{name} is {value}; expected 1 to {largest}")


def _check_output(path: Path, inputs: Sequence[PathLike]) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    mark = Mark(str(path))
    formats = sorted(set(FigureCanvasAgg.get_supported_filetypes()) - UNVIEWABLE)
    suffix = path.suffix.lower().removeprefix(".")
    if suffix not in formats:
        received = f"'.{suffix}' is not a picture format" if suffix else "the name has no suffix"
        raise fail("output", f"{received}; {one_of(formats)}", mark=mark, hint=did_you_mean(suffix, formats))
    check_output(path, inputs, force=True)


def _chosen(tensors: Mapping[str, Any], levels: Sequence[str] | None) -> dict[str, Any]:
    """The levels with these names in any case; all of them by default."""
    by_folded = {name.casefold(): name for name in tensors}
    wanted = list(tensors) if levels is None else levels
    for name in wanted:
        if name.casefold() not in by_folded:
            raise fail("unknown-output", f"no level '{name}'; {one_of(tensors)}", hint=did_you_mean(name, tensors))
    return {by_folded[name.casefold()]: tensors[by_folded[name.casefold()]] for name in wanted}


def _sides(model: Any, tensors: Mapping[str, Any], image: Image.Image, longest: int) -> tuple[int, int]:
    """(height, width) that the image is brought to: those of the model, else multiples of its largest stride."""
    shape = model.inputs[0].shape
    if len(model.inputs) != 1 or len(shape) != 4 or shape[-1] != 3:
        raise fail("input", f"model '{model.name}' takes an input of shape {shape}; expected one photo, (?, ?, ?, 3)")
    if None not in shape[1:]:
        return int(shape[1]), int(shape[2])
    multiple = _largest_stride(model, tensors)
    factor = longest / max(image.size)
    free = [max(1, round(side * factor / multiple)) * multiple for side in (image.height, image.width)]
    return shape[1] or free[0], shape[2] or free[1]


def _largest_stride(model: Any, tensors: Mapping[str, Any]) -> int:
    """How many pixels of the image lie between two of the smallest map, from the shapes for a large image."""
    import keras

    side = MAX_IMAGE_SIZE
    shapes = keras.Model(model.inputs[0], dict(tensors)).compute_output_shape((1, side, side, 3))
    return max([round(side / int(shape[1])) for shape in shapes.values()])


def _level(name: str, values: Array, image: Array, channels: int) -> LevelMaps:
    numbers = strongest_channels(values, channels)
    height, image_width, depth = values.shape
    stride = round(image.shape[0] / height)
    return LevelMaps(name, (height, image_width, depth), stride, numbers, values[..., list(numbers)].transpose(2, 0, 1))


# The picture. All lengths are inches from the top left corner, so that nothing can come to lie on anything else.

INK, FAINT = "#1c2126", "#6a737d"
COLOURS = "viridis"  # of even steps in lightness, and readable for the colour-blind
MARGIN, GUTTER, GAP = 0.4, 0.5, 0.09
PHOTO_SIDE, MAP_SIDE = 5.6, 1.6
MIN_COLUMN, MIN_CELL, MIN_GRID = 3.9, 0.9, 4.2  # what the texts need when the image is narrow
TITLE, ROW_TITLE, MAP_TITLE, ROW_GAP = 0.74, 0.35, 0.2, 0.18
LEGEND, LEGEND_GAP = 0.76, 0.3


class Sheet:
    """A page of fixed size on which axes and texts are placed by inches."""

    def __init__(self, sheet_width: float, height: float):
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        self.size = sheet_width, height
        self.figure = Figure(figsize=self.size, facecolor="white")
        FigureCanvasAgg(self.figure)

    def picture(self, values: Array, left: float, top: float, picture_width: float, height: float) -> None:
        """An image, or a map in colours from its smallest to its largest value, in hard pixels."""
        sheet_width, sheet_height = self.size
        box = left / sheet_width, 1 - (top + height) / sheet_height, picture_width / sheet_width, height / sheet_height
        axes = self.figure.add_axes(box)
        axes.imshow(values, cmap=COLOURS, aspect="auto", interpolation="nearest")
        axes.set_axis_off()

    def text(self, text: str, left: float, baseline: float, size: float, **style: Any) -> Any:
        """One line of text; `size` is in points."""
        x, y = left / self.size[0], 1 - baseline / self.size[1]
        return self.figure.text(x, y, text, fontsize=size, parse_math=False, **{"color": INK, **style})

    def text_after(self, before: Any, text: str, baseline: float, size: float, **style: Any) -> None:
        """One line of text that begins where the text `before` ends, with a space between."""
        from matplotlib.text import Annotation

        end = 1, 1 - baseline / self.size[1]
        along = before, "figure fraction"
        self.figure.add_artist(Annotation(text, end, (14, 0), along, "offset points", fontsize=size, **style))


def _draw(title: str, subtitle: str, image: Array, levels: Sequence[LevelMaps]) -> Any:
    """The photo with its title and legend on the left, a row of maps for each level on the right."""
    photo, size = _within(PHOTO_SIDE, image), _within(MAP_SIDE, image)
    column = max(photo[0], MIN_COLUMN)
    left = MARGIN + column + GUTTER
    cells = max(len(level.numbers) for level in levels) * (max(size[0], MIN_CELL) + GAP) - GAP
    row = ROW_TITLE + size[1] + MAP_TITLE + ROW_GAP
    height = max(len(levels) * row - ROW_GAP, TITLE + photo[1] + LEGEND_GAP + LEGEND)
    sheet = Sheet(left + max(cells, MIN_GRID) + MARGIN, height + 2 * MARGIN)
    _draw_column(sheet, title, subtitle, image, column, photo)
    for number, level in enumerate(levels):
        _draw_row(sheet, level, left, MARGIN + number * row, size)
    return sheet.figure


def _within(longest: float, image: Array) -> tuple[float, float]:
    """Width and height, in inches, of the image with its longest side as given."""
    height, image_width = image.shape[:2]
    scale = longest / max(height, image_width)
    return image_width * scale, height * scale


def _draw_column(
    sheet: Sheet, title: str, subtitle: str, image: Array, column: float, photo: tuple[float, float]
) -> None:
    """Title and subtitle, the photo under them; the legend at the foot of the page."""
    import numpy

    letter = 0.66 / 72  # inches by which a bold letter of one point is wide, at most on average
    title = printable(title[:MAX_NAME]) or "model"
    sheet.text(title, MARGIN, MARGIN + 0.2, min(21, column / (letter * len(title))), weight="bold")
    sheet.text(printable(subtitle), MARGIN, MARGIN + 0.54, 14, color=FAINT)
    sheet.picture(image, MARGIN, MARGIN + TITLE, *photo)
    top = sheet.size[1] - MARGIN - LEGEND
    bar = 1.5
    sheet.text("low", MARGIN, top + 0.12, 11, color=FAINT)
    sheet.picture(numpy.linspace(0, 1, 256)[None], MARGIN + 0.4, top, bar, 0.14)
    sheet.text("high", MARGIN + 0.4 + bar + 0.1, top + 0.12, 11, color=FAINT)
    sheet.text("The channels that vary most over the image,", MARGIN, top + 0.47, 11, color=FAINT)
    sheet.text("each on a scale of its own.", MARGIN, top + 0.7, 11, color=FAINT)


def _draw_row(sheet: Sheet, level: LevelMaps, left: float, top: float, size: tuple[float, float]) -> None:
    """The level's name, shape and stride over its maps."""
    map_width, map_height = size
    name = sheet.text(printable(level.name[:MAX_NAME]), left, top + 0.2, 16, weight="bold")
    sheet.text_after(name, level.caption, top + 0.2, 14, color=FAINT)
    for place, (number, values) in enumerate(zip(level.numbers, level.maps, strict=True)):
        begin = left + place * (max(map_width, MIN_CELL) + GAP)
        sheet.picture(values, begin, top + ROW_TITLE, map_width, map_height)
        sheet.text(f"channel {number}", begin, top + ROW_TITLE + map_height + 0.17, 9.5, color=FAINT)
