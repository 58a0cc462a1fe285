"""from_preset and save_to_preset: names, folders that keras_cv wrote, folders of ours; and what is no preset."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import keras_cv
import numpy as np
import pytest
from keras_cv.src.utils.preset_utils import load_from_preset, save_to_preset

import archdsl
from archdsl import models
from archdsl.frontend.presets import list_presets
from archdsl.models import hub

SHAPE = (64, 96, 3)
YOLO = {"stackwise_channels": [8, 12, 16], "stackwise_depth": [1, 2, 1], "include_rescaling": False}
DEPTHWISE = {**YOLO, "use_depthwise": True, "include_rescaling": True, "name": "mine"}
RESNET = {
    "stackwise_filters": [8, 8, 16],
    "stackwise_blocks": [2, 3, 2],
    "stackwise_strides": [1, 2, 2],
    "include_rescaling": True,
    "input_shape": SHAPE,
}
CALLS: list[tuple[str, dict[str, Any]]] = [
    ("YOLOV8Backbone", {**YOLO, "activation": "relu"}),
    ("CSPDarkNetBackbone", DEPTHWISE),
    ("ResNetV2Backbone", RESNET),
    ("ResNetV2Backbone", {**RESNET, "stackwise_dilations": [1, 1, 2]}),
    ("ResNetV2Backbone", {**RESNET, "block_type": "basic_block", "stackwise_filters": [64, 8, 8]}),
]
BASES = ["YOLOV8Backbone", "CSPDarkNetBackbone", "ResNetV2Backbone"]


def image() -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 255, (1, *SHAPE)).astype("float32")


def shaken(model: keras.Model) -> keras.Model:
    """The model with every weight and statistic moved away from where it starts."""
    random = np.random.default_rng(1)
    model.set_weights([value * random.uniform(0.9, 1.1, value.shape) + 0.01 for value in model.get_weights()])
    return model


def problem(call: Callable[[], Any]) -> archdsl.Problem:
    with pytest.raises(archdsl.ArchError) as caught:
        call()
    (found,) = caught.value.problems
    return found


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that keras_cv wrote, of a YOLOV8Backbone."""
    folder = tmp_path_factory.mktemp("keras_cv") / "preset"
    save_to_preset(shaken(keras_cv.models.YOLOV8Backbone(**YOLO)), str(folder))
    return folder


@pytest.fixture
def folder(written: Path, tmp_path: Path) -> Path:
    """A copy of it to break."""
    return Path(shutil.copytree(written, tmp_path / "preset"))


def change(folder: Path, **changes: Any) -> Path:
    file = folder / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}, indent=4))
    return folder


@pytest.mark.parametrize(("name", "arguments"), CALLS)
def test_a_folder_of_keras_cv_gives_the_same_model_here(name: str, arguments: dict[str, Any], tmp_path: Path) -> None:
    theirs = shaken(getattr(keras_cv.models, name)(**arguments))
    save_to_preset(theirs, str(tmp_path))
    for load in (archdsl.from_preset, getattr(models, name).from_preset):
        ours = load(tmp_path)
        assert type(ours) is getattr(models, name)
        assert ours.name == theirs.name
        assert ours.input_shape == theirs.input_shape
        np.testing.assert_allclose(np.asarray(ours(image())), np.asarray(theirs(image())), rtol=1e-5, atol=1e-5)


def test_arguments_given_to_it_replace_those_of_the_folder_as_in_keras_cv(written: Path) -> None:
    given = {"input_shape": SHAPE, "include_rescaling": True}
    theirs = load_from_preset(str(written), config_overrides=given)
    for load in (archdsl.from_preset, models.YOLOV8Backbone.from_preset):
        ours = load(str(written), **given)
        assert ours.input_shape == theirs.input_shape
        np.testing.assert_allclose(np.asarray(ours(image())), np.asarray(theirs(image())), rtol=1e-5, atol=1e-5)
    assert models.YOLOV8Backbone.from_preset(written, name="other").name == "other"
    begin = keras.Input(SHAPE)
    assert archdsl.from_preset(written, input_tensor=begin).inputs[0] is begin
    found = problem(lambda: archdsl.from_preset(written, overrides=["stages.p2.depth=2"]))
    assert found.message.startswith("YOLOV8Backbone takes no 'overrides'; expected one of: stackwise_channels, ")


