"""The command line: what each command prints, writes and returns."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.shell_completion import ShellComplete
from support import keras
from support.terminal import on_a_terminal

import archdsl
from archdsl.tools.cli import cli, main
from archdsl.tools.cli.validate_command import verdict

Run = Callable[..., subprocess.CompletedProcess[str]]
Write = Callable[[str, str], Path]


def printed(run: Run, *arguments: str) -> str:
    result = run(*arguments)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_list_prints_every_preset(run: Run) -> None:
    table = printed(run, "list")
    presets = json.loads(printed(run, "list", "--json"))
    assert len(presets) == len(archdsl.list_presets())
    for preset in presets:
        assert preset["name"] in table
        assert f"{preset['params']:,}" in table
        assert preset["family"]
    (detector,) = [preset for preset in presets if preset["name"] == "yolo_v8_s_detect"]
    assert detector["family"] == "yolo_v8"


def test_show_prints_layers_totals_and_levels(run: Run) -> None:
    table = printed(run, "show", "yolo_v8_s_backbone", "scale.width=0.375", "--size", "320")
    costs = archdsl.analyze("yolo_v8_s_backbone", ["scale.width=0.375"], (320, 320, 3))
    assert f"{costs.params:,} parameters" in table
    assert any("p3.body" in line and "40 × 40 × 96" in line for line in table.splitlines())
    assert any(line.startswith("P3 ") and "p3.body" in line for line in table.splitlines())


def test_show_json_holds_what_is_promised(run: Run) -> None:
    data = json.loads(printed(run, "show", "yolo_v8_s_backbone", "--json"))
    costs = archdsl.analyze("yolo_v8_s_backbone")
    assert data == costs.to_dict()
    figures = ["name", "params", "trainable_params", "macs", "flops", "input_shape", "memory", "outputs", "nodes"]
    assert list(data) == figures
    assert data["outputs"]["P3"] == {"shape": [80, 80, 128], "stride": 8, "channels": 128, "receptive_field": 95}
    assert set(data["nodes"][0]) == {"name", "op", "inputs", "shape", "params", "macs"}
    assert sum(node["params"] for node in data["nodes"]) == data["params"] == 5_089_760
    assert data["flops"] == 2 * data["macs"]


def test_show_takes_any_size(run: Run) -> None:
    assert json.loads(printed(run, "show", "resnet18_v2", "--json", "--size", "any"))["macs"] is None
    assert json.loads(printed(run, "show", "resnet18_v2", "--json", "--size", "64x96"))["input_shape"] == [64, 96, 3]
    assert run("show", "resnet18_v2", "--size", "huge").returncode == 2


def test_blocks_prints_arguments_and_defaults(run: Run) -> None:
    assert "c2f" in printed(run, "blocks")
    text = printed(run, "blocks", "c2f")
    assert "(H, W, C) -> (H, W, width)" in text
    assert any(line.split()[:2] == ["expansion", "0.5"] for line in text.splitlines())
    assert "did you mean 'c2f'" in run("blocks", "c2ff").stderr


@pytest.mark.parametrize("config", ["csp_darknet_tiny", "yolo_v8_m_backbone"])
def test_resolve_prints_one_file_that_shows_the_same(run: Run, write: Write, config: str) -> None:
    write("flat.yaml", printed(run, "resolve", config, "scale.depth=0.5"))
    flat = json.loads(printed(run, "show", "flat.yaml", "--json"))
    assert flat == json.loads(printed(run, "show", config, "scale.depth=0.5", "--json"))


def test_validate_reports_every_file_and_every_promise(run: Run, write: Write) -> None:
    write("good.yaml", "defaults: [yolo_v8_s_backbone, _self_]\nscale: {width: 0.25}\n")
    write("bad.yaml", "defaults: [yolo_v8_s_backbone, _self_]\nexpect: {params: 5}\n")
    assert "good.yaml: valid, 1,277,680 parameters" in printed(run, "validate", "good.yaml")
    result = run("validate", "good.yaml", "bad.yaml", "none.yaml")
    assert result.returncode == 2
    assert "bad.yaml:2:18: error[expect]: expect.params: the file promises 5" in result.stderr
    assert "none.yaml: error[missing-file]" in result.stderr
    assert "good.yaml: valid" in result.stdout


def test_diff_names_what_differs_and_nothing_else(run: Run, write: Write) -> None:
    write("mine.yaml", "defaults: [yolo_v8_s_backbone, _self_]\nstages: {p4: {depth: 9}}\n")
    text = printed(run, "diff", "yolo_v8_s_backbone", "mine.yaml")
    rows = {line.split()[0] for line in text.splitlines() if line.strip()}
    assert rows == {"value", "stages.p4.depth", "layer", "stages.p4.body", "cost", "params", "MACs"}
    assert printed(run, "diff", "resnet18_v2", "resnet18_v2").count("no ") == 3


@pytest.mark.keras
@pytest.mark.parametrize("plain", [True, False])
def test_build_writes_a_model_that_keras_loads(run: Run, tmp_path: Path, plain: bool) -> None:
    flags = ["--plain"] if plain else []
    result = run("build", "yolo_v8_xs_backbone", "conventions.activation=relu", "-o", "model.keras", *flags)
    assert result.returncode == 0, result.stderr
    assert "Warning" not in result.stderr
    assert "oneDNN" not in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["model.keras"]
    model = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    assert model.count_params() == 1_277_680
    assert isinstance(model, archdsl.Backbone) is not plain
    with zipfile.ZipFile(tmp_path / "model.keras") as file:
        described = json.loads(file.read("config.json"))
    is_graph = described["class_name"] == "Functional" and len(described["config"]["layers"]) > 100
    assert is_graph is plain  # what Netron draws as more than one box
    assert ("Netron sees one box" in result.stderr) is not plain


@pytest.mark.keras
def test_a_failed_build_leaves_nothing(run: Run, tmp_path: Path) -> None:
    for arguments in (["-o", "model.h5"], ["-o", "none/model.keras"], ["stages.p9=1", "-o", "model.keras"]):
        result = run("build", "yolo_v8_xs_backbone", *arguments)
        assert result.returncode == 2
        assert "Traceback" not in result.stderr
    assert not list(tmp_path.iterdir())


BAD_CALLS: dict[str, tuple[list[str], list[str]]] = {
    "missing file": (["show", "none.yaml"], ["none.yaml: error[missing-file]"]),
    "unknown preset": (["show", "yolo_v8_s_backbon"], ["did you mean 'yolo_v8_s_backbone'?"]),
    "preset without separators": (["show", "yolov8s"], ["did you mean 'yolo_v8_s_backbone'?"]),
    "unknown command": (["shwo"], ["did you mean 'show'?"]),
    "broken YAML": (["show", "broken.yaml"], ["broken.yaml:1:10: error[syntax]", "close this bracket"]),
    "unknown key": (["show", "resnet18_v2", "+stages.p3.widht=3"], ["<override 1>", "did you mean 'width'?"]),
    "unknown override": (["show", "resnet18_v2", "stages.p3.widht=3"], ["<override 1>", "did you mean 'width'?"]),
    "unknown block": (["show", "resnet18_v2", "stage_defaults.body.block=c2ff"], ["no block 'c2ff'", "mean 'c2f'?"]),
    "unknown activation": (["show", "resnet18_v2", "conventions.activation=swish"], ["did you mean 'silu'?"]),
    "wrong type": (["show", "resnet18_v2", "stages.p3.depth=two"], ["expected a whole number, got text 'two'"]),
    "out of range": (["show", "resnet18_v2", "stages.p3.depth=0"], ["got the number 0; expected a value ≥ 1"]),
    "odd focus": (["show", "csp_darknet_s", "--size", "33"], ["stem_focus", "a side of 33 is odd"]),
    "levels": (["show", "resnet18_v2", "outputs=[p3,p7]"], ["no stage or layer 'p7'; expected one of: p2, p3, p4, p5"]),
}


@pytest.mark.parametrize("name", BAD_CALLS)
def test_bad_input_gives_one_clear_error_and_exit_2(run: Run, write: Write, name: str) -> None:
    write("broken.yaml", "stages: [{a: 1\n")
    arguments, expected = BAD_CALLS[name]
    result = run(*arguments)
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    assert not result.stdout
    for text in expected:
        assert text in result.stderr


def completions(arguments: list[str], incomplete: str) -> list[str]:
    complete = ShellComplete(cli, {}, "archdsl", "_ARCHDSL_COMPLETE")
    return [item.value for item in complete.get_completions(arguments, incomplete)]


def test_the_shell_completes_commands_presets_keys_and_blocks() -> None:
    assert completions([], "sh") == ["show"]
    assert completions(["show"], "yolo_v8_xs_back") == ["yolo_v8_xs_backbone", "yolo_v8_xs_backbone_coco"]
    assert completions(["show", "yolo_v8_s_backbone"], "scale.") == ["scale.depth=", "scale.max_width=", "scale.width="]
    assert completions(["show", "yolo_v8_s_backbone"], "~stages.p5.p") == [
        "~stages.p5.post",
        "~stages.p5.post.sppf",
        "~stages.p5.post.sppf.block",
        "~stages.p5.post.sppf.kernel",
    ]
    assert completions(["blocks"], "sppf") == ["sppf"]
    assert "unknown-block" in completions(["explain"], "unknown-")


def test_the_shell_completes_weights_that_are_published() -> None:
    assert completions(["build", "yolo_v8_s_backbone_coco", "--weights"], "pub") == ["published"]


def test_the_shell_completes_what_a_stage_is_filled_with() -> None:
    show = ["show", "yolo_v8_s_backbone"]
    assert completions(show, "stages.p4.bo") == ["stages.p4.body=", "stages.p4.body.block="]
    assert completions(["explain", show[1]], "stages.p4.down.k") == ["stages.p4.down.kernel"]


@pytest.mark.parametrize(
    ("words", "incomplete", "offered"),
    [
        ([], "stages.p4.body.block=elan", ["stages.p4.body.block=elan"]),  # as zsh and fish give it
        (["stages.p4.body.block", "="], "elan", ["elan"]),  # as bash does
        ([], "conventions.padding=", ["conventions.padding=same", "conventions.padding=symmetric"]),
        (["conventions.padding"], "=", ["same", "symmetric"]),
        (["conventions.norm.kind", "="], "", ["batch", "sync_batch", "group", "layer", "none"]),
        (["+stages.p4.stride_at", "="], "", ["first", "last"]),
        ([], "scale.width=0", []),  # and no keys
        (["scale.width", "=", "0.5"], "conventions.act", ["conventions.activation="]),
        (["scale.width=0.5"], "conventions.act", ["conventions.activation="]),
        ([], "nec", ["neck="]),  # a group that the config does not choose
        ([], "+nec", ["+neck="]),
        ([], "neck=f", ["neck=fpn"]),
        (["+neck", "="], "u", ["unet_decoder"]),
        (["neck=pan_c2f"], "neck.n3.wi", ["neck.n3.width="]),  # a key of the option that was chosen before
        (["neck", "=", "pan_c2f"], "neck.n3.wi", ["neck.n3.width="]),
        (["neck=nothing"], "scale.wi", ["scale.width="]),  # an override that does not fit is left out
        (["neck=pan_c2f"], "neck.n3.residual=", ["neck.n3.residual=true", "neck.n3.residual=false"]),
        (["neck=pan_c2f"], "+neck.n3.sh", ["+neck.n3.share="]),  # what it may have and has not
        (["neck=pan_c2f"], "+neck.n3.exp", ["+neck.n3.expansion="]),
        ([], "++scale.depth_r", ["++scale.depth_rounding="]),
        ([], "+scale.depth_rounding=", ["+scale.depth_rounding=nearest", "+scale.depth_rounding=up"]),
        (["outputs=null", "+outputs={a: p4}"], "outputs.", ["outputs.a="]),  # and none of the list that it replaces
    ],
)
def test_the_shell_completes_values(words: list[str], incomplete: str, offered: list[str]) -> None:
    assert completions(["show", "yolo_v8_s_backbone", *words], incomplete) == offered


def test_the_shell_completes_keys_of_a_head_that_is_chosen_before() -> None:
    show = ["show", "mobilenet_v2_backbone", "head=classifier_dropout"]
    assert completions(show, "head.classes.un") == ["head.classes.units="]
    assert completions(show, "head.classes.activation=so") == [
        "head.classes.activation=softplus",
        "head.classes.activation=softmax",
    ]
    assert completions(["explain", "mobilenet_v2_classify"], "head.classes.un") == ["head.classes.units"]


def test_options_of_ones_own_are_completed(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write("neck/mine.yaml", "n: {block: conv}\n")
    write("net.yaml", "defaults: [yolo_v8_s_backbone, _self_]\n")
    assert completions(["show", "net.yaml"], "neck=m") == ["neck=mine"]
    assert completions(["show", "yolo_v8_s_backbone"], "neck=m") == []


def test_options_of_groups_are_listed(run: Run) -> None:
    listed = json.loads(printed(run, "list", "--groups", "--json"))
    assert ("neck", "pan_c2f") in [(option["group"], option["name"]) for option in listed]
    assert all(len(option["description"]) > 20 for option in listed)
    (fpn,) = [option for option in listed if option["name"] == "fpn"]
    rows = [row.split(maxsplit=1) for row in printed(run, "list", "--groups", "fpn").splitlines()]
    assert ["neck=fpn", fpn["description"]] in rows
    assert "no option with 'zzz'" in run("list", "--groups", "zzz").stderr


def test_a_chosen_option_is_explained_with_its_choice(run: Run, write: Write) -> None:
    write("net.yaml", "defaults: [yolo_v8_s_backbone, neck: fpn, _self_]\noutputs: [n3, n4]\nneck: {n3: {kernel: 5}}\n")
    lines = printed(run, "explain", "net.yaml", "neck.n3.kernel").splitlines()
    assert lines[0] == "neck.n3.kernel = 5"
    assert re.fullmatch(r"    .*/neck/fpn.yaml:10:41 +3  \(chosen at net.yaml:1:38\)", lines[1])
    assert lines[2].endswith("5") and lines[2].startswith("  * net.yaml:3:")
    (said,) = json.loads(printed(run, "explain", "net.yaml", "neck.up4.from", "neck=pan_c2f", "--json"))["statements"]
    assert (Path(said["file"]).name, said["value"], said["chosen_at"]) == ("pan_c2f.yaml", "p5", "<override 1>:1:1")


def test_a_config_with_groups_resolves_to_one_file(run: Run, write: Write) -> None:
    resolved = printed(run, "resolve", "yolo_v8_s_backbone", "neck=fpn", "outputs=[n3,n4,n5]")
    assert "defaults" not in yaml.safe_load(resolved)
    again = write("again.yaml", resolved)
    assert (
        archdsl.analyze(again).nodes == archdsl.analyze("yolo_v8_s_backbone", ["neck=fpn", "outputs=[n3,n4,n5]"]).nodes
    )


def test_a_config_that_is_printed_is_yaml_of_plain_data(run: Run) -> None:
    values: dict[str, Any] = yaml.safe_load(printed(run, "resolve", "resnet50_v2"))
    assert values["archdsl"] == 1
    assert values["stages"]["p3"] == {"width": 512, "depth": 4}


ESCAPES = "\x1b]0;PWNED\x07\x1b[38;5;77m\x9b2J\u202e"
COMMANDS_TO_CI = "\n::error::forged\n  ::stop-commands::x\n##[error]forged\n"
FOLDER = f"::error::{ESCAPES}"
FORGING = f"""
defaults: [yolo_v8_s_backbone, _self_]
description: {json.dumps("words " * 30 + COMMANDS_TO_CI + chr(0x202E))}
blocks:
  mine:
    description: {json.dumps("::error::forged" + COMMANDS_TO_CI)}
    arguments: {{width: null}}
    layers: {{conv: {{block: conv_bn_act, width: $width}}}}
