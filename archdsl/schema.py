"""What may be written in a config: keys, types and ranges, and no more."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from annotated_types import Interval, Len
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from archdsl.conventions import PaddingStyle
from archdsl.ops import ActivationName
from archdsl.registry import Depth, Dilation, Groups, Stride, Width

NAME = r"^[a-z][a-z0-9_]*$"
Name = Annotated[str, StringConstraints(pattern=NAME, max_length=64)]
Text = Annotated[str, StringConstraints(max_length=2_000)]
Side = Annotated[int, Interval(ge=1, le=65_536)]
Count = Annotated[int, Interval(ge=0)]


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class Schema(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, populate_by_name=False)


class InputSchema(Schema):
    """The image: height, width and channels (null: any size), and whether pixels of 0 … 255 are divided by 255."""

    shape: tuple[Side | None, Side | None, Side] = Field((None, None, 3), strict=False)
    rescale: bool = False


class NormSchema(Schema):
    """Normalisation after convolutions. `momentum` is the weight of the old statistics, as in Keras."""

    kind: Literal["batch", "sync_batch", "group", "none"] = "batch"
    momentum: Annotated[float, Interval(ge=0, lt=1)] = 0.99
    epsilon: Annotated[float, Interval(gt=0, le=1)] = 1e-3
    groups: Groups = 32


class ConventionsSchema(Schema):
    """What the architecture does the same way everywhere."""

    activation: ActivationName = "silu"
    slope: Annotated[float, Interval(ge=0, lt=1)] = 0.1
    padding: PaddingStyle = "same"
    norm: NormSchema = NormSchema()


class ScaleSchema(Schema):
    """The size of a variant: every width and depth of the family times these."""

    width: Annotated[float, Interval(gt=0, le=64)] = 1.0
    depth: Annotated[float, Interval(gt=0, le=64)] = 1.0
    max_width: Width | None = None
    divisor: Width = 1


class LayerSchema(Schema):
    """A block and its keyword arguments, which the block's own signature checks."""

    model_config = ConfigDict(extra="allow")

    block: Text | None = None
    after: Name | None = None
    sources: Annotated[list[Name], BeforeValidator(_listed), Len(1, 64)] | None = Field(None, alias="from")


Layers = dict[Name, LayerSchema | None]


class StageSchema(Schema):
    """One stage; what it does not say comes from stage_defaults, and null empties a slot."""

    width: Width | None = None
    depth: Depth | None = None
    stride: Stride | None = None
    stride_at: Literal["first", "last"] | None = None
    dilation: Dilation | None = None
    after: Name | None = None
    down: LayerSchema | None = None
    pre: Layers | None = None
    body: LayerSchema | None = None
    first: dict[Name, Any] | None = None
    post: Layers | None = None


class ExpectSchema(Schema):
    """Figures that the file promises; `archdsl validate` and the tests check them."""

    params: Count | None = None
    trainable_params: Count | None = None
    macs: Count | None = None


class PublishedSchema(Schema):
    """Where keras_cv keeps this preset: its Kaggle handle, and the file with its trained weights if there is one."""

    kaggle: Text | None = None
    url: Text | None = None
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] | None = None


class ConfigSchema(Schema):
    """A backbone as a config file describes it, after inheritance."""

    archdsl: Annotated[int, Interval(ge=1, le=1)] = 1
    name: Name | None = None
    description: Text = ""
    source: Text = ""
    input: InputSchema = InputSchema()
    conventions: ConventionsSchema = ConventionsSchema()
    scale: ScaleSchema = ScaleSchema()
    stem: Layers = {}
    stage_defaults: StageSchema = StageSchema()
    stages: dict[Name, StageSchema | None]
    tail: Layers = {}
    outputs: Annotated[list[Name], Len(1, 64)] | None = None
    expect: ExpectSchema = ExpectSchema()
    published: PublishedSchema = PublishedSchema()


def filled(stage: StageSchema, defaults: StageSchema) -> StageSchema:
    """`stage` with what it does not say taken from `defaults`, layer by layer and argument by argument."""
    values: dict[str, Any] = {}
    for key in StageSchema.model_fields:
        default, stated = getattr(defaults, key), getattr(stage, key)
        values[key] = default if key not in stage.model_fields_set else _combined(stated, default)
    return StageSchema.model_construct(**values)


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
    return LayerSchema.model_construct(
        block=default.block, after=stated.after or default.after, sources=stated.sources or default.sources, **arguments
    )
