"""examples/editors: the extension of VS Code is built and starts the server; the settings of other editors name it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from support import EXAMPLES, TESTS

import archdsl

EDITORS = EXAMPLES / "editors"
EXTENSION = EDITORS / "vscode"
MODULES = Path(os.environ.get("NODE_PATH", Path(sys.prefix) / "node" / "node_modules"))
SERVER = ["archdsl", "lsp"]
HERE = [sys.executable, "-m", *SERVER]
PATIENCE_S = 120

Json = dict[str, Any]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The extension in a folder of its own, built as its package.json says."""
    folder = tmp_path_factory.mktemp("extension") / "vscode"
    shutil.copytree(EXTENSION, folder, ignore=shutil.ignore_patterns("node_modules", "dist"))
    for package in ("esbuild", "vscode-languageclient"):
        assert (MODULES / package).is_dir(), f"there is no {MODULES / package}, which tests/run.sh installs"
    (folder / "node_modules").symlink_to(MODULES)
    subprocess.run(["npm", "run", "build", "--silent"], cwd=folder, check=True, timeout=PATIENCE_S)
    return folder


@pytest.fixture(scope="module")
def manifest() -> Json:
    found: Json = json.loads((EXTENSION / "package.json").read_text())
    return found


def started(built: Path, **settings: object) -> Json:
    """What the built extension does with these settings, in a stand-in for VS Code."""
    main = built / json.loads((built / "package.json").read_text())["main"]
    command = ["node", str(TESTS / "support" / "vscode_stub.js"), str(main), json.dumps({"archdsl": settings})]
    run = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=True)
    found: Json = json.loads(run.stdout.splitlines()[-1])
    return found


def test_the_manifest_has_what_vs_code_wants(manifest: Json) -> None:
    wanted = {"name": r"[a-z][a-z0-9-]*", "publisher": r"[a-z][a-z0-9-]*", "version": r"\d+\.\d+\.\d+"}
    assert all(re.fullmatch(pattern, manifest[key]) for key, pattern in wanted.items())
    assert re.fullmatch(r"\^1\.\d+\.0", manifest["engines"]["vscode"])
    assert manifest["activationEvents"] == ["onLanguage:yaml"]
    assert manifest["version"] == archdsl.__version__
    commands = manifest["contributes"]["commands"]
    assert all(each.keys() == {"command", "title", "category"} for each in commands)


def test_every_setting_has_a_default_of_its_type(manifest: Json) -> None:
    settings = manifest["contributes"]["configuration"]["properties"]
    assert settings.keys() == {"archdsl.command", "archdsl.files"}
    for setting in settings.values():
        jsonschema.Draft7Validator.check_schema(setting)
        jsonschema.validate(setting["default"], setting)
    assert settings["archdsl.command"]["default"] == SERVER
    assert settings["archdsl.command"]["scope"] == "machine"  # a folder from elsewhere may not name a program


def test_the_built_extension_starts_the_server_and_ends_it(built: Path, manifest: Json) -> None:
    found = started(built, command=HERE, files=["nets/*.yaml"])
    assert (found["errors"], found["activated"]) == ([], True)
    assert found["commands"] == [each["command"] for each in manifest["contributes"]["commands"]]
    assert found["server"] == {"command": HERE[0], "args": HERE[1:]}
    assert found["client"]["initializationOptions"] == {"files": ["nets/*.yaml"]}
    assert {"language": "yaml"} in found["client"]["documentSelector"]


def test_without_a_server_it_says_how_to_install_it(built: Path) -> None:
    *_, error = started(built, command=["/nowhere/archdsl", "lsp"])["errors"]
    assert "pip install 'archdsl[lsp]'" in error


def test_other_editors_start_the_same_server() -> None:
    helix = tomllib.loads((EDITORS / "helix" / "languages.toml").read_text())
    server = helix["language-server"]["archdsl"]
    assert [server["command"], *server["args"]] == SERVER
    assert "archdsl" in helix["language"][0]["language-servers"]
    zed = json.loads((EDITORS / "zed" / "settings.json").read_text())
    binary = zed["lsp"]["yaml-language-server"]["binary"]
    assert [binary["path"], *binary["arguments"]] == SERVER
    assert 'cmd = { "archdsl", "lsp" }' in (EDITORS / "neovim" / "archdsl.lua").read_text()


def test_the_readme_names_every_editor() -> None:
    text = (EDITORS / "README.md").read_text()
    assert all(f"({folder.name}/" in text for folder in EDITORS.iterdir() if folder.is_dir())
