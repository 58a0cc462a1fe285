"""Model files of Ultralytics from anybody, which Ultralytics itself evaluates: names of code, and endless rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import archdsl.tools.cli.import_command  # noqa: F401  (it imports NumPy, and compiles data classes)
from attacks.case import Attack, command

READ = command("import", "theirs.yaml", "-o", "ours.yaml")
HEAD = "nc: 80\nscales: {n: [1.0, 1.0, 1024]}\n"
CONV = "[-1, 1, Conv, [64, 3, 2]]"


def rows(*lines: str, head: str = HEAD) -> Callable[[Path], object]:
    text = "".join([f"  - {line}\n" for line in lines])
    return lambda folder: (folder / "theirs.yaml").write_text(f"{head}backbone:\n{text}head:\n  - {CONV}\n")


ATTACKS = [
    Attack("a module that is code", rows("[-1, 1, \"__import__('os').system\", [ls]]"), READ, "no module"),
    Attack("an argument that is code", rows("[-1, 1, Conv, [\"open('secret.txt').read()\"]]"), READ, "argument 0"),
    Attack("an activation that is code", rows(CONV, head=HEAD + "activation: os.system('ls')\n"), READ, "not known"),
    Attack("a module of torch", rows("[-1, 1, nn.Sequential, []]"), READ, "no module"),
    Attack("many repeats", rows("[-1, 1000000000, C2f, [64]]"), READ, "not [from, repeats"),
    Attack("depth without end", rows("[-1, 900, C2f, [64]]", head=HEAD.replace("1.0, 1.0", "99.0, 1.0")), READ, None),
    Attack("a width without end", rows(f"[-1, 1, Conv, [{'9' * 50}, 1]]"), READ, None),
    Attack("a scale that is not a number", rows(CONV, head=HEAD.replace("1.0, 1.0", ".nan, .inf")), READ, "expected"),
    Attack("a stride of nothing", rows("[-1, 1, Conv, [64, 3, 0]]"), READ, None),
    Attack("a negative kernel", rows("[-1, 1, Conv, [64, -3, 2]]"), READ, None),
    Attack("enlarged by nothing", rows("[-1, 1, nn.Upsample, [None, 0, nearest]]"), READ, "expected"),
    Attack("bottlenecks without end", rows("[-1, 1, RepNCSPELAN4, [64, 64, 32, 65536]]"), READ, None),
    Attack("areas without end", rows("[-1, 1, A2C2f, [64, True, 65536]]"), READ, None),
    Attack("a head of another key", rows(CONV, "[-1, 1, Detect, [__class__]]"), READ, "a number of classes"),
    Attack("points without end", rows(CONV, "[-1, 1, Pose, [nc, [999999, 3]]]"), READ, "kpt_shape"),
    Attack("many rows", rows(*[CONV] * 2000), READ, "at most 1000 rows"),
    Attack("smaller and smaller", rows(*[CONV] * 999), READ, None),
]
