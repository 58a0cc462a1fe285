"""A whole config as one YAML file."""

from __future__ import annotations

import yaml

from archdsl.frontend.compose.config import Config


def resolved_text(config: Config) -> str:
    """Parents and overrides merged in, references followed: what `archdsl resolve` prints."""
    return yaml.dump(config.resolved, Dumper=_Dumper, sort_keys=False, default_flow_style=None, width=120)


class _Dumper(yaml.SafeDumper):
    """Puts texts that may have to be escaped in double quotes."""


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    style = '"' if "::" in text or "##" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style)


_Dumper.add_representer(str, _text)
