"""YOLOv7's checkpoints: blocks that are many modules there, and heads that know something implicitly.

yolo_v7.txt has what each module of the two reference networks reads, what it is, and how many parameters it has;
support/torch_yolo_v7.py made the checkpoints of narrow ones, whole modules of the layout for training, and what PyTorch
computed.
"""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from safetensors.numpy import load_file
from support import TESTS
from support.torch_files import Made, Name, write

import archdsl
from archdsl import weights
from archdsl.diagnostics.problems import Mark
from archdsl.ir.graph import Graph
from archdsl.weights import formats
from archdsl.weights.formats.contents import Contents, Stored, StoredArray
from archdsl.weights.formats.pickle_data import Record
from archdsl.weights.pytorch.export import torch_arrays
from archdsl.weights.pytorch.matching import match_torch
from archdsl.weights.pytorch.presets import presets_of
from archdsl.weights.pytorch.rows import text_of_checkpoint
from archdsl.weights.pytorch.units import anchors_of

FILES = TESTS / "weights" / "files"
PRESETS = {"yolov7": "yolo_v7_detect", "yolov7-tiny": "yolo_v7_tiny_detect"}
TENSORS = {"yolov7": 560, "yolov7-tiny": 338}  # of the reference's state dicts
NARROW = ["scale.width=0.03125", "head.raw.classes=2", "+outputs.raw=head_raw"]
Arrays = dict[str, Any]


def rows(network: str) -> list[tuple[tuple[int, ...], str, int]]:
    lines = [line.split() for line in (FILES / "yolo_v7.txt").read_text().splitlines()]
    found = [(origins, kind, int(params)) for name, origins, kind, params in lines if name == network]
    return [(tuple(map(int, origins.split(","))), kind, params) for origins, kind, params in found]


def written(graph: Graph) -> Arrays:
    nothing = {
        node.name: [np.broadcast_to(np.float32(0), weight.shape) for weight in node.weights] for node in graph.nodes
    }
    return torch_arrays(graph, nothing)


@pytest.mark.parametrize("network", PRESETS)
def test_modules_have_the_numbers_and_the_parameters_of_the_reference(network: str) -> None:
    arrays = written(archdsl.compile_config(PRESETS[network]))
    norms = sum(name.endswith("running_mean") for name in arrays)  # each of which also counts its batches
    assert len(arrays) + norms == TENSORS[network]
    for number, (_, kind, params) in enumerate(rows(network)):
        own = {name: array for name, array in arrays.items() if name.split(".")[1] == str(number)}
        trained = [array.shape for name, array in own.items() if "running" not in name and "anchor" not in name]
        assert sum(map(prod, trained)) == params, (number, kind)


def test_units_have_the_names_of_the_reference() -> None:
    shapes = {name: array.shape for name, array in written(archdsl.compile_config("yolo_v7_detect")).items()}
    assert shapes["model.51.cv5.conv.weight"] == (512, 2048, 1, 1)  # after the pyramid of four
    assert shapes["model.51.cv2.conv.weight"] == (512, 1024, 1, 1)
    assert shapes["model.104.rbr_dense.0.weight"] == (1024, 512, 3, 3)
    assert shapes["model.104.rbr_1x1.1.running_var"] == (1024,)
    assert shapes["model.105.m.2.bias"] == (255,)
    assert shapes["model.105.anchors"] == (3, 3, 2)
    assert shapes["model.105.anchor_grid"] == (3, 1, 3, 1, 1, 2)


def contents_of(arrays: Arrays, reads: dict[int, tuple[int, ...]]) -> Contents:
    layers: dict[str, dict[str, StoredArray]] = {}
    for name, array in arrays.items():
        place, _, leaf = name.rpartition(".")
        layers.setdefault(place, {})[leaf] = StoredArray(array.shape, "float32", lambda array=array: array)
    return Contents("torch", tuple([Stored(place, place, own) for place, own in layers.items()]), reads=reads)


@pytest.mark.parametrize("network", PRESETS)
def test_every_module_reads_what_the_reference_reads(network: str) -> None:
    """A swap of two that have equal shapes would give no error and wrong numbers: the wiring tells."""
    graph = archdsl.compile_config(PRESETS[network])
    arrays, known = written(graph), {number: origins for number, (origins, _, _) in enumerate(rows(network))}

    def contradictions(reads: dict[int, tuple[int, ...]]) -> tuple[str, ...]:
        return match_torch(graph, contents_of(arrays, reads), partial=False, mark=Mark("a.pt")).contradictions

    assert not contradictions(known)
    assert presets_of(contents_of(arrays, known)) == [PRESETS[network]]
    for number, (origins, kind, _) in enumerate(rows(network)):
        if kind == "Concat" and (network, number) != ("yolov7-tiny", 34):  # of poolings of one convolution
            assert contradictions({**known, number: origins[::-1]}), number


