"""A pickle read as data: containers, texts and numbers. Nothing is imported, called or executed.

Classes and functions are only names, and what would be made with them is a `Record`, unless the caller knows the name.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeAlias

from archdsl.weights.formats.contents import MAX_NAME, short

MAX_OPCODES = 1_000_000  # a network of a thousand layers takes a tenth
_PROTOCOLS = range(2, 6)
_LONGEST_KEY = 8
_MOST_IN_KEY = 1 << 60  # larger numbers can be chosen so that all of them have one hash


class BadPickle(ValueError):
    """A pickle that is damaged, or beyond a limit: the fact."""


@dataclass(frozen=True, slots=True)
class Name:
    """A class or function, which is not looked up."""

    text: str


@dataclass(eq=False, slots=True)
class Record:
    """An object of an unknown class: what it would be made by, of what arguments, and its state and items."""

    name: str
    arguments: Any = ()
    state: Any = None
    items: dict[Any, Any] = field(default_factory=dict)


Known: TypeAlias = Mapping[str, Callable[[Any], Any]]
"""What stands for a call of a name, from its arguments. They are of any type and number."""


def read_pickle(data: bytes, known: Known, persistent: Callable[[Any], Any]) -> Any:
    """The value that a pickle describes; `persistent` gives what is outside of it. Raises BadPickle."""
    machine = _Machine(data, known, persistent)
    try:
        return machine.run()
    except BadPickle:
        raise
    except (LookupError, AttributeError, TypeError, ValueError, struct.error):
        raise BadPickle(f"its description makes no sense at byte {machine.place}") from None


class _Machine:
    """A stack of values; that of `before` is continued where the mark between them is taken away."""

    operations: ClassVar[dict[int, Callable[[_Machine], None]]]

    def __init__(self, data: bytes, known: Known, persistent: Callable[[Any], Any]):
        self.data, self.place = data, 0
        self.known, self.persistent = known, persistent
        self.stack: list[Any] = []
        self.before: list[list[Any]] = []
        self.memo: dict[int, Any] = {}

    def run(self) -> Any:
        for _ in range(MAX_OPCODES):
            opcode = self.take(1)[0]
            if opcode == _STOP:
                return self.stack.pop()
            if opcode not in self.operations:
                raise BadPickle(f"its description has the operation {bytes([opcode])!r}, which is not data")
            self.operations[opcode](self)
        raise BadPickle(f"its description has more than {MAX_OPCODES} operations")

    def take(self, count: int) -> bytes:
        found = self.data[self.place : self.place + count]
        if count < 0 or len(found) < count:
            raise BadPickle("its description ends too early")
        self.place += count
        return found

    def number(self, form: str) -> Any:
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def counted(self, form: str) -> bytes:
        return self.take(self.number(form))

    def line(self) -> str:
        end = self.data.find(b"\n", self.place, self.place + MAX_NAME)
        if end < 0:
            raise BadPickle("its description has a name that does not end")
        text = self.take(end + 1 - self.place)
        return text[:-1].decode()

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def top(self, count: int) -> list[Any]:
        """The last values, taken off."""
        if len(self.stack) < count:
            raise BadPickle("its description takes what is not there")
        found = self.stack[-count:]
        del self.stack[-count:]
        return found

    def since_mark(self) -> list[Any]:
        found, self.stack = self.stack, self.before.pop()
        return found


# Containers and objects


def _mark(machine: _Machine) -> None:
    machine.before.append(machine.stack)
    machine.stack = []


def _extend(machine: _Machine, items: list[Any]) -> None:
    """Add items to a list, or a set, which is a list here. Those of an unknown class are left out."""
    target = machine.stack[-1]
    if isinstance(target, list):
        target.extend(items)
    elif not isinstance(target, Record):
        raise TypeError


def _put(machine: _Machine, items: list[Any]) -> None:
    """Put keys and values, in turn, into a mapping."""
    target = machine.stack[-1]
    mapping = target.items if isinstance(target, Record) else target
    if not isinstance(mapping, dict):
        raise TypeError
    mapping.update(_mapping(items))


def _mapping(items: list[Any]) -> dict[Any, Any]:
    keys = items[::2]
    if not all(map(_is_key, keys)):
        raise BadPickle("its description has a key that is neither a name nor a number")
    return dict(zip(keys, items[1::2], strict=False))


def _is_key(value: Any) -> bool:
    """Whether it takes a moment to find in a mapping. The hash of a tuple of tuples may take for ever."""
    if isinstance(value, tuple):
        return len(value) <= _LONGEST_KEY and all(_is_key(item) and not isinstance(item, tuple) for item in value)
    if isinstance(value, int):
        return abs(value) < _MOST_IN_KEY
    return isinstance(value, (str, bytes, float, Name, Record)) or value is None


def _called(machine: _Machine) -> None:
    """What would be made by calling a name, or an object's class, with a tuple of arguments."""
    what, arguments = machine.top(2)
    machine.push(_made(machine, what, arguments))


