"""The blocks that a config may name: its own, resolved when they are first asked for, and those that are registered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archdsl.blocks.registry import Block, find_block, get_block
from archdsl.diagnostics.problems import ArchError, Note
from archdsl.diagnostics.wording import describe, did_you_mean, one_of
from archdsl.frontend.budget import DEFAULT, Budget
from archdsl.frontend.compose.config import Config, Location
from archdsl.frontend.sema import fixits
from archdsl.frontend.sema.composite import MAX_NESTING, Composite, Recursion, check_definition
from archdsl.frontend.sema.findings import Findings
from archdsl.frontend.sema.parameters import name_of
from archdsl.frontend.sema.resolve_layers import Layers
from archdsl.frontend.sema.schema import BlockSchema, ConfigSchema, LayerSchema
from archdsl.ir.node import Meter


class Blocks:
    """By name. A block that is wrong is reported once, and is None to all that name it."""

    def __init__(self, config: Config, checked: ConfigSchema, findings: Findings, budget: Budget = DEFAULT):
        self.config = config
        self.findings = findings
        self.meter = Meter(budget.layers)
        self._defined = {name: defined for name, defined in checked.blocks.items() if defined is not None}
        self._composites: dict[tuple[Any, ...], Composite | None] = {}  # by name, and the blocks that it is made of
        self._choices = _choices(self._defined)
        self._open: list[str] = []  # the composites that are being resolved, each inside the one before

    def layers(self) -> Layers:
        """What resolves layers that name these blocks. Not kept: what refers to each other is freed late."""
        return Layers(self, self.findings, self.meter)

    def composites(self) -> tuple[Composite, ...]:
        """The config's own blocks, each after those that it is made of; without those that are wrong."""
        for name in self._defined:
            self._composite(name, self.config.at("blocks", name), {})
        return tuple([block for block in self._composites.values() if block])

    def find(self, name: str, at: Location, layer: LayerSchema) -> Block | None:
        """The block that a `layer`, at the entry `at`, names."""
        if name in self._defined:
            return self._composite(name, at, layer.model_extra or {}, recurs=bool(layer.when))
        try:
            return get_block(name, self._defined)
        except ArchError as error:
            (found,) = error.problems
            if not self._is_stated(name):
                self.findings.report(found.code, found.message, at / "block", fixits.argument(name) or found.hint)
            return None

    def _is_stated(self, name: str) -> bool:
        """Whether the config sets something for a block of this name, though that may be wrong."""
        stated = self.config.values.get("blocks")
        return stated.get(name) is not None if isinstance(stated, dict) else stated is not None

    def _composite(
        self, name: str, at: Location, stated: Mapping[str, Any], recurs: bool = False
    ) -> Composite | Recursion | None:
        """The config's own block, for a layer at `at` with the arguments `stated`."""
        defined = self._defined[name]
        if self._open and self._open[-1] == name and recurs:
            return Recursion(name, defined)
        if name in self._open:
            ring = " → ".join([*self._open[self._open.index(name) :], name])
            hint = "a block may be in itself where `when:` ends it" if self._open[-1] == name else ""
            self.findings.report("cycle", f"block '{name}' contains itself: {ring}", at / "block", hint)
            return None
        choices = {key: stated.get(key) or defined.arguments.get(key) for key in self._choices[name]}
        if missing := next((key for key, chosen in choices.items() if not isinstance(chosen, str)), ""):
            self._refuse_choice(name, missing, choices[missing], at, is_stated=bool(stated.get(missing)))
            return None
        key = (name, *choices.values())
        known = self._composites.get(key)
        if len(self._open) + (known.height if known else 1) > MAX_NESTING:
            message = f"blocks inside blocks, more than {MAX_NESTING} deep; expected fewer"
            self.findings.report("depth", message, at / "block")
            return None
        if key not in self._composites:
            self._open.append(name)
            before = len(self.findings)
            self._composites[key] = self._resolved(_chosen(defined, choices), self.config.at("blocks", name), choices)
            chosen = next((at / each for each in choices if stated.get(each)), None)
            if chosen and at.path[:2] != ("blocks", name):
                note = Note(chosen.value, f"${chosen.path[-1]} is '{stated[str(chosen.path[-1])]}' at")
                self.findings[before:] = [each._replace(notes=(*each.notes, note)) for each in self.findings[before:]]
            self._open.pop()
        return self._composites[key]

    def _refuse_choice(self, name: str, key: str, chosen: Any, at: Location, is_stated: bool) -> None:
        """An argument that names a block, and does not: none that there is, none that is set, or another value."""
        block = self.config.at("blocks", name)
        arguments = self._defined[name].arguments
        if key not in arguments:
            message, hint = f"block '{name}' has no argument '{key}'", did_you_mean(key, arguments)
            fact = f"{message}; {one_of(arguments)}"
            self.findings.report("unknown-argument", fact, block, hint or f"name it in blocks.{name}.arguments")
        elif chosen is not None:
            place = at / key if is_stated else block / "arguments" / key
            message = f"expected the name of a block, got {describe(chosen)}"
            self.findings.report(
                "type", message, place, fixits.text(chosen) if isinstance(chosen, (list, dict)) else ""
            )
        elif at.path[:2] != ("blocks", name):  # it is looked at where it is used
            self.findings.report("missing-key", f"block '{name}' needs '{key}', the name of a block", at)

    def _resolved(self, defined: BlockSchema, at: Location, choices: Mapping[str, Any]) -> Composite | None:
        before = len(self.findings)
        name = str(at.path[-1])
        registered = find_block(name)
        if registered is not None:
            message = f"there is a block '{name}' already, defined in {registered.source}; expected a name of its own"
            self.findings.report("duplicate-block", message, at)
            return None
        layers = self.layers()
        present = layers.in_order(defined.layers, at / "layers")
        made = [layers.layer(layer, at / "layers" / key, key, {}) for key, layer in present]
        if len(self.findings) > before or None in made:  # what follows from a missing layer is no news
            return None
        block = Composite(at, defined, [layer for layer in made if layer], choices)
        check_definition(block, self.findings)
        if len(self.findings) == before:
            stated = {name: value for name, value in block.defaults.items() if value is not None}
            if stated:
                layers.check_arguments(
                    block, stated, at / "arguments", [(name,) for name in block.defaults.keys() - stated]
                )
        return block if len(self.findings) == before else None


