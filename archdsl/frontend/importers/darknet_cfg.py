"""Darknet's .cfg files as text: sections of keys and values, with their lines, read strictly."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from archdsl.diagnostics.problems import ArchError, Mark, fail
from archdsl.frontend.budget import DEFAULT
from archdsl.frontend.yaml.files import decoded

MAX_SECTIONS = 2000
MAX_NUMBER = 65_536
MAX_NUMBERS = 1000
MAX_TEXT = 60  # letters of the file that a message quotes


@dataclass(frozen=True)
class Section:
    """`[kind]` and what follows it. Of a key that is there twice the first counts, as in Darknet."""

    kind: str
    mark: Mark
    values: dict[str, tuple[str, int]] = field(default_factory=dict)

    def at(self, key: str) -> Mark:
        """The place of a key; without it that of the section."""
        return Mark(self.mark.file, self.values[key][1] if key in self.values else self.mark.line, 1)

    def text(self, key: str, default: str) -> str:
        return self.values[key][0] if key in self.values else default

    def number(self, key: str, default: int, least: int = 0, most: int = MAX_NUMBER) -> int:
        found = self.numbers(key, (default,))
        if len(found) != 1 or not least <= found[0] <= most or found[0] != int(found[0]):
            raise self.bad(key, f"expected a whole number from {least} to {most}")
        return int(found[0])

    def numbers(self, key: str, default: tuple[float, ...] = ()) -> tuple[float, ...]:
        if key not in self.values:
            return default
        parts = [part for part in self.values[key][0].split(",") if part.strip()]
        try:
            found = tuple([float(part) for part in parts[: MAX_NUMBERS + 1]])
        except ValueError:
            raise self.bad(key, "expected numbers") from None
        if len(found) > MAX_NUMBERS or not all(abs(number) <= MAX_NUMBER for number in found):  # nor nan
            raise self.bad(key, f"expected at most {MAX_NUMBERS} numbers, none beyond {MAX_NUMBER}")
        return found

    def bad(self, key: str, expected: str) -> ArchError:
        text = self.text(key, "")
        shown = text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}…"
        return fail("value", f"[{self.kind}] {key}={shown}; {expected}", mark=self.at(key))


def read_cfg(path: Path) -> list[Section]:
    """The sections of a file, `[net]` first. Raises ArchError for a text that is not one."""
    mark = Mark(str(path))
    most = int(DEFAULT.file_bytes)
    try:
        if not path.is_file():
            raise fail("missing-file", "there is no such file", mark=mark)
        with path.open("rb") as file:
            data = file.read(most + 1)
    except OSError as error:
        raise fail("unreadable", f"cannot be read: {error.strerror or error}", mark=mark) from None
    if len(data) > most:
        raise fail("limit", f"more than {most} bytes of text", mark=mark)
    return sections_of(decoded(data, os.fspath(path)), os.fspath(path))


def sections_of(text: str, name: str) -> list[Section]:
    """The sections of a text; `name` is that of its file in messages."""
    sections: list[Section] = []
    for number, line in enumerate(text.split("\n"), 1):
        words = line.partition("#")[0].partition(";")[0].strip()
        mark = Mark(name, number, 1)
        key, equals, value = (part.strip() for part in words.partition("="))
        if words.startswith("[") and words.endswith("]"):
            sections.append(Section(words[1:-1].strip().lower()[:MAX_TEXT], mark))
        elif words and (not equals or not sections):
            raise fail("syntax", "expected [section] or key=value", mark=mark, hint="this is not a Darknet .cfg")
        elif words:
            sections[-1].values.setdefault(key[:MAX_TEXT], (value, number))
        if len(sections) > MAX_SECTIONS:
            raise fail("limit", f"more than {MAX_SECTIONS} sections", mark=mark)
    if not sections or sections[0].kind not in ("net", "network"):
        raise fail("syntax", "it does not begin with [net]", mark=Mark(name, 1, 1), hint="this is not a Darknet .cfg")
    return sections
