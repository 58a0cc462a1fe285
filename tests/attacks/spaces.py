"""Hostile search spaces: choices without end, and what they name."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from support.adversarial import IDEAS, text_of

import archdsl.tools.search.engines
import archdsl.tools.search.planning  # noqa: F401  (before it is watched: it imports Arrow, and makes classes)
from attacks.case import Attack, command

_SIZES = [f"stages.p{n}.{key}: 'range(1, 200)'" for n in (2, 3, 4, 5) for key in ("width", "depth")]
_BACKBONE = "config: yolo_v8_s_backbone\nchoices: "
SPACES = {
    "a range to 10¹⁸": (_BACKBONE + "{scale.width: 'range(0, 1000000000000000000)'}", "more than 10,000 values"),
    "a range in steps of nothing": (_BACKBONE + "{scale.width: 'range(0.1, 1, 0)'}", "in steps of 0"),
    "a range to infinity": (_BACKBONE + "{scale.width: 'range(1, inf)'}", None),
    "many choices": (_BACKBONE + "{" + ", ".join([f"k{n}: [1, 2]" for n in range(500)]) + "}", "at most 64"),
    "many values": (_BACKBONE + "{scale.width: [" + "1, " * 9000 + "2]}", None),
    "more variants than can be counted": (
        _BACKBONE
        + "{"
        + ", ".join([f"stages.p{n}.{key}: 'range(1, 200)'" for n in (2, 3, 4, 5) for key in ("width", "depth")])
        + "}",
        "narrow the choices",
    ),
    "a secret as its config": ("config: ../secret.txt\nchoices: {scale.width: [1]}", "is not beside this file"),
    "a device as its config": ("config: /dev/zero\nchoices: {scale.width: [1]}", "is not beside this file"),
    "a link as its config": ("config: link.yaml\nchoices: {scale.width: [1]}", "no preset or file 'link.yaml'"),
    "a link as its machine": ("latency: link.yaml\n" + _BACKBONE + "{scale.width: [1]}", "leads out of this folder"),
    "a function as a value": (_BACKBONE + "{scale.width: '${oc.env:HOME}'}", None),
    "a target as a value": (_BACKBONE + "{stages.p4.body: [{_target_: os.system}]}", None),
}


def _write(text: str, folder: Path) -> None:
    (folder / "space.yaml").write_text(text)
    (folder / "link.yaml").symlink_to(folder.parent / "secret.txt")


def _write_bytes(idea: str, folder: Path) -> None:
    (folder / "space.yaml").write_bytes(text_of(idea).encode("utf-8", "surrogatepass"))


_SEARCH = command("search", "space.yaml")
ATTACKS = [
    *[Attack(name, partial(_write, text), _SEARCH, answer, seconds=8) for name, (text, answer) in SPACES.items()],
    *[Attack(idea, partial(_write_bytes, idea), _SEARCH, None) for idea in [*IDEAS][::4]],
]
