"""`defaults: [parent, _self_]`: which files a config is made of, and how they merge. Equal to Hydra's Defaults List."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archdsl.diagnostics.codes import CodeName
from archdsl.diagnostics.problems import ArchError, Mark, Note, Problem, fail
from archdsl.diagnostics.unicode import ascii_form, named
from archdsl.diagnostics.wording import describe, did_you_mean
from archdsl.frontend.budget import DEFAULT, Budget, allow_more
from archdsl.frontend.compose.search_path import config_root, leads_somewhere, parent_names, real
from archdsl.frontend.source import KeyPath, Source
from archdsl.frontend.values import too_many_values
from archdsl.frontend.yaml.files import read_file

SELF = "_self_"
_REFERENCE = re.compile(r"/?[A-Za-z0-9_\-]+(?:/[A-Za-z0-9_\-]+)*")


@dataclass(frozen=True)
class Member:
    """A file that a config is made of. Names in it are looked up in `root`, relative to its sub-folder `group`."""

    source: Source
    root: Path | None
    group: str = ""
    chain: tuple[str, ...] = ()
    named_at: Mark | None = None
    budget: Budget = DEFAULT

    def fail(self, code: CodeName, message: str, index: int | None = None, hint: str = "") -> ArchError:
        path: KeyPath = ("defaults",) if index is None else ("defaults", index)
        trail = f" ({' <- '.join(self.chain)})" if len(self.chain) > 1 else ""
        mark = self.source.place(path).value
        return fail(code, message + trail, mark=mark, path=".".join(map(str, path)), hint=hint)


def lineage(source: Source, root: Path | None, budget: Budget = DEFAULT) -> list[Source]:
    """The files that make up `source`, parents before children as the Defaults Lists order them.

    `root` is the config's own folder, None for a config that has none (a dict). Parents are looked for there,
    then among the shipped configs, and nowhere else.
    """
    members: dict[str, Member] = {}
    count = 0
    for member in _walk(Member(source, root, _group(source, root), (source.file,), budget=budget)):
        first = members.setdefault(member.source.file, member)
        if first is not member:
            raise _named_twice(first, member)
        count += len(member.source.places)
        if count > budget.values:
            found = too_many_values(budget)
            raise member.fail(found.code, f"{found.message} in all files", hint=found.hint)
    return [member.source for member in members.values()]


def _named_twice(first: Member, second: Member) -> ArchError:
    notes = [Note(first.named_at, "it is named first at")] if first.named_at else []
    message = f"{second.source.file} is inherited twice ({' <- '.join(second.chain)})"
    hint = "name it in one Defaults List only"
    return fail("duplicate-parent", message, mark=second.named_at, path="defaults", hint=hint, notes=notes)


def _group(source: Source, root: Path | None) -> str:
    """The sub-folder of `root` that the file is in: what the names of its parents are relative to."""
    if root is None:
        return ""
    file, folder = real(source.file), real(root)
    group = file.relative_to(folder).parent.as_posix() if file.is_relative_to(folder) else "."
    return "" if group == "." else group


def _walk(member: Member) -> Iterator[Member]:
    _check_package(member)
    for index, entry in enumerate(_entries(member)):
        if entry == SELF:
            yield member
        else:
            yield from _walk(_parent(member, index, entry))


def _entries(member: Member) -> list[str]:
    """The Defaults List of a file; one that inherits nothing is just itself."""
    if "defaults" not in member.source.values:
        return [SELF]
    entries = member.source.values["defaults"]
    if not isinstance(entries, list):
        message = f"expected a list of config names, such as [family/yolo_v8, _self_], got {describe(entries)}"
        hint = f"write defaults: [{entries}, {SELF}]" if isinstance(entries, str) else "write [family/yolo_v8, _self_]"
        raise member.fail("type", message, hint=hint[:200])
    for index, entry in enumerate(entries):
        if not isinstance(entry, str):
            message = f"expected a config name, such as family/yolo_v8, got {describe(entry)}"
            raise member.fail("type", message, index, _as_name(entry))
    if entries.count(SELF) != 1:
        # Without it Hydra puts the file before its parents, so that they would override it.
        hint = f"write defaults: [{', '.join([e for e in entries if e != SELF] + [SELF])}]"
        raise member.fail("defaults", "the list must hold _self_ once, where this file itself comes", hint=hint)
    return entries


def _as_name(entry: Any) -> str:
    """The fix for an entry of Hydra's other forms: {family: yolo_v8}, {optional family: yolo_v8}."""
    if not isinstance(entry, dict) or len(entry) != 1:
        return "write names in a list: [family/yolo_v8, _self_]"
    (group, name), *_ = entry.items()
    words = str(group).split()
    if len(words) > 1:
        return f"'{words[0]}' is not for parents: they are always there, and each is named once"
    return f"write {group}/{name} for {{{group}: {name}}}" if isinstance(name, str) else "write family/yolo_v8"


