"""`archdsl.keras_layer(MyLayer)`: a Keras layer as a block.

Rules give its output shape, its stride and its weights; without a rule the layer itself is asked, except for its
stride. A rule is compared with every layer that is built. Importing this module does not import Keras.
"""

from __future__ import annotations

import inspect
import random
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from inspect import Parameter
from math import inf
from typing import Any, NamedTuple, TypeVar, get_type_hints

from archdsl.backends.keras.probe import (
    Trial,
    applied,
    listed,
    reason_of,
    stride_contradiction,
    trials_of,
    weights_of,
)
from archdsl.blocks.registry import Block, register
from archdsl.diagnostics.problems import ArchError, Mark, fail
from archdsl.ir.cost import Weight
from archdsl.ir.emission import DATA_FORMAT, EmitContext
from archdsl.ir.node import Node, Op, ShapeError
from archdsl.ir.types import FeatureMap

LayerMaker = Callable[..., Any]
"""A Keras layer class, or a function that returns a layer."""

ShapeRule = Callable[..., FeatureMap]
StrideRule = Callable[..., float]
WeightsRule = Callable[..., Sequence[Weight | tuple[int, ...]]]
MacsRule = Callable[..., int | None]
ReachRule = Callable[..., float]
Result = TypeVar("Result")

_OF_KERAS = {"name", "dtype", "trainable", "activity_regularizer"}  # arguments of every layer that no config sets


def keras_layer(
    layer: LayerMaker,
    *,
    shape: ShapeRule | None = None,
    stride: StrideRule | float | None = None,
    weights: WeightsRule | None = None,
    macs: MacsRule | None = None,
    reach: ReachRule | None = None,
    name: str = "",
) -> Block:
    """Register a Keras layer as a block, under `name` or that of the layer in snake_case.

    `layer` is a class, or a function that returns a layer; the arguments of either, but for `name`, are the
    block's. Each rule is a function that takes, by name, those of these arguments that it needs; `shape`, `weights` and
    `macs` take the input, a FeatureMap, before them.

    shape: the FeatureMap of the result (``lambda x, width: x.with_channels(width)``). Without it the layer is asked.
    stride: how many times fewer rows the result has, 1/2 for twice as many; may be a number (``stride=2``). Without it
        that of the FeatureMap that `shape` gives; without either, 1.
    weights: the shapes of the layer's arrays, in its order (archdsl.ir.cost.Weight for one that is not trained).
        Without it the layer is asked.
    macs: multiply-accumulates for one image of known size. Without it they are not known, and 0 for a layer without
        weights.
    reach: how many pixels along one side of the input one of the result is made of; all without it.

    Asking a layer takes Keras even for costs. Building a model compares the rules with the layer.

    Raises ArchError for anything that is not a layer, and when the name is taken.
    """
    caller = sys._getframe(1)
    mark = Mark(caller.f_code.co_filename, caller.f_lineno, 1)
    if not hasattr(layer, "__name__"):
        hint = "give the class of a layer, not one that is made already"
        raise fail("keras-layer", f"{layer!r} is neither a class nor a function", mark=mark, hint=hint)
    block = LayerBlock(layer, mark, Rules(shape, stride, weights, macs, reach), name or snake_case(layer.__name__))
    if isinstance(layer, type):
        _make_loadable(layer, block)
    return register(block)


def snake_case(name: str) -> str:
    """`my_layer` for MyLayer."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def _make_loadable(layer: type, block: LayerBlock) -> None:
    """Give the class a name in Keras's files, so that `to_keras()` loads where the class was wrapped."""
    import keras  # whoever has a layer class has imported it

    if not issubclass(layer, keras.Layer):
        hint = "give a subclass of keras.layers.Layer, or a function that returns a layer"
        raise fail("keras-layer", f"{layer.__name__} is not a Keras layer", mark=block.mark, hint=hint)
    is_known = layer.__module__.partition(".")[0] == "keras" or ">" in keras.saving.get_registered_name(layer)
    if not is_known:
        keras.saving.register_keras_serializable("archdsl", block.name)(layer)


class Rules(NamedTuple):
    """What the user states of a layer."""

    shape: ShapeRule | None
    stride: StrideRule | float | None
    weights: WeightsRule | None
    macs: MacsRule | None
    reach: ReachRule | None


