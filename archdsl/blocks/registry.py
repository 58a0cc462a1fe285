"""The blocks there are. A block is a function from nodes to a node; its signature is its schema."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, cached_property, partial, update_wrapper
from importlib import import_module
from math import inf
from operator import attrgetter
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints, overload

from archdsl.blocks.families import FAMILIES
from archdsl.blocks.synonyms import block_hint
from archdsl.diagnostics.problems import fail
from archdsl.diagnostics.wording import describe, did_you_mean, one_of
from archdsl.ir.layout import Fragment, call, fragment, to_callers
from archdsl.ir.node import Meter, Node, ShapeError
from archdsl.schemas.annotations import Limits
from archdsl.schemas.schema import REQUIRED, Field, Schema

MAX_WIDTH = 65_536
MAX_DEPTH = 1_000

Width = Annotated[int, Limits(ge=1, le=MAX_WIDTH)]
Depth = Annotated[int, Limits(ge=1, le=MAX_DEPTH)]
Kernel = Annotated[int, Limits(ge=1, le=255)]
Stride = Annotated[int, Limits(ge=1, le=32)]
Dilation = Annotated[int, Limits(ge=1, le=64)]
Kernel2D = Kernel | tuple[Kernel, Kernel]
Stride2D = Stride | tuple[Stride, Stride]
Dilation2D = Dilation | tuple[Dilation, Dilation]
"""One number, or [height, width]."""
Side = Annotated[int, Limits(ge=1, le=65_536)]
Pixels = Annotated[int, Limits(ge=0, le=255)]
Border2D = Pixels | tuple[Pixels | tuple[Pixels, Pixels], Pixels | tuple[Pixels, Pixels]]
"""A number of pixels, [height, width], or each of these as [before, after]."""
Groups = Annotated[int, Limits(ge=1, le=65_536)]
GroupsOrAll = Groups | Literal["all"]
"""Groups of channels that are convolved separately; `all` for each channel on its own."""
Ratio = Annotated[float, Limits(gt=0, le=16)]

_PACKAGE = Path(__file__).parents[1]
_KEPT = 256  # fragments a block: enough for a search over widths, and bounded
EXACT = "filters"  # what a config calls a width that is not scaled
STYLE = "style"  # filled in by the compiler from the config's conventions


_type_of = attrgetter("type")

Made = Node | dict[str, Node]
"""The result of a block: one node, or several by name."""


class Block:
    """A registered block. Called inside another block it is one more node there: ``c2f(x, width=64, style=style)``.

    A block with several results is the last of them there; archdsl.ir.layout.results_of has them all.
    """

    def __init__(self, name: str, function: Callable[..., Made]):
        self.name = name
        self.function = function
        self._fragments: dict[int, tuple[Any, Fragment]] = {}  # by the hash of their key, which takes long to compute
        self._seen: set[int] = set()
        update_wrapper(self, function)

    def __call__(self, /, *inputs: Node, name: str = "", **arguments: Any) -> Node:
        name = name or self.name
        try:
            return call(self._fragment(inputs, arguments), inputs, name)
        except ShapeError as error:
            error.scopes.insert(0, name)
            raise

    def _fragment(self, inputs: tuple[Node, ...], arguments: Mapping[str, Any]) -> Fragment:
        """What it makes of inputs of such types; made once, since a block is a pure function of them."""
        types = tuple(map(_type_of, inputs))
        key: Any = self, types, tuple(arguments.items())
        try:
            short = hash(key)
        except TypeError:  # a list among them
            key = self, types, _frozen(arguments)
            short = hash(key)
        meter = (inputs[0].meter if inputs else None) or Meter(inf)
        found = self._fragments.get(short) or meter.made.get(short)
        if found is None or found[0] != key:
            found = meter.made[short] = key, fragment(partial(self._apply, inputs, arguments), types, meter)
            self._keep(short, found)
        return found[1]

    def _keep(self, short: int, made: tuple[Any, Fragment]) -> None:
        """Keep what a second network asks for; what none does would only be looked through by the garbage collector."""
        if short not in self._seen:
            if len(self._seen) >= _KEPT:
                self._seen.clear()
            self._seen.add(short)
            return
        if len(self._fragments) >= _KEPT:
            self._fragments.clear()
        self._fragments[short] = made

    def _apply(self, inputs: Sequence[Node], arguments: Mapping[str, Any], *placeholders: Node) -> Made:
        try:
            made = self.function(*placeholders, **arguments)
        except ShapeError as error:
            to_callers(error, placeholders, inputs)
            raise
        if isinstance(made, Node):
            return made
        results = list(made.values()) if isinstance(made, dict) else [made]
        if not results or not all(isinstance(each, Node) for each in results):
            hint = f"end it with `return` and a node, or nodes by name ({self.source})"
            raise fail("block", f"block '{self.name}' gives {describe(made)}; expected a node", hint=hint)
        return made

    @cached_property
    def parameters(self) -> Mapping[str, inspect.Parameter]:
        """What a config may say to this block, with resolved annotations, in the order of the signature."""
        hints = get_type_hints(self.function, include_extras=True)
        stated = {
            parameter.name: parameter.replace(annotation=hints.get(parameter.name, Any))
            for parameter in inspect.signature(self.function).parameters.values()
            if parameter.kind is parameter.KEYWORD_ONLY and parameter.name != STYLE
        }
        return with_exact(stated)

    @cached_property
    def takes_style(self) -> bool:
        return STYLE in inspect.signature(self.function).parameters

    @cached_property
    def inputs(self) -> tuple[str, ...] | None:
        """Names of its inputs, in the order of `from: [a, b]`; None for a block that merges any number of them."""
        parameters = inspect.signature(self.function).parameters.values()
        if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters):
            return None
        named = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD)
        return tuple([each.name for each in parameters if each.kind not in named])

    @cached_property
    def sizes(self) -> Mapping[str, str]:
        """The arguments that a config's `scale` changes, each with what it is: "width" or "depth"."""
        return {name: name for name in ("width", "depth") if name in self.parameters}

    @cached_property
    def schema(self) -> type[Schema]:
        """The arguments as keys: types, ranges, defaults; nothing unknown."""
        fields = {
            name: Field(parameter.annotation, _default(parameter), name) for name, parameter in self.parameters.items()
        }
        return Schema.model_with(self.name, fields)

    @property
    def source(self) -> str:
        """Where it is defined, as file:line."""
        code = self.function.__code__
        return f"{code.co_filename}:{code.co_firstlineno}"

    @property
    def file(self) -> str:
        """The file that it is defined in."""
        return self.source.rpartition(":")[0]

    @property
    def documentation(self) -> str:
        return inspect.getdoc(self.function) or ""

    @property
    def summary(self) -> str:
        return self.documentation.partition("\n")[0]


