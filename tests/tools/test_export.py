"""archdsl export: a file for another runtime, that is run and compared before it gets its name."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import yaml
from onnx import numpy_helper
from support import TESTS

import archdsl

pytestmark = pytest.mark.slow  # whole commands, one after the other

FILES = TESTS / "weights" / "files"
TINY = "scale.width=0.0625"
CONFIG = ("--config", "yolo_v5_s_backbone", "scale.width=0.03125")
WITHOUT = """
import sys
class Absent:
    def find_spec(self, name, *rest):
        if name.split(".")[0] in {without!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Absent())
from archdsl.tools.cli import main
{calls}
"""


def test_a_checkpoint_becomes_onnx_without_any_framework_and_gives_the_numbers_of_pytorch(tmp_path: Path) -> None:
    calls = [
        [
            "import",
            str(FILES / "yolo_v5.pt"),
            "scale.width=0.03125",
            "--config",
            "yolo_v5_s_backbone",
            "-o",
            "a.safetensors",
        ],
        ["export", "a.safetensors", "-o", "a.onnx", "--outputs", "P5"],
    ]
    program = WITHOUT.format(
        without=["keras", "tensorflow", "torch", "h5py"], calls="\n".join(f"main({call!r})" for call in calls)
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=tmp_path, capture_output=True)
    session = onnxruntime.InferenceSession(tmp_path / "a.onnx")
    with np.load(FILES / "yolo_v5.npz") as known:
        (found,) = session.run(None, {"input": (255 * known["image"]).astype("float32")})
        assert np.abs(found - known["result0"]).max() < 1e-5 * np.abs(known["result0"]).max()


def test_the_file_says_what_it_takes_and_gives_and_what_it_is_of(run: Any, tmp_path: Path) -> None:
    done = run("export", "yolo_v8_xs_detect", TINY, "-o", "a.onnx", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["bytes"] == (tmp_path / "a.onnx").stat().st_size
    assert set(told["differences"]) == {"boxes", "scores"}
    assert 0 <= max(told["differences"].values()) < 1e-4
    assert len(told["sizes"]) == 2
    model = onnx.load(tmp_path / "a.onnx")
    assert sides(model.graph.input) == {"input": ["batch", "height", "width", 3]}
    assert sides(model.graph.output) == {"boxes": ["batch", "places", 4], "scores": ["batch", "places", 80]}
    config = {each.key: each.value for each in model.metadata_props}["config"]
    assert archdsl.analyze(yaml.safe_load(config)).params == archdsl.analyze("yolo_v8_xs_detect", [TINY]).params
    assert "BatchNormalization" not in {node.op_type for node in model.graph.node}


@pytest.mark.parametrize(
    ("options", "inputs", "outputs"),
    [
        (["--size", "96x64"], [("batch"), 96, 64, 3], {"P3": ["batch", 12, 8, 16]}),
        (["--size", "64", "--batch", "2", "--layout", "nchw"], [2, 3, 64, 64], {"P3": [2, 16, 8, 8]}),
        (["--size", "dynamic"], ["batch", "height", "width", 3], {"P3": ["batch", "height_P3", "width_P3", 16]}),
    ],
)
def test_sizes_batch_layout_and_outputs_are_as_asked_for(
    run: Any, tmp_path: Path, options: list[str], inputs: list[Any], outputs: dict[str, list[Any]]
) -> None:
    done = run("export", "yolo_v8_xs_detect", TINY, "-o", "a.onnx", "--outputs", "P3", *options)
    assert done.returncode == 0, done.stderr
    model = onnx.load(tmp_path / "a.onnx")
    assert (sides(model.graph.input), sides(model.graph.output)) == ({"input": inputs}, outputs)


def test_a_size_may_be_known_in_one_direction(tmp_path: Path) -> None:
    done = archdsl.export("yolo_v8_xs_detect", tmp_path / "a.onnx", [TINY], size=(None, 64))
    assert sides(onnx.load(done.file).graph.input) == {"input": ["batch", "height", 64, 3]}
    assert done.proof.sizes == ((64, 64), (96, 64))


@pytest.mark.keras
def test_weights_of_a_file_are_those_of_the_model(run: Any, tmp_path: Path) -> None:
    model = archdsl.build_from_config("csp_darknet_tiny", [TINY])
    archdsl.weights.save(model, tmp_path / "a.safetensors")
    model.save_weights(tmp_path / "a.weights.h5")
    model.save(tmp_path / "a.keras")
    image = np.random.default_rng(0).uniform(0, 255, (1, 64, 64, 3)).astype("float32")
    expected = model.features(["P5"])(image)["P5"]
    for source in ("a.safetensors", "a.weights.h5", "a.keras"):
        call = ["export", "csp_darknet_tiny", TINY, "--weights", source, "-o", "a.onnx", "--outputs", "P5", "--force"]
        done = run(*call, "--no-fuse")
        assert done.returncode == 0, done.stderr
        (found,) = onnxruntime.InferenceSession(tmp_path / "a.onnx").run(None, {"input": image})
        assert np.allclose(found, expected, rtol=1e-4, atol=1e-5), source
    assert "BatchNormalization" in {node.op_type for node in onnx.load(tmp_path / "a.onnx").graph.node}


def test_half_precision_halves_the_file_and_takes_the_same_images(run: Any, tmp_path: Path) -> None:
    for precision in ("float32", "float16"):
        done = run("export", "yolo_v8_xs_detect", "-o", f"{precision}.onnx", "--precision", precision)
        assert done.returncode == 0, done.stderr
    sizes = [(tmp_path / f"{precision}.onnx").stat().st_size for precision in ("float16", "float32")]
    assert sizes[0] < 0.55 * sizes[1]
    model = onnx.load(tmp_path / "float16.onnx")
    assert model.graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    kinds = {numpy_helper.to_array(each).dtype.name for each in model.graph.initializer if "kernel" in each.name}
    assert kinds == {"float16"}


@pytest.mark.parametrize("ending", ["xml", pytest.param("tflite", marks=pytest.mark.keras)])
def test_half_precision_halves_what_openvino_and_litert_read(tmp_path: Path, ending: str) -> None:
    body = {"block": "conv_bn_act", "kernel": 3}
    stages = {f"p{level}": {"width": 128, "stride": 2, "body": body} for level in (1, 2, 3)}
    half, full = [
        archdsl.export({"stages": stages}, tmp_path / f"{precision}.{ending}", size=64, precision=precision).bytes
        for precision in ("float16", "float32")
    ]
    assert half < 0.55 * full


def test_onnx_alone_is_enough_to_write_and_to_prove(tmp_path: Path) -> None:
    program = WITHOUT.format(
        without=["keras", "tensorflow", "torch", "onnxruntime"],
        calls=f"main({['export', 'csp_darknet_tiny', TINY, '-o', 'a.onnx', '--size', '64']!r})",
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, cwd=tmp_path, capture_output=True, text=True)
    assert "onnx's evaluator: differs by at most" in done.stdout


def test_a_missing_package_names_its_extra(tmp_path: Path) -> None:
    program = WITHOUT.format(without=["onnx"], calls="main(['export', 'csp_darknet_tiny', '-o', 'a.onnx'])")
    done = subprocess.run([sys.executable, "-c", program], check=False, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert "onnx is not installed" in done.stderr and "pip install 'archdsl[onnx]'" in done.stderr


def test_a_file_that_gives_something_else_is_not_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from archdsl.backends.form import Form
    from archdsl.frontend.compose.config import load
    from archdsl.models import export
    from archdsl.weights.network import network_of

    network = network_of(load("csp_darknet_tiny", [TINY]))
    wrong = {name: tuple(1.1 * array for array in arrays) for name, arrays in network.weights.items()}
    monkeypatch.setattr(export, "fused", lambda network, form: network._replace(weights=wrong))
    with pytest.raises(archdsl.ArchError, match=r"differs by .*; expected at most 0.0001"):
        export.export(network, tmp_path / "a.onnx", "onnx", Form())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (["csp_darknet_tiny", "-o", "-"], "not the name of a file hint: expected one such as net.onnx"),
        (["csp_darknet_tiny", "-o", ".onnx"], "not the name of a file"),
        (["csp_darknet_tiny", "-o", "a.pb"], "no format ends in '.pb'; expected one of: .onnx"),
        (["csp_darknet_tiny", "-o", "a.onnx", "--outputs", "p9"], "--outputs: error[unknown-output]: outputs.0"),
        (["csp_darknet_tiny", "-o", "a.onnx", "--size", "0"], "'0' is not an image size"),
        (["csp_darknet_tiny", "-o", "a.onnx", "--batch", "0"], "0 is not in the range"),
        (["csp_darknet_tiny", "-o", "no/a.onnx"], "there is no folder 'no'"),
        (["csp_darknet_tiny", "-o", "a.onnx", "--weights", "none.pt"], "there is no such weights file"),
        (["csp_darknet_tiny", "-o", "a.onnx", "--weights", str(FILES / "yolo_v5.pt")], "does not fit csp_darknet_tiny"),
    ],
)
def test_what_cannot_be_exported_is_told_and_nothing_is_written(
    run: Any, tmp_path: Path, call: list[str], message: str
) -> None:
    done = run("export", *call)
    assert done.returncode == 2
    assert message in " ".join(done.stderr.split())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.keras
def test_formats_of_tensorflow_say_so_on_another_backend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import keras

    from archdsl.backends.keras import serving

    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    monkeypatch.setattr(serving, "keras_model", None)  # whose results have no .numpy() there
    with pytest.raises(archdsl.ArchError, match="needs TensorFlow; Keras runs on jax"):
        archdsl.export("csp_darknet_tiny", tmp_path / "a.tflite", [TINY])


@pytest.mark.keras
@pytest.mark.parametrize(("batch", "expected"), [(None, 1), (3, 3)])
def test_litert_takes_one_image_if_no_number_is_asked_for(tmp_path: Path, batch: int | None, expected: int) -> None:
    """As TensorFlow's own converter does it: convolutions are dilated only where no shape is open."""
    import tensorflow

    layers = {"down": {"block": "conv_bn_act"}, "body": {"block": "conv_bn_act", "dilation": 2}}
    stages = {"p1": {"width": 8, "stride": 2, **layers}}
    archdsl.export({"stages": stages}, tmp_path / "a.tflite", size=32, batch=batch)
    interpreter = tensorflow.lite.Interpreter(str(tmp_path / "a.tflite"))
    assert [*interpreter.get_input_details()[0]["shape_signature"]] == [expected, 32, 32, 3]
    assert "SPACE_TO_BATCH_ND" not in {each["op_name"] for each in interpreter._get_ops_details()}


