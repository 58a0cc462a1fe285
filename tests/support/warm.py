"""`python -m MODULE …` in a copy of a process that has imported archdsl: a sixth of the time of one that starts anew.

What is about Python's start, about what is imported, or about closed and full streams, needs a process of its own.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import resource
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any


@cache
def original(keras: bool) -> tuple[subprocess.Popen[str], tempfile.TemporaryDirectory[str]]:
    """The process that is copied, which has imported Keras or has not, and a folder for what goes in and out."""
    command = [sys.executable, __file__, *["keras"] * keras]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    atexit.register(process.communicate)
    return process, tempfile.TemporaryDirectory()


def run(
    module: str,
    *arguments: str,
    folder: Path,
    text: str = "",
    limits: Mapping[int, int] | None = None,
    keras: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Runs a module, or a file that ends in .py, in `folder`.

    It has `text` as its standard input, `limits` of `resource`, and Keras at hand if it is asked for.
    """
    process, streams = original(keras)
    assert process.stdin and process.stdout
    paths = [Path(streams.name, name) for name in ("in", "out", "err")]
    for path, content in zip(paths, (text, "", ""), strict=True):
        path.write_text(content)
    order = [
        module,
        arguments,
        str(folder),
        dict(os.environ),
        [str(path) for path in paths],
        list((limits or {}).items()),
    ]
    print(json.dumps(order), file=process.stdin, flush=True)
    code = int(process.stdout.readline())
    return subprocess.CompletedProcess([module, *arguments], code, paths[1].read_text(), paths[2].read_text())


def next_order() -> list[Any]:
    """Waits for orders; each is returned in a copy of this process, whose exit code this one prints."""
    for line in sys.stdin:
        copy = os.fork()
        if copy == 0:
            return list(json.loads(line))
        print(os.waitstatus_to_exitcode(os.waitpid(copy, 0)[1]), flush=True)
    sys.exit()


def follow(
    module: str,
    arguments: Iterable[str],
    folder: str,
    environment: dict[str, str],
    streams: Iterable[str],
    limits: Iterable[tuple[int, int]],
) -> None:
    """Becomes the process that was ordered, and ends."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for number, path in enumerate(streams):
        os.dup2(os.open(path, os.O_RDWR), number)
    for limit, value in limits:
        resource.setrlimit(limit, (value, value))
    sys.argv = [module, *arguments]
    code: Any = 0
    try:
        if module.endswith(".py"):
            sys.path.insert(0, str(Path(module).resolve().parent))
            runpy.run_path(module, run_name="__main__")
        else:
            runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        code = ended.code
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code or 0)  # taking all modules apart takes longer than most commands


def warm_up() -> None:
    from archdsl.tools.cli import COMMANDS

    for name in COMMANDS:
        importlib.import_module(f"archdsl.tools.cli.{name}_command")
    for name in sys.argv[1:]:  # TensorFlow starts its threads when it first computes, which is in the copy
        importlib.import_module(name)
    importlib.import_module("archdsl.tools.hydra.__main__").Plugins.instance()  # which imports all of Hydra's
    gc.freeze()


if __name__ == "__main__":
    del sys.path[0]
    warm_up()
    follow(*next_order())
