"""The networks of a space, numbered: a number is one value for each choice, the last choice first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, NamedTuple

from archdsl.analysis.report import Report
from archdsl.diagnostics.problems import ArchError, Problem, by_place
from archdsl.frontend.budget import DEFAULT, Budget
from archdsl.frontend.compose.config import Config
from archdsl.frontend.compose.interpolation import has_reference
from archdsl.frontend.compose.merge import copied, merged
from archdsl.frontend.compose.overrides import apply_overrides
from archdsl.frontend.lower import outline
from archdsl.frontend.sema.resolve import resolve
from archdsl.tools.search.choices import Choice
from archdsl.tools.search.space import Space

_CHECKED = 2_000  # values of all choices

Digits = tuple[int, ...]
"""A position among the values of each choice."""
_Fact = tuple[str, str]
"""The path and the message of a problem."""


class _Base(NamedTuple):
    """The config with certain options of groups; what each value of the other choices sets in it.

    Empty where a choice may change what another means, through references or by their keys: then a variant is composed
    from the beginning.
    """

    config: Config
    changes: Sequence[Sequence[Mapping[str, Any]]]


class Variants:
    """The networks of a space by their numbers. Raises ArchError for a value that its config does not take."""

    def __init__(self, space: Space, budget: Budget = DEFAULT):
        self.space, self.budget = space, budget
        self.counts = tuple([choice.count for choice in space.choices])
        self._bases: dict[Digits, _Base] = {}

    def digits(self, number: int) -> Digits:
        """The values of the variant with this number, as positions."""
        found = []
        for count in reversed(self.counts):
            number, digit = divmod(number, count)
            found.append(digit)
        return tuple(reversed(found))

    def number(self, digits: Sequence[int]) -> int:
        found = 0
        for count, digit in zip(self.counts, digits, strict=True):
            found = found * count + digit
        return found

    def overrides(self, digits: Sequence[int]) -> list[str]:
        return [choice.override(digit) for choice, digit in zip(self.space.choices, digits, strict=True)]

    def config(self, digits: Sequence[int]) -> Config:
        """The config of a variant, composed as `archdsl show CONFIG OVERRIDE…` composes it."""
        base = self._base(digits)
        if not base.changes:
            return self.space.base(self.overrides(digits), self.budget)
        values: Mapping[str, Any] = base.config.values
        for changes, digit in zip(base.changes, digits, strict=True):
            if changes:
                values = merged(values, changes[digit])
        return replace(base.config, values=dict(values))

    def report(self, digits: Sequence[int]) -> Report:
        """Its costs. Raises ArchError for values that do not fit together."""
        return Report(outline(self.config(digits), self.budget))

    def check(self) -> None:
        """Raise ArchError for the values that their keys do not take, each at its choice.

        Whether values fit together is another question: what does not compile is not within the budget.
        """
        first = [0] * len(self.counts)
        self._base(first)
        common, cured = self._problems(first), dict[_Fact, int]()
        problems: dict[tuple[int, str, str], Problem] = {}  # of the values of a choice that are wrong alike, the first

        def tell(found: Problem, digits: Sequence[int], changed: int) -> None:
            own = self._named(found.path, changed)
            told = _of_choice(found, self.space.choices[own], digits[own])
            problems.setdefault((own, found.code, str(found.hint)), told)

        for position, choice in enumerate(self.space.choices):
            for digit in filter(None, self._tried(choice)):
                digits = [*first[:position], digit, *first[position + 1 :]]
                own = self._problems(digits)
                cured.update(dict.fromkeys(common.keys() - own.keys(), position))
                for fact in [fact for fact in own if fact not in common][:1]:
                    tell(own[fact], digits, position)
        for fact, found in common.items():
            tell(found, first, cured.get(fact, 0))
        if problems:
            raise ArchError(by_place([*problems.values()]))

    def _problems(self, digits: Sequence[int]) -> dict[_Fact, Problem]:
        """What is wrong with the spec of a variant."""
        try:
            resolve(self.config(digits), self.budget)
        except ArchError as error:
            return {(each.path, each.message): each for each in error.problems}
        return {}

    def _named(self, path: str, changed: int) -> int:
        """The choice that a problem is about: of the key that it names, else the one that was changed."""
        named = [place for place, each in enumerate(self.space.choices) if f"{path}.".startswith(f"{each.key}.")]
        return changed if changed in named or not named else named[0]

    def _tried(self, choice: Choice) -> list[int]:
        """The positions of values that are checked: the ends, and as many between them as there is time for."""
        step = choice.count if choice.is_interval else 1 + choice.count * len(self.counts) // _CHECKED
        return sorted({*range(0, choice.count, step), choice.count - 1})

    @cached_property
    def _chooses(self) -> tuple[bool, ...]:
        """Whether each choice is between options of a group."""
        return tuple([choice.given(0).chooses for choice in self.space.choices])

    def _base(self, digits: Sequence[int]) -> _Base:
        chosen = tuple([digit if chooses else -1 for digit, chooses in zip(digits, self._chooses, strict=True)])
        if chosen not in self._bases:
            self._bases[chosen] = self._made(chosen)
        return self._bases[chosen]

    def _made(self, chosen: Digits) -> _Base:
        choices = self.space.choices
        options = [(choice, digit) for choice, digit in zip(choices, chosen, strict=True) if digit >= 0]
        for choice, digit in options:  # alone, so that an error is that of a choice
            try:
                self.space.base([choice.override(digit)], self.budget)
            except ArchError as error:
                raise ArchError([_of_choice(each, choice, digit) for each in error.problems]) from None
        config = self.space.base([choice.override(digit) for choice, digit in options], self.budget)
        is_entangled = _follows_references(config) or _overlap([choice.key for choice in choices])
        if is_entangled or any(choice.is_interval for choice in choices):
            return _Base(config, ())
        changes: list[list[Mapping[str, Any]]] = []
        problems: list[Problem] = []
        for choice, digit in zip(choices, chosen, strict=True):
            try:
                changes.append([_change(config, choice, each) for each in range(choice.count) if digit < 0])
            except ArchError as error:
                problems += error.problems
        if problems:
            raise ArchError(problems)
        return _Base(config, changes)


def _change(config: Config, choice: Choice, digit: int) -> Mapping[str, Any]:
    """What an override sets, as the file that would set the same. Raises ArchError at the choice."""
    try:
        (source,) = apply_overrides(copied(config.values), dict(config.places), [choice.given(digit)])
    except ArchError as error:
        raise ArchError([_of_choice(each, choice, digit) for each in error.problems]) from None
    return source.values


def _of_choice(found: Problem, choice: Choice, digit: int) -> Problem:
    """A problem of a value, at the choice that has it."""
    value = choice.written(digit)
    message = found.message if value in found.message else f"{value}: {found.message}"
    return found.at(choice.mark, f"choices.{choice.key}")._replace(message=message, notes=())


def _overlap(keys: Sequence[str]) -> bool:
    """Whether a choice sets what another sets a part of, so that their order matters."""
    plain = [key.lstrip("+") for key in keys]
    return any(one != other and one.startswith(f"{other}.") for one in plain for other in plain)


def _follows_references(config: Config) -> bool:
    """Whether a file of the config has a reference, whose value may depend on a choice."""
    return any(_has_reference(source.values) for source in config.history)


def _has_reference(value: Any) -> bool:
    if isinstance(value, (dict, list)):
        return any(map(_has_reference, value.values() if isinstance(value, dict) else value))
    return isinstance(value, str) and has_reference(value)