def _called_with_names(machine: _Machine) -> None:
    what, arguments, _ = machine.top(3)
    machine.push(_made(machine, what, arguments))


def _made(machine: _Machine, what: Any, arguments: Any) -> Any:
    name = what.text if isinstance(what, Name) else "an object"
    known = machine.known.get(name)
    return known(arguments) if known else Record(name, arguments)


def _build(machine: _Machine) -> None:
    """Set the state of an object. Mappings and tensors have none that matters."""
    (state,) = machine.top(1)
    if isinstance(machine.stack[-1], Record):
        machine.stack[-1].state = state


def _global(machine: _Machine) -> None:
    machine.push(Name(f"{machine.line()}.{machine.line()}"))


def _stack_global(machine: _Machine) -> None:
    module, name = machine.top(2)
    if not isinstance(module, str) or not isinstance(name, str):
        raise TypeError
    machine.push(Name(f"{short(module, MAX_NAME)}.{short(name, MAX_NAME)}"))


def _protocol(machine: _Machine) -> None:
    (version,) = machine.take(1)
    if version not in _PROTOCOLS:
        raise BadPickle(f"its description has protocol {version}; expected 2 to 5")


def _constant(make: Callable[[], Any]) -> Callable[[_Machine], None]:
    return lambda machine: machine.push(make())


def _number(form: str) -> Callable[[_Machine], None]:
    return lambda machine: machine.push(machine.number(form))


def _text(form: str, decode: Callable[[bytes], Any]) -> Callable[[_Machine], None]:
    return lambda machine: machine.push(decode(machine.counted(form)))


def _tuple(count: int) -> Callable[[_Machine], None]:
    return lambda machine: machine.push(tuple(machine.top(count)))


def _remember(form: str) -> Callable[[_Machine], None]:
    return lambda machine: machine.memo.update({machine.number(form): machine.stack[-1]})


def _recall(form: str) -> Callable[[_Machine], None]:
    return lambda machine: machine.push(machine.memo[machine.number(form)])


def _utf8(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")


def _latin(data: bytes) -> str:
    return data.decode("latin-1")


def _long(data: bytes) -> int:
    return int.from_bytes(data, "little", signed=True)


_STOP = ord(".")
_Machine.operations = {
    opcode[0]: operation
    for opcode, operation in {
        b"\x80": _protocol,
        b"\x95": lambda machine: machine.number("<Q"),  # the length of a frame
        b"(": _mark,
        b"0": lambda machine: machine.top(1),
        b"1": _Machine.since_mark,
        b"2": lambda machine: machine.push(machine.stack[-1]),
        b"N": _constant(lambda: None),
        b"\x88": _constant(lambda: True),
        b"\x89": _constant(lambda: False),
        b"}": _constant(dict),
        b"]": _constant(list),
        b"\x8f": _constant(list),
        b")": _constant(tuple),
        b"K": _number("<B"),
        b"M": _number("<H"),
        b"J": _number("<i"),
        b"G": _number(">d"),
        b"\x8a": _text("<B", _long),
        b"\x8b": _text("<i", _long),
        b"X": _text("<I", _utf8),
        b"\x8c": _text("<B", _utf8),
        b"\x8d": _text("<Q", _utf8),
        b"B": _text("<I", bytes),
        b"C": _text("<B", bytes),
        b"\x8e": _text("<Q", bytes),
        b"\x96": _text("<Q", bytes),
        b"U": _text("<B", _latin),
        b"T": _text("<i", _latin),
        b"q": _remember("<B"),
        b"r": _remember("<I"),
        b"\x94": lambda machine: machine.memo.update({len(machine.memo): machine.stack[-1]}),
        b"h": _recall("<B"),
        b"j": _recall("<I"),
        b"t": lambda machine: machine.push(tuple(machine.since_mark())),
        b"\x85": _tuple(1),
        b"\x86": _tuple(2),
        b"\x87": _tuple(3),
        b"l": lambda machine: machine.push(machine.since_mark()),
        b"\x91": lambda machine: machine.push(machine.since_mark()),
        b"d": lambda machine: machine.push(_mapping(machine.since_mark())),
        b"a": lambda machine: _extend(machine, machine.top(1)),
        b"e": lambda machine: _extend(machine, machine.since_mark()),
        b"\x90": lambda machine: _extend(machine, machine.since_mark()),
        b"s": lambda machine: _put(machine, machine.top(2)),
        b"u": lambda machine: _put(machine, machine.since_mark()),
        b"c": _global,
        b"\x93": _stack_global,
        b"R": _called,
        b"\x81": _called,
        b"\x92": _called_with_names,
        b"b": _build,
        b"Q": lambda machine: machine.push(machine.persistent(machine.top(1)[0])),
    }.items()
}
