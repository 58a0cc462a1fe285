"""--weights FILE, --weights published: what a model that is built starts from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from archdsl.api import PUBLISHED
from archdsl.diagnostics.problems import Mark, fail
from archdsl.diagnostics.terminal import say
from archdsl.frontend.compose.search_path import preset_names
from archdsl.frontend.presets import preset_info
from archdsl.tools.cli.options import ConfigArgument, Decorated

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from archdsl.weights import Published


def weights_option(function: Decorated) -> Decorated:
    """--weights, checked before Keras is imported."""
    help_text = (
        f"Weights to load: .safetensors, .weights.h5, .h5, .keras, .pt, or '{PUBLISHED}': a preset's trained ones."
    )
    option = click.option(
        "--weights", type=click.Path(), callback=_existing, shell_complete=_completions, help=help_text
    )
    return option(function)


def _completions(context: click.Context, parameter: click.Parameter, start: str) -> list[CompletionItem]:
    """`published`, or files: a shell does not mix the two."""
    from click.shell_completion import CompletionItem

    return (
        [CompletionItem(PUBLISHED)] if start and PUBLISHED.startswith(start) else [CompletionItem(start, type="file")]
    )


def _existing(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    if value in (None, PUBLISHED) or context.resilient_parsing:
        return value
    path, mark = Path(str(value)), Mark(str(value))
    if path.is_dir():
        raise fail("not-a-file", "a folder; expected a weights file", mark=mark)
    if not path.exists():
        raise fail("missing-file", "there is no such weights file", mark=mark)
    return value


def weights_of(config: ConfigArgument, weights: str | None) -> str | Path | Published | None:
    """The file to load. The published one of a preset is downloaded if it is not on this machine.

    Without --weights, a note on standard error says that a preset with trained weights starts from random ones.
    Raises ArchError when published weights are asked for and there are none, or they cannot be downloaded.
    """
    if weights == PUBLISHED:
        from archdsl.models.hub import published_weights  # what speaks with the network takes a while to import

        return published_weights(config)
    if weights is None and isinstance(config, str) and config in preset_names() and preset_info(config).has_weights:
        say(f"{config}: random weights; --weights {PUBLISHED} loads the trained ones", err=True)
    return weights
