"""What a user sees of a mistake: its code, its places, the line it is in, and no character that could do harm."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
from support import warm

import archdsl
from archdsl.diagnostics.codes import CODES, CodeName
from archdsl.diagnostics.formats import github_command
from archdsl.diagnostics.problems import ArchError, Mark, fail, problem
from archdsl.diagnostics.terminal import excerpt
from archdsl.diagnostics.unicode import printable
from archdsl.tools.cli import cli, main
from archdsl.tools.cli.validate_command import verdict

PACKAGE = Path(archdsl.__file__).parent

Run = Callable[..., subprocess.CompletedProcess[str]]
Write = Callable[[str, str], Path]
Problems = Callable[..., list[archdsl.Problem]]

NET = """
stem: {conv: {block: conv_bn_act, width: 8, kernel: 3, stride: 2}}
stage_defaults:
  down: {block: conv_bn_act, kernel: 3, stride: 2}
  body: {block: c2f}
stages:
  p2: {width: 16, depth: 1}
  p3: {width: 32, depth: 2}
  p4: {width: 64, depth: 1}
  p5: {width: 128, depth: 1}
"""


# Codes


def test_the_table_explains_every_code_that_a_problem_can_take() -> None:
    assert set(CODES) == set(get_args(CodeName))  # which mypy lets nobody step out of


def codes_of(example: str, folder: Path) -> set[str]:
    """The codes that a config text or a command gives."""
    try:
        if example.startswith("archdsl "):
            cli.main(example.split()[1:], standalone_mode=False)
        elif example.startswith("python -m "):
            printed = warm.run(*example.split()[2:], folder=folder).stderr
            return set(re.findall(r"error\[(.*?)\]", printed))
        elif example:
            (folder / "my_net.yaml").write_text(example)
            return {found.code for found in verdict("my_net.yaml").problems}
    except ArchError as error:
        return {found.code for found in error.problems}
    return set()


@pytest.mark.parametrize("code", [name for name, code in CODES.items() if code.mistake])
def test_the_example_of_a_code_gives_that_code_and_none_when_fixed(
    code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert codes_of(CODES[code].mistake, tmp_path) == {code}
    if "build" not in CODES[code].fixed:  # which would take seconds, and leave a file
        assert codes_of(CODES[code].fixed, tmp_path) == set()


# Places


def found_in(path: Path, *overrides: str) -> list[str]:
    """What the problems of a file look like, with the file's name for its path."""
    with pytest.raises(ArchError) as caught:
        archdsl.compile_config(path, overrides)
    return [str(each).replace(str(path.parent) + "/", "") for each in caught.value.problems]


def test_a_shape_error_names_both_layers_both_shapes_and_both_places(write: Write) -> None:
    write("parent.yaml", NET)
    child = (
        "defaults: [parent, _self_]\nstages:\n  p4:\n    post:\n      side: {block: conv, width: 60, from: p4_down}\n"
    )
    path = write("my_net.yaml", child + "      sum: {block: add, from: [p4_body, side]}\n")
    (found,) = found_in(path, "+input={shape: [640, 640, 3]}")
    assert found.split("\n") == [
        "my_net.yaml:6:12: error[shape]: stages.p4.post.sum: p4_sum: add of p4_body (40x40x64) and p4_side (40x40x60): "
        "the channels differ; expected equal shapes",
        "  note: p4_body (40x40x64) comes from my_net.yaml:3:3",
        "  note: p4_side (40x40x60) comes from my_net.yaml:5:7",
        "  hint: give p4_side the width of p4_body, 64 channels",
    ]
    (found,) = found_in(path, "stages.p4.post.sum.from=[p4_down,p3]")
    assert "add of p4_down (?x?x64) and p3 (?x?x32)" in found
    assert "note: p3 (?x?x32) comes from parent.yaml:8:3" in found


def test_a_shape_error_names_a_repeated_layer_as_it_is_read_and_not_by_its_last_repeat(write: Write) -> None:
    net = "input: {shape: [64, 64, 3]}\nstages:\n  a: {width: 8, body: {block: conv_bn_act, depth: 3}}\n"
    path = write(
        "my_net.yaml", net + "  b: {width: 4, body: {block: conv_bn_act, depth: 2}, post: {c: {block: add}}}\n"
    )
    for read, told in {
        "[a,b_body]": "a (64x64x8) and b_body",
        "[a_body,b_body_1]": "a_body (64x64x8) and b_body_1",
    }.items():
        (found,) = found_in(path, f"+stages.b.post.c.from={read}")
        assert f"b_c: add of {told} (64x64x4): " in found
    (found,) = found_in(path, "stages.b.post.c.block=conv", "+stages.b.post.c.groups=3")
    assert "b_c: conv of b_body (64x64x4): " in found


