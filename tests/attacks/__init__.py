"""Every way of harming archdsl with a file, by topic. A new format of files brings its attacks on the day it comes."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence

from attacks.case import Attack

MISDEEDS = "misdeeds"
"""The topic of what no file may do; it shows that each would be seen."""
TOPICS = [name for _, name, _ in pkgutil.iter_modules(__path__) if name not in ("__main__", "case", "watch", MISDEEDS)]


def attacks_of(topic: str) -> Sequence[Attack]:
    found: Sequence[Attack] = importlib.import_module(f"attacks.{topic}").ATTACKS
    return found