stages: {{p4: {{body: {{block: mine}}}}}}
expect: {{params: 1}}
"""


@pytest.fixture
def hostile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose every text is made to act on the terminal, or on the CI system, that it is printed to."""
    folder = tmp_path / f"{FOLDER}\n::error::forged"
    folder.mkdir()
    (folder / "net.yaml").write_text(FORGING)
    (folder / f"::error::{ESCAPES}\n.yaml").write_text("stages: {p3: {widht: 8}}\nnaem: x\n")
    (folder / "escapes.yaml").write_text(f"name: {ESCAPES}\n")
    (folder / "config.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    return folder.relative_to(tmp_path)


HOSTILE_CALLS = [
    "show {net}",
    "show {net} --json",
    "show {net} --graph",
    "show {bad}",
    "show {escapes}",
    "show {folder}",
    "show {none}",
    "show {escape}",
    "show resnet18_v2 {escape}",
    "show resnet18_v2 +name={escape}",
    "show resnet18_v2 --size {escape}",
    "show resnet18_v2 --{escape}",
    "show resnet18_v2 --budget {escape}",
    "show resnet18_v2 --plugin {none}",
    "check {net}",
    "check {net} --json",
    "check {bad} --levels {escape}",
    "blocks --config {net}",
    "blocks --config {net} mine",
    "blocks {escape}",
    "resolve {net}",
    "validate {net} {bad} {escapes} {folder} {none}",
    "validate {net} {bad} {escapes} {none} --format json",
    "explain {net} description",
    "explain {net} description --json",
    "explain {bad} naem",
    "explain {escape}",
    "explain resnet18_v2 {escape}",
    "diff {net} resnet18_v2",
    "diff {bad} {net}",
    "schema --config {net}",
    "build {net} -o {none}",
    "build {net} -o {none}.keras",
    "features {net} {none} -o {none}.png",
    "{escape}",
]


def said_to(hostile: Path, call: str) -> list[str]:
    """The arguments of a call, and the names in it."""
    names = {"net": hostile / "net.yaml", "bad": hostile / f"::error::{ESCAPES}\n.yaml"}
    names |= {"escapes": hostile / "escapes.yaml", "folder": hostile, "none": hostile / "none"}
    return [word.format(**names, escape=f"::error::{ESCAPES}\n") for word in call.split()]


@pytest.mark.parametrize("call", HOSTILE_CALLS)
def test_no_text_acts_on_what_it_is_printed_to(call: str, hostile: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with suppress(SystemExit):
        main(said_to(hostile, call))
    printed = "\n".join(capfd.readouterr())
    assert printed.strip()
    for line in printed.split("\n"):
        assert line.isprintable()
        assert not line.strip().startswith("::")
        assert "##[" not in line


def test_resolve_escapes_within_yaml(hostile: Path, capfd: pytest.CaptureFixture[str]) -> None:
    main(["resolve", str(hostile / "net.yaml")])
    printed = yaml.safe_load(capfd.readouterr().out)
    assert printed["description"] == yaml.safe_load(FORGING)["description"]
    assert printed["blocks"]["mine"] == {**yaml.safe_load(FORGING)["blocks"]["mine"]}


def test_an_annotation_is_one_line_a_problem(hostile: Path, capfd: pytest.CaptureFixture[str]) -> None:
    files = said_to(hostile, "{net} {bad} {escapes} {none}")
    with pytest.raises(SystemExit):
        main(["validate", *files, "--format", "github"])
    lines = capfd.readouterr().out.splitlines()
    assert len(lines) == sum(len(verdict(file).problems) for file in files)
    for line in lines:
        assert line.isprintable()
        assert re.fullmatch(r"::error file=[^:,]*,(line=\d+,col=\d+,)?title=[a-z-]+::.*", line), line


@pytest.mark.parametrize("call", ["show {bad}", "show {none}", "blocks --config {net}", "diff {net} resnet18_v2"])
def test_on_a_terminal_there_are_styles_and_nothing_else(call: str, hostile: Path, tmp_path: Path) -> None:
    text = on_a_terminal([sys.executable, "-m", "archdsl", *said_to(hostile, call)], tmp_path)
    assert "\x1b[1m" in text and "38;5;77" not in text.replace("\\x1b[38;5;77m", "")
    assert all(line.isprintable() for line in re.sub(r"\x1b\[[0-9;]*m", "", text).split("\n"))


def test_only_names_are_completed(hostile: Path, write: Write) -> None:
    write("net.yaml", "stages: {'z;touch${IFS}PWNED;#': {width: 8}, 'a b': {}, '$(id)': {}, p3: {width: 8}}\n")
    assert completions(["show", "net.yaml"], "stages") == ["stages=", "stages.p3=", "stages.p3.width="]
    assert completions(["show", "net.yaml"], "~stages.p3.") == ["~stages.p3.width"]
    assert completions(["explain", "net.yaml"], "stages") == ["stages", "stages.p3", "stages.p3.width"]
    assert completions(["blocks", "--config", str(hostile / "net.yaml")], "mine") == ["mine"]


@pytest.mark.parametrize("command", ["show", "blocks", "explain", "validate"])
def test_no_plugin_runs_while_a_line_is_completed(command: str, write: Write, tmp_path: Path) -> None:
    plugin = write("evil.py", f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    completions([command, "--plugin", str(plugin)], "")
    completions([command, "--plugin", str(plugin), "resnet18_v2"], "")
    assert not (tmp_path / "ran").exists()
