"""Convolutions inside our blocks, and what the modules are called that people's PyTorch checkpoints have for them.

A checkpoint lists the parts of a module as they were made, not as they run, and two of equal shape can be exchanged
without an error: so it is names that tell, and a block without names here has its parts told apart by shapes or not
at all. Names are those of a unit, which is a convolution with its batch norm. `{i}` is a number, ours from 1 and
theirs from 0; `{level}` is a level of a head, which has a name here and a number there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
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
_C2F = {"split": "cv1", "fuse": "cv2", "{i}_conv1": "m.{i}.cv1", "{i}_conv2": "m.{i}.cv2"}
_SPLIT_ELAN = {"split": "cv1", "conv1": "cv2", "conv2": "cv3", "fuse": "cv4"}
_C3K = {**_CROSS_STAGE, "{j}_conv1": "m.{j}.cv1", "{j}_conv2": "m.{j}.cv2"}
_ATTENTION = {"attention_qkv": "attn.qkv", "attention_projection": "attn.proj", "attention_position": "attn.pe"}
_PSA = {**_ATTENTION, "expand": "ffn.0", "reduce": "ffn.1"}
_ATTENDED = {**_ATTENTION, "expand": "mlp.0", "reduce": "mlp.1"}
_CIB = {
    "first_depthwise": "cv1.0",
    "expand": "cv1.1",
    "middle_depthwise": "cv1.2",
    "middle7": "cv1.2.conv",
    "middle3": "cv1.2.conv1",
    "reduce": "cv1.3",
    "last_depthwise": "cv1.4",
}
_POOLED = {"reduce": "cv1", "fuse": "cv2"}
_SPP_CSP = {"deep": "cv1", "short": "cv2", "before1": "cv3", "before2": "cv4", "after1": "cv5", "after2": "cv6"}

PATHS: dict[str, Paths] = {
    "conv_bn_act": {"": ""},
    "conv": {"": ""},
    "c2": _C2F,
    "c2f": _C2F,
    "split_elan": _SPLIT_ELAN,
    "c3k": _C3K,
    "c3k2": {**_C2F, **_inside("{i}", "m.{i}", _C3K)},
    "c2f_cib": {"split": "cv1", "fuse": "cv2", **_inside("{i}", "m.{i}", _CIB)},
    "c2psa": {"split": "cv1", "fuse": "cv2", **_inside("{i}", "m.{i}", _PSA)},
    "c2f_psa": {"split": "cv1", "fuse": "cv2", **_inside("{i}", "m.{i}", _PSA)},
    "psa": {"split": "cv1", "fuse": "cv2", **_inside("{i}", "", _PSA)},
    "csp": _C3,
    "c3": _C3,
    "r_elan": {
        "reduce": "cv1",
        "fuse": "cv2",
        **_inside("{i}a", "m.{i}.0", _ATTENDED),
        **_inside("{i}b", "m.{i}.1", _ATTENDED),
        **_inside("{i}", "m.{i}", _C3K),
    },
    "rep_conv": {"dense": "rbr_dense", "pointwise": "rbr_1x1"},
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
    "spp_csp": {**_SPP_CSP, "fuse": "cv7"},
    "spp_elan": {"reduce": "cv1", "fuse": "cv5"},
    "a_conv": {"conv": "cv1"},
    "a_down": {"conv": "cv1", "pooled": "cv2"},
    "sc_down": {"pointwise": "cv1", "depthwise": "cv2"},
}
IDENTITY = {"rep_conv": "rbr_identity"}  # the norm of what a block reads, beside its convolutions
SEVERAL: dict[str, tuple[str, ...]] = {
    "elan": ("short", "deep", "conv{i}", "concat", "fuse"),
    "mp_down": ("pool", "pooled", "reduce", "conv", "concat"),
}
"""Blocks that are modules in a row there, each of one unit or of none (YOLOv7)."""
HEAD, ANCHORED = "head", "anchor_branch"
HEADS: dict[str, Paths] = {
    "box_branch": {
        "{level}_conv1": "cv2.{level}.0",
        "{level}_conv2": "cv2.{level}.1",
        "{level}_distances": "cv2.{level}.2",
    },
    "class_branch": {
        "{level}_conv1_depthwise": "cv3.{level}.0.0",
        "{level}_conv1_pointwise": "cv3.{level}.0.1",
        "{level}_conv2_depthwise": "cv3.{level}.1.0",
        "{level}_conv2_pointwise": "cv3.{level}.1.1",
        "{level}_conv1": "cv3.{level}.0",
        "{level}_conv2": "cv3.{level}.1",
        "{level}_logits": "cv3.{level}.2",
    },
    "value_branch": {
        "{level}_conv1": "cv4.{level}.0",
        "{level}_conv2": "cv4.{level}.1",
        "{level}_values": "cv4.{level}.2",
    },
    ANCHORED: {"{level}_conv": "m.{level}"},
}
_IN_HEADS = {
    "proto1": "proto.cv1",
    "proto_up": "proto.upsample",
    "proto2": "proto.cv2",
    "prototypes": "proto.cv3",
    "wide": "conv",
    "classes": "linear",
}
_ALL = {**PATHS, **HEADS}
_ONE_TO_ONE = ("one_", "one2one_")  # what the names of layers begin with here, and those of parts there (YOLOv10)
_OTHER_NAMES = {"rbr_dense": "conv1", "rbr_1x1": "conv2"}  # YOLOv7's and YOLOv9's for the branches of a RepConv
_PARTS = {"rbr_dense": ("0", "1"), "rbr_1x1": ("0", "1")}
MERGED = "rbr_reparam"
"""YOLOv7's name for the one convolution that the branches of a RepConv were merged into, with their batch norms."""
BRANCHES = ("conv1", "conv2")
_WITHOUT_NUMBER = re.compile(r"(?=(?:attn|ffn)\.)")  # of a part that other versions have several times


