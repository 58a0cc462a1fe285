"""archdsl export: int8 of a folder of photos, the best boxes in the file, and the function of the same name."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from PIL import Image
from support import REPOSITORY

import archdsl
from archdsl.analysis.trial_images import random_images, trial_sides
from archdsl.backends import onnx as backend
from archdsl.backends.form import Form
from archdsl.backends.onnx import suppression
from archdsl.backends.runtimes import run_litert, run_onnx, run_openvino
from archdsl.frontend.compose.config import load
from archdsl.frontend.yaml.embedded import metadata
from archdsl.ir.ops import BatchNorm
from archdsl.models import calibration
from archdsl.models.export import formats, proof
from archdsl.models.export.settling import settled
from archdsl.weights.formats.safetensors import write_arrays
from archdsl.weights.network import network_of

pytestmark = pytest.mark.slow

TINY = "scale.width=0.0625"
DETECTOR = ("yolo_v8_xs_detect", TINY, "--size", "64")


@pytest.fixture
def photos(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Three parts of a photo in three formats, and what is no photo beside them."""
    folder = tmp_path_factory.mktemp("photos")
    photo = Image.open(REPOSITORY / "examples" / "photo.jpg").convert("RGB")
    for number, ending in enumerate((".png", ".JPG", ".webp")):
        photo.crop((90 * number, 40 * number, 300 + 90 * number, 200 + 40 * number)).save(folder / f"a{number}{ending}")
    (folder / "notes.txt").write_text("not a photo")
    return str(folder)


def kernels(file: Path) -> tuple[set[str], set[str]]:
    """Layers whose kernels are int8, and those whose kernels are float32."""
    model = onnx.load(file)
    kinds = {each.name: each.data_type for each in model.graph.initializer}
    makers = {name: node for node in model.graph.node for name in node.output}
    both: tuple[set[str], set[str]] = set(), set()
    for node in model.graph.node:
        if node.op_type in ("Conv", "ConvTranspose", "Gemm", "MatMul") and "/kernel" in node.input[1]:
            is_float = kinds.get(node.input[1]) == onnx.TensorProto.FLOAT
            both[is_float].add(node.name.partition("/")[0])
            if not is_float:
                weight = makers[node.input[1]]
                assert weight.op_type == "DequantizeLinear" and kinds[weight.input[0]] == onnx.TensorProto.INT8
                (scale,) = [each for each in model.graph.initializer if each.name == weight.input[1]]
                assert len(scale.dims) == 1  # one for each channel
    return both


def test_int8_is_a_third_of_the_file_and_tells_the_cosine_of_each_result(run: Any, tmp_path: Path, photos: str) -> None:
    call = ["export", "resnet18_v2", "--size", "64", "-o", "a.onnx", "--precision", "int8", "--calibrate", photos]
    done = run(*call, "--json", "--keep", "first")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["precision"] == "int8" and min(told["cosines"].values()) > 0.98
    assert done.stderr.splitlines() == [f"reading at most 64 photos of {photos}", "writing a.onnx"]
    assert [each.name for each in tmp_path.iterdir()] == ["a.onnx"]
    assert (tmp_path / "a.onnx").stat().st_size < 1.1 * archdsl.analyze("resnet18_v2").params + 200_000
    assert {each.key for each in onnx.load(tmp_path / "a.onnx").metadata_props} >= {"config"}
    in_int8, in_float = kernels(tmp_path / "a.onnx")
    assert len(in_int8) > 15 and len(in_float) == 1


@pytest.mark.parametrize(
    ("options", "floats"),
    [
        ([], {"head_box", "head_class"}),
        (["--keep", ""], set()),
        (["--keep", "First"], {"stem_conv_conv"}),
        (["--keep", "stages.p5.down"], {"p5_down"}),
        (["--keep", "stem,head.box"], {"stem_conv_conv", "head_box"}),
    ],
)
def test_layers_are_kept_by_name_and_what_follows_the_last_is_always(
    run: Any, tmp_path: Path, photos: str, options: list[str], floats: set[str]
) -> None:
    done = run(
        "export", *DETECTOR, "-o", "a.onnx", "--precision", "int8", "--calibrate", photos, *options, "--batch", "2"
    )
    assert done.returncode == 0, done.stderr
    in_int8, in_float = kernels(tmp_path / "a.onnx")
    assert {name if name.startswith("stem") else "_".join(name.split("_")[:2]) for name in in_float} == floats
    assert in_int8
    decode = [node for node in onnx.load(tmp_path / "a.onnx").graph.node if node.op_type == "Softmax"]
    assert decode and not any("Quantize" in name for node in decode for name in node.input)


