"""Classifiers of PyTorch's own modules, with the names and the arrangement that torchvision and timm give them."""

# mypy: ignore-errors
from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn


def conv_norm(before, width, kernel=1, stride=1):
    return nn.Conv2d(before, width, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(width)


class Basic(nn.Module):
    times = 1

    def __init__(self, before, width, stride=1):
        super().__init__()
        self.conv1, self.bn1 = conv_norm(before, width, 3, stride)
        self.conv2, self.bn2 = conv_norm(width, width, 3)
        self.downsample = projection(before, width, stride)

    def forward(self, x):
        y = self.bn1(self.conv1(x)).relu()
        return (self.bn2(self.conv2(y)) + self.downsample(x)).relu()


class Bottleneck(nn.Module):
    times = 4

    def __init__(self, before, width, stride=1):
        super().__init__()
        self.conv1, self.bn1 = conv_norm(before, width)
        self.conv2, self.bn2 = conv_norm(width, width, 3, stride)
        self.conv3, self.bn3 = conv_norm(width, 4 * width)
        self.downsample = projection(before, 4 * width, stride)

    def forward(self, x):
        y = self.bn1(self.conv1(x)).relu()
        y = self.bn2(self.conv2(y)).relu()
        return (self.bn3(self.conv3(y)) + self.downsample(x)).relu()


def projection(before, width, stride):
    return nn.Sequential(*conv_norm(before, width, 1, stride)) if stride > 1 or before != width else nn.Identity()


class ResNet(nn.Module):
    def __init__(self, block, depths, classes=1000):
        super().__init__()
        self.conv1, self.bn1 = conv_norm(3, 64, 7, 2)
        before = 64
        for number, depth in enumerate(depths):
            width = 64 << number
            blocks = []
            for index in range(depth):
                blocks.append(block(before, width, 2 if number and not index else 1))
                before = block.times * width
            self.add_module(f"layer{number + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(before, classes)

    def forward(self, x):
        x = nn.functional.max_pool2d(self.bn1(self.conv1(x)).relu(), 3, 2, 1)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(x.mean((2, 3)))


def exchanged(before, width, steps):
    """From a map to one so many times coarser, or finer where `steps` is negative."""
    if steps < 0:
        return nn.Sequential(*conv_norm(before, width), nn.Upsample(scale_factor=2**-steps))
    halved = [nn.Sequential(*conv_norm(before, before, 3, 2), nn.ReLU()) for _ in range(steps - 1)]
    return nn.Sequential(*halved, nn.Sequential(*conv_norm(before, width, 3, 2)))


class Exchange(nn.Module):
    def __init__(self, widths, depth):
        super().__init__()
        self.branches = nn.ModuleList(nn.Sequential(*[Basic(width, width) for _ in range(depth)]) for width in widths)
        self.fuse_layers = nn.ModuleList(
            nn.ModuleList(
                exchanged(before, width, to - source) if to != source else nn.Identity()
                for source, before in enumerate(widths)
            )
            for to, width in enumerate(widths)
        )

    def forward(self, maps):
        maps = [branch(x) for branch, x in zip(self.branches, maps, strict=True)]
        return [sum(path(x) for path, x in zip(paths, maps, strict=True)).relu() for paths in self.fuse_layers]


class HRNet(nn.Module):
    def __init__(self, width, inner, depth, blocks, modules):
        super().__init__()
        self.conv1, self.bn1 = conv_norm(3, 64, 3, 2)
        self.conv2, self.bn2 = conv_norm(64, 64, 3, 2)
        self.layer1 = nn.Sequential(Bottleneck(64, inner), *[Bottleneck(4 * inner, inner) for _ in range(depth - 1)])
        before = [4 * inner]
        for number, count in enumerate(modules, 2):
            widths = [width << level for level in range(number)]
            paths = [nn.Identity() for _ in widths[:-1]]
            if number == 2:
                paths = [nn.Sequential(*conv_norm(before[0], width, 3), nn.ReLU())]
            paths.append(nn.Sequential(nn.Sequential(*conv_norm(before[-1], widths[-1], 3, 2), nn.ReLU())))
            self.add_module(f"transition{number - 1}", nn.ModuleList(paths))
            self.add_module(f"stage{number}", nn.Sequential(*[Exchange(widths, blocks) for _ in range(count)]))
            before = widths
        wide = [128, 256, 512, 1024]
        self.incre_modules = nn.ModuleList(
            nn.Sequential(Bottleneck(given, wider // 4)) for given, wider in zip(before, wide, strict=True)
        )
        self.downsamp_modules = nn.ModuleList(
            nn.Sequential(nn.Conv2d(given, wider, 3, 2, 1), nn.BatchNorm2d(wider), nn.ReLU())
            for given, wider in pairwise(wide)
        )
        self.final_layer = nn.Sequential(nn.Conv2d(1024, 2048, 1), nn.BatchNorm2d(2048), nn.ReLU())
        self.classifier = nn.Linear(2048, 1000)

    def forward(self, x):
        x = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu())).relu()
        maps = [self.layer1(x)]
        for number in (2, 3, 4):
            paths = getattr(self, f"transition{number - 1}")
            maps = [path(x) for path, x in zip(paths, [*maps, maps[-1]], strict=True)]
            maps = getattr(self, f"stage{number}")(maps)
        wider = [module(x) for module, x in zip(self.incre_modules, maps, strict=True)]
        x = wider[0]
        for module, other in zip(self.downsamp_modules, wider[1:], strict=True):
            x = other + module(x)
        return self.classifier(self.final_layer(x).mean((2, 3)))


class Conv(nn.Module):
    def __init__(self, before, width, kernel=1, stride=1, padding=0):
        super().__init__()
        self.conv = nn.Conv2d(before, width, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(width, eps=0.001)

    def forward(self, x):
        return self.bn(self.conv(x)).relu()


WIDE, HIGH = ((1, 7), 1, (0, 3)), ((7, 1), 1, (3, 0))
HALF = (3, 2)


class Mixed(nn.Module):
    """Branches by name, each of convolutions in a row: the name, the width, and kernel, stride and padding."""

    def __init__(self, before, branches, pooled=0):
        super().__init__()
        self.rows = []
        for row in branches:
            given = before
            for name, width, *window in row:
                self.add_module(name, Conv(given, width, *window))
                given = width
            self.rows.append([name for name, *_ in row])
        if pooled:
            self.branch_pool = Conv(before, pooled)

    def forward(self, x):
        results = []
        for row in self.rows:
            y = x
            for name in row:
                y = getattr(self, name)(y)
            results.append(y)
        if hasattr(self, "branch_pool"):
            return torch.cat([*results, self.branch_pool(nn.functional.avg_pool2d(x, 3, 1, 1))], 1)
        return torch.cat([*results, nn.functional.max_pool2d(x, 3, 2)], 1)


def mixed_a(before, pooled):
    one = [("branch1x1", 64)]
    five = [("branch5x5_1", 48), ("branch5x5_2", 64, 5, 1, 2)]
    three = [("branch3x3dbl_1", 64), ("branch3x3dbl_2", 96, 3, 1, 1), ("branch3x3dbl_3", 96, 3, 1, 1)]
    return Mixed(before, [one, five, three], pooled)


def mixed_b(hidden):
    seven = [("branch7x7_1", hidden), ("branch7x7_2", hidden, *WIDE), ("branch7x7_3", 192, *HIGH)]
    more = [("branch7x7dbl_1", hidden), ("branch7x7dbl_2", hidden, *HIGH), ("branch7x7dbl_3", hidden, *WIDE)]
    more += [("branch7x7dbl_4", hidden, *HIGH), ("branch7x7dbl_5", 192, *WIDE)]
    return Mixed(768, [[("branch1x1", 192)], seven, more], 192)


class MixedC(nn.Module):
    def __init__(self, before):
        super().__init__()
        self.branch1x1 = Conv(before, 320)
        self.branch3x3_1 = Conv(before, 384)
        self.branch3x3dbl_1, self.branch3x3dbl_2 = Conv(before, 448), Conv(448, 384, 3, 1, 1)
        for name in ("branch3x3_2", "branch3x3dbl_3"):
            self.add_module(f"{name}a", Conv(384, 384, (1, 3), 1, (0, 1)))
            self.add_module(f"{name}b", Conv(384, 384, (3, 1), 1, (1, 0)))
        self.branch_pool = Conv(before, 192)

    def forward(self, x):
        y, z = self.branch3x3_1(x), self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        forked = [self.branch3x3_2a(y), self.branch3x3_2b(y), self.branch3x3dbl_3a(z), self.branch3x3dbl_3b(z)]
        return torch.cat([self.branch1x1(x), *forked, self.branch_pool(nn.functional.avg_pool2d(x, 3, 1, 1))], 1)


class Auxiliary(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv0, self.conv1, self.fc = Conv(768, 128), Conv(128, 768, 5), nn.Linear(768, 1000)


class Inception(nn.Module):
    def __init__(self):
        super().__init__()
        self.Conv2d_1a_3x3 = Conv(3, 32, *HALF)
        self.Conv2d_2a_3x3 = Conv(32, 32, 3)
        self.Conv2d_2b_3x3 = Conv(32, 64, 3, 1, 1)
        self.Conv2d_3b_1x1 = Conv(64, 80)
        self.Conv2d_4a_3x3 = Conv(80, 192, 3)
        self.Mixed_5b, self.Mixed_5c, self.Mixed_5d = mixed_a(192, 32), mixed_a(256, 64), mixed_a(288, 64)
        three = [("branch3x3dbl_1", 64), ("branch3x3dbl_2", 96, 3, 1, 1), ("branch3x3dbl_3", 96, *HALF)]
        self.Mixed_6a = Mixed(288, [[("branch3x3", 384, *HALF)], three])
        self.Mixed_6b, self.Mixed_6c, self.Mixed_6d, self.Mixed_6e = map(mixed_b, (128, 160, 160, 192))
        self.AuxLogits = Auxiliary()
        three = [("branch3x3_1", 192), ("branch3x3_2", 320, *HALF)]
        seven = [("branch7x7x3_1", 192), ("branch7x7x3_2", 192, *WIDE), ("branch7x7x3_3", 192, *HIGH)]
        self.Mixed_7a = Mixed(768, [three, [*seven, ("branch7x7x3_4", 192, *HALF)]])
        self.Mixed_7b, self.Mixed_7c = MixedC(1280), MixedC(2048)
        self.fc = nn.Linear(2048, 1000)

    def forward(self, x):
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(nn.functional.max_pool2d(x, 3, 2)))
        x = nn.functional.max_pool2d(x, 3, 2)
        for name in ("5b", "5c", "5d", "6a", "6b", "6c", "6d", "6e", "7a", "7b", "7c"):
            x = getattr(self, f"Mixed_{name}")(x)
        return self.fc(x.mean((2, 3)))


NETWORKS = {
    "resnet18": lambda: ResNet(Basic, (2, 2, 2, 2)),
    "resnet34": lambda: ResNet(Basic, (3, 4, 6, 3)),
    "resnet50_v1_5": lambda: ResNet(Bottleneck, (3, 4, 6, 3)),
    "resnet101_v1_5": lambda: ResNet(Bottleneck, (3, 4, 23, 3)),
    "resnet152_v1_5": lambda: ResNet(Bottleneck, (3, 8, 36, 3)),
    "hrnet_w18": lambda: HRNet(18, 64, 4, 4, (1, 4, 3)),
    "hrnet_w18_small": lambda: HRNet(16, 32, 1, 2, (1, 1, 1)),
    "torchvision_inception_v3": Inception,
}

PARAMS = {  # trained ones, as torchvision and timm document them
    "resnet18": 11_689_512,
    "resnet34": 21_797_672,
    "resnet50_v1_5": 25_557_032,
    "resnet101_v1_5": 44_549_160,
    "resnet152_v1_5": 60_192_808,
    "hrnet_w18": 21_299_004,
    "hrnet_w18_small": 13_187_464,
    "torchvision_inception_v3": 27_161_264,
}


def settled(network, image):
    """The network with statistics of an image in its norms, and numbers that no two layers have the same of."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.1)
            module.momentum = 1.0
    with torch.no_grad():
        network.train()(image)
    return network.eval()
