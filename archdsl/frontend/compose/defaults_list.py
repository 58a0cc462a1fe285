"""`defaults: [parent, _self_]`: which files a config is made of, and how they merge. Equal to Hydra's Defaults List."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from archdsl.diagnostics.codes import CodeName
from archdsl.diagnostics.hint import Hint
from archdsl.diagnostics.problems import ArchError, Mark, Note, Problem, fail
from archdsl.diagnostics.unicode import ascii_form, named
from archdsl.diagnostics.wording import describe, did_you_mean, joined, write
from archdsl.frontend.budget import allow_more
from archdsl.frontend.compose.groups import (
    OPEN,
    OPTION,
    Choice,
    Choices,
    choice_in,
    open_option,
    unknown_option,
)
from archdsl.frontend.compose.search_path import config_root, leads_somewhere, options_of, parent_names
from archdsl.frontend.sections import GROUPS
from archdsl.frontend.source import KeyPath, Source, dotted
from archdsl.frontend.values import too_many_values
from archdsl.frontend.yaml.files import Reading

SELF = "_self_"
_REFERENCE = re.compile(r"/?[A-Za-z0-9_\-]+(?:/[A-Za-z0-9_\-]+)*")


class Member(NamedTuple):
    """A file that a config is made of. Names in it are looked up in `root`, relative to its sub-folder `group`.

    Its keys go under `package`, the name of a group, or to the top level where that is empty. `choice` is that of the
    group which brought it here, itself or through a file that inherits it.
    """

    source: Source
    root: Path | None
    group: str = ""
    package: str = ""
    chain: tuple[str, ...] = ()
    named_at: Mark | None = None
    choice: Choice | None = None

    def entry(self, index: int) -> Choice:
        """The place of an entry of its Defaults List, for errors."""
        path: KeyPath = ("defaults", index)
        return Choice("choose", "", "", self.source.place(path).value, dotted(path), self.chain)

    def fail(self, code: CodeName, message: str, hint: str = "") -> ArchError:
        """An error of the Defaults List as a whole."""
        trail = f" ({' <- '.join(self.chain)})" if len(self.chain) > 1 else ""
        return fail(code, message + trail, mark=self.source.place(("defaults",)).value, path="defaults", hint=hint)

    @property
    def landed(self) -> Source:
        """Its values where they go in the config, without the Defaults List."""
        if not self.package:
            return self.source
        values = {key: value for key, value in self.source.values.items() if key != "defaults"}
        places = {
            (self.package, *path): place for path, place in self.source.places.items() if path[:1] != ("defaults",)
        }
        chosen = self.choice.mark if self.choice else None
        return Source(self.source.file, {self.package: values}, places, self.package, chosen)


class Lineage(NamedTuple):
    """The files that make up a config, parents before children; the options chosen for its groups, in the same order.

    `idle` are the deletions that no Defaults List has a choice for.
    """

    members: Sequence[Member]
    choices: Sequence[Choice]
    idle: Sequence[Choice] = ()

    @property
    def sources(self) -> list[Source]:
        return [member.landed for member in self.members]


def lineage(source: Source, root: Path | None, reading: Reading, asked: Sequence[Choice] = ()) -> Lineage:
    """The files that make up `source`, as the Defaults Lists order them and the overrides `asked` choose them.

    `root` is the config's own folder, None for a config that has none (a dict). Parents and options are looked for
    there, then among the shipped configs, and nowhere else.
    """
    walk = _Walk(reading, Choices(asked))
    found = walk.lineage(source, root)
    additions = {each.group: each for each in found.idle if each.means == "override"}
    if not additions:
        return found
    others = [each for each in asked if each.means != "override" or each.group not in additions]
    asked = [*others, *[each._replace(means="choose") for each in additions.values()]]
    return _Walk(reading, Choices(asked)).lineage(source, root)


class _Walk:
    """Reads the files of a config, each once. Heirs come before their parents, so that they decide on the groups."""

    def __init__(self, reading: Reading, choices: Choices):
        self.reading = reading
        self.choices = choices
        self.settled: list[Choice] = []
        self._read: dict[str, Member] = {}
        self._values = 0

    def lineage(self, source: Source, root: Path | None) -> Lineage:
        group = sub_folder(source, root, self.reading)
        config = Member(source, root, group, _package(source, group, ""), (source.file,))
        members = self._members(self._counted(config), self.choices.additions)
        return Lineage(members, self.settled[::-1], self.choices.unmatched())

    def _members(self, member: Member, additions: Sequence[Choice] = ()) -> list[Member]:
        """The files that `member` is made of, in order; `additions` come after its own Defaults List."""
        entries = [*_entries(member), *additions]
        for entry in entries:
            if isinstance(entry, Choice) and entry.means == "override":
                self.choices.override(entry)
        parts = [self._part(member, index, entry) for index, entry in reversed(list(enumerate(entries)))]
        return [each for part in reversed(parts) for each in part]

    def _part(self, member: Member, index: int, entry: str | Choice) -> list[Member]:
        if entry == SELF:
            return [member]
        if isinstance(entry, str):
            return self._members(self._counted(_parent(member, index, entry, self.reading)))
        choice = self.choices.settled(entry) if entry.means == "choose" else None
        if choice and not member.choice:
            self.settled.append(choice)
        if choice is None or choice.option is None:
            return []
        return self._members(self._counted(_option(member, choice, self.reading)))

    def _counted(self, member: Member) -> Member:
        """The member, if it is new and not too much."""
        later = self._read.setdefault(member.source.file, member)
        if later is not member:
            raise _named_twice(member, later)
        self._values += len(member.source.places)
        if self._values > self.reading.budget.values:
            found = too_many_values(self.reading.budget)
            raise member.fail(found.code, f"{found.message} in all files", found.hint)
        return member


def _named_twice(first: Member, second: Member) -> ArchError:
    notes = [Note(first.named_at, "it is named first at")] if first.named_at else []
    message = f"{second.source.file} is inherited twice ({' <- '.join(second.chain)})"
    hint = "name it in one Defaults List only"
    return fail("duplicate-parent", message, mark=second.named_at, path="defaults", hint=hint, notes=notes)


def sub_folder(source: Source, root: Path | None, reading: Reading) -> str:
    """The sub-folder of `root` that the file is in: what the names of its parents are relative to."""
    if root is None:
        return ""
    file, folder = reading.real(source.file), reading.real(root)
    group = file.relative_to(folder).parent.as_posix() if file.is_relative_to(folder) else "."
    return "" if group == "." else group


def _entries(member: Member) -> list[str | Choice]:
    """The Defaults List of a file; one that inherits nothing is just itself."""
    if "defaults" not in member.source.values:
        return [SELF]
    entries = member.source.values["defaults"]
    if not isinstance(entries, list):
        message = f"expected a list of config names, such as [family/yolo_v8, _self_], got {describe(entries)}"
        hint = _list_of(entries) if isinstance(entries, str) else "write [family/yolo_v8, _self_]"
        raise member.fail("type", message, hint)
    found = [_entry(member, index, entry) for index, entry in enumerate(entries)]
    if entries.count(SELF) != 1:
        # Without it Hydra puts the file before its parents, so that they would override it.
        others = [_as_text(entry) for entry in entries if entry != SELF]
        message = "the list must hold _self_ once, where this file itself comes"
        raise member.fail("defaults", message, _list_of(*others))
    overriding = [entry for entry in found if entry != SELF]
    is_override = [isinstance(entry, Choice) and entry.means == "override" for entry in overriding]
    if is_override != sorted(is_override):
        misplaced = overriding[is_override.index(True)]
        assert isinstance(misplaced, Choice)
        raise misplaced.fail("defaults", "an `override` comes before other entries", "put it at the end of the list")
    return found


def _entry(member: Member, index: int, entry: Any) -> str | Choice:
    if isinstance(entry, str):
        return entry
    place = member.entry(index)
    if not isinstance(entry, dict) or len(entry) != 1:
        message = f"expected a config name, such as family/yolo_v8, or a group with its option, got {describe(entry)}"
        hint = "write an entry for each of them" if entry and isinstance(entry, dict) else _AS_NAMES
        raise place.fail("type", message, hint)
    ((key, option),) = entry.items()
    choice = choice_in(place, key, option, member.source.place(("defaults", index, key)).value, member.group)
    if member.package:
        hint = "make the first line `# @package _global_`, or choose it in the config itself"
        raise choice.fail("group", f"a file of the group {member.package} cannot choose another", hint)
    return choice


def _list_of(*entries: str) -> Hint:
    written = f"[{', '.join([*entries, SELF])}]"
    return Hint(f"write defaults: {written}"[:200], written)


_AS_NAMES = "write names in a list: [family/yolo_v8, _self_]"


def _as_text(entry: Any) -> str:
    return ", ".join(f"{key}: {value}" for key, value in entry.items()) if isinstance(entry, dict) else str(entry)


def _parent(member: Member, index: int, entry: str, reading: Reading) -> Member:
    place = member.entry(index)
    if not _REFERENCE.fullmatch(entry):
        message = f"'{entry[:200]}' is not a config name; expected one such as family/yolo_v8, without suffix"
        raise place.fail("parent", message, _fix(entry))
    name = entry.lstrip("/") if entry.startswith("/") or not member.group else f"{member.group}/{entry}"
    path = _find(member, place, name, reading)
    if path is None:
        roots = _roots(member)
        known = [name for root in roots for name in parent_names(root)]
        raise place.fail("unknown-parent", f"no config '{name}' in {_listed(roots)}", did_you_mean(name, known))
    source = _inherited(member, place, name, path, reading)
    package = _package(source, entry.lstrip("/").rpartition("/")[0], member.package)
    heirs = (*member.chain, source.file)
    return Member(source, member.root, name.rpartition("/")[0], package, heirs, place.mark, member.choice)


def _option(member: Member, choice: Choice, reading: Reading) -> Member:
    """The file of a chosen option, which `member` or an heir of it chooses."""
    roots = _roots(member)
    if choice.option == OPEN:
        raise open_option(choice, options_of(choice.group, roots))
    name = f"{choice.group}/{choice.option}"
    path = _find(member, choice, name, reading) if OPTION.fullmatch(str(choice.option)) else None
    if path is None:
        raise unknown_option(choice, options_of(choice.group, roots), _listed(roots))
    source = _inherited(member, choice, name, path, reading)
    package = _package(source, choice.group, "")
    heirs = (*member.chain, source.file)
    return Member(source, member.root, choice.group, package, heirs, choice.mark, member.choice or choice)


def _inherited(member: Member, place: Choice, name: str, path: Path, reading: Reading) -> Source:
    """The file at `path`. Raises ArchError where `member` is made of it, or of too many."""
    found = reading.real(path)
    if any(found == reading.real(file) for file in member.chain):
        chain = " -> ".join([Path(file).stem for file in member.chain] + [path.stem])
        raise place.fail("cycle", f"{name} inherits from itself: cycle: {chain}", "take this parent out")
    most = reading.budget.parents
    if len(member.chain) >= most:
        hint = allow_more("parents", 2 * most)
        raise place.fail("limit", f"inherits through more than {most:.0f} files", hint)
    try:
        return reading.file(path)
    except ArchError as error:
        trail = " <- ".join([*member.chain, str(path)])
        raise ArchError([_trailed(found, place.mark, trail) for found in error.problems]) from None


def _trailed(found: Problem, entry: Mark, trail: str) -> Problem:
    """A problem of an inherited file: it names the heirs, and points at their entry where it has no place."""
    if found.line:
        return found._replace(message=f"{found.message} ({trail})")
    return found._replace(
        file=entry.file, line=entry.line, column=entry.column, message=f"{found.file}: {found.message} ({trail})"
    )


def _fix(entry: str) -> str:
    """The fix for a parent that is not a name."""
    plain = ascii_form(entry).strip()
    bare = plain.removesuffix(".yaml").removesuffix(".yml").removeprefix("./")
    if bare != entry and _REFERENCE.fullmatch(bare) and not Path(plain).is_absolute():
        return joined(" ", write(bare), f"({named(entry)})" if plain != entry and named(entry) else "")
    if ".." in entry or Path(entry).is_absolute() or "~" in entry:
        return "it leads out of the config's folder: put the parent beside the config, or take a preset"
    if "@" in entry:
        name = entry.partition("@")[0]
        return Hint(f"parents have no package: write {name}", name)
    return "parents are looked for beside the config and among the presets"


def _package(source: Source, folder: str, heirs: str) -> str:
    """The key that the values of a file go under: a group, or empty for the top level.

    Hydra puts them under the name of the folder that the file is named in, or what its header says, inside the package
    of its heir; here they may go nowhere else than those of the heir, or into a group.
    """
    header = source.package
    package = ".".join(filter(None, [heirs, *folder.split("/")])) if not header else header.removeprefix("_global_")
    if (package == heirs) if heirs else (package in ("", *GROUPS) and header in ("", "_global_")):
        return package
    fact = f"the package {header or package} is not allowed"
    if not header and not heirs:
        fact = "a parent in a sub-folder must be marked as global"
    hint: str = Hint("make the first line `# @package _global_`", "# @package _global_\n", wrong="")
    if heirs:
        fact, hint = (
            f"{fact} for what a file of the group {heirs} inherits",
            f"a file of {heirs}/ inherits others of {heirs}/",
        )
    raise fail("package", fact, mark=Mark(source.file, 1, 1), hint=hint)


def _roots(member: Member) -> list[Path]:
    return list(dict.fromkeys(root for root in (member.root, config_root()) if root is not None))


def _listed(roots: Sequence[Path]) -> str:
    return " or ".join(map(str, roots))


def _find(member: Member, place: Choice, name: str, reading: Reading) -> Path | None:
    for root in _roots(member):
        path = root / f"{name}.yaml"
        if not leads_somewhere(path):
            continue
        if not reading.real(path).is_relative_to(reading.real(root)):
            raise place.fail("parent", f"{path} leads out of {root}")
        return path
    return None
