"""Shell completion: presets, files, keys of a config and the values of some."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

import click

from archdsl.diagnostics.problems import ArchError
from archdsl.diagnostics.unicode import printable
from archdsl.frontend.sections import GROUPS

if TYPE_CHECKING:
    from inspect import Parameter

    from click.shell_completion import CompletionItem

    from archdsl.frontend.compose.config import Config

_COMPLETED = re.compile(r"(?:~|\+{0,2})[\w.-]+(?:=[\w.-]*)?", re.ASCII)


def completions(helps: Mapping[str, str], end: str = "") -> list[CompletionItem]:
    """The names in `helps`, but for those that are more than a name to a shell, which puts them in as they are."""
    from click.shell_completion import CompletionItem

    safe = {name: printable(text) for name, text in helps.items() if _COMPLETED.fullmatch(name)}
    return [CompletionItem(f"{name}{end}", help=text or None) for name, text in safe.items()]


def complete_config(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    from archdsl.frontend.compose.search_path import preset_names

    names = [name for name in preset_names() if name.startswith(incomplete)]
    return completions(dict.fromkeys(names, "")) or [CompletionItem(incomplete, type="file")]


def complete_override(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """`scale.wi` → `scale.width=`, from the keys that the config has; `stages.p4.body.block=c2` → `…=c2f`.

    The groups are keys too, and `neck=pa` → `neck=pan_c2f`.

    bash takes = for the end of a word, so that the key is one of the words before.
    """
    key, is_value, start = incomplete.partition("=")
    if is_value:
        return _values(context, key, start, prefix=f"{key}=")
    before: tuple[str, ...] = context.params.get("overrides") or ()
    *_, before_last, last = ("", "", *before)
    if last == "=":
        return _values(context, before_last, incomplete, prefix="")
    if not incomplete and before_last != "=" and re.fullmatch(r"\+{0,2}[\w.]+", last):  # click took the = away
        return _values(context, last, incomplete, prefix="")
    start = incomplete.lstrip("~+")
    sign = incomplete[: len(incomplete) - len(start)]
    groups = [group for group in GROUPS if group.startswith(start) and sign != "~" and _options(context, group)]
    more = _addable(context, start) if sign.startswith("+") else []
    keys = sorted({*_keys(context, start), *groups, *more})
    return completions({f"{sign}{key}": "" for key in keys}, "" if sign == "~" else "=")


def complete_key(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return completions(dict.fromkeys(_keys(context, incomplete), ""))


def _values(context: click.Context, key: str, start: str, prefix: str) -> list[CompletionItem]:
    """The values of a key, where they are a few names."""
    path = key.lstrip("+")
    known = dict.fromkeys(_options(context, path), "") or _known_values(context, path)
    return completions({f"{prefix}{value}": text for value, text in known.items() if value.startswith(start)})


def _options(context: click.Context, key: str) -> list[str]:
    """The options of a key that is a group; none for any other."""
    from archdsl.frontend.compose.config import options_for

    try:
        return options_for(context.params["config"], key) if key in GROUPS else []
    except (ArchError, KeyError):
        return []


def _known_values(context: click.Context, path: str) -> dict[str, str]:
    from archdsl.blocks.registry import all_blocks
    from archdsl.frontend.sema.schema import ConfigSchema
    from archdsl.frontend.sema.vocabulary import annotation_at, members

    name, known = path.rpartition(".")[2], annotation_at(ConfigSchema, path.split("."))
    if name == "block":
        config = _config(context)
        own = config.values.get("blocks") or {} if config else {}
        return {**dict.fromkeys(own, ""), **{block: found.summary for block, found in sorted(all_blocks().items())}}
    arguments = _arguments(context, path, name) if known is Any else []
    types = [*members(known), *[member for each in arguments for member in members(each)]]
    words = [value for listed in types if get_origin(listed) is Literal for value in get_args(listed)]
    return dict.fromkeys([*words, *(("true", "false") if bool in types else ())], "")


def _arguments(context: click.Context, path: str, name: str) -> list[Any]:
    """The type of an argument of a block, in a list; of a block of the config's own, what the conventions say of it."""
    from archdsl.frontend.sema.vocabulary import fields
    from archdsl.schemas.schema import Schema

    found = _parameters(context, path.rpartition(".")[0])
    if found is not None:
        return [found[name].annotation] if name in found else []
    return [fields(part)[name] for part in Schema.__subclasses__() if name in fields(part)]


def _parameters(context: click.Context, layer: str) -> Mapping[str, Parameter] | None:
    """The arguments of the block of the layer at a dotted key; None where that is not a registered block."""
    from archdsl.analysis.explain import at
    from archdsl.blocks.registry import find_block
    from archdsl.frontend.sections import default_of
    from archdsl.frontend.source import ABSENT

    path, config = tuple(layer.split(".")), _config(context)
    places = [(*each, "block") for each in (path, default_of(path)) if each]
    named = [at(config.values, each) for each in places] if config else []
    name = next((each for each in named if each is not ABSENT), None)
    found = find_block(name) if isinstance(name, str) else None
    return found.parameters if found else None


def _addable(context: click.Context, start: str) -> list[str]:
    """Dotted keys that the language has beside those that the config sets."""
    from archdsl.frontend.sema.schema import ConfigSchema
    from archdsl.frontend.sema.vocabulary import known_keys

    holder, dot, _ = start.rpartition(".")
    known = known_keys(ConfigSchema, holder.split(".") if holder else ())
    names = {*known, *(_parameters(context, holder) or ())} - {"defaults"}
    return [key for key in (f"{holder}{dot}{name}" for name in names) if key.startswith(start)]


def _keys(context: click.Context, start: str) -> list[str]:
    """Dotted keys of the config that was named before, those that begin so."""
    from archdsl.analysis.explain import at
    from archdsl.frontend.source import ABSENT, dotted

    config = _config(context)
    placed = [path for path in config.places if path and path[0] != "defaults"] if config else []
    paths = [path for path in placed if config and at(config.values, path) is not ABSENT]
    stages = [path[:2] for path in paths if path[0] == "stages" and len(path) == 2]
    filled = [(*stage, *path[1:]) for stage in stages for path in paths if path[0] == "stage_defaults"]
    return sorted(key for key in {*map(dotted, [*paths, *filled])} if key.startswith(start))


def _config(context: click.Context) -> Config | None:
    """The config that was named before, with the overrides that follow it where they fit."""
    from archdsl.frontend.compose.config import load

    for overrides in (_overrides(context.params.get("overrides") or ()), []):
        with suppress(ArchError, KeyError):
            return load(context.params["config"], overrides)
    return None


def _overrides(words: Sequence[str]) -> list[str]:
    """The whole overrides among the words before; bash makes three words of each."""
    text = re.sub(r"\n=(?:\n|$)", "=", "\n".join(words))
    return [line for line in text.split("\n") if re.fullmatch(r"~.+|[^=]+=.+", line)]
