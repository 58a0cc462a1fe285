"""A `.keras` file from somebody else: what it says is data, it acts on nothing, and it costs no more than it holds."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import archdsl
from archdsl.frontend.budget import Budget
from archdsl.tools.pictures.feature_maps import read_model

TINY = {
    "stem": {"conv": {"block": "conv_bn_act", "width": 8, "kernel": 3, "stride": 2}},
    "stage_defaults": {"down": {"block": "conv_bn_act", "kernel": 3, "stride": 2}, "body": {"block": "c2f"}},
    "stages": {"p2": {"width": 8}, "p3": {"width": 16}},
}
YOLO = {"stackwise_channels": [8, 12], "stackwise_depth": [1, 1], "include_rescaling": False}
EARLIER = Path(__file__).parent / "files" / "earlier.keras"  # archdsl 0.1.0, when Backbone was in archdsl.emit
Change = Callable[[dict[str, Any]], Any]


@pytest.fixture(scope="module")
def model() -> archdsl.Backbone:
    return archdsl.build_from_config(TINY)


@pytest.fixture(scope="module")
def files(model: archdsl.Backbone, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A file of each kind of model, as it is after training."""
    folder = tmp_path_factory.mktemp("files")
    models = {
        "ours": model,
        "family": archdsl.models.YOLOV8Backbone(**YOLO),
        "fused": archdsl.fuse(model),
        "features": model.features(),
        "plain": model.to_keras(),
    }
    for name, each in models.items():
        each.compile("adam", "mse", jit_compile=False)
        each.save(folder / f"{name}.keras")
    return {name: folder / f"{name}.keras" for name in models}


def values(model: Any) -> np.ndarray:
    found = model(np.random.default_rng(0).uniform(0, 255, (1, 64, 64, 3)).astype("float32"))
    return np.asarray(found["P3"] if isinstance(found, dict) else found)


@pytest.mark.parametrize("kind", ["ours", "family", "fused", "features", "plain"])
def test_it_gives_what_keras_gives(kind: str, files: dict[str, Path]) -> None:
    loaded, expected = read_model(files[kind]), keras.saving.load_model(files[kind])
    assert type(loaded) is type(expected)
    assert np.array_equal(values(loaded), values(expected))


@pytest.mark.parametrize("load", [keras.saving.load_model, read_model])
def test_a_file_that_names_the_class_by_an_earlier_module_loads(load: Callable[[Path], Any]) -> None:
    with zipfile.ZipFile(EARLIER) as archive:
        assert json.loads(archive.read("config.json"))["module"] == "archdsl.emit"
    model = load(EARLIER)
    assert type(model) is archdsl.Backbone
    received = np.asarray(model(np.ones((1, 16, 16, 3), "float32"))).sum()
    assert received == pytest.approx(-2.3897030, rel=1e-5)  # what the model gave before it was saved


@pytest.mark.parametrize("kind", ["features", "plain"])
def test_bfloat16_and_models_in_models_are_read(kind: str, model: archdsl.Backbone, tmp_path: Path) -> None:
    keras.config.set_dtype_policy("bfloat16")
    try:
        half = archdsl.build_from_config(TINY)
    finally:
        keras.config.set_dtype_policy("float32")
    begin = keras.Input((64, 64, 3))
    outer = keras.Model(begin, keras.layers.GlobalAveragePooling2D()(half(begin)))
    for each in (half.features() if kind == "features" else half.to_keras(), outer):
        each.save(tmp_path / "half.keras")
        loaded = read_model(tmp_path / "half.keras")
        same = zip(loaded.get_weights(), each.get_weights(), strict=True)
        assert all(np.array_equal(mine.astype("float32"), theirs.astype("float32")) for mine, theirs in same)


def changed(path: Path, folder: Path, change: Change) -> Path:
    """The file with another description of the model."""
    made = folder / "changed.keras"
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as other:
        for member in archive.namelist():
            data = archive.read(member)
            if member == "config.json":
                config = json.loads(data)
                change(config)
                data = json.dumps(config).encode()
            other.writestr(member, data)
    return made


