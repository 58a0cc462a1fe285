"""Blocks that a config defines itself, under `blocks:`: named layers in a row, `$name` for their arguments.

An argument is what it is used as: its type and range, whether it scales as a width or as a depth, and whether it can
be left out, are those of the arguments inside that it is passed to.
"""

from __future__ import annotations

import keyword
from collections.abc import Mapping, Sequence
from functools import cached_property
from inspect import Parameter
from itertools import chain
from types import MappingProxyType
from typing import Any, NamedTuple

from pydantic_core import CoreSchema, ValidationError, core_schema

from archdsl.blocks.conventions import Conventions
from archdsl.blocks.registry import MAX_DEPTH, Block, with_exact
from archdsl.diagnostics.wording import describe, did_you_mean, one_of
from archdsl.frontend.compose.config import Location
from archdsl.frontend.sema import fixits
from archdsl.frontend.sema.findings import Findings
from archdsl.frontend.sema.parameters import FITS, Use, Values, arguments_of, is_relative, name_of
from archdsl.frontend.sema.schema import BlockSchema
from archdsl.frontend.sema.spec import UNSCALED, LayerSpec, Scale, passed_on
from archdsl.frontend.sema.validate import fact_of
from archdsl.ir.layout import Several, results_of
from archdsl.ir.node import Node, ShapeError
from archdsl.schemas.annotations import Translation

RESERVED = {"block", "from", "after", "name", "style", "each", "share", "when", "filters", *keyword.kwlist}
"""Names that no argument can have."""
MAX_NESTING = 8


class Composite(Block):
    """A block made of layers, and used like any other.

    (H, W, C) -> the result of its last layer, or the results that `defined` names. `defaults` are the values of its
    arguments, None where the layers have them; `at` is the entry that defines it. `choices` are arguments that name
    blocks of its layers, which are chosen already.
    """

    def __init__(
        self,
        at: Location,
        defined: BlockSchema,
        layers: Sequence[LayerSpec],
        choices: Mapping[str, str] = MappingProxyType({}),
        defaults: Mapping[str, Any] | None = None,
        scale: Scale = UNSCALED,
    ):
        super().__init__(str(at.path[-1]), self._applied)
        self.at = at
        self.defined = defined
        self.layers = tuple([self._own(layer) for layer in layers])
        self.choices = choices
        self.defaults = defined.arguments if defaults is None else defaults
        self.scale = scale

    def resized(self, defaults: Mapping[str, Any], layers: Sequence[LayerSpec], scale: Scale) -> Composite:
        """The same block with other numbers."""
        return Composite(self.at, self.defined, layers, self.choices, defaults, scale)

    def _own(self, layer: LayerSpec) -> LayerSpec:
        """A block inside of itself is this one."""
        return layer._replace(block=layer.block.to(self)) if isinstance(layer.block, Recursion) else layer

    def _applied(self, /, *inputs: Node, style: Conventions, **arguments: Any) -> Node | dict[str, Node]:
        results = {name: [node] for name, node in zip(self.defined.inputs, inputs, strict=True)}
        values = Values({**self.defaults, **arguments}, lambda name: results[name][-1].channels, self.scale)
        made = {"": inputs[0]}
        for layer in self.layers:
            sources = [node for name in layer.sources for node in results[name]] or list(made.values())
            is_there = self._is_there(layer, sources, values)
            made = self._layer(layer, sources, values, style) if is_there else {"": sources[0]}
            results |= {f"{layer.name}_{name}": [node] for name, node in made.items()}
            results[layer.name] = list(made.values())
        if self.defined.results:
            made = {name: results[name][-1] for name in self.defined.results}
        return made[""] if "" in made else Several(made, chain(*results.values()))

    def _is_there(self, layer: LayerSpec, sources: Sequence[Node], values: Values) -> bool:
        fits = FITS not in layer.when or len({source.type for source in sources}) == 1
        return fits and values.holds(layer.when)

    def _layer(self, layer: LayerSpec, sources: Sequence[Node], values: Values, style: Conventions) -> dict[str, Node]:
        """The results of the last repeat of a layer, by name; of a single one that is empty."""
        results: dict[str, Node] = {}
        try:
            filled = values.filled_in(layer)
            _check_repeats(filled.repeats)
            for name, arguments in filled.runs():
                if any(map(is_relative, layer.arguments.values())):
                    _check(layer.block, arguments)
                made = layer.apply(sources, name, arguments, style)
                results = results_of(made) or {"": made}
                sources = passed_on(list(results.values()), sources)
        except ShapeError as error:
            error.at = error.at or layer.at
            raise
        return results

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        return tuple(self.defined.inputs)

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
        used = {name: self._parameter(name) for name in self.defaults if self.uses[name]}
        return with_exact({**used, **{name: _parameter(name, str, chosen) for name, chosen in self.choices.items()}})

    def _parameter(self, name: str) -> Parameter:
        uses = self.uses[name]
        types = list(dict.fromkeys(use.annotation for use in uses))
        annotation = types[0] if len(types) == 1 else EveryOf(tuple(types))
        default = self.defaults[name]
        if default is None and any(use.default is Parameter.empty for use in uses):
            default = Parameter.empty
        return _parameter(name, annotation, default)

    @cached_property
    def takes_style(self) -> bool:
        return True

    @cached_property
    def sizes(self) -> Mapping[str, str]:
        return {name: size for name, uses in self.uses.items() for _, _, size in uses if size}

    @cached_property
    def height(self) -> int:
        """How deep blocks of the config's own are nested, this one counted."""
        return 1 + max([layer.block.height for layer in self.layers if isinstance(layer.block, Composite)], default=0)

    @property
    def source(self) -> str:
        return str(self.at.key)

    @property
    def documentation(self) -> str:
        return self.defined.description


