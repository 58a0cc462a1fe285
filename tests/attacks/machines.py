"""Files of machines, whose times a prediction takes: another's may be wrong in any way, and do nothing but that."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from attacks.case import Attack, command

NUMBERS = '"macs": 1e11, "bandwidth": 1e10, "overhead": 1e-6'
TEXTS = {
    "not a number": (f'{{{NUMBERS}, "times": {{"Add() on 1": NaN}}}}', "[value]"),
    "endless times": (f'{{{NUMBERS}, "times": {{"Add() on 1": 1e400}}}}', "[value]"),
    "a time below nothing": (f'{{{NUMBERS}, "times": {{"Add() on 1": -1}}}}', "[value]"),
    "no peak": ('{"macs": 0, "bandwidth": 1e-320, "overhead": 0}', "[value]"),
    "a deep file": ("[" * 100_000, "[depth]"),
    "a wide file": (f'{{{NUMBERS}, "times": {{' + ", ".join(f'"{key}": 1' for key in range(150_000)) + "}}", "[limit]"),
    "code": (f"!!python/object/apply:os.system [ls]\n# {NUMBERS}\n", "[tag]"),
    "a secret": ('{"macs": "${oc.env:ARCHDSL_SECRET}", "bandwidth": 1, "overhead": 0}', "[value]"),
    "a billion laughs": ("a: &a [1, 2]\nb: &b [*a, *a]\nmacs: [*b, *b]\n", "[unknown-key]"),
    "control characters": (f'{{{NUMBERS}, "times": {{"\\u001b[2J": -1}}}}', "[encoding]"),
}


def written(text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / "machine.json").write_text(text)


def linked(folder: Path) -> None:
    (folder / "machine.json").symlink_to("/dev/zero")


SHOWN = command("show", "csp_darknet_tiny", "--machine", "machine.json")
ATTACKS = [
    *[Attack(name, written(text), SHOWN, answer) for name, (text, answer) in TEXTS.items()],
    Attack("a machine that is a device", linked, SHOWN, "[not-a-file]"),
]