def _choices(defined: Mapping[str, BlockSchema]) -> dict[str, list[str]]:
    """The arguments of each block that name blocks: of its own layers, or of the layers of blocks inside of it."""
    found: dict[str, dict[str, None]] = {name: {} for name in defined}
    passed: dict[tuple[str, str], list[tuple[str, str]]] = {}  # an argument of one block → those that it is given by
    pending: list[tuple[str, str]] = []
    for name, block in defined.items():
        for layer in filter(None, block.layers.values()):
            pending += [(name, chosen)] if (chosen := name_of(layer.block)) else []
            given = {key: name_of(value) for key, value in (layer.model_extra or {}).items()}
            for key, argument in given.items() if layer.block in defined else ():
                if argument:
                    passed.setdefault((str(layer.block), key), []).append((name, argument))
    while pending:
        name, argument = pending.pop()
        if argument not in found[name]:
            found[name][argument] = None
            pending += passed.get((name, argument), [])
    return {name: list(arguments) for name, arguments in found.items()}


def _chosen(defined: BlockSchema, choices: Mapping[str, Any]) -> BlockSchema:
    """The definition with these blocks."""
    if not choices:
        return defined
    written = {f"${name}": chosen for name, chosen in choices.items()}
    layers = {key: layer and _with_blocks(layer, written) for key, layer in defined.layers.items()}
    arguments = {key: value for key, value in defined.arguments.items() if key not in choices}
    return BlockSchema.model_construct({**vars(defined), "layers": layers, "arguments": arguments})


def _with_blocks(layer: LayerSchema, written: Mapping[str, str]) -> LayerSchema:
    """The layer with blocks in place of the arguments that name them."""
    extra = {
        key: written.get(value, value) if isinstance(value, str) else value
        for key, value in (layer.model_extra or {}).items()
    }
    return LayerSchema.model_construct({**vars(layer), "block": written.get(layer.block or "", layer.block)}, extra)
