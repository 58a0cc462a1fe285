"""What a shell completes: presets, files, keys of a config."""

from __future__ import annotations

import re
from collections.abc import Mapping

import click
from click.shell_completion import CompletionItem

from archdsl.diagnostics.problems import ArchError
from archdsl.diagnostics.unicode import printable

_COMPLETED = re.compile(r"[~+]?[\w.-]+", re.ASCII)


def completions(helps: Mapping[str, str], end: str = "") -> list[CompletionItem]:
    """The names in `helps`, but for those that are more than a name to a shell, which puts them in as they are."""
    safe = {name: printable(text) for name, text in helps.items() if _COMPLETED.fullmatch(name)}
    return [CompletionItem(f"{name}{end}", help=text or None) for name, text in safe.items()]


def complete_config(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from archdsl.frontend.compose.search_path import preset_names

    names = [name for name in preset_names() if name.startswith(incomplete)]
    return completions(dict.fromkeys(names, "")) or [CompletionItem(incomplete, type="file")]


def complete_override(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """`scale.wi` → `scale.width=`, from the keys that the config has."""
    sign = incomplete[:1] if incomplete[:1] in ("~", "+") else ""
    keys = [f"{sign}{key}" for key in _keys(context, incomplete[len(sign) :])]
    return completions(dict.fromkeys(keys, ""), "" if sign == "~" else "=")


def complete_key(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return completions(dict.fromkeys(_keys(context, incomplete), ""))


def _keys(context: click.Context, start: str) -> list[str]:
    """Dotted keys of the config that was named before, those that begin so."""
    from archdsl.frontend.compose.config import load
    from archdsl.frontend.source import dotted

    try:
        config = load(context.params["config"])
    except (ArchError, KeyError):
        return []
    keys = {dotted(path) for path in config.places if path and path[0] != "defaults"}
    return sorted([key for key in keys if key.startswith(start)])
