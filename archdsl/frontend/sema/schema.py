"""What may be written in a config: keys, types and ranges, and no more."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from archdsl.blocks.conventions import NormKind, PaddingStyle
from archdsl.blocks.registry import Depth, Dilation2D, Groups, Stride2D, Width
from archdsl.ir.ops import ActivationName
from archdsl.schemas.annotations import Limits, OneOrMore
from archdsl.schemas.schema import OPEN, Schema, renamed

NAME = r"^[a-z][a-z0-9_]*$"
Name = Annotated[str, Limits(pattern=NAME, max_length=64)]
MODEL_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"
ModelName = Annotated[str, Limits(pattern=MODEL_NAME, max_length=64)]
Text = Annotated[str, Limits(max_length=2_000)]
ARGUMENT = r"^\$[a-z][a-z0-9_]*$"
Argument = Annotated[str, Limits(pattern=ARGUMENT, max_length=65)]
CONDITION = r"^(fits|\$[a-z][a-z0-9_]*)$"
Condition = Annotated[str, Limits(pattern=CONDITION, max_length=65)]
Side = Annotated[int, Limits(ge=1, le=65_536)]
Count = Annotated[int, Limits(ge=0)]


class InputSchema(Schema):
    """The image: height, width and channels (null: any size), and whether pixels of 0 … 255 are divided by 255."""

    shape: tuple[Side | None, Side | None, Side] = (None, None, 3)
    """Height, width and channels; null for a side of any size."""
    rescale: bool = False
    """Whether pixels of 0 … 255 are divided by 255 first."""


class NormSchema(Schema):
    """Normalisation after convolutions. `momentum` is the weight of the old statistics, as in Keras."""

    kind: NormKind = "batch"
    """What is normalised over: the batch, the batches of all devices, groups of channels, all channels, or nothing."""
    momentum: Annotated[float, Limits(ge=0, lt=1)] = 0.99
    """Weight of the old statistics at each step, as in Keras; PyTorch writes 1 minus this."""
    epsilon: Annotated[float, Limits(gt=0, le=1)] = 1e-3
    """Added to the variance, so that nothing is divided by zero."""
    groups: Groups = 32
    """Groups of channels, for `kind: group`."""
    center: bool = True
    """Whether each channel has an addend that is learned (beta)."""
    scale: bool = True
    """Whether each channel has a factor that is learned (gamma)."""


class ConventionsSchema(Schema):
    """Activation, padding and normalisation, which an architecture does the same way everywhere."""

    activation: ActivationName = "silu"
    """After every convolution that does not set its own."""
    slope: Annotated[float, Limits(ge=0, lt=1)] = 0.1
    """Slope of leaky_relu below zero."""
    padding: PaddingStyle = "same"
    """`same` as TensorFlow pads, `symmetric` as PyTorch does; they differ where the stride is 2."""
    norm: NormSchema = NormSchema.model_construct()
    """Normalisation after every convolution."""


class ScaleSchema(Schema):
    """The size of a variant: every width and depth of the family times these."""

    width: Annotated[float, Limits(gt=0, le=64)] = 1.0
    """Every width × this, after the cap of max_width."""
    depth: Annotated[float, Limits(gt=0, le=64)] = 1.0
    """Every depth × this, rounded, at least 1."""
    max_width: Width | None = None
    """Cap of every width before it is scaled."""
    divisor: Width = 1
    """Scaled widths are rounded to a multiple of this."""
    least: Annotated[float, Limits(ge=0, le=1)] = 0.0
    """If rounding leaves less than this share of a width, it takes the next multiple."""
    depth_rounding: Literal["nearest", "up"] = "nearest"
    """How scaled depths are rounded; `nearest` rounds a half to the even number."""


class LayerSchema(Schema):
    """A block and its keyword arguments, which the block's own signature checks."""

    model_config = OPEN

    block: Text | None = None
    """Name of its block; `archdsl blocks` lists them."""
    after: Name | None = None
    """The layer before this one, `input` for none; by default the one written before it."""
    sources: Annotated[list[Name], Limits(min_length=1, max_length=64), OneOrMore()] | None = renamed("from", None)
    """Its input, if not the layer before it: a layer, a stage, `input`, or a list; beside `each`, what follows that."""
    each: Annotated[list[Name], Limits(min_length=1, max_length=64), OneOrMore()] | None = None
    """Layers or stages for each of which it runs once: NAME_p3, NAME_p4. `neck` is all levels of the neck, n3, n4, …"""
    share: bool | Name | None = None
    """A layer whose weights it uses, or true: one set of weights for all of `each`."""
    when: Annotated[list[Condition], Limits(min_length=1, max_length=8), OneOrMore()] | None = None
    """In a block of the config: left out unless the `$name` is true; with `fits`, unless its inputs have one shape."""


