"""Small networks of timm and torchvision as .safetensors, with what they compute.

`python tests/support/torch_networks.py tests/weights/files/named` wrote the files there, with timm 1.0.31, torchvision
0.28.0 and torch 2.13.0. No test runs it.
"""

# mypy: ignore-errors
from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from timm.models import byobnet, convnext, vision_transformer
from timm.models import regnet as timm_regnet
from timm.models import resnet as timm_resnet
from torchvision.models import convnext as other_convnext
from torchvision.models import densenet, efficientnet, mobilenetv2, regnet


def torchvision_convnext():
    block = other_convnext.CNBlockConfig
    blocks = [block(8, 16, 1), block(16, 32, 1), block(32, 64, 2), block(64, None, 1)]
    return other_convnext.ConvNeXt(blocks, num_classes=5)


def torchvision_efficientnet():
    blocks, _ = efficientnet._efficientnet_conf("efficientnet_b0", width_mult=0.25, depth_mult=0.2)
    return efficientnet.EfficientNet(blocks, 0.0, num_classes=5, last_channel=80)


def torchvision_regnet():
    blocks = regnet.BlockParams([1, 1, 2, 1], [8, 16, 24, 32], [8] * 4, [1.0] * 4, [2] * 4, 0.25)
    return regnet.RegNet(blocks, num_classes=5, stem_width=32)


def timm_repvgg():
    blocks = [byobnet.ByoBlockCfg(type="rep", d=d, c=c, s=2) for d, c in ((2, 8), (2, 16), (3, 24), (1, 40))]
    return byobnet.ByobNet(byobnet.ByoModelCfg(tuple(blocks), stem_type="rep", stem_chs=8), num_classes=5)


def timm_resnet_of(block, *channels):
    return timm_resnet.ResNet(block, (2, 1, 1, 1), num_classes=5, channels=channels)


MOBILE = [[1, 16, 1, 1], [6, 24, 2, 2], [6, 32, 1, 2], [6, 64, 1, 2], [6, 96, 1, 1], [6, 160, 1, 2], [6, 320, 1, 1]]
REGNET = timm_regnet.RegNetCfg(w0=8, wa=10.0, wm=1.8, group_size=8, depth=5, se_ratio=0.25)
VIT = {"img_size": 32, "patch_size": 16, "embed_dim": 24, "depth": 2, "num_heads": 3}
NETWORKS = {
    "timm_convnext": lambda: convnext.ConvNeXt(depths=(1, 1, 2, 1), dims=(8, 16, 32, 64), num_classes=5),
    "timm_vit": lambda: vision_transformer.VisionTransformer(**VIT, num_classes=5),
    "timm_repvgg": timm_repvgg,
    "timm_regnet": lambda: timm_regnet.RegNet(REGNET, num_classes=5),
    "torchvision_convnext": torchvision_convnext,
    "torchvision_regnet": torchvision_regnet,
    "torchvision_densenet": lambda: densenet.DenseNet(8, (2, 2, 2, 2), 16, 4, num_classes=5),
    "torchvision_mobilenet_v2": lambda: mobilenetv2.MobileNetV2(5, 0.25, MOBILE),
    "torchvision_efficientnet": torchvision_efficientnet,
    "timm_resnet18": lambda: timm_resnet_of(timm_resnet.BasicBlock, 8, 16, 24, 32),
    "timm_resnet50": lambda: timm_resnet_of(timm_resnet.Bottleneck, 8, 8, 8, 8),
}


def spread(network):
    """Values that no two layers have the same of, and that half precision keeps."""
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
        if isinstance(module, (torch.nn.BatchNorm2d, torch.nn.LayerNorm)):
            module.weight.data.uniform_(0.5, 1.5)
    for name, parameter in network.named_parameters():
        if name.endswith(("gamma", "layer_scale")):
            parameter.data.uniform_(0.3, 1)
        elif name.endswith("bias"):
            parameter.data.normal_(0, 0.1)
        elif name in ("cls_token", "pos_embed"):
            parameter.data.normal_(0, 0.3)
        elif parameter.ndim > 1:
            parameter.data.mul_(1.5)
    return network.half().float().eval()


def main(folder):
    torch.manual_seed(0)
    for name, make in NETWORKS.items():
        network, side = spread(make()), 32 if "vit" in name else 64
        image = np.random.RandomState(0).rand(1, side, side, 3).astype("float32")
        with torch.no_grad():
            result = network(torch.from_numpy(image).permute(0, 3, 1, 2))
        arrays = {
            key: array.half() if array.is_floating_point() else array for key, array in network.state_dict().items()
        }
        save_file({key: array.contiguous() for key, array in arrays.items()}, folder / f"{name}.safetensors")
        np.savez_compressed(folder / f"{name}.npz", result=result.numpy())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
