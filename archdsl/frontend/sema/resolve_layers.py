"""A layer of a config → LayerSpec: its block found, its arguments checked. The config's own blocks are layers too."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, TypeVar

from pydantic import ValidationError

import archdsl.blocks  # noqa: F401  (importing it registers the shipped blocks)
from archdsl.blocks.registry import MAX_DEPTH, Block, all_blocks, get_block
from archdsl.diagnostics.problems import ArchError, Gathered, Mark, Note, Problem, fail, problem
from archdsl.diagnostics.wording import describe, did_you_mean, one_of
from archdsl.frontend.budget import DEFAULT, Budget, allow_more
from archdsl.frontend.compose.config import Config
from archdsl.frontend.compose.order import in_order
from archdsl.frontend.sema import fixits
from archdsl.frontend.sema.composite import MAX_NESTING, Composite, mistakes
from archdsl.frontend.sema.parameters import literal_arguments, name_of
from archdsl.frontend.sema.schema import BlockSchema, ConfigSchema, Layers, LayerSchema, StageSchema
from archdsl.frontend.sema.spec import LayerSpec
from archdsl.frontend.sema.validate import problems_of
from archdsl.frontend.source import KeyPath, dotted

Entry = TypeVar("Entry", StageSchema, LayerSchema)


class LayerResolver:
    """Of single layers and of the config's own blocks. Gathers what is wrong, so that one run reports all of it."""

    def __init__(self, config: Config, checked: ConfigSchema, budget: Budget = DEFAULT):
        self.config = config
        self.checked = checked
        self.problems = Gathered()
        self._most, self._made = budget.layers, 0  # layers
        self._composites: dict[str, Composite | None] = {}
        self._open: list[str] = []  # the composites that are being resolved, each inside the one before

    def composites(self) -> tuple[Composite, ...]:
        """The config's own blocks, each after those that it is made of; without those that are wrong."""
        for name, defined in self.checked.blocks.items():
            if defined is not None:
                self._composite(name, defined, ("blocks", name))
        return tuple([block for block in self._composites.values() if block])

    def _composite(self, name: str, defined: BlockSchema, path: KeyPath) -> Composite | None:
        """The config's own block, resolved when it is first asked for; `path` is who asks."""
        if name in self._open:
            ring = " → ".join([*self._open[self._open.index(name) :], name])
            self._report("cycle", f"block '{name}' contains itself: {ring}", path)
            return None
        known = self._composites.get(name)
        if len(self._open) + (known.height if known else 1) > MAX_NESTING:
            self._report("depth", f"blocks inside blocks, more than {MAX_NESTING} deep; expected fewer", path)
            return None
        if name not in self._composites:
            self._open.append(name)
            self._composites[name] = self._defined(name, defined)
            self._open.pop()
        return self._composites[name]

    def _defined(self, name: str, defined: BlockSchema) -> Composite | None:
        place: KeyPath = ("blocks", name)
        before = len(self.problems)
        registered = all_blocks().get(name)
        if registered is not None:
            message = f"there is a block '{name}' already, defined in {registered.source}; expected a name of its own"
            self._report("duplicate-block", message, place)
            return None
        inner = [
            self._layer(layer, (*place, "layers", key), key, {})
            for key, layer in self._in_order(defined.layers, (*place, "layers"))
        ]
        layers = [layer for layer in inner if layer]
        if len(self.problems) > before or len(layers) < len(inner):  # what follows from a missing layer is no news
            return None
        block = Composite(name, defined.description, self.config.place(place).key, defined.arguments, layers)
        for mistake in mistakes(block):
            self._report(*mistake)
        if len(self.problems) == before:
            self._check_defaults(block, (*place, "arguments"))
        return block if len(self.problems) == before else None

    def _check_defaults(self, block: Composite, path: KeyPath) -> None:
        stated = {name: value for name, value in block.defaults.items() if value is not None}
        if stated:
            self._check_arguments(block, stated, path, given_later=block.defaults)

    def _report(
        self, code: str, message: str, path: KeyPath, hint: str = "", notes: Sequence[Note] = (), at: KeyPath = ()
    ) -> None:
        """The problem is that of `path`; it points at `at` where that is given and written down."""
        place = self.config.place(at or path)
        at_key = code == "key" or path[:1] == ("blocks",)  # where the value often begins a line below
        mark = place.key if at_key else place.value
        stated = dotted(self.config.stated(path))
        self.problems.add(problem(code, message, mark=mark, path=stated, hint=hint, notes=notes))

    def _in_order(self, entries: Mapping[str, Entry | None], path: KeyPath) -> list[tuple[str, Entry]]:
        """Entries in the order they run; those set to null were taken out."""
        present = {name: entry for name, entry in entries.items() if entry is not None}
        order, misplaced = in_order({name: entry.after for name, entry in present.items()})
        lost = set(misplaced)
        for name in misplaced:
            after = str(present[name].after)
            message, hint = f"there is no '{after}' to come after; {one_of(order)}", did_you_mean(after, order)
            if after in lost:  # what it should follow is there, but follows this one
                message, hint = f"'{name}' comes after '{after}', which comes after '{name}'", "take one `after:` out"
                message = message if after != name else f"'{name}' comes after itself"
            self._report("unknown-entry", message, (*path, name, "after"), hint)
        return [(name, present[name]) for name in order]

    def _named_layers(self, layers: Layers, path: KeyPath, scope: str, given: Mapping[str, int]) -> list[LayerSpec]:
        made = [
            self._layer(layer, (*path, name), f"{scope}_{name}", given) for name, layer in self._in_order(layers, path)
        ]
        return [layer for layer in made if layer]

    def _layer(self, layer: LayerSchema, path: KeyPath, name: str, given: Mapping[str, int]) -> LayerSpec | None:
        """The layer, with what the stage gives (width, depth) where its block takes it and it says nothing itself."""
        self._count(path)
        block = self._block(layer, path)
        if block is None:
            return None
        said = {key: value for key, value in (layer.model_extra or {}).items() if value is not None}
        stated = {**given, **said}
        repeats = None
        if "depth" not in block.parameters:
            repeats = self._repeats(stated.pop("depth", None), path)
        if "width" not in block.parameters and "width" not in said:
            stated.pop("width", None)
        if path[0] == "blocks":
            literal = literal_arguments(stated, block.parameters)
            open_ones = [key for key, value in stated.items() if literal.get(key) is not value]
            self._check_arguments(block, literal, path, given_later=open_ones)
        else:
            self._check_arguments(block, stated, path)
        self._check_sources(block, layer, path)
        first: dict[str, Any] = {}
        if repeats is not None and "stride" in block.parameters:  # a repeated layer strides once
            first["stride"], stated["stride"] = stated.get("stride", block.parameters["stride"].default), 1
        return LayerSpec(name, path, block, stated, tuple(layer.sources or ()), repeats, first)

    def _count(self, path: KeyPath) -> None:
        """A few lines can stand for millions of layers: every stage has those of stage_defaults."""
        self._made += 1
        if self._made > self._most:
            message = f"with this there are more than {self._most:,.0f} layers; expected a smaller network"
            hint = f"take layers out; {allow_more('layers', 2 * self._made)}"
            mark = self.config.place(path).value
            raise fail("budget", message, mark=mark, path=dotted(path), hint=hint)

    def _repeats(self, depth: Any, path: KeyPath) -> Any:
        """How often a layer runs, None where it does not say; inside a block perhaps a `$name`."""
        if path[0] == "blocks" and name_of(depth) is not None:
            return depth
        if depth is None or (type(depth) is int and 1 <= depth <= MAX_DEPTH):
            return depth
        if type(depth) is int:
            self._report("range", f"got {describe(depth)}; expected a value from 1 to {MAX_DEPTH}", (*path, "depth"))
        else:
            fact = f"expected a whole number, got {describe(depth)}"
            self._report("type", fact, (*path, "depth"), fixits.number(depth, whole=True))
        return None

    def _block(self, layer: LayerSchema, path: KeyPath) -> Block | None:
        name = layer.block
        if name is None:
            slip = next((key for key in layer.model_extra or {} if "'block'" in did_you_mean(key, ["block"])), "")
            hint = f"did you mean 'block' by '{slip}'?" if slip else ""
            self._report("missing-key", "a layer needs `block:`", path, hint, at=(*path, "block"))
            return None
        defined = self.checked.blocks.get(name)
        if defined is not None:
            return self._composite(name, defined, (*path, "block"))
        try:
            return get_block(name, self._own_names)
        except ArchError as error:
            (found,) = error.problems
            if not self._is_stated(name):
                self._report(found.code, found.message, (*path, "block"), found.hint)
            return None

    @cached_property
    def _own_names(self) -> list[str]:
        return [name for name, defined in self.checked.blocks.items() if defined]

    def _is_stated(self, name: str) -> bool:
        """Whether the config says something of a block of this name, though what it says may be wrong."""
        stated = self.config.values.get("blocks")
        return stated.get(name) is not None if isinstance(stated, dict) else stated is not None

    def _check_arguments(
        self, block: Block, stated: Mapping[str, Any], path: KeyPath, given_later: Iterable[str] = ()
    ) -> None:
        """The arguments against the block's schema. What is `given_later` may be missing, or be a part of a list."""
        try:
            block.schema.model_validate(stated)
        except ValidationError as error:
            found = problems_of(error, self.config, block.schema, path, f"block '{block.name}'")
            expected = {(code, dotted((*path, name))) for name in given_later for code in ("missing-key", "length")}
            found = [each for each in found if (each.code, each.path) not in expected]
            self.problems.add(*[self._said_before(each, block, path) for each in found])

    def _said_before(self, found: Problem, block: Block, path: KeyPath) -> Problem:
        """An argument that a parent gives to the block that stood here: what to write, and where the block changed."""
        changed = self.config.place((*path, "block")).value
        if found.code != "unknown-key" or self._lateness(changed) <= self._lateness(found.mark):
            return found
        key = found.path.rpartition(".")[2]
        note = Note(changed, f"block '{block.name}' takes the place of another at")
        return found._replace(hint=f"to leave it out, write {key}: null beside the block", notes=(*found.notes, note))

    def _lateness(self, mark: Mark) -> int:
        """Parents come first, then the config itself, then its overrides."""
        return 2 if mark.file.startswith("<override") else int(mark.file == self.config.file)

    def _check_sources(self, block: Block, layer: LayerSchema, path: KeyPath) -> None:
        count = len(layer.sources or ())
        if block.takes_many and "depth" in (layer.model_extra or {}):
            self._report("unused", f"block '{block.name}' merges layers once; it has no depth", (*path, "depth"))
        if block.takes_many and count < 2:
            self._report("from", f"block '{block.name}' merges layers; expected `from: [one, another]`", path)
        elif not block.takes_many and count > 1:
            self._report("from", f"block '{block.name}' has one input, got {count}", (*path, "from"))
