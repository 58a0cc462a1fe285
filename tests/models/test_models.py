"""The Keras model of a config: what it gives, how it is named, that it survives being saved."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import yaml

import archdsl
from archdsl import weights
from archdsl.frontend.compose.config import load
from archdsl.ir.graph import Graph

TINY = {
    "stem": {"conv": {"block": "conv_bn_act", "width": 8, "kernel": 3, "stride": 2}},
    "stage_defaults": {"down": {"block": "conv_bn_act", "kernel": 3, "stride": 2}, "body": {"block": "c2f"}},
    "stages": {"p2": {"width": 8}, "p3": {"width": 16}, "p4": {"width": 24, "post": {"spp": {"block": "sppf"}}}},
    "outputs": ["p3", "p4"],
}


def image(height: int = 64, image_width: int = 96, batch: int = 2) -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 255, (batch, height, image_width, 3)).astype("float32")


def build(**arguments: object) -> archdsl.Backbone:
    keras.utils.set_random_seed(0)
    return archdsl.build_from_config(TINY, **arguments)


def largest_difference(first: object, second: object) -> float:
    return float(np.abs(np.asarray(first) - np.asarray(second)).max())


def test_it_is_a_functional_model_of_plain_keras_layers() -> None:
    model = build()
    assert isinstance(model, archdsl.Backbone)
    assert isinstance(model, keras.src.models.Functional)
    for layer in model.layers:
        assert type(layer).__module__.startswith("keras.")
        assert not isinstance(layer, keras.layers.Lambda)


def test_every_layer_is_named_after_its_place_in_the_config() -> None:
    """`stages.p3.body` gives p3_body_…, `stages.p4.pre.spp` p4_spp_…, `stem.conv` stem_conv_…"""
    model = build()
    places = {node.name: node.origin.path.split(".") for node in model.graph.nodes if node.origin.path[:5] != "input"}
    for name, place in places.items():
        stage = place[1] if place[0] == "stages" else place[0]
        assert name.startswith(f"{stage}_{place[-1]}"), place
    assert {operation.name for operation in model.operations} <= {*places, "input", "rescale"}
    assert model.get_layer("p3_body_1_conv2_conv").filters == 8


def test_it_gives_the_last_feature_map_and_its_levels() -> None:
    model = build()
    assert model(image()).shape == (2, 4, 6, 24)
    assert model.pyramid_level_inputs == {"P2": "p2_body_fuse_act", "P3": "p3_body_fuse_act", "P4": "p4_spp_fuse_act"}
    assert {level: tensor.shape for level, tensor in model.pyramid_outputs.items()} == {
        "P2": (None, None, None, 8),
        "P3": (None, None, None, 16),
        "P4": (None, None, None, 24),
    }
    for level, name in model.pyramid_level_inputs.items():
        assert model.get_layer(name).output is model.pyramid_outputs[level]


def test_features_are_the_configs_outputs_or_those_asked_for() -> None:
    model = build()
    maps = model.features()(image())
    assert {level: tuple(value.shape) for level, value in maps.items()} == {"P3": (2, 8, 12, 16), "P4": (2, 4, 6, 24)}
    assert list(model.features(["p4", "P2"])(image())) == ["P4", "P2"]
    with pytest.raises(archdsl.ArchError, match="no level 'P9'"):
        model.features(["P9"])


@pytest.mark.parametrize("shape", [(None, None, 3), (64, 96, 3), (None, 96, 3)])
def test_sizes_may_be_fixed_or_not(shape: tuple[int | None, ...]) -> None:
    model = build(input_shape=shape)
    assert model.input_shape == (None, *shape)
    assert largest_difference(model(image()), build()(image())) == 0


def test_rescaling_can_be_put_in_or_left_out() -> None:
    with_rescaling, without = build(include_rescaling=True), build(include_rescaling=False)
    assert largest_difference(with_rescaling(image()), without(image() / 255)) < 1e-5
    assert archdsl.build_from_config("yolo_v8_xs_backbone", include_rescaling=False).config["input"]["rescale"] is False


def test_an_input_tensor_takes_the_place_of_the_input() -> None:
    begin = keras.Input((64, 96, 3))
    model = build(input_tensor=begin)
    assert model.inputs[0] is begin
    assert largest_difference(model(image()), build()(image())) == 0
    assert model.features()(image())["P3"].shape == (2, 8, 12, 16)


def test_a_tensor_from_other_layers_gives_the_shape_of_the_input() -> None:
    begin = keras.Input((64, 96, 3))
    doubled = keras.layers.Rescaling(2.0)(begin)
    model = build(input_tensor=doubled)
    assert model.features()(image())["P3"].shape == (2, 8, 12, 16)
    assert largest_difference(keras.Model(begin, model(doubled))(image()), build()(2 * image())) < 1e-4


def test_saved_in_safe_mode_it_gives_the_same(tmp_path: Path) -> None:
    model = build()
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    assert isinstance(loaded, archdsl.Backbone)
    assert loaded.config == model.config
    assert largest_difference(loaded(image()), model(image())) == 0
    assert largest_difference(loaded.features()(image())["P3"], model.features()(image())["P3"]) == 0


@pytest.mark.parametrize("stem", ["my-net.v2", "My Net (2)", "_Ä", "2024"])
def test_a_model_is_named_after_its_file_and_loads_whatever_that_is_called(stem: str, tmp_path: Path) -> None:
    path = tmp_path / f"{stem}.yaml"
    path.write_text(yaml.safe_dump(TINY))
    model = archdsl.build_from_config(path)
    model.save(tmp_path / "model.keras")
    assert keras.models.load_model(tmp_path / "model.keras").name == model.name
    assert str(archdsl.compile_config(model.config)) == str(model.graph)


IMPORTS = [
    "import archdsl, keras",
    "import keras, archdsl",
    "import archdsl; archdsl.Backbone; import keras",
    "import archdsl, importlib.util; importlib.util.find_spec('keras'); import keras",
]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved")
    build().save(folder / "model.keras")
    archdsl.models.CSPDarkNetTinyBackbone().save(folder / "classic.keras")
    return folder


@pytest.mark.parametrize("imports", IMPORTS)
def test_saved_it_loads_in_a_process_that_only_imports_archdsl(imports: str, saved: Path) -> None:
    """Once with TensorFlow; the others without it, since importing it takes longer than all the rest."""
    backend = "tensorflow" if imports == IMPORTS[0] else "numpy"
    program = f"""