@pytest.mark.parametrize("network", PRESETS)
def test_a_checkpoint_gives_the_numbers_that_pytorch_gave(network: str) -> None:
    model = archdsl.build_from_config(PRESETS[network], NARROW)
    file = PRESETS[network].removesuffix("_detect")
    transfer = weights.load(model, FILES / f"{file}.pt")
    assert not transfer.left and not transfer.unused
    with np.load(FILES / f"{file}.npz") as known:
        found = model(255 * known["image"])
        for level in range(3):
            theirs, ours = known[f"result{level}"], np.asarray(found[f"raw_n{level + 3}"])
            assert np.abs(ours - theirs).max() < 2e-3 * np.abs(theirs).max(), level  # the file is of half precision


def test_what_a_head_knows_implicitly_is_worked_into_its_convolutions(tmp_path: Path) -> None:
    model = archdsl.build_from_config("yolo_v7_tiny_detect", NARROW)
    draw = np.random.default_rng(0)
    model.set_weights([draw.uniform(0.2, 0.6, array.shape).astype("float32") for array in model.get_weights()])
    weights.save(model, tmp_path / "plain.safetensors", names="torch")
    arrays, wide = load_file(tmp_path / "plain.safetensors"), 21
    for level, deep in enumerate((4, 8, 16)):
        arrays[f"model.77.ia.{level}.implicit"] = draw.normal(size=(1, deep, 1, 1)).astype("float32")
        arrays[f"model.77.im.{level}.implicit"] = draw.normal(size=(1, wide, 1, 1)).astype("float32")
    write(tmp_path / "training.pt", arrays)
    weights.load(model, tmp_path / "training.pt")
    x = draw.normal(size=(1, 2, 3, 8)).astype("float32")
    kernel, bias = arrays["model.77.m.1.weight"][:, :, 0, 0], arrays["model.77.m.1.bias"]
    added, factors = (arrays[f"model.77.{name}.1.implicit"].ravel() for name in ("ia", "im"))
    wanted = factors * ((x + added) @ kernel.T + bias)
    found = keras.ops.convert_to_numpy(model.get_layer("head_raw_n4_conv_conv")(x))
    assert np.allclose(found, wanted, atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 7, 1, 1), (8,)])
def test_implicit_knowledge_of_another_shape_is_refused(shape: tuple[int, ...], tmp_path: Path) -> None:
    model = archdsl.build_from_config("yolo_v7_tiny_detect", NARROW)
    weights.save(model, tmp_path / "plain.safetensors", names="torch")
    arrays = load_file(tmp_path / "plain.safetensors")
    arrays["model.77.ia.1.implicit"] = np.ones(shape, "float32")
    arrays["model.77.im.1.implicit"] = np.ones((1, 21, 1, 1), "float32")
    write(tmp_path / "a.pt", arrays)
    with pytest.raises(archdsl.ArchError, match=r"the file also has model\.77\.ia\.1"):
        weights.load(model, tmp_path / "a.pt")


@pytest.mark.parametrize("network", PRESETS)
def test_weights_go_home_and_come_back(network: str, tmp_path: Path) -> None:
    first, second = (archdsl.build_from_config(PRESETS[network], NARROW) for _ in range(2))
    draw = np.random.default_rng(0)
    first.set_weights([draw.uniform(0.2, 0.6, array.shape).astype("float32") for array in first.get_weights()])
    weights.save(first, tmp_path / "a.safetensors", names="torch")
    transfer = weights.load(second, tmp_path / "a.safetensors")
    assert not transfer.left and not transfer.unused
    assert all(np.array_equal(a, b) for a, b in zip(first.get_weights(), second.get_weights(), strict=True))


