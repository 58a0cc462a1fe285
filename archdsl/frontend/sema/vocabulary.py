"""Where each key of a config belongs, and the names that other systems have for it: hints for keys and values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from archdsl.blocks.registry import all_blocks
from archdsl.frontend.sema.schema import ConfigSchema, LayerSchema, StageSchema
from archdsl.schemas.schema import Schema

_NAMES = {StageSchema: "a stage", LayerSchema: "a layer"}


def belongs(key: str, in_layer: bool) -> str:
    """A hint where `key` belongs, or which blocks take it; empty for a key that belongs nowhere."""
    places = _homes().get(key, ())
    if in_layer and _NAMES[LayerSchema] in places:
        takers = [name for name, block in sorted(all_blocks().items()) if key in block.parameters]
        return f"blocks that take '{key}': {', '.join(takers[:5])}" if takers else ""
    if not places:
        return ""
    return f"'{key}' belongs {' or '.join([f'under {place}' if place else 'at the top level' for place in places])}"


@cache
def _homes() -> Mapping[str, tuple[str, ...]]:
    homes: dict[str, list[str]] = {"defaults": [""]}
    for key, home in [*_walk(ConfigSchema, ""), *_arguments()]:
        if home not in homes.setdefault(key, []):
            homes[key].append(home)
    return {key: tuple(places) for key, places in homes.items()}


def _walk(model: type[Schema], home: str) -> Iterator[tuple[str, str]]:
    for key, annotation in fields(model).items():
        yield key, home
        for inner in members(annotation):
            while get_origin(inner) is dict:  # named stages, named layers
                inner = plain(get_args(inner)[1])
            if _is_schema(inner):
                yield from _walk(inner, _NAMES.get(inner) or f"{home}.{key}".lstrip("."))


def _arguments() -> Iterator[tuple[str, str]]:
    for block in all_blocks().values():
        yield from ((key, _NAMES[LayerSchema]) for key in block.parameters)


def fields(model: type[Schema]) -> dict[str, Any]:
    """Keys as a config writes them, with their types."""
    return {field.key: field.annotation for field in model.model_fields.values()}


def plain(annotation: Any) -> Any:
    """The annotation without Annotated and Optional."""
    return next(members(annotation))


def members(annotation: Any) -> Iterator[Any]:
    """The types that a value of this one may have, None left out."""
    if get_origin(annotation) is Annotated:
        yield from members(get_args(annotation)[0])
    elif get_origin(annotation) in (Union, UnionType):
        for member in get_args(annotation):
            if member is not NoneType:
                yield from members(member)
    else:
        yield annotation


def _is_schema(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Schema)


SYNONYMS = {
    "swish": "silu",
    "leakyrelu": "leaky_relu",
    "hardswish": "hard_swish",
    "none": "linear",
    "identity": "linear",
    **dict.fromkeys(("depthwise", "input", "channels", "in_channels"), "all"),
}
ELSEWHERE = {"budget": "a config may not raise limits; its user may, with --budget or budget=Budget(…)"}
VALUES_ELSEWHERE = {
    "valid": "a layer may have it; for all of them, `same` pads as TensorFlow does, `symmetric` as PyTorch does",
    "explicit": "`symmetric` pads as PyTorch does",
    "auto": "`symmetric` pads by half of the kernel, as PyTorch's networks do; `same` as TensorFlow does",
    **dict.fromkeys(("zeros", "constant", "reflect", "replicate"), "maps are padded with zeros: write how many"),
}
# Keys under the names that other systems have for them.
KEY_SYNONYMS = {
    **dict.fromkeys(("channels", "out_channels", "ch", "planes", "hidden_size"), "width"),
    **dict.fromkeys(("kernel_size", "ksize", "k"), "kernel"),
    **dict.fromkeys(("strides", "s"), "stride"),
    **dict.fromkeys(("dilation_rate", "dilations"), "dilation"),
    **dict.fromkeys(("repeats", "repeat", "num_blocks", "number", "n"), "depth"),
    **dict.fromkeys(("type", "module", "layer", "op"), "block"),
    **dict.fromkeys(("inputs", "input_layer", "source_layer"), "from"),
    **dict.fromkeys(("act", "nonlinearity"), "activation"),
    "eps": "epsilon",
    **dict.fromkeys(("backbone", "layers", "model"), "stages"),
    **dict.fromkeys(("out_indices", "output", "returns", "out_features"), "outputs"),
    **dict.fromkeys(("_base_", "extends", "inherits", "inherit", "parent", "parents", "base", "include"), "defaults"),
    **dict.fromkeys(("scales", "width_multiple", "depth_multiple", "multiplier"), "scale"),
    **dict.fromkeys(("input_shape", "image_size", "img_size"), "shape"),
}


# Keys that say the same of blocks of different kinds.
ALIKE = (
    ("width", "filters", "units", "classes", "num_classes"),
    ("activation", "function"),
    ("share", "shared", "weights", "share_weights", "shared_weights", "tied", "tie_weights"),
    ("each", "for_each", "foreach", "levels"),
    ("when", "if", "condition"),
)


def alike(key: str, known: Sequence[str]) -> str:
    """The key that says in one block what `key` says in another, or an empty string."""
    return next((other for keys in ALIKE if key in keys for other in keys if other in known), "")


def known_keys(model: type[Schema], location: Iterable[str | int]) -> list[str]:
    """The keys of the mapping at `location` inside `model`."""
    current = annotation_at(model, location)
    known = [key for member in members(current) if _is_schema(member) for key in fields(member)]
    return [*known, "defaults"] if current is ConfigSchema else known


def annotation_at(model: type[Schema], location: Iterable[str | int]) -> Any:
    """The type of the value at `location` inside `model`; any where it says nothing about it."""
    current: Any = model
    for step in location:
        current = _inside(current, str(step))
    return current


def _inside(annotation: Any, step: str) -> Any:
    """The type of what is at a key or an index of a value."""
    for member in members(annotation):
        if _is_schema(member) and step in fields(member):
            return fields(member)[step]
        if not _is_schema(member) and get_args(member):
            return get_args(member)[-1]  # dict[name, X] and list[X] hold X
    return Any