Layers = dict[Name, LayerSchema | None]


class RelativeSchema(Schema):
    """A number in a block of the config that is relative to another: of × times + plus."""

    of: Text
    """The channels of an input or a layer of the block, by its name; or `$name`, an argument."""
    times: Annotated[float, Limits(gt=0, le=64)] | Argument = 1.0
    """Factor, or the `$name` of one."""
    plus: Annotated[int, Limits(ge=-65_536, le=65_536)] = 0
    """Added at the end."""
    divisor: Width | Argument | None = None
    """The result is rounded to a multiple of this; by default, if relative to channels, of `scale.divisor`."""


class BlockSchema(Schema):
    """A block defined by the config: layers in a row. `$name`, as a whole value, is its argument `name`.

    `arguments` holds defaults; null leaves a value to the stage or to the blocks inside. `from:` in a layer names
    layers before it, or inputs. A number may be relative: `width: {of: input, times: 4}`.
    """

    description: Text = ""
    """What it is, in a sentence."""
    inputs: Annotated[list[Name], Limits(min_length=1, max_length=64), OneOrMore()] = ["input"]
    """Names of its inputs, in the order of the `from:` where it is used."""
    arguments: dict[Name, Any] = {}
    """Its arguments by name, with their defaults."""
    layers: Layers = {}
    """Its layers by name, in order."""
    results: Annotated[list[Name], Limits(min_length=1, max_length=64), OneOrMore()] | None = None
    """Its layers that are results, if there are several; others read them as LAYER_RESULT."""


class StageSchema(Schema):
    """One stage. A key that it does not set comes from stage_defaults; null empties a slot."""

    width: Width | None = None
    """Output channels of its layers, before scaling."""
    depth: Depth | None = None
    """How often the body runs, or repeats inside itself, before scaling."""
    stride: Stride2D | None = None
    """How many times smaller the stage makes the map; by default, what its layers do."""
    stride_at: Literal["first", "last"] | None = None
    """Which repeat of the body has the stride."""
    dilation: Dilation2D | None = None
    """Step between the taps of the body's windows, in pixels."""
    after: Name | None = None
    """The stage before this one, `input` for none; by default the one written before it."""
    down: LayerSchema | None = None
    """First slot: what makes the map smaller."""
    pre: Layers | None = None
    """Second slot: layers before the body, by name."""
    body: LayerSchema | None = None
    """Third slot: the block that is repeated `depth` times."""
    first: dict[Name, Any] | None = None
    """Arguments for the first repeat of the body only."""
    post: Layers | None = None
    """Last slot: layers after the body, by name."""


class WithinSchema(Schema):
    """The most that a figure may be."""

    within: Annotated[float, Limits(ge=0)]
    """The figure may be this, or less."""


class ExpectSchema(Schema):
    """Figures that the file promises; `archdsl validate` checks them. `{within: 30e6}` is a promise of at most that.

    `macs` and `activation_memory` are for the size in `input.shape`; an open side counts as 640 pixels.
    """

    params: Count | WithinSchema | None = None
    """Parameters, the statistics of batch norms included."""
    trainable_params: Count | WithinSchema | None = None
    """Parameters that training changes."""
    macs: Count | WithinSchema | None = None
    """Multiply-accumulates for one image, of 640 × 640 where the sides are open."""
    activation_memory: Count | WithinSchema | None = None
    """Bytes that the values between operations take at least, for one image, as `archdsl show` has them."""


