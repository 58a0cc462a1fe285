"""The blocks that a config may name: its own, resolved when they are first asked for, and those that are registered."""

from __future__ import annotations

from archdsl.blocks.registry import Block, all_blocks, get_block
from archdsl.diagnostics.problems import ArchError
from archdsl.frontend.budget import DEFAULT, Budget
from archdsl.frontend.compose.config import Config, Location
from archdsl.frontend.sema.composite import MAX_NESTING, Composite, check_definition
from archdsl.frontend.sema.findings import Findings
from archdsl.frontend.sema.resolve_layers import Layers
from archdsl.frontend.sema.schema import BlockSchema, ConfigSchema


class Blocks:
    """By name. A block that is wrong is reported once, and is None to all that name it."""

    def __init__(self, config: Config, checked: ConfigSchema, findings: Findings, budget: Budget = DEFAULT):
        self.config = config
        self.findings = findings
        self.layers = Layers(self, findings, budget)
        self._defined = {name: defined for name, defined in checked.blocks.items() if defined is not None}
        self._composites: dict[str, Composite | None] = {}
        self._open: list[str] = []  # the composites that are being resolved, each inside the one before

    def composites(self) -> tuple[Composite, ...]:
        """The config's own blocks, each after those that it is made of; without those that are wrong."""
        for name in self._defined:
            self._composite(name, self.config.at("blocks", name))
        return tuple([block for block in self._composites.values() if block])

    def find(self, name: str, at: Location) -> Block | None:
        """The block that the entry `at` names."""
        if name in self._defined:
            return self._composite(name, at)
        try:
            return get_block(name, self._defined)
        except ArchError as error:
            (found,) = error.problems
            if not self._is_stated(name):
                self.findings.report(found.code, found.message, at, found.hint)
            return None

    def _is_stated(self, name: str) -> bool:
        """Whether the config sets something for a block of this name, though that may be wrong."""
        stated = self.config.values.get("blocks")
        return stated.get(name) is not None if isinstance(stated, dict) else stated is not None

    def _composite(self, name: str, at: Location) -> Composite | None:
        """The config's own block; `at` is who asks."""
        if name in self._open:
            ring = " → ".join([*self._open[self._open.index(name) :], name])
            self.findings.report("cycle", f"block '{name}' contains itself: {ring}", at)
            return None
        known = self._composites.get(name)
        if len(self._open) + (known.height if known else 1) > MAX_NESTING:
            self.findings.report("depth", f"blocks inside blocks, more than {MAX_NESTING} deep; expected fewer", at)
            return None
        if name not in self._composites:
            self._open.append(name)
            self._composites[name] = self._resolved(self._defined[name], self.config.at("blocks", name))
            self._open.pop()
        return self._composites[name]

    def _resolved(self, defined: BlockSchema, at: Location) -> Composite | None:
        before = len(self.findings)
        name = str(at.path[-1])
        registered = all_blocks().get(name)
        if registered is not None:
            message = f"there is a block '{name}' already, defined in {registered.source}; expected a name of its own"
            self.findings.report("duplicate-block", message, at)
            return None
        layers = self.layers
        present = layers.in_order(defined.layers, at / "layers")
        made = [layers.layer(layer, at / "layers" / key, key, {}) for key, layer in present]
        if len(self.findings) > before or None in made:  # what follows from a missing layer is no news
            return None
        block = Composite(at, defined.description, defined.arguments, [layer for layer in made if layer])
        check_definition(block, self.findings)
        if len(self.findings) == before:
            stated = {name: value for name, value in block.defaults.items() if value is not None}
            if stated:
                layers.check_arguments(block, stated, at / "arguments", given_later=block.defaults)
        return block if len(self.findings) == before else None
