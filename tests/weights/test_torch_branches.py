"""RepConvs of every layout: with an identity, and merged into a convolution whose name does not tell that it is one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import torch
from support.numbered_checkpoints import FILES, GELAN, STYLE
from support.torch_contents import contents_of, problems
from support.torch_files import write
from support.torch_layout import layout
from support.ultralytics import FILES as LAYOUTS
from torch import nn

import archdsl
from archdsl import weights
from archdsl.weights import formats
from archdsl.weights.pytorch.presets import presets_of

Arrays = dict[str, Any]
EPSILON = 1e-3


class RepConv(nn.Module):
    """Three branches by YOLOv7's names, or by the later ones."""

    def __init__(self, width: int, later: bool) -> None:
        super().__init__()
        convs = [nn.Conv2d(width, width, kernel, padding=kernel // 2, bias=False) for kernel in (3, 1)]
        norms = [nn.BatchNorm2d(width, EPSILON) for _ in range(3)]
        for norm in norms:
            norm.running_mean.uniform_(-1, 1)
            norm.running_var.uniform_(0.5, 2)
            nn.init.uniform_(norm.weight, 0.5, 2)
            nn.init.uniform_(norm.bias, -1, 1)
        names = ("conv1", "conv2", "bn") if later else ("rbr_dense", "rbr_1x1", "rbr_identity")
        for name, conv, norm in zip(names, convs, norms, strict=False):
            inside = {"conv": conv, "bn": norm} if later else {"0": conv, "1": norm}
            self.add_module(name, nn.Sequential())
            for each, part in inside.items():
                self.get_submodule(name).add_module(each, part)
        self.add_module(names[2], norms[2])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.silu(sum(branch(x) for branch in self.children()))


def rep_conv() -> archdsl.Backbone:
    down = {"block": "conv_bn_act", "width": 4, "kernel": 3, "stride": 2}
    stages = {"p1": {"down": down, "body": {"block": "rep_conv", "width": 4}}}
    return archdsl.build_from_config({"conventions": STYLE, "stages": stages})


@pytest.mark.parametrize("later", [False, True])
def test_the_identity_of_a_rep_conv_comes_in_and_goes_home(later: bool, tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = RepConv(4, later).eval()
    down = nn.Sequential()
    down.add_module("conv", nn.Conv2d(3, 4, 3, 2, 1, bias=False))
    down.add_module("bn", nn.BatchNorm2d(4, EPSILON))
    down.eval()
    network = nn.Sequential(down, module)
    torch.save({f"model.{name}": array for name, array in network.state_dict().items()}, tmp_path / "a.pt")
    model = rep_conv()
    transfer = weights.load(model, tmp_path / "a.pt")
    assert not transfer.left and not transfer.unused
    image = torch.rand(1, 3, 8, 8)
    wanted = module(nn.functional.silu(down(image))).detach().permute(0, 2, 3, 1).numpy()
    assert np.abs(keras.ops.convert_to_numpy(model(image.permute(0, 2, 3, 1).numpy())) - wanted).max() < 1e-5
    for names in ("torch", tmp_path / "a.pt"):
        weights.save(model, tmp_path / "b.safetensors", names=names)
        again = rep_conv()
        assert not weights.load(again, tmp_path / "b.safetensors").unused
        assert all(np.array_equal(*both) for both in zip(model.get_weights(), again.get_weights(), strict=True))


def folded(arrays: Arrays, conv: str, norm: str) -> tuple[Any, Any]:
    gamma, beta, mean, variance = (
        arrays.pop(f"{norm}.{name}").astype("float64") for name in ("weight", "bias", "running_mean", "running_var")
    )
    scale = gamma / np.sqrt(variance + EPSILON)
    return arrays.pop(f"{conv}.weight") * scale[:, None, None, None], beta - mean * scale


def merged(arrays: Arrays, large: str, small: str, conv: str = "conv") -> Arrays:
    """With all norms folded, and of branches beside each other, by these names, the convolution that is their sum."""
    arrays = {name: array for name, array in arrays.items() if "num_batches" not in name}
    for norm in [name.removesuffix(".weight") for name in arrays if name.endswith(".bn.weight")]:
        place = norm.removesuffix("bn") + "conv"
        arrays[f"{place}.weight"], arrays[f"{place}.bias"] = folded(arrays, place, norm)
    for name in [name for name in arrays if name.endswith(f".{small}.conv.weight")]:
        place = name.removesuffix(f".{small}.conv.weight")
        if f"{place}.{large}.conv.weight" not in arrays:
            continue
        kernel, bias = (arrays.pop(f"{place}.{large}.conv.{role}") for role in ("weight", "bias"))
        point, more = (arrays.pop(f"{place}.{small}.conv.{role}") for role in ("weight", "bias"))
        rim = (kernel.shape[-1] - point.shape[-1]) // 2
        kernel = kernel + np.pad(point, ((0, 0), (0, 0), (rim, rim), (rim, rim)))
        arrays[f"{place}.{conv}.weight"], arrays[f"{place}.{conv}.bias"] = kernel, bias + more
    return {name: array.astype("float32") for name, array in arrays.items()}


def test_branches_that_were_merged_under_the_name_of_a_convolution_give_the_same_numbers(tmp_path: Path) -> None:
    with formats.opened(FILES / "gelan.pt", 0) as contents:
        arrays = {
            f"{each.name}.{leaf}": array.read() for each in contents.layers for leaf, array in each.arrays.items()
        }
    write(tmp_path / "a.pt", merged(arrays, "conv1", "conv2"))
    model = archdsl.build_from_config(GELAN)
    transfer = weights.load(model, tmp_path / "a.pt")
    assert not transfer.left and not transfer.unused
    moved = {each.node: each.stored for each in transfer.moved}
    assert moved["p1_body_1_csp_1_rep_dense_conv"] == "model.1.cv2.0.m.0.cv1.conv"
    assert moved["p1_body_1_csp_1_rep_pointwise_conv"] == "model.1.cv2.0.m.0.cv1.conv (merged: zeros)"
    with np.load(FILES / "gelan.npz") as known:
        found = keras.ops.convert_to_numpy(model.features(["P1"])(255 * known["image"])["P1"])
        assert np.abs(found - known["result0"]).max() < 1e-5 * np.abs(known["result0"]).max()


@pytest.mark.parametrize(
    ("preset", "branches"), [("yolo_v9_c_detect", ("conv1", "conv2")), ("yolo_v10_s_detect", ("conv", "conv1"))]
)
def test_a_merged_detector_is_found_to_be_its_preset(preset: str, branches: tuple[str, str]) -> None:
    """v10's kernels of 7 and of 3 are merged likewise; a network of other branches does not take them."""
    arrays = {name: np.zeros(shape, "float32") for name, shape in layout(*LAYOUTS[preset]).items()}
    found = merged(arrays, *branches)
    assert not any(f".{branches[1]}." in name for name in found)
    shapes = {name: array.shape for name, array in found.items()}
    assert presets_of(contents_of(shapes, found)) == [preset]
    assert not problems(archdsl.compile_config(preset), shapes, found)
    assert problems(archdsl.compile_config("yolo_v8_m_detect"), shapes, found)
