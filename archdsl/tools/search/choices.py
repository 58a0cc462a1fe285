"""The values of a key in a space, in the grammar of Hydra's sweeps: range, choice, interval, lists."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import islice
from typing import Any

from archdsl.diagnostics.problems import ArchError, Mark, fail
from archdsl.diagnostics.wording import describe
from archdsl.frontend.compose.override_grammar import Given, read_overrides, read_sweep

MAX_VALUES = 10_000
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_DECIMAL = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)
_OTHERS = {"true", "false", "null", "nan", "inf"}  # words that Hydra reads as something else than text
STEPS = 2**20
"""An interval counts as so many values, evenly spaced, its ends among them."""


@dataclass(frozen=True)
class Choice:
    """A key and its values: `texts` as overrides write them, or an interval from `low` to `high`."""

    key: str
    stated: Any = field(compare=False)
    texts: tuple[str, ...]
    mark: Mark
    low: float = 0.0
    high: float = 0.0
    is_whole: bool = False

    @property
    def is_interval(self) -> bool:
        return not self.texts

    @property
    def count(self) -> int:
        if self.texts:
            return len(self.texts)
        return min(STEPS, int(self.high) - int(self.low) + 1) if self.is_whole else STEPS

    def written(self, index: int) -> str:
        """The value at a position, as an override writes it."""
        if self.texts:
            return self.texts[index]
        value = self.low + (self.high - self.low) * index / max(1, self.count - 1)
        return str(round(value)) if self.is_whole else repr(value)

    def override(self, index: int) -> str:
        """`key=value` for the value at a position."""
        return f"{self.key}={self.written(index)}"

    def given(self, index: int) -> Given:
        """The same, parsed."""
        return read_overrides([self.override(index)])[0]


def read_choice(key: str, stated: Any, mark: Mark) -> Choice:
    """The choice that a space states for a key. Raises ArchError at `mark`."""
    if isinstance(stated, list):
        return _choice(key, stated, map(_written, stated), mark)
    if isinstance(stated, (bool, int, float)):
        stated = _written(stated)
    if not isinstance(stated, str):
        message = f"got {describe(stated)}; expected values, such as range(1, 9), choice(a, b) or [1, 2]"
        raise fail("value", message, mark=mark, path=f"choices.{key}")
    try:
        sweep = read_sweep(f"{key}={stated}")
    except ArchError as error:
        raise ArchError([each.at(mark, f"choices.{key}") for each in error.problems]) from None
    if sweep.interval is not None:
        low, high = sweep.interval
        if low > high:
            raise fail("empty", f"{stated} ends before it begins", mark=mark, path=f"choices.{key}")
        return Choice(key, stated, (), mark, low, high, is_whole=isinstance(low, int) and isinstance(high, int))
    return _choice(key, stated, sweep.values, mark)


def _choice(key: str, stated: Any, values: Iterable[str], mark: Mark) -> Choice:
    texts = tuple(islice(values, MAX_VALUES + 1))
    if len(texts) > MAX_VALUES:
        raise fail("limit", f"more than {MAX_VALUES:,} values", mark=mark, path=f"choices.{key}")
    if not texts:
        raise fail("empty", f"{stated} has no value", mark=mark, path=f"choices.{key}")
    own: dict[Any, str] = {}
    for text in texts:
        own.setdefault(Decimal(text) if _DECIMAL.fullmatch(text) else text, text)  # 1.0 after 1 is the same once more
    return Choice(key, stated, tuple(own.values()), mark)


def _written(value: Any) -> str:
    """A value of a list as an override writes it."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, list):
        return f"[{','.join(map(_written, value))}]"
    if isinstance(value, dict):
        return f"{{{','.join([f'{key}:{_written(item)}' for key, item in value.items()])}}}"
    if not isinstance(value, str):
        return str(value)
    is_word = _WORD.fullmatch(value) and value.lower() not in _OTHERS
    return value if is_word else "'{}'".format(value.replace("'", "\\'"))
