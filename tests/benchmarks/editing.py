"""From a keystroke to diagnostics and hints, over the standard streams of the language server, as one table:

python tests/benchmarks/editing.py [PRESET] [--keys 500]

A preset's own few lines, and all of it resolved into one file. Each key changes a number, a name, or breaks the text;
the time is from before the change is sent until both its diagnostics and the hints asked for with it are there.
"""

from __future__ import annotations

import argparse
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1]))
from support.language_server import ARCHDSL, Connection

from archdsl.analysis.text import Table
from archdsl.frontend.compose.search_path import find_config

EVERYTHING = {"start": {"line": 0, "character": 0}, "end": {"line": 100_000, "character": 0}}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("preset", nargs="?", default="yolo_v8_s_detect")
    parser.add_argument("--keys", type=int, default=500)
    arguments = parser.parse_args()
    texts = {
        "its own lines": find_config(arguments.preset).read_text(),
        "in one file": resolved(arguments.preset),
    }
    rows = []
    for name, text in texts.items():
        times = sorted(latencies("# archdsl\n" + text, arguments.keys))
        figures = [median(times), times[int(0.95 * len(times))], times[-1]]
        rows.append((name, str(text.count("\n")), *[f"{1e3 * each:.1f}" for each in figures]))
    headers = ("text", "lines", "median ms", "95 % ms", "worst ms")
    print(f"{arguments.preset}, {arguments.keys} keys", *Table(headers, rows, headers[1:]).lines(), sep="\n")


def resolved(preset: str) -> str:
    """All of a preset as one text."""
    command = [sys.executable, "-m", "archdsl", "resolve", preset]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def latencies(text: str, keys: int) -> Iterator[float]:
    """Seconds for each of so many keys."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.arch.yaml"
        path.write_text(text)
        process = subprocess.Popen(ARCHDSL, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        editor = Connection(process)
        editor.open(path.as_uri(), text)
        editor.diagnostics(path.as_uri())
        for version, changed in enumerate(typed(text, keys), start=2):
            began = time.perf_counter()
            editor.change(path.as_uri(), changed, version)
            editor.diagnostics(path.as_uri(), version)
            editor.of_text("inlayHint", path.as_uri(), range=EVERYTHING)
            yield time.perf_counter() - began
        editor.end()


def typed(text: str, keys: int) -> Iterator[str]:
    """The text with one number of it another, a letter left out, or its rest not there yet."""
    chance = random.Random(0)
    numbers = list(re.finditer(r"\b[1-9]\d*\b", text))
    for key in range(keys):
        place = chance.randrange(text.index("\n") + 1, len(text))
        number = chance.choice(numbers)
        yield (
            text[: number.start()] + str(chance.randrange(1, 9)) + text[number.end() :],
            text[:place] + text[place + 1 :],
            text[:place],
        )[key % 3]


if __name__ == "__main__":
    main()