def everywhere(value: Any) -> Iterator[dict[str, Any]]:
    """Every mapping in a description."""
    if isinstance(value, dict):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from everywhere(item)


def conv(config: dict[str, Any]) -> dict[str, Any]:
    return next(each for each in everywhere(config) if each.get("class_name") == "Conv2D")


def layer(class_name: str, module: str | None, **more: Any) -> Change:
    return lambda config: conv(config).update(class_name=class_name, module=module, registered_name=None, **more)


def inside(**said: Any) -> Change:
    """What our Backbone says of itself, changed."""
    return lambda config: config["config"].update(said)


def dense(units: int) -> Change:
    """The last activation becomes a layer of so many units, with no weights in the file."""

    def change(config: dict[str, Any]) -> None:
        layers = [each for each in everywhere(config) if each.get("class_name") == "Activation"]
        layers[-1].update(class_name="Dense")
        layers[-1]["config"] = {"name": layers[-1]["config"]["name"], "units": units}

    return change


def widened(config: dict[str, Any]) -> None:
    config["config"]["config"]["stages"]["p3"]["width"] = 60_000


SECRET = "secret-word"
HOSTILE: dict[str, tuple[str, Change, str]] = {
    "a path as a config": ("ours", inside(config="secret.yaml"), "expected a mapping, got text"),
    "a preset as a config": ("ours", inside(config="yolo_v8_s_backbone"), "expected a mapping"),
    "parents": ("ours", lambda c: c["config"]["config"].update(defaults=["secret"]), "has no parents"),
    "no config": ("ours", lambda c: c["config"].pop("config"), "config"),
    "another key": ("ours", inside(fresh=False), "unknown key"),
    "an empty name": ("ours", inside(name=""), "name"),
    "an empty name of any model": ("plain", inside(name=""), "an empty name"),
    "a name of a path": ("ours", inside(name="a/b"), "name"),
    "a precision": ("ours", inside(dtype="float99"), "no precision called text 'float99'"),
    "a precision that is an object": ("ours", inside(dtype={"class_name": "DTypePolicy"}), "dtype"),
    "passes": ("ours", inside(passes=["fold_all"]), "no pass 'fold_all'"),
    "passes as text": ("ours", inside(passes="fold"), "passes"),
    "frozen": ("ours", inside(frozen=3), "frozen"),
    "a description that is a list": ("ours", lambda c: c.update(config=[]), "does not describe a model"),
    "widths": ("ours", widened, "expected at most"),
    "depth": ("ours", lambda c: c["config"]["config"]["stages"]["p3"].update(depth=10**9), "depth"),
    "values": ("ours", lambda c: c["config"].update(frozen=["x"] * 30_000), "more than 20000 values"),
    "a family's widths": ("family", inside(stackwise_channels=[60_000, 60_000]), "expected at most"),
    "a family's path": ("family", inside(stackwise_channels="secret.yaml"), "stackwise_channels"),
    "a family's other argument": ("family", inside(input_tensor=[1]), "input_tensor"),
    "a family's unknown argument": ("family", inside(budget={"params": 1e99}), "unknown key"),
    "another package": ("plain", layer("YOLOV8Detector", "keras_cv.models"), "'keras_cv.models'"),
    "any module": ("plain", layer("system", "os"), "'os'"),
    "a function": ("plain", layer("function", "keras.config", config="set_dtype_policy"), "'function'"),
    "a function under a known name": (
        "plain",
        lambda c: conv(c).update(class_name="function", module="keras.config", registered_name="archdsl>Backbone"),
        "'function'",
    ),
    "code": ("plain", layer("Lambda", "keras.layers"), "'Lambda'"),
    "a reader of files": ("plain", layer("StringLookup", "keras.layers"), "'StringLookup'"),
    "a type of TensorFlow": ("plain", layer("__typespec__", "tensorflow"), "'__typespec__'"),
    "wide layers": ("plain", dense(600_000_000), "parameters, and the file"),
    "a layer without a module": ("plain", lambda c: conv(c).pop("module"), "'Conv2D'"),
    "long": ("plain", lambda c: c.update(more="x" * (1 << 20)), "unpacks to more than"),
}


