"""Texts that act on the terminal or the CI system that they are printed to, or on the shell that completes them."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from click.shell_completion import ShellComplete

from archdsl.cli import cli, explain_command, main  # noqa: F401  (importing the second compiles data classes)
from attacks.case import Attack

ESCAPES = "::error::\x1b]0;PWNED\x07\x1b[2J\x9b31m\u202e\n::error::forged"
BASE = "defaults: [yolo_v8_s_backbone, _self_]\n"
DESCRIPTION = '"words\\n::error::forged\\n  ::stop-commands::x\\n##[error]forged\\u202e"'
FORGING = f"""{BASE}description: {DESCRIPTION}
blocks:
  mine: {{description: {DESCRIPTION}, arguments: {{width: null}}, layers: {{c: {{block: conv, width: $width}}}}}}
"""


def files(folder: Path) -> None:
    (folder / "net.yaml").write_text(FORGING)
    (folder / f"{ESCAPES}.yaml").write_text("naem: x\n")
    (folder / "keys.yaml").write_text(f"{BASE}'z;touch${{IFS}}PWNED;#': x\n")
    (folder / "plugin.py").write_text("raise SystemExit('ran')\n")


def printed(*arguments: str) -> Callable[[Path], object]:
    """Runs `archdsl ARGUMENTS`, prints what it prints, and fails if a line of it is more than text."""

    def act(folder: Path) -> None:
        out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="")
        try:
            with redirect_stdout(out), redirect_stderr(out):
                main(list(arguments))
        finally:
            out.flush()
            text = out.buffer.getvalue().decode()
            check(text)
            sys.stderr.write(text)

    return act


def check(text: str) -> None:
    for line in text.split("\n"):
        if not line.isprintable() or line.lstrip().startswith("::") or "##[" in line:
            raise AssertionError(ascii(line))


def completed(*arguments: str) -> Callable[[Path], object]:
    """What is put in where the user types TAB after `archdsl ARGUMENTS`; fails for more than names."""

    def act(folder: Path) -> None:
        *before, start = arguments
        for item in ShellComplete(cli, {}, "archdsl", "_ARCHDSL_COMPLETE").get_completions(before, start):
            if item.type == "plain" and set(item.value) & set(" ;$`'\"|&<>()#\n"):
                raise AssertionError(item.value)

    return act


BAD = f"{ESCAPES}.yaml"

ATTACKS = [
    Attack("a file's name", files, printed("show", BAD), "error[unknown-key]"),
    Attack("a name that is not there", files, printed("show", f"{ESCAPES}/x.yaml"), "error[missing-file]"),
    Attack("several files", files, printed("validate", BAD, "net.yaml"), "error[unknown-key]"),
    Attack("descriptions of blocks", files, printed("blocks", "--config", "net.yaml")),
    Attack("the description of a block", files, printed("blocks", "--config", "net.yaml", "mine")),
    Attack("a description", files, printed("resolve", "net.yaml")),
    Attack("a description explained", files, printed("explain", "net.yaml", "description")),
    Attack("a description in JSON", files, printed("explain", "net.yaml", "description", "--json")),
    Attack("a description that differs", files, printed("diff", "net.yaml", "yolo_v8_s_backbone")),
    Attack("an override", files, printed("show", "net.yaml", ESCAPES), "error["),
    Attack("a plugin's name", files, printed("show", "net.yaml", "--plugin", f"{ESCAPES}.py"), "error[missing-file]"),
    Attack("an option", files, printed("show", f"--{ESCAPES}"), "No such option"),
    Attack("a key that is completed", files, completed("show", "keys.yaml", "")),
    Attack("a key of explain that is completed", files, completed("explain", "keys.yaml", "")),
    Attack("a plugin while completing", files, completed("show", "--plugin", "plugin.py", "")),
]
