"""Hostile texts and folders in an editor: all that the language server answers, at a place of each text."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from support.adversarial import IDEAS, text_of

from attacks.case import Attack

# What a dozen answers take together, where `texts` has the limits of one.
SECONDS = 8.0
MEBIBYTES = 500.0


def everything(name: str, folder: Path, at: tuple[int, int] | None = None) -> None:
    """Opens a file, and asks all there is to ask of its text at a line and column, or at one of three of them."""
    from lsprotocol import types
    from pygls.exceptions import JsonRpcException

    from archdsl.tools.lsp.diagnostics import diagnostics_of
    from archdsl.tools.lsp.open_texts import OpenTexts
    from archdsl.tools.lsp.server import ANSWERS

    text = (folder / name).read_bytes().decode(errors="surrogatepass")
    opened = OpenTexts().put((folder / name).as_uri(), text, 1)
    diagnostics_of(opened)
    whole = types.Range(types.Position(0, 0), types.Position(10**6, 0))
    position = types.Position(*(at or place(text, len(text))))
    asked: Any = SimpleNamespace(position=position, range=whole, new_name="another", context=SimpleNamespace(only=None))
    for _, answer, _ in [] if opened.is_large else ANSWERS:
        with suppress(JsonRpcException):  # why something cannot be renamed
            answer(opened, asked)


def warm_up(folder: Path) -> None:
    """What is made once is made before anything is measured."""
    text = "stages: {p1: {width: 8, stride: 2, body: {block: conv, kernel: 3}}}\n"
    (folder / "net.yaml").write_text(text)
    for column in range(len(text)):
        everything("net.yaml", folder, (0, column))


def place(text: str, number: int) -> tuple[int, int]:
    """A line and a column, from 0: the middle, after the first word, or the end."""
    lines = text.split("\n")
    middle = len(lines) // 2
    return (
        (middle, len(lines[middle]) // 2),
        (0, len(lines[0].split(":")[0])),
        (len(lines) - 1, len(lines[-1])),
    )[number % 3]


def _write(idea: str, folder: Path) -> None:
    (folder / "net.yaml").write_bytes(text_of(idea).encode("utf-8", "surrogatepass"))


def _beside(text: str, folder: Path) -> None:
    """A config whose folder has a link that leads out of it, one that leads to a device, and a folder as a parent."""
    (folder / "net.yaml").write_text(text)
    (folder / "secret.yaml").symlink_to(folder.parent / "secret.txt")
    (folder / "zero.yaml").symlink_to("/dev/zero")
    (folder / "folder.yaml").mkdir()


_ALL = partial(everything, "net.yaml")
PARENTS = ("secret", "zero", "folder", "../secret", "/etc/passwd", "neck: ../../secret")
ATTACKS = [
    *[Attack(idea, partial(_write, idea), _ALL, seconds=SECONDS, mebibytes=MEBIBYTES) for idea in IDEAS],
    *[Attack(f"the parent {name}", partial(_beside, f"defaults: [{name}, _self_]\n"), _ALL) for name in PARENTS],
]
