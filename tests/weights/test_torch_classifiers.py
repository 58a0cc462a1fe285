"""Classifiers of torchvision and timm are presets: their parameters, their state dicts by name, and their numbers.

support/torch_classifiers.py has the networks, of PyTorch's own modules.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from support.torch_classifiers import NETWORKS, PARAMS, settled

import archdsl
from archdsl import weights
from archdsl.diagnostics.problems import Mark
from archdsl.weights.fitting import matched_torch
from archdsl.weights.formats.contents import Contents, Stored, StoredArray
from archdsl.weights.pytorch.presets import presets_of
from archdsl.weights.pytorch.units import owners_of

LINEAR = "head.classes.activation=linear"  # PyTorch's networks leave the softmax to the loss

SIDES = {"hrnet_w18_small": ((64, 96), (96, 32)), "torchvision_inception_v3": ((96, 128), (107, 79))}


def contents_of(network: Any) -> Contents:
    layers: dict[str, dict[str, StoredArray]] = {}
    for name, array in sorted(network.state_dict().items()):  # as .safetensors has them
        place, _, leaf = name.rpartition(".")
        layers.setdefault(place, {})[leaf] = StoredArray(tuple(array.shape), "float32", lambda: None)
    return Contents("torch", tuple([Stored(place, place, own) for place, own in layers.items()]))


@pytest.mark.parametrize("name", NETWORKS)
def test_a_preset_has_the_parameters_and_the_names_of_the_network(name: str) -> None:
    with torch.device("meta"):
        network = NETWORKS[name]()
    assert sum(parameter.numel() for parameter in network.parameters()) == PARAMS[name]
    of_training = sum(parameter.numel() for each, parameter in network.named_parameters() if "Aux" in each)
    assert archdsl.analyze(f"{name}_classify").trainable_params == PARAMS[name] - of_training
    contents, graph = contents_of(network), archdsl.compile_config(f"{name}_classify")
    assert presets_of(contents) == [f"{name}_classify"]
    found = matched_torch(graph, contents, False, Mark("a"))
    assert found.pairs.keys() == {node.name for node in owners_of(graph)} and not found.surplus


@pytest.fixture
def doubles() -> Iterator[None]:
    """Models of float64: in float32 two runs of PyTorch itself differ by more than an epsilon that is not the same."""
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_dtype_policy("float32")


@pytest.mark.usefixtures("doubles")
@pytest.mark.parametrize("name", ["resnet18", "resnet50_v1_5", "hrnet_w18_small", "torchvision_inception_v3"])
def test_a_network_gives_the_numbers_that_pytorch_gives(tmp_path: Path, name: str) -> None:
    torch.manual_seed(0)
    network = settled(NETWORKS[name](), torch.rand(4, 3, 96, 96))
    save_file(network.state_dict(), tmp_path / "a.safetensors")
    model = archdsl.build_from_config(f"{name}_classify", [LINEAR])
    transfer = weights.load(model, tmp_path / "a.safetensors")
    assert all(each.startswith("AuxLogits.") for each in transfer.unused)
    assert ("AuxLogits is for training alone" in transfer.summary()) == (name == "torchvision_inception_v3")
    for sides in SIDES.get(name, ((64, 96), (97, 71))):
        image = torch.rand(2, 3, *sides).double()
        wanted = network.double()(image).detach().numpy()
        found = keras.ops.convert_to_numpy(model(image.permute(0, 2, 3, 1).numpy()))
        assert np.abs(found - wanted).max() <= 1e-10 * np.abs(wanted).max()
        assert np.abs(wanted[0] - wanted[1]).max() > 0.1 * np.abs(wanted).max()


def test_a_network_that_is_another_preset_is_refused_with_its_name(tmp_path: Path) -> None:
    """keras.applications has biases in ResNet's convolutions, and strides in others."""
    save_file(NETWORKS["resnet50_v1_5"]().state_dict(), tmp_path / "a.safetensors")
    for preset, fact in (
        ("resnet50_classify", "no module in the place of stem_conv_conv"),
        ("resnet50_v1_5_backbone", "fc"),
    ):
        with pytest.raises(archdsl.ArchError, match=fact) as refused:
            weights.load(archdsl.build_from_config(preset), tmp_path / "a.safetensors")
        assert "resnet50_v1_5_classify" in refused.value.problems[-1].hint


def test_inception_of_torchvision_is_not_that_of_keras_applications(tmp_path: Path) -> None:
    save_file(NETWORKS["torchvision_inception_v3"]().state_dict(), tmp_path / "a.safetensors")
    model = archdsl.build_from_config("inception_v3_classify")  # whose norms do not scale
    with pytest.raises(archdsl.ArchError, match="no module in the place of stem_conv1_bn, with 32") as refused:
        weights.load(model, tmp_path / "a.safetensors")
    assert "torchvision_inception_v3_classify" in refused.value.problems[-1].hint


def test_a_network_of_other_classes_is_refused_with_the_preset_that_it_was(run: Any, tmp_path: Path) -> None:
    network = NETWORKS["resnet50_v1_5"]()
    network.fc = torch.nn.Linear(2048, 10)
    torch.save(network.state_dict(), tmp_path / "a.pt")
    refused = run("import", "a.pt", "-o", "a.safetensors")
    assert "the first 106 are those of resnet50_v1_5_backbone" in refused.stderr
    done = run("import", "a.pt", "-o", "a.safetensors", "--config", "resnet50_v1_5_classify", "head.classes.units=10")
    assert "107 of 107 layers moved" in done.stdout, done.stderr