def test_openvino_takes_int8(run: Any, tmp_path: Path, photos: str) -> None:
    call = ["export", *DETECTOR, "-o", "a.xml", "--precision", "int8", "--calibrate", photos, "--layout", "nchw"]
    done = run(*call)
    assert done.returncode == 0, done.stderr
    assert "OpenVINO: cosines to float32 on photos of 64 × 64: boxes" in done.stdout
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.bin", "a.xml"]
    assert 'element_type="i8"' in (tmp_path / "a.xml").read_text()


def test_photos_are_grey_for_a_network_of_one_channel(tmp_path: Path, photos: str) -> None:
    """As Pillow has it, ITU-R 601: a photo's green counts for more than its blue."""
    stages = {f"p{level}": {"width": 8, "stride": 2, "body": {"block": "conv_bn_act"}} for level in (1, 2, 3)}
    config = {"input": {"shape": [64, 64, 1]}, "stages": stages}
    done = archdsl.export(config, tmp_path / "a.onnx", precision="int8", calibrate=photos)
    assert min(done.proof.cosines.values()) > 0.99
    form = Form(batch=2, precision="int8")
    found = calibration.photos_of(photos, archdsl.compile_config(config), form)
    green, blue = [Image.new("RGB", (64, 64), color) for color in ((0, 255, 0), (0, 0, 255))]
    for image, value in ((green, 0.587), (blue, 0.114)):
        image.save(tmp_path / "a.png")
        grey = found.read(tmp_path / "a.png")
        assert grey.shape == (2, 64, 64, 1) and np.allclose(grey, value, atol=0.003)


@pytest.mark.parametrize("name", ["a.onnx", "a.xml"])
def test_a_transposed_convolution_is_in_int8_too(tmp_path: Path, photos: str, name: str) -> None:
    stages = {"p1": {"width": 64, "stride": 2, "body": {"block": "conv_bn_act"}}}
    neck = {"up": {"block": "transposed_conv", "width": 64, "kernel": 5}, "end": {"block": "conv", "filters": 8}}
    config = {"stages": stages, "neck": neck}
    done = archdsl.export(config, tmp_path / name, size=64, precision="int8", calibrate=photos)
    assert 5 * 5 * 64 * 64 < done.bytes < 2 * 5 * 5 * 64 * 64  # a byte for each number of the largest kernel
    assert min(done.proof.cosines.values()) > 0.999


@pytest.mark.keras
def test_litert_takes_int8(run: Any, tmp_path: Path, photos: str) -> None:
    call = [
        "export",
        "csp_darknet_tiny",
        TINY,
        "--size",
        "64",
        "-o",
        "a.tflite",
        "--precision",
        "int8",
        "--outputs",
        "P3",
    ]
    done = run(*call, "--calibrate", photos)
    assert done.returncode == 0, done.stderr
    assert "LiteRT: cosines to float32 on photos of 64 × 64: P3 0.9" in done.stdout
    assert {line.partition(" ")[0] for line in done.stderr.splitlines()} == {"reading", "writing"}
    assert [each.name for each in tmp_path.iterdir()] == ["a.tflite"]


def operators(file: Path) -> list[tuple[str, str, str]]:
    """Of a .tflite file: what each operator is, the type of its first result, and the name of that."""
    import tensorflow

    plain = tensorflow.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = tensorflow.lite.Interpreter(str(file), experimental_op_resolver_type=plain)
    found = {each["index"]: each for each in interpreter.get_tensor_details()}
    results = [(each["op_name"], found[each["outputs"][0]]) for each in interpreter._get_ops_details()]
    return [(kind, result["dtype"].__name__, result["name"]) for kind, result in results]


