"""What an architecture does the same way everywhere: padding, normalisation, activation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any, Literal

from archdsl.ir.node import Node, Op
from archdsl.ir.ops import Activation, ActivationName, BatchNorm, GroupNorm, L2Normalize, LayerNorm, PRelu

PaddingStyle = Literal["same", "symmetric"]
NormKind = Literal["batch", "sync_batch", "group", "layer", "none"]


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
    return replace(style, activation=activation_of(function, style.slope))


def activation_of(function: ActivationName, slope: float = 0.1, limit: float | None = None) -> Op:
    """The operation that an activation is."""
    return PRelu() if function == "prelu" else Activation(function, slope, limit)


_NORMS: Mapping[str, Callable[[], Op | None]] = {
    "batch": BatchNorm,
    "sync_batch": lambda: BatchNorm(synchronized=True),
    "group": GroupNorm,
    "layer": LayerNorm,
    "l2": L2Normalize,
    "none": lambda: None,
}


def norm_of(kind: str, **options: Any) -> Op | None:
    """The operation that normalises, with those of the options that it has; None for kind none."""
    return with_options(_NORMS[kind](), options)[0]


def with_options(norm: Op | None, options: Mapping[str, Any]) -> tuple[Op | None, list[str]]:
    """A norm with other options, and the names of those that it does not have."""
    own = norm.__match_args__ if norm is not None else ()
    taken = {name: value for name, value in options.items() if name in own}
    changed = replace(norm, **taken) if taken else norm  # type: ignore[type-var]
    return changed, [name for name in options if name not in own]