def test_load_weights_means_what_it_means_in_keras_cv(folder: Path) -> None:
    statistics = [weight.path for weight in archdsl.from_preset(folder).weights if "moving_mean" in weight.path]
    fresh = archdsl.from_preset(folder, load_weights=False)
    assert statistics
    assert all(not np.any(weight) for weight in fresh.weights if weight.path in statistics)
    for asked in (None, True):
        loaded = archdsl.from_preset(folder, load_weights=asked)
        assert all(np.all(np.asarray(weight) != 0) for weight in loaded.weights if weight.path in statistics)
    change(folder, weights=None)
    assert not np.any(archdsl.from_preset(folder).get_weights()[2])
    assert problem(lambda: archdsl.from_preset(folder, load_weights=True)).code == "no-weights"
    assert problem(lambda: archdsl.from_preset(folder, load_weights="yes")).code == "type"


def test_a_preset_without_weights_says_which_have_some() -> None:
    trained = [info.name for info in list_presets() if info.has_weights]
    for load in (archdsl.from_preset, models.YOLOV8Backbone.from_preset):
        found = problem(lambda load=load: load("yolo_v8_s_backbone", load_weights=True))
        assert found.code == "no-weights"
        assert found.message.endswith(f"those that have: {', '.join(trained)}")


@pytest.mark.parametrize("version", ["", "/2"])
def test_a_handle_of_keras_cv_is_the_preset_of_that_name(version: str) -> None:
    handle = f"kaggle://keras/yolov8/keras/yolo_v8_xs_backbone{version}"
    assert archdsl.from_preset(handle).count_params() == 1_277_680
    assert models.YOLOV8Backbone.from_preset(handle, input_shape=SHAPE).stackwise_depth == [1, 2, 2, 1]
    assert problem(lambda: models.ResNetV2Backbone.from_preset(handle)).code == "unknown-preset"


def test_a_handle_that_kagglehub_downloaded_before_is_a_folder(written: Path, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path))
    model = tmp_path / "models" / "me" / "net" / "keras" / "small"
    for version in ("2", "10", "11"):
        shutil.copytree(written, model / version)
    change(model / "10", config={**YOLO, "name": "newest"})
    for version in ("2", "10"):
        (model / f"{version}.complete").touch()
    assert archdsl.from_preset("kaggle://me/net/keras/small").name == "newest"
    assert archdsl.from_preset("kaggle://me/net/keras/small/2").name != "newest"


def test_trained_weights_of_a_preset_reach_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained = shaken(archdsl.build_from_config("yolo_v8_xs_backbone"))
    archdsl.weights.save(trained, tmp_path / "a.weights.h5")
    monkeypatch.setattr(hub, "trained_weights", lambda info: tmp_path / "a.weights.h5")
    name = "yolo_v8_xs_backbone_coco"
    for load in (archdsl.from_preset, models.YOLOV8Backbone.from_preset):
        assert np.array_equal(load(name).get_weights()[-1], trained.get_weights()[-1])
        assert not np.array_equal(load(name, load_weights=False).get_weights()[-1], trained.get_weights()[-1])


def test_trained_weights_that_change_after_they_were_checked_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARCHDSL_CACHE", str(tmp_path))
    other = shaken(archdsl.build_from_config("yolo_v8_xs_backbone"))
    archdsl.weights.save(other, tmp_path / "a.weights.h5")
    monkeypatch.setattr(hub, "trained_weights", lambda info: tmp_path / "a.weights.h5")
    for load in (archdsl.from_preset, models.YOLOV8Backbone.from_preset):
        with pytest.raises(archdsl.ArchError, match="its sha256 is"):
            load("yolo_v8_xs_backbone_coco")


@pytest.mark.parametrize(
    ("wanted", "held", "accepted"),
    [
        *[(wanted, held, wanted == held) for wanted in BASES for held in BASES],
        ("CSPDarkNetTinyBackbone", "CSPDarkNetBackbone", True),
        ("ResNet18V2Backbone", "CSPDarkNetBackbone", False),
    ],
)
def test_a_class_takes_only_folders_of_its_family(wanted: str, held: str, accepted: bool, tmp_path: Path) -> None:
    """As keras_cv's check_preset_class does."""
    arguments = next(arguments for name, arguments in CALLS if name == held)
    preset = {"class_name": held, "registered_name": f"keras_cv>{held}", "config": arguments, "weights": None}
    (tmp_path / "config.json").write_text(json.dumps(preset))
    load = getattr(models, wanted).from_preset
    if accepted:
        assert type(load(tmp_path)).__name__ == held
    else:
        assert problem(lambda: load(tmp_path)).message.startswith(f"the preset is a {held}; expected a ")


