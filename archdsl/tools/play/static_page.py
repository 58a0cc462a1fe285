"""Writes the page as static files for any web server; archdsl itself runs in the browser, in Pyodide."""

from __future__ import annotations

import importlib.util
import io
import json
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path

from archdsl.backends.atomic_write import folder_written_whole
from archdsl.diagnostics.problems import ArchError, Mark, Problem, fail
from archdsl.frontend.compose.search_path import config_root
from archdsl.tools.editing.document import Document
from archdsl.tools.play.page_files import page_files
from archdsl.tools.play.site import Site

PYODIDE = ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip", "pyodide-lock.json")
"""The files of Pyodide that Python in a worker needs."""
CORE = "pydantic-core"
"""The one package that is not pure Python; PyPI has it built for Pyodide."""
VERSION = "314.0.7"
"""The tested version of Pyodide; others of the same kind work too."""
PURE = {
    "antlr4": "antlr4-python3-runtime",
    "hydra": "hydra-core",
    "omegaconf": "omegaconf",
    "packaging": "packaging",
    "typing_extensions": "typing_extensions",
    "yaml": "PyYAML",
}
"""The pure Python packages that an analysis imports, and their distributions, which have the licences."""
_HERE = Path(__file__).parent
_PACKAGE = _HERE.parents[1]
_LEFT_OUT = {"browser", "bundle", "configs", "page"}
_KINDS = {".py", ".yaml", ".json", ".html", ".css", ".js"}
_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # so that the same files make the same archive


def write_static(site: Site, folder: Path, pyodide: Path) -> None:
    """Write the page that begins with the site's text into a new folder, or one that holds nothing but this page.

    `pyodide` holds Pyodide's files and the wheel of pydantic-core. Raises ArchError for what is missing there, and for
    a text that cannot be read without its own folder.
    """
    _refuse_other_parents(site)
    get = f"npm install --prefix FOLDER pyodide@{VERSION}; then --pyodide FOLDER/node_modules/pyodide"
    runtime = [_needed(pyodide, name, get) for name in PYODIDE]
    files = _files(site, _core(pyodide))
    with folder_written_whole(folder, [*files, "pyodide"]) as unfinished:
        for name, data in files.items():
            (unfinished / name).write_bytes(data)
        (unfinished / "pyodide").mkdir()
        for path in runtime:
            shutil.copyfile(path, unfinished / "pyodide" / path.name)


def _refuse_other_parents(site: Site) -> None:
    def broken(folder: Path | None) -> tuple[Problem, ...]:
        return Document(site.first.name, site.first.text, folder=folder, overrides=site.overrides).problems

    alone = broken(None)
    if alone and not broken(site.folder.path):
        raise ArchError([each._replace(hint="a page without a server has the shipped configs only") for each in alone])


def _core(folder: Path) -> Path:
    """The wheel beside Pyodide's files that matches its platform; no other could be loaded."""
    try:
        info = json.loads((folder / "pyodide-lock.json").read_text())["info"]
        (major, minor, *_), abi = str(info["python"]).split("."), info["abi_version"]
    except (ValueError, LookupError, TypeError):
        raise fail("missing-file", "not one of Pyodide's", mark=Mark(str(folder / "pyodide-lock.json"))) from None
    tag, platform = f"cp{major}{minor}", f"pyemscripten_{abi}_wasm32"
    options = f"--only-binary :all: --implementation cp --python-version {major}.{minor} --abi {tag}"
    get = f"pip download {CORE} --no-deps {options} --platform {platform} -d {folder}"
    return _needed(folder, f"{CORE.replace('-', '_')}-*-{tag}-{tag}-{platform}.whl", get)


def _needed(folder: Path, name: str, get: str) -> Path:
    found = sorted(folder.glob(name))
    if not found:
        raise fail("missing-file", f"there is no '{name}'", mark=Mark(str(folder)), hint=get)
    return found[-1]


def _files(site: Site, core: Path) -> Mapping[str, bytes]:
    """All files but Pyodide's, by name."""
    start = {"name": site.first.name, "text": site.first.text, "overrides": list(site.overrides)}
    own = {path.name: path.read_bytes() for path in sorted((_HERE / "browser").iterdir())}
    page = {name: file.data for name, file in page_files().items()}
    page["codemirror.LICENSE.txt"] = (_HERE / "page/codemirror.LICENSE.txt").read_bytes()
    return {**page, **own, "packages.zip": _packages(core), "start.json": json.dumps(start).encode()}


def _packages(core: Path) -> bytes:
    """A zip of archdsl, the packages it imports for an analysis, and the shipped configs."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as written:
        for name, path in [*_sources(), *_configs(), *_licences()]:
            written.writestr(zipfile.ZipInfo(name, _LONG_AGO), path.read_bytes(), zipfile.ZIP_DEFLATED)
        with zipfile.ZipFile(core) as wheel:
            for each in wheel.infolist():
                written.writestr(each, wheel.read(each), zipfile.ZIP_DEFLATED)
    return archive.getvalue()


def _sources() -> Iterator[tuple[str, Path]]:
    for path in _below(_PACKAGE):
        inside = path.relative_to(_PACKAGE)
        if not _LEFT_OUT & set(inside.parts):
            yield f"archdsl/{inside.as_posix()}", path
    for name in PURE:
        found = importlib.util.find_spec(name)
        assert found and found.origin
        path = Path(found.origin)
        whole = path.parent if path.name == "__init__.py" else path
        for each in _below(whole) if whole.is_dir() else (path,):
            yield each.relative_to(whole.parent).as_posix(), each


def _configs() -> Iterator[tuple[str, Path]]:
    for path in _below(config_root()):
        yield f"archdsl/configs/{path.relative_to(config_root()).as_posix()}", path


def _licences() -> Iterator[tuple[str, Path]]:
    for name in PURE.values():
        for file in metadata.files(name) or ():
            if "LICENSE" in file.name.upper():
                yield f"licences/{name}/{file.name}", Path(str(file.locate()))


def _below(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix in _KINDS and "__pycache__" not in path.parts:
            yield path