def _parent(member: Member, index: int, entry: str) -> Member:
    if not _REFERENCE.fullmatch(entry):
        message = f"'{entry[:200]}' is not a config name; expected one such as family/yolo_v8, without suffix"
        raise member.fail("parent", message, index, _fix(entry))
    name = entry.lstrip("/") if entry.startswith("/") or not member.group else f"{member.group}/{entry}"
    path = _find(member, index, name)
    place = real(path)
    if any(place == real(file) for file in member.chain):
        chain = " -> ".join([Path(file).stem for file in member.chain] + [path.stem])
        raise member.fail("cycle", f"{name} inherits from itself: cycle: {chain}", index, "take this parent out")
    if len(member.chain) >= member.budget.parents:
        hint = allow_more("parents", 2 * member.budget.parents)
        raise member.fail("limit", f"inherits through more than {member.budget.parents:.0f} files", index, hint)
    source = _read(path, member, index)
    named_at = member.source.place(("defaults", index)).value
    heirs = (*member.chain, source.file)
    return Member(source, member.root, name.rpartition("/")[0], heirs, named_at, member.budget)


def _read(path: Path, member: Member, index: int) -> Source:
    """The parent at `path`. Its problems name the files that inherit it, and point there if they have no place."""
    try:
        return read_file(path, budget=member.budget)
    except ArchError as error:
        trail = " <- ".join([*member.chain, str(path)])
        entry = member.source.place(("defaults", index)).value
        raise ArchError([_inherited(found, entry, trail) for found in error.problems]) from None


def _inherited(found: Problem, entry: Mark, trail: str) -> Problem:
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
        return f"write {bare}" + (f" ({named(entry)})" if plain != entry and named(entry) else "")
    if ".." in entry or Path(entry).is_absolute() or "~" in entry:
        return "it leads out of the config's folder: put the parent beside the config, or take a preset"
    if "@" in entry:
        return f"parents have no package: write {entry.partition('@')[0]}"
    return "parents are looked for beside the config and among the presets"


def _check_package(member: Member) -> None:
    """Hydra puts the values of any other file under the name of its package or folder."""
    package = member.source.package
    if package == "_global_" or not (package or member.group):
        return
    fact = f"the package {package} is not allowed" if package else "a parent in a sub-folder must be marked as global"
    mark = Mark(member.source.file, 1, 1)
    raise fail("package", fact, mark=mark, hint="make the first line `# @package _global_`")


def _find(member: Member, index: int, name: str) -> Path:
    roots = [root for root in (member.root, config_root()) if root is not None]
    for root in roots:
        path = root / f"{name}.yaml"
        if not leads_somewhere(path):
            continue
        if not real(path).is_relative_to(real(root)):
            raise member.fail("parent", f"{path} leads out of {root}", index)
        return path
    known = [name for root in roots for name in parent_names(root)]
    places = " or ".join(str(root) for root in roots)
    raise member.fail("unknown-parent", f"no config '{name}' in {places}", index, did_you_mean(name, known))