def test_a_size_that_a_folder_names_has_its_arguments(tmp_path: Path) -> None:
    preset = {"class_name": "CSPDarkNetTinyBackbone", "config": {"input_shape": [64, 96, 3]}, "weights": None}
    (tmp_path / "config.json").write_text(json.dumps(preset))
    model = archdsl.from_preset(tmp_path)
    assert type(model) is models.CSPDarkNetBackbone
    assert model.count_params() == 2_380_416


BROKEN: list[tuple[Callable[[Path], Any], str]] = [
    (lambda folder: (folder / "config.json").unlink(), r"preset: error\[preset\]: the folder holds no preset"),
    (lambda folder: shutil.rmtree(folder), r"error\[unknown-preset\]: archdsl has no preset '.*preset'"),
    (lambda folder: (folder / "config.json").write_text(""), r"config.json:1:1: error\[syntax\]: not valid JSON"),
    (lambda folder: (folder / "config.json").write_text('{\n"a": }'), r"config.json:2:6: error\[syntax\]: not valid J"),
    (lambda folder: (folder / "config.json").write_text("[" * 9_000), r"config.json:1:\d+: error\[depth\]: .*nested"),
    (lambda folder: (folder / "config.json").write_text("{" + " " * (1 << 20) + "}"), r"error\[limit\]: 1048578 bytes"),
    (lambda folder: (folder / "config.json").write_text("[]"), r"config.json:1:1: error\[type\]: the top level is a l"),
    (lambda folder: (folder / "config.json").write_text("{}"), r"config.json:1:1: error\[missing-key\]: class_name: "),
    (lambda folder: (folder / "config.json").write_bytes(b"\xff\xfe{"), r"config.json: error\[encoding\]: UTF-16"),
    (lambda folder: change(folder, class_name="YOLOV8Detector"), r":\d+:\d+: error\[unknown-class\]: class_name: a pr"),
    (
        lambda folder: change(folder, class_name="os.system"),
        r"error\[unknown-class\]: class_name: a preset of class 'o",
    ),
    (
        lambda folder: change(folder, class_name=3),
        r":\d+:\d+: error\[type\]: class_name: expected text, got the number",
    ),
    (lambda folder: change(folder, config=[1]), r":\d+:\d+: error\[type\]: config: expected a mapping, got a list"),
    (
        lambda folder: change(folder, config={}),
        r"error\[missing-key\]: config.stackwise_channels: YOLOV8Backbone needs",
    ),
    (
        lambda folder: change(folder, config={**YOLO, "stackwise_deep": 2}),
        r"error\[unknown-key\]: config.stackwise_deep: unknown key (.|\n)*did you mean 'stackwise_depth'",
    ),
    (
        lambda folder: change(folder, config={**YOLO, "stackwise_depth": [1, "2", 1]}),
        r"config.json:\d+:\d+: error\[type\]: config.stackwise_depth.1: expected a whole number, got text '2'",
    ),
    (
        lambda folder: change(folder, config={**YOLO, "stackwise_channels": [8, 12, 10**9]}),
        r"error\[range\]: config.stackwise_channels.2: got the number 1000000000; expected a value ≤ 65536",
    ),
    (
        lambda folder: change(folder, config={**YOLO, "input_tensor": {"class_name": "__main__>Evil"}}),
        r"config.input_tensor: ",
    ),
    (
        lambda folder: change(folder, config={**YOLO, "stackwise_depth": [1]}),
        r"error\[length\]: stackwise_channels has 3",
    ),
    (lambda folder: change(folder, config={**YOLO, "name": "a/b"}), r"config.name: got text 'a/b'"),
    (
        lambda folder: change(folder, weights="../secret.h5"),
        r"error\[value\]: weights: got '../secret.h5'; expected the n",
    ),
    (lambda folder: (folder / "model.weights.h5").unlink(), r"error\[missing-file\]: there is no 'model.weights.h5', "),
    (
        lambda folder: (folder / "model.weights.h5").write_bytes(b""),
        r"model.weights.h5: error\[weights\]: an empty file",
    ),
    (
        lambda folder: change(folder, config={**YOLO, "stackwise_channels": [8, 12, 18]}),
        r"model.weights.h5: error\[weights",
    ),
]