_EXACT = inspect.Parameter(EXACT, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Width | None)


def with_exact(parameters: Mapping[str, inspect.Parameter]) -> dict[str, inspect.Parameter]:
    """The same with the other name of `width`, under which it is not scaled."""
    has_exact = "width" in parameters and EXACT not in parameters
    return {**parameters, EXACT: _EXACT} if has_exact else dict(parameters)


def sets_exact(block: Block, arguments: Mapping[str, Any]) -> bool:
    """Whether the width of a block is set by its other name."""
    return EXACT in arguments and block.parameters.get(EXACT) is _EXACT  # some have an argument of that name


def exact_as_width(block: Block, arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments as the function of a block takes them."""
    if not sets_exact(block, arguments):
        return arguments
    return {"width" if name == EXACT else name: value for name, value in arguments.items()}


def _frozen(value: Any) -> Any:
    """Plain data as a key of a dict."""
    if isinstance(value, dict):
        return tuple([(key, _frozen(item)) for key, item in value.items()])
    return tuple([_frozen(item) for item in value]) if isinstance(value, list) else value


def _default(parameter: inspect.Parameter) -> Any:
    return REQUIRED if parameter.default is parameter.empty else parameter.default


_blocks: dict[str, Block] = {}


@overload
def block(function: Callable[..., Made], *, name: str = "") -> Block: ...
@overload
def block(function: None = None, *, name: str = "") -> Callable[[Callable[..., Made]], Block]: ...
def block(
    function: Callable[..., Made] | None = None, *, name: str = ""
) -> Block | Callable[[Callable[..., Made]], Block]:
    """Register a function as a block, under its own name or `name`, for use in every config.

    The function takes nodes (or ``*inputs``) and keyword arguments and returns a node, or several by name. An argument
    named `width` is the number of output channels; a block with `depth` repeats inside itself; `stride` and
    `dilation` come from the stage; `style` receives the config's conventions.

    Raises ArchError when the name is taken by another function, naming both places.
    """
    if function is None:
        return lambda wrapped: block(wrapped, name=name)
    return register(Block(name or function.__name__, function))


def register(made: Block) -> Block:
    """Add a block to those that every config may use. Raises ArchError when its name is taken."""
    before = _shipped(made.name)
    if before is not None and before.source != made.source:  # the same source again is a reload
        raise fail("duplicate-block", f"block '{made.name}' is defined twice, in {before.source} and in {made.source}")
    _blocks[made.name] = made
    return made


def is_registered(made: Block) -> bool:
    """Whether every config that names it gets this very block."""
    return _blocks.get(made.name) is made


def _shipped(name: str) -> Block | None:
    """A registered block, or a shipped one, whose file is imported for it."""
    if name in FAMILIES:  # also if it is registered: another thread may still be importing the rest of the file
        import_module(f"archdsl.blocks.{FAMILIES[name]}")
    return _blocks.get(name)


def find_block(name: str) -> Block | None:
    """The block called `name`; one of an installed distribution where none is shipped."""
    found = _shipped(name)
    if found is None:
        _load_installed()
    return found or _blocks.get(name)


def all_blocks() -> Mapping[str, Block]:
    """Every block by name, those of installed distributions included."""
    _load_shipped()
    _load_installed()
    return _blocks


def foreign_blocks() -> dict[str, Block]:
    """Those that were registered from outside the package, by name."""
    return {name: made for name, made in _blocks.items() if not Path(made.file).is_relative_to(_PACKAGE)}


@cache
def _load_shipped() -> None:
    """Import every file beside this one."""
    for file in sorted(Path(__file__).parent.glob("[a-z]*.py")):
        import_module(f"archdsl.blocks.{file.stem}")


@cache
def _load_installed() -> None:
    """Import what installed distributions name in their entry points "archdsl.blocks": modules, or functions."""
    from importlib.metadata import entry_points  # takes a while, and most configs name only shipped blocks

    for entry in entry_points(group="archdsl.blocks"):
        try:
            found = entry.load()
        except Exception as error:
            message = f"importing the installed plugin '{entry.name}' fails: {type(error).__name__}: {error}"
            raise fail("plugin", message) from error
        if inspect.isfunction(found):
            block(found, name=entry.name)


def get_block(name: str, own: Iterable[str] = ()) -> Block:
    """The block called `name`. Raises ArchError that lists what there is, and a config's `own` blocks."""
    found = find_block(name) or all_blocks().get(name)
    if found is None:
        known = sorted({*all_blocks(), *own})
        raise fail(
            "unknown-block", f"no block '{name}'; {one_of(known)}", hint=block_hint(name) or did_you_mean(name, known)
        )
    return found
