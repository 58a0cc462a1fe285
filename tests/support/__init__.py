"""Helpers of the tests: where things are; oracles, generated inputs and files."""

import importlib
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parents[1]
REPOSITORY = TESTS.parent
EXAMPLES = REPOSITORY / "examples"


class _Keras:
    """Keras, imported when it is first used: for a module most of whose tests need none."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith(("_", "pytest")):  # while it collects, pytest asks every object whether it is a fixture
            raise AttributeError(name)
        return getattr(importlib.import_module("keras"), name)


keras: Any = _Keras()