@pytest.mark.keras
def test_litert_takes_a_detector_of_any_size(tmp_path: Path) -> None:
    import tensorflow

    done = archdsl.export("yolo_v8_xs_detect", tmp_path / "a.tflite", [TINY], size="dynamic")
    assert len(done.proof.sizes) == 2
    details = tensorflow.lite.Interpreter(str(tmp_path / "a.tflite")).get_input_details()[0]
    assert [*details["shape_signature"]] == [1, -1, -1, 3]


@pytest.mark.keras
def test_a_saved_model_has_gradients(tmp_path: Path) -> None:
    import tensorflow

    stages = {"p1": {"width": 8, "stride": 2, "body": {"block": "conv_bn_act", "kernel": 3, "activation": "silu"}}}
    archdsl.export({"stages": stages}, tmp_path / "folder", size=32)
    loaded = tensorflow.saved_model.load(str(tmp_path / "folder"))
    image = tensorflow.ones((1, 32, 32, 3))
    with tensorflow.GradientTape() as tape:
        tape.watch(image)
        (result,) = loaded.serve(image).values()
    assert np.abs(tape.gradient(result, image)).max() > 0


@pytest.mark.keras
@pytest.mark.parametrize("name", ["folder", "a.tflite"])
@pytest.mark.parametrize("enlarging", [{"block": "upsample", "interpolation": "bilinear"}, {"block": "pixel_shuffle"}])
def test_a_map_of_any_size_is_enlarged(tmp_path: Path, name: str, enlarging: dict[str, Any]) -> None:
    stages = {"p1": {"width": 16, "stride": 2, "body": {"block": "conv_bn_act", "kernel": 3}}}
    neck = {"up": enlarging, "end": {"block": "conv", "filters": 5, "kernel": 3}}
    proof = archdsl.export({"stages": stages, "neck": neck}, tmp_path / name, size="dynamic").proof
    assert len(proof.sizes) == 2 and not proof.steady


