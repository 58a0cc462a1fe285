"""Random configs, always valid: a hypothesis strategy that writes them stage by stage, as a person would.

What it draws from is read from the registry, so a new block takes part as soon as it is registered. To stay
valid it keeps account of three things: the total stride, which maps fit each other, and whether the channels
divide by the config's divisor (so that groups can be drawn).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cache
from itertools import pairwise
from typing import Annotated, Any, Literal, get_args, get_origin

from hypothesis import strategies as st

from archdsl.blocks.conventions import Conventions
from archdsl.blocks.registry import Block, all_blocks
from archdsl.frontend.sema.schema import ConventionsSchema, InputSchema, NormSchema, ScaleSchema, StageSchema
from archdsl.frontend.sema.vocabulary import fields, plain
from archdsl.ir.node import ShapeError
from archdsl.ir.ops import ACTIVATIONS, Activation, BatchNorm, Input
from archdsl.ir.types import FeatureMap
from archdsl.schemas.annotations import Limits
from archdsl.schemas.schema import Schema

Draw = Any
Config = dict[str, Any]
Layer = dict[str, Any]

MAX_STRIDE = 48
MAY_SHRINK = ("conv", "conv_bn_act", "depthwise_conv_bn_act", "max_pool", "avg_pool")  # blocks that take even kernels
WRITTEN = ("width", "depth", "stride", "stride_at", "dilation")  # with an account of what they do to the maps
LEFT_OUT = ("width", "stride", "dilation", "groups", "padding", "kind", "center", "scale")  # a norm may not take them
HOISTED = [key for key in fields(StageSchema) if key != "after"]


@st.composite
def drawn_configs(draw: Draw, size: int = 24) -> Config:
    """A valid config with widths of up to `size` before scaling, and images of at most a few hundred pixels."""
    return _Writer(draw, size).config()


# What blocks can be drawn, and where they fit


@cache
def resizing(name: str) -> Fraction:
    """How many times smaller a block of stride 1 makes a map: 1 for most, 2 for focus, 1/2 for upsample.

    0 where it gives another type, cuts pixels off or adds some, or has its own mind about channels.
    """
    found = resized(name, 1)
    return found if "stride" not in all_blocks()[name].parameters or resized(name, 2) == 2 * found else Fraction(0)


def resized(name: str, stride: int) -> Fraction:
    block = all_blocks()[name]
    style = Conventions(Activation("relu"), BatchNorm(), "same")
    given = {"width": 16, "stride": stride, "style": style}
    arguments = {key: value for key, value in given.items() if key in block.parameters or key == "style"}
    if not block.takes_style:
        del arguments["style"]
    try:
        made = block(Input(FeatureMap(64, 64, 21))(), **arguments).type
    except ShapeError:  # it takes vectors, or tokens, or cannot divide the channels
        return Fraction(0)
    is_whole = isinstance(made, FeatureMap) and abs(made.height - 64 / made.stride) < 1
    is_wide = "width" in block.parameters or made.channels % 21 == 0
    return Fraction(made.stride) if is_whole and is_wide else Fraction(0)


def blocks(*, taking: str = "") -> list[Block]:
    """Blocks of one input that keep a map's size when their stride is 1, and take an argument `taking`."""
    fitting = [block for block in all_blocks().values() if len(block.inputs or ()) == 1 and is_drawable(block)]
    return [block for block in fitting if resizing(block.name) == 1 and (not taking or taking in block.parameters)]


def is_drawable(block: Block) -> bool:
    """Whether everything that has to be said to it can be drawn."""
    needed = [name for name, parameter in block.parameters.items() if parameter.default is parameter.empty]
    return all(name == "width" or values_for(block, name) is not None for name in needed)


def values_for(block: Block, name: str) -> st.SearchStrategy[Any] | None:
    """Values of an argument; None for one that is better left at its default."""
    by_name: Mapping[str, st.SearchStrategy[Any]] = {
        "kernel": st.sampled_from([1, 3, 5]),
        "kernels": st.lists(st.integers(1, 9), min_size=1, max_size=4),
        "depth": st.integers(1, 3),
        "expansion": st.floats(0.1, 1.5),
        "activation": st.sampled_from([None, *ACTIVATIONS]),
        "projection": st.sampled_from([None, True]),
    }
    if name in by_name or name in LEFT_OUT:
        return by_name.get(name)
    return choices_of(block.parameters[name].annotation)