@pytest.mark.keras
@pytest.mark.parametrize(
    ("keep", "floats"),
    [
        (["last"], {"head_box", "head_class"}),
        (["First", "stages.p5.down", "p2_body"], {"stem_conv", "p5_down", "p2_body"}),
    ],
)
def test_layers_are_kept_in_litert_too_and_what_follows_the_last_is_always(
    tmp_path: Path, photos: str, keep: list[str], floats: set[str]
) -> None:
    archdsl.export(
        "yolo_v8_xs_detect", tmp_path / "a.tflite", [TINY], size=64, precision="int8", calibrate=photos, keep=keep
    )
    found = operators(tmp_path / "a.tflite")
    kernels = [(name.split("/")[2], kind) for op, kind, name in found if op == "CONV_2D"]
    in_float = {"_".join(layer.split("_")[:2]) for layer, kind in kernels if kind == "float32"}
    assert in_float == floats and len(kernels) > 50
    of_layers = [kind for op, kind, name in found if "p2_body" in name and op not in ("QUANTIZE", "DEQUANTIZE")]
    assert of_layers and {*of_layers} == ({"float32"} if "p2_body" in keep else {"int8"})
    behind = found[next(index for index, (op, _, _) in enumerate(found) if op == "SOFTMAX") :]
    assert "int8" not in {kind for _, kind, name in behind if "head_boxes" in name}  # sizes are int32
    assert "SPLIT" not in {op for op, _, _ in found}  # what has several results cannot be kept


@pytest.mark.keras
@pytest.mark.parametrize(
    ("name", "overrides", "largest"),
    [("yolo_v8_xs_detect", [TINY], 1_000_000), ("retinanet_resnet18_v2_detect", [], 26_400_000)],
)
def test_boxes_of_litert_in_int8_are_not_rounded_to_256_places(
    tmp_path: Path, photos: str, name: str, overrides: list[str], largest: int
) -> None:
    done = archdsl.export(name, tmp_path / "a.tflite", overrides, size=64, precision="int8", calibrate=photos)
    assert min(done.proof.cosines.values()) > 0.99
    assert done.bytes < largest  # in float32 2,400,000 and 81,000,000, of the weights alone
    photo = np.random.default_rng(0).uniform(0, 255, (1, 64, 64, 3)).astype("float32")
    boxes = run_litert(tmp_path / "a.tflite")(photo)["boxes"]
    assert np.unique(boxes).size > 0.99 * boxes.size


@pytest.mark.keras
@pytest.mark.parametrize(("activation", "padding"), [("relu", "symmetric"), ("silu", [[2, 1], [0, 2]])])
def test_a_maximum_beyond_the_edge_takes_none_of_the_256_steps(
    tmp_path: Path, photos: str, activation: str, padding: object
) -> None:
    """Minus infinity, which the network has there, would stretch them to 10^36 each; ResNets begin with such a pool."""
    pool = {"block": "max_pool", "kernel": 4, "stride": 2, "padding": padding}
    stages = {
        "p1": {"width": 8, "stride": 2, "body": {"block": "conv_bn_act"}},
        "p2": {"width": 8, "stride": 2, "down": pool, "body": {"block": "conv_bn_act"}},
    }
    config = {"conventions": {"activation": activation, "padding": "symmetric"}, "stages": stages}
    done = archdsl.export(config, tmp_path / "a.tflite", size=64, precision="int8", calibrate=photos)
    assert done.proof.cosines["P2"] > 0.99


@pytest.mark.keras
def test_a_maximum_mostly_beyond_the_edge_is_refused_and_not_approximated(tmp_path: Path, photos: str) -> None:
    """Its first window has one row of the map; mirrored pixels would bring three into it."""
    pool = {"block": "max_pool", "kernel": 4, "stride": 2, "padding": [[3, 0], [3, 0]]}
    stages = {f"p{level}": {"width": 8, "stride": 2, "body": {"block": "conv_bn_act"}} for level in (1, 3)}
    stages["p2"] = {"width": 8, "stride": 2, "down": pool, "body": {"block": "conv_bn_act"}}
    config = {"stages": dict(sorted(stages.items()))}
    with pytest.raises(archdsl.ArchError, match=r"does not run: RuntimeError|has cosine"):
        archdsl.export(config, tmp_path / "a.tflite", size=64, precision="int8", calibrate=photos)
    assert not [*tmp_path.iterdir()]


