"""Texts from a grammar of YAML's tokens, each compiled in this process, which another one watches.

`python tests/support/fuzz.py FIRST_SEED COUNT FOLDER` prints what came of them as JSON. The seed at hand is in
the file `seed` of FOLDER, so that whoever finds this process dead knows what killed it.
"""

from __future__ import annotations

import heapq
import json
import os
import random
import re
import resource
import signal
import sys
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import Any

import archdsl
from archdsl.frontend.sema.schema import ConfigSchema
from archdsl.frontend.sema.vocabulary import fields
from archdsl.schemas.schema import Schema

_KEYS = "defaults budget kernel expansion a b p2 p3"
_WORDS = """
    c2f conv conv_bn_act add concat silu same symmetric p2 p3 p4 family/yolo_v8 yolo_v8_s_backbone _self_ input text
    true false null ~ yes no on off .inf -.inf .nan 0 1 2 8 16 64 -1 1.5 1e3 1e-3 1e999 010 08 0o7 0x1F 1_000 12:30
    2001-01-01 ??? = << mine $hidden $width
"""
_SIGNS = ": , - ? [ ] { } & * ! | > ' \" % @ ` # ~ << ${ } $ \\ --- ... = . / +"
PARTS = [part for part in Schema.__subclasses__() if part.__module__ == ConfigSchema.__module__]
"""The parts of a config: what it may say of itself, of a stage, of a layer …"""
KEYS = [*_KEYS.split(), *sorted({key for part in PARTS for key in fields(part)})]
WORDS = _WORDS.split()
ODD = [
    "9" * 30,
    "9" * 50,
    "9" * 5000,
    "x" * 200,
    "x" * 11_000,
    "",
    "é",
    "日本語",
    "😀",
    "\u0430",
    "\u00a0",
    "\u2028",
    "\u200b",
    "\ufeff",
    "\x07",
    "\ud7ff",
    "\ufffe",
]
REFERENCES = [
    "${scale.width}",
    "${a}",
    "${.a}",
    "${..b}",
    "${stages.p2}",
    "${",
    "${}",
    "${a.${b}}",
    "${oc.env:HOME}",
    "${x:y}",
    r"\${a}",
    "x${a}${b}",
    "${a}${a}",
    "$a",
]
QUOTED = ['"x"', "'x'", '"a b"', "'1'", '"\\u0041\\n"', "'it''s'", '"a\n b"', "'a\n\n b'", '"\\U0001F600"']
BROKEN = ['"\\x"', '"\\ud800"', '"', "'", '"\\0"', '"\\L"', '"\\', "'a' b"]
TAGS = [
    "!x",
    "!",
    "!!str",
    "!!int",
    "!!python/object/apply:os.system",
    "!<tag:x>",
    "!!",
    "!e!x",
    "!!map",
    "!!binary",
    "!<",
]
BLOCKS = ["|", ">", "|-", ">+", "|2", "|9", ">-1", "|0", "|x", "| # note"]
DIRECTIVES = [
    "%YAML 1.2\n---\n",
    "%YAML 3.0\n---\n",
    "%TAG ! tag:x,2000:\n---\n",
    "%TAG !e! tag:e:\n---\n",
    "%FOO\n---\n",
    "%",
    "---\n",
    "--- ",
    "...\n",
    "\ufeff",
    "# @package _global_\n",
    "# note\n",
]
SOUP = [
    *_SIGNS.split(),
    " ",
    "  ",
    "\n",
    "\n  ",
    "\n    ",
    "\t",
    "\r",
    "\r\n",
    ": ",
    "- ",
    "? ",
    "&a ",
    "*a ",
    "\n- ",
    "\n\n",
    "\u2029",
    "\x85",
]
BACKBONES = [
    """\
stages:
  p1: {width: 8, body: {block: conv, kernel: 3, stride: 2}}
  p2: {width: 8, depth: 2, stride: 2, body: {block: residual}}
""",
    """\
defaults: [yolo_v8_xs_backbone, _self_]
scale: {width: 0.5}
stages:
  p4: {depth: 2, body: {block: csp}}
  p5: null
outputs: [p3]
""",
    """\
blocks:
  mine:
    arguments: {width: null, hidden: 4}
    layers:
      one: {block: conv, width: $hidden, from: input}
      two: {block: conv, width: $hidden, depth: 2}
      all: {block: concat, from: [one, two]}
      out: {block: conv, width: $width}
stages: {a: {width: 8, depth: 2, body: {block: mine, hidden: 8}}}
""",
    """\
scale: {max_width: 16}
stages:
  a: &a
    width: ${scale.max_width}
    body: {block: c2f}
    post: {last: {block: conv, from: a_body}}
  b: *a
""",
]
PLACELESS = {"empty", "encoding", "missing-file"}
SECONDS = 20
SLOWEST = 20
MEMORY_BYTES = 4 << 30


