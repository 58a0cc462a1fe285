"""One way of giving archdsl something that it cannot use, and what the user must be told."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

PLACE = "§"
"""Marks, in a text, the place that the report must point at."""

NET = "stages: {p1: {width: 8, stride: 2, body: {block: conv_bn_act, kernel: 3}}}\n"
"""A config with which nothing is wrong."""


@dataclass(frozen=True)
class Case:
    """`number` is that of the trap; several spellings of one trap share it.

    `text` is the config, as text with a place marked, or as bytes; `name` what it is given as, when not as a file.
    `files` stand beside it, and what `make` puts there. `at` says where the report points, where that is
    another file. `options` are for the command line.
    """

    number: int
    text: str | bytes
    code: str
    message: str = ""
    hint: str = ""
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    overrides: Sequence[str] = ()
    options: Sequence[str] = ()
    name: str = ""
    label: str = ""
    at: tuple[str, int, int] | None = None
    make: Callable[[Path], object] | None = None

    @property
    def dangerous(self) -> bool:
        """Whether it could hang, or eat the machine: devices, bombs, depth, size."""
        return self.number in (3, 5, *range(110, 123), 128, 151)

    @property
    def id(self) -> str:
        shown = self.label or " ".join(self.overrides) or self.name or str(self.text)
        if PLACE in shown:
            shown = shown[max(0, shown.index(PLACE) - 25) :]
        return f"{self.number} {ascii(shown)[1:-1][:50]}"

    @property
    def place(self) -> tuple[int, int] | None:
        """Line and column of the mark; (1, 1) of an override; None where there is no text to point at."""
        if self.overrides and not (isinstance(self.text, str) and PLACE in self.text):
            return 1, 1
        if not isinstance(self.text, str) or PLACE not in self.text:
            return None
        before = self.text[: self.text.index(PLACE)].replace("\r\n", "\n").replace("\r", "\n")
        return before.count("\n") + 1, len(before) - before.rfind("\n")

    def prepare(self, folder: Path) -> str:
        """Writes the files into `folder`; what the config is called there."""
        for name, text in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
        if self.make:
            self.make(folder)
        if self.name:
            return self.name
        (folder / "net.yaml").write_bytes(self.data)
        return "net.yaml"

    @property
    def data(self) -> bytes:
        if isinstance(self.text, bytes):
            return self.text
        return self.text.replace(PLACE, "", 1).encode("utf-8", "surrogatepass")


Row = tuple[int, str, str, str, str]
"""Number, spelling, code, part of the message, part of the hint."""


def texts(rows: Sequence[Row]) -> list[Case]:
    """Whole texts."""
    return [Case(number, text, code, message, hint) for number, text, code, message, hint in rows]


def values(kind: str, template: str, rows: Sequence[Row]) -> list[Case]:
    """Values in one place of a config that is right otherwise. A value that is empty is missing right after the key."""
    return [
        Case(number, _filled(template, value) + NET, code, message, hint, label=f"{kind} {value or 'empty'}")
        for number, value, code, message, hint in rows
    ]


def _filled(template: str, value: str) -> str:
    return template.replace("%", PLACE + value) if value else template.replace(" %", PLACE)


def overridden(rows: Sequence[Row]) -> list[Case]:
    """Overrides of a shipped preset."""
    return [
        Case(number, "", code, message, hint, name="yolo_v8_s_backbone", overrides=(override,))
        for number, override, code, message, hint in rows
    ]
