"""Small networks in the layout that people's checkpoints have, written by PyTorch with what it computes from them.

`python tests/support/torch_modules.py tests/weights/files` wrote the files there, with torch 2.13.0. No test runs it.
"""

# mypy: ignore-errors
from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn


class Conv(nn.Module):
    def __init__(self, before, width, kernel=1, stride=1, act=True):
        super().__init__()
        self.conv = nn.Conv2d(before, width, kernel, stride, kernel // 2 - (kernel == 6), bias=False)
        self.bn = nn.BatchNorm2d(width, eps=1e-3)
        self.act = nn.SiLU() if act else nn.Identity()

    def forward(self, x):
        return self.act(self.bn(self.conv(x)) if hasattr(self, "bn") else self.conv(x))


class Bottleneck(nn.Module):
    def __init__(self, width, kernels, add):
        super().__init__()
        self.cv1, self.cv2 = Conv(width, width, kernels[0]), Conv(width, width, kernels[1])
        self.add = add

    def forward(self, x):
        deep = self.cv2(self.cv1(x))
        return x + deep if self.add else deep


class C2f(nn.Module):
    def __init__(self, before, width, count=1, add=True):
        super().__init__()
        half = width // 2
        self.cv1, self.cv2 = Conv(before, width), Conv((2 + count) * half, width)
        self.m = nn.ModuleList(Bottleneck(half, (3, 3), add) for _ in range(count))

    def forward(self, x):
        steps = list(self.cv1(x).chunk(2, 1))
        for module in self.m:
            steps.append(module(steps[-1]))
        return self.cv2(torch.cat(steps, 1))


class C3(nn.Module):
    def __init__(self, before, width, count=1):
        super().__init__()
        half = width // 2
        self.cv1, self.cv2, self.cv3 = Conv(before, half), Conv(before, half), Conv(2 * half, width)
        self.m = nn.Sequential(*[Bottleneck(half, (1, 3), True) for _ in range(count)])

    def forward(self, x):
        return self.cv3(torch.cat((self.m(self.cv1(x)), self.cv2(x)), 1))


class RepConv(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv1, self.conv2 = Conv(width, width, 3, act=False), Conv(width, width, 1, act=False)
        self.act = nn.SiLU()

    def forward(self, x):
        return self.act(self.conv1(x) + self.conv2(x))


class RepBottleneck(Bottleneck):
    def __init__(self, width):
        super().__init__(width, (3, 3), True)
        self.cv1 = RepConv(width)


class RepCSP(C3):
    def __init__(self, before, width, count=1):
        super().__init__(before, width)
        self.m = nn.Sequential(*[RepBottleneck(width // 2) for _ in range(count)])


class RepNCSPELAN4(nn.Module):
    def __init__(self, before, width, split, hidden, count=1):
        super().__init__()
        self.cv1 = Conv(before, split)
        self.cv2 = nn.Sequential(RepCSP(split // 2, hidden, count), Conv(hidden, hidden, 3))
        self.cv3 = nn.Sequential(RepCSP(hidden, hidden, count), Conv(hidden, hidden, 3))
        self.cv4 = Conv(split + 2 * hidden, width)

    def forward(self, x):
        steps = list(self.cv1(x).chunk(2, 1))
        for module in (self.cv2, self.cv3):
            steps.append(module(steps[-1]))
        return self.cv4(torch.cat(steps, 1))


class SPPF(nn.Module):
    def __init__(self, before, width):
        super().__init__()
        self.cv1, self.cv2 = Conv(before, before // 2), Conv(2 * before, width)
        self.m = nn.MaxPool2d(5, 1, 2)

    def forward(self, x):
        steps = [self.cv1(x)]
        for _ in range(3):
            steps.append(self.m(steps[-1]))
        return self.cv2(torch.cat(steps, 1))


class Concat(nn.Module):
    def forward(self, x):
        return torch.cat(x, 1)


class DFL(nn.Module):
    def __init__(self, bins):
        super().__init__()
        self.conv = nn.Conv2d(bins, 1, 1, bias=False).requires_grad_(False)
        self.conv.weight.data[:] = torch.arange(bins, dtype=torch.float).view(1, bins, 1, 1)


class Detect(nn.Module):
    def __init__(self, classes, bins, widths):
        super().__init__()
        box, hidden = max(16, widths[0] // 4, 4 * bins), max(widths[0], min(classes, 100))
        self.cv2, self.cv3 = (
            nn.ModuleList(
                nn.Sequential(Conv(width, inner, 3), Conv(inner, inner, 3), nn.Conv2d(inner, last, 1))
                for width in widths
            )
            for inner, last in ((box, 4 * bins), (hidden, classes))
        )
        self.dfl = DFL(bins)

    def forward(self, x):
        return [branch(each) for branches in (self.cv2, self.cv3) for branch, each in zip(branches, x, strict=True)]


class Network(nn.Module):
    """Modules in a row, each with what it reads: numbers of others, -1 for the one before."""

    def __init__(self, *modules):
        super().__init__()
        for number, (reads, module) in enumerate(modules):
            module.i, module.f = number, reads
        self.model = nn.Sequential(*[module for _, module in modules])

    def forward(self, x):
        made = []
        for module in self.model:
            reads = module.f if isinstance(module.f, list) else [module.f]
            taken = [(made[each] if made else x) if each < 0 else made[each] for each in reads]
            made.append(module(taken if isinstance(module.f, list) else taken[0]))
        return made[-1]


def row(*modules):
    return [(-1, module) for module in modules]


def yolo_v8(w=1 / 32):
    a, b, c, d, e = (int(width * w) for width in (64, 128, 256, 512, 1024))
    return [
        *row(Conv(3, a, 3, 2), Conv(a, b, 3, 2), C2f(b, b, 1), Conv(b, c, 3, 2), C2f(c, c, 2), Conv(c, d, 3, 2)),
        *row(C2f(d, d, 2), Conv(d, e, 3, 2), C2f(e, e, 1), SPPF(e, e)),
    ]


def yolo_v8_detect():
    c, d, e = 8, 16, 32
    return [
        *yolo_v8(),
        (-1, nn.Upsample(scale_factor=2)),
        ([-1, 6], Concat()),
        (-1, C2f(e + d, d, 1, False)),
        (-1, nn.Upsample(scale_factor=2)),
        ([-1, 4], Concat()),
        (-1, C2f(d + c, c, 1, False)),
        (-1, Conv(c, c, 3, 2)),
        ([-1, 12], Concat()),
        (-1, C2f(c + d, d, 1, False)),
        (-1, Conv(d, d, 3, 2)),
        ([-1, 9], Concat()),
        (-1, C2f(d + e, e, 1, False)),
        ([15, 18, 21], Detect(2, 4, (c, d, e))),
    ]


def yolo_v5():
    return [
        *row(Conv(3, 2, 6, 2), Conv(2, 4, 3, 2), C3(4, 4, 1), Conv(4, 8, 3, 2), C3(8, 8, 2), Conv(8, 16, 3, 2)),
        *row(C3(16, 16, 3), Conv(16, 32, 3, 2), C3(32, 32, 1), SPPF(32, 32)),
    ]


def gelan():
    return row(Conv(3, 8, 3, 2), RepNCSPELAN4(8, 16, 8, 4, 2))


def folded(network):
    """As exported checkpoints are: batch norms are in the convolutions."""
    for module in network.modules():
        if isinstance(module, Conv):
            factor = module.bn.weight / (module.bn.running_var + module.bn.eps).sqrt()
            module.conv.weight.data *= factor.view(-1, 1, 1, 1)
            module.conv.bias = nn.Parameter(module.bn.bias - module.bn.running_mean * factor)
            del module.bn
    return network


def main(folder):
    torch.manual_seed(0)
    for name, make in {"yolo_v8": yolo_v8_detect, "yolo_v5": yolo_v5, "gelan": gelan}.items():
        network = Network(*make()).eval()
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.1)
                module.running_var.uniform_(0.5, 1.5)
                module.weight.data.uniform_(0.5, 1.5)
                module.bias.data.normal_(0, 0.1)
        network.half().float()  # what half precision keeps is kept in every file
        image = torch.rand(1, 3, 32, 64)
        with torch.no_grad():
            results = network(image)
        results = results if isinstance(results, list) else [results]
        arrays = {f"result{number}": each.permute(0, 2, 3, 1).numpy() for number, each in enumerate(results)}
        np.savez_compressed(folder / f"{name}.npz", image=image.permute(0, 2, 3, 1).numpy(), **arrays)
        if name == "yolo_v8":
            saved = {"epoch": -1, "model": network.half(), "ema": None, "train_args": {"imgsz": 640}}
            torch.save(saved, folder / f"{name}.pt")
            torch.save(folded(network.float()).half().state_dict(), folder / "yolo_v8_folded.pt")
        else:
            torch.save(network.state_dict(), folder / f"{name}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
