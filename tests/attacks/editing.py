"""Hostile texts and folders in an editor: all that the language server answers, at some places of each text."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from support.adversarial import IDEAS, text_of

from attacks.case import Attack

SECONDS = 4.0


def everything(name: str, folder: Path) -> None:
    """Opens a file, and asks all there is to ask of its text."""
    from lsprotocol import types
    from pygls.exceptions import JsonRpcException

    from archdsl.tools.lsp.diagnostics import diagnostics_of
    from archdsl.tools.lsp.open_texts import OpenTexts
    from archdsl.tools.lsp.server import ANSWERS

    text = (folder / name).read_bytes().decode(errors="surrogatepass")
    opened = OpenTexts().put((folder / name).as_uri(), text, 1)
    diagnostics_of(opened)
    whole = types.Range(types.Position(0, 0), types.Position(10**6, 0))
    for position in places(text):
        asked: Any = SimpleNamespace(
            position=types.Position(*position), range=whole, new_name="another", context=SimpleNamespace(only=None)
        )
        for _, answer, _ in [] if opened.is_large else ANSWERS:
            with suppress(JsonRpcException):  # why something cannot be renamed
                answer(opened, asked)


def places(text: str) -> Iterator[tuple[int, int]]:
    """Lines and columns, from 0: the middle, after the first word, the end."""
    lines = text.split("\n")
    middle = len(lines) // 2
    yield middle, len(lines[middle]) // 2
    yield 0, len(lines[0].split(":")[0])
    yield len(lines) - 1, len(lines[-1])


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
    *[Attack(idea, partial(_write, idea), _ALL, seconds=SECONDS) for idea in IDEAS],
    *[Attack(f"the parent {name}", partial(_beside, f"defaults: [{name}, _self_]\n"), _ALL) for name in PARENTS],
]