def test_a_shape_error_inside_a_block_says_what_the_block_was_given(write: Write) -> None:
    path = write("my_net.yaml", NET.replace("p3: {", "p3: {post: {a: {block: conv, groups: 3}}, "))
    (found,) = found_in(path)
    assert "32 input and 32 output channels do not divide into 3 groups" in found
    assert "note: p3_body (?x?x32) comes from my_net.yaml:8:3" in found
    (found,) = found_in(path, "+stages.p3.post.a.from=input", "stages.p3.post.a.groups=2")
    assert "conv of input (?x?x3)" in found
    assert "note" not in found  # the file does not say anything of its input


def test_where_there_are_two_places_both_are_named(write: Write) -> None:
    write("a.yaml", NET)
    write("b.yaml", "defaults: [a, _self_]\n")
    twice = write("c.yaml", "defaults: [a, b, _self_]\n")
    assert found_in(twice)[0].startswith("b.yaml:1:12: error[duplicate-parent]")
    assert "note: it is named first at c.yaml:1:12" in found_in(twice)[0]
    (found,) = found_in(write("d.yaml", NET + "tail: {}\nstem: {}\n"))
    assert found.startswith("d.yaml:12:1: error[duplicate-key]")
    assert "note: the first 'stem' is at d.yaml:2:1" in found
    (found,) = found_in(write("f.yaml", NET + "outputs: [p3, p4, p3]\n"))
    assert found.startswith("f.yaml:11:19: error[duplicate-output]")
    assert "note: the first 'p3' is at f.yaml:11:11" in found
    path = write("e.yaml", NET)
    assert "note: it is at e.yaml:9:16" not in found_in(path, "+stages.p4.width=1")[0]
    assert "note: it is at e.yaml:9:8" in found_in(path, "+stages.p4.width=1")[0]
    wide = found_in(path, "+scale={width: 60}", "stages.p5.width=60000")
    assert "note: its width before scaling is set at <override 2>:1:17" in wide[0]
    unused = found_in(path, "+stages.p4.body={block: sppf}", "+stages.p4.dilation=2")
    assert "note: block 'sppf' is named at <override 1>" in unused[0]


def test_independent_mistakes_of_a_graph_are_reported_together_and_their_consequences_are_not(write: Write) -> None:
    post = "post: {wrong: {block: add, from: [p3_body, p2]}, next: {block: add, from: [wrong, p2]}}"
    text = NET.replace("p3: {", f"p3: {{{post}, ").replace("p4: {", "p4: {body: {from: p9}, ")
    text = text.replace("p5: {", "p5: {post: {sum: {block: add, from: [p5_down, p2]}}, ")
    assert [found.split(": ")[1:3] for found in found_in(write("my_net.yaml", text))] == [
        ["error[shape]", "stages.p3.post.wrong"],
        ["error[unknown-layer]", "stages.p4.body.from"],
        ["error[shape]", "stages.p5.post.sum"],
    ]


def test_each_stage_of_a_wrong_stride_is_reported_but_not_those_that_only_follow(write: Write) -> None:
    text = NET.replace("p3: {", "p3: {stride: 1, ").replace("p5: {", "p5: {stride: 4, ")
    found = found_in(write("my_net.yaml", text))
    assert [line.split(": ")[1:3] for line in found] == [["error[stride]", "stages.p3"]]  # p5 makes up for it
    text = NET.replace("p2: {", "p2: {stride: 1, ").replace("p4: {", "p4: {stride: 4, down: {kernel: 5}, ")
    text = text.replace("p5: {", "p5: {stride: 4, ")
    found = found_in(write("my_net.yaml", text))
    assert [line.split(": ")[1:3] for line in found] == [["error[stride]", "stages.p2"], ["error[stride]", "stages.p5"]]


def test_problems_are_ordered_by_place_and_twenty_are_shown() -> None:
    config = {"stages": {f"s{number}": {"widht": 1} for number in range(25)}}
    with pytest.raises(ArchError) as caught:
        archdsl.compile_config(config)
    assert len(caught.value.problems) == 25
    assert str(caught.value).count("error[unknown-key]") == 20
    assert str(caught.value).endswith("\n… and 5 more problems")


