"""One idea a text, repeated until a limit ends it: it costs more than its length where anything is slow.

Each takes how often its idea is repeated. Names that must differ end in their number, so that they are alike for long.
"""

# An idea stands in one line.
# fmt: off
# ruff: noqa: E501
from __future__ import annotations

from collections.abc import Callable

NET = "stages: {p1: {width: 8, stride: 2, body: {block: conv}}}\n"
NEAR = "a" * 55
"""Misspelt for every `_near` name."""


def _in(template: str, *parts: str) -> str:
    """The template with the parts for its `%`, in order."""
    first, *rest = template.split("%")
    return first + "".join([part + text for part, text in zip(parts, rest, strict=True)])


def _list(item: str, count: int) -> str:
    return f"[{', '.join(_numbered(item, count))}]"


def _map(entry: str, count: int) -> str:
    return "{" + ", ".join(_numbered(entry, count)) + "}"


def _lines(entry: str, count: int) -> str:
    return "\n".join(_numbered(entry, count)) + "\n"


def _numbered(entry: str, count: int) -> list[str]:
    """`entry` with its number for `#`, and that of the one before for `<`."""
    return [entry.replace("#", f"{number:05}").replace("<", f"{number - 1:05}") for number in range(1, count + 1)]


def _near(entry: str) -> str:
    """`entry` with long names for its `~`, which differ from each other and from NEAR at the end only."""
    return entry.replace("~", f"{NEAR}#")


TEXT: dict[str, Callable[[int], str]] = {
    "backslashes": lambda n: "a: " + "\\" * 50 * n + "\n",
    "backslashes in quotes": lambda n: 'a: "' + "\\\\" * 25 * n + '"\n',
    "tabs": lambda n: "a:\n" + "\t" * 50 * n + "b: 1\n",
    "lines of tabs": lambda n: "a:\n" + "\tb: 1\n" * n,
    "spaces": lambda n: " " * 50 * n + "a: [\n",
    "blank lines": lambda n: "a: [" + "\n" * 50 * n + "}\n",
    "comments": lambda n: "# note\n" * n + "a: [}\n",
    "one comment": lambda n: "#" + " " * 50 * n + "a\n",
    "a package": lambda n: "# @package " + "_" * 25 * n + " " * 25 * n + "x\n" + NET,
    "carriage returns": lambda n: "\r" * 50 * n + "a: [}\n",
    "an open quote": lambda n: 'a: "' + "b\n c: 1 " * n,
    "an open quote at the end": lambda n: _lines("k#: 1", n) + "a: 'b\n",
    "quotes": lambda n: "a: " + "'' " * n + "\n",
    "an open bracket": lambda n: _lines("k#: [1]", n) + "a: [1\n",
    "open brackets": lambda n: "a: " + "[" * 50 * n,
    "open braces": lambda n: "a: " + "{a: " * 12 * n,
    "closing brackets": lambda n: "a: " + "]" * 50 * n,
    "question marks": lambda n: "? " * 25 * n,
    "dashes": lambda n: "- " * 25 * n,
    "colons": lambda n: "a" + ":" * 50 * n + "\n",
    "commas": lambda n: "a: [1" + "," * 50 * n + "]\n",
    "templates": lambda n: "a: " + "{ {" * 16 * n,
    "conflict markers": lambda n: "a: [\n" + "<<<<<<\n" * n,
    "sections": lambda n: "[a]\n" * n + "a: [",
    "sections and spaces": lambda n: "[a]" + " " * 25 * n + "\n" * 25 * n + "a: [",
    "an import": lambda n: "from " + "a" * 50 * n + "\na: [",
    "a long word": lambda n: "a" * 50 * n + "\nb: c: d\n",
    "a long key": lambda n: "a" * 50 * n + ": 1\n",
    "long keys": lambda n: _lines("a" * 190 + "#: 1", n),
    "directives": lambda n: "%FOO bar\n" * n + "---\na: 1\n",
    "documents": lambda n: "---\na: 1\n" * n,
    "tags": lambda n: _in("a: %\n", _list("!x 1", n)),
    "a long tag": lambda n: "a: !" + "x" * 50 * n + " 1\n",
    "invisible letters": lambda n: "a: [" + "\u200b" * 15 * n + "\n}",
    "letters that grow": lambda n: "stages: {p1: {width: " + "\ufdfa" * min(8 * n, 9_000) + "}}\n",
    "keys of letters that grow": lambda n: _lines("\ufdfa" * 190 + "#: 1", n),
}

