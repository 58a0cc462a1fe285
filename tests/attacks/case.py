"""One way of harming archdsl, or its user, with a file, and what must come of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Attack:
    """`make` writes hostile files into an empty folder, `act` is what a user then does with them (in that folder, as
    the current one): a call of archdsl's functions, or of its command line through `command`.

    `answer` is a part of the report that must come of it; "" where it is used without harm, None for either.
    `seconds` of processor time and `mebibytes` above what the process had are the most that it may take. `touches` are
    audit events that the act itself may raise. `keras` is whether the act needs Keras.
    """

    name: str
    make: Callable[[Path], object]
    act: Callable[[Path], object]
    answer: str | None = ""
    seconds: float = 5.0
    mebibytes: float = 300.0
    touches: tuple[str, ...] = ()
    keras: bool = False


def command(*arguments: str) -> Callable[[Path], object]:
    """The act of running `archdsl ARGUMENTS`."""

    def act(folder: Path) -> object:
        from archdsl.cli import main

        return main(list(arguments))

    return act
