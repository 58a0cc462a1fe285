"""What is imported when it is first asked for: the public names of a package, a method from a module above."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any


def lazy(package: str, modules: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` of a package: its public names, separated by spaces, by the module that has them.

    The name of a module in the package is that module.
    """
    homes = {name: module for module, names in modules.items() for name in names.split()}

    def attribute(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module '{package}' has no attribute '{name}'")
        module = importlib.import_module(homes[name], package)
        value = module if homes[name] == f".{name}" else getattr(module, name)
        setattr(sys.modules[package], name, value)
        return value

    def listed() -> list[str]:
        return sorted({*homes, *[name for name in vars(sys.modules[package]) if name.startswith("__")]})

    return attribute, listed


def method_of(module: str, name: str) -> Callable[..., Any]:
    """A function of a module above as a method here: the module is imported when the method is called.

    For what a notebook looks for in an object, `_repr_svg_` and `_repr_html_`: a graph has to have it, and pictures are
    made on top of graphs. Nothing else may reach up like this.
    """

    def call(self: Any) -> Any:
        return getattr(importlib.import_module(module), name)(self)

    return call
