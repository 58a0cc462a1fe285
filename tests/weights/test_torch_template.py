"""Weights go back to the network that they came from: a checkpoint of it gives the names, the axes and the types."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from support import TESTS
from support.named_checkpoints import CASES, built
from support.numbered_checkpoints import built as yolo
from support.torch_classifiers import NETWORKS, settled

import archdsl
from archdsl import weights

FILES = TESTS / "weights" / "files"
LINEAR = "head.classes.activation=linear"


def equal(found: dict[str, Any], known: dict[str, Any]) -> bool:
    same = [found[name].dtype == known[name].dtype and torch.equal(found[name], known[name]) for name in known]
    return found.keys() == known.keys() and all(same)


@pytest.mark.parametrize("name", CASES)
def test_a_network_of_timm_or_torchvision_goes_home_as_it_came(name: str, tmp_path: Path) -> None:
    file, model = FILES / "named" / f"{name}.safetensors", built(name)
    weights.load(model, file)
    weights.save(model, tmp_path / "a.safetensors", names=file)
    assert equal(load_file(tmp_path / "a.safetensors"), load_file(file))


@pytest.mark.parametrize("name", ["resnet18", "hrnet_w18_small", "torchvision_inception_v3"])
def test_what_was_trained_here_is_what_pytorch_computes_there(name: str, tmp_path: Path) -> None:
    """The checkpoint is of before that: other numbers, but the same names; its heads for training keep theirs."""
    torch.manual_seed(0)
    network = settled(NETWORKS[name](), torch.rand(4, 3, 96, 96))
    torch.save(network.state_dict(), tmp_path / "before.pt")
    model = archdsl.build_from_config(f"{name}_classify", [LINEAR])
    draw = np.random.default_rng(0)
    for each in model.variables:
        each.assign(np.abs(draw.normal(1, 0.1, each.shape)) * 0.5 ** (keras.ops.ndim(each) > 1))
    weights.save(model, tmp_path / "after.safetensors", names=tmp_path / "before.pt")
    before = network.state_dict()
    after = load_file(tmp_path / "after.safetensors")
    kept = {each for each in before if torch.equal(after[each], before[each])}
    assert all(each.startswith("AuxLogits.") or each.endswith("num_batches_tracked") for each in kept)
    again = archdsl.build_from_config(f"{name}_classify", [LINEAR])
    weights.load(again, tmp_path / "after.safetensors")
    assert all(np.array_equal(*both) for both in zip(again.get_weights(), model.get_weights(), strict=True))
    network.load_state_dict(after, strict=True)


@pytest.mark.parametrize("file", ["yolo_v8.pt", "yolo_v5.pt", "gelan.pt"])
def test_a_detector_goes_home_in_the_precision_that_its_checkpoint_has(file: str, tmp_path: Path) -> None:
    model = yolo(file)
    weights.load(model, FILES / file)
    weights.save(model, tmp_path / "a.safetensors", names=FILES / file)
    again = yolo(file)
    weights.load(again, tmp_path / "a.safetensors")
    assert all(np.array_equal(*both) for both in zip(again.get_weights(), model.get_weights(), strict=True))
    precisions = {each.dtype for each in load_file(tmp_path / "a.safetensors").values()}
    assert precisions == {torch.int64, torch.float16 if file == "yolo_v8.pt" else torch.float32}


def test_bfloat16_goes_home_as_bfloat16(tmp_path: Path) -> None:
    known = load_file(FILES / "named" / "timm_vit.safetensors")
    save_file({name: array.bfloat16() for name, array in known.items()}, tmp_path / "a.safetensors")
    model = built("timm_vit")
    weights.load(model, tmp_path / "a.safetensors")
    weights.save(model, tmp_path / "b.safetensors", names=tmp_path / "a.safetensors")
    assert equal(load_file(tmp_path / "b.safetensors"), load_file(tmp_path / "a.safetensors"))


def test_a_checkpoint_that_cannot_have_the_numbers_is_refused_with_what_to_give(tmp_path: Path) -> None:
    named, output = FILES / "named", tmp_path / "a.safetensors"

    def refused(model: archdsl.Backbone, names: Path | str) -> str:
        with pytest.raises(archdsl.ArchError) as error:
            weights.save(model, output, names=names)
        assert not output.exists()
        return str(error.value)

    more = built("timm_resnet18", "head.classes.units=7")
    fact = refused(more, named / "timm_resnet18.safetensors")
    assert "no module in the place of head_classes_dense, with 7×32 and 7" in fact and "of as many classes" in fact
    assert "also has fc" in refused(archdsl.build_from_config("resnet18_backbone"), _resnet18(tmp_path))
    fact = refused(yolo("yolo_v8_folded.pt"), FILES / "yolo_v8_folded.pt")
    assert "model.0.conv.bias has stem_conv_bn/gamma worked into other numbers" in fact and "folded" in fact
    assert "not a PyTorch file" in refused(more, _ours(more, tmp_path))
    assert "names='pytorch'; expected 'archdsl', 'torch', or a PyTorch checkpoint" in refused(more, "pytorch")
    assert "expected 'archdsl', 'torch', or a PyTorch checkpoint" in refused(more, "x" * 5_000)  # too long for a file
    model = built("timm_vit")
    model.set_weights([each * 1e6 for each in model.get_weights()])
    assert "not finite" in refused(model, named / "timm_vit.safetensors")


def _resnet18(folder: Path) -> Path:
    torch.save(NETWORKS["resnet18"]().state_dict(), folder / "resnet18.pt")
    return folder / "resnet18.pt"


def _ours(model: archdsl.Backbone, folder: Path) -> Path:
    weights.save(model, folder / "ours.safetensors")
    return folder / "ours.safetensors"


def test_the_command_line_writes_weights_under_these_names(run: Any, tmp_path: Path) -> None:
    file, (config, overrides) = FILES / "named" / "timm_resnet18.safetensors", CASES["timm_resnet18"]
    done = run("build", config, *overrides, "--weights", str(file), "--names", str(file), "-o", "a.safetensors")
    assert done.returncode == 0, done.stderr
    assert equal(load_file(tmp_path / "a.safetensors"), load_file(file))
    done = run("build", config, *overrides, "--weights", str(file), "-o", "ours.safetensors")
    assert done.returncode == 0, done.stderr
    known = built("timm_resnet18")
    weights.load(known, file)
    model = archdsl.build_from_config(tmp_path / "ours.safetensors")
    assert all(np.array_equal(*both) for both in zip(model.get_weights(), known.get_weights(), strict=True))
    for wrong, fact in (
        (["-o", "b.keras", "--names", "torch"], "--names needs"),
        (["-o", "b.safetensors", "--names", "x"], "names='x'"),
    ):
        done = run("build", config, *wrong)
        assert done.returncode == 2 and fact in done.stderr
