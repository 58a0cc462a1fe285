"""Plain values → YAML that is read here as the same values."""

from __future__ import annotations

import re
from math import inf
from typing import Any

import yaml

from archdsl.diagnostics.problems import ArchError
from archdsl.frontend.yaml.scalars import read_plain


def yaml_document(value: Any) -> str:
    """A whole file, what is short on one line."""
    return yaml.dump(value, Dumper=_DocumentDumper, sort_keys=False, default_flow_style=None, width=120)


def yaml_line(value: Any) -> str:
    """A value as it can follow a key."""
    text = yaml.dump(value, Dumper=_Dumper, sort_keys=False, default_flow_style=True, allow_unicode=True, width=inf)
    return re.sub(r"\n(\.\.\.\n)?\Z", "", text)


class _Dumper(yaml.SafeDumper):
    """Quotes texts that are numbers here and not in YAML 1.1, such as 1e5, and those that may have to be escaped."""


class _DocumentDumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """The same in C, where PyYAML has it: a search writes a thousand files. It knows no endless line."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = '"' if "::" in text or "##" in text else None if _is_read_as_text(text) else "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style)


def _is_read_as_text(text: str) -> bool:
    try:
        return isinstance(read_plain(text), str)
    except ArchError:
        return False


for each in (_Dumper, _DocumentDumper):
    each.add_representer(str, _text)