class LayerBlock(Block):
    """A block of one operation, a Keras layer."""

    def __init__(self, layer: LayerMaker, mark: Mark, rules: Rules, name: str):
        super().__init__(name, self._applied)
        self.layer = layer
        self.mark = mark
        self.rules = rules
        if "name" not in self._signature and not self._takes_any:
            message = f"{layer.__name__} takes no `name`; expected an argument that it passes on to the layer"
            raise fail("keras-layer", message, mark=mark, hint="take **kwargs and pass them to super().__init__()")

    def _applied(self, x: Node, /, **arguments: Any) -> Node:
        return KerasLayer(self, arguments)(x, name=self.name)

    @cached_property
    def _signature(self) -> Mapping[str, Parameter]:
        return inspect.signature(self.layer).parameters

    @property
    def _takes_any(self) -> bool:
        return any(parameter.kind is Parameter.VAR_KEYWORD for parameter in self._signature.values())

    @cached_property
    def parameters(self) -> Mapping[str, Parameter]:
        function = self.layer.__init__ if isinstance(self.layer, type) else self.layer  # type: ignore[misc]
        try:
            hints = get_type_hints(function, include_extras=True)
        except (NameError, TypeError, AttributeError):  # Keras itself has annotations that nobody can look up
            hints = {}
        return {
            name: parameter.replace(annotation=_checkable(hints.get(name, Any)))
            for name, parameter in self._signature.items()
            if parameter.kind in (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY) and name not in _OF_KERAS
        }

    @cached_property
    def data_format(self) -> Mapping[str, str]:
        """The argument that keeps the layer from following keras.config.image_data_format(), if it takes one."""
        taken = self._signature.get("data_format")
        return {"data_format": DATA_FORMAT} if taken is not None and taken.default is None else {}

    @property
    def source(self) -> str:
        return f"{self.mark.file}:{self.mark.line}"

    @property
    def documentation(self) -> str:
        return inspect.getdoc(self.layer) or ""


@dataclass(frozen=True)
class KerasLayer(Op):
    """A Keras layer of a user's own. (H, W, C) -> the result of its shape rule, or of the layer itself."""

    block: LayerBlock
    arguments: Mapping[str, Any]

    def __hash__(self) -> int:
        return hash((self.block, repr(self.arguments)))

    def infer(self, x: FeatureMap) -> FeatureMap:
        _ = self.weights(x), self._macs(x), self.reach  # a rule that fails is reported here, where its layer is known
        found, stride = self._result(x), self._stride
        return found if stride is None else x.resized(*found.shape, stride)

    def _result(self, x: FeatureMap) -> FeatureMap:
        """The type of the result, its stride as far as the shape rule gives it."""
        rule = self.block.rules.shape
        if rule is not None:
            return self._call(rule, "shape", _as_type, x)
        measured = _measure(self, x.shape)
        fact = stride_contradiction(measured.trials, self._stride or 1)
        if fact:
            raise ShapeError(fact, hint="give keras_layer the rule, such as stride=2 or stride=lambda strides: strides")
        return FeatureMap(*measured.shape, *x[3:])

    @property
    def _stride(self) -> float | None:
        rule = self.block.rules.stride
        return None if rule is None else self._call(rule if callable(rule) else lambda: rule, "stride", _as_stride)

    def weights(self, *inputs: FeatureMap) -> tuple[Weight, ...]:
        rule = self.block.rules.weights
        if rule is None:
            return _measure(self, inputs[0].shape).weights
        return self._call(rule, "weights", _as_weights, inputs[0])

    def macs(self, result: FeatureMap, *inputs: FeatureMap) -> int | None:
        return self._macs(*inputs)

    def _macs(self, x: FeatureMap) -> int | None:
        rule = self.block.rules.macs
        if rule is None:
            return None if self.weights(x) else 0
        return None if None in x.shape else self._call(rule, "macs", int, x)

    @property
    def reach(self) -> float:
        rule = self.block.rules.reach
        return inf if rule is None else self._call(rule, "reach", float)

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        (x,) = inputs
        try:
            layer = self.made(name)
            result = applied(layer, x)
        except ShapeError as error:
            raise self._fail(name, str(error)) from error
        if self.block.rules.shape:
            self._check_shape(layer, x, result)
        if self.block.rules.weights:
            self._check_weights(layer, x)
        return result

    def __str__(self) -> str:
        return f"{self.block.layer.__name__}({', '.join(f'{name}={value}' for name, value in self.arguments.items())})"

    def made(self, name: str) -> Any:
        """The layer. Raises ShapeError with what its code raises."""
        import keras

        try:
            layer = self.block.layer(**{**self.block.data_format, **self.arguments}, name=name)
        except Exception as error:  # whatever the user's code raises
            raise ShapeError(f"making the layer fails: {reason_of(error)}") from error
        if not isinstance(layer, keras.Layer):
            raise ShapeError(f"{self.block.layer.__name__} gives {layer!r}; expected a Keras layer")
        if layer.name != name:
            raise ShapeError(
                f"{self.block.layer.__name__} names its layer '{layer.name}'; expected the name that it is given"
            )
        return layer

    def _check_shape(self, layer: Any, x: Any, result: Any) -> None:
        """Compare the rule with the layer: at the sides of this image, and at some more."""
        given = FeatureMap(*x.shape[1:])
        trials = trials_of(layer, given.channels, x.dtype)
        for before, found in [Trial(given, FeatureMap(*result.shape[1:])), *trials]:
            try:
                expected = self.infer(before)
            except ShapeError:  # it may refuse sizes that the layer takes
                continue
            pairs = zip(expected.shape, found.shape, strict=True)
            if any(None not in pair and pair[0] != pair[1] for pair in pairs):
                message = f"for {before} the shape rule gives {expected}, the layer {found}; expected the same"
                raise self._fail(layer.name, message, self.block.rules.shape)
        fact = stride_contradiction(trials, self.infer(given).stride)
        if fact:
            rule, hint = self.block.rules.stride, "write x.strided(…) in the shape rule, or give a stride rule"
            raise self._fail(layer.name, fact, rule or self.block.rules.shape, hint)

    def _check_weights(self, layer: Any, x: Any) -> None:
        promised, owned = self.weights(FeatureMap(*x.shape[1:])), weights_of(layer)
        if [weight[1:] for weight in promised] != [weight[1:] for weight in owned]:
            message = f"the weights rule gives {listed(promised)}, the layer owns {listed(owned)}; expected the same"
            raise self._fail(layer.name, message, self.block.rules.weights)

    def _fail(self, name: str, fact: str, rule: Any = None, hint: str = "") -> ArchError:
        """The error of the layer `name`, at the rule or where the layer was made a block."""
        code = getattr(rule, "__code__", None)
        mark = Mark(code.co_filename, code.co_firstlineno, 1) if code else self.block.mark
        return fail("keras-layer", f"{name}, of block '{self.block.name}': {fact}", mark=mark, hint=hint)

    def _call(self, rule: Callable[..., Any], kind: str, convert: Callable[[Any], Result], *inputs: Any) -> Result:
        """What `convert` makes of the rule on those arguments that it names."""
        defaults = {name: parameter.default for name, parameter in self.block.parameters.items()}
        known = {name: value for name, value in defaults.items() if value is not Parameter.empty}
        try:
            parameters = inspect.signature(rule).parameters
            takes_all = any(parameter.kind is Parameter.VAR_KEYWORD for parameter in parameters.values())
            named = {**known, **self.arguments}
            return convert(
                rule(*inputs, **{name: value for name, value in named.items() if takes_all or name in parameters})
            )
        except ShapeError:
            raise
        except Exception as error:  # whatever the user's code raises
            raise ShapeError(f"the {kind} rule of block '{self.block.name}' fails: {reason_of(error)}") from error