@pytest.mark.keras
def test_what_does_not_run_is_told_and_not_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(path: Path) -> Any:
        raise RuntimeError("failed to create XNNPACK runtime\n(many lines)")

    monkeypatch.setattr(formats, "run_litert", run)
    with pytest.raises(archdsl.ArchError, match="does not run: RuntimeError: failed to create XNNPACK runtime") as told:
        archdsl.export("csp_darknet_tiny", tmp_path / "a.tflite", [TINY], size=64)
    assert "many lines" not in str(told.value) and not [*tmp_path.iterdir()]


def test_a_poor_result_is_warned_of_and_a_bad_one_is_not_left(
    tmp_path: Path, photos: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from archdsl.tools.cli import main

    monkeypatch.chdir(tmp_path)
    call = ["export", *DETECTOR, "-o", "a.onnx", "--precision", "int8", "--calibrate", photos]
    monkeypatch.setattr(proof, "cosine", lambda expected, received: 0.95)
    main(call)
    assert "a.onnx: cosine below 0.98 of boxes, scores; --keep more layers" in capfd.readouterr().err
    (tmp_path / "a.onnx").unlink()
    monkeypatch.setattr(proof, "cosine", lambda expected, received: float("nan"))
    with pytest.raises(SystemExit, match="2"):
        main(call)
    assert "boxes of a.onnx has cosine nan; expected at least 0.9" in capfd.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (["--precision", "int8"], "int8 needs photos, whose ranges it is made for hint: --calibrate FOLDER"),
        (["--calibrate", "PHOTOS"], "are for int8; the precision is float32 hint: --precision int8"),
        (["--precision", "int8", "--calibrate", "."], "no photos in this folder"),
        (["--precision", "int8", "--calibrate", "none"], "none: error[unreadable]: cannot be read: No such file"),
        (["--precision", "int8", "--calibrate", "PHOTOS", "--keep", "stam"], "no layer 'stam' to keep in float32"),
        (["--precision", "int8", "--calibrate", "PHOTOS", "--keep", "stem,p2,p3,p4,p5,neck,head"], "nothing is left"),
        (["--nms", "--outputs", "P3"], "has no boxes to suppress; its outputs: P3 of 16 channels hint: expected"),
        (["--nms", "--format", "litert"], "litert has no suppression of boxes; ONNX and OpenVINO have"),
        (["--nms", "--iou", "1.5"], "1.5 is not in the range"),
    ],
)  # fmt: skip
def test_what_cannot_be_had_is_told_and_nothing_is_written(
    run: Any, tmp_path: Path, photos: str, call: list[str], message: str
) -> None:
    done = run("export", *DETECTOR, "-o", "a.onnx", *[photos if each == "PHOTOS" else each for each in call])
    assert done.returncode == 2
    assert message in " ".join(done.stderr.split())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("output", "run_file"), [("a.onnx", run_onnx), ("a.xml", run_openvino)])
def test_a_file_may_leave_the_best_boxes(run: Any, tmp_path: Path, output: str, run_file: Any) -> None:
    done = run("export", *DETECTOR, "-o", output, "--nms", "--confidence", "0", "--iou", "0.1", "--limit", "9")
    assert done.returncode == 0, done.stderr
    images = np.random.default_rng(0).uniform(0, 255, (3, 64, 64, 3)).astype("float32")
    found = run_file(tmp_path / output)(images)
    boxes, scores, classes, of_image = [found[name] for name in ("boxes", "scores", "classes", "images")]
    assert boxes.shape == (len(scores), 4) and len(scores) == len(classes) == len(of_image)
    assert set(of_image) == {0, 1, 2} and max(np.bincount(of_image)) <= 9
    assert classes.max() < 80


SHARED = {
    "conventions": {"norm": {"epsilon": 0.1}},
    "stages": {f"p{level}": {"width": 16, "stride": 2, "body": {"block": "conv_bn_act"}} for level in (1, 2, 3)},
    "neck": {"tower": {"block": "conv_bn_act", "each": ["p2", "p3"], "share": True, "filters": 16, "kernel": 3}},
}


