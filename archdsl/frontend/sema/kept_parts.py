"""Parts that were resolved before, by their values: the networks of a search are equal but for a few stages."""

from __future__ import annotations

from archdsl.blocks.registry import is_registered
from archdsl.frontend.compose.config import Config
from archdsl.frontend.sema.spec import PartSpec

_MOST = 256  # parts: enough for a search that changes them all, and bounded
_LONGEST = 10_000  # characters of a key
_NOWHERE = Config("", "", {}, {})  # what is kept does not hold on to the config that it was made from

_kept: dict[str, PartSpec] = {}


def kept_part(key: str, config: Config) -> PartSpec | None:
    """The part that was made of the same values, as one of `config`; None if its blocks are others now."""
    part = _kept.get(key)
    return part.of(config) if part is not None and _is_lasting(part) else None


def keep(key: str, part: PartSpec) -> None:
    """Keep a part that nothing is wrong with, unless it is made of blocks that its config defines."""
    if len(key) > _LONGEST or not _is_lasting(part):
        return
    if len(_kept) >= _MOST:
        _kept.clear()
    _kept[key] = part.of(_NOWHERE)


def _is_lasting(part: PartSpec) -> bool:
    return all(is_registered(layer.block) for layer in part.layers)