def _as_type(result: Any) -> FeatureMap:
    if not isinstance(result, FeatureMap):
        raise TypeError(f"expected a FeatureMap, got {result!r}")
    return result


def _as_stride(result: Any) -> float:
    if not 0 < float(result) < inf:
        raise ValueError(f"expected a positive number, got {result!r}")
    return float(result)


def _as_weights(result: Any) -> tuple[Weight, ...]:
    return tuple(
        each if isinstance(each, Weight) else Weight(f"weight{number}", tuple(map(int, each)))
        for number, each in enumerate(result)
    )


def _checkable(annotation: Any) -> Any:
    """The type of an argument; any, where a config cannot be checked against it."""
    from pydantic import PydanticUserError

    from archdsl.schemas.json_form import json_schema_of

    try:
        json_schema_of(annotation)
    except PydanticUserError:
        return Any
    return annotation


class Measured(NamedTuple):
    """Shape of the result, weights, and results at the probe sizes."""

    shape: tuple[int | None, int | None, int]
    weights: tuple[Weight, ...]
    trials: tuple[Trial, ...]


@lru_cache(maxsize=1024)
def _measure(op: KerasLayer, shape: tuple[int | None, int | None, int]) -> Measured:
    """Builds the layer once on symbolic input to learn its shape and weights; then discards it."""
    import keras

    state = random.getstate()
    try:
        layer = op.made("layer")
        height, image_width, channels = applied(layer, keras.KerasTensor((None, *shape))).shape[1:]
        trials = tuple(trials_of(layer, shape[2], "float32"))
        return Measured((height, image_width, channels), weights_of(layer), trials)
    finally:
        random.setstate(state)  # Keras takes its seeds from there, and asking must not change what a model begins with