@pytest.mark.parametrize(("config", "count"), [("mobilenet_v3_small_backbone", 33), (SHARED, 4)])
def test_without_training_each_norm_has_the_mean_and_variance_of_what_it_reads(config: Any, count: int) -> None:
    """As a step of training would leave them, with these images for a batch; else values are 1e-9 after 20 layers."""
    judge = formats.FORMATS["onnx"]
    begun = network_of(load(config))
    network = settled(begun, judge)
    norms = [node for node in network.graph.nodes if isinstance(node.op, BatchNorm) and node.owner is None]
    graph = network.graph.only({f"{node.name} gives": node for node in norms})
    image = random_images(network.graph, 1, trial_sides(network.graph)).astype("float32")
    found = judge.expected(network._replace(graph=graph), Form(batch=1))(image)
    assert len(found) == len(norms) == count
    for node in norms:
        given, (*_, variance) = found[f"{node.name} gives"], network.weights[node.name]
        expected = variance[0] / (variance[0] + node.op.epsilon)  # type: ignore[attr-defined]
        assert abs(given.mean()) < 1e-3 and given.var() == pytest.approx(expected, rel=1e-3), node.name
    kernels = [node.name for node in network.graph.nodes if node.weights and node not in norms]
    assert all(network.weights[kernel] is begun.weights[kernel] for kernel in kernels)


def test_norms_that_were_trained_stay_as_they_are(tmp_path: Path, photos: str) -> None:
    begun = network_of(load(SHARED))
    random = np.random.default_rng(0)
    trained = {
        node: [random.uniform(0.5, 3, each.shape).astype("float32") for each in begun.weights[node.name]]
        for node in begun.graph.nodes
        if node.weights
    }
    write_arrays(trained, metadata(begun.config, ()), tmp_path / "a.safetensors")
    call = {"outputs": ["tower"], "size": 64}
    archdsl.export(tmp_path / "a.safetensors", tmp_path / "full.onnx", **call)  # type: ignore[arg-type]
    archdsl.export(tmp_path / "a.safetensors", tmp_path / "small.onnx", precision="int8", calibrate=photos, **call)  # type: ignore[arg-type]
    photo = np.asarray(Image.open(Path(photos) / "a0.png").convert("RGB").resize((64, 64)), "float32")[None] / 255
    full, small = [run_onnx(tmp_path / f"{name}.onnx")(photo) for name in ("full", "small")]
    assert all(np.allclose(full[name], small[name], atol=0.02 * np.ptp(full[name])) for name in full)


def test_a_file_that_leaves_no_box_of_a_random_image_is_tried_with_all(run: Any, tmp_path: Path) -> None:
    done = run("export", *DETECTOR, "-o", "a.onnx", "--nms", "--json")
    assert done.returncode == 0, done.stderr
    counts = json.loads(done.stdout)["boxes"]
    assert counts["0"] > 50 and counts["0.25"] == 0
    image = np.random.default_rng(0).uniform(0, 255, (1, 64, 64, 3)).astype("float32")
    assert len(run_onnx(tmp_path / "a.onnx")(image)["scores"]) == 0


def test_scores_that_suppression_gets_wrong_are_told_of_a_network_without_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    best = suppression._best
    monkeypatch.setattr(
        suppression, "_best", lambda to, raw: (to("Mul", best(to, raw)[0], to.exact(0.9)), best(to, raw)[1])
    )
    with pytest.raises(archdsl.ArchError, match="scores that are left are not those"):
        archdsl.export("yolo_v8_xs_detect", tmp_path / "a.onnx", [TINY], size=64, nms=True)
    assert list(tmp_path.iterdir()) == []


def test_results_that_no_image_changes_are_said_to_prove_little(run: Any) -> None:
    told = "a.onnx: boxes, scores of a black image are the same, so the comparison proves little"
    assert told in run("export", *DETECTOR, "-o", "a.onnx").stderr
    assert (
        run("export", "csp_darknet_tiny", TINY, "--size", "64", "--outputs", "P3", "-o", "b.onnx").stderr
        == "writing b.onnx\n"
    )


def test_a_detector_of_one_box_for_an_object_needs_no_suppression(run: Any, tmp_path: Path) -> None:
    call = ["export", "yolo_v10_n_detect", TINY, "--size", "64", "-o", "a.onnx", "--nms"]
    done = run(*call)
    assert done.returncode == 2 and "gives one box for each object, and needs no suppression" in done.stderr
    assert run(*call, "--iou", "1").returncode == 0


