"""Operations, and typed nodes, each an operation applied to other nodes. Knows no operation and no framework.

Applying an operation is pure: ``Conv2D(64, 3)(x, name="pre")`` returns a new node and changes nothing. A block
applied to nodes is a node too (see archdsl.ir.layout).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import Field, dataclass, field
from math import prod
from operator import attrgetter
from typing import Any, ClassVar, Literal, NamedTuple

from archdsl.ir.cost import NOTHING, Cost, Weight, free
from archdsl.ir.emission import EmitContext
from archdsl.ir.types import FeatureMap, TensorType, misfit

_type_of = attrgetter("type")
Keeps = Literal["inputs", "result", "nothing"]


class ShapeError(ValueError):
    """Nodes that do not fit an operation: why, which nodes, and the names of the scopes it happened in.

    `{0}` in the hint stands for the name of the first node, `{1}` for that of the second. `at` is what is wrong, where
    that is not the layer itself but one inside of its block.
    """

    def __init__(self, reason: str, hint: str = ""):
        super().__init__(reason)
        self.reason, self._hint = reason, hint
        self.operation = ""
        self.nodes: tuple[Node, ...] = ()
        self.scopes: list[str] = []
        self.names: Mapping[Node, str] = {}
        self.at: Any = None

    @property
    def fact(self) -> str:
        """The reason with the operation, and its nodes with their shapes; `names` has better names for some."""
        received = " and ".join(f"{name} ({node.type})" for name, node in zip(self._named, self.nodes, strict=True))
        return f"{self.operation} of {received}: {self.reason}" if self.nodes else self.reason

    @property
    def hint(self) -> str:
        return self._hint.format(*self._named)

    @property
    def _named(self) -> list[str]:
        return [self.names.get(node, node.name) for node in self.nodes]


class TooManyOperations(Exception):
    """A meter has reached its limit."""


@dataclass(slots=True)
class Meter:
    """Counts the operations made from one input, so that a block is stopped before it fills the memory.

    `made` holds what blocks have made of them, for the next time that the same is requested.
    """

    limit: float
    count: int = 0
    made: dict[Any, Any] = field(default_factory=dict)

    @property
    def left(self) -> float:
        return self.limit - self.count

    def add(self, count: int = 1) -> None:
        self.count += count
        if self.count > self.limit:
            raise TooManyOperations


class Op:
    """A primitive operation. Everything true of it is in its class: shapes, weights, cost, Keras layer.

    Its arguments are the fields of a dataclass, never written to. What compares and prints operations is here: a class
    with methods of its own for that, or for being frozen, takes three times as long to import.
    """

    __match_args__: ClassVar[tuple[str, ...]] = ()
    kind: ClassVar[str] = "op"
    takes: ClassVar[tuple[type, ...]] = (FeatureMap,)
    """The types of its inputs."""
    is_free: ClassVar[bool] = False
    """Whether it never has weights or multiply-accumulates."""
    is_view: ClassVar[bool] = False
    """Whether, in inference, its result is its input or a part of it, in the same memory."""
    in_place: ClassVar[bool] = False
    """Whether its result may take the memory of an input of the same size that nothing else reads."""
    pads: ClassVar[bool] = False
    """Whether it can read its input as if zeros were around it, without a copy that has them."""
    adds_to: ClassVar[bool] = False
    """Whether it can add its result to a value in memory, as matrix products can."""

    def __init_subclass__(cls) -> None:
        cls.kind = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", cls.__name__).lower()
        cls.is_free = cls.weights is Op.weights and cls.macs is Op.macs

    def infer(self, *inputs: Any) -> TensorType:
        """The type of the result. Raises ShapeError when the inputs do not fit."""
        raise NotImplementedError

    def weights(self, *inputs: Any) -> tuple[Weight, ...]:
        """The arrays this operation owns when applied to `inputs`."""
        return ()

    def macs(self, result: Any, *inputs: Any) -> int | None:
        """Multiply-accumulates for one image, of which it makes `result`; None while height or width is unknown."""
        return 0

    def cost(self, result: Any, *inputs: Any) -> Cost:
        """What it costs to make `result` of `inputs`."""
        if self.is_free:
            return free(result.elements)
        params = trained = 0
        for _, shape, is_trained in self.weights(*inputs):
            size = prod(shape)
            params += size
            if is_trained:
                trained += size
        macs = self.macs(result, *inputs)
        return Cost(params, trained, macs, result.elements, macs or 0)

    @property
    def keeps(self) -> Keeps:
        """What training keeps of it for the backward pass: the gradients of its inputs and weights depend on that."""
        return "inputs"

    @property
    def reach(self) -> float | tuple[float, float]:
        """Pixels along a side of its input that one pixel of its output is made of; infinite for all of them.

        A pair if height and width differ.
        """
        return 1

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        """The same operation on Keras tensors, (batch, height, width, channels)."""
        raise NotImplementedError

    def __call__(self, *inputs: Node, name: str = "") -> Node:
        types = [node.type for node in inputs]
        try:
            for each in types:
                if type(each) not in self.takes:
                    raise ShapeError(*misfit(each, self.takes))
            result = self.infer(*types)
        except ShapeError as error:
            if not error.scopes:  # the innermost place knows the nodes; blocks around it add their names
                error.operation, error.nodes = name or self.kind, inputs
            raise
        meter = inputs[0].meter if inputs else None
        if meter is not None:
            meter.add()
        return Node(self, inputs, result, name or self.kind, NOWHERE, meter, self.cost(result, *types))

    @property
    def _arguments(self) -> tuple[Any, ...]:
        return tuple([getattr(self, name) for name in self.__match_args__])

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other._arguments == self._arguments

    def __hash__(self) -> int:
        return hash((type(self), self._arguments))

    def __repr__(self) -> str:
        """The operation as it would be written, defaults left out."""
        stated: Mapping[str, Field[Any]] = getattr(self, "__dataclass_fields__", {})
        values = zip(self.__match_args__, self._arguments, strict=True)
        arguments = [f"{name}={value}" for name, value in values if value != stated[name].default]
        return f"{type(self).__name__}({', '.join(arguments)})"


class Origin(NamedTuple):
    """The entry of the config that a node was made from, its block with how often it repeats, and the part it is in."""

    path: str = ""
    block: str = ""
    part: str = ""


NOWHERE = Origin()


@dataclass(slots=True, eq=False, repr=False)  # never written to; `frozen` would make creating it four times slower
class Node:
    """An operation applied to nodes. `meter`, where there is one, counts what is made from it.

    `owner` is the node whose weights it uses, where these are not its own.
    """

    op: Op
    inputs: tuple[Node, ...]
    type: TensorType
    name: str
    origin: Origin = NOWHERE
    meter: Meter | None = None
    cost: Cost = NOTHING
    owner: Node | None = None

    @property
    def channels(self) -> int:
        return self.type.channels

    @property
    def weights(self) -> tuple[Weight, ...]:
        """The arrays that it owns."""
        return () if self.owner is not None else self.op.weights(*map(_type_of, self.inputs))

    @property
    def params(self) -> int:
        """Elements of all its arrays."""
        return self.cost.params

    @property
    def trained(self) -> int:
        """Elements of those of its arrays that training changes, if it is not frozen."""
        return self.cost.trained

    @property
    def macs(self) -> int | None:
        """Multiply-accumulates for one image; None while its size is unknown."""
        return self.cost.macs

    def share(self, owner: Node) -> None:
        """Use the weights of another node in place of its own; to be called before anything reads this one."""
        self.owner, self.cost = owner, self.cost._replace(params=0, trained=0)

    def again(self, inputs: tuple[Node, ...], name: str, origin: Origin) -> Node:
        """The same operation on other inputs of the same types."""
        meter = inputs[0].meter if inputs else self.meter
        return Node(self.op, inputs, self.type, name, origin, meter, self.cost, self.owner)

    def __str__(self) -> str:
        return f"{self.name} = {self.op}({', '.join(node.name for node in self.inputs)})  {self.type}"

    def __repr__(self) -> str:
        return f"<Node {self}>"  # not what it was computed from, which would be printed again along every path