@pytest.mark.keras
def test_what_litert_cannot_hold_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a way of our own to repeat the pixels of a map of any size."""
    monkeypatch.setattr("archdsl.backends.keras.serving_graph.sized_by_the_image", lambda graph: graph)
    with pytest.raises(archdsl.ArchError) as caught:
        archdsl.export("yolo_v8_xs_detect", tmp_path / "a.tflite", [TINY], size="dynamic")
    (problem,) = caught.value.problems
    assert problem.message.startswith("LiteRT cannot hold this network: neck_td4_split_conv: 'tf.Conv2D' op is neither")
    assert problem.hint == "try a known --size"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.keras
def test_what_tensorflow_cannot_save_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bilinear layer of Keras, in a graph of unknown sides."""
    monkeypatch.setattr("archdsl.backends.keras.serving_graph.sized_by_the_image", lambda graph: graph)
    stages = {"p1": {"width": 8, "stride": 2, "body": {"block": "conv_bn_act"}}}
    config = {"stages": stages, "neck": {"up": {"block": "upsample", "interpolation": "bilinear"}}}
    with pytest.raises(archdsl.ArchError, match=r"TensorFlow cannot hold this network: .*UpSampling2D"):
        archdsl.export(config, tmp_path / "folder", size="dynamic")
    assert list(tmp_path.iterdir()) == []


