"""Random edits of a text, as a person makes them who hurries: letters, words and lines come, go, and come back."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

TYPED = [*"abp459:{}[],#&*!'\"|> \n\t-$0", "🙂", "é", "\r\n", "${stages.p4.depth}", "  p5: {depth: 2}\n", "widht: 3"]
_LONGEST = 2_000


def edited(text: str, edits: int, seed: int = 0) -> Iterator[str]:
    """The text after each edit; now and then what was taken away comes back, so that it is right again."""
    chance, now = random.Random(seed), text
    for _ in range(edits):
        now = text if len(now) > _LONGEST or chance.random() < 0.1 else chance.choice(_EDITS)(now, chance)
        yield now


def _typed(text: str, chance: random.Random) -> str:
    place = chance.randrange(len(text) + 1)
    return text[:place] + chance.choice(TYPED) + text[place:]


def _deleted(text: str, chance: random.Random) -> str:
    place = chance.randrange(len(text) + 1)
    return text[:place] + text[place + chance.choice((1, 1, 1, 5, 20)) :]


def _moved(text: str, chance: random.Random) -> str:
    lines = text.split("\n")
    line = lines.pop(chance.randrange(len(lines)))
    lines.insert(chance.randrange(len(lines) + 1), chance.choice(("", "  ")) + line)
    return "\n".join(lines)


def _number(text: str, chance: random.Random) -> str:
    return text.replace(chance.choice("0123456789"), str(chance.randrange(30)), 1)


_EDITS: tuple[Callable[[str, random.Random], str], ...] = (_typed, _deleted, _deleted, _moved, _number)
