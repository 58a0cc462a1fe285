"""Several CONFIGs on a command line, each with the OVERRIDEs behind it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import click

from archdsl.frontend.budget import Budget
from archdsl.frontend.compose.config import load
from archdsl.frontend.compose.override_grammar import override_name
from archdsl.tools.cli.completion import complete_config
from archdsl.tools.cli.options import config_given

if TYPE_CHECKING:
    from archdsl.frontend.compose.config import Config

configs_argument = click.argument(
    "configs", nargs=-1, required=True, metavar="CONFIG...", shell_complete=complete_config
)
"""CONFIGs and OVERRIDEs, for configs_with_overrides."""


def configs_with_overrides(words: Sequence[str]) -> Iterator[list[str]]:
    """Each CONFIG with the overrides behind it. Raises UsageError for one before the first."""
    starts = [place for place, word in enumerate(words) if not _is_override(word)]
    if not starts or starts[0]:
        raise click.UsageError(f"'{words[0]}' is an OVERRIDE; expected a CONFIG before it")
    for begin, end in zip(starts, [*starts[1:], len(words)], strict=True):
        yield list(words[begin:end])


def _is_override(word: str) -> bool:
    return "=" in word or word.startswith(("~", "+"))


def loaded_each(context: click.Context, groups: Iterable[Sequence[str]], budget: Budget) -> Iterator[Config]:
    """The configs, composed one after the other: an error quotes the overrides of the last. Raises ArchError."""
    for config, *overrides in groups:
        texts = {override_name(number): text for number, text in enumerate(overrides, 1)}
        context.ensure_object(dict).update(texts)
        yield load(config_given(config), overrides, budget)


def label(config: Config, group: Sequence[str]) -> str:
    """The name of a config with its overrides."""
    return " ".join([config.name, *group[1:]])
