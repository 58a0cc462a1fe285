"""A walk over the tensors of a functional Keras model, through models inside of it; nothing is called."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

import keras

from archdsl.diagnostics.problems import fail

MAX_TENSORS = 200_000
Key: TypeAlias = tuple[int, int]
"""A tensor: the number of the model call that it is in, and its id."""
Result = TypeVar("Result")


class _Call(NamedTuple):
    """A model inside of a model where it is called: its inputs by their ids, and where they come from."""

    number: int
    inputs: Mapping[int, tuple[Any, _Call]]


_OUTSIDE = _Call(0, {})


@dataclass
class Walk(Generic[Result]):
    """What each tensor is, found from the results down, input by input; `inputs` names those of the model.

    What an input and a layer are is for a subclass to say. Raises ArchError for a tensor that no Keras layer made.
    """

    inputs: Mapping[Key, str]
    _found: dict[Key, Result] = field(default_factory=dict)
    _calls: dict[Hashable, _Call] = field(default_factory=dict)
    _made: dict[Hashable, Result] = field(default_factory=dict)

    def entered(self, tensor: Any, name: str) -> Result:
        """What an input of the model is."""
        raise NotImplementedError

    def called(self, operation: Any, node: Any, read: tuple[Result, ...]) -> Result:
        """What a call of a layer gives, `node` of its own."""
        raise NotImplementedError

    def picked(self, result: Result, index: int) -> Result:
        """One of several tensors that a call gives."""
        raise NotImplementedError

    def reach(self, tensor: Any) -> None:
        """A loop, since a network can be thousands of layers deep."""
        pending = [(tensor, _OUTSIDE)]
        while pending:
            tensor, call = pending[-1]
            missing = self._missing(tensor, call)
            pending += reversed(missing)
            if not missing:
                pending.pop()
            if len(self._found) > MAX_TENSORS:
                raise fail("model", f"a Keras model with more than {MAX_TENSORS} tensors")

    def _missing(self, tensor: Any, call: _Call) -> list[tuple[Any, _Call]]:
        """The tensors to be reached before this one; none if it has been reached now."""
        key = (call.number, id(tensor))
        if key in self._found:
            return []
        if key in self.inputs:
            self._found[key] = self.entered(tensor, self.inputs[key])
            return []
        sources = self._sources(tensor, call)
        missing = [each for each in sources if (each[1].number, id(each[0])) not in self._found]
        if not missing:
            read = tuple(self._found[source[1].number, id(source[0])] for source in sources)
            self._found[key] = self._passed(tensor, call, read)
        return missing

    def _sources(self, tensor: Any, call: _Call) -> list[tuple[Any, _Call]]:
        """Where a tensor comes from: the inputs of its layer, or what is the same tensor in another model."""
        if id(tensor) in call.inputs:
            return [call.inputs[id(tensor)]]
        operation, node, index = _history(tensor)
        read = operation._inbound_nodes[node].input_tensors
        if not _is_functional(operation):
            return [(each, call) for each in read]
        made = (call.number, id(operation), node)
        if made not in self._calls:
            inside = {id(own): (outer, call) for own, outer in zip(operation.inputs, read, strict=True)}
            self._calls[made] = _Call(len(self._calls) + 1, inside)
        return [(operation.outputs[index], self._calls[made])]

    def _passed(self, tensor: Any, call: _Call, read: tuple[Result, ...]) -> Result:
        """What a tensor is, its layer called where that was not done yet."""
        if id(tensor) in call.inputs:
            return read[0]
        operation, node, index = _history(tensor)
        if _is_functional(operation):
            return read[0]
        made = (call.number, id(operation), node)
        if made not in self._made:
            self._made[made] = self.called(operation, operation._inbound_nodes[node], read)
        passed = self._made[made]
        several = len(operation._inbound_nodes[node].output_tensors) > 1
        return self.picked(passed, index) if several else passed


def _history(tensor: Any) -> tuple[Any, int, int]:
    found = getattr(tensor, "_keras_history", None)
    if found is None:
        raise fail("model", f"'{getattr(tensor, 'name', tensor)}' is not the result of a Keras layer")
    return tuple(found)


def _is_functional(operation: Any) -> bool:
    if isinstance(operation, keras.Sequential):
        return bool(operation.built)
    return isinstance(operation, keras.Model) and isinstance(operation, keras.Function)