def fused(arrays: Arrays, *, whole: bool = True, head: bool = True) -> Arrays:
    """The state dict with the branches of RepConvs merged; if `whole`, with all batch norms and the head folded too."""

    def unit(conv: str, norm: str) -> tuple[Any, Any]:
        gamma, beta, mean, variance = (
            arrays.pop(f"{norm}.{name}").astype("float64") for name in ("weight", "bias", "running_mean", "running_var")
        )
        arrays.pop(f"{norm}.num_batches_tracked", None)
        scale = gamma / np.sqrt(variance + 1e-3)
        return arrays.pop(f"{conv}.weight") * scale[:, None, None, None], beta - mean * scale

    arrays = {name: np.asarray(array) for name, array in arrays.items()}
    for place in [name.removesuffix(".rbr_dense.0.weight") for name in arrays if "rbr_dense.0.weight" in name]:
        kernel, bias = unit(f"{place}.rbr_dense.0", f"{place}.rbr_dense.1")
        point, more = unit(f"{place}.rbr_1x1.0", f"{place}.rbr_1x1.1")
        kernel[:, :, 1:2, 1:2] += point
        arrays[f"{place}.rbr_reparam.weight"], arrays[f"{place}.rbr_reparam.bias"] = kernel, bias + more
    for place in [name.removesuffix(".bn.weight") for name in arrays if name.endswith(".bn.weight")] if whole else []:
        arrays[f"{place}.conv.weight"], arrays[f"{place}.conv.bias"] = unit(f"{place}.conv", f"{place}.bn")
    for name in [name for name in arrays if ".ia." in name] if head else []:
        conv = name.replace(".ia.", ".m.").removesuffix(".implicit")
        factors = arrays.pop(name.replace(".ia.", ".im.")).reshape(-1).astype("float64")
        weight, added = arrays[f"{conv}.weight"][:, :, 0, 0], arrays.pop(name).reshape(-1).astype("float64")
        arrays[f"{conv}.bias"] = factors * (arrays[f"{conv}.bias"] + weight @ added)
        arrays[f"{conv}.weight"] = (factors[:, None] * weight)[:, :, None, None]
    return {name: np.asarray(array, "float32") for name, array in arrays.items()}


def stored(network: str) -> Arrays:
    with formats.opened(FILES / f"{network}.pt", 0) as contents:
        return {f"{each.name}.{leaf}": array.read() for each in contents.layers for leaf, array in each.arrays.items()}


@pytest.mark.parametrize(("network", "whole"), [("yolo_v7", True), ("yolo_v7", False), ("yolo_v7_tiny", True)])
def test_a_fused_checkpoint_gives_the_numbers_of_the_one_it_is_of(network: str, whole: bool, tmp_path: Path) -> None:
    write(tmp_path / "a.pt", fused(stored(network), whole=whole, head=whole))
    first, second = (archdsl.build_from_config(f"{network}_detect", NARROW) for _ in range(2))
    weights.load(first, FILES / f"{network}.pt")
    transfer = weights.load(second, tmp_path / "a.pt")
    assert not transfer.left and not transfer.unused
    moved = {each.node: each.stored for each in transfer.moved}
    if network == "yolo_v7":
        assert moved["neck_n4_dense_conv"] == "model.103.rbr_reparam"
        assert moved["neck_n4_pointwise_conv"] == "model.103.rbr_reparam (merged: zeros)"
    with np.load(FILES / f"{network}.npz") as known:
        wanted, found = (model(255 * known["image"]) for model in (first, second))
        for level, name in enumerate(("raw_n3", "raw_n4", "raw_n5")):
            ours, theirs, pytorch = np.asarray(found[name]), np.asarray(wanted[name]), known[f"result{level}"]
            assert np.abs(ours - theirs).max() < 1e-4 * np.abs(theirs).max(), name
            assert np.abs(ours - pytorch).max() < 2e-3 * np.abs(pytorch).max(), name


def test_a_fused_checkpoint_is_imported_and_found_to_be_its_preset(run: Any, tmp_path: Path) -> None:
    arrays = fused(written(archdsl.compile_config("yolo_v7_detect")))
    assert presets_of(contents_of(arrays, {})) == ["yolo_v7_detect"]
    write(tmp_path / "a.pt", fused(stored("yolo_v7")))
    done = run("import", "a.pt", "--config", "yolo_v7_detect", *NARROW, "-o", "a.safetensors")
    assert "187 of 187 layers moved; 0 layers of the file were not used" in done.stdout, done.stderr


def test_a_fused_head_that_may_know_the_same_twice_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.pt", fused(stored("yolo_v7"), head=False))
    model = archdsl.build_from_config("yolo_v7_detect", NARROW)
    with pytest.raises(archdsl.ArchError, match=r"model\.105\.ia\.0 is folded .* give the checkpoint of before that"):
        weights.load(model, tmp_path / "a.pt")


NETWORKS = ["yolo_v7", "yolo_v7_tiny"]


