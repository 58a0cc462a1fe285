"""Where configs are: the shipped folder and the user's own. Finds files, reads only what a config may be."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterable
from functools import lru_cache
from itertools import islice
from pathlib import Path

from archdsl.diagnostics.problems import ArchError, Mark, fail
from archdsl.diagnostics.wording import did_you_mean
from archdsl.frontend.compose.usual_names import meant_preset
from archdsl.frontend.yaml.embedded import SUFFIX
from archdsl.frontend.yaml.files import _LOOKED_AT, NAMED, config_files, names_in, real

_FOLDERS = 100
_NOWHERE = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG)


@lru_cache(maxsize=1)
def config_root() -> Path:
    """The folder of the shipped configs: inside an installed package, else beside it in the checkout."""
    package = Path(str(sys.modules[__name__.partition(".")[0]].__file__)).resolve().parent
    installed = package / "configs"
    return installed if installed.is_dir() else package.parent / "configs"


def preset_names() -> list[str]:
    """Names of the shipped presets: files of the shipped folder itself; those in its sub-folders are families."""
    return sorted([name.removesuffix(".yaml") for name in config_files(config_root()) if name.endswith(".yaml")])


def find_config(reference: str | os.PathLike[str]) -> Path:
    """The file that a user means by `reference`: a preset name, or a path.

    Raises ArchError with the nearest preset or file when there is none.
    """
    text = os.fsdecode(reference)
    looks_like_path = text.endswith((".yaml", ".yml", SUFFIX)) or os.sep in text or text.startswith(".")
    shipped = config_root() / f"{text}.yaml"
    if not looks_like_path and os.path.isfile(shipped):  # noqa: PTH113  (where pathlib raises, it answers)
        return shipped
    path = Path(text)
    if text and leads_somewhere(path):
        return path
    if not path.is_absolute() and ".." not in path.parts and leads_somewhere(shipped):  # a family, `family/yolo_v8`
        return shipped
    raise _missing(text, path) if looks_like_path else _unknown(text)


def existing(path: Path) -> Path:
    """The path of a file. Raises ArchError with the nearest file where there is nothing."""
    if not leads_somewhere(path):
        raise _missing(os.fspath(path), path)
    return path


def _unknown(text: str) -> ArchError:
    known = [*preset_names(), *config_files(Path())]
    hint = meant_preset(text, known) or "`archdsl list` prints the presets; a file ends in .yaml"
    return fail("unknown-preset", f"no preset or file '{text[:200]}'", hint=hint)


def _missing(text: str, path: Path) -> ArchError:
    """The error for a file that does not exist, with the nearest one in its folder or among the shipped configs."""
    mark = Mark(text[:200])
    folder = path.parent
    if not leads_somewhere(folder):
        hint = did_you_mean(folder.name, _folders(folder.parent)) or did_you_mean(text, _shipped())
        if text.startswith("~"):
            hint = "write the whole path; ~ is expanded by the shell only where no quote is around it"
        return fail("missing-file", f"there is no folder '{str(folder)[:200]}'", mark=mark, hint=hint)
    hint = did_you_mean(path.name, config_files(folder)) or meant_preset(path.stem, [*preset_names(), *_shipped()])
    if not hint and config_files(folder):
        hint = f"its folder holds {', '.join(config_files(folder)[:NAMED])}"
    return fail("missing-file", "there is no such file", mark=mark, hint=hint)


def leads_somewhere(path: Path) -> bool:
    """Whether there is anything at `path`, perhaps something that cannot be read."""
    try:
        path.stat()
    except OSError as error:
        return error.errno not in _NOWHERE
    except ValueError:  # no name that a file can have
        return False
    return True


def _folders(folder: Path) -> list[str]:
    return names_in(folder, lambda entry: entry.is_dir())


def parent_names(root: Path) -> list[str]:
    """Names of the parents in `root` and its sub-folders: c2f, family/yolo_v8. Of large folders not all."""
    groups = ["", *[f"{name}/" for name in _folders(root)[:_FOLDERS]]]
    names = (f"{group}{name.removesuffix('.yaml')}" for group in groups for name in config_files(root / group))
    return list(islice((name for name in names if not name.endswith(".yml")), _LOOKED_AT))


def options_of(group: str, roots: Iterable[Path]) -> list[str]:
    """The options of a config group, of the user's own and of the shipped ones."""
    inside = [root / group for root in roots if real(root / group).is_relative_to(real(root))]
    return sorted(
        {name.removesuffix(".yaml") for folder in inside for name in config_files(folder) if name.endswith(".yaml")}
    )


def _shipped() -> list[str]:
    """The shipped families, as a config names them: family/yolo_v8."""
    return [str(path.relative_to(config_root()).with_suffix("")) for path in config_root().glob("*/*.yaml")]
