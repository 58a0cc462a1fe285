"""The order of named entries (stages, layers): as written, except where one says `after: another` or `after: input`."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from archdsl.frontend.sections import ordered_entries

FIRST = "input"
"""What an entry comes after that is to run first."""


def in_order(after: Mapping[str, str | None]) -> tuple[list[str], list[str]]:
    """Names in the order they run, and those whose `after` names nothing that is there (or themselves, in a ring)."""
    if not any(after.values()):
        return list(after), []
    followers: dict[str | None, list[str]] = {}
    for name, before in after.items():
        followers.setdefault(before, []).append(name)
    order: list[str] = []
    pending = followers.get(None, [])[::-1]
    pending += followers.get(FIRST, []) if FIRST not in after else []
    while pending:
        order.append(pending.pop())
        pending += followers.get(order[-1], [])  # the last of them comes first
    placed = set(order)
    return order, [name for name in after if name not in placed]


def rings(after: Mapping[str, str]) -> list[list[str]]:
    """The names that come after themselves, in the order that `after` leads from each to the next."""
    found, seen = [], set[str]()
    for name in after:
        path: dict[str, int] = {}
        while name in after and name not in seen:
            seen.add(name)
            path[name] = len(path)
            name = after[name]
        if name in path:
            found.append(list(path)[path[name] :])
    return found


def with_explicit_order(config: dict[str, Any]) -> dict[str, Any]:
    """The config with `after:` wherever sorting its keys would change what it means (yaml.dump sorts them)."""
    for entries in _ordered_mappings(config):
        order, _ = in_order({name: entry.get("after") for name, entry in entries.items()})
        if order != sorted(order):
            for before, name in pairwise(order):
                entries[name]["after"] = before
            entries[order[0]].pop("after", None)
    return config


def _ordered_mappings(config: dict[str, Any]) -> list[dict[str, dict[str, Any]]]:
    blocks = [block.get("layers") for block in _entries(config.get("blocks")).values()]
    return [_entries(entries) for entries in (*ordered_entries(config), *blocks)]


def _entries(mapping: Any) -> dict[str, dict[str, Any]]:
    """What is there: entries set to null were taken out."""
    entries = mapping if isinstance(mapping, dict) else {}
    return {name: entry for name, entry in entries.items() if isinstance(entry, dict)}