def test_the_problems_of_a_file_are_told_once_and_in_the_order_of_its_lines(write: Write) -> None:
    text = NET.replace("block: c2f}", "block: c2ff}").replace("kernel: 3, stride: 2}\n  body", "kernle: 3}\n  body")
    text = text.replace("p3: {", "p3: {widht: 1, ") + "outputs: [p3, p7]\n"
    found = found_in(write("my_net.yaml", text))
    assert [(int(line.split(":")[1]), line.split(": ")[2]) for line in found] == [
        (4, "stage_defaults.down.kernle"),  # which every stage takes
        (5, "stage_defaults.body.block"),
        (8, "stages.p3.widht"),
        (11, "outputs.1"),
    ]


# On a terminal


def on_a_terminal(arguments: list[str], folder: Path, **environment: str) -> str:
    """What `archdsl …` writes to standard error when that is a terminal."""
    ours, theirs = pty.openpty()
    variables = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "FORCE_COLOR", "TERM")}
    command = [sys.executable, "-m", "archdsl", *arguments]
    variables |= {"TERM": "xterm", **environment}
    subprocess.run(command, stderr=theirs, stdout=subprocess.DEVNULL, cwd=folder, env=variables, check=False)
    os.close(theirs)
    with os.fdopen(ours, "rb") as stream:
        return stream.read1(1 << 16).decode().replace("\r\n", "\n")


def test_a_terminal_shows_the_line_with_a_caret_and_a_pipe_does_not(run: Run, write: Write, tmp_path: Path) -> None:
    write("my_net.yaml", NET.replace("p3: {width: 32", "p3: {widht: 32"))
    shown = on_a_terminal(["show", "my_net.yaml"], tmp_path, NO_COLOR="1").split("\n")
    assert shown[0].startswith("my_net.yaml:8:8: error[unknown-key]: stages.p3.widht")
    assert shown[1:4] == [
        "  8 |   p3: {widht: 32, depth: 2}",
        "    |        ^",
        "  hint: did you mean 'width'?",
    ]
    piped = run("show", "my_net.yaml").stderr
    assert piped.split("\n") == [shown[0], shown[3], ""]


def test_a_caret_stands_under_the_value_of_an_override(tmp_path: Path) -> None:
    arguments = ["show", "resnet18_v2", "stages.p4.width=64", "stages.p3.depth=two"]
    shown = on_a_terminal(arguments, tmp_path, NO_COLOR="1").split("\n")
    assert shown[0].startswith("<override 2>:1:17: error[type]")
    assert shown[1:3] == ["  1 | stages.p3.depth=two", "    |                 ^"]


@pytest.mark.parametrize(
    ("environment", "coloured"),
    [
        ({}, True),
        ({"NO_COLOR": "1"}, False),
        ({"NO_COLOR": ""}, True),
        ({"TERM": "dumb"}, False),
        ({"TERM": "dumb", "FORCE_COLOR": "1"}, True),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
    ],
)
def test_colours_follow_the_environment(tmp_path: Path, environment: dict[str, str], coloured: bool) -> None:
    assert ("\x1b[" in on_a_terminal(["show", "none.yaml"], tmp_path, **environment)) is coloured