def is_in_head(path: str, block: str) -> bool:
    """Whether a layer of ours is a part of one module there, the last, as the other such layers are."""
    section, _, name = path.partition(".")
    return section == HEAD and (block in HEADS or name in _IN_HEADS)


def path_of(layer: str, block: str, unit: str, levels: dict[str, int]) -> str | None:
    """The path of a unit of the layer of ours in their module; None for none that is known. New levels are numbered."""
    name = layer.rpartition(".")[2]
    if not unit and is_in_head(layer, block):
        return _IN_HEADS.get(name)
    ours, theirs = _ONE_TO_ONE
    begin = theirs if block in HEADS and name.startswith(ours) else ""
    for pattern, path in _patterns(block):
        if found := pattern.fullmatch(unit):
            names = found.groupdict()
            numbers = {name: int(number) - 1 for name, number in names.items() if name != "level"}
            if "level" in names:
                numbers["level"] = levels.setdefault(names["level"], len(levels))
            return begin + path.format(**numbers)
    return None


def rows_of(block: str, units: Sequence[str]) -> list[str]:
    """The unit of each module that a block is in a row; a name that is no unit's for one without arrays."""
    matches = [[unit for unit in units if _pattern(own).fullmatch(unit)] or [own] for own in SEVERAL[block]]
    return [unit for found in matches for unit in found]


def numbered(path: str) -> str:
    """A path of theirs, as the versions have it in which a part that can come several times has a number."""
    other = _OTHER_NAMES.get(path, path)
    return _WITHOUT_NUMBER.sub("m.0.", other, count=1) if _WITHOUT_NUMBER.match(other) else other


def parts_of(path: str) -> tuple[str, str]:
    """What the convolution and the batch norm of a unit are called in it."""
    return _PARTS.get(path, ("conv", "bn"))


@lru_cache(maxsize=256)
def _patterns(block: str) -> list[tuple[re.Pattern[str], str]]:
    return [(_pattern(own), path) for own, path in _ALL.get(block, {}).items()]


def _pattern(own: str) -> re.Pattern[str]:
    named = own.replace("{level}", r"(?P<level>.{1,200}?)")
    return re.compile(re.sub(r"\{(\w)\}", r"(?P<\1>\\d{1,4})", named))
