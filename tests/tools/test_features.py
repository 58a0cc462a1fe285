"""Feature maps of a photo: which channels are strongest, what is drawn, and what is refused."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import warnings
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import keras
import numpy
import pytest
from PIL import Image
from support import EXAMPLES

import archdsl
from archdsl.models import photo
from archdsl.tools.cli import main
from archdsl.tools.pictures.feature_maps import (
    check_paths,
    draw_features,
    feature_maps,
    fit_image,
    open_image,
    pyramid,
    read_model,
    strongest_channels,
)

PHOTO = EXAMPLES / "photo.jpg"


@pytest.fixture(scope="module")
def model() -> archdsl.Backbone:
    keras.utils.set_random_seed(0)
    return archdsl.build_from_config("yolo_v8_xs_backbone", ["scale.width=0.125"])


@pytest.fixture(scope="module")
def saved(model: archdsl.Backbone, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of the three kinds of model that there are: whole, of the outputs, plain."""
    folder = tmp_path_factory.mktemp("saved")
    model.save(folder / "backbone.keras")
    model.features().save(folder / "outputs.keras")
    model.to_keras().save(folder / "plain.keras")
    return folder


def problem(*arguments: Any, **options: Any) -> archdsl.Problem:
    with pytest.raises(archdsl.ArchError) as caught:
        draw_features(*arguments, **options)
    (only,) = caught.value.problems
    return only


def image_file(folder: Path, image: Image.Image, name: str = "image.png", **options: Any) -> Path:
    image.save(folder / name, **options)
    return folder / name