import sys
if {backend!r} == "numpy":
    sys.modules["tensorflow"] = None
{imports}
print(type(keras.models.load_model("model.keras")).__name__, end=" ")
print(type(keras.models.load_model("classic.keras")).__name__)
"""
    command, environment = [sys.executable, "-c", program], {**os.environ, "KERAS_BACKEND": backend}
    result = subprocess.run(command, cwd=saved, env=environment, capture_output=True, text=True, check=False)
    assert result.stdout.split() == ["Backbone", "CSPDarkNetBackbone"], result.stderr


def test_a_saved_model_keeps_its_precision_and_what_is_frozen(tmp_path: Path) -> None:
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = build()
    finally:
        keras.config.set_dtype_policy("float32")
    model.trainable = False
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded(image()).dtype == "float16"
    assert not loaded.trainable_variables
    assert keras.config.dtype_policy().name == "float32"


def test_a_plain_copy_loads_where_archdsl_is_not(tmp_path: Path) -> None:
    model = build()
    model.to_keras().save(tmp_path / "plain.keras")
    np.save(tmp_path / "expected.npy", np.asarray(model(image())))
    program = f"""
import sys
import warnings
sys.modules["archdsl"] = None  # importing it fails
import keras, numpy as np
model = keras.saving.load_model(r"{tmp_path / "plain.keras"}", safe_mode=True)
image = np.random.default_rng(0).uniform(0, 255, (2, 64, 96, 3)).astype("float32")
assert np.abs(np.asarray(model(image)) - np.load(r"{tmp_path / "expected.npy"}")).max() == 0
"""
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize("sort_keys", [True, False])
@pytest.mark.parametrize("name", ["yolo_v8_xs_backbone", "csp_darknet_tiny", "resnet18_v2"])
def test_its_config_builds_it_again(name: str, sort_keys: bool) -> None:
    model = archdsl.build_from_config(name, ["conventions.activation=relu"], input_shape=(64, 64, 3))
    again = archdsl.build_from_config(yaml.safe_load(yaml.dump(model.config, sort_keys=sort_keys)))
    again.set_weights(model.get_weights())
    assert str(again.graph) == str(model.graph)
    assert again.name == model.name
    assert largest_difference(again(image(64, 64)), model(image(64, 64))) == 0


def test_changing_the_returned_config_changes_nothing() -> None:
    model = build()
    model.config["stages"].clear()
    assert model.config["stages"]


def test_it_trains() -> None:
    model = build()
    before = [np.array(weight) for weight in model.get_weights()]
    head = keras.Sequential([model, keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(1)])
    head.compile("sgd", "mse")
    head.fit(image(), np.ones((2, 1)), verbose=0)
    changed = [not np.array_equal(old, new) for old, new in zip(before, model.get_weights(), strict=True)]
    assert all(changed)


def test_two_models_can_live_in_one() -> None:
    begin = keras.Input((64, 96, 3))
    both = keras.layers.Add()([build(name="left")(begin), build(name="right")(begin)])
    assert keras.Model(begin, both)(image()).shape == (2, 4, 6, 24)


def test_from_preset_builds_offline() -> None:
    assert archdsl.from_preset("yolo_v8_xs_backbone").count_params() == 1_277_680
    assert archdsl.from_preset("resnet18_v2", input_shape=(64, 64, 3)).output_shape == (None, 2, 2, 512)
    assert archdsl.from_preset("yolo_v8_xs_backbone_coco", load_weights=False).name == "yolo_v8_xs_backbone_coco"
    with pytest.raises(archdsl.ArchError, match="has no trained weights"):
        archdsl.from_preset("yolo_v8_xs_backbone", load_weights=True)
    with pytest.raises(archdsl.ArchError, match="did you mean 'resnet18_backbone'"):
        archdsl.from_preset("resnet18")


def test_a_preset_with_published_weights_says_that_it_starts_from_random_ones() -> None:
    with pytest.warns(UserWarning, match=r"yolo_v8_xs_backbone_coco: the weights are random; weights='published'"):
        archdsl.build_from_config("yolo_v8_xs_backbone_coco", input_shape=(32, 32, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        archdsl.build_from_config("yolo_v8_xs_backbone_coco", weights=False, input_shape=(32, 32, 3))
        archdsl.from_preset("yolo_v8_xs_backbone_coco", load_weights=False, input_shape=(32, 32, 3))
        archdsl.build_from_config("yolo_v8_xs_backbone", input_shape=(32, 32, 3))


def test_published_weights_can_be_asked_for_by_that_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = build()
    weights.save(source, tmp_path / "a.safetensors")
    asked: list[str] = []

    def trained(info: archdsl.PresetInfo) -> Path:
        asked.append(info.name)
        return tmp_path / "a.safetensors"

    monkeypatch.setattr("archdsl.models.hub.trained_weights", trained)
    monkeypatch.setattr("archdsl.api.load", lambda config, *_: load(TINY))
    model = archdsl.build_from_config("yolo_v8_xs_backbone_coco", weights="published")
    assert asked == ["yolo_v8_xs_backbone_coco"]
    assert largest_difference(model(image()), source(image())) == 0


@pytest.mark.parametrize(
    ("config", "words"),
    [(TINY, "only a preset has published weights"), ("resnet18_v2", "'resnet18_v2' has no trained weights")],
)
def test_published_weights_that_there_are_not_are_an_error(config: Any, words: str) -> None:
    with pytest.raises(archdsl.ArchError, match=words) as caught:
        archdsl.build_from_config(config, weights="published")
    assert [problem.code for problem in caught.value.problems] == ["no-weights"]


def test_weights_are_loaded_or_the_model_is_left_alone(tmp_path: Path) -> None:
    model = build()
    weights.save(model, tmp_path / "a.weights.h5")
    assert [path.name for path in tmp_path.iterdir()] == ["a.weights.h5"]
    keras.utils.set_random_seed(1)
    other = archdsl.build_from_config(TINY, weights=tmp_path / "a.weights.h5")
    assert largest_difference(other(image()), model(image())) == 0
    wider = archdsl.build_from_config(TINY, ["stages.p3.width=20"])
    before = wider.get_weights()
    with pytest.raises(archdsl.ArchError, match="does not fit"):
        weights.load(wider, tmp_path / "a.weights.h5")
    assert all(np.array_equal(old, new) for old, new in zip(before, wider.get_weights(), strict=True))
    (tmp_path / "b.weights.h5").write_text("<html>")
    for name in ("b.weights.h5", "none.weights.h5"):
        with pytest.raises(archdsl.ArchError):
            weights.load(model, tmp_path / name)


def test_the_graph_of_a_model_is_that_of_its_config() -> None:
    assert isinstance(build().graph, Graph)
    assert str(build(input_shape=(64, 64, 3)).graph) == str(archdsl.compile_config(TINY, input_shape=(64, 64, 3)))


def test_leaky_relu_and_group_norm_are_keras_own() -> None:
    model = archdsl.build_from_config(
        TINY, ["+conventions={activation: leaky_relu, slope: 0.25, norm: {kind: group, groups: 4}}"]
    )
    assert model.get_layer("stem_conv_act").negative_slope == 0.25
    assert model.get_layer("p2_down_bn").groups == 4
    assert model(image()).shape == (2, 4, 6, 24)


def test_a_level_beside_the_path_to_the_output_is_part_of_the_model(tmp_path: Path) -> None:
    config = {
        "input": {"shape": [16, 16, 3]},
        "stages": {
            "a": {"width": 8, "body": {"block": "conv"}},
            "b": {"width": 16, "body": {"block": "conv_bn_act"}},
            "c": {"width": 4, "body": {"block": "conv", "from": "a"}},
        },
    }
    model = archdsl.build_from_config(config)
    assert model.count_params() == archdsl.analyze(config, input_shape=(16, 16, 3)).params
    assert len(model.trainable_variables) == 7
    pixels = image(16, 16)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    assert largest_difference(loaded.features(["b"])(pixels)["b"], model.features(["b"])(pixels)["b"]) == 0
