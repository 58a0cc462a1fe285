"""A search space in a file: a config, choices for some of its keys, what a network may cost, and what is best.

```yaml
config: yolo_v8_s_backbone             # a preset, or a file beside this one
size: 640
choices:                               # Hydra's sweep grammar, on the keys of overrides
  scale.width: range(0.25, 1.0, 0.05)
  stages.p4.depth: choice(3, 6, 9)
within: {params: 5e6, macs: [1e9, 8e9], outputs.P3.receptive_field: [100, null]}
latency: machine.json                  # for latency_ms: what `archdsl bench --machine` wrote, beside this file
minimize: macs
maximize: outputs.P5.channels
```
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from math import inf, prod
from pathlib import Path
from typing import Any, NamedTuple

from archdsl.analysis.roofline import Machine
from archdsl.diagnostics.nearest import one_report
from archdsl.diagnostics.problems import ArchError, Mark, Problem, by_place, fail, problem
from archdsl.diagnostics.wording import describe, did_you_mean, one_of
from archdsl.frontend.budget import DEFAULT, Budget
from archdsl.frontend.compose.config import Config, load
from archdsl.frontend.compose.override_grammar import override_name
from archdsl.frontend.compose.search_path import existing, preset_names
from archdsl.frontend.lower import outline
from archdsl.frontend.sections import SECTIONS
from archdsl.frontend.sema.resolve import resolve
from archdsl.frontend.source import KeyPath, Source, dotted
from archdsl.frontend.yaml.files import config_files, read_file, real
from archdsl.tools.machine_file import HOW, read_machine
from archdsl.tools.search.choices import MAX_VALUES, Choice, read_choice
from archdsl.tools.search.figures import LATENCY, check_figure

KEYS = ("config", "overrides", "size", "choices", "latency", "within", "minimize", "maximize")
MAX_CHOICES = 64
_CUT = re.compile(r"\w+\([^()]*")
"""What YAML makes of `range(1, 9)` between braces, where a comma ends a value."""


class Bound(NamedTuple):
    """What a figure of a network must be: at least, and at most."""

    figure: str
    least: float = -inf
    most: float = inf


class Objective(NamedTuple):
    """A figure that is better the smaller it is; with `sign` -1, the larger."""

    figure: str
    sign: int


class Space(NamedTuple):
    """The networks of a config for every combination of the choices, as the file says."""

    folder: str
    config: str
    overrides: tuple[str, ...]
    size: tuple[int, int] | None
    choices: tuple[Choice, ...]
    bounds: tuple[Bound, ...]
    objectives: tuple[Objective, ...]
    latency: str = ""
    machine: Machine | None = None
    """That of the file `latency`."""

    @property
    def variants(self) -> int:
        return prod([choice.count for choice in self.choices])

    @property
    def figures(self) -> list[str]:
        """What is asked of a network, each once, in the order of the file."""
        return list(dict.fromkeys([*[each.figure for each in self.bounds], *[each.figure for each in self.objectives]]))

    @property
    def latency_text(self) -> str:
        """What the time is of, where it is asked for: `latency_ms is of machine.json, 2 threads`."""
        if self.machine is None or LATENCY not in self.figures:
            return ""
        return f"{LATENCY} is of {', '.join(filter(None, [self.latency, self.machine.threads_text]))}"

    def base(self, overrides: Iterable[str] = (), budget: Budget = DEFAULT) -> Config:
        """The config with other overrides, at the size of the space; without any choice."""
        beside = Path(self.folder, self.config)
        loaded = load(self.config if self.config in preset_names() else beside, [*self.overrides, *overrides], budget)
        return loaded.at_known_size() if self.size is None else loaded.with_size(*self.size)


@one_report()
def read_space(path: Path) -> Space:
    """The space in a file. Raises ArchError with the place of everything that is wrong."""
    if str(path) in preset_names() and not path.exists():
        hint = f"a space is a file of its own, with 'config: {path}' and choices"
        raise fail("missing-file", "a preset, which has no choices", mark=Mark(str(path)), hint=hint)
    return space_of(read_file(existing(path)), path.parent)


def space_of(source: Source, folder: Path) -> Space:
    """The space that a text says; its config is a preset or in `folder`."""
    reader = _Reader(source, folder)
    space = reader.space()
    if not reader.problems:
        reader.check_config(space)
    if reader.problems:
        raise ArchError(by_place(reader.problems))
    return space


class _Reader:
    """Reads the entries of a space, and gathers what is wrong with them."""

    def __init__(self, source: Source, folder: Path):
        self.source, self.folder = source, folder
        self.problems: list[Problem] = []
        self.asked: dict[str, KeyPath] = {}
        """Where each figure is first asked for."""
        self.objectives: list[str] = []

    def space(self) -> Space:
        values = self.source.values
        for key in [key for key in values if key not in KEYS]:
            self.report("unknown-key", f"a space has no key '{key}'; {one_of(KEYS)}", (key,), did_you_mean(key, KEYS))
        return Space(
            str(self.folder.absolute()),
            self._config(values.get("config")),
            tuple(map(str, self._list("overrides"))),
            self._size(values.get("size")),
            tuple(self._choices(values.get("choices"))),
            tuple(self._bounds(values.get("within") or {})),
            tuple([each for sign, key in ((1, "minimize"), (-1, "maximize")) for each in self._objectives(key, sign)]),
            str(values.get("latency", "")),
            self._machine(values.get("latency")),
        )

    def check_config(self, space: Space) -> None:
        """What is wrong with the config itself, and outputs that no variant has."""
        try:
            base = space.base()
            resolve(base)
        except ArchError as error:
            self.problems += map(self._of_override, error.problems)
            return
        if any(_may_add_outputs(choice.key) for choice in space.choices):
            return
        try:
            outputs = [*outline(base).outputs]
        except ArchError:  # only choices make it a network
            return
        for figure, path in self.asked.items():
            name = figure.partition(".")[2].rpartition(".")[0]
            if name and name not in outputs:
                message = f"the network has no output '{name}'; {one_of(outputs)}"
                code = "unknown-key" if path[0] == "within" else "value"
                self.report(code, message, path, did_you_mean(name, outputs))

    def _of_override(self, found: Problem) -> Problem:
        """A problem of an override, at its place in the space."""
        for index in range(len(self._list("overrides"))):
            if found.file == override_name(index + 1):
                path = ("overrides", index) if isinstance(self.source.values["overrides"], list) else ("overrides",)
                return found.at(self.source.place(path).value, dotted(path))
        return found

    def report(self, code: Any, message: str, path: KeyPath, hint: str = "") -> None:
        place = self.source.place(path)
        mark = place.key if code in ("unknown-key", "missing-key") else place.value
        self.problems.append(problem(code, message, mark=mark, path=dotted(path), hint=hint))

    def _config(self, stated: Any) -> str:
        """The name of a preset, or the path of a file in the folder of the space: no other file is opened."""
        if not isinstance(stated, str) or not stated:
            self.report("missing-key", "a space needs 'config', a preset or a file beside it", ("config",))
            return ""
        if stated in preset_names():
            return stated
        if Path(stated).name != stated:
            self.report("path", f"'{stated}' is not beside this file; expected a preset, or a file there", ("config",))
            return ""
        known = [*preset_names(), *config_files(self.folder)]
        if stated not in known or not self._is_beside(stated):
            self.report("unknown-preset", f"no preset or file '{stated}'", ("config",), did_you_mean(stated, known))
            return ""
        return stated

    def _is_beside(self, name: str) -> bool:
        """Whether a name, or what it is a link to, is in the folder of the space."""
        return real(self.folder / name).is_relative_to(real(self.folder))

    def _machine(self, stated: Any) -> Machine | None:
        """That of a file in the folder of the space."""
        if stated is None:
            return None
        if not isinstance(stated, str) or not stated or Path(stated).name != stated:
            self.report("path", f"got {describe(stated)}; expected a file beside this one", ("latency",), HOW)
            return None
        if not self._is_beside(stated):
            self.report("path", f"'{stated}' leads out of this folder", ("latency",))
            return None
        try:
            return read_machine(self.folder / stated)
        except ArchError as error:
            self.problems += error.problems
        return None

    def _list(self, key: str) -> list[Any]:
        stated = self.source.values.get(key)
        if stated is None:
            return []
        return stated if isinstance(stated, list) else [stated]

    def _size(self, stated: Any) -> tuple[int, int] | None:
        if stated is None:
            return None
        sides = stated if isinstance(stated, list) else [stated, stated]
        if len(sides) != 2 or any(type(side) is not int or side < 1 for side in sides):
            self.report("type", f"got {describe(stated)}; expected a side in pixels, or [height, width]", ("size",))
            return None
        return sides[0], sides[1]

    def _choices(self, stated: Any) -> Iterable[Choice]:
        if not isinstance(stated, dict) or not stated:
            hint = "write keys and their values: scale.width: range(0.25, 1.0, 0.05)"
            self.report("missing-key", "a space needs 'choices', a mapping of keys to values", ("choices",), hint)
            return
        if len(stated) > MAX_CHOICES:
            self.report("limit", f"{len(stated)} choices; expected at most {MAX_CHOICES}", ("choices",))
            return
        values = 0
        for key, text in stated.items():
            if isinstance(text, str) and _CUT.fullmatch(text):
                hint = f"between braces write it with quotes: {key}: 'range(1, 9)'"
                self.report("value", f"'{text}' ends before its bracket does", ("choices", key), hint)
                return  # what follows may be the rest of it
            try:
                choice = read_choice(key, text, self.source.place(("choices", key)).value)
                values += len(choice.texts)
                if values > MAX_VALUES:
                    self.report("limit", f"more than {MAX_VALUES:,} values of all choices", ("choices", key))
                    return
                yield choice
            except ArchError as error:
                self.problems += error.problems

    def _bounds(self, stated: Any) -> Iterable[Bound]:
        if not isinstance(stated, dict):
            message = f"got {describe(stated)}; expected figures and their limits, such as {{params: 5e6}}"
            self.report("type", message, ("within",))
            return
        for figure, limits in stated.items():
            if self._is_figure(figure, ("within", figure), at_key=True):
                yield from self._bound(figure, limits)

    def _bound(self, figure: str, limits: Any) -> Iterable[Bound]:
        low, high = limits if isinstance(limits, list) and len(limits) == 2 else (None, limits)
        least, most = -inf if low is None else low, inf if high is None else high
        if any(isinstance(each, bool) or not isinstance(each, (int, float)) or each != each for each in (least, most)):
            message = f"got {describe(limits)}; expected a number that is the most, or [least, most]"
            self.report("type", message, ("within", figure))
        elif most < 0:
            self.report("range", f"nothing is at most {most:g}; expected a limit from 0", ("within", figure))
        elif least > most:
            self.report("range", f"nothing is at least {least:g} and at most {most:g}", ("within", figure))
        else:
            yield Bound(figure, least, most)

    def _objectives(self, key: str, sign: int) -> Iterable[Objective]:
        for index, figure in enumerate(self._list(key)):
            path = (key, index) if isinstance(self.source.values[key], list) else (key,)
            if figure in self.objectives:
                self.report("value", f"'{figure}' is minimized or maximized already", path, "ask for it once")
            elif self._is_figure(figure, path):
                self.objectives.append(figure)
                yield Objective(figure, sign)

    def _needs_machine(self, path: KeyPath) -> None:
        """Told once, however often the time is asked for."""
        if not any(each.code == "missing-value" for each in self.problems):
            hint = f"{HOW}; then write: latency: machine.json"
            self.report("missing-value", f"{LATENCY} needs a machine", path, hint)

    def _is_figure(self, figure: Any, path: KeyPath, at_key: bool = False) -> bool:
        wrong, hint = check_figure(figure)
        if figure == LATENCY and "latency" not in self.source.values:
            self._needs_machine(path)
        elif wrong:
            self.report("unknown-key" if at_key else "value", wrong, path, hint)
        else:
            self.asked.setdefault(figure, path)
        return not wrong


def _may_add_outputs(key: str) -> bool:
    """Whether a choice may change which outputs there are: it is between outputs, sections or whole stages."""
    section, _, rest = key.lstrip("+").partition(".")
    return section == "outputs" or (section in [each.name for each in SECTIONS] and "." not in rest)


def space_data(space: Space) -> Mapping[str, Any]:
    """The space as plain data, ready for YAML: read again, it is the same."""
    objectives = {
        key: [each.figure for each in space.objectives if each.sign == sign]
        for sign, key in ((1, "minimize"), (-1, "maximize"))
    }
    return {
        "config": space.config,
        "overrides": list(space.overrides),
        "size": list(space.size) if space.size else None,
        "choices": {choice.key: choice.stated for choice in space.choices},
        **({"latency": space.latency} if space.latency else {}),
        "within": {each.figure: [_finite(each.least), _finite(each.most)] for each in space.bounds},
        **{key: figures for key, figures in objectives.items() if figures},
    }


def _finite(number: float) -> float | None:
    return None if number in (inf, -inf) else number