def saved_figures(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Filled with the figures that are saved from now on, in empty files."""
    from matplotlib.figure import Figure

    figures: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, path, **_: (figures.append(figure), Path(path).touch()))
    return figures


def test_importing_it_imports_neither_keras_nor_matplotlib() -> None:
    code = "import sys, archdsl.tools.pictures.feature_maps; print(*sys.modules)"
    imported = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "archdsl.tools.pictures.feature_maps" in imported
    assert not {"keras", "tensorflow", "matplotlib", "PIL"} & set(imported)


def test_the_strongest_channels_are_those_that_vary_most() -> None:
    random = numpy.random.default_rng(0)
    values = random.normal(5, [1.0, 4.0, 0.1, 3.0, 2.0], (40, 30, 5))
    values[..., 2] += 1000  # large everywhere, so it tells no two places apart
    by_hand = [numpy.sqrt(((values[..., channel] - values[..., channel].mean()) ** 2).mean()) for channel in range(5)]
    assert strongest_channels(values, 3) == tuple(sorted(range(5), key=lambda channel: -by_hand[channel])[:3])
    assert strongest_channels(values, 3) == (1, 3, 4)
    assert strongest_channels(values, 99) == (1, 3, 4, 0, 2)


@pytest.mark.parametrize("suffix", [".png", ".JPG", ".svg", ".pdf"])
def test_a_picture_is_written_in_the_format_of_its_name(model: archdsl.Backbone, tmp_path: Path, suffix: str) -> None:
    output = tmp_path / f"features{suffix}"
    draw_features(model, PHOTO, output, channels=2, image_size=64)
    assert [path.name for path in tmp_path.iterdir()] == [output.name]
    if suffix in (".png", ".JPG"):
        with Image.open(output) as picture:
            assert picture.format == {".png": "PNG", ".JPG": "JPEG"}[suffix]
            assert min(picture.size) > 1000
            assert len(picture.convert("RGB").getcolors(1 << 24) or []) > 1000


@pytest.mark.parametrize("size", [(30, 400), (400, 30), (1, 1)])
@pytest.mark.parametrize("channels", [1, 8])
def test_no_text_lies_on_another_whatever_the_image(
    model: archdsl.Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int], channels: int
) -> None:
    figures = saved_figures(monkeypatch)
    image = image_file(tmp_path, Image.new("RGB", size))
    draw_features(model, image, tmp_path / "features.png", channels=channels, image_size=96, note="random weights")
    (figure,) = figures
    boxes = [text.get_window_extent() for text in [*figure.texts, *figure.artists]]
    assert len(boxes) == 6 + len(pyramid(model)) * (2 + channels)
    for number, box in enumerate(boxes):
        assert figure.bbox.containsx(box.x0) and figure.bbox.containsx(box.x1)
        assert figure.bbox.containsy(box.y0) and figure.bbox.containsy(box.y1)
        assert not any(box.overlaps(other) for other in boxes[:number])


def test_the_image_keeps_its_proportions_and_fits_the_largest_stride(
    model: archdsl.Backbone, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: list[tuple[int, ...]] = []
    monkeypatch.setattr(
        "archdsl.tools.pictures.feature_maps.fit_image",
        lambda image, sides: (seen.append(sides), fit_image(image, sides))[1],
    )
    draw_features(model, PHOTO, tmp_path / "features.png", levels=["p3"], channels=1)
    draw_features(model, PHOTO, tmp_path / "features.png", levels=["P3"], channels=1, image_size=100)
    fixed = archdsl.build_from_config("yolo_v8_xs_backbone", ["scale.width=0.125"], input_shape=(64, 96, 3))
    draw_features(fixed, PHOTO, tmp_path / "features.png", channels=1)
    assert seen == [(416, 640), (64, 96), (64, 96)]  # 600 × 400 scaled to 640 × 427 and to 100 × 67


def test_the_maps_are_those_of_the_model(model: archdsl.Backbone) -> None:
    image = fit_image(open_image(PHOTO), (64, 96))
    expected = model.features(["P2", "P5"])(image[None].astype("float32"), training=False)
    maps = feature_maps(model, {level: pyramid(model)[level] for level in ("P2", "P5")}, image)
    for level in ("P2", "P5"):
        numpy.testing.assert_allclose(maps[level], expected[level][0], rtol=1e-4, atol=1e-5)


def test_a_model_that_does_not_rescale_is_given_values_of_0_to_1(model: archdsl.Backbone) -> None:
    bare = archdsl.build_from_config("yolo_v8_xs_backbone", ["scale.width=0.125"], include_rescaling=False)
    bare.set_weights(model.get_weights())
    image = fit_image(open_image(PHOTO), (64, 96))
    for level, values in feature_maps(bare, pyramid(bare), image).items():
        numpy.testing.assert_allclose(values, feature_maps(model, pyramid(model), image)[level], rtol=1e-3, atol=1e-4)


def test_a_saved_backbone_or_its_features_can_be_drawn(saved: Path, tmp_path: Path) -> None:
    for name, levels in {"backbone.keras": ["P2", "P3", "P4", "P5"], "outputs.keras": ["P3", "P4", "P5"]}.items():
        loaded = read_model(saved / name)
        assert list(pyramid(loaded)) == levels
        draw_features(loaded, PHOTO, tmp_path / f"{name}.png", channels=1, image_size=64)
        assert (tmp_path / f"{name}.png").stat().st_size > 10_000


def test_a_plain_model_has_no_levels(saved: Path, tmp_path: Path) -> None:
    found = problem(read_model(saved / "plain.keras"), PHOTO, tmp_path / "features.png")
    assert found.code == "no-levels"
    assert "to_keras()" in found.hint


def test_a_model_can_be_named_by_its_config(tmp_path: Path) -> None:
    assert list(pyramid(read_model("resnet18_v2", ["~stages.p5"]))) == ["P2", "P3", "P4"]
    with pytest.raises(archdsl.ArchError, match=r"no-such\.keras: error\[missing-file\]"):
        read_model(tmp_path / "no-such.keras")
    (tmp_path / "text.keras").write_text("no model")
    with pytest.raises(archdsl.ArchError, match=r"text\.keras: error\[model\]: cannot be read: File is not a zip"):
        read_model(tmp_path / "text.keras")
    with pytest.raises(archdsl.ArchError, match="takes no overrides"):
        read_model(tmp_path / "text.keras", ["scale.width=1"])


def test_a_picture_says_what_model_it_is_of(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    figures = saved_figures(monkeypatch)
    name, change = "yolo_v8_xs_backbone_coco", "scale.width=0.125"
    archdsl.weights.save(archdsl.build_from_config(name, [change], weights=False), tmp_path / "net.safetensors")
    commands = [[name, change], [name, change, "--weights", str(tmp_path / "net.safetensors")]]
    commands += [[str(tmp_path / "net.safetensors")], [str(saved / "backbone.keras")]]
    for number, (config, *rest) in enumerate(commands):
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            main(["features", config, str(PHOTO), *rest, "-o", f"{tmp_path}/{number}.png", "--size", "96"])
    assert [[text.get_text() for text in figure.texts[:2]] for figure in figures] == [
        [f"{name} {change}", "64 × 96 × 3, random weights"],
        [f"{name} {change}", "64 × 96 × 3"],
        [name, "64 × 96 × 3"],
        ["yolo_v8_xs_backbone", "64 × 96 × 3"],
    ]
    assert capfd.readouterr().err.count("random weights") == 1


@pytest.mark.parametrize(
    ("image", "output", "message"),
    [
        ("missing.png", "out.png", "there is no such image"),
        ("text.png", "out.png", "not an image"),
        ("cut.jpg", "out.png", "cannot be read: image file is truncated"),
        (".", "out.png", "cannot be read: Is a directory"),
        ("good.png", "no/such/out.png", "there is no folder"),
        ("good.png", "out.pnk", "did you mean 'png'?"),
        ("good.png", "out", "the name has no suffix; expected one of"),
        ("good.png", "out.pgf", "is not a picture format"),
        ("good.png", "folder.png", "is a folder"),
    ],
)
def test_paths_that_cannot_be_used_are_named_before_the_model_runs(
    tmp_path: Path, image: str, output: str, message: str
) -> None:
    image_file(tmp_path, Image.new("RGB", (8, 8)), "good.png")
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "cut.jpg").write_bytes(PHOTO.read_bytes()[:20_000])
    (tmp_path / "folder.png").mkdir()
    found = problem(None, tmp_path / image, tmp_path / output)
    assert message in str(found)
    with pytest.raises(archdsl.ArchError) as caught:
        check_paths(tmp_path / image, tmp_path / output)
    assert caught.value.problems == [found]


def test_what_cannot_be_drawn_is_refused(model: archdsl.Backbone, tmp_path: Path) -> None:
    output = tmp_path / "features.png"
    assert problem(model, PHOTO, output, channels=0).code == "range"
    assert problem(model, PHOTO, output, image_size=10**6).code == "range"
    assert problem(model, PHOTO, output, levels=["P7"]).code == "unknown-output"
    grey = archdsl.build_from_config("yolo_v8_xs_backbone", ["scale.width=0.125"], input_shape=(None, None, 1))
    assert "expected one photo" in problem(grey, PHOTO, output).message
    inputs = keras.Input((8, 8, 3))
    many = keras.Model(inputs, {f"P{number}": keras.layers.ReLU()(inputs) for number in range(65)})
    assert problem(many, PHOTO, output).message == "the number of levels is 65; expected 1 to 64"
    broken = keras.models.clone_model(model.features(["P3"]))
    broken.set_weights([numpy.full(weight.shape, numpy.nan) for weight in broken.get_weights()])
    assert problem(broken, PHOTO, output, image_size=64).code == "not-finite"
    assert not list(tmp_path.iterdir())


def test_images_of_every_mode_become_rgb(tmp_path: Path) -> None:
    for mode in ("1", "L", "LA", "P", "RGBA", "CMYK", "YCbCr", "I", "F"):
        image = open_image(image_file(tmp_path, Image.new("RGB", (6, 4), "red").convert(mode), "image.tif"))
        assert (image.mode, image.size) == ("RGB", (6, 4)), mode


def test_what_is_transparent_is_white(tmp_path: Path) -> None:
    image = open_image(image_file(tmp_path, Image.new("RGBA", (6, 4), (255, 0, 0, 0))))
    assert image.getpixel((0, 0)) == (255, 255, 255)


def test_sixteen_bit_greys_keep_their_contrast(tmp_path: Path) -> None:
    deep = Image.fromarray(numpy.array([[1000, 2000, 3000]], dtype="uint16"))
    assert numpy.asarray(open_image(image_file(tmp_path, deep)))[0, :, 0].tolist() == [0, 128, 255]


def test_a_photo_taken_sideways_is_turned_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the tag Orientation: turn by 90 degrees to see it upright
    sideways = image_file(tmp_path, Image.new("RGB", (6, 4)), "image.jpg", exif=exif)
    assert open_image(sideways).size == (4, 6)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "gif", "bmp", "tif"])
def test_photos_are_read_in_the_formats_that_people_have(suffix: str, tmp_path: Path) -> None:
    image = open_image(image_file(tmp_path, Image.new("RGB", (64, 48), (200, 40, 30)), f"image.{suffix}"))
    numpy.testing.assert_allclose(numpy.asarray(image), numpy.full((48, 64, 3), [200, 40, 30]), atol=12)


@pytest.mark.parametrize("kind", ["EPS", "PDF", "ICO", "PPM", "TGA", "PCX", "ICNS", "JPEG2000", "SGI"])
def test_no_other_format_is_read_whatever_the_file_is_called(kind: str, tmp_path: Path) -> None:
    """EPS would run Ghostscript, and each reader more is one more to trust."""
    found = problem(None, image_file(tmp_path, Image.new("RGB", (64, 64)), "image.jpg", format=kind), "out.png")
    assert "not an image; expected a photo" in found.message


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")])
def test_a_photo_is_a_regular_file(make: Callable[[Path], None], tmp_path: Path) -> None:
    make(tmp_path / "image.jpg")
    assert "cannot be read: not a regular file" in problem(None, tmp_path / "image.jpg", "out.png").message


def png_of(image_width: int, height: int) -> bytes:
    """The head of a PNG file: all that there is of a photo that was never taken."""
    head = b"IHDR" + struct.pack(">2I5B", image_width, height, 16, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head)) + b"\0\0\0\0IDAT"


@pytest.mark.parametrize("side", [9_000, 1_000_000])
def test_a_photo_that_is_too_large_is_refused_by_its_head(side: int, tmp_path: Path) -> None:
    (tmp_path / "image.png").write_bytes(png_of(side, side))
    found = problem(None, tmp_path / "image.png", "out.png")
    assert found.message == "more than 67,108,864 pixels"


def test_a_large_photo_is_made_smaller_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Never more than a part of it is converted, and nothing is lost but resolution."""
    monkeypatch.setattr(photo, "LONGEST", 10)
    monkeypatch.setattr(photo, "_STRIP_PIXELS", 100)
    converted: list[int] = []
    as_rgb = photo._as_rgb
    monkeypatch.setattr(photo, "_as_rgb", lambda strip: converted.append(strip.width * strip.height) or as_rgb(strip))
    values = numpy.random.default_rng(0).integers(0, 65_536, (36, 40), dtype="uint16")
    means = (values / values.max()).reshape(9, 4, 10, 4).mean(axis=(1, 3)) * 255
    deep = numpy.asarray(open_image(image_file(tmp_path, Image.fromarray(values))))
    numpy.testing.assert_allclose(deep[..., 0], means, atol=1.5)
    flat = numpy.asarray(open_image(image_file(tmp_path, Image.fromarray((values >> 8).astype("uint8")))))
    numpy.testing.assert_allclose(flat[..., 0], means, atol=1.5)
    assert sum(converted) == 36 * 40 and max(converted) <= 160


def test_a_damaged_photo_is_told_whatever_is_damaged(tmp_path: Path) -> None:
    random = numpy.random.default_rng(0)
    for suffix in ("jpg", "png", "webp", "gif", "bmp", "tif"):
        whole = bytearray(image_file(tmp_path, Image.new("L", (40, 30)), f"whole.{suffix}").read_bytes())
        for _ in range(60):
            broken = bytearray(whole)
            for place in random.integers(0, len(broken), 8):
                broken[place] = random.integers(256)
            (tmp_path / "broken").write_bytes(broken[: random.integers(1, len(broken) + 1)])
            with suppress(archdsl.ArchError):
                assert open_image(tmp_path / "broken").mode == "RGB"


@pytest.mark.parametrize("name", ["a\x1b[31mb", "x" * 900])
def test_any_name_of_a_model_can_be_drawn(name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    inputs = keras.Input((32, 32, 3))
    level = f"P3{name}"
    keras.Model(inputs, {level: keras.layers.Conv2D(2, 3, 8)(inputs)}, name=name).save(tmp_path / "net.keras")
    command = ["features", str(tmp_path / "net.keras"), str(PHOTO), "-o", str(tmp_path / "out.png"), "--channels", "1"]
    main(command)
    printed = capfd.readouterr().out
    assert printed.replace("\n", "").isprintable() and len(printed) < 1_000
    assert (tmp_path / "out.png").stat().st_size > 1_000