class Recursion(Block):
    """A block inside of itself. It ends where an argument that its layer's `when:` names is false."""

    def __init__(self, name: str, defined: BlockSchema, whole: Composite | None = None):
        super().__init__(name, self._applied)
        self.defined = defined
        self.whole = whole
        self._open = 0

    def to(self, whole: Composite) -> Recursion:
        """The same, for the resolved block."""
        return Recursion(self.name, self.defined, whole)

    def _applied(self, /, *inputs: Node, style: Conventions, **arguments: Any) -> Node | dict[str, Node]:
        assert self.whole is not None
        if self._open >= MAX_NESTING:
            hint = "pass on less of an argument: {{of: $name, plus: -1}}"  # the hint is a format
            raise ShapeError(f"block '{self.name}' contains itself more than {MAX_NESTING} deep", hint)
        self._open += 1
        try:
            return self.whole.function(*inputs, style=style, **arguments)
        finally:
            self._open -= 1

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        return tuple(self.defined.inputs)

    @cached_property
    def parameters(self) -> Mapping[str, Parameter]:
        return {name: _parameter(name, Any, None) for name in self.defined.arguments}

    @cached_property
    def takes_style(self) -> bool:
        return True

    @property
    def source(self) -> str:
        return self.name


def _parameter(name: str, annotation: Any, default: Any) -> Parameter:
    return Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _check(block: Block, arguments: Mapping[str, Any]) -> None:
    """Raises ShapeError where a relative number is not one that the block takes."""
    try:
        block.schema.model_validate(dict(arguments))
    except ValidationError as error:
        raise ShapeError(fact_of(error, block.schema)) from None


def _check_repeats(repeats: int | None) -> None:
    if repeats is not None and not 1 <= repeats <= MAX_DEPTH:
        raise ShapeError(f"depth: got {describe(repeats)}; expected a value from 1 to {MAX_DEPTH}")


class EveryOf(NamedTuple):
    """A type of values that are of each of several types, for an argument that is used in several ways."""

    types: tuple[Any, ...]

    def __core_schema__(self, schema_of: Translation) -> CoreSchema:
        return core_schema.chain_schema([schema_of(each) for each in self.types])


def check_definition(block: Composite, findings: Findings) -> None:
    """Report everything that is wrong with how a block is defined, whatever its arguments are."""
    if not block.layers:
        findings.report("empty", "the block has no layer; expected at least one", block.at)
    for name in RESERVED.intersection(block.defaults):
        message = f"an argument cannot be called '{name}'; expected a name of its own"
        findings.report("key", message, block.at / "arguments" / name)
    before = len(findings)
    _unknown_arguments(block, findings)
    if len(findings) == before:  # one that seems unused may be misspelt where it is used
        _unused_arguments(block, findings)
    _wrong_sources(block, findings)


def _unknown_arguments(block: Composite, findings: Findings) -> None:
    for layer in block.layers:
        for name, at, _ in arguments_of(layer):
            if name not in block.defaults:
                known = one_of(block.defaults) if block.defaults else "it has none"
                message = f"block '{block.name}' has no argument '{name}'; {known}"
                hint = fixits.product(f"${name}") or did_you_mean(name, block.defaults)
                hint = hint or f"name it in blocks.{block.name}.arguments"
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
    """Names in `from:`, `results:` and relative numbers that are not those of an input or of a layer before."""
    known, before = dict.fromkeys(block.inputs), len(findings)  # in their order
    read = set(block.defined.results or ())
    for key, names in (("inputs", block.inputs), ("results", block.defined.results or ())):
        twice = [name for index, name in enumerate(names) if name in names[:index]]
        for name in twice[:1]:
            findings.report("duplicate-key", f"'{name}' is named twice; expected each name once", block.at / key)
    for number, layer in enumerate(block.layers):
        if layer.name in block.inputs:
            findings.report(
                "key", f"a layer cannot be called '{layer.name}', as an input is; expected a name of its own", layer.at
            )
        relative = {key: value["of"] for key, value in layer.arguments.items() if is_relative(value)}
        named = [(name, layer.at / "from") for name in layer.sources]
        named += [(name, layer.at / key / "of") for key, name in relative.items() if name_of(name) is None]
        for name, at in named:
            _check_known(name, known, at, findings)
        read |= set(layer.sources) or {block.layers[number - 1].name if number else block.inputs[0]}
        known.update(dict.fromkeys(_names_of(layer)))
    for name in block.defined.results or ():
        _check_known(name, known, block.at / "results", findings)
    if len(findings) > before or not block.layers:
        return
    for name in [name for name in block.inputs if name not in read]:
        findings.report("unused", f"no layer reads the input '{name}'", block.at / "inputs", "take it out")
    for layer in block.layers[: None if block.defined.results else -1]:
        if read.isdisjoint(_names_of(layer)):
            findings.report("unused", "nothing reads this layer", layer.at, "name it in a `from:`, or take it out")


def _names_of(layer: LayerSpec) -> list[str]:
    """The names that others may read the results of a layer by."""
    several = layer.block.defined.results if isinstance(layer.block, Composite) else None
    return [layer.name, *[f"{layer.name}_{name}" for name in several or ()]]


def _check_known(name: str, known: Mapping[str, None], at: Location, findings: Findings) -> None:
    if name not in known:
        message = f"there is no layer '{name}' before this one; {one_of(known)}"
        findings.report("unknown-layer", message, at, did_you_mean(name, known))
