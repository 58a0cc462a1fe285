"""`python -m MODULE ARGUMENTS` in a process that has imported most of it before: a copy of one that waits.

Hundreds of tests run a command in a process of its own. Starting Python and importing archdsl, pydantic, Hydra and
rich takes several times as long as the command itself, so each command is a fork of a process that has done so. What
a start costs or imports is tested elsewhere, in processes that start afresh.
"""

from __future__ import annotations

import atexit
import importlib
import json
import os
import runpy
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from support import TESTS

IMPORTED = """hydra rich.console rich.table archdsl.tools.cli archdsl.tools.hydra.__main__ archdsl.diagnostics.terminal
archdsl.tools.cli.show_command archdsl.tools.cli.check_command archdsl.tools.cli.explain_command""".split()  # noqa: SIM905


def run(module: str, *arguments: str, cwd: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """As subprocess.run([sys.executable, "-m", module, *arguments], capture_output=True, text=True)."""
    server = _server()
    assert server.stdin and server.stdout
    with tempfile.TemporaryDirectory() as folder:
        request = {"module": module, "arguments": arguments, "cwd": str(cwd), "env": env, "folder": folder}
        server.stdin.write(json.dumps(request) + "\n")
        server.stdin.flush()
        status = int(server.stdout.readline())
        out, err = ((Path(folder) / name).read_bytes().decode() for name in ("out", "err"))
    return subprocess.CompletedProcess([module, *arguments], status, out, err)


@cache
def _server() -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": f"{TESTS.parent}:{TESTS}"}
    command = [sys.executable, "-m", "support.processes"]
    server = subprocess.Popen(
        command, cwd=TESTS, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    atexit.register(server.kill)
    return server


def serve() -> None:
    for module in IMPORTED:
        importlib.import_module(module)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            become(json.loads(line))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def become(request: dict[str, Any]) -> None:
    """This process is the command from now on."""
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["cwd"])
    for descriptor, name in enumerate((os.devnull, "out", "err")):
        os.dup2(os.open(Path(request["folder"]) / name, os.O_RDWR | os.O_CREAT), descriptor)
    sys.argv[1:] = request["arguments"]
    status = 0
    try:
        runpy.run_module(request["module"], run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else 0 if ended.code is None else 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
        status = 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    serve()