class Writer:
    """Writes one document, drawing every choice. `left` bounds how many nodes it has."""

    def __init__(self, seed: int):
        self.draw = random.Random(seed)
        self.anchors: list[str] = []
        self.left = self.draw.choice([3, 10, 30, 100])

    def document(self) -> str:
        kind = self.draw.random()
        if kind < 0.1:
            return self.soup(self.draw.randrange(60))
        if kind < 0.13:
            return self.deep()
        if kind < 0.4:
            return self.backbone()
        text = self.directives() + self.node(0)
        return self.damaged(text) if kind < 0.55 else text

    def directives(self) -> str:
        return self.draw.choice(DIRECTIVES) if self.draw.random() < 0.1 else ""

    def backbone(self) -> str:
        """Nearly a config: one that could be built, but for the values that stand in place of others."""
        text = self.draw.choice(BACKBONES)
        for _ in range(self.draw.randrange(4)):
            word = self.draw.choice([*re.finditer(r"[\w./]+", text)])
            text = text[: word.start()] + self.value(0) + text[word.end() :]
        return text

    def node(self, indent: int) -> str:
        """A block node, at the start of a line that is indented so far."""
        self.left -= 1
        kind = self.draw.random()
        if self.left < 0 or indent > 24 or kind < 0.1:
            return f"{self.properties()}{self.scalar(indent)}\n"
        if kind < 0.25:
            return f"{self.properties()}{self.flow(0)}\n"
        items = range(self.draw.randrange(1, 6))
        margin = " " * indent
        if kind < 0.35:
            return margin.join([f"- {self.inner(indent)}" for _ in items])
        return margin.join([f"{self.key()}{self.colon()}{self.inner(indent)}" for _ in items])

    def inner(self, indent: int) -> str:
        """What stands behind a colon or a dash: a value in the line, or a block below."""
        if self.draw.random() < 0.6:
            return f"{self.properties()}{self.value(indent)}\n"
        deeper = indent + self.draw.choice([1, 2, 2, 2, 4])
        return f"{self.properties()}\n{' ' * deeper}{self.node(deeper)}"

    def value(self, indent: int) -> str:
        return self.flow(0) if self.draw.random() < 0.25 else self.scalar(indent)

    def flow(self, depth: int) -> str:
        self.left -= 1
        kind = self.draw.random()
        if depth > 6 or self.left < 0 or kind < 0.3:
            return self.properties() + self.draw.choice([self.plain(), self.quoted()])
        count = range(self.draw.randrange(5))
        if kind < 0.6:
            return f"[{', '.join([self.flow(depth + 1) for _ in count])}]"
        return f"{{{', '.join([f'{self.key()}{self.colon()}{self.flow(depth + 1)}' for _ in count])}}}"

    def key(self) -> str:
        kind = self.draw.random()
        if kind < 0.97:
            return self.draw.choice(KEYS)
        return self.draw.choice(
            [self.plain(), "<<", "? ", "? a\n", f"*{self.anchor()} ", "'a'", '"a b"', "[a]", "{}", "&k a", "!x a", ""]
        )

    def colon(self) -> str:
        return self.draw.choice([":", " : ", ":\t", "", " "] if self.draw.random() < 0.02 else [": "])

    def properties(self) -> str:
        kind = self.draw.random()
        if kind < 0.05:
            self.anchors.append(self.draw.choice("abcd"))
            return f"&{self.anchors[-1]} "
        return f"{self.draw.choice(TAGS)} " if kind < 0.07 else ""

    def anchor(self) -> str:
        return self.draw.choice([*self.anchors, "a", "z"])

    def scalar(self, indent: int) -> str:
        kind = self.draw.random()
        if kind < 0.06:
            return f"*{self.anchor()}"
        if kind < 0.12:
            return self.quoted()
        if kind < 0.16:
            margin = " " * (indent + self.draw.choice([0, 1, 2, 5]))
            return f"{self.draw.choice(BLOCKS)}\n{margin}{self.plain()}\n\n{margin}{self.plain()}"
        return self.plain()

    def quoted(self) -> str:
        return self.draw.choice(BROKEN if self.draw.random() < 0.05 else QUOTED)

    def plain(self) -> str:
        kind = self.draw.random()
        return self.draw.choice(REFERENCES if kind < 0.06 else ODD if kind < 0.08 else WORDS)

    def deep(self) -> str:
        opening, closing = self.draw.choice(
            [
                ("[", "]"),
                ("{a: ", "}"),
                ("- ", ""),
                ("? ", ""),
                ("${", "}"),
                ("&a [", "]"),
                ("!x [", "]"),
                ("a:\n ", ""),
            ]
        )
        count = self.draw.choice([10, 63, 64, 65, 500, 5000])
        return f"a: {opening * count}1{closing * self.draw.choice([0, count, count - 1])}\n"

    def soup(self, length: int) -> str:
        pieces = [*SOUP, *KEYS[:8], *WORDS[:30], *REFERENCES]
        return "".join(self.draw.choices(pieces, k=length))

    def damaged(self, text: str) -> str:
        """The text with a few pieces put in, left out or repeated."""
        for _ in range(self.draw.randrange(1, 4)):
            start = self.draw.randrange(len(text) + 1)
            end = min(len(text), start + self.draw.randrange(6))
            text = text[:start] + self.draw.choice(["", text[start:end] * 2, self.soup(1), self.soup(3)]) + text[end:]
        return text