class PublishedSchema(Schema):
    """Where keras_cv keeps this preset: its Kaggle handle, and the file with its trained weights if there is one."""

    kaggle: Text | None = None
    """Its handle on Kaggle."""
    url: Text | None = None
    """Address of the file with the trained weights."""
    size: Annotated[int, Limits(ge=1, le=1 << 40)] | None = None
    """Size of that file in bytes."""
    sha256: Annotated[str, Limits(pattern=r"^[0-9a-f]{64}$")] | None = None
    """Checksum of that file."""


Outputs = (
    Annotated[list[Text], Limits(min_length=1, max_length=64), OneOrMore()]
    | Annotated[dict[Name, Text], Limits(min_length=1, max_length=64)]
)


class ConfigSchema(Schema):
    """A network as a config file describes it, after inheritance."""

    archdsl: Annotated[int, Limits(ge=1, le=1)] = 1
    """Version of the language."""
    name: ModelName | None = None
    """Name of the model; by default that of the file."""
    description: Text = ""
    """What it is, in a sentence or two."""
    source: Text = ""
    """The paper or code that it follows."""
    input: InputSchema = InputSchema.model_construct()
    """The image."""
    conventions: ConventionsSchema = ConventionsSchema.model_construct()
    """Activation, padding and normalisation, the same everywhere."""
    scale: ScaleSchema = ScaleSchema.model_construct()
    """The size of this variant of the family."""
    blocks: Annotated[dict[Name, BlockSchema | None], Limits(max_length=2_048)] = {}
    """Blocks defined by the config, by name."""
    stem: Layers | None = {}
    """Layers before the first stage, by name."""
    stage_defaults: StageSchema = StageSchema.model_construct()
    """Values for every stage that does not set its own."""
    stages: dict[Name, StageSchema | None]
    """The stages by name, in order; one named pN comes out 2^N times smaller than the image."""
    tail: Layers | None = {}
    """Layers after the last stage, by name; they belong to no level."""
    neck: Layers | None = {}
    """Layers that join the stages' maps, by name."""
    head: Layers | None = {}
    """Layers that compute the results, by name."""
    outputs: Outputs | None = None
    """The stages and layers to return; by default the levels of a neck and what a neck or head ends in, else the stages
    named pN. A mapping names the results of `model(x)`, p3 as P3."""
    freeze: Annotated[list[Text], Limits(max_length=64), OneOrMore()] = []
    """Stages that training leaves unchanged; other sections, such as `stem`, may be named too."""
    expect: ExpectSchema = ExpectSchema.model_construct()
    """Figures that this file promises."""
    published: PublishedSchema = PublishedSchema.model_construct()
    """Where trained weights of this very file are published."""


def filled(stage: StageSchema, defaults: StageSchema) -> StageSchema:
    """`stage` with what it does not say taken from `defaults`, layer by layer and argument by argument."""
    own, others = vars(stage), vars(defaults)
    return StageSchema.model_construct(
        {**others, **{key: _combined(own[key], others[key]) for key in stage.model_fields_set}}
    )


def _combined(stated: Any, default: Any) -> Any:
    if isinstance(stated, LayerSchema) and isinstance(default, LayerSchema):
        return _combined_layer(stated, default)
    if isinstance(stated, dict) and isinstance(default, dict):
        return default | {key: _combined(value, default.get(key)) for key, value in stated.items()}
    return stated


def _combined_layer(stated: LayerSchema, default: LayerSchema) -> LayerSchema:
    """Arguments of the default layer are kept only for the same block: another block has others."""
    if stated.block is not None and stated.block != default.block:
        return stated
    arguments = {**(default.model_extra or {}), **(stated.model_extra or {})}
    own = {name: value for name, value in vars(stated).items() if value is not None}
    return LayerSchema.model_construct({**vars(default), **own}, arguments)
