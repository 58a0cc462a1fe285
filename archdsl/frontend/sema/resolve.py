"""A composed config → NetworkSpec: parts in order, blocks found, their arguments checked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic_core import ValidationError

from archdsl.blocks.conventions import Conventions, PaddingStyle, activation_of, norm_of
from archdsl.diagnostics.nearest import one_report
from archdsl.diagnostics.problems import ArchError, Mark, Note, Problem, TooManyProblems, fail, problem
from archdsl.diagnostics.wording import did_you_mean, one_of, write
from archdsl.frontend.budget import DEFAULT, Budget
from archdsl.frontend.compose.config import Config
from archdsl.frontend.compose.merge import copied
from archdsl.frontend.sections import GROUPS, OPEN_ENDED, SECTIONS, STAGES
from archdsl.frontend.sema import fixits
from archdsl.frontend.sema.composite import Composite
from archdsl.frontend.sema.findings import Findings
from archdsl.frontend.sema.resolve_blocks import Blocks
from archdsl.frontend.sema.resolve_stages import Parts
from archdsl.frontend.sema.schema import ConfigSchema, ConventionsSchema, InputSchema, ScaleSchema
from archdsl.frontend.sema.spec import NetworkSpec, Output, PartSpec, Scale
from archdsl.frontend.sema.validate import problems_of
from archdsl.frontend.sema.vocabulary import fields
from archdsl.frontend.source import KeyPath
from archdsl.ir.ops import ActivationName
from archdsl.ir.types import FeatureMap
from archdsl.schemas.unions import details_of

_CHANNELS, _LEAST_SIDE = (1, 3, 4), 32
"""Of usual images."""


@one_report()
def resolve(config: Config, budget: Budget = DEFAULT) -> NetworkSpec:
    """The typed form of a composed config. Raises ArchError with all independent problems at once."""
    checked, problems = check(config)
    findings = Findings(problems)
    with suppress(TooManyProblems):  # those are among the findings
        spec = _resolved(config, checked, findings, budget)
    findings.raise_any()
    return spec


def _resolved(config: Config, checked: ConfigSchema, findings: Findings, budget: Budget) -> NetworkSpec:
    _check_image(config, checked.input.shape, findings)
    blocks = Blocks(config, checked, findings, budget)
    own = blocks.composites()
    sections = Parts(checked, blocks.layers(), findings)
    parts = tuple([part for section in SECTIONS for part in sections.of(section)])
    return NetworkSpec(
        name=config.name,
        at=config.at(),
        input=FeatureMap(*checked.input.shape),
        rescale=checked.input.rescale,
        style=conventions(checked.conventions),
        scale=scale(checked.scale),
        parts=parts,
        outputs=_outputs(config, checked, parts, findings),
        blocks=own,
        freeze=_freeze(config, checked, parts, findings),
        is_named=isinstance(checked.outputs, dict),
    )


def _check_image(config: Config, shape: Sequence[int | None], findings: Findings) -> None:
    """Reports an image whose channels are first, as PyTorch has them: a square of 3 × 640 pixels with 640 channels."""
    height, image_width, channels = shape
    if height in _CHANNELS and image_width == channels and (channels or 0) >= _LEAST_SIDE:
        message = f"an image {height} pixels high, with {channels} channels; expected [height, width, channels]"
        findings.report("value", message, config.at("input", "shape"), write(str([image_width, channels, height])))


@one_report()
def own_blocks(config: Config) -> dict[str, Composite]:
    """The blocks that a config defines itself, whatever else it sets. Raises ArchError for what is wrong in them."""
    alone = replace(config, values={"blocks": config.values.get("blocks") or {}, STAGES.name: {}})
    checked, problems = check(alone)
    findings = Findings(problems)
    blocks: tuple[Composite, ...] = ()
    with suppress(TooManyProblems):
        blocks = Blocks(alone, checked, findings).composites()
    findings.raise_any()
    return {block.name: block for block in blocks}


def check(config: Config) -> tuple[ConfigSchema, list[Problem]]:
    """The config against the schema: what is wrong, and what is right with the wrong entries left out."""
    _refuse_option(config)
    _refuse_misplaced(config)
    values = config.values
    problems = _input_problems(config)
    while True:
        try:
            return ConfigSchema.model_validate(values), problems
        except ValidationError as error:
            found = problems_of(error, config, ConfigSchema)
            problems += [each for each in found if not problems or each.code not in _FOLLOWING]
            remaining = without(values, [details["loc"] for details in details_of(error)])
            if remaining == values:
                raise ArchError(problems) from None
            values = remaining


def _refuse_option(config: Config) -> None:
    """A file of a group is not a config, but is easily mistaken for one."""
    if STAGES.name in config.values:
        return
    file = Path(config.file)
    if file.parent.name in GROUPS:
        fact = f"the config needs '{STAGES.name}'; this file looks like an option of the group {file.parent.name}"
        hint = f"choose it for a config: archdsl show CONFIG {file.parent.name}={file.stem}"
        raise fail("missing-key", fact, mark=Mark(config.file, 1, 1), hint=hint)


def _refuse_misplaced(config: Config) -> None:
    """A file of a group holds layers; a key of a whole config in it would be one of them."""
    problems = []
    for source in config.history:
        merged = config.values.get(source.package) if source.package in GROUPS else None
        layers = merged if isinstance(merged, dict) else {}
        for key in [key for key in source.values.get(source.package, ()) if key in fields(ConfigSchema)]:
            layer = layers.get(key)  # an heir may have given it a block
            if layer is not None and not (isinstance(layer, dict) and "block" in layer):
                fact = f"'{key}' is a key of a whole config, but the keys of this file go under `{source.package}:`"
                fix = "make the first line `# @package _global_` and put the layers under their section"
                hint = f"take `{key}:` out, and indent its layers less" if key == source.package else fix
                place = source.place((source.package, key)).key
                problems.append(problem("package", fact, mark=place, path=f"{source.package}.{key}", hint=hint))
    if problems:
        raise ArchError(problems)


_FOLLOWING = ("missing-key", "length")
"""Codes of problems that may only follow from wrong entries being left out."""


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
    norm = tuple(vars(checked.norm).items())
    return _conventions(checked.activation, checked.slope, checked.padding, norm)


@lru_cache(maxsize=64)  # the same object every time is quickly found equal to itself
def _conventions(
    activation: ActivationName, slope: float, padding: PaddingStyle, norm: tuple[tuple[str, Any], ...]
) -> Conventions:
    return Conventions(activation_of(activation, slope), norm_of(**dict(norm)), padding, slope)


def scale(checked: ScaleSchema) -> Scale:
    return Scale(**vars(checked))


def _outputs(
    config: Config, checked: ConfigSchema, parts: Sequence[PartSpec], findings: Findings
) -> tuple[Output, ...]:
    """The outputs that `outputs:` names, without stages that were removed from the config."""
    levels = {part.name: part.level for part in parts if part.is_stage}
    stated = checked.outputs
    if stated is None and any(part.layers and part.name in OPEN_ENDED for part in parts):
        return ()  # what they end in
    if stated is None:
        return tuple(Output(part.level, part.name, config.at("outputs")) for part in parts if part.number is not None)
    named: Iterable[tuple[str | int, str]] = stated.items() if isinstance(stated, dict) else enumerate(stated)
    outputs: list[Output] = []
    for key, source in named:
        at = config.at("outputs", key)
        if isinstance(key, int) and source in [output.source for output in outputs]:
            first = next(output.at for output in outputs if output.source == source).value
            notes = [Note(first, f"the first '{source}' is at")] if first.line else []
            findings.report("duplicate-output", f"'{source}' is named twice", at, "name it once", notes)
        elif source in levels or _has_layer(source, parts):
            name = source if isinstance(key, int) else key
            outputs.append(Output(levels.get(name, name), source, at))
        elif source not in _removed(config):
            hint = _output_hint(source, levels, parts)
            findings.report("unknown-output", f"there is no stage or layer '{source}'; {one_of(levels)}", at, hint)
    return tuple(outputs)


def _output_hint(source: str, levels: Iterable[str], parts: Sequence[PartSpec]) -> str:
    """A fix for an output that does not exist; several names in one text are a list, if all of them do."""
    if "." in source:
        return fixits.reference(source)
    names = re.findall(r"[^\s,;()\[\]]+", source)
    unknown = [name for name in names if name not in levels and not _has_layer(name, parts)]
    if source.startswith("-") or (len(names) > 1 and not unknown):
        return fixits.sequence(source)
    wrong = unknown[0] if unknown else source
    return did_you_mean(wrong, levels) or did_you_mean(wrong, _layer_names(parts))


def _has_layer(name: str, parts: Sequence[PartSpec]) -> bool:
    """Whether there is a layer of this name, or one that it may be a part of: a repeat, a level, an inner node."""
    is_part = name in [part.name for part in parts if part.layers]
    return is_part or any(name == each or name.startswith(f"{each}_") for each in _layer_names(parts))


def _layer_names(parts: Sequence[PartSpec]) -> list[str]:
    """Those of all layers, and of those outside stages without that of their section."""
    layers = [(part, layer) for part in parts for layer in part.layers]
    short = [layer.name.removeprefix(f"{part.name}_") for part, layer in layers if not part.is_stage]
    return [*[layer.name for _, layer in layers], *short]


def _freeze(config: Config, checked: ConfigSchema, parts: Sequence[PartSpec], findings: Findings) -> tuple[str, ...]:
    """The parts in `freeze:`."""
    names = [part.name for part in parts]
    for index, name in enumerate(checked.freeze):
        if name not in names and name not in _removed(config):
            message = f"there is no stage '{name}'; {one_of(names)}"
            findings.report("unknown-stage", message, config.at("freeze", index), did_you_mean(name, names))
    return tuple(name for name in checked.freeze if name in names)


def _removed(config: Config) -> set[str]:
    """Stages and layers that were set to null, deleted, or reported as broken."""
    sections = [section.name for section in SECTIONS if not section.has_stages]
    stated = {name: layers for name in sections if isinstance(layers := config.values.get(name), dict)}
    names = [(section, name) for section, layers in stated.items() for name in layers]
    full = [f"{section}_{name}" for section, name in names]
    return {*config.values[STAGES.name], *config.removed, *full, *[name for _, name in names]}
