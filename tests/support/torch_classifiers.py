"""Classifiers of PyTorch's own modules, with the names and the arrangement that torchvision and timm give them."""

# mypy: ignore-errors
from __future__ import annotations

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


NETWORKS = {
    "resnet18": lambda: ResNet(Basic, (2, 2, 2, 2)),
    "resnet34": lambda: ResNet(Basic, (3, 4, 6, 3)),
    "resnet50_v1_5": lambda: ResNet(Bottleneck, (3, 4, 6, 3)),
    "resnet101_v1_5": lambda: ResNet(Bottleneck, (3, 4, 23, 3)),
    "resnet152_v1_5": lambda: ResNet(Bottleneck, (3, 8, 36, 3)),
}

PARAMS = {  # trained ones, as torchvision and timm document them
    "resnet18": 11_689_512,
    "resnet34": 21_797_672,
    "resnet50_v1_5": 25_557_032,
    "resnet101_v1_5": 44_549_160,
    "resnet152_v1_5": 60_192_808,
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
