"""A layer of a config → LayerSpec: its block found, its arguments checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeVar

from pydantic_core import ValidationError

from archdsl.blocks.registry import EXACT, MAX_DEPTH, Block, sets_exact
from archdsl.diagnostics.hint import Hint
from archdsl.diagnostics.problems import Mark, Note, Problem, fail
from archdsl.diagnostics.wording import describe, did_you_mean, one_of
from archdsl.frontend.budget import allow_more
from archdsl.frontend.compose.config import Config, Location
from archdsl.frontend.compose.order import FIRST, in_order, rings
from archdsl.frontend.compose.override_grammar import OVERRIDE
from archdsl.frontend.sections import LAYER_SLOTS, NAMED_SLOTS, STAGES
from archdsl.frontend.sema import fixits
from archdsl.frontend.sema.findings import Findings
from archdsl.frontend.sema.parameters import is_open, is_relative, literal_arguments, open_places
from archdsl.frontend.sema.schema import Layers as NamedLayers
from archdsl.frontend.sema.schema import LayerSchema, RelativeSchema, StageSchema
from archdsl.frontend.sema.spec import LayerSpec, inputs_of
from archdsl.frontend.sema.validate import problems_of
from archdsl.frontend.source import KeyPath
from archdsl.ir.node import Meter

Entry = TypeVar("Entry", StageSchema, LayerSchema)


class BlockFinder(Protocol):
    """Knows the blocks that a config may name; resolve_blocks.Blocks, which is made of layers itself."""

    config: Config

    def find(self, name: str, at: Location, layer: LayerSchema) -> Block | None: ...


class Layers:
    """Resolves single layers, and named ones in their order."""

    def __init__(self, blocks: BlockFinder, findings: Findings, meter: Meter):
        self.blocks = blocks
        self.config = blocks.config
        self.findings = findings
        self.meter = meter

    def in_order(self, entries: Mapping[str, Entry | None], at: Location) -> list[tuple[str, Entry]]:
        """Entries in the order they run; those set to null were taken out."""
        present = {name: entry for name, entry in entries.items() if entry is not None}
        order, misplaced = in_order({name: entry.after for name, entry in present.items()})
        lost = {name: str(present[name].after) for name in misplaced}
        known = dict.fromkeys(order) | {FIRST: None}
        for name, after in lost.items():
            if after not in lost:  # else what it comes after is reported
                message, hint = f"there is no '{after}' to come after; {one_of(known)}", did_you_mean(after, known)
                self.findings.report("unknown-entry", message, at / name / "after", hint)
        for first, *others in rings(lost):
            steps = ", which comes after ".join([f"'{name}'" for name in (*others, first)]) if others else "itself"
            message = f"'{first}' comes after {steps}"
            self.findings.report("unknown-entry", message, at / first / "after", "take one `after:` out")
        return [(name, present[name]) for name in order]

    def named(self, layers: NamedLayers, at: Location, scope: str, given: Mapping[str, int | None]) -> list[LayerSpec]:
        """Named layers in the order they run, without those that are wrong."""
        made = [self.layer(layer, at / name, f"{scope}_{name}", given) for name, layer in self.in_order(layers, at)]
        return [layer for layer in made if layer]

    def layer(self, layer: LayerSchema, at: Location, name: str, given: Mapping[str, int | None]) -> LayerSpec | None:
        """The layer, with what is `given` (width, depth) where its block takes it and it does not set it itself."""
        self._count(at)
        block = self._block(layer, at)
        if block is None:
            return None
        own = {key: value for key, value in (layer.model_extra or {}).items() if value is not None}
        stated = {**{key: value for key, value in given.items() if value is not None}, **own}
        if sets_exact(block, own):
            self._check_exact(own, at)
            stated.pop("width", None)
        repeats = None
        if "depth" not in block.parameters:
            repeats = self._repeats(stated.pop("depth", None), at)
        if "width" not in block.parameters and "width" not in own:
            stated.pop("width", None)
        self._check_stated(block, stated, at)
        self._check_sources(block, layer, at)
        first: dict[str, Any] = {}
        if repeats is not None and "stride" in block.parameters:  # a repeated layer strides once
            first["stride"], stated["stride"] = stated.get("stride", block.parameters["stride"].default), 1
        sources, each = tuple(layer.sources or ()), tuple(layer.each or ())
        return LayerSpec(
            name, at, block, stated, sources, repeats, first, {}, each, layer.share or False, tuple(layer.when or ())
        )

    def check_arguments(
        self, block: Block, stated: Mapping[str, Any], at: Location, given_later: Sequence[KeyPath] = ()
    ) -> None:
        """The arguments against the block's schema. What is `given_later`, at these paths, is not checked."""
        try:
            block.schema.model_validate({"width": 1, **stated} if sets_exact(block, stated) else dict(stated))
        except ValidationError as error:
            owner = f"block '{block.name}'"
            found = problems_of(error, self.config, block.schema, at.path, owner, given_later)
            self.findings.add(*[self._said_before(each, block, at) for each in found])

    def may_add(self, layers: int) -> bool:
        """Count layers that were resolved before; False, and none of them is counted, where they are too many."""
        if layers > self.meter.left:
            return False
        self.meter.count += layers
        return True

    def _count(self, at: Location) -> None:
        """A few lines can stand for millions of layers: every stage has those of stage_defaults."""
        self.meter.count += 1
        if self.meter.left < 0:
            message = f"this layer takes the network over {self.meter.limit:,.0f} layers; expected a smaller network"
            hint = f"take layers out; {allow_more('layers', 2 * self.meter.count)}"
            raise fail("budget", message, mark=at.value, path=str(at), hint=hint)

    def _block(self, layer: LayerSchema, at: Location) -> Block | None:
        if layer.block is not None:
            return self.blocks.find(layer.block, at, layer)
        slip = next((key for key in layer.model_extra or {} if "'block'" in did_you_mean(key, ["block"])), "")
        hint = Hint(f"did you mean 'block' for '{slip}'?", "block", wrong=slip) if slip else ""
        if slot := next((key for key in (*LAYER_SLOTS, *NAMED_SLOTS) if key in (layer.model_extra or {})), ""):
            hint = f"a stage has a slot '{slot}'; stages are under `{STAGES.name}:`"
        self.findings.report("missing-key", "a layer needs `block:`", at, hint, mark=(at / "block").value)
        return None

    def _check_stated(self, block: Block, stated: Mapping[str, Any], at: Location) -> None:
        """What a layer sets; inside of a block that the config defines, what of it is not a `$name`."""
        if at.path[0] != "blocks":
            self.check_arguments(block, stated, at)
            return
        for key, value in stated.items():
            if is_relative(value):
                self._check_relative(value, at / key)
        literal = literal_arguments(stated, block.parameters)
        is_exact = sets_exact(block, stated)
        self.check_arguments(
            block, literal, at, given_later=[*open_places(stated, block.parameters), *[("width",)] * is_exact]
        )

    def _check_relative(self, value: dict[str, Any], at: Location) -> None:
        try:
            RelativeSchema.model_validate(value)
        except ValidationError as error:
            self.findings.add(*problems_of(error, self.config, RelativeSchema, at.path))

    def _repeats(self, depth: Any, at: Location) -> Any:
        """How often a layer runs, None where it does not set it; inside a block perhaps a `$name`."""
        if at.path[0] == "blocks" and is_open(depth):
            if is_relative(depth):
                self._check_relative(depth, at / "depth")
            return depth
        if depth is None or (type(depth) is int and 1 <= depth <= MAX_DEPTH):
            return depth
        if type(depth) is int:
            fact = f"got {describe(depth)}; expected a value from 1 to {MAX_DEPTH}"
            self.findings.report("range", fact, at / "depth")
        else:
            fact = f"expected a whole number, got {describe(depth)}"
            self.findings.report("type", fact, at / "depth", fixits.number(depth, whole=True))
        return None

    def _said_before(self, found: Problem, block: Block, at: Location) -> Problem:
        """An argument that a parent gives to the block that stood here: what to write, and where the block changed."""
        changed = (at / "block").value
        if found.code != "unknown-key" or self._lateness(changed) <= self._lateness(found.mark):
            return found
        key = found.path.rpartition(".")[2]
        note = Note(changed, f"block '{block.name}' takes the place of another at")
        return found._replace(hint=f"to leave it out, write {key}: null beside the block", notes=(*found.notes, note))

    def _lateness(self, mark: Mark) -> int:
        """Parents come first, then the config itself, then its overrides."""
        return 2 if mark.file.startswith(OVERRIDE) else int(mark.file == self.config.file)

    def _check_sources(self, block: Block, layer: LayerSchema, at: Location) -> None:
        for key in ("each", "share") if at.path[0] == "blocks" else ():
            if getattr(layer, key):
                message = f"`{key}` is for layers of the network; a block under `blocks:` runs once wherever it is used"
                self.findings.report("unused", message, at / key, f"write `{key}:` beside `block: {at.path[1]}`")
        if block.inputs is None and "depth" in (layer.model_extra or {}) and "depth" not in block.sizes:
            fact = f"block '{block.name}' merges layers once; it has no depth"
            self.findings.report("unused", fact, at / "depth")
        if layer.share is True and not layer.each:
            self.findings.report("unused", "true needs `each:`; expected that, or the name of a layer", at / "share")
        elif block.inputs is None:
            self._check_merge(block, layer, at)
        else:
            self._check_count(block, block.inputs, layer, at)
        if layer.when and at.path[0] != "blocks":
            message = "`when` names an argument of a block; expected it inside of `blocks:`"
            self.findings.report("unused", message, at / "when", "null takes a layer out")

    def _check_merge(self, block: Block, layer: LayerSchema, at: Location) -> None:
        if not layer.sources:
            wanted = "`from:` beside `each`" if layer.each else "`from: [one, another]`"
            message = f"block '{block.name}' merges layers; expected {wanted}"
            self.findings.report("from", message, at / "each" if layer.each else at)

    def _check_count(self, block: Block, inputs: Sequence[str], layer: LayerSchema, at: Location) -> None:
        """Too many inputs, or only those of `each`; a name may stand for several, which are counted where it runs."""
        count = len(layer.sources or ()) + bool(layer.each)
        fact = f"block '{block.name}' has {inputs_of(block)}, got {count}"
        if count > len(inputs):
            hint = "put a layer that merges them before it, such as add or concat"
            hint = "`each` is one of them; take `from` out, or what is too much of it" if layer.each else hint
            self.findings.report("from", fact, at / "from", hint)
        elif layer.each and not layer.sources and len(inputs) > 1:
            self.findings.report("from", fact, at / "each", f"name the rest in `from`: {', '.join(inputs[1:])}")

    def _check_exact(self, own: Mapping[str, Any], at: Location) -> None:
        if "width" in own:
            message = f"`{EXACT}` and `width` both set the output channels; expected one of them"
            hint, notes, late = f"`scale` changes `width`, and leaves `{EXACT}` as it is", [], EXACT
            exact, width = (at / EXACT).value, (at / "width").value
            if exact.file != width.file:  # one is a parent's
                late, early = (EXACT, "width") if self._lateness(exact) > self._lateness(width) else ("width", EXACT)
                hint, notes = f"to leave the other out, write {early}: null", [Note((at / early).value, "it is set at")]
            self.findings.report("argument", message, at / late, hint, notes)
