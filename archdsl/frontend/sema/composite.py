"""Blocks that a config defines itself, under `blocks:`: named layers in a row, `$name` for their arguments.

An argument is what it is used as: its type and range, whether it scales as a width or as a depth, and whether it can
be left out, are those of the arguments inside that it is passed to.
"""

from __future__ import annotations

import keyword
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from inspect import Parameter
from typing import Any

from pydantic_core import CoreSchema, core_schema

from archdsl.blocks.conventions import Conventions
from archdsl.blocks.registry import Block
from archdsl.diagnostics.wording import did_you_mean, one_of
from archdsl.frontend.compose.config import Location
from archdsl.frontend.sema.findings import Findings
from archdsl.frontend.sema.parameters import Use, arguments_of, filled_in
from archdsl.frontend.sema.spec import LayerSpec
from archdsl.ir.graph import Node, ShapeError
from archdsl.schemas.annotations import Translation

INPUT = "input"  # what `from:` calls the input of the block
RESERVED = {"block", "from", "after", "name", "style", *keyword.kwlist}  # no argument can be called so
MAX_NESTING = 8


class Composite(Block):
    """A block made of layers. To whatever uses it, it is a block like any other.

    (H, W, C) -> what its last layer gives. `defaults` are the values of its arguments, None where the layers have
    them; `at` is the entry that defines it.
    """

    def __init__(self, at: Location, description: str, defaults: Mapping[str, Any], layers: Sequence[LayerSpec]):
        super().__init__(str(at.path[-1]), self._applied)
        self.at = at
        self.description = description
        self.defaults = defaults
        self.layers = tuple(layers)

    def resized(self, defaults: Mapping[str, Any], layers: Sequence[LayerSpec]) -> Composite:
        """The same block with other numbers."""
        return Composite(self.at, self.description, defaults, layers)

    def _applied(self, x: Node, /, *, style: Conventions, **arguments: Any) -> Node:
        values = {**self.defaults, **arguments}
        results = {INPUT: x}
        for layer in self.layers:
            inputs = [results[name] for name in layer.sources] or [x]
            for name, filled in filled_in(layer, values).runs():
                x = _apply(layer, inputs, name, filled, style)
                inputs = [x]
            results[layer.name] = x
        return x

    @cached_property
    def uses(self) -> Mapping[str, list[Use]]:
        """For each argument, what the layers pass it on as; also for names that are no arguments."""
        found: dict[str, list[Use]] = {name: [] for name in self.defaults}
        for layer in self.layers:
            for argument in arguments_of(layer):
                found.setdefault(argument.name, []).append(argument.use)
        return found

    @cached_property
    def parameters(self) -> Mapping[str, Parameter]:
        return {name: self._parameter(name) for name in self.defaults if self.uses[name]}

    def _parameter(self, name: str) -> Parameter:
        uses = self.uses[name]
        types = list(dict.fromkeys(use.annotation for use in uses))
        annotation = types[0] if len(types) == 1 else EveryOf(tuple(types))
        default = self.defaults[name]
        if default is None and any(use.default is Parameter.empty for use in uses):
            default = Parameter.empty
        return Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)

    @cached_property
    def takes_style(self) -> bool:
        return True

    @cached_property
    def takes_many(self) -> bool:
        return False

    @cached_property
    def sizes(self) -> Mapping[str, str]:
        return {name: size for name, uses in self.uses.items() for _, _, size in uses if size}

    @cached_property
    def height(self) -> int:
        """How many blocks of the config's own stand inside each other, this one counted."""
        return 1 + max([layer.block.height for layer in self.layers if isinstance(layer.block, Composite)], default=0)

    @property
    def source(self) -> str:
        return str(self.at.key)

    @property
    def documentation(self) -> str:
        return self.description


@dataclass(frozen=True)
class EveryOf:
    """A type of values that are of each of several types, for an argument that is used in several ways."""

    types: tuple[Any, ...]

    def __core_schema__(self, schema_of: Translation) -> CoreSchema:
        return core_schema.chain_schema([schema_of(each) for each in self.types])


def _apply(layer: LayerSpec, inputs: Sequence[Node], name: str, arguments: Mapping[str, Any], style: Any) -> Node:
    try:
        return layer.apply(inputs, name, arguments, style)
    except ShapeError as error:
        error.at = error.at or layer.at
        raise


def check_definition(block: Composite, findings: Findings) -> None:
    """Report everything that is wrong with how a block is defined, whatever its arguments are."""
    if not block.layers:
        findings.report("empty", "the block has no layer; expected at least one", block.at)
    for name in RESERVED.intersection(block.defaults):
        message = f"an argument cannot be called '{name}'; expected a name of its own"
        findings.report("key", message, block.at / "arguments" / name)
    _unknown_arguments(block, findings)
    _unused_arguments(block, findings)
    _wrong_sources(block, findings)


def _unknown_arguments(block: Composite, findings: Findings) -> None:
    for layer in block.layers:
        for name, at, _ in arguments_of(layer):
            if name not in block.defaults:
                known = one_of(block.defaults) if block.defaults else "it has none"
                message = f"block '{block.name}' has no argument '{name}'; {known}"
                hint = did_you_mean(name, block.defaults) or f"name it in blocks.{block.name}.arguments"
                findings.report("unknown-argument", message, at, hint)


def _unused_arguments(block: Composite, findings: Findings) -> None:
    for name, default in block.defaults.items():
        sizes = {use.size for use in block.uses[name]} - {None}
        if len(sizes) > 1:
            message = f"'{name}' is used as a width and as a depth; expected one of them"
            findings.report("argument", message, block.at / "arguments" / name, "make two arguments of it")
        if not block.uses[name] and default is not None:  # null takes out what a parent had
            hint = f"write ${name} in a layer, or take it out"
            findings.report("unused", "no layer uses this argument", block.at / "arguments" / name, hint)


def _wrong_sources(block: Composite, findings: Findings) -> None:
    known = {INPUT: None}  # in their order
    read = set()
    for number, layer in enumerate(block.layers):
        if layer.name == INPUT:
            findings.report("key", f"a layer cannot be called '{INPUT}'; expected a name of its own", layer.at)
        for name in layer.sources:
            if name not in known:
                message = f"there is no layer '{name}' before this one; {one_of(known)}"
                findings.report("unknown-layer", message, layer.at / "from", did_you_mean(name, known))
        read |= set(layer.sources) if layer.sources or not number else {block.layers[number - 1].name}
        known[layer.name] = None
    for layer in block.layers[:-1]:
        if layer.name not in read:
            findings.report("unused", "nothing reads this layer", layer.at, "name it in a `from:`, or take it out")