def sides(values: Any) -> dict[str, list[Any]]:
    return {
        each.name: [side.dim_param or side.dim_value for side in each.type.tensor_type.shape.dim] for each in values
    }


def test_openvino_has_two_files_and_replaces_neither_unasked(run: Any, tmp_path: Path) -> None:
    call = ["export", "csp_darknet_tiny", TINY, "-o", "a.xml"]
    (tmp_path / "a.bin").write_text("mine")
    assert "a.bin: error[output]: exists already" in run(*call).stderr
    done = run(*call, "--force")
    assert done.returncode == 0, done.stderr
    assert "OpenVINO: differs by at most" in done.stdout
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.bin", "a.xml"]


@pytest.mark.keras
@pytest.mark.parametrize(("output", "layout"), [("a.tflite", "nhwc"), ("folder", "nchw")])
def test_what_goes_through_keras_gives_what_the_model_gives(run: Any, tmp_path: Path, output: str, layout: str) -> None:
    done = run("export", "csp_darknet_tiny", TINY, "-o", output, "--size", "64x96", "--layout", layout)
    assert done.returncode == 0, done.stderr
    assert [each.name for each in tmp_path.iterdir()] == [output]
    again = run("export", "csp_darknet_tiny", TINY, "-o", output, "--size", "64x96")
    assert "exists already" in again.stderr
    params = archdsl.analyze("csp_darknet_tiny", [TINY]).params
    size = sum(each.stat().st_size for each in [tmp_path / output, *tmp_path.rglob("*")] if each.is_file())
    if layout == "nchw":  # every weight is stored once
        assert size < 4 * params + 700_000


