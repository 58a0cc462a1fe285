"""Darknet's .cfg and .weights files from anybody: networks that are endless, and files that lie about their size."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path

import archdsl.tools.cli.import_command
import archdsl.weights.darknet  # noqa: F401  (before it is watched: they import NumPy, and compile data classes)
from attacks.case import Attack, command

NET = "[net]\nchannels=3\n"
CONV = "[convolutional]\nbatch_normalize=1\nfilters=8\nsize=3\nstride=2\npad=1\nactivation=leaky\n"
READ = command("import", "net.cfg", "-o", "net.yaml")
LOAD = command("import", "net.cfg", "net.weights", "-o", "net.safetensors")
HEADER = struct.pack("<3iQ", 0, 2, 0, 0)
FLOATS = 8 * 27 + 4 * 8


def cfg(text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / "net.cfg").write_text(text)


def weights(data: bytes) -> Callable[[Path], object]:
    def make(folder: Path) -> None:
        (folder / "net.cfg").write_text(NET + CONV)
        (folder / "net.weights").write_bytes(data)

    return make


def sparse(folder: Path) -> None:
    """A file that is 4 TB long and takes no space."""
    weights(HEADER)(folder)
    os.truncate(folder / "net.weights", 1 << 42)


def piped(folder: Path) -> None:
    (folder / "net.cfg").write_text(NET + CONV)
    os.mkfifo(folder / "net.weights")


def named(folder: Path) -> None:
    """A name that would be YAML of its own."""
    (folder / "a\nplugins: [evil.py]\n#.cfg").write_text(NET + CONV)


WIDE = CONV.replace("filters=8", "filters=65536")
DOUBLING = NET + CONV + "[route]\nlayers=-1,-1\n" * 1500  # channels 2^1500
CONNECTED = "[connected]\noutput=65536\n"
SQUARE = "[net]\nwidth=65536\nheight=65536\nchannels=3\n"
WEIGHTED = "[shortcut]\nfrom=" + ",".join(["0"] * 1000) + "\nweights_type=per_channel\nweights_normalization=softmax\n"
INTO_PRESET = command("build", "yolo_v3_tiny_detect", "--weights", "net.weights", "-o", "net.keras")
INTO_OTHER = command("build", "yolo_v8_xs_backbone", "--weights", "net.weights", "-o", "net.keras")
ATTACKS = [
    Attack("a pipe for a cfg", lambda folder: os.mkfifo(folder / "net.cfg"), READ, "no such file"),
    Attack("a device", lambda folder: (folder / "net.cfg").symlink_to("/dev/zero"), READ, "no such file"),
    Attack("two megabytes of text", cfg(NET + "a=1\n" * 500_000), READ, "more than 1048576 bytes"),
    Attack("many sections", cfg(NET + "[route]\n" * 3000), READ, "more than 2000 sections"),
    Attack("a long line", cfg(NET + "[" + "x" * 900_000 + "]\n"), READ, "is not known"),
    Attack("many numbers", cfg(NET + CONV + "[route]\nlayers=" + "0," * 400_000 + "\n"), READ, "at most 1000 numbers"),
    Attack("doubling channels", cfg(DOUBLING), READ, "expected at most"),
    Attack("wide layers", cfg(NET + WIDE * 4), READ, "budget"),
    Attack("no UTF-8", lambda folder: (folder / "net.cfg").write_bytes(b"[net]\n\xff=1\n"), READ, "encoding"),
    Attack("endless numbers", cfg(NET + CONV.replace("8", "9" * 100_000)), READ, "none beyond"),
    Attack("a tag as activation", cfg(NET + CONV.replace("leaky", "!!python/name:os.system")), READ, "expected one of"),
    Attack("a name that is YAML", named, command("import", "a\nplugins: [evil.py]\n#.cfg", "-o", "net.yaml")),
    Attack("wide connected layers", cfg(NET + CONV + CONNECTED * 3), READ, "budget"),
    Attack("an image of any size before them", cfg(SQUARE + CONV + CONNECTED), READ, "expected at most"),
    Attack("weighted sums of many", cfg(NET + CONV + WEIGHTED * 400), READ, "at most 50000 numbers"),
    Attack("weights with a name but no network", weights(HEADER), INTO_PRESET, "too short", keras=True),
    Attack("weights for another network", weights(HEADER), INTO_OTHER, "its order is not that of", keras=True),
    Attack("weights of 4 TB", sparse, LOAD, "too long"),
    Attack("a pipe of weights", piped, LOAD, "no such weights file"),
    Attack("weights of nothing", weights(b""), LOAD, "too short"),
    Attack("weights of another kind", weights(b"\x80\x02cos\nsystem\n" + bytes(4 * FLOATS)), LOAD, "version"),
    Attack("weights not finite", weights(HEADER + b"\xff" * 4 * FLOATS), LOAD, "not finite"),
    Attack(
        "weights over the cfg",
        weights(HEADER),
        command("import", "net.cfg", "net.cfg", "-o", "net.safetensors"),
        "weights",
    ),
]
