"""What an architecture does the same way everywhere: padding, normalisation, activation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Literal

from archdsl.ir.graph import Node, Op
from archdsl.ir.ops import Activation, ActivationName

PaddingStyle = Literal["same", "symmetric"]


@dataclass(frozen=True)
class Conventions:
    """The `conventions:` of a config as operations, ready to be applied by every block.

    `padding` is "same" (TensorFlow's: the odd pixel of a strided window goes to the bottom and right) or
    "symmetric" (PyTorch's: the same number of zeros on all four sides). They give the same shapes for even
    inputs and different numbers. No `norm` means none anywhere, and convolutions with a bias instead. `slope` is
    that of leaky_relu wherever it is used.
    """

    activation: Op
    norm: Op | None
    padding: PaddingStyle
    slope: float = 0.1

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        """They are looked up with every block that is applied."""
        return hash((self.activation, self.norm, self.padding, self.slope))

    def with_activation(self, function: ActivationName | None) -> Conventions:
        """The same conventions with another activation; None changes nothing."""
        return self if function is None else _with_activation(self, function)

    def normalize(self, x: Node, name: str = "bn") -> Node:
        """(H, W, C) -> (H, W, C)."""
        return x if self.norm is None else self.norm(x, name=name)

    def activate(self, x: Node, name: str = "act") -> Node:
        """(H, W, C) -> (H, W, C). A linear activation is none."""
        return x if getattr(self.activation, "function", "") == "linear" else self.activation(x, name=name)


@lru_cache(maxsize=1024)
def _with_activation(style: Conventions, function: ActivationName) -> Conventions:
    return replace(style, activation=Activation(function, style.slope))