@pytest.mark.parametrize(("damage", "report"), BROKEN)
def test_a_broken_folder_is_one_clear_error(damage: Callable[[Path], Any], report: str, folder: Path) -> None:
    damage(folder)
    with pytest.raises(archdsl.ArchError, match=report):
        archdsl.from_preset(folder)


SAVED_AND_BROKEN: list[tuple[str, str, str]] = [
    ("metadata.json", '{"class_name": ', r"metadata.json:1:16: error\[syntax\]: not valid JSON"),
    (
        "metadata.json",
        '{"class_name": "Sequential", "config": {}, "weights": null}',
        r"metadata.json:1:16: .*unknown-class",
    ),
    ("metadata.json", '{"class_name": "YOLOV8Backbone", "config": {}, "weights": null}', r"needs 'include_rescaling'"),
    (
        "metadata.json",
        '{"class_name": "Backbone", "config": {"name": "a/b"}, "weights": null}',
        r"config.name: got text",
    ),
    ("config.yaml", "stages: {p2: {width: x}}", r"config.yaml:1:22: error\[type\]: stages.p2.width: "),
    ("config.yaml", "stages: !!python/object:os.system {}", r"config.yaml:1:9: error\[tag\]: "),
    ("config.yaml", "defaults: [../../etc/passwd, _self_]", r"config.yaml:1:12: error"),
    ("model.safetensors", "<html>", r"model.safetensors: error\["),
]


@pytest.mark.parametrize(("file", "text", "report"), SAVED_AND_BROKEN)
def test_a_broken_folder_of_ours_is_one_clear_error(file: str, text: str, report: str, tmp_path: Path) -> None:
    archdsl.build_from_config("yolo_v8_xs_backbone", ["scale.width=0.125"]).save_to_preset(tmp_path / "mine")
    (tmp_path / "mine" / file).write_text(text)
    with pytest.raises(archdsl.ArchError, match=report):
        archdsl.from_preset(tmp_path / "mine")


