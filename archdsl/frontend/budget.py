"""How large a backbone may be: a config that comes from somebody else must not be able to fill the machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, fields
from math import inf

from archdsl.diagnostics.problems import fail
from archdsl.diagnostics.wording import describe, did_you_mean, one_of


@dataclass(frozen=True)
class Budget:
    """What a backbone may cost before anything is built. The user may raise it, a config may not.

    `params` are the elements of all arrays, `layers` the operations, each of them a layer in Keras. For one image,
    where its size is known: `macs`, multiply-accumulates, by default a thousand times those of the largest preset at
    640 × 640; and `activation_bytes`, the results of all operations in float32, by default more than the memory of
    any one accelerator.

    What is read has limits too: `file_bytes` of each file, `values` in all of them or in what references stand for,
    `parents` in a row, `references` followed. How deep values nest is bounded for good: it is Python's stack.
    """

    params: float = 2_000_000_000
    layers: float = 20_000
    macs: float = 1e14
    activation_bytes: float = 256 * 2**30
    file_bytes: float = 2**20
    values: float = 20_000
    parents: float = 32
    references: float = 10_000

    def __post_init__(self) -> None:
        for name in BUDGET_KEYS:
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
                raise fail("value", f"the budget of {name} is {describe(value)}; expected a number > 0")

    @contextmanager
    def for_saved_models(self) -> Iterator[None]:
        """What a model in a `.keras` file may cost that is loaded inside the block, by Keras too."""
        token = _FOR_SAVED.set(self)
        try:
            yield
        finally:
            _FOR_SAVED.reset(token)


BUDGET_KEYS = tuple(field.name for field in fields(Budget))
DEFAULT = Budget()
UNLIMITED = Budget(**dict.fromkeys(BUDGET_KEYS, inf))
_ONLY_BUILT = Budget(macs=inf, activation_bytes=inf)  # no image is run by loading a model
_FOR_SAVED: ContextVar[Budget] = ContextVar("_FOR_SAVED", default=_ONLY_BUILT)


def for_saved_models() -> Budget:
    """The budget that Budget.for_saved_models set, else the default, without what only running the model costs."""
    return _FOR_SAVED.get()


def allow_more(name: str, amount: float) -> str:
    """How the user allows that much: the next number of two figures, 2.1e4 for 20,001."""
    digits = max(0, len(str(int(amount))) - 2)
    number = f"{-(-int(amount) // 10**digits) * 10**digits:.2g}".replace("e+0", "e").replace("e+", "e")
    return f"or allow more: --budget {name}={number}, budget=Budget({name}={number})"


def read_budget(text: str) -> Budget:
    """The defaults, but for what `text` says: `params=5e9,macs=1e15`.

    Raises ArchError for another key, and for a value that is not a number.
    """
    changes: dict[str, float] = {}
    for part in filter(None, text.split(",")):
        key, _, value = part.partition("=")
        if key not in BUDGET_KEYS:
            hint = did_you_mean(key, BUDGET_KEYS) or "write one such as params=5e9"
            raise fail("unknown-key", f"unknown budget '{key[:60]}'; {one_of(BUDGET_KEYS)}", hint=hint)
        try:
            changes[key] = float(value)
        except ValueError:
            message = f"the budget of {key} is {describe(value)}; expected a number"
            raise fail("value", message, hint=f"write a number, such as {key}=5e9") from None
    return Budget(**changes)
