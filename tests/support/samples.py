"""Which cases the quick set tries: one of each kind. The others have the mark `full`."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from archdsl.frontend.compose.search_path import config_root, preset_names

PARENTS = re.compile(r"^defaults: \[(.*), _self_\]$", re.MULTILINE)
NAME = re.compile(r"^[a-z]+")  # regnetx is not regnety
KEYS = re.compile(r"^(outputs|published):", re.MULTILINE)
PARAMS = re.compile(r"\bparams: (\d+)")


def sampled(cases: Iterable[Any], kept: Collection[Any]) -> list[Any]:
    """The parameters of a test: those that are kept run every time, the others with `-m full`."""
    return [case if case in kept else pytest.param(case, marks=pytest.mark.full) for case in cases]


def every_fourth(cases: Collection[Any], start: int = 0) -> list[Any]:
    return sampled(cases, list(cases)[start::4])


def presets(*more: str) -> list[Any]:
    """All presets, of which the smallest of each kind runs every time, and `more`."""
    return sampled(preset_names(), {*one_of_each_kind(), *more})


def files(paths: Collection[Path]) -> list[Any]:
    """Files that ship; of those that are presets one of each kind, and everything that is not."""
    left = {*preset_names()}.difference(one_of_each_kind())
    return sampled(paths, [path for path in paths if path.parent != config_root() or path.stem not in left])


@cache
def one_of_each_kind() -> tuple[str, ...]:
    """The smallest preset of each family with each neck and head, its outputs named or not, published or not."""
    smallest: dict[tuple[str, ...], str] = {}
    for name in sorted(preset_names(), key=_params):
        smallest.setdefault((NAME.findall(name)[0], *_kind(name)), name)
    return tuple(sorted(smallest.values()))


def _kind(name: str) -> tuple[str, ...]:
    """The family, and what the files below it choose and say that a size does not."""
    first, *others = (PARENTS.findall(_text(name)) or [f"family/{name}"])[0].split(", ")
    family = (first,) if first.startswith("family/") else _kind(first)
    return (*family, *others, *KEYS.findall(_text(name)))


def _params(name: str) -> int:
    return int((PARAMS.findall(_text(name)) or [0])[0])


def _text(name: str) -> str:
    return (config_root() / f"{name}.yaml").read_text()
