"""A config being edited: its problems, its costs, and its costs when it was last valid."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path

from archdsl.analysis.expect import at_known_size, check_expectations
from archdsl.analysis.report import Report, report
from archdsl.diagnostics.fixes import Edit, Fix, Range
from archdsl.diagnostics.problems import ArchError, Problem
from archdsl.diagnostics.texts import text_of
from archdsl.frontend.budget import DEFAULT, Budget
from archdsl.frontend.compose.config import Config, load
from archdsl.frontend.lower import outline
from archdsl.frontend.source import KeyPath
from archdsl.frontend.yaml.extents import with_extents
from archdsl.frontend.yaml.files import ConfigText
from archdsl.tools.editing.figures import Figures, figures_of
from archdsl.tools.editing.places import Index

__all__ = ["Document", "Edit", "Fix", "Range"]


class Document:
    """One text that is being edited, under the name of a file.

    Parents are looked for in `folder`, then among the shipped configs; without a folder only there. `others` are texts
    that count instead of the files at these (real) paths. `before` is the document that this one was a moment ago.

    `problems` have their ends and fixes; those with another file than `name` are in a parent. `config` is None where
    the text cannot be composed, `report` where there is no network; `last_good` is then that of the last text which
    had one. Reports are for an image of 640 pixels a side where the config leaves that open.
    """

    def __init__(
        self,
        name: str,
        text: str,
        *,
        folder: Path | None = None,
        overrides: Sequence[str] = (),
        before: Document | None = None,
        others: Mapping[str, str] | None = None,
        budget: Budget = DEFAULT,
    ):
        self.name = name
        self.text = text
        self.folder = folder
        self.overrides = tuple(overrides)
        self.others = others or {}
        self.budget = budget
        self.config: Config | None = None
        self.report: Report | None = None
        found = self._analysed()
        self.problems: tuple[Problem, ...] = with_extents(found, self.text_of)
        self.last_good: Report | None = self.report or (before.last_good if before else None)

    def _analysed(self) -> Sequence[Problem]:
        try:
            self.config = load(ConfigText(self.text, self.name, self.folder, self.others), self.overrides, self.budget)
            self.report = report(outline(self.config, self.budget))
            with suppress(ArchError):  # that it does not take
                self.report = at_known_size(self.config, self.report)
            check_expectations(self.config, self.report)
        except ArchError as error:
            return error.problems
        return ()

    def with_text(self, text: str) -> Document:
        """The same document with another text."""
        given = {"overrides": self.overrides, "others": self.others, "budget": self.budget}
        return Document(self.name, text, folder=self.folder, **given)  # type: ignore[arg-type]

    @cached_property
    def index(self) -> Index:
        """The index of the text, valid or not."""
        return Index(self.text, self.name)

    @cached_property
    def figures(self) -> Mapping[KeyPath, Figures]:
        """The cost of each entry; empty while the text is broken."""
        return figures_of(self.report) if self.report else {}

    def text_of(self, file: str) -> str:
        """The text of the config or one of its parents, as it was read."""
        other = self.text if file == self.name else self.others.get(os.path.realpath(file))
        return text_of(file) if other is None else other