def text_of(seed: int) -> str:
    return Writer(seed).document()


def verdict(path: Path, shape: tuple[int, int, int] | None) -> str:
    """What comes of a file: "compiled", or the code of the first problem. Anything else is an exception."""
    try:
        archdsl.compile_config(path, (), shape)
    except archdsl.ArchError as error:
        return check_problems(error.problems, path)
    return "compiled"


def check_problems(problems: list[archdsl.Problem], path: Path | None = None) -> str:
    """Each says what is wrong, and where, if there is text to point at. The code of the first."""
    assert problems
    for problem in problems:
        assert problem.code, problem
        assert problem.message.strip(), problem
        assert str(problem).encode()
        assert problem.line or problem.file != str(path) or problem.code in PLACELESS, problem
    return problems[0].code


def main(first: int, count: int, folder: Path) -> dict[str, Any]:
    """Every seed from `first` on, `count` of them; the slowest with their seconds of processor time."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    verdicts: Counter[str] = Counter()
    failures: list[str] = []
    slowest: list[tuple[float, int]] = []
    (folder / "seed").write_text(f"{first:12}")
    verdict(Path("yolo_v8_s_backbone"), None)  # imports what is imported late
    with (folder / "seed").open("wb", buffering=0) as at:
        for seed in range(first, first + count):
            os.pwrite(at.fileno(), f"{seed:12}".encode(), 0)
            path = folder / f"fuzz_{seed % 8}.yaml"
            path.write_bytes(text_of(seed).encode("utf-8", "surrogatepass"))
            signal.alarm(SECONDS)  # kills this process, which counts as a crash
            start = time.process_time()
            try:
                verdicts[verdict(path, None if seed % 2 else (64, 64, 3))] += 1
            except Exception:
                failures.append(f"seed {seed}: {traceback.format_exc()}")
            slowest = heapq.nlargest(SLOWEST, [*slowest, (time.process_time() - start, seed)])
    signal.alarm(0)
    return {"verdicts": verdicts, "failures": failures, "slowest": slowest}


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))))
