"""YOLOv7 and YOLOv7-tiny, narrow, as whole modules like their checkpoints, by PyTorch, with what it computes of them.

`python tests/support/torch_yolo_v7.py tests/weights/files` wrote the files there, with torch 2.13.0. No test runs it.
The rows are those of yolo_v7.txt there: what each module reads, what it is, and its parameters at full width.
"""

# mypy: ignore-errors
from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

NARROWER, CLASSES = 32, 2
STRIDED = {"yolov7": (1, 3, 15, 28, 41, 79, 92), "yolov7-tiny": (0, 1, 58, 66)}


class Conv(nn.Module):
    def __init__(self, before, width, kernel, stride, act):
        super().__init__()
        self.conv = nn.Conv2d(before, width, kernel, stride, kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(width, eps=1e-3)
        self.act = act

    def forward(self, x):
        return self.act(self.bn(self.conv(x)))


class SPPCSPC(nn.Module):
    def __init__(self, before, width, act):
        super().__init__()
        self.cv1, self.cv2 = Conv(before, width, 1, 1, act), Conv(before, width, 1, 1, act)
        self.cv3, self.cv4 = Conv(width, width, 3, 1, act), Conv(width, width, 1, 1, act)
        self.m = nn.ModuleList(nn.MaxPool2d(side, 1, side // 2) for side in (5, 9, 13))
        self.cv5, self.cv6 = Conv(4 * width, width, 1, 1, act), Conv(width, width, 3, 1, act)
        self.cv7 = Conv(2 * width, width, 1, 1, act)

    def forward(self, x):
        deep = self.cv4(self.cv3(self.cv1(x)))
        deep = self.cv6(self.cv5(torch.cat([deep, *[pool(deep) for pool in self.m]], 1)))
        return self.cv7(torch.cat((deep, self.cv2(x)), 1))


class RepConv(nn.Module):
    def __init__(self, before, width, act):
        super().__init__()
        for name, kernel in (("rbr_dense", 3), ("rbr_1x1", 1)):
            conv = nn.Conv2d(before, width, kernel, 1, kernel // 2, bias=False)
            setattr(self, name, nn.Sequential(conv, nn.BatchNorm2d(width, eps=1e-3)))
        self.act = act

    def forward(self, x):
        return self.act(self.rbr_dense(x) + self.rbr_1x1(x))


class MP(nn.Module):
    def __init__(self, window=2):
        super().__init__()
        self.m = nn.MaxPool2d(window, window)

    def forward(self, x):
        return self.m(x)


class SP(nn.Module):
    def __init__(self, window=3, stride=1):
        super().__init__()
        self.m = nn.MaxPool2d(window, stride, window // 2)

    def forward(self, x):
        return self.m(x)


class Concat(nn.Module):
    def __init__(self):
        super().__init__()
        self.d = 1

    def forward(self, maps):
        return torch.cat(maps, self.d)


class Implicit(nn.Module):
    def __init__(self, count):
        super().__init__()
        self.implicit = nn.Parameter(torch.empty(1, count, 1, 1))


class IDetect(nn.Module):
    def __init__(self, before, anchors):
        super().__init__()
        wide = 3 * (5 + CLASSES)
        pixels = torch.tensor(anchors, dtype=torch.float32).view(3, 3, 2)
        self.register_buffer("anchors", pixels / torch.tensor([8, 16, 32]).view(3, 1, 1))
        self.register_buffer("anchor_grid", pixels.view(3, 1, -1, 1, 1, 2))
        self.m = nn.ModuleList(nn.Conv2d(each, wide, 1) for each in before)
        self.ia = nn.ModuleList(Implicit(each) for each in before)
        self.im = nn.ModuleList(Implicit(wide) for _ in before)

    def forward(self, maps):
        made = zip(self.im, self.m, self.ia, maps, strict=True)
        return [factor.implicit * conv(x + added.implicit) for factor, conv, added, x in made]


ANCHORS = {
    "yolov7": [12, 16, 19, 36, 40, 28, 36, 75, 76, 55, 72, 146, 142, 110, 192, 243, 459, 401],
    "yolov7-tiny": [10, 13, 16, 30, 33, 23, 30, 61, 62, 45, 59, 119, 116, 90, 156, 198, 373, 326],
}


def kernel_and_width(params, before):
    """Of a convolution with its batch norm, by its parameters: k² C width + 2 width."""
    (found,) = [
        (kernel, params // (kernel**2 * before + 2))
        for kernel in (1, 3)
        if params % (kernel**2 * before + 2) == 0
        and (params // (kernel**2 * before + 2)) & (params // (kernel**2 * before + 2) - 1) == 0
    ]
    return found


class Network(nn.Module):
    def __init__(self, name, rows):
        super().__init__()
        self.reads, modules, wide = [], [], []
        act = nn.SiLU() if name == "yolov7" else nn.LeakyReLU(0.1)
        for number, (origins, kind, params) in enumerate(rows):
            before = [wide[each] if wide else 3 for each in origins]
            full = before[0]
            near = full if number == 0 else full // NARROWER
            if kind == "Conv":
                kernel, full = kernel_and_width(params, full)
                module = Conv(near, full // NARROWER, kernel, 1 + (number in STRIDED[name]), act)
            elif kind == "SPPCSPC":
                full = 512
                module = SPPCSPC(near, full // NARROWER, act)
            elif kind == "RepConv":
                full *= 2
                module = RepConv(near, full // NARROWER, act)
            elif kind == "IDetect":
                module = IDetect([each // NARROWER for each in before], ANCHORS[name])
            else:
                side = {31: 5, 32: 9, 33: 13}.get(number)
                module = {
                    "MP": MP(),
                    "SP": SP(side) if side else None,
                    "Upsample": nn.Upsample(None, 2, "nearest"),
                    "Concat": Concat(),
                }[kind]
                full = sum(before)
            near = [-1 if origin == number - 1 else origin for origin in origins]
            module.i, module.f, module.type = number, near if len(near) > 1 else near[0], f"models.{kind}"
            self.reads.append(origins)
            modules.append(module)
            wide.append(full)
        self.model = nn.Sequential(*modules)

    def forward(self, x):
        made = []
        for origins, module in zip(self.reads, self.model, strict=True):
            inputs = [made[each] if made else x for each in origins]
            made.append(module(inputs if isinstance(module, (Concat, IDetect)) else inputs[0]))
        return made[-1]


def main(folder: Path) -> None:
    for name in ANCHORS:
        lines = [line.split() for line in (folder / "yolo_v7.txt").read_text().splitlines()]
        rows = [
            ([int(each) for each in origins.split(",")], "IDetect" if kind == "Detect" else kind, int(params))
            for network, origins, kind, params in lines
            if network == name
        ]
        torch.manual_seed(0)
        network = Network(name, rows).half().float().eval()
        for key, value in network.state_dict().items():
            if "anchor" not in key and value.is_floating_point():
                near = 1.0 if key.endswith(("running_var", "bn.weight", "1.weight")) or ".im." in key else 0.0
                value.copy_((near + torch.randn_like(value) * (0.1 if value.dim() == 1 or near else 0.3)).half())
            if key.endswith("running_var"):
                value.abs_()
        image = torch.rand(1, 3, 32, 64)
        with torch.no_grad():
            maps = network(image)
        file = name.replace("yolov7", "yolo_v7").replace("-", "_")
        torch.save({"epoch": -1, "model": network.half()}, folder / f"{file}.pt")
        results = {f"result{level}": each.permute(0, 2, 3, 1).numpy() for level, each in enumerate(maps)}
        np.savez_compressed(folder / f"{file}.npz", image=image.permute(0, 2, 3, 1).numpy(), **results)
        print(file, [float(each.abs().max()) for each in maps], [float(each.std()) for each in maps])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
