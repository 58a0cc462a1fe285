"""archdsl detect: pictures of what a detector finds in photos, and JSON in COCO's form."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import numpy
import pytest
from PIL import Image, ImageChops
from support import EXAMPLES

import archdsl
from archdsl.tools.cli import main
from archdsl.tools.detecting import Detection, detect
from archdsl.tools.pictures.boxes import draw_boxes

PHOTO = EXAMPLES / "photo.jpg"  # 600 × 400: at 640 it is 640 × 427, and 106 rows of grey are above it
BOXES = [[64, 170, 320, 426], [66, 170, 320, 426], [320, 106, 640, 200]]
SCORES = [[0.9, 0.1], [0.8, 0.1], [0.2, 0.6]]
CONFIG = """
input: {shape: [null, null, 3]}
stages: {p5: {width: 4, stride: 32, down: {block: conv, kernel: 32, stride: 32}}}
head:
  place: {block: conv, filters: 4, from: p5}
  boxes: {block: to_tokens}
  class: {block: conv, filters: 2, from: p5}
  scores: {block: to_tokens}
outputs: %s
"""


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that finds the same in every image: its weights are zeros but for the biases."""
    inputs = keras.Input((None, None, 3))
    mean = keras.layers.GlobalAveragePooling2D()(inputs)
    results = {}
    for name, values in (("boxes", BOXES), ("scores", SCORES)):
        array = numpy.array(values, "float32")
        layer = keras.layers.Dense(array.size, kernel_initializer="zeros")
        results[name] = keras.layers.Reshape(array.shape)(layer(mean))
        layer.bias.assign(array.ravel())
    path = tmp_path_factory.mktemp("detector") / "detector.keras"
    keras.Model(inputs, results).save(path)
    return path


def refused(*arguments: object) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["detect", *map(str, arguments)])
    assert ended.value.code == 2


def test_results_are_those_of_coco_in_pixels_of_the_photo(detector: Path, tmp_path: Path) -> None:
    other = tmp_path / "000000000139.png"
    Image.new("RGB", (640, 640)).save(other)
    main(["detect", str(detector), str(PHOTO), str(other), "-o", str(tmp_path / "out.json")])
    found = json.loads((tmp_path / "out.json").read_text())
    assert [(each["image_id"], each["category_id"]) for each in found] == [
        ("photo", 0),
        ("photo", 1),
        (139, 0),
        (139, 1),
    ]
    assert [each["score"] for each in found] == [0.9, 0.6] * 2
    numpy.testing.assert_allclose(found[0]["bbox"], [60, 60, 240, 240], atol=1e-2)
    numpy.testing.assert_allclose(found[1]["bbox"], [300, 0, 300, 88.125], atol=1e-2)
    numpy.testing.assert_allclose(found[2]["bbox"], [64, 170, 256, 256], atol=1e-2)


def test_options_decide_what_is_shown(detector: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "names.txt").write_text("cup\nFüchse \n")
    names = ("--classes", str(tmp_path / "names.txt"))
    for number, options in enumerate((("--iou", "1"), ("--confidence", "0.7"), ("--limit", "1"))):
        main(["detect", str(detector), str(PHOTO), "-o", str(tmp_path / f"{number}.png"), *options, *names])
    told = capsys.readouterr().out.splitlines()
    for line, expected in zip(told, ("2 cup, 1 Füchse", "1 cup", "1 cup"), strict=True):
        assert f": {expected} (" in line


@pytest.mark.parametrize(("text", "count"), [("cup", "1 name,"), ("cup\n\nfox\n", "3 names,")])
def test_names_of_other_classes_are_refused(
    text: str, count: str, detector: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "names.txt").write_text(text)
    refused(detector, PHOTO, "-o", tmp_path / "out.json", "--classes", tmp_path / "names.txt")
    told = capsys.readouterr().err
    assert f"names.txt: error[value]: it has {count} and the detector 2 classes" in told
    assert not (tmp_path / "out.json").exists()


