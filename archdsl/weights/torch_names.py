"""Convolutions inside our blocks, and what the modules are called that people's PyTorch checkpoints have for them.

A checkpoint lists the parts of a module as they were made, not as they run, and two of equal shape can be exchanged
without an error: so it is names that tell, and a block without names here has its parts told apart by shapes or not
at all. Names are those of a unit, which is a convolution with its batch norm. `{i}` is a number, ours from 1 and
theirs from 0.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import TypeAlias

Paths: TypeAlias = dict[str, str]
"""Our name of a unit inside of its block → the path of theirs inside of their module."""


def _inside(ours: str, theirs: str, paths: Mapping[str, str]) -> Paths:
    """The paths of a block that is a part of another."""
    return {f"{ours}_{own}".rstrip("_"): ".".join(filter(None, (theirs, other))) for own, other in paths.items()}


_CROSS_STAGE = {"deep": "cv1", "short": "cv2", "fuse": "cv3"}
_C3 = {**_CROSS_STAGE, "{i}_reduce": "m.{i}.cv1", "{i}_conv": "m.{i}.cv2"}
_REP = {"dense": "conv1", "pointwise": "conv2"}
_REP_NCSP = {**_CROSS_STAGE, **_inside("{i}_rep", "m.{i}.cv1", _REP), "{i}_conv": "m.{i}.cv2"}
_POOLED = {"reduce": "cv1", "fuse": "cv2"}

PATHS: dict[str, Paths] = {
    "conv_bn_act": {"": ""},
    "conv": {"": ""},
    "c2f": {"split": "cv1", "fuse": "cv2", "{i}_conv1": "m.{i}.cv1", "{i}_conv2": "m.{i}.cv2"},
    "csp": _C3,
    "c3": _C3,
    "rep_conv": _REP,
    "rep_ncsp": _REP_NCSP,
    "rep_ncsp_elan": {
        "split": "cv1",
        **_inside("1_csp", "cv2.0", _REP_NCSP),
        "1_conv": "cv2.1",
        **_inside("2_csp", "cv3.0", _REP_NCSP),
        "2_conv": "cv3.1",
        "fuse": "cv4",
    },
    "spp": _POOLED,
    "sppf": _POOLED,
    "spp_elan": {"reduce": "cv1", "fuse": "cv5"},
    "a_conv": {"conv": "cv1"},
    "a_down": {"conv": "cv1", "pooled": "cv2"},
}


def path_of(block: str, unit: str) -> str | None:
    """The path of a unit of ours in the module that is our block; None for none that is known."""
    for pattern, path in _patterns(block):
        if found := pattern.fullmatch(unit):
            return path.format(**{name: int(number) - 1 for name, number in found.groupdict().items()})
    return None


@lru_cache(maxsize=256)
def _patterns(block: str) -> list[tuple[re.Pattern[str], str]]:
    return [
        (re.compile(re.sub(r"\{(\w)\}", r"(?P<\1>\\d{1,4})", own)), path) for own, path in PATHS.get(block, {}).items()
    ]
