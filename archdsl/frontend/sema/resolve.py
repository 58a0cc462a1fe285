"""A composed config → BackboneSpec: stages filled from stage_defaults, blocks found, their arguments checked."""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, TypeVar

from pydantic import ValidationError

from archdsl.blocks.conventions import Conventions
from archdsl.diagnostics.nearest import one_report
from archdsl.diagnostics.problems import ArchError, Note, Problem, TooManyProblems, by_place
from archdsl.diagnostics.wording import did_you_mean, one_of
from archdsl.frontend.budget import DEFAULT, Budget
from archdsl.frontend.compose.config import Config
from archdsl.frontend.compose.merge import copied
from archdsl.frontend.sema import fixits
from archdsl.frontend.sema.composite import Composite
from archdsl.frontend.sema.resolve_layers import LayerResolver
from archdsl.frontend.sema.schema import (
    ConfigSchema,
    ConventionsSchema,
    InputSchema,
    Layers,
    NormSchema,
    ScaleSchema,
    StageSchema,
    filled,
)
from archdsl.frontend.sema.spec import BackboneSpec, LayerSpec, Scale, StageSpec
from archdsl.frontend.sema.validate import problems_of
from archdsl.frontend.source import KeyPath
from archdsl.ir.graph import Op, TensorType
from archdsl.ir.ops import Activation, BatchNorm, GroupNorm

# `from:` means something else by the first; the others are not read as names by every YAML reader.
RESERVED = {"input", "stem", "tail", "yes", "no", "on", "off", "y", "n"}
_NO_LEVEL = re.compile(r"p0[0-9]+|p[0-9]{3,}")  # a leading zero, or a stride that no image has

Made = TypeVar("Made")

# What can still be told of a config whose broken entries were left out; other problems may follow from the gaps.
_INDEPENDENT = {"unknown-block", "unknown-key", "unknown-value", "unknown-output", "unknown-stage", "type", "range"}


def resolve(config: Config, budget: Budget = DEFAULT) -> BackboneSpec:
    """The typed form of a composed config. Raises ArchError with all independent problems at once."""
    return _resolved(config, budget, _Resolver.backbone)


def own_blocks(config: Config) -> dict[str, Composite]:
    """The blocks that a config defines itself, whatever else it says. Raises ArchError for what is wrong in them."""
    alone = replace(config, values={"blocks": config.values.get("blocks") or {}, "stages": {}})
    return {block.name: block for block in _resolved(alone, DEFAULT, _Resolver.composites)}


@one_report()
def _resolved(config: Config, budget: Budget, make: Callable[[_Resolver], Made]) -> Made:
    """What is made of a config; else ArchError for what is wrong, without what only follows from it."""
    checked, problems = check(config)
    resolver = _Resolver(config, checked, budget)
    with suppress(TooManyProblems):  # those are among the resolver's
        made = make(resolver)
    found = [*problems, *[each for each in resolver.problems if not problems or each.code in _INDEPENDENT]]
    if found:
        raise ArchError(by_place(found))
    return made


def check(config: Config) -> tuple[ConfigSchema, list[Problem]]:
    """The config against the schema: what is wrong, and what is right with the wrong entries left out."""
    values = config.values
    problems = _input_problems(config)
    while True:
        try:
            return ConfigSchema.model_validate(values), problems
        except ValidationError as error:
            found = problems_of(error, config, ConfigSchema)
            problems += [each for each in found if not problems or each.code != "missing-key"]  # it was left out here
            remaining = without(values, [details["loc"] for details in error.errors()])
            if remaining == values:
                raise ArchError(problems) from None
            values = remaining


def _input_problems(config: Config) -> list[Problem]:
    """What is wrong with the config's own input where the caller asks for another."""
    try:
        InputSchema.model_validate(config.replaced_input)
    except ValidationError as error:
        return problems_of(error, config, InputSchema, ("input",))
    return []


def without(values: dict[str, Any], locations: Sequence[KeyPath]) -> dict[str, Any]:
    """A copy of `values` without the entries at `locations`; for an item of a list, without the list."""
    kept: dict[str, Any] = copied(values)
    for location in locations:
        holder: Any = kept
        holders = []
        for step in location:
            if not isinstance(holder, dict) or step not in holder:
                break
            holders.append((holder, step))
            holder = holder[step]
        if holders:
            del holders[-1][0][holders[-1][1]]
    return kept


def conventions(checked: ConventionsSchema) -> Conventions:
    """The conventions as operations."""
    return Conventions(
        activation=Activation(checked.activation, checked.slope),
        norm=normalization(checked.norm),
        padding=checked.padding,
        slope=checked.slope,
    )


def normalization(checked: NormSchema) -> Op | None:
    """The operation that normalises, None for none."""
    match checked.kind:
        case "batch" | "sync_batch":
            return BatchNorm(checked.momentum, checked.epsilon, checked.kind == "sync_batch")
        case "group":
            return GroupNorm(checked.groups, checked.epsilon)
    return None


def scale(checked: ScaleSchema) -> Scale:
    return Scale(checked.width, checked.depth, checked.max_width, checked.divisor)


