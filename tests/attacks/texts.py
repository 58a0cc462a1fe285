"""Texts that cost more than their length where anything is slow, and links and pipes in place of configs."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from unittest.mock import patch

from support.adversarial import IDEAS, text_of

import archdsl
from attacks.case import Attack, command

SECONDS = 2.0  # of processor time; here each takes less than one

# Ideas with which nothing is wrong, however often they are repeated.
_HARMLESS = {
    *("a package", "layers", "stages", "a deep stage", "upsamplings and strides", "blocks", "blocks with arguments"),
    *("blocks used", "layers of a block", "sources in a block", "arguments", "an argument of many uses"),
}


def _write(name: str, folder: Path) -> None:
    (folder / "net.yaml").write_bytes(text_of(name).encode("utf-8", "surrogatepass"))


def _linked(*links: tuple[str, str]) -> Callable[[Path], None]:
    """A config with a parent, and links by name and target."""

    def make(folder: Path) -> None:
        (folder / "net.yaml").write_text("defaults: [parent, _self_]\n")
        for name, target in links:
            (folder / name).symlink_to(target)

    return make


def _pipe(folder: Path) -> None:
    os.mkfifo(folder / "net.yaml")


def _swapped(folder: Path) -> object:
    """Reading what is a file when it is looked at, and a pipe when it is opened."""
    with patch.object(Path, "stat", return_value=Path(__file__).stat()):
        return archdsl.analyze("net.yaml")


_VALIDATE = command("validate", "net.yaml")

ATTACKS: list[Attack] = [
    *[
        Attack(name, partial(_write, name), _VALIDATE, "" if name in _HARMLESS else "error[", seconds=SECONDS)
        for name in IDEAS
    ],
    Attack("a parent that links to itself", _linked(("parent.yaml", "parent.yaml")), _VALIDATE, "error[unreadable]"),
    Attack(
        "parents that link to each other",
        _linked(("parent.yaml", "other.yaml"), ("other.yaml", "parent.yaml")),
        _VALIDATE,
        "error[unreadable]",
    ),
    Attack("a parent that is a device", _linked(("parent.yaml", "/dev/zero")), _VALIDATE, "leads out of"),
    Attack("a device", lambda folder: None, command("validate", "/dev/zero"), "error[not-a-file]: a device"),
    Attack("a pipe", _pipe, _VALIDATE, "error[not-a-file]: a named pipe"),
    Attack("a pipe that takes the place of a file", _pipe, _swapped, "error[not-a-file]: a named pipe"),
]
