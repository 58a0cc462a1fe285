"""The command line, one file a command. A command's file is imported when it is called, so that each starts fast.

Exit code 0: done. 2: the input cannot be used; one report on standard error. 1: a bug.
"""

from __future__ import annotations

import errno
import gc
import importlib
import os
import sys
import warnings
from collections.abc import Sequence
from typing import TextIO

import click

from archdsl.diagnostics.packages import missing_package
from archdsl.diagnostics.problems import ArchError
from archdsl.diagnostics.terminal import print_error, say
from archdsl.diagnostics.unicode import printable
from archdsl.diagnostics.wording import did_you_mean
from archdsl.tools.cli.output import format_warning

COMMANDS = {
    "list": "The shipped presets, with parameters and trained weights.",
    "show": "Layers, outputs, parameters and MACs of a config.",
    "draw": "A picture of the architecture: SVG, PNG or PDF.",
    "report": "A page of configs to look at: diagram, tables, maps, costs, differences.",
    "check": "A builder's checklist: strides, channels, objects, pooling; each with what to change.",
    "blocks": "The blocks there are, or one block and its arguments.",
    "resolve": "The whole config as one YAML file, parents and overrides merged in.",
    "validate": "Check config files; nothing is built.",
    "explain": "Where a value of a config comes from, or what an error code means.",
    "diff": "What differs between two configs, in values, layers and costs.",
    "build": "Write a Keras model file.",
    "export": "Write an ONNX file, without Keras, and prove that it gives the same.",
    "play": "Edit a config in a page, with its diagram and its costs beside it.",
    "bench": "Measure configs in runtimes on this machine: time, memory, the share of its peak.",
    "search": "The networks of a space, a file of choices, that are within a budget.",
    "import": "Read a PyTorch checkpoint, without PyTorch, into a .safetensors file with its config.",
    "lsp": "Language server: mistakes, fixes and costs while a config is typed.",
    "schema": "JSON Schema of config files, for editors.",
    "detect": "Find objects in photos: pictures with boxes, or JSON.",
    "features": "Run a photo through a model and draw its feature maps.",
}


class LazyGroup(click.Group):
    """Finds `archdsl NAME` in the module archdsl.tools.cli.NAME_command, and help texts in COMMANDS."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            ctx.fail("; ".join(filter(None, [f"no command '{cmd_name}'", did_you_mean(cmd_name, COMMANDS)])))
        gc.disable()  # importing leaves little garbage, and looking for it is a twentieth of the start
        try:
            command: click.Command = importlib.import_module(f"archdsl.tools.cli.{cmd_name}_command").command
        finally:
            gc.freeze()  # what was imported stays
            gc.enable()
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="archdsl", message="archdsl %(version)s")
def cli() -> None:
    """Vision networks as YAML.

    CONFIG is the name of a preset or the path of a YAML file. OVERRIDE changes values of it in Hydra's
    grammar: scale.width=0.375, +stages.p6={width: 512}, ~stages.p5.
    """


def main(arguments: Sequence[str] | None = None, *, command: click.Command = cli, name: str = "archdsl") -> None:
    """Run a command and exit."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow logs to standard error when it is imported
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # it would look for them in all that is installed
    warnings.formatwarning = format_warning
    try:
        _open_streams()
        code = _run(command, arguments, name)
    except OSError as error:
        code = _after(error)
    if "duckdb" not in sys.modules:  # which complains of what Python has not freed at the end
        gc.freeze()  # the process ends, and Python would look through all of it once more
    if code:
        sys.exit(code)


def _open_streams() -> None:
    """Any character can be written, in any encoding, and what is closed takes no file that is opened later."""
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115, PTH123 (until the process ends)
    if sys.stdout is None:
        message = "standard output is closed"
        raise OSError(errno.EBADF, message)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def _run(command: click.Command, arguments: Sequence[str] | None, name: str) -> int:
    """The exit code. Raises OSError where nothing can be printed."""
    texts: dict[str, str] = {}  # filled by the OVERRIDE arguments
    stdout = sys.stdout
    try:
        command.main(arguments, prog_name=name, standalone_mode=False, obj=texts)
    except ArchError as error:
        print_error(error, texts)
        return 2
    except click.ClickException as error:
        error.message = printable(error.message)  # type: ignore[misc]  # it quotes what was typed
        error.show()
        return 2
    except SystemExit:
        if sys.stdout is stdout:
            raise
        return 0  # click has replaced it, as its reader has gone
    except click.Abort:
        say("interrupted", err=True)
        return 130
    except OSError:
        raise
    except Exception as error:
        missing = missing_package(error)
        if missing is None:
            _print_traceback()
            return 1
        print_error(missing, texts)
        return 2
    return 0


def _print_traceback() -> None:
    import traceback

    say(*traceback.format_exc().split("\n"), err=True)


def _after(error: OSError) -> int:
    """The exit code when the output is full or closed; a reader that has gone (`| head`) is not an error."""
    broken = sys.stdout is None or [stream for stream in (sys.stdout, sys.stderr) if not _can_be_written(stream)]
    if isinstance(error, BrokenPipeError):
        return 0
    if not broken:
        _print_traceback()
        return 1
    say(f"error[output]: standard output cannot be written: {error.strerror}", err=True)
    return 2


def _can_be_written(stream: TextIO) -> bool:
    """Whether a line gets out. A stream that cannot be written is redirected, so that Python can flush it at exit."""
    try:
        print(file=stream, flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        return False
    return True