@pytest.mark.parametrize(
    "layer",
    [
        {"block": "channel_shuffle"},
        {"block": "channel_shuffle", "groups": 4},
        {"block": "reverse_channels"},
        {"block": "slice", "start": 1, "stop": 3, "groups": 4},
    ],
    ids=str,
)
@pytest.mark.parametrize("size", [32, "dynamic"])
def test_openvino_keeps_the_order_of_channels_between_kernels(tmp_path: Path, layer: Any, size: Any) -> None:
    """It works a Gather into the kernel behind it, and has shuffled channels back to front there."""
    stages = {"p1": {"width": 16, "stride": 2, "body": {"block": "conv_bn_act"}}}
    config = {"stages": stages, "neck": {"moved": layer, "conv": {"block": "conv", "filters": 8}}}
    done = archdsl.export(config, tmp_path / "a.xml", size=size)
    assert done.proof.largest < 1e-5 and not done.proof.steady


def test_openvino_tells_nobody(tmp_path: Path) -> None:
    hook = "sys.addaudithook(lambda event, found: event in ('os.fork', 'socket.connect') and os._exit(9))"
    call = ["export", "csp_darknet_tiny", TINY, "-o", "a.xml", "--size", "64"]
    program = f"import os, sys; {hook}\nfrom archdsl.tools.cli import main; main({call!r})"
    done = subprocess.run([sys.executable, "-c", program], check=False, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"format": "onx"}, "format=text 'onx'; expected one of: onnx, openvino, litert, saved_model"),
        ({"layout": "nwhc"}, "layout=text 'nwhc'; expected one of: nhwc, nchw"),
        ({"format": "saved_model", "precision": "float16"}, "saved_model has no float16; expected one of: float32"),
        ({"precision": "float"}, "onnx has no float; expected one of: float32, float16, int8"),
    ],
)
def test_a_word_that_export_does_not_know_is_told(tmp_path: Path, asked: dict[str, Any], message: str) -> None:
    with pytest.raises(archdsl.ArchError) as caught:
        archdsl.export("csp_darknet_tiny", tmp_path / "a.onnx", [TINY], **asked)
    assert message in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.keras
def test_the_levels_of_a_neck_are_what_features_and_an_exported_file_give(tmp_path: Path) -> None:
    chosen = ["neck=pan_c2f", TINY]
    model = archdsl.build_from_config("yolo_v8_xs_backbone", chosen)
    image = np.random.default_rng(0).uniform(0, 255, (1, 64, 96, 3)).astype("float32")
    maps = model.features()(image)
    assert [*maps] == ["P3", "P4", "P5", "n3", "n4", "n5"]
    assert [tuple(maps[f"n{level}"].shape[1:3]) for level in (3, 4, 5)] == [(8, 12), (4, 6), (2, 3)]
    assert np.array_equal(maps["n5"], model(image))
    archdsl.export(model, tmp_path / "a.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "a.onnx")
    assert [each.name for each in session.get_outputs()] == ["n3", "n4", "n5"]


@pytest.mark.keras
@pytest.mark.parametrize("name", ["folder", "a.tflite"])
def test_a_full_disk_is_told_by_tensorflow_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    import tensorflow

    def fails(*_: Any, **__: Any) -> None:
        raise tensorflow.errors.ResourceExhaustedError(None, None, "a/variables; No space left on device [Op:SaveV2]")

    monkeypatch.setattr(tensorflow.saved_model, "save", fails)
    with pytest.raises(archdsl.ArchError, match=rf"{name}: .*cannot be written: No space left on device$"):
        archdsl.export("csp_darknet_tiny", tmp_path / name, [TINY], size=64)
    assert list(tmp_path.iterdir()) == []