def test_a_pipe_gets_colours_only_when_they_are_forced(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for value, coloured in (("", False), ("1", True)):
        monkeypatch.setenv("FORCE_COLOR", value)
        assert ("\x1b[" in run("show", "none.yaml").stderr) is coloured


@pytest.mark.parametrize(
    ("line", "column", "shown"),
    [
        ("ab: {c: 1}", 6, ["  1 | ab: {c: 1}", "    |      ^"]),
        ("\tab: 1", 2, ["  1 | \\tab: 1", "    |   ^"]),
        ("日本: {c: 1}", 6, ["  1 | 日本: {c: 1}", "    |        ^"]),  # each of the two fills two columns
        ("e\u0301: {c: 1}", 5, ["  1 | e\u0301: {c: 1}", "    |    ^"]),  # the accent fills none
        ("\x1b[31m\u202e: 1", 8, ["  1 | \\x1b[31m\\u202e: 1", "    |                ^"]),
        ("x: 1", 9, ["  1 | x: 1", "    |     ^"]),
        ("a" * 300 + "b" + "c" * 300, 301, ["  1 | " + "a" * 50 + "b" + "c" * 49, "    | " + " " * 50 + "^"]),
    ],
)
def test_the_caret_stands_under_its_character(tmp_path: Path, line: str, column: int, shown: list[str]) -> None:
    path = tmp_path / "f.yaml"
    path.write_text(line + "\r\nsecond\n")
    lines = excerpt(Mark(str(path), 1, column), {})
    assert ["".join(getattr(piece, "text", piece) for piece in line) for line in lines] == shown


def test_nothing_but_a_small_regular_file_is_read_for_an_excerpt(tmp_path: Path) -> None:
    pipe, large, short = tmp_path / "pipe", tmp_path / "large", tmp_path / "short"
    os.mkfifo(pipe)
    large.write_text("a\n" * (1 << 20))
    short.write_text("a\n")
    for path, line in (
        (pipe, 1),
        (large, 1),
        (tmp_path, 1),
        (tmp_path / "none", 1),
        ("\0", 1),
        ("/dev/zero", 1),
        (short, 9),
    ):
        assert excerpt(Mark(str(path), line, 1), {}) == []


# Characters that could do harm

HOSTILE = "a\x1b[31m\x07\u202e[bold]\r\u2066\u2028\udcff\x85é"
HARMFUL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
CALLS: dict[str, list[str]] = {
    "no such preset": ["show", HOSTILE],
    "no such file": ["show", f"{HOSTILE}/x.yaml"],
    "name of a file": ["show", f"{HOSTILE}.yaml"],
    "its operations": ["show", f"{HOSTILE}.yaml", "--graph"],
    "valid": ["validate", f"{HOSTILE}.yaml", f"{HOSTILE}2.yaml"],
    "for GitHub": ["validate", f"{HOSTILE}2.yaml", "--format", "github"],
    "as JSON": ["validate", f"{HOSTILE}2.yaml", "--format", "json"],
    "check": ["check", f"{HOSTILE}.yaml"],
    "resolve": ["resolve", f"{HOSTILE}.yaml"],
    "diff": ["diff", "resnet18_v2", f"{HOSTILE}.yaml"],
    "keys and values": ["show", f"{HOSTILE}2.yaml"],
    "explain": ["explain", f"{HOSTILE}.yaml", "description"],
    "explain, as JSON": ["explain", f"{HOSTILE}.yaml", "description", "--json"],
    "an unknown key": ["explain", f"{HOSTILE}.yaml", HOSTILE],
    "an unknown code": ["explain", HOSTILE],
    "an override": ["show", "resnet18_v2", f"description={HOSTILE}", f"{HOSTILE}=1"],
    "an unknown block": ["blocks", HOSTILE],
    "a bad size": ["show", "resnet18_v2", "--size", HOSTILE],
    "an unknown option": ["show", f"--{HOSTILE}"],
    "an unknown command": [HOSTILE],
    "a bad output": ["build", "resnet18_v2", "-o", f"{HOSTILE}.h5"],
    "a plugin": ["show", "resnet18_v2", "--plugin", f"{HOSTILE}.py"],
}


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
@pytest.mark.parametrize("name", CALLS)
def test_user_text_is_printed_without_harmful_characters(
    name: str, encoding: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quoted = r'"\e[31m\a\L\N \u202e\r\u2066"'
    parent = "defaults: [resnet18_v2, _self_]\n"
    (tmp_path / f"{HOSTILE}.yaml").write_text(f"{parent}description: {quoted}\n")
    (tmp_path / f"{HOSTILE}2.yaml").write_text(f"{parent}scale: {{width: {quoted}}}\n{quoted}: 1\n")
    monkeypatch.chdir(tmp_path)
    printed = io.BytesIO()
    for stream in ("stdout", "stderr"):
        monkeypatch.setattr(sys, stream, io.TextIOWrapper(printed, encoding, write_through=True))
    try:
        main(CALLS[name])
    except SystemExit as end:
        assert end.code == 2
    text = printed.getvalue().decode("utf-8", "surrogateescape")
    assert text
    assert not HARMFUL.search(text), ascii(text)


def test_text_that_can_be_printed_stays_as_it_is() -> None:
    assert printable("stages.p3: 日本 × é") == "stages.p3: 日本 × é"
    assert printable("a\nb\x1b\u202e\ud800\x00") == "a\\nb\\x1b\\u202e\\ud800\\x00"


def test_a_value_cannot_pretend_to_be_another_error() -> None:
    error = fail("value", "got 'a\nnet.yaml:1:1: error[x]: lie'", hint="b\nc")
    assert len(str(error).split("\n")) == 2


# validate --format


def test_validate_prints_one_json_document(run: Run, write: Write) -> None:
    write("good.yaml", "defaults: [yolo_v8_s_backbone, _self_]\n")
    write("bad.yaml", NET + "tail: {}\nstem: {}\nstages: 1\n")
    result = run("validate", "good.yaml", "bad.yaml", "--format", "json")
    assert (result.returncode, result.stderr) == (2, "")
    good, bad = json.loads(result.stdout)
    assert good == {"file": "good.yaml", "valid": True, "params": 5_089_760, "problems": []}
    assert (bad["file"], bad["valid"]) == ("bad.yaml", False)
    assert bad["problems"][0] == {
        "file": "bad.yaml",
        "line": 12,
        "column": 1,
        "path": "stem",
        "code": "duplicate-key",
        "message": "the key 'stem' appears a second time",
        "hint": "keep one of the two",
        "notes": [{"file": "bad.yaml", "line": 2, "column": 1, "message": "the first 'stem' is at bad.yaml:2:1"}],
        "end_line": 12,
        "end_column": 5,
        "fixes": [],
    }
    assert len(bad["problems"]) == 2
    assert run("validate", "good.yaml", "--format", "json").returncode == 0


def github_reads(line: str) -> tuple[str, dict[str, str], str]:
    """A workflow command as GitHub's runner takes it apart (actions/runner, ActionCommand.TryParseV2)."""

    def unescaped(text: str, codes: str) -> str:
        for letter in codes:
            text = text.replace(f"%{ord(letter):02X}", letter)
        return text.replace("%25", "%")

    assert line.startswith("::")
    information, data = line[2:].split("::", 1)
    name, _, properties = information.partition(" ")
    pairs = [part.split("=", 1) for part in properties.split(",")]
    return name, {key: unescaped(value, "\r\n:,") for key, value in pairs}, unescaped(data, "\r\n")


def test_github_reads_the_problem_out_of_a_workflow_command() -> None:
    found = problem("shape", "100% of a::b, c", mark=Mark("a,b:c%0A=d.yaml", 3, 4), path="x.y", hint="line\nline")
    name, properties, message = github_reads(github_command(found))
    assert name == "error"
    assert properties == {"file": "a,b:c%0A=d.yaml", "line": "3", "col": "4", "title": "shape"}
    assert message == "x.y: 100% of a::b, c\nhint: line\\nline"
    assert github_reads(github_command(problem("type", "m"))) == ("error", {"title": "type"}, "m")


def test_validate_annotates_files_by_their_path_in_the_workspace(run: Run, write: Write) -> None:
    path = write("net.yaml", NET + "outputs: [p9]\n")
    result = run("validate", str(path), "--format", "github")
    assert result.returncode == 2
    (line,) = result.stdout.splitlines()
    assert github_reads(line)[1] == {"file": "net.yaml", "line": "11", "col": "11", "title": "unknown-output"}
    valid = run("validate", "resnet18_v2", "--format", "github")
    assert (valid.returncode, valid.stdout) == (0, "")


@pytest.mark.parametrize(
    ("shape", "macs"),
    [
        ("", 320 * 320 * 3 * 3 * 3 * 8),  # of 640 × 640: a convolution of stride 2, kernel 3, from 3 to 8 channels
        ("input: {shape: [64, null, 3]}\n", 32 * 320 * 3 * 3 * 3 * 8),
        ("input: {shape: [64, 32, 3]}\n", 32 * 16 * 3 * 3 * 3 * 8),
    ],
)
def test_promised_macs_are_checked_at_640_where_the_size_is_open(write: Write, shape: str, macs: int) -> None:
    text = shape + "stages: {p1: {width: 8, down: {block: conv, kernel: 3, stride: 2}}}\n"
    assert not verdict(str(write("right.yaml", text + f"expect: {{macs: {macs}}}\n"))).problems
    (found,) = verdict(str(write("wrong.yaml", text + f"expect: {{macs: {macs + 1}}}\n"))).problems
    assert found.message == f"the file promises {macs + 1:,}, the graph has {macs:,}"


def test_what_is_new_of_a_problem_comes_last_so_that_it_unpacks_as_before() -> None:
    fields: tuple[Any, ...] = archdsl.Problem._fields
    assert fields[:8] == ("file", "line", "column", "path", "code", "message", "hint", "notes")