def choices_of(annotation: Any) -> st.SearchStrategy[Any] | None:
    """Values of a type that has a few; None for another."""
    if plain(annotation) is bool:
        return st.booleans()
    return st.sampled_from(get_args(plain(annotation))) if get_origin(plain(annotation)) is Literal else None


def keys_of(schema: type[Schema]) -> dict[str, st.SearchStrategy[Any]]:
    """Values of each key that takes a name, a truth value or a number, from the schema's types and ranges."""
    values = {key: (choices_of(annotation), numbers_of(annotation)) for key, annotation in fields(schema).items()}
    return {key: found for key, strategies in values.items() for found in strategies if found is not None}


def numbers_of(annotation: Any) -> st.SearchStrategy[Any] | None:
    """Numbers of a closed range, the lower ones where it is wide; None for a type that has none."""
    if get_origin(annotation) is not Annotated:  # X | None
        annotation = next(iter(get_args(annotation)), None)
    found = next((each for each in getattr(annotation, "__metadata__", ()) if isinstance(each, Limits)), Limits())
    least = found.gt if found.ge is None else found.ge
    most = found.lt if found.le is None else found.le
    if least is None or most is None:
        return None
    if plain(annotation) is int:
        return st.integers(least, min(most, least + 8))
    return st.floats(least, most, exclude_min=found.ge is None, exclude_max=found.le is None, allow_subnormal=False)


# Writing a config


@dataclass(frozen=True)
class _Map:
    """What is known of a feature map: its stride, and whether its channels divide by the divisor."""

    stride: Fraction
    divides: bool


