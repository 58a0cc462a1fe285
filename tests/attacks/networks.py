"""Networks: recursion, blocks in blocks, levels, names and numbers that stand for more than can be built."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import archdsl
from archdsl.tools.pictures.diagram import svg_of
from attacks.case import Attack
from attacks.configs import written

STAGE = "stages: {p1: {width: 8, stride: 2, down: {block: conv}, body: {block: b0}}}\n"
MANY = 100_000


def analyzed(*overrides: str) -> Callable[[Path], object]:
    return lambda folder: archdsl.analyze("net.yaml", overrides)


def drawn(folder: Path) -> object:
    return svg_of(archdsl.analyze("net.yaml"))


def block(name: str, *layers: str, arguments: str = "{}") -> str:
    return f"  {name}: {{arguments: {arguments}, layers: {{{', '.join(layers)}}}}}\n"


def recursive(*layers: str) -> str:
    """A block b0 of these layers that has the argument `n`, and `b`, which names it, where they ask for that."""
    arguments = "{n: 8, b: b0}" if "$b" in "".join(layers) else "{n: 8}"
    return "blocks:\n" + block("b0", *layers, "z: {block: conv, width: 8}", arguments=arguments) + STAGE


def nested(depth: int, copies: int, repeats: int = 1) -> str:
    """Blocks in blocks: copies^depth layers, each of so many repeats."""
    text = "blocks:\n"
    for number in range(depth):
        inner = f"{{block: b{number + 1}, depth: {repeats}}}" if number < depth - 1 else "{block: conv, width: 8}"
        text += block(f"b{number}", *[f"l{copy}: {inner}" for copy in range(copies)])
    return text + STAGE


def levels(count: int, each: str) -> str:
    """Layers of which each runs for all results of the one before."""
    stages = (
        "stages: {p1: {width: 8, stride: 2, body: {block: conv}}, p2: {width: 8, stride: 2, body: {block: conv}}}\n"
    )
    rows = [f"  n{number}: {{block: conv, width: 8, each: {each.format(number - 1)}}}" for number in range(1, count)]
    return f"{stages}neck:\n  n0: {{block: conv, width: 8, each: [p1, p2]}}\n" + "\n".join(rows) + "\n"


def relative(number: str) -> str:
    layer = f"a: {{block: conv, width: {number}, depth: $n}}"
    return "blocks:\n" + block("b0", layer, arguments="{n: 1000, r: 64}") + STAGE


LESS, HELD = "{of: $n, plus: -1}", "{of: $n, plus: 0}"
RELATIVE = "{of: input, times: 64}"
TEXTS = {
    "a block that chooses itself": (recursive("a: {block: $b, n: 1}"), "[cycle]"),
    "a block that chooses itself and stops": (recursive(f"a: {{block: $b, n: {LESS}, when: $n}}"), ""),
    "recursion without an end": (recursive(f"a: {{block: b0, n: {HELD}, when: $n}}"), "contains itself more than 8 deep"),
    "recursion with two branches": (recursive(f"a: {{block: b0, n: {HELD}, when: $n}}", f"c: {{block: b0, n: {HELD}, when: $n}}"), "contains itself"),
    "recursion with eight branches": (recursive(*[f"a{i}: {{block: b0, n: {LESS}, when: $n}}" for i in range(8)]), None),
    "repeats of recursion": (recursive(f"a: {{block: b0, n: {LESS}, when: $n, depth: 1000}}"), None),
    "40 in each of 7 blocks": (nested(7, 40), "[budget]"),
    "1000 repeats in each of 7 blocks": (nested(7, 1, repeats=1000), "[budget]"),
    "blocks too deep": (nested(60, 2), "[depth]"),
    "levels of levels": (levels(60, "n{0}"), ""),
    "levels twice over": (levels(30, "[n{0}, n{0}]"), "would be called"),
    "many levels": (f"stages: {{p1: {{width: 8, stride: 2, body: {{block: conv}}}}}}\nneck: {{n: {{block: conv, width: 8, each: [{', '.join(['p1'] * MANY)}]}}}}\n", "[limit]"),
    "many inputs": ("blocks: {b0: {inputs: [" + ", ".join(f"i{n}" for n in range(MANY)) + "], layers: {a: {block: conv, width: 8}}}}\n" + STAGE, None),
    "many results": ("blocks: {b0: {results: [" + ", ".join(["a"] * MANY) + "], layers: {a: {block: conv, width: 8}}}}\n" + STAGE, None),
    "many conditions": (recursive("a: {block: b0, when: [" + ", ".join(["$n"] * MANY) + "]}"), None),
    "many outputs": ("outputs: {" + ", ".join(f"a{n}: p1" for n in range(40_000)) + "}\n" + levels(1, ""), None),
    "a huge factor": (relative("{of: input, times: 1.0e+300}"), "[range]"),
    "an endless factor": (relative("{of: input, times: .inf}"), "[range]"),
    "a factor of a factor": (relative("{of: input, times: $r}"), ""),
    "a huge addend": (relative(f"{{of: input, plus: {'9' * 4_000}}}"), None),
    "factors in a row": ("blocks:\n" + block("b0", *[f"a{n}: {{block: conv, width: {RELATIVE}}}" for n in range(500)]) + STAGE, None),
    "a depth of the channels": ("blocks:\n" + block("b0", "a: {block: conv, width: 8, depth: {of: input, times: 64, plus: 65536}}") + STAGE, "expected a value from 1 to 1000"),
    "control characters in names": ('head: {"a\\u001b[2J": {block: conv}, "b\\0": {block: conv}}\n' + levels(1, ""), "[encoding]"),
    "control characters in `from`": ('neck: {a: {block: conv, width: 8, from: "p1\\u001b[2J"}}\n' + STAGE, "[encoding]"),
    "a name that goes on": (f"head: {{a: {{block: conv, width: 8, from: {'p' * 9_000}}}}}\n" + levels(1, ""), None),
    "a condition that is code": (recursive("a: {block: b0, when: \"__import__('os').system('ls')\"}"), "[value]"),
    "a number that is code": (relative("\"$n.__class__\""), "[unknown-argument]"),
    "a format in a name": (relative("{of: \"{0.__class__}\", times: $r}"), "[unknown-layer]"),
    "a block that is a path": (recursive("a: {block: $b}").replace("b: b0", "b: /etc/passwd"), "[unknown-block]"),
    "weights shared in a ring": ("neck: {" + ", ".join(f"a{n}: {{block: conv, width: 8, share: a{(n + 1) % 2_000}}}" for n in range(2_000)) + "}\n" + levels(1, "").partition("neck")[0], "cycle"),
    "weights shared in a row": ("neck: {a0: {block: conv, width: 8}, " + ", ".join(f"a{n}: {{block: conv, width: 8, share: a{n - 1}}}" for n in range(1, 2_000)) + "}\n" + levels(1, "").partition("neck")[0], None),
}  # fmt: skip
DRAWN = ("levels of levels", "weights shared in a row", "a factor of a factor")
ATTACKS = [Attack(name, written(text), analyzed(), answer) for name, (text, answer) in TEXTS.items()]
ATTACKS += [Attack(f"{name}, drawn", written(TEXTS[name][0]), drawn) for name in DRAWN]
