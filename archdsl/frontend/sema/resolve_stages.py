"""A section of a config → its parts: the stages, each with its four slots, or the section's layers as one part."""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from archdsl.diagnostics.problems import Note
from archdsl.frontend.compose.config import Location
from archdsl.frontend.sections import SECTIONS, Section
from archdsl.frontend.sema.findings import Findings
from archdsl.frontend.sema.kept_parts import keep, kept_part
from archdsl.frontend.sema.resolve_layers import Layers
from archdsl.frontend.sema.schema import ConfigSchema, LayerSchema, StageSchema, filled
from archdsl.frontend.sema.schema import Layers as NamedLayers
from archdsl.frontend.sema.spec import LayerSpec, PartSpec

# `from:` means something else by the first; the others are not read as names by every YAML reader.
_TRUTH = {"yes", "no", "on", "off", "y", "n"}
RESERVED = {"input", *[section.name for section in SECTIONS], *_TRUTH}
_NO_LEVEL = re.compile(r"p0[0-9]+|p[0-9]{3,}")  # a leading zero, or a stride that no image has


class Parts:
    """Resolves the sections of a config."""

    def __init__(self, checked: ConfigSchema, layers: Layers, findings: Findings):
        self.checked = checked
        self.layers = layers
        self.config = layers.config
        self.findings = findings

    def of(self, section: Section) -> list[PartSpec]:
        """The parts of a section, in the order they run."""
        entries = getattr(self.checked, section.name)
        stated: Any = self.config.values.get(section.name)
        at = self.config.at(section.name)
        if not section.has_stages:  # null takes away what a parent has
            return [self._once(at, repr(stated), partial(self._section, entries or {}))]
        filler, filled_in = getattr(self.checked, section.defaults), repr(self.config.values.get(section.defaults))
        stages = [
            self._once(at / name, f"{stated[name]} {filled_in}", partial(self._stage, stage, filler))
            for name, stage in self.layers.in_order(entries, at)
        ]
        if not stages and not self.findings:
            self.findings.report("empty", "there is no stage; expected at least one", at)
        return stages

    def _once(self, at: Location, stated: str, resolve: Callable[[Location], PartSpec]) -> PartSpec:
        """The part at an entry of the config, resolved unless one was that has the same path and the same values.

        `stated` has them as text, which tells 1, 1.0 and True apart. What is wrong is found anew each time.
        """
        key = f"{at} {stated}"
        if not self.findings and (kept := kept_part(key, self.config)) and self.layers.may_add(len(kept.layers)):
            return kept
        part = resolve(at)
        if not self.findings:
            keep(key, part)
        return part

    def _section(self, entries: NamedLayers, at: Location) -> PartSpec:
        return PartSpec(str(at), at, tuple(self.layers.named(entries, at, str(at), {})))

    def _stage(self, stage: StageSchema, defaults: StageSchema, at: Location) -> PartSpec:
        name = str(at.path[-1])
        if name in RESERVED or keyword.iskeyword(name) or _NO_LEVEL.fullmatch(name):
            reason = " (some YAML readers take it for true or false)" if name in _TRUTH else ""
            fact = f"a stage cannot be called '{name}'{reason}; expected a name of its own, such as p3"
            self.findings.report("key", fact, at)
        full = filled(stage, defaults)
        down, body = self._down(full, at, name), self._body(full, at, name)
        layers = [
            *([down] if down else []),
            *self._named(full.pre, at / "pre", name, full),
            *([body] if body else []),
            *self._named(full.post, at / "post", name, full),
        ]
        if not layers and not self.findings:
            self.findings.report("empty", "the stage has no layer; expected a `body` or a `down`", at)
        if full.body is None:
            self._refuse_unused(full, at)
        return PartSpec(name, at, tuple(layers), is_stage=True)

    def _named(
        self, layers: Mapping[str, LayerSchema | None] | None, at: Location, name: str, stage: StageSchema
    ) -> list[LayerSpec]:
        return self.layers.named(dict(layers), at, name, {"width": stage.width}) if layers else []

    def _down(self, stage: StageSchema, at: Location, name: str) -> LayerSpec | None:
        """The layer that makes the map smaller, by the stage's stride where it sets one."""
        if stage.down is None:
            return None
        down = self.layers.layer(stage.down, at / "down", f"{name}_down", {"width": stage.width})
        if down is None or stage.stride is None or not self._takes(down, "stride", stage.stride):
            return down
        if down.repeats is not None:
            return down._replace(first={**down.first, "stride": stage.stride})
        return down._replace(arguments={**down.arguments, "stride": stage.stride})

    def _body(self, stage: StageSchema, at: Location, name: str) -> LayerSpec | None:
        """The body with what its stage sets: dilation for every repeat, stride for one, `first` for the first."""
        if stage.body is None:
            return None
        size = {"width": stage.width, "depth": stage.depth}
        body = self.layers.layer(stage.body, at / "body", f"{name}_body", size)
        if body is None:
            return None
        if stage.dilation is not None and self._takes(body, "dilation", stage.dilation):
            body = body._replace(arguments={**body.arguments, "dilation": stage.dilation})
        first, last = self._ends(body, stage)
        if stage.first is not None:
            self.layers.check_arguments(body.block, {**body.arguments, **first}, at / "first")
        if body.repeats is None:  # it runs once, as the first and the last
            return body._replace(arguments={**body.arguments, **first, **last})
        return body._replace(first=first, last=last)

    def _ends(self, body: LayerSpec, stage: StageSchema) -> tuple[dict[str, Any], dict[str, Any]]:
        """What the first and the last repeat of the body set differently."""
        stride = dict(body.first)
        has_down = stage.down is not None
        if stage.stride is not None and not has_down and self._takes(body, "stride", stage.stride):
            stride = {"stride": stage.stride}
        own = dict(stage.first or {})
        return (own, stride) if stage.stride_at == "last" else ({**own, **stride}, {})

    def _takes(self, layer: LayerSpec, key: str, value: object) -> bool:
        takes = key in layer.block.parameters
        if not takes and value != 1:
            message = f"block '{layer.block.name}' does not take the stage's {key} of {value}"
            note = Note((layer.at / "block").value, f"block '{layer.block.name}' is named at")
            stage = self.config.at(*layer.at.path[:-1])
            self.findings.report("unused", message, stage / key, notes=[note])
        return takes

    def _refuse_unused(self, stage: StageSchema, at: Location) -> None:
        for key in ("depth", "dilation", "first", *(() if stage.down else ("stride",))):
            if getattr(stage, key) not in (None, 1):
                hint = f"give it a body, or write {at / key}=null"
                self.findings.report("unused", f"the stage has no body to take its {key}", at / key, hint)