YAML: dict[str, Callable[[int], str]] = {
    "block scalars": lambda n: _lines("k#: |\n  a", n),
    "blank block scalars": lambda n: _lines("k#: |\n\n\n\n\n\n", n),
    "quoted lines": lambda n: _in("a: %\n", _list("'b\n  c'", n)),
    "aliases": lambda n: _in("a: &a 1\nb: %\n", _list("*a", n)),
    "aliases of a list": lambda n: _in("a: &a %\nb: %\n", _list("1", 50), _list("*a", n // 50)),
    "aliases of nothing": lambda n: _in("b: %\n", _list("*a", n)),
    "aliases that are near": lambda n: _in(_near("a: %\nb: %\n"), _list(_near("&~ 1"), n), _list(f"*{NEAR}", n)),
    "long aliases that are near": lambda n: _in("a: %\nb: %\n", _list("&" + "ab" * 500 + "# 1", n), _list("*" + "ba" * 500, n)),
    "anchors": lambda n: _lines("k#: &a# 1", n),
    "an alias in itself": lambda n: _in("a: &a %\n", _list("*a", n)),
    "duplicate keys": lambda n: "a: 1\n" * n,
    "merge keys": lambda n: "a: {<<: 1}\n" * n,
    "keys that are lists": lambda n: "? [a]\n: 1\n" * n,
    "numbers with zeros": lambda n: _in("a: %\n", _list("0" * 40 + "1", n)),
    "a number with _": lambda n: "a: 1" + "_1" * min(25 * n, 4_900) + "_\n",
    "wide": lambda n: _in("a: %\n", _list("1", n)),
    "comments right after values": lambda n: "a:\n" + "  - 'b'#c\n" * n,
}

REFERENCES: dict[str, Callable[[int], str]] = {
    "backslashes before a reference": lambda n: "a: " + "\\" * min(50 * n, 9_000) + "${b}\nb: 1\n" + NET,
    "backslashes and a reference": lambda n: "a: '" + "\\" * min(50 * n, 9_000) + " ${b}'\nb: 1\n" + NET,
    "aliases of backslashes": lambda n: _in("a: &a '% ${b}'\nb: 1\nc: %\n", "\\" * 9_000, _list("*a", n)),
    "aliases of escaped references": lambda n: _in("a: &a '%'\nc: %\n", "\\${b} " * 1_500, _list("*a", n)),
    "references": lambda n: _in("b: 1\na: %\n", _list("'${b}'", n)),
    "references to nothing": lambda n: _in("a: %\nb: %\n", _list("'${bcde}'", n), _map("bcde#: 1", n)),
    "long references to nothing": lambda n: _in("a: %\nb: %\n", _list("'${" + "b" * 150 + "}'", n), _map("b" * 150 + "#: 1", n)),
    "references that are none": lambda n: _in("a: %\n", _list("'${b c}'", n)),
    "references in one text": lambda n: _in("b: 1\na: '%'\n", "${b}" * min(n, 2_400)),
    "open references": lambda n: _in("a: '%'\n", "${b" * min(n, 3_000)),
    "references in a chain": lambda n: "a00000: 1\n" + _lines("a#: '${a<}'", n),
    "references to each other": lambda n: _in("a: '${b}'\nb: '${a}'\nc: %\n", _list("'${a}'", n)),
    "references that double": lambda n: "a00000: [1, 1]\n" + _lines("a#: ['${a<}', '${a<}']", n),
    "gaps": lambda n: _in("stages: %\n", _list("'???'", n)),
}

NAMES: dict[str, Callable[[int], str]] = {
    "unknown keys": lambda n: _lines("stagess#: 1", n) + NET,
    "long unknown keys": lambda n: _lines("stages" * 30 + "#: 1", n) + NET,
    "unknown keys in stages": lambda n: _in("stages: %\n", _map("s#: {widht: 1}", n)),
    "names that are none": lambda n: _in("stages: %\n", _map("P#: {}", n)),
    "unknown blocks": lambda n: _in("stages: %\n", _map("s#: {width: 8, body: {block: convv}}", n)),
    "long unknown blocks": lambda n: _in("stages: %\n", _map("s#: {body: {block: " + "conv" * 400 + "}}", n)),
    "unknown values": lambda n: _in("stages: %\n", _map("s#: {width: 8, body: {block: conv_bn_act, activation: sulu}}", n)),
    "long unknown values": lambda n: _in("stages: %\n", _map("s#: {width: 8, body: {block: conv_bn_act, activation: " + "silu" * 400 + "}}", n)),
    "unknown arguments": lambda n: _in("stem: {a: {block: conv, b: %}}\n", _map("a#: 1", n)).replace("b: {", "").replace("}}}", "}}") + NET,
    "layers without a block": lambda n: _in("stem: %\n", _map("a#: {blok: conv}", n)) + NET,
    "a layer without a block": lambda n: _in("stem: {a: %}\n", _map("blok#: conv", n)) + NET,
    "misspelt sources": lambda n: _in("stem: %\n", _map(_near("~: {block: conv, width: 8, from: " + NEAR + "}"), n)) + NET,
    "misspelt neighbours": lambda n: _in("stem: %\n", _map(_near("~: {block: conv, width: 8, after: " + NEAR + "}"), n)) + NET,
    "stages after nothing": lambda n: _in("stages: %\n", _map("s#: {width: 8, after: q, body: {block: conv}}", n)),
    "stages after themselves": lambda n: _in("stages: %\n", _map("s#: {width: 8, after: s#, body: {block: conv}}", n)),
    "outputs": lambda n: NET + _in("outputs: %\n", _list("p2", n)),
    "outputs among many": lambda n: _in("stages: %\noutputs: %\n", _map(_near("~: {width: 8, body: {block: conv}}"), n), _list(f"{NEAR}x#", 64)),
    "frozen among many": lambda n: _in("stages: %\nfreeze: %\n", _map(_near("~: {width: 8, body: {block: conv}}"), n), _list(f"{NEAR}x#", 64)),
    "parents": lambda n: _in("defaults: %\n", _list("family/a#", n)).replace("]", ", _self_]"),
    "a parent many times": lambda n: _in("defaults: %\n", _list("family/yolo_v8", n)).replace("]", ", _self_]"),
    "a long parent": lambda n: _in("defaults: [%, _self_]\n", "a/" * min(25 * n, 4_900)),
    "a parent of one word": lambda n: _in("defaults: [%, _self_]\n", "a" * min(50 * n, 9_900)),
    "_self_ many times": lambda n: _in("defaults: %\n", _list("_self_", n)),
}

GRAPHS: dict[str, Callable[[int], str]] = {
    "layers": lambda n: _in("stem: %\n", _map("a#: {block: conv, width: 8}", n)) + NET,
    "layers that do not fit": lambda n: _in("stem: %\n", _map("a#: {block: conv, width: 7, groups: 2, from: input}", n)) + NET,
    "layers that nothing reads": lambda n: _in("stem: %\n", _map("a#: {block: conv, width: 8, from: input}", n)) + NET,
    "stages": lambda n: _in("stages: %\n", _map("a#: {width: 8, body: {block: conv}}", n)),
    "stages of a wrong stride": lambda n: _in("stages: %\n", _map("p1#: {width: 8, body: {block: conv}}", n)),
    "stages of many layers": lambda n: _in("stage_defaults: {post: %}\nstages: %\n", _map("a#: {block: conv, width: 8}", n), _map("b#: {}", n)),
    "stages of null": lambda n: _in("stages: %\n", _map("a#: null", n)),
    "a level of many digits": lambda n: _in("stages: {p%: {width: 8, stride: 2, body: {block: conv}}}\n", "9" * min(n, 60)),
    "a deep stage": lambda n: _in("stages: {p1: {width: 8, stride: 2, depth: %, body: {block: conv_bn_act}}}\n", str(min(n, 1_000))),
    "deep stages": lambda n: _in("stages: %\n", _map("a#: {width: 8, depth: 1000, body: {block: conv}}", n)),
    "layers of nothing": lambda n: "conventions: {norm: {kind: none}}\n" + _in("stages: %\n", _map("a#: {depth: 1000, body: {block: norm}}", n)),
    "strides": lambda n: _in("stages: %\n", _map("a#: {width: 8, stride: 8, body: {block: conv}}", n)),
    "small images": lambda n: "input: {shape: [1, 1, 1]}\n" + _in("stages: %\n", _map("a#: {width: 8, stride: 8, body: {block: conv}}", n)),
    "upsamplings": lambda n: NET + _in("tail: %\n", _map("c#: {block: upsample, factor: 8}", n)),
    "upsamplings and strides": lambda n: NET + _in("tail: %\n", _map("c#: {block: upsample}, d#: {block: max_pool, stride: 2}", n // 2)),
    "focuses": lambda n: NET + _in("tail: %\n", _map("c#: {block: focus}", n)),
    "focused upsamplings": lambda n: NET + _in("tail: %\n", _map("c#: {block: focus}, d#: {block: upsample}", n // 2)),
    "wide merges": lambda n: "stem: {a: {block: conv, width: 8}}\n" + NET + _in("tail: %\n", _map("c#: {block: concat, from: " + _list("stem_a", 40) + "}", n // 40)),
    "merges of what was merged": lambda n: "stem: {a00000: {block: conv, width: 1}}\n" + NET + _in("tail: %\n", _map("c#: {block: add, from: [p1_body, p1_body]}", n)),
    "widths that double": lambda n: NET + _in("tail: %\n", "{c00000: {block: conv, width: 8}, " + _map("c#: {block: concat, from: [c<, c<]}", n)[1:]),
}

BLOCKS: dict[str, Callable[[int], str]] = {
    "blocks": lambda n: _in("blocks: %\n", _map("b#: {layers: {a: {block: conv, width: 8}}}", n)) + NET,
    "blocks with arguments": lambda n: _in("blocks: %\n", _map("b#: {arguments: {w: 8}, layers: {a: {block: conv, width: $w}}}", n)) + NET,
    "blocks that are wrong": lambda n: _in("blocks: %\n", _map("b#: {layers: {a: {block: conv, width: $w}}}", n)) + NET,
    "blocks in themselves": lambda n: _in("blocks: %\n", _map("b#: {layers: {a: {block: b#}}}", n)) + NET,
    "blocks in a row": lambda n: "blocks:\n  b00000: {layers: {a: {block: conv, width: 8}}}\n" + _lines("  b#: {layers: {a: {block: b<}}}", n) + NET,
    "blocks of blocks": lambda n: _in("blocks: {b0: {layers: %}, b1: {layers: %}, b2: {layers: %}, b3: {layers: %}}\nstages: {a: {body: {block: b3}}}\n", *[_map(f"a#: {{block: {name}, depth: 1000}}", min(n, 50)) for name in ("activation", "b0", "b1", "b2")]),
    "blocks used": lambda n: _in("blocks: %\nstem: %\n", _map("b#: {layers: {a: {block: conv, width: 8}}}", n), _map("a#: {block: b#}", n)) + NET,
    "blocks of nothing": lambda n: "conventions: {norm: {kind: none}}\n" + _in("blocks: {b0: {layers: %}, b1: {layers: %}, b2: {layers: %}, b3: {layers: %}}\nstages: {a: {body: {block: b3}}}\n", *[_map(f"a#: {{block: {name}, depth: 1000}}", min(n, 50)) for name in ("norm", "b0", "b1", "b2")]),
    "unknown blocks among many": lambda n: _in("blocks: %\nstages: %\n", _map(_near("~: {layers: {a: {block: conv}}}"), n), _map("s#: {body: {block: " + NEAR + "}}", n)),
    "layers of a block": lambda n: _in("blocks: {b: {layers: %}}\n", _map("a#: {block: conv, width: 8}", n)) + NET,
    "sources in a block": lambda n: _in("blocks: {b: {layers: %}}\n", "{a00000: {block: conv, width: 8}, " + _map("a#: {block: add, from: [a<, a<]}", n)[1:]) + NET,
    "misspelt sources in a block": lambda n: _in("blocks: {b: {layers: %}}\n", _map(_near("~: {block: conv, width: 8, from: " + NEAR + "}"), n)) + NET,
    "arguments": lambda n: _in("blocks: {b: {arguments: %, layers: %}}\n", _map("w#: 8", n), _map("a#: {block: conv, width: $w#}", n)) + NET,
    "an argument of many uses": lambda n: _in("blocks: {b: {arguments: {w: 8}, layers: %}}\n", _map("a#: {block: conv, width: $w}", n)) + NET,
    "arguments that nobody uses": lambda n: _in("blocks: {b: {arguments: %, layers: {a: {block: conv, width: 8}}}}\n", _map("w#: 8", n)) + NET,
    "misspelt arguments": lambda n: _in("blocks: {b: {arguments: %, layers: %}}\n", _map(_near("~: 8"), n), _map("a#: {block: conv, width: $" + NEAR + "}", n)) + NET,
}

VALUES: dict[str, Callable[[int], str]] = {
    "texts for numbers": lambda n: _in("stages: %\n", _map("s#: {width: x}", n)),
    "a text of points for a number": lambda n: _in("stages: {p1: {width: '%x'}}\n", "1." * min(25 * n, 4_900)),
    "a text of commas for a number": lambda n: _in("stages: {p1: {width: '1%x'}}\n", ",111" * min(10 * n, 2_400)),
    "a text of spaces for a number": lambda n: _in("stages: {p1: {width: '1%x'}}\n", " 1" * min(25 * n, 4_900)),
    "a text of signs for a number": lambda n: _in("stages: {p1: {width: '1%x'}}\n", "+" * min(50 * n, 9_900)),
    "a long text for a list": lambda n: _in("stages: {p1: '%'}\n", "a, " * min(16 * n, 3_000)),
    "a list for a mapping": lambda n: _in("stages: %\n", _list("a", n)),
    "lists for sizes": lambda n: _in("input: {shape: %}\n", _list("[1, 1]", n)) + NET,
    "lists for lists": lambda n: _in("stages: {p1: {width: 8, body: {block: spp, kernels: %}}}\n", _list("[1]", n)),
    "kernels": lambda n: _in("stages: {p1: {width: 8, body: {block: spp, kernels: %}}}\n", _list("3", n)),
    "descriptions": lambda n: _in("stages: {p1: {width: 8, body: {block: conv, description: '%'}}}\n", "x" * min(50 * n, 9_900)),
}

# How often each kind is repeated where it costs most: as often as the limits let it through to what comes after them.
MOST = ((TEXT, 19_900), (YAML, 19_900), (REFERENCES, 9_900), (NAMES, 3_900), (GRAPHS, 3_900), (BLOCKS, 2_000), (VALUES, 9_900))
IDEAS = {name: (idea, most) for ideas, most in MOST for name, idea in ideas.items()}
FILE_BYTES = 1 << 20


def text_of(name: str, count: int | None = None) -> str:
    """The idea so often, or as often as it costs most; less often where a file cannot hold it."""
    idea, most = IDEAS[name]
    count = count or most
    text = idea(count)
    while len(text.encode()) > FILE_BYTES:
        count = count * 9 // 10
        text = idea(count)
    return text
