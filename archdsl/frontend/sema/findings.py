"""What is wrong with a config, gathered on the way, so that one run reports all of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from archdsl.diagnostics.codes import CodeName
from archdsl.diagnostics.problems import ArchError, Gathered, Mark, Note, Problem, by_place, problem
from archdsl.frontend.compose.config import Location

# What can still be told of a config whose broken entries were left out; other problems may follow from the gaps.
_INDEPENDENT = {"unknown-block", "unknown-key", "unknown-value", "unknown-output", "unknown-stage", "type", "range"}


class Findings(Gathered):
    """The problems of one config, in the order in which they are found; the first are those of its schema."""

    def __init__(self, problems: Iterable[Problem] = ()) -> None:
        super().__init__(problems)
        self._of_schema = len(self)

    def report(
        self,
        code: CodeName,
        message: str,
        at: Location,
        hint: str = "",
        notes: Sequence[Note] = (),
        mark: Mark | None = None,
    ) -> None:
        """A problem of the entry `at`; it points at `mark` where that is given."""
        at_key = code == "key" or at.path[:1] == ("blocks",)  # there the value often begins a line below
        mark = mark or (at.key if at_key else at.value)
        self.add(problem(code, message, mark=mark, path=at.stated, hint=hint, notes=notes))

    def raise_any(self) -> None:
        """Raise ArchError for all that was found, without what may only follow from what is wrong with the schema."""
        first, following = self[: self._of_schema], self[self._of_schema :]
        found = [*first, *[each for each in following if not first or each.code in _INDEPENDENT]]
        if found:
            raise ArchError(by_place(found))
