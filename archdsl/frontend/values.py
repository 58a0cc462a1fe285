"""What values a config may hold, wherever they come from; Python's are copied under the limits that texts have."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from archdsl.diagnostics.problems import ArchError, Gathered, Mark, Problem, fail, problem
from archdsl.diagnostics.wording import describe
from archdsl.frontend.budget import DEFAULT, Budget, allow_more
from archdsl.frontend.source import KeyPath, Source, dotted

MAX_DEPTH = 64
MAX_SCALAR = 10_000
MAX_KEY = 200
# Control characters, halves of surrogate pairs, and line ends that most programs do not take for one.
UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")


_LARGEST = 10**40
_WORD = 64  # characters
_FEW = 32  # keys


def fault_of(value: Any) -> Problem | None:
    """What is wrong with a single value, whatever it is for."""
    if isinstance(value, str):
        return _fault_of_word(value) if len(value) <= _WORD else _fault_of_text(value)
    if isinstance(value, int) and not -_LARGEST < value < _LARGEST:
        return problem("range", f"{describe(value)}; expected at most 40")
    if value is None or isinstance(value, (bool, int, float)):
        return None
    return problem(
        "type", f"expected plain data, got {describe(value)}", hint=_CONVERSIONS.get(type(value).__name__, "")
    )


def _fault_of_text(text: str) -> Problem | None:
    if len(text) > MAX_SCALAR:
        return problem("limit", f"a text of {len(text)} characters; the limit is {MAX_SCALAR}")
    strange = UNPRINTABLE.search(text)
    return strange and problem("encoding", f"the character U+{ord(strange[0]):04X} is not allowed", hint="take it out")


_fault_of_word = lru_cache(maxsize=4096)(_fault_of_text)  # the same few words stand in every config


def too_many_values(budget: Budget) -> Problem:
    """What is wrong with a config of more values than the budget allows."""
    return problem("limit", f"more than {budget.values:.0f} values", hint=allow_more("values", 2 * budget.values))


def key_fault(key: Any) -> Problem | None:
    """What is wrong with a key, wherever it stands."""
    if not isinstance(key, str):
        return problem("key", f"a key must be text, got {describe(key)}", hint="names begin with a letter")
    if len(key) > MAX_KEY:
        return problem("limit", f"a key of {len(key)} characters; the limit is {MAX_KEY}")
    return fault_of(key)


_CONVERSIONS = {
    **dict.fromkeys(("set", "frozenset", "range", "generator", "deque", "dict_keys", "dict_values"), "write list(…)"),
    **dict.fromkeys(("ndarray", "EagerTensor", "Tensor"), "write .tolist()"),
    **dict.fromkeys(("Decimal", "Fraction"), "write float(…)"),
    **dict.fromkeys(("PosixPath", "WindowsPath", "date", "datetime"), "write str(…)"),
    "bytes": "write .decode()",
}


def read_mapping(values: Mapping[Any, Any], file: str = "<dict>", budget: Budget = DEFAULT) -> Source:
    """A config that came as Python values: copied, tuples made lists, every key and value checked."""
    plain = plain_copy(values, (), Mark(file), budget)
    if not isinstance(plain, dict):  # a DictConfig may stand for nothing, or for an interpolation
        raise fail("type", f"expected a mapping, got {describe(plain)}", mark=Mark(file))
    return Source(file, plain)


def plain_copy(value: Any, path: KeyPath, mark: Mark, budget: Budget = DEFAULT) -> Any:
    """Python values as a config holds them, under the limits that texts have; they stand under `path`.

    Takes what Python code computes with for what it means: tuples, DictConfigs, numpy's numbers.
    Raises ArchError for anything else that a file could not hold.
    """
    copier = _Copier(mark, budget)
    plain = copier.copy(value, path)
    if copier.problems:
        raise ArchError(copier.problems)
    return plain


class _Copier:
    """Gathers what is wrong on the way."""

    def __init__(self, mark: Mark, budget: Budget):
        self.mark = mark
        self.budget = budget
        self.problems = Gathered()
        self._nodes = 0

    def copy(self, value: Any, path: KeyPath) -> Any:
        if type(value) not in _PLAIN:
            value = self._plain(value, path)
        if type(value) not in _SCALARS:
            if isinstance(value, (dict, Mapping)):  # a dict is told apart at once, another mapping is not
                self._count(path, len(value))
                return {
                    str(key): item if _is_sound(item) else self.copy(item, (*path, key))
                    for key, item in (value.items() if _are_keys(value) else self._with_keys(value, path))
                }
            if isinstance(value, (list, tuple)):
                self._count(path, len(value))
                return [
                    item if _is_sound(item) else self.copy(item, (*path, index)) for index, item in enumerate(value)
                ]
        return value if self._accepts(fault_of(value), path) else None

    def _plain(self, value: Any, path: KeyPath) -> Any:
        try:
            return _plain(value)
        except RecursionError:
            raise self._too_deep(path) from None

    def _with_keys(self, value: Mapping[Any, Any], path: KeyPath) -> list[tuple[Any, Any]]:
        """The entries whose keys are in order."""
        return [(key, item) for key, item in value.items() if self._accepts(key_fault(key), path)]

    def _accepts(self, fault: Problem | None, path: KeyPath) -> bool:
        if fault is not None:
            self.problems.add(fault.at(self.mark, dotted(path)))
        return fault is None

    def _count(self, path: KeyPath, values: int) -> None:
        self._nodes += values
        if self._nodes > self.budget.values:  # a few lists that hold each other's items can stand for millions
            raise ArchError([too_many_values(self.budget).at(self.mark, dotted(path))])
        if len(path) > MAX_DEPTH:
            raise self._too_deep(path)

    def _too_deep(self, path: KeyPath) -> ArchError:
        return fail("depth", f"nested deeper than {MAX_DEPTH}", mark=self.mark, path=dotted(path[:8]))


def _are_keys(value: Mapping[Any, Any]) -> bool:
    """Whether all keys of a small mapping are in order; of others, `key_fault` finds out more."""
    return len(value) <= _FEW and _are_sound(tuple(value))


@lru_cache(maxsize=1024)  # the same keys stand together in every config
def _are_sound(keys: tuple[Any, ...]) -> bool:
    return all(type(key) is str and _is_sound(key) for key in keys)


def _is_sound(value: Any) -> bool:
    """Whether it is a single value without a fault, as nearly all are: of others, `copy` finds out more."""
    kind = type(value)
    if kind is str:
        return len(value) <= _WORD and _fault_of_word(value) is None
    return -_LARGEST < value < _LARGEST if kind is int else kind in _HARMLESS


_HARMLESS = frozenset({type(None), float, bool})  # which have no fault whatever they are
_SCALARS = frozenset({type(None), str, int, float, bool})
_PLAIN = _SCALARS | {dict, list}
_EXACT: dict[type, Callable[[Any], Any]] = {str: str.__str__, int: int.__int__, float: float.__float__}


def _plain(value: Any) -> Any:
    """What OmegaConf and numpy hold, and members of enumerations, as plain Python."""
    omegaconf, numpy = sys.modules.get("omegaconf"), sys.modules.get("numpy")  # who holds one has imported it
    if omegaconf is not None and omegaconf.OmegaConf.is_config(value):
        return omegaconf.OmegaConf.to_container(value, resolve=False)  # interpolations are left as they are written
    if numpy is not None and isinstance(value, numpy.generic):
        return value.item()
    return next((exact(value) for kind, exact in _EXACT.items() if isinstance(value, kind)), value)