def test_photos_are_bounded_and_spread_over_their_names(
    tmp_path: Path, photos: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(200):
        (tmp_path / f"{number:03}.png").symlink_to(Path(photos) / "a0.png")
    graph = archdsl.compile_config("yolo_v8_xs_detect", [TINY], (64, 96, 3))
    found = calibration.photos_of(tmp_path, graph, Form(batch=2))
    assert len(found.paths) == calibration.MOST_IMAGES
    assert (found.paths[0].name, found.paths[-1].name) == ("000.png", "196.png")
    image = next(iter(found))
    assert image.shape == (2, 64, 96, 3) and image.dtype == np.float32 and image.max() > 100


def test_a_model_in_memory_is_exported_with_its_weights_and_nothing_else_changes(tmp_path: Path, photos: str) -> None:
    handlers, disabled = logging.getLogger().handlers[:], logging.root.manager.disable
    file = tmp_path / "a.onnx"
    done = archdsl.export("csp_darknet_tiny", file, [TINY], size=64, precision="int8", calibrate=photos, outputs=["P5"])
    assert (done.file, done.format, done.bytes, list(done.proof.cosines)) == (file, "onnx", file.stat().st_size, ["P5"])
    assert (logging.getLogger().handlers, logging.root.manager.disable) == (handlers, disabled)


@pytest.mark.keras
@pytest.mark.parametrize("is_fused", [False, True])
def test_a_model_in_memory_gives_the_same_from_its_file(tmp_path: Path, is_fused: bool) -> None:
    model = archdsl.build_from_config("csp_darknet_tiny", [TINY])
    model = archdsl.fuse(model) if is_fused else model
    archdsl.export(model, tmp_path / "a.onnx", outputs=["P4", "P5"], size="dynamic")
    image = np.random.default_rng(0).uniform(0, 255, (1, 64, 96, 3)).astype("float32")
    found = onnxruntime.InferenceSession(tmp_path / "a.onnx").run(["P4", "P5"], {"input": image})
    for name, array in zip(("P4", "P5"), found, strict=True):
        np.testing.assert_allclose(array, model.features([name])(image)[name], rtol=1e-4, atol=1e-5)
    with pytest.raises(archdsl.ArchError, match="overrides and weights are for a config"):
        archdsl.export(model, tmp_path / "b.onnx", [TINY])


def test_a_large_network_keeps_its_arrays_in_a_second_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from archdsl.tools.cli import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(backend, "LARGEST", 1000)
    call = ["export", *DETECTOR, "-o", "a.onnx", "--nms"]
    main(call)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.onnx", "a.onnx.data"]
    assert "config" in {each.key for each in onnx.load("a.onnx", load_external_data=False).metadata_props}
    whole = onnxruntime.InferenceSession("a.onnx").run(None, {"input": np.zeros((1, 64, 64, 3), "float32")})
    assert len(whole) == 4
    (tmp_path / "a.onnx").unlink()
    before = (tmp_path / "a.onnx.data").read_bytes()
    with pytest.raises(SystemExit, match="2"):
        main(call)
    assert "a.onnx.data: error[output]: exists already" in capfd.readouterr().err
    assert (tmp_path / "a.onnx.data").read_bytes() == before
    main([*call, "--force"])
    assert (tmp_path / "a.onnx").exists()


def test_a_second_file_that_the_replaced_one_had_goes_with_it_and_one_of_another_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call: Any = ("csp_darknet_tiny", tmp_path / "a.onnx", [TINY])
    with monkeypatch.context() as patch:
        patch.setattr(backend, "LARGEST", 1000)
        archdsl.export(*call, size=64)
    assert (tmp_path / "a.onnx.data").exists()
    archdsl.export(*call, size=64)
    assert [each.name for each in tmp_path.iterdir()] == ["a.onnx"]
    (tmp_path / "a.onnx.data").write_text("mine")
    archdsl.export(*call, size=64)
    (tmp_path / "a.onnx").write_text("not a model")
    archdsl.export(*call, size=64)
    assert (tmp_path / "a.onnx.data").read_text() == "mine"
