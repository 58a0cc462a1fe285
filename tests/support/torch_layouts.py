"""Small networks of PyTorch in layouts that torchvision and timm have, made of PyTorch's own modules.

`python tests/support/torch_layouts.py tests/weights/files/named` wrote torchvision_vit and timm_vgg16 there, with torch
2.13.0. No test runs it. PyTorch itself names what is in an attention; the other names are those of the two projects.
"""

# mypy: ignore-errors
from __future__ import annotations

import sys
from collections import OrderedDict
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(width, 1e-6), nn.LayerNorm(width, 1e-6)
        self.self_attention = nn.MultiheadAttention(width, heads, batch_first=True)
        dense = nn.Linear(width, 4 * width), nn.GELU(), nn.Dropout(0), nn.Linear(4 * width, width), nn.Dropout(0)
        self.mlp = nn.Sequential(*dense)

    def forward(self, x):
        y = self.ln_1(x)
        x = x + self.self_attention(y, y, y, need_weights=False)[0]
        return x + self.mlp(self.ln_2(x))


class Encoder(nn.Module):
    def __init__(self, width, depth, heads, count):
        super().__init__()
        self.pos_embedding = nn.Parameter(0.3 * torch.randn(1, count, width))
        self.layers = nn.Sequential(OrderedDict((f"encoder_layer_{n}", Block(width, heads)) for n in range(depth)))
        self.ln = nn.LayerNorm(width, 1e-6)

    def forward(self, x):
        return self.ln(self.layers(x + self.pos_embedding))


class TorchvisionVit(nn.Module):
    def __init__(self, width=24, depth=2, heads=3):
        super().__init__()
        self.class_token = nn.Parameter(0.3 * torch.randn(1, 1, width))
        self.conv_proj = nn.Conv2d(3, width, 16, 16)
        self.encoder = Encoder(width, depth, heads, 5)
        self.heads = nn.Sequential(OrderedDict(head=nn.Linear(width, 5)))

    def forward(self, x):
        tokens = self.conv_proj(x).flatten(2).transpose(1, 2)
        return self.heads(self.encoder(torch.cat([self.class_token, tokens], 1))[:, 0])


class PreLogits(nn.Module):
    """Dense layers as convolutions: the first is as large as the map."""

    def __init__(self, before, width, side):
        super().__init__()
        self.fc1, self.fc2 = nn.Conv2d(before, width, side), nn.Conv2d(width, width, 1)

    def forward(self, x):
        return self.fc2(self.fc1(x).relu()).relu()


class TimmVgg16(nn.Module):
    def __init__(self):
        super().__init__()
        layers, before = [], 3
        for width, depth in ((4, 2), (8, 2), (16, 3), (32, 3), (32, 3)):
            for _ in range(depth):
                layers += [nn.Conv2d(before, width, 3, 1, 1), nn.ReLU()]
                before = width
            layers.append(nn.MaxPool2d(2, 2))
        self.features = nn.Sequential(*layers)
        self.pre_logits = PreLogits(before, 16, 2)
        self.head = nn.Sequential(OrderedDict(fc=nn.Linear(16, 5)))

    def forward(self, x):
        return self.head(self.pre_logits(self.features(x)).flatten(1))


def main(folder: Path) -> None:
    torch.manual_seed(0)
    for name, network, side in (("torchvision_vit", TorchvisionVit(), 32), ("timm_vgg16", TimmVgg16(), 64)):
        wider = 3 if "vgg" in name else 1.5  # so that the image is not lost on its way through all convolutions
        for parameter in network.parameters():
            drawn = 0.1 * torch.randn_like(parameter)
            parameter.data = wider * parameter.data if parameter.ndim > 1 else parameter.data + drawn
        network = network.half().float().eval()
        image = np.random.RandomState(0).rand(1, side, side, 3).astype("float32")
        with torch.no_grad():
            result = network(torch.from_numpy(image).permute(0, 3, 1, 2))
        arrays = {key: array.half().contiguous() for key, array in network.state_dict().items()}
        save_file(arrays, folder / f"{name}.safetensors")
        np.savez_compressed(folder / f"{name}.npz", result=result.numpy())
        print(name, result)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