def test_a_folder_is_read_without_keras_being_imported(folder: Path) -> None:
    program = f"""
import sys
from pathlib import Path
from archdsl.models.hub.preset_folder import read_folder
assert read_folder(Path({str(folder)!r})).class_name == "YOLOV8Backbone"
assert not {{"keras", "tensorflow", "numpy", "keras_cv"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], check=True)


SAVED: list[Callable[[], archdsl.Backbone]] = [
    lambda: archdsl.build_from_config("yolo_v8_xs_backbone", ["scale.width=0.125", "+stages.p6={width: 512}"]),
    lambda: archdsl.build_from_config("csp_darknet_tiny", ["conventions.activation=relu6"], name="mine"),
    lambda: archdsl.build_from_config("resnet18_v2", ["+scale.width=0.25"], input_shape=SHAPE),
    *[lambda name=name, arguments=arguments: getattr(models, name)(**arguments) for name, arguments in CALLS],
]


@pytest.mark.parametrize("build", SAVED)
def test_what_is_saved_comes_back_as_it_was(build: Callable[[], archdsl.Backbone], tmp_path: Path) -> None:
    model = shaken(build())
    model.trainable = False
    model.save_to_preset(tmp_path / "mine")
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    assert sorted(path.name for path in (tmp_path / "mine").iterdir()) == [
        "config.yaml",
        "metadata.json",
        "model.safetensors",
    ]
    again = archdsl.from_preset(tmp_path / "mine")
    assert type(again) is type(model)
    assert again.get_config() == model.get_config()
    assert again.config == model.config
    assert again.features().output.keys() == model.features().output.keys()
    assert np.array_equal(np.asarray(again(image())), np.asarray(model(image())))
    if type(model) is not archdsl.Backbone:
        assert type(type(model).from_preset(tmp_path / "mine")) is type(model)


def test_the_config_of_a_saved_folder_is_an_ordinary_config(tmp_path: Path) -> None:
    models.ResNetV2Backbone(**RESNET).save_to_preset(tmp_path / "mine")
    file = tmp_path / "mine" / "config.yaml"
    assert archdsl.analyze(file).params == models.ResNetV2Backbone(**RESNET).count_params()
    (tmp_path / "mine" / "metadata.json").unlink()
    assert type(archdsl.from_preset(tmp_path / "mine", overrides=["conventions.activation=relu"])) is archdsl.Backbone


def test_a_saved_variant_takes_what_build_from_config_takes(tmp_path: Path) -> None:
    archdsl.build_from_config("yolo_v8_xs_backbone", ["scale.width=0.125"]).save_to_preset(tmp_path / "mine")
    model = archdsl.from_preset(tmp_path / "mine", input_shape=SHAPE, include_rescaling=False)
    assert (model.input_shape, model.config["input"]["rescale"]) == ((None, *SHAPE), False)
    found = problem(lambda: models.YOLOV8Backbone.from_preset(tmp_path / "mine"))
    assert found.message == "the preset is a Backbone; expected a YOLOV8Backbone"


def test_a_config_that_was_changed_beside_its_class_is_not_ignored(tmp_path: Path) -> None:
    models.YOLOV8Backbone(**YOLO).save_to_preset(tmp_path / "mine")
    file = tmp_path / "mine" / "config.yaml"
    file.write_text(file.read_text().replace("width: 12", "width: 14"))
    found = problem(lambda: archdsl.from_preset(tmp_path / "mine"))
    assert found.message == "is not what the class and arguments in metadata.json stand for"


def test_a_saved_folder_is_replaced_and_any_other_is_left_alone(tmp_path: Path) -> None:
    model = models.YOLOV8Backbone(**YOLO)
    model.save_to_preset(tmp_path / "mine")
    shaken(model).save_to_preset(tmp_path / "mine")
    assert np.array_equal(archdsl.from_preset(tmp_path / "mine").get_weights()[-1], model.get_weights()[-1])
    (tmp_path / "mine" / "notes.txt").write_text("of the user's")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert "'notes.txt'" in problem(lambda: model.save_to_preset(tmp_path / "mine")).message
    (tmp_path / "file").write_text("")
    assert problem(lambda: model.save_to_preset(tmp_path / "file")).code == "output"
    assert problem(lambda: model.save_to_preset(tmp_path / "no" / "mine")).message.startswith("there is no folder")
    (tmp_path / "file").unlink()
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_a_folder_that_cannot_be_written_whole_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    model = models.YOLOV8Backbone(**YOLO)
    model.save_to_preset(tmp_path / "mine")
    monkeypatch.setattr(archdsl.weights, "save", full)
    for name in ("mine", "other"):
        found = problem(lambda name=name: model.save_to_preset(tmp_path / name))
        assert found.message == "cannot be written: No space left on device"
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    assert archdsl.from_preset(tmp_path / "mine").count_params() == model.count_params()


SAVING = """
import sys
from pathlib import Path
from archdsl.backends import atomic_write as files
if sys.argv[3] == "in two steps":
    files._exchanged = lambda one, other: False
for number in range(int(sys.argv[4])):
    with files.folder_written_whole(Path(sys.argv[1]), ("a", "b", "c")) as partial:
        for name in ("a", "b", "c"):
            (partial / name).write_text(f"{sys.argv[2]} {number}")
"""


@pytest.mark.parametrize("way", ["in one step", "in two steps"])
def test_many_processes_may_save_the_same_folder(way: str, tmp_path: Path) -> None:
    """In one step, as Linux and macOS can, a reader always finds a folder, and all files in it."""
    saved, times = tmp_path / "mine", 40
    if sys.platform == "linux" and way == "in one step":
        saved.mkdir()
    arguments = [str(saved), "{}", way, str(times)]
    programs = [[sys.executable, "-c", SAVING, *[word.format(number) for word in arguments]] for number in range(4)]
    processes = [subprocess.Popen(program, stderr=subprocess.PIPE, text=True) for program in programs]
    if saved.exists():
        while not list(saved.iterdir()) and processes[0].poll() is None:
            pass
        while any(process.poll() is None for process in processes):
            assert all((saved / name).read_text() for name in ("a", "b", "c"))
    assert [process.communicate()[1] for process in processes] == [""] * 4
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    texts = {path.name: path.read_text() for path in saved.iterdir()}
    assert set(texts) == {"a", "b", "c"} and len(set(texts.values())) == 1
    assert texts["a"].split()[1] == str(times - 1)


def test_a_fused_model_is_no_preset(tmp_path: Path) -> None:
    fused = archdsl.fuse(models.YOLOV8Backbone(**YOLO))
    assert problem(lambda: fused.save_to_preset(tmp_path / "mine")).code == "preset"
    assert not list(tmp_path.iterdir())