def test_a_picture_shows_the_boxes_on_the_photo(detector: Path, tmp_path: Path) -> None:
    main(["detect", str(detector), str(PHOTO), "-o", str(tmp_path / "out.png")])
    with Image.open(tmp_path / "out.png") as picture, Image.open(PHOTO) as photo:
        difference = numpy.asarray(ImageChops.difference(picture.convert("RGB"), photo.convert("RGB"))).max(-1) > 0
    assert difference.shape == (400, 600)
    assert difference[100:290, 60].mean() > 0.9 and difference[300, 70:290].mean() > 0.9  # the frame of the first
    assert not difference[110:250, 80:280].any()  # what is in it


def test_several_photos_go_into_a_folder(detector: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.png"
    Image.new("RGB", (32, 64)).save(other)
    (tmp_path / "out").mkdir()
    main(["detect", str(detector), str(PHOTO), str(other), "-o", str(tmp_path / "out")])
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["other.png", "photo.png"]
    refused(detector, PHOTO, "-o", tmp_path / "out")  # it is there
    refused(detector, PHOTO, other, "-o", tmp_path / "one.png")
    refused(detector, other, "-o", tmp_path, "--force")  # it would be the photo itself


@pytest.mark.parametrize(
    ("outputs", "answer"),
    [
        ("{boxes: boxes, scores: scores}", "random weights"),
        ("[boxes]", "random weights"),  # a list leaves what the head ends in
        ("{boxes: boxes, logits: scores}", "not a detector"),
    ],
)
def test_a_config_is_a_detector_by_the_names_of_its_results(
    outputs: str, answer: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "net.yaml").write_text(CONFIG % outputs)
    arguments = [str(tmp_path / "net.yaml"), str(PHOTO), "-o", str(tmp_path / "out.json"), "--size", "64x96"]
    if answer == "not a detector":
        refused(*arguments)
    else:
        main(["detect", *arguments])
    assert answer in capfd.readouterr().err
    assert (tmp_path / "out.json").exists() is (answer != "not a detector")


@pytest.mark.parametrize(
    "arguments",
    [
        ("missing.jpg", "-o", "out.png"),
        (PHOTO, "-o", "out.txt"),
        (PHOTO, "-o", "out.png", "--classes", "missing.txt"),
        (PHOTO, "-o", "out.png", "--classes", PHOTO),
        (PHOTO, "-o", "out.png", "--confidence", "2"),
        (PHOTO, "-o", "out.png", "--size", "100000"),
        (PHOTO, "-o", "out.png", "--size", "any"),
    ],
)
def test_bad_calls_are_refused_and_leave_nothing(
    detector: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[object, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    refused(detector, *arguments)
    assert not list(tmp_path.iterdir())


def test_a_photo_with_sides_that_a_model_cannot_halve_is_refused() -> None:
    model = archdsl.build_from_config("yolo_v8_xs_detect", ["scale.width=0.125", "scale.depth=0.34"], weights=False)
    with pytest.raises(archdsl.ArchError, match="fails on an image of 70 × 90 pixels: ConcatOp : Dimension 1 "):
        detect(model, Image.new("RGB", (90, 70)), (70, 90))


def test_boxes_beyond_the_photo_and_long_names_are_drawn_within_it() -> None:
    boxes = [(-9.0, -9.0, 5.0, 5.0), (40.0, 20.0, 90.0, 90.0), (7.0, 7.0, 7.0, 7.0), (9.0, 9.0, 3.0, 3.0)]
    found = [Detection(box, 0.5, number * 100) for number, box in enumerate(boxes)]
    for size in ((1, 1), (60, 40), (2000, 30)):
        assert draw_boxes(Image.new("RGB", size), found, ["x" * 60]).size == size


def of_task(folder: Path, **outputs: Any) -> Path:
    """As `detector`, with other results."""
    inputs = keras.Input((None, None, 3))
    mean, results = keras.layers.GlobalAveragePooling2D()(inputs), {}
    for name, values in outputs.items():
        array = numpy.array(values, "float32")
        layer = keras.layers.Dense(array.size, kernel_initializer="zeros")
        results[name] = keras.layers.Reshape(array.shape)(layer(mean))
        layer.bias.assign(array.ravel())
    keras.Model(inputs, results).save(folder / "task.keras")
    return folder / "task.keras"


def results_of(model: Path, folder: Path) -> list[dict[str, Any]]:
    main(["detect", str(model), str(PHOTO), "-o", str(folder / "out.json")])
    main(["detect", str(model), str(PHOTO), "-o", str(folder / "out.png")])
    found: list[dict[str, Any]] = json.loads((folder / "out.json").read_text())
    return found


def changed(folder: Path) -> numpy.ndarray:
    """Where the picture differs from the photo."""
    with Image.open(folder / "out.png") as picture, Image.open(PHOTO) as photo:
        return numpy.asarray(ImageChops.difference(picture.convert("RGB"), photo.convert("RGB"))).max(-1) > 0


def test_masks_are_drawn_and_told_in_cocos_run_lengths(tmp_path: Path) -> None:
    prototypes = numpy.full((160, 160, 1), -9.0)
    prototypes[50:100, 20:60] = 9  # pixels 80 … 240 by 200 … 400 of the letterbox
    model = of_task(tmp_path, boxes=BOXES[:1], scores=SCORES[:1], masks=[[1.0]], prototypes=prototypes)
    (found,) = results_of(model, tmp_path)
    counts, (height, image_width) = found["segmentation"]["counts"], found["segmentation"]["size"]
    assert (height, image_width, sum(counts)) == (400, 600, 240_000)
    flags = numpy.repeat(numpy.arange(len(counts)) % 2 == 1, counts).reshape(image_width, height).T
    expected = numpy.zeros((400, 600), bool)
    expected[88:276, 75:225] = True  # of the photo, which is smaller by 600/640 and 106 rows below; within the box
    assert (flags != expected).mean() < 0.002
    assert changed(tmp_path)[100:250, 90:210].mean() > 0.95


def test_points_of_a_pose_are_drawn_and_told(tmp_path: Path) -> None:
    points = [[value for step in range(17) for value in (128 + 8 * step, 234.0, 1.0 if step < 13 else 0.0)]]
    (found,) = results_of(of_task(tmp_path, boxes=BOXES[:1], scores=[[0.9]], points=points), tmp_path)
    assert len(found["keypoints"]) == 51
    numpy.testing.assert_allclose(found["keypoints"][:6], [120, 120, 1, 127.5, 120, 1], atol=0.01)
    drawn = changed(tmp_path)
    assert drawn[120, 120] and drawn[119:122, 205:209].any() and not drawn[112:129, 226:245].any()  # those unseen


def test_numbers_of_any_size_are_drawn_and_told(tmp_path: Path) -> None:
    """Of a network that diverged."""
    points = [[1e38, -1e38, 1.0, float("nan"), float("inf"), float("nan"), *[float("-inf"), 0, 1.0] * 15]]
    boxes = [[320, 306, 3e38, 1e-30, 1e30]]
    (found,) = results_of(of_task(tmp_path, boxes=boxes, scores=[[0.9]], points=points), tmp_path)
    assert numpy.isfinite([*found["bbox"], *found["keypoints"], *found["segmentation"][0]]).all()


def test_turned_boxes_are_drawn_along_their_sides_and_told_as_polygons(tmp_path: Path) -> None:
    box = [320, 306, 128, 64, numpy.pi / 6]
    (found,) = results_of(of_task(tmp_path, boxes=[box], scores=[[0.9]]), tmp_path)
    corners = numpy.reshape(found["segmentation"][0], (4, 2))
    middle = numpy.array([300, 187.5])
    along = numpy.array([numpy.cos(numpy.pi / 6), numpy.sin(numpy.pi / 6)]) * 60
    across = numpy.array([-along[1], along[0]]) / 2
    expected = [middle - along - across, middle + along - across, middle + along + across, middle - along + across]
    numpy.testing.assert_allclose(corners, expected, atol=0.01)
    low, high = corners.min(0), corners.max(0)
    numpy.testing.assert_allclose(found["bbox"], [*low, *(high - low)], atol=0.01)
    drawn = changed(tmp_path)
    for one, other in zip(corners, numpy.roll(corners, 1, 0), strict=True):
        x, y = ((one + other) / 2).round().astype(int)
        assert drawn[y - 2 : y + 3, x - 2 : x + 3].any()
    assert not drawn[180:195, 290:310].any() and not drawn[round(high[1]) - 5, round(low[0]) + 5]
