"""`neck: pan_c2f`: a section that is a file of its own, chosen by name. Composes as Hydra's config groups do.

A Defaults List chooses with `neck: pan_c2f`, changes what another one chose with `override neck: bifpn`, and takes
`null` for no neck. On the command line `neck=bifpn` changes the choice, `+neck=bifpn` makes one, `~neck` takes it back.

One difference: where nobody chooses a neck, `neck=bifpn` means `+neck=bifpn`, which Hydra requires.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Literal, NamedTuple

from archdsl.diagnostics.codes import CodeName
from archdsl.diagnostics.hint import Hint
from archdsl.diagnostics.problems import ArchError, Mark, Note, fail
from archdsl.diagnostics.wording import describe, did_you_mean
from archdsl.frontend.compose.override_grammar import Given
from archdsl.frontend.sections import GROUPS

OPTION = re.compile(r"[A-Za-z0-9_\-]+")
OPEN = "???"  # Hydra's mark for an option that a child must choose
Meaning = Literal["choose", "override", "delete"]
_NAMES = f"the groups are {', '.join(GROUPS)}"


class Choice(NamedTuple):
    """The choice that a Defaults List or an override makes for a group: the option at `mark`; None for no option.

    `trail` are the files that lead to the one with the Defaults List; an override has none.
    """

    means: Meaning
    group: str
    option: str | None
    mark: Mark
    path: str
    trail: tuple[str, ...] = ()

    def fail(self, code: CodeName, message: str, hint: str = "", notes: Sequence[Note] = ()) -> ArchError:
        inherited = f" ({' <- '.join(self.trail)})" if len(self.trail) > 1 else ""
        return fail(code, message + inherited, mark=self.mark, path=self.path, hint=hint, notes=notes)

    def says(self, option: str | None) -> str:
        """The same choice of another option, as it is written where this one is."""
        name = option or "null"
        return f"{self.group}: {name}" if self.trail else f"{self.group}={name}"


class Choices:
    """All choices of a config. The one nearest to the user wins: overrides first, then heirs before parents."""

    def __init__(self, asked: Iterable[Choice]):
        asked = list(asked)
        self.additions = [each for each in asked if each.means == "choose"]
        self._overrides = {each.group: each for each in asked if each.means == "override"}
        self._deletions = {each.group: each for each in asked if each.means == "delete"}
        self._shadowed: dict[str, Choice] = {}
        self._made: dict[str, Choice] = {}
        self._used: set[tuple[str, str]] = set()

    def override(self, choice: Choice) -> None:
        """`choice` is in force, unless one nearer to the user is."""
        first = self._overrides.setdefault(choice.group, choice)
        if not first.trail:
            self._shadowed.setdefault(choice.group, choice)

    def settled(self, entry: Choice) -> Choice | None:
        """The choice that an entry of a Defaults List ends up as; None if an override deletes it.

        Raises ArchError for a group that is chosen already.
        """
        override = self._overrides.get(entry.group)
        made = entry
        if override is not None:
            made = override
            self._used.add(("override", entry.group))
        deletion = self._deletions.get(entry.group)
        if deletion and deletion.option in (None, made.option):
            self._used.add(("delete", entry.group))
            return None
        first = self._made.setdefault(entry.group, entry)
        if first is not entry and (made.option is not None or first.option is not None):
            raise _chosen_twice(first, entry)
        return made._replace(means="choose")

    def unmatched(self) -> list[Choice]:
        """Overrides of groups that nobody chooses, and deletions. Raises ArchError for one in a Defaults List."""
        unused = [each for each in self._overrides.values() if ("override", each.group) not in self._used]
        for each in unused:
            wrong = each if each.trail else self._shadowed.get(each.group)
            if wrong:
                hint = f"write {wrong.says(wrong.option)}, without `override`; or take its parent before it"
                raise wrong.fail("group", f"no parent chooses a {wrong.group} that this could override", hint)
        return unused + [each for each in self._deletions.values() if ("delete", each.group) not in self._used]


def _chosen_twice(later: Choice, earlier: Choice) -> ArchError:
    """`later` is the nearer to the user; an override has no trail."""
    word = "override " if later.trail else ""
    hint = f"to change the choice, write {word}{later.says(later.option)}"
    notes = [Note(earlier.mark, "it is chosen first at")]
    return later.fail("group", f"{later.group} is chosen twice", hint, notes)


def choices_in(overrides: Iterable[Given]) -> list[Choice]:
    """The overrides that are about groups. Raises ArchError for each that names no option."""
    found, problems = [], []
    for given in overrides:
        if given.chooses:
            try:
                found.append(_choice_of(given))
            except ArchError as error:
                problems += error.problems
    if problems:
        raise ArchError(problems)
    return found


def _choice_of(given: Given) -> Choice:
    said = given.override
    assert said is not None  # it chooses
    option: Any = said.value()
    means: Meaning = "delete" if said.is_delete() else "choose" if said.is_add() else "override"
    choice = Choice(means, said.key_or_group, option, given.mark, said.key_or_group)
    if not isinstance(option, str) and not (option is None and means == "delete"):
        raise choice.fail("type", *_not_an_option(choice.group, option))
    if said.is_force_add():
        hint = f"write {choice.says(option)}, whether or not one is chosen already"
        raise choice.fail("group", f"++ adds values; {choice.group} is a group", hint)
    return choice


def _not_an_option(group: str, value: Any) -> tuple[str, str]:
    return f"expected the name of an option of {group}, got {describe(value)}", _as_option(group, value)


def choice_in(entry: Choice, key: str, option: Any, mark: Mark, folder: str) -> Choice:
    """`key: option`, an `entry` of a Defaults List in `folder`, as a choice; the option is at `mark`.

    Raises ArchError for an entry that is not a choice.
    """
    *words, name = str(key).split(" ")
    group = name.removeprefix("/")
    if words not in ([], ["override"]) or group not in GROUPS:
        message = f"expected a config name, such as family/yolo_v8, or a group with its option, got {describe({})}"
        raise entry.fail("type", message, _as_entry(words, name, option))
    choice = entry._replace(means="override" if words else "choose", group=group, option=option, mark=mark)
    if not isinstance(option, (str, type(None))):
        raise choice.fail("type", *_not_an_option(choice.group, option))
    if folder and not name.startswith("/"):
        message = f"this is the group {folder}/{name}, as the file is in the folder {folder}"
        raise choice.fail("group", message, f"write {' '.join([*words, f'/{name}'])}: {option or 'null'}")
    return choice


def _as_entry(words: Sequence[str], name: str, option: Any) -> str:
    """The fix for an entry of one key that is not a choice."""
    group = name.partition("@")[0].removeprefix("/")
    if group in GROUPS:
        fact = "a group has no package" if "@" in name else f"'{words[0]}' is not for groups: each option must exist"
        return f"{fact}; write {group}: {option}"[:200]
    if words:
        return f"'{words[0]}' is not for parents: they are always there, and each is named once"
    return f"write {name}/{option} for {{{name}: {option}}}; {_NAMES}" if isinstance(option, str) else _NAMES


def unknown_option(choice: Choice, options: Sequence[str], places: str) -> ArchError:
    """The error for an option that does not exist; `places` are the folders that were searched."""
    listed = f"expected one of: {', '.join(options)}" if options else f"there is no file in {choice.group}/"
    bare = str(choice.option).rpartition("/")[2].removesuffix(".yaml")
    hint = (
        Hint(f"write {choice.says(bare)}", str(bare)) if bare in options else did_you_mean(str(choice.option), options)
    )
    if bare.casefold() in ("none", "no", "off", "false", "~", ""):
        hint = f"for none, write {choice.says(None)}"
    message = f"no option '{str(choice.option)[:200]}' of {choice.group} in {places}; {listed}"
    return choice.fail("unknown-option", message, hint)


def open_option(choice: Choice, options: Sequence[str]) -> ArchError:
    """The error for an option that is left open."""
    named = next(iter(options), "NAME")
    hint = (
        f"choose one: {choice.group}={named}; or `override {choice.group}: {named}` in the file that inherits this one"
    )
    return choice.fail(
        "missing-value", f"no option of {choice.group} is chosen; expected one of: {', '.join(options)}", hint
    )


def _as_option(group: str, value: Any) -> str:
    """The fix for a value that is not the name of an option."""
    if isinstance(value, dict):
        return f"write its layers under the key `{group}:` of the config"
    if isinstance(value, list):
        return f"a group has one option; join several in a file of {group}/ that inherits them"
    return f"an option is the name of a file in {group}/, null for none"