@pytest.mark.parametrize("network", NETWORKS)
def test_a_whole_module_describes_its_network_and_its_anchors(network: str, run: Any, tmp_path: Path) -> None:
    done = run("import", str(FILES / f"{network}.pt"), "-o", "a.yaml")
    assert done.returncode == 0, done.stderr
    graph, known = archdsl.compile_config(tmp_path / "a.yaml"), archdsl.compile_config(f"{network}_detect", NARROW[:2])
    assert graph.cost == known.cost
    assert [node.type for node in graph.outputs.values()] == [node.type for node in known.outputs.values()]
    assert anchors_of(graph) == anchors_of(known)


@pytest.mark.parametrize("network", NETWORKS)
def test_what_a_whole_module_describes_computes_what_pytorch_did(network: str, run: Any, tmp_path: Path) -> None:
    done = run("import", str(FILES / f"{network}.pt"), "-o", "a.safetensors")
    assert "0 layers of the file were not used" in done.stdout, done.stderr
    model = archdsl.build_from_config(tmp_path / "a.safetensors")
    weights.load(model, tmp_path / "a.safetensors")
    with np.load(FILES / f"{network}.npz") as known:
        found = model.features(["head_raw"])(255 * known["image"])
        for level, ours in enumerate(found.values()):
            theirs = known[f"result{level}"]
            assert np.abs(np.asarray(ours) - theirs).max() < 2e-3 * np.abs(theirs).max(), level


def modules(network: str) -> list[Record]:
    with formats.opened(FILES / f"{network}.pt", 0) as contents:
        return list(contents.modules)


def test_a_merged_module_describes_the_same_network() -> None:
    def described() -> str:
        return text_of_checkpoint(contents, "a.pt", Mark("a.pt"))

    with formats.opened(FILES / "yolo_v7.pt", 0) as contents:
        before = described()
        for record in contents.modules:
            inside = record.state["_modules"]
            if "rbr_dense" in inside:
                inside["rbr_reparam"] = inside.pop("rbr_dense").state["_modules"]["0"]
                del inside["rbr_1x1"]
        assert described() == before


def whole(network: str, arrays: Arrays) -> Made:
    """The narrow module of the file, with arrays of other sizes, as PyTorch saves it."""

    def made(path: str, record: Record) -> Made:
        state = record.state
        names = {*state["_parameters"], *state["_buffers"]}
        own = {name: np.asarray(arrays[f"{path}.{name}"]) for name in names if f"{path}.{name}" in arrays}
        inside = {name: made(f"{path}.{name}", each) for name, each in state["_modules"].items()}
        plain = {name: state[name] for name in ("f", "stride", "padding", "groups", "dilation") if name in state}
        plain |= {name: state[name] for name in ("kernel_size", "scale_factor", "mode", "eps") if name in state}
        plain |= {"negative_slope": 0.1, "momentum": 0.03}
        plain |= {"out_channels": own["weight"].shape[0]} if "out_channels" in state else {}
        module, _, kind = record.name.rpartition(".")
        return Made(Name(module, kind), {**plain, "_parameters": own, "_buffers": {}, "_modules": inside})

    row = {str(number): made(f"model.{number}", record) for number, record in enumerate(modules(network))}
    net = Made(Name("torch.nn.modules.container", "Sequential"), {"_modules": row})
    return Made(Name("models.yolo", "Model"), {"_modules": {"model": net}})


def test_a_whole_module_says_which_preset_it_is_or_how_it_differs(run: Any, tmp_path: Path) -> None:
    arrays = written(archdsl.compile_config("yolo_v7_tiny_detect"))
    write(tmp_path / "a.pt", {"model": whole("yolo_v7_tiny", arrays)})
    done = run("import", "a.pt", "-o", "a.yaml")
    assert done.stdout == "a.yaml: the preset yolo_v7_tiny_detect, 6,241,885 parameters\n", done.stderr
    arrays = written(archdsl.compile_config("yolo_v7_tiny_detect", ["head.raw.classes=20"]))
    write(tmp_path / "b.pt", {"model": whole("yolo_v7_tiny", arrays)})
    done = run("import", "b.pt", "-o", "b.yaml")
    parts, layers = done.stdout.split("\n\n")
    assert parts.splitlines()[0].split() == ["parameters", "yolo_v7_tiny_detect", "b.pt"], done.stderr
    (told,) = layers.splitlines()[1:-1]
    fewer = 3 * 60 * (128 + 256 + 512 + 3)
    assert told.split() == ["head.raw,", "229,245", "model.77,", f"{229_245 - fewer:,}"]
    assert archdsl.analyze(tmp_path / "b.yaml").params == 6_241_885 - fewer