@dataclass
class _Writer:
    """Writes one config. `tidy` ones have images that divide by every stride, so that maps can meet again."""

    draw: Draw
    size: int
    maps: dict[str, _Map] = field(default_factory=dict)
    shrinking: int = 0  # convolutions with an even kernel, which may cost a pixel each

    def __post_init__(self) -> None:
        self.tidy = self.flip()
        self.divisor = self.pick(1, 2, 4)
        self.now = self.maps["input"] = _Map(Fraction(1), divides=self.divisor == 1)
        self.strides = {1}
        self.entered = self.now  # the map that the latest layer took

    def flip(self) -> bool:
        return bool(self.draw(st.booleans()))

    def pick(self, *choices: Any) -> Any:
        return self.draw(st.sampled_from(choices))

    def number(self, least: int, most: int) -> int:
        return int(self.draw(st.integers(least, most)))

    def config(self) -> Config:
        conventions = self.conventions()
        stem = {f"layer{index}": self.stem_layer() for index in range(self.number(0, 3))}
        self.maps["stem"] = self.now
        stages: dict[str, Any] = {}
        for index in range(self.number(1, 5)):
            stage = self.neck() if stages and self.tidy and self.pick(True, False, False) else self.stage()
            name = self.name(index, stages)
            self.end_stage(name, stage)
            stages[name] = stage
        config = {
            "input": {"shape": self.shape(), **self.others(InputSchema)},
            "conventions": conventions,
            "scale": self.scale(),
            "stem": stem,
            "stages": stages,
            "tail": {f"layer{index}": self.layer(with_width=True) for index in range(self.number(0, 2))},
            "outputs": self.outputs(list(stages)),
        }
        if self.flip():
            config |= self.hoisted(stages)
        if self.pick(True, False, False):
            config["stages"] = self.shuffled(config["stages"])
        return {key: value for key, value in config.items() if value not in (None, {})}

    def conventions(self) -> Config:
        norm = {**self.others(NormSchema), "groups": 1}  # which any number of channels divides by
        return {**self.others(ConventionsSchema), "norm": norm}

    def others(self, schema: type[Schema], *written: str) -> Config:
        """Some keys of a part of the config, but for those that are written elsewhere."""
        values = keys_of(schema)
        return {key: self.draw(values[key]) for key in values if key not in written and self.flip()}

    def scale(self) -> Config:
        """Always with the divisor, so that every scaled width divides by it."""
        factor = st.floats(0.3, 2)
        optional = {"width": factor, "depth": factor, "max_width": st.integers(1, 2 * self.size)}
        written = {"divisor": self.divisor} | {key: self.draw(optional[key]) for key in optional if self.flip()}
        return written | self.others(ScaleSchema, "divisor", *optional)

    def shape(self) -> list[int | None]:
        """Height and width that every layer can take; null for sides that are not known."""
        common = math.lcm(*self.strides)
        sides: list[int | None] = []
        for _ in range(2):
            spare = self.number(0, 2) * common if self.tidy else self.number(0, 40)
            side = common * (self.shrinking + 1) + spare
            sides.append(self.pick(side, side, side, None))
        return [*sides, self.number(1, 4)]

    def outputs(self, names: list[str]) -> list[str] | None:
        return self.draw(st.none() | st.lists(st.sampled_from(names), min_size=1, unique=True))

    # Layers

    def layer(self, *, with_width: bool = False, taking: str = "", stride: int = 1, plain: bool = False) -> Layer:
        """A layer of one input. `with_width`: no stage gives it a width. `plain`: dilation is someone else's."""
        self.entered = self.now
        block = self.draw(st.sampled_from(blocks(taking=taking)))
        layer: Layer = {"block": block.name, **self.arguments(block, stride=stride, plain=plain)}
        if "width" in block.parameters:
            if with_width or self.pick(True, False, False):
                layer["width"] = self.number(1, self.size)
            self.now = replace(self.now, divides=True)
        if stride == 1 and "depth" not in block.parameters and self.pick(True, False, False):
            layer["depth"] = self.number(1, 2)
        return layer

    def arguments(self, block: Block, *, stride: int = 1, plain: bool = False) -> Layer:
        """Some of a block's arguments, width aside; the stride is said where it is not the block's own."""
        drawn: Layer = {}
        for name, parameter in block.parameters.items():
            values = values_for(block, name)
            if name == "stride" and (stride != parameter.default or self.flip()):
                drawn[name] = stride
            elif name == "dilation" and stride == 1 and not plain:
                drawn |= {name: self.number(1, 3)} if self.flip() else {}
            elif name == "groups" and "width" in block.parameters and self.entered.divides and self.flip():
                drawn[name] = self.pick(*[count for count in (1, 2, 4) if self.divisor % count == 0])
            elif values is not None and (parameter.default in (parameter.empty, 2) or self.flip()):  # no even kernel
                drawn[name] = self.draw(values)
        return drawn

    def step(self) -> int:
        """The stride of the next layer, such that images stay small."""
        return self.pick(*[step for step in (1, 2, 2, 3) if self.can_reach(self.now.stride * step)] or [1])

    def can_reach(self, stride: Fraction) -> bool:
        return stride.denominator == 1 and math.lcm(*self.strides, int(stride)) <= MAX_STRIDE

    def reach(self, stride: Fraction) -> None:
        self.now = replace(self.now, stride=stride)
        self.strides.add(int(stride))

    def stem_layer(self) -> Layer:
        if self.tidy and self.can_reach(self.now.stride * 2) and self.pick(True, False, False):
            return self.focus()
        step = self.step()
        layer = self.layer(with_width=True, taking="stride" if step > 1 else "", stride=step)
        self.reach(self.now.stride * step)
        return self.with_even_kernel(layer)

    def focus(self) -> Layer:
        """Half the size, four times the channels."""
        self.reach(self.now.stride * 2)
        name = self.pick(*[name for name in all_blocks() if is_halving(name)])
        return {"block": name}

    def with_even_kernel(self, layer: Layer) -> Layer:
        """Perhaps with one; under symmetric padding it makes a map a pixel smaller, which then fits no other."""
        if not self.tidy and layer["block"] in MAY_SHRINK and "kernel" in layer and self.flip():
            self.shrinking += layer.get("depth", 1)
            return {**layer, "kernel": self.pick(2, 4)}
        return layer

    # Stages

    def stage(self) -> Config:
        step = self.step()
        stage: Config = {"width": self.number(1, self.size), **self.others(StageSchema, *WRITTEN)}
        plans = {"down layer": self.down_layer, "down slot": self.down_slot, "body": self.strided_body}
        plan = self.pick(*plans) if step > 1 or self.flip() else "nothing"
        if step == 2 and self.tidy and self.pick(True, False, False, False):
            stage |= {"down": self.focus(), **self.body()}
        elif plan == "nothing":
            stage |= {"pre": self.layers(), **self.body()}
        else:
            stage |= plans[plan](step)
        if stage.get("post") is None and self.flip():
            stage["post"] = {**self.layers(), **self.merge(stage)}
        return stage

    def down_layer(self, step: int) -> Config:
        """`down` says its stride itself."""
        return {"down": self.down(step, stride=step), "pre": self.layers(), **(self.body() if self.flip() else {})}

    def down_slot(self, step: int) -> Config:
        """The stage says the stride, and `down` takes it."""
        down = self.down(step)
        down.pop("stride", None)
        return {"stride": step, "down": down, "pre": self.layers(), **(self.body() if self.flip() else {})}

    def down(self, step: int, stride: int = 1) -> Layer:
        down = self.with_even_kernel(self.layer(taking="stride", stride=stride, plain=step > 1))
        if step > 1:
            down.pop("depth", None)
        self.reach(self.now.stride * step)
        return down

    def body(self) -> Config:
        """A body of stride 1, perhaps dilated, perhaps with another first repeat."""
        body = self.layer()
        block = all_blocks()[body["block"]]
        parts: Config = {"body": body, "depth": self.number(1, 3)}
        if "dilation" in block.parameters and self.flip():
            parts["dilation"] = self.number(1, 3)
        if self.flip():
            parts["first"] = self.first(block)
        if self.pick(True, False, False):
            del parts["depth"]
        return self.with_identity_shortcuts(parts)

    def strided_body(self, step: int) -> Config:
        """No `down`: the first or the last repeat of the body takes the stage's stride."""
        pre = self.layers()
        body = self.layer(taking="stride", plain=True)
        body.pop("depth", None)
        block = all_blocks()[body["block"]]
        parts: Config = {"pre": pre, "body": body, "depth": self.number(1, 3), "stride": step}
        parts["stride_at"] = self.pick("first", "last", None)
        first = self.first(block, plain=True) if self.flip() else {}
        if "dilation" in block.parameters and parts["stride_at"] != "last" and self.flip():
            parts["dilation"] = self.number(1, 3)
            first["dilation"] = 1  # no convolution is strided and dilated at once
        parts["first"] = first or None
        self.reach(self.now.stride * step)
        return self.with_identity_shortcuts(parts)

    def with_identity_shortcuts(self, parts: Config) -> Config:
        """Perhaps a residual body that projects in its first repeat only, and says so."""
        if "projection" not in all_blocks()[parts["body"]["block"]].parameters or self.flip():
            return parts
        first = {key: value for key, value in (parts.get("first") or {}).items() if key != "width"}
        return {**parts, "body": {**parts["body"], "projection": False}, "first": {**first, "projection": True}}

    def first(self, block: Block, plain: bool = False) -> Layer:
        """What the first repeat says differently; its stride stays what it is."""
        first = self.arguments(block, plain=plain)
        first.pop("stride", None)
        if "width" in block.parameters and self.pick(True, False, False):
            first["width"] = self.number(1, self.size)
        return first

    def layers(self) -> dict[str, Layer]:
        return {f"side{index}": self.layer() for index in range(self.pick(0, 0, 1, 2))}

    # Maps that meet

    def merge(self, stage: Config) -> dict[str, Layer]:
        """Two branches that meet again: one from the layer before, one from another map or the same."""
        before = next((slot for slot in ("body", "down") if stage.get(slot)), None)
        if before is None:
            return {}
        other = self.pick(*self.maps) if self.tidy else before
        source = self.now if other == before else self.maps[other]
        join = self.pick(*[block.name for block in all_blocks().values() if is_merge(block)])
        fitted = self.fitted(other, source)
        if fitted is None:
            return {}
        left = {"left": {"block": "conv_bn_act", "kernel": self.pick(1, 3)}}
        right = fitted | {"right": {"block": "conv"}}
        self.now = replace(self.now, divides=True)
        return {**left, **right, "join": {"block": join, "from": ["left", "right"]}}

    def fitted(self, name: str, source: _Map) -> dict[str, Layer] | None:
        """Layers that bring a map to the present stride; None when no single one does."""
        ratio = self.now.stride / source.stride
        if ratio.denominator == 1 and ratio <= 8:
            pool = {"block": self.pick("max_pool", "avg_pool"), "kernel": self.pick(1, 3), "stride": int(ratio)}
            return {"fit": {**pool, "from": self.pick(name, [name])}}
        if ratio.numerator == 1 and ratio.denominator <= 8:
            return {"fit": self.upsample(ratio.denominator) | {"from": name}}
        return None

    def upsample(self, factor: int) -> Layer:
        return {"block": "upsample", "factor": factor, "interpolation": self.pick("nearest", "bilinear")}

    def neck(self) -> Config:
        """A stage of a feature pyramid: enlarged, and joined with an earlier map of that size."""
        finer = {name: found for name, found in self.maps.items() if 1 < self.now.stride / found.stride <= 8}
        finer = {name: found for name, found in finer.items() if (self.now.stride / found.stride).denominator == 1}
        if not finer:
            return self.stage()
        name = self.pick(*finer)
        factor = int(self.now.stride / finer[name].stride)
        self.reach(finer[name].stride)
        self.now = replace(self.now, divides=self.now.divides and finer[name].divides)
        join = {"block": "concat", "from": ["up", name]}
        pre = {"up": self.upsample(factor), "join": join}
        return {"width": self.number(1, self.size), "pre": pre, **self.others(StageSchema, *WRITTEN), **self.body()}

    def name(self, index: int, stages: Mapping[str, Any]) -> str:
        """pN where that is true and free."""
        stride = int(self.now.stride)
        level = f"p{stride.bit_length() - 1}"
        is_true = stride.bit_count() == 1 and level not in stages
        return level if is_true and self.pick(True, True, False) else f"stage{index}"

    def end_stage(self, name: str, stage: Config) -> None:
        """Its result can be named from now on, and so can its slots as long as nothing but the result follows."""
        for key in [key for key, value in stage.items() if value in (None, {}) and self.flip()]:
            del stage[key]
        self.maps[name] = self.now
        if stage.get("body") and not stage.get("post"):
            self.maps[f"{name}_body"] = self.now

    # Other ways of writing the same

    def hoisted(self, stages: Mapping[str, Config]) -> Config:
        """Moves what one stage says to stage_defaults, where that changes no stage."""
        defaults: Config = {}
        written = {name: dict(stage) for name, stage in stages.items()}
        for key in HOISTED:
            shared = self.pick(*[stage.get(key) for stage in stages.values()])
            if shared in (None, {}) or not all(keeps_meaning(stage.get(key), shared) for stage in stages.values()):
                continue
            defaults[key] = shared
            for stage in written.values():
                if stage.get(key) == shared:
                    del stage[key]
                elif stage.get(key) in (None, {}):
                    stage[key] = None
        return {"stage_defaults": defaults, "stages": written}

    def shuffled(self, stages: Mapping[str, Config]) -> dict[str, Config]:
        """In any order, each but the first saying what it comes after."""
        names = list(stages)
        placed = {name: {**stages[name], "after": before} for before, name in pairwise(names)}
        return {name: placed.get(name, stages[name]) for name in self.draw(st.permutations(names))}


def is_merge(block: Block) -> bool:
    """Whether it makes one map of several, whatever their channels; some blocks make more maps, or tokens."""
    if block.inputs is not None or block.takes_style or block.name == "exchange":
        return False
    maps = [Input(FeatureMap(64, 64, 21))() for _ in range(2)]
    try:
        return isinstance(block(*maps).type, FeatureMap)
    except (ShapeError, TypeError):  # it takes other maps, or needs an argument
        return False


def is_halving(name: str) -> bool:
    block = all_blocks()[name]
    return len(block.inputs or ()) == 1 and not block.parameters and resizing(name) == 2


def keeps_meaning(stated: Any, shared: Any) -> bool:
    """Whether a stage that says `stated` can say it still when `shared` is the default: mappings would mix."""
    if stated in (None, {}) or stated == shared or not isinstance(shared, dict):
        return True
    return "block" in shared and stated.get("block") != shared["block"]
