"""archdsl list [WORD…]"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import click

from archdsl.analysis.report import report
from archdsl.analysis.text import Table, count_text
from archdsl.diagnostics.problems import fail
from archdsl.diagnostics.terminal import width_of
from archdsl.diagnostics.wording import did_you_mean, one_of
from archdsl.frontend.compose.config import Config, load
from archdsl.frontend.compose.search_path import config_root, options_of, preset_names
from archdsl.frontend.compose.usual_names import meant_preset
from archdsl.frontend.lower import outline
from archdsl.frontend.presets import PresetInfo, info_of, list_options
from archdsl.tools.cli.output import print_json, print_table

_HEADERS = ("preset", "params", "MACs", "trained", "description")
_NUMBERS = ("params", "MACs")


@click.command("list")
@click.argument("words", nargs=-1, metavar="[WORD]...")
@click.option("--trained", is_flag=True, help="Only those with trained weights.")
@click.option("--family", metavar="NAME", help="Only those of a family, such as efficientnet.")
@click.option("--groups", is_flag=True, help="The options of the groups, such as neck=fpn, in place of presets.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(words: tuple[str, ...], trained: bool, family: str | None, groups: bool, as_json: bool) -> None:
    """The shipped presets whose name or description has every WORD, with parameters, MACs and trained weights.

    MACs are for an image of the preset's own size; of 640 × 640 where it takes any.
    """
    if groups:
        _print_options(words, as_json)
        return
    configs = {info_of(config): config for config in map(load, preset_names())}
    kept = configs if family is None else _of_family(configs, family)
    presets = [preset for preset in kept if preset.has_weights or not trained]
    found = [preset for preset in presets if all(word.casefold() in _searched(preset) for word in words)]
    if not found:
        hint = meant_preset(words[0], [preset.name for preset in presets]) if words else ""
        raise fail("unknown-preset", f"no preset with '{' '.join(words)}'", hint=hint or "`archdsl list` prints all")
    if as_json:
        print_json([{**preset._asdict(), "family": next(iter(_families(configs[preset])), None)} for preset in found])
    else:
        print_table(table({preset: configs[preset] for preset in found}, width_of(sys.stdout)))


def _families(config: Config) -> list[str]:
    """The families it inherits from, perhaps through others."""
    files = dict.fromkeys(Path(source.file) for source in config.history)
    return [file.stem for file in files if file.parent == config_root() / "family"]


def _of_family(configs: Mapping[PresetInfo, Config], name: str) -> list[PresetInfo]:
    """The presets that inherit from a family."""
    known = options_of("family", [config_root()])
    if name not in known:
        raise fail("unknown-preset", f"no family '{name}'; {one_of(known)}", hint=did_you_mean(name, known))
    return [preset for preset, config in configs.items() if name in _families(config)]


def _print_options(words: tuple[str, ...], as_json: bool) -> None:
    found = [each for each in list_options() if all(word.casefold() in " ".join(each).casefold() for word in words)]
    if not found:
        raise fail("unknown-option", f"no option with '{' '.join(words)}'", hint="`archdsl list --groups` prints all")
    if as_json:
        print_json([option._asdict() for option in found])
    else:
        print_table(
            Table(("option", "description"), [(f"{each.group}={each.name}", each.description) for each in found])
        )


def _searched(preset: PresetInfo) -> str:
    return f"{preset.name} {preset.description}".casefold()


def table(presets: Mapping[PresetInfo, Config], width: int | None) -> Table:
    """One line a preset: a description that does not fit into `width` is cut."""
    rows = [(preset.name, *_figures(preset, config)) for preset, config in presets.items()]
    figures = Table(_HEADERS[:-1], rows, _NUMBERS)
    room = None if width is None else width - max(map(len, figures.lines())) - 2
    described = [(*row, _cut(preset.description, room)) for row, preset in zip(rows, presets, strict=True)]
    return Table(_HEADERS, described, _NUMBERS)


def _figures(preset: PresetInfo, config: Config) -> tuple[str, str, str]:
    params, macs = preset.params, preset.macs
    if params is None or macs is None:
        costs = report(outline(config.at_known_size()))
        params, macs = costs.params, costs.macs
    return f"{params:,}", count_text(macs), "yes" if preset.has_weights else ""


def _cut(text: str, most: int | None) -> str:
    return text if most is None or len(text) <= most else f"{text[: max(0, most - 1)].rstrip()}…"
