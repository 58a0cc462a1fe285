"""What stands where in a text that is being edited; the parser says where everything is while it can read the text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support import TESTS
from support.cursor import MARK, place
from support.steps import at_most

import archdsl
from archdsl.frontend.compose.search_path import config_root
from archdsl.frontend.source import KeyPath
from archdsl.frontend.yaml.parser import read_text
from archdsl.tools.editing.places import At, Index

SHIPPED = sorted(config_root().rglob("*.yaml"))
CASES: list[dict[str, Any]] = json.loads((TESTS / "yaml_suite" / "cases.json").read_text())
# Keys after `?`, keys with an anchor, and keys whose text is not what is written; a key of a block `:`; an anchor that
# stands alone in a line.
OTHERWISE = {
    *("5WE3/1", "652Z/1", "6SLA/1", "7BMT/1", "7W2P/1", "C2DT/1", "GH63/1", "JTV5/1", "RR7F/1", "S9E8/1", "SKE5/1"),
    *("U3XV/1", "UKK6/2", "X8DW/1", "ZH7C/1", "ZWK4/1"),
}


def differences(text: str) -> list[object]:
    """The entries that are elsewhere than the parser says, or that only one of the two has."""
    parsed, index = read_text(text, "net.yaml"), Index(text, "net.yaml")
    found: list[object] = list(set(index.entries) ^ set(parsed.places))
    for path in set(index.entries) & set(parsed.places) - {()}:
        key, value = index.key_range(path), index.value_range(path)
        assert key and value
        stated = parsed.places[path]
        is_item = type(path[-1]) is int
        if value[:3] != stated.value or (key[:3] != stated.key and not is_item):
            found.append((path, key, value, stated))
    return found


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_entry_of_a_shipped_config_is_where_the_parser_says(path: Path) -> None:
    assert differences(path.read_text()) == []


def test_every_entry_of_the_yaml_suite_is_where_the_parser_says() -> None:
    tried = 0
    for case in CASES:
        try:
            read_text(case["yaml"], case["id"])
        except archdsl.ArchError:
            continue
        if case["id"] not in OTHERWISE and "*" not in case["yaml"]:  # an alias has places, but no text
            assert differences(case["yaml"]) == [], case["id"]
            tried += 1
    assert tried > 50


def at(text: str) -> At:
    before, _, after = text.partition(MARK)
    return Index(before + after).at(*place(before, len(before)))


PLACES: dict[str, tuple[str, str, KeyPath]] = {
    "an empty text": ("§", "key", ("",)),
    "a word at the top": ("sta§", "key", ("sta",)),
    "a key": ("stages:\n  p4: {wi§dth: 5}\n", "key", ("stages", "p4", "width")),
    "a value": ("stages:\n  p4: {width: 5§12}\n", "value", ("stages", "p4", "width")),
    "after a colon": ("stages:\n  p4: {width: §}\n", "value", ("stages", "p4", "width")),
    "after a comma": ("stages:\n  p4: {width: 5, §}\n", "key", ("stages", "p4", "")),
    "a key without a colon": ("stages:\n  p4: {width: 5, de§}\n", "key", ("stages", "p4", "de")),
    "a bracket that is open": ("stages:\n  p4: {width: 5, §\n  p5: {}\n", "key", ("stages", "p4", "")),
    "the line after it": ("stages:\n  p4: {width: 5,\n  p§5: {}\n", "key", ("stages", "p5")),
    "an item": ("outputs: [p3, p§4]\n", "value", ("outputs", 1)),
    "room for an item": ("outputs: [p3, §]\n", "value", ("outputs", 1)),
    "an item in a line": ("outputs:\n  - p3\n  - p§4\n", "value", ("outputs", 1)),
    "room for one": ("outputs:\n  - p3\n  - §\n", "value", ("outputs", 1)),
    "a pair in a list": ("defaults: [a, neck: f§pn]\n", "value", ("defaults", 1, "neck")),
    "a pair in a line": ("defaults:\n  - a\n  - neck: §\n", "value", ("defaults", 1, "neck")),
    "a word below a key": ("stages:\n  p4:\n    wi§\n", "key", ("stages", "p4", "wi")),
    "a word beside keys": ("stages:\n  p4:\n    width: 5\n    de§\n", "key", ("stages", "p4", "de")),
    "a blank line below a key": ("stages:\n  p4:\n    §\n", "key", ("stages", "p4", "")),
    "a blank line beside keys": ("stages:\n  p4:\n    width: 5\n    §\n", "key", ("stages", "p4", "")),
    "a blank line further out": ("stages:\n  p4:\n    width: 5\n  §\n", "key", ("stages", "")),
    "a blank line at the margin": ("stages:\n  p4:\n    width: 5\n§\n", "key", ("",)),
    "a blank line between keys": ("stages:\n  p4:\n    width: 5\n    §\n    depth: 3\n", "key", ("stages", "p4", "")),
    "a mapping in a list": ("a:\n  - b: 1\n    §\n", "key", ("a", 0, "")),
    "after a value": ("stages: {p4: {width: 5} §}\n", "", ()),
    "deeper than anything could be": ("width: 5\n      §\n", "", ()),
    "a comment": ("width: 5  # wi§\n", "", ()),
    "a quote that is open": ("name: 'abc§\nstages: {}\n", "value", ("name",)),
    "the line after the quote": ("name: 'abc\nsta§ges: {}\n", "key", ("stages",)),
    "long text": ("description: |\n  some te§xt\n", "value", ("description",)),
    "a reference in brackets": ("stages: {p4: {width: ${scale.§}}\n", "value", ("stages", "p4", "width")),
    "a blank line below long text": ("a:\n  b: |\n    some text\n\n  §\n", "key", ("a", "")),
    "a blank line in it": ("a: |\n  some\n§\n  text\n", "value", ("a",)),
    "a word with an anchor": ("outputs: [p3, &a p§4]\n", "value", ("outputs", 1)),
    "a quoted key": ("stages: {'p§4': {}}\n", "key", ("stages", "p4")),
}


@pytest.mark.parametrize(("text", "role", "path"), PLACES.values(), ids=list(PLACES))
def test_a_place_is_for_a_key_or_a_value(text: str, role: str, path: KeyPath) -> None:
    found = at(text)
    assert (found.role, found.path) == (role, path)


def test_a_word_has_its_range_and_what_is_before_the_place() -> None:
    found = at("stages:\n  p4: {wid§th: 5}\n")
    assert (found.word, found.before, found.start, found.end, found.has_colon) == ("width", "wid", 15, 20, True)
    assert not at("stages:\n  p4: {wid§}\n").has_colon
    assert at("outputs: [&a p§3]").word == at("outputs:\n  - &a p§3\n").word == "p3"


def test_ranges_are_from_the_first_to_the_last_character() -> None:
    index = Index("stages:\n  p4:\n    post: {x: {block: c2f}}\n    width: 5\nname: x\n", "net.yaml")
    key, value = index.key_range(("stages", "p4", "post")), index.value_range(("stages", "p4", "post"))
    assert key == ("net.yaml", 3, 5, 3, 9)
    assert value == ("net.yaml", 3, 11, 3, 28)
    assert index.value_range(("stages",)) == ("net.yaml", 2, 3, 4, 13)
    assert index.key_range(("nothing",)) is None


def test_the_values_of_a_broken_text_are_those_that_are_there() -> None:
    text = "defaults: [a, neck: fpn]\nscale: {width: 0.5\nstages:\n  p4: {width: 512, body: {block: c2f\n  p5: {}\n"
    assert Index(text).source.values == {
        "defaults": ["a", {"neck": "fpn"}],
        "scale": {"width": 0.5},
        "stages": {"p4": {"width": 512, "body": {"block": "c2f"}}, "p5": {}},
    }


HOSTILE = {
    "brackets": "a: [",
    "braces": "{a: ",
    "items": "- ",
    "keys": "a:\n",
    "open quotes": "a: 'b\n",
    "quotes of both kinds": "a: '\nb: \"\n",
    "pairs": "[b: ",
    "comments in brackets": "[#\n ",
    "open lists": "a: [b,\n",
    "lines of text": "   c\n",
    "anchors": "&a ",
    "colons": ": ",
    "references": "[${",
}


@pytest.mark.parametrize("piece", HOSTILE.values(), ids=list(HOSTILE))
def test_the_steps_grow_with_the_text_whatever_is_in_it(piece: str) -> None:
    with at_most(60_000 * max(1, len(piece))) as steps:
        index = Index(f"a: b\n{piece * 1_000}")
        few = steps[0]
    with at_most(3 * few + 1_000):
        Index(f"a: b\n{piece * 2_000}")
    with at_most(20_000):
        index.at(10_000, 10_000)