@pytest.mark.parametrize(("kind", "change", "fact"), HOSTILE.values(), ids=list(HOSTILE))
def test_a_hostile_description_is_one_report(
    kind: str, change: Change, fact: str, files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret.yaml").write_text(f"stages: {{p1: {{width: {SECRET}}}}}\n")
    monkeypatch.chdir(tmp_path)
    path = changed(files[kind], tmp_path, change)
    with pytest.raises(archdsl.ArchError) as caught:
        read_model(path)
    report = str(caught.value)
    assert fact in report
    assert SECRET not in report
    assert {each.file for each in caught.value.problems} == {str(path)}
    assert len(report) < 3_000
    assert keras.config.dtype_policy().name == "float32"


@pytest.mark.parametrize("stated", ["secret.yaml", ["a"], 3, None])
def test_keras_itself_gives_our_classes_nothing_but_data(
    stated: Any, model: archdsl.Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret.yaml").write_text(f"{SECRET}: 1\n")
    monkeypatch.chdir(tmp_path)
    for config in ({**model.get_config(), "config": stated}, stated):
        with pytest.raises(archdsl.ArchError) as caught:
            archdsl.Backbone.from_config(config)
        assert SECRET not in str(caught.value)


def test_nothing_is_imported_that_a_file_names(files: dict[str, Path], tmp_path: Path) -> None:
    path = changed(files["plain"], tmp_path, layer("YOLOV8Detector", "keras_cv.models"))
    (tmp_path / "keras_cv").mkdir()
    (tmp_path / "keras_cv" / "__init__.py").write_text("print('imported')")
    program = f"""
import sys, archdsl
from archdsl.tools.pictures.feature_maps import read_model
try:
    read_model({str(path)!r})
except archdsl.ArchError:
    print("refused", "keras_cv" in sys.modules)
"""
    result = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.stdout == "refused False\n", result.stderr


def test_what_the_program_registered_may_be_in_a_model(model: archdsl.Backbone, tmp_path: Path) -> None:
    @keras.saving.register_keras_serializable("of_a_test")
    class Twice(keras.layers.Layer):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            return 2 * x

    begin = keras.Input((64, 64, 3))
    whole = keras.Model(begin, Twice()(model(begin)))
    whole.save(tmp_path / "whole.keras")
    assert np.array_equal(values(read_model(tmp_path / "whole.keras")), values(whole))


def test_no_parameter_is_made_before_the_model_is_known_to_fit(
    files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[tuple[int, ...]] = []
    draw = keras.initializers.GlorotUniform.__call__
    monkeypatch.setattr(
        keras.initializers.GlorotUniform,
        "__call__",
        lambda self, shape, **more: (made.append(shape), draw(self, shape, **more))[1],
    )
    path = changed(files["plain"], tmp_path, dense(600_000_000))
    with pytest.raises(archdsl.ArchError, match="parameters, and the file"):
        read_model(path)
    keras.Model(begin := keras.Input((8, 8, 3)), keras.layers.Conv2D(2, 3)(begin))  # where Keras makes what is due
    assert max(shape[-1] for shape in made) == 2


def test_a_long_description_is_read_when_the_user_says_so(files: dict[str, Path], tmp_path: Path) -> None:
    path = changed(files["plain"], tmp_path, lambda config: config.update(more="x" * (1 << 20)))
    with pytest.raises(archdsl.ArchError, match="--budget file_bytes="):
        read_model(path)
    assert read_model(path, budget=Budget(file_bytes=3e6)).count_params()