class _Resolver(LayerResolver):
    """Of the whole backbone, stage by stage."""

    def backbone(self) -> BackboneSpec:
        checked = self.checked
        blocks = self.composites()
        stages = tuple([self._stage(name, stage) for name, stage in self._in_order(checked.stages, ("stages",))])
        if not stages and not self.problems:
            self._report("empty", "there is no stage; expected at least one", ("stages",))
        return BackboneSpec(
            config=self.config,
            input=TensorType(*checked.input.shape),
            rescale=checked.input.rescale,
            style=conventions(checked.conventions),
            scale=scale(checked.scale),
            stem=self._end("stem", checked.stem),
            stages=stages,
            tail=self._end("tail", checked.tail),
            outputs=self._outputs(stages),
            blocks=blocks,
            freeze=self._freeze(stages),
        )

    def _end(self, name: str, layers: Layers) -> StageSpec:
        """The stem or the tail: named layers that belong to no level."""
        return StageSpec(name, (name,), tuple(self._named_layers(layers, (name,), name, {})))

    def _stage(self, name: str, stage: StageSchema) -> StageSpec:
        path: KeyPath = ("stages", name)
        if name in RESERVED or keyword.iskeyword(name) or _NO_LEVEL.fullmatch(name):
            self._report("key", f"a stage cannot be called '{name}'; expected a name of its own, such as p3", path)
        full = filled(stage, self.checked.stage_defaults)
        width = {} if full.width is None else {"width": full.width}
        size = width if full.depth is None else {**width, "depth": full.depth}
        down = [self._layer(full.down, (*path, "down"), f"{name}_down", width)] if full.down else []
        body = [self._layer(full.body, (*path, "body"), f"{name}_body", size)] if full.body else []
        parts = [
            *[self._with_stage_stride(layer, full) for layer in down if layer],
            *self._named_layers(full.pre or {}, (*path, "pre"), name, width),
            *[self._as_body(layer, full, has_down=bool(down)) for layer in body if layer],
            *self._named_layers(full.post or {}, (*path, "post"), name, width),
        ]
        if not parts and not self.problems:
            self._report("empty", "the stage has no layer; expected a `body` or a `down`", path)
        if not body:
            self._refuse_unused(full, path, has_down=bool(down))
        return StageSpec(name, path, tuple(parts))

    def _with_stage_stride(self, down: LayerSpec, stage: StageSchema) -> LayerSpec:
        if stage.stride is None or not self._takes(down, "stride", stage.stride):
            return down
        if down.repeats is not None:
            return replace(down, first={**down.first, "stride": stage.stride})
        return replace(down, arguments={**down.arguments, "stride": stage.stride})

    def _as_body(self, body: LayerSpec, stage: StageSchema, has_down: bool) -> LayerSpec:
        """The body with what its stage says: dilation for every repeat, stride for one, `first` for the first."""
        if stage.dilation is not None and self._takes(body, "dilation", stage.dilation):
            body = replace(body, arguments={**body.arguments, "dilation": stage.dilation})
        stride = dict(body.first)
        if stage.stride is not None and not has_down and self._takes(body, "stride", stage.stride):
            stride = {"stride": stage.stride}
        at_end = stage.stride_at == "last"
        first, last = {**(stage.first or {}), **({} if at_end else stride)}, stride if at_end else {}
        if stage.first is not None:
            self._check_arguments(body.block, {**body.arguments, **first}, (*body.path[:-1], "first"))
        if body.repeats is None:  # it runs once, as the first and the last
            return replace(body, arguments={**body.arguments, **first, **last})
        return replace(body, first=first, last=last)

    def _takes(self, layer: LayerSpec, key: str, value: int) -> bool:
        takes = key in layer.block.parameters
        if not takes and value != 1:
            message = f"block '{layer.block.name}' does not take the stage's {key} of {value}"
            note = Note(self.config.place((*layer.path, "block")).value, f"block '{layer.block.name}' is named at")
            self._report("unused", message, (*layer.path[:-1], key), notes=[note])
        return takes

    def _refuse_unused(self, stage: StageSchema, path: KeyPath, has_down: bool) -> None:
        for key in ("depth", "dilation", "first", *(() if has_down else ("stride",))):
            if getattr(stage, key) not in (None, 1):
                self._report("unused", f"the stage has no body to take its {key}", (*path, key))

    def _outputs(self, stages: tuple[StageSpec, ...]) -> tuple[str, ...]:
        """Public names of the levels in `outputs:`, without stages that were taken out of the config."""
        levels = {stage.name: stage.level for stage in stages}
        if self.checked.outputs is None:
            return tuple(stage.level for stage in stages if stage.number is not None)
        for index, name in enumerate(self.checked.outputs):
            if name in self.checked.outputs[:index]:
                first = self.config.place(("outputs", self.checked.outputs.index(name))).value
                notes = [Note(first, f"the first '{name}' stands at")] if first.line else []
                fact = f"'{name}' is named twice"
                self._report("duplicate-output", fact, ("outputs", index), "name it once", notes)
            elif name not in levels and name not in self._removed:
                message = f"there is no stage '{name}'; {one_of(levels)}"
                hint = fixits.sequence(name) if re.search(r"^-|[\s,;]", name) else did_you_mean(name, levels)
                self._report("unknown-output", message, ("outputs", index), hint)
        return tuple(levels[name] for name in self.checked.outputs if name in levels)

    def _freeze(self, stages: tuple[StageSpec, ...]) -> tuple[str, ...]:
        """The stages in `freeze:`, the stem and the tail among them."""
        parts = ["stem", *[stage.name for stage in stages], "tail"]
        for index, name in enumerate(self.checked.freeze):
            if name not in parts and name not in self._removed:
                message = f"there is no stage '{name}'; {one_of(parts)}"
                self._report("unknown-stage", message, ("freeze", index), did_you_mean(name, parts))
        return tuple(name for name in self.checked.freeze if name in parts)

    @property
    def _removed(self) -> set[str]:
        """Stages that were set to null, deleted, or reported as broken."""
        return {*self.config.values["stages"], *self.config.removed}
