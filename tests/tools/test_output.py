"""Where a command prints and writes: never over its input, on full and closed streams, in tables of any width."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support import EXAMPLES, samples
from support.terminal import on_a_terminal

import archdsl
from archdsl.analysis.text import Table, count_text, counted
from archdsl.blocks.registry import all_blocks
from archdsl.frontend.compose import config
from archdsl.frontend.source import Source
from archdsl.models import hub
from archdsl.tools.cli import list_command
from archdsl.tools.cli.weights_option import weights_of

Run = Callable[..., subprocess.CompletedProcess[str]]
Write = Callable[[str, str], Path]

NET = "yolo_v8_xs_backbone"


def refused(result: subprocess.CompletedProcess[str], *expected: str) -> None:
    """One report, before the seconds that Keras takes to be imported."""
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    assert "importing Keras" not in result.stderr
    for text in expected:
        assert text in result.stderr


# Files


@pytest.mark.parametrize("make", [shutil.copy, os.link, os.symlink], ids=["itself", "hard link", "symbolic link"])
def test_a_picture_never_replaces_the_photo(run: Run, tmp_path: Path, make: Callable[..., object]) -> None:
    photo = tmp_path / "photo.png"
    shutil.copy(EXAMPLES / "photo.jpg", photo)
    output = photo if make is shutil.copy else tmp_path / "out.png"
    if output != photo:
        make(photo, output)
    before = photo.read_bytes()
    refused(run("features", NET, "photo.png", "-o", output.name, "--force"), "would overwrite the input 'photo.png'")
    assert photo.read_bytes() == before


@pytest.mark.parametrize(
    "call", [["build", NET, "-o", "out.keras"], ["features", NET, str(EXAMPLES / "photo.jpg"), "-o", "out.png"]]
)
def test_what_exists_is_replaced_only_with_force(run: Run, tmp_path: Path, call: list[str]) -> None:
    output = tmp_path / call[-1]
    output.write_text("mine")
    refused(run(*call), "exists already", "--force")
    assert output.read_text() == "mine"
    forced = run(*call, "--force", "--plugin", "none.py", "--freeze", "p9") if call[0] == "build" else None
    assert forced is None or "exists already" not in forced.stderr


def test_a_model_never_replaces_the_weights_it_is_made_of(run: Run, write: Write) -> None:
    path = write("mine.keras", "weights")
    call = ["build", NET, "--weights", "mine.keras", "-o", "mine.keras", "--force"]
    refused(run(*call), "would overwrite the input 'mine.keras'")
    assert path.read_text() == "weights"


@pytest.mark.parametrize("output", ["a" * 300 + "/{}", "a" * 300 + "{}", "none/{}", "folder{}"])
def test_a_place_that_cannot_be_written_is_an_error(run: Run, tmp_path: Path, output: str) -> None:
    for suffix in (".keras", ".png"):
        (tmp_path / f"folder{suffix}").mkdir()
    refused(run("build", NET, "-o", output.format(".keras")), "error[output]")
    photo = str(EXAMPLES / "photo.jpg")
    refused(run("features", NET, photo, "-o", output.format(".png")), "error[output]")


OPTIONS = {
    "--partial": "--partial needs --weights",
    "--weights none.h5": "none.h5: error[missing-file]: there is no such weights file",
    "--weights .": ".: error[not-a-file]: a folder; expected a weights file",
    "--weights published": "hint: yolo_v8_xs_backbone_coco has",
    "--freeze stem,p9": "--freeze: error[unknown-stage]: freeze.1: there is no stage 'p9'",
}


@pytest.mark.parametrize("options", OPTIONS)
def test_options_are_checked_before_keras_is_imported(run: Run, tmp_path: Path, options: str) -> None:
    refused(run("build", NET, "-o", "out.keras", *options.split()), OPTIONS[options])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("options", ["--size 0", "--size 5000", "--channels 0"])
def test_the_sizes_of_a_picture_are_checked_by_their_names(run: Run, options: str) -> None:
    photo = str(EXAMPLES / "photo.jpg")
    refused(run("features", NET, photo, "-o", "out.png", *options.split()), f"Invalid value for '{options.split()[0]}'")


def test_published_weights_are_used_when_asked_for_and_missed_aloud(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(hub, "trained_weights", lambda info: Path(f"{info.name}.h5"))
    assert weights_of(f"{NET}_coco", "published") == Path(f"{NET}_coco.h5")
    assert not capsys.readouterr().err
    assert weights_of(f"{NET}_coco", None) is None
    assert capsys.readouterr().err == f"{NET}_coco: random weights; --weights published loads the trained ones\n"
    assert weights_of(NET, None) is None
    assert not capsys.readouterr().err
    with pytest.raises(archdsl.ArchError, match="only a preset"):
        weights_of("my.yaml", "published")


# Streams


@pytest.mark.parametrize("arguments", ["list", "--help", "show resnet18_v2 --json", "diff resnet18_v2 resnet34_v2"])
def test_a_full_disk_is_one_line_and_exit_2(arguments: str) -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "archdsl", *arguments.split()]
        result = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert result.returncode == 2
    assert result.stderr.strip() == "error[output]: standard output cannot be written: No space left on device"


@pytest.mark.parametrize(("redirected", "said"), [(">&-", True), ("2>&-", False), ("2>/dev/full", False)])
def test_closed_and_full_streams_end_in_exit_2(redirected: str, said: bool) -> None:
    command = f"{sys.executable} -m archdsl show none.yaml {redirected}"
    result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert bool(result.stderr) is said
    assert "Traceback" not in result.stderr


def test_a_reader_that_leaves_is_not_an_error() -> None:
    command = f"{sys.executable} -m archdsl schema | head -1; exit ${{PIPESTATUS[0]}}"
    result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr, result.stdout) == (0, "", "{\n")


@pytest.mark.parametrize("arguments", ["schema", "show yolo_v8_xs_backbone", "--help"])
def test_a_reader_that_has_left_before_is_not_an_error_either(arguments: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "archdsl", *arguments.split()]
    result = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert (result.returncode, result.stderr) == (0, "")


def test_a_terminal_shows_what_it_waits_for_while_keras_is_imported(write: Write, tmp_path: Path) -> None:
    write("keras.py", "import time; time.sleep(0.5); ops = __import__('types').SimpleNamespace(zeros=print)\n")
    program = "from archdsl.tools.cli.output import import_keras; import_keras()"
    path = os.pathsep.join([str(tmp_path), *sys.path])
    assert "importing Keras" in on_a_terminal([sys.executable, "-c", program], tmp_path, 80, PYTHONPATH=path)


# Tables and lines


def test_a_table_is_aligned_and_has_no_blanks_at_the_end_of_a_line() -> None:
    shown = Table(("name", "count", "note"), [("a", "1", ""), ("long", "1,000", "x")], right=("count",))
    assert list(shown.lines()) == ["name  count  note", "a         1", "long  1,000  x"]
    wide = Table(("name", "note"), [("日本", "x"), ("a", "y")])
    assert list(wide.lines()) == ["name  note", "日本  x", "a     y"]


@pytest.mark.parametrize("width", range(20, 60, 3))
def test_a_table_is_wrapped_between_words(width: int) -> None:
    text = "every word of a description that is much longer than the terminal is wide"
    words = text.split()
    shown = Table(("name", "meaning"), [("first", text), ("second", "short")])
    lines = list(shown.lines(width))
    assert max(map(len, lines)) <= width
    assert [word for line in lines for word in line.split() if word in words] == words


@pytest.mark.parametrize("width", [80, 100, None])
def test_the_list_has_one_line_a_preset(width: int | None) -> None:
    presets = archdsl.list_presets()
    lines = list(list_command.table({preset: config.load(preset.name) for preset in presets}, width).lines(width))
    assert [line.split()[0] for line in lines] == ["preset", *[preset.name for preset in presets]]
    assert width is None or max(map(len, lines)) <= width


def test_the_list_composes_each_preset_once(monkeypatch: pytest.MonkeyPatch) -> None:
    composed, lineage = [], config.lineage

    def counted(source: Source, *arguments: Any) -> list[Source]:
        composed.append(source.file)
        return lineage(source, *arguments)

    monkeypatch.setattr(config, "lineage", counted)
    list_command.command.main([], standalone_mode=False)
    assert len(composed) == len(set(composed)) == len(archdsl.list_presets())


@pytest.mark.slow
def test_the_list_is_filtered_by_words(run: Run) -> None:
    def names(*words: str) -> list[str]:
        return [preset["name"] for preset in json.loads(run("list", "--json", *words).stdout)]

    assert names("v8_s_backbone", "coco") == ["yolo_v8_s_backbone_coco"]
    assert all("resnet" in name for name in names("ResNet"))
    assert set(names("--trained")) == {preset.name for preset in archdsl.list_presets() if preset.has_weights}
    assert names("--family", "vgg", "16") == ["vgg16_backbone", "vgg16_classify"]
    assert names("--family", "resnet_v2_bottleneck", "152") == ["resnet152_v2", "resnet152_v2_classify"]
    refused(run("list", "--family", "vgh"), "did you mean 'vgg'?")
    refused(run("list", "yolo_v8_sbackbone"), "did you mean 'yolo_v8_s_backbone'?")


@pytest.mark.parametrize("preset", samples.presets())
def test_a_shipped_network_is_readable_on_80_columns(preset: str) -> None:
    """A table is wrapped at most where a block of a long name is repeated, and what counts stays in one piece."""
    costs = archdsl.analyze(preset)
    rows = len(costs.layers)
    lines = list(costs.table().lines(80))
    assert rows < len(lines) <= 1 + rows + sum(" × " in layer.block for layer in costs.layers)
    assert sum(len(re.findall(r"× \d", line)) for line in lines) == str(list(costs.table().lines())).count("×")
    outputs = list(costs.outputs_table().lines(80))
    assert len(outputs) == 1 + len(costs.outputs)
    assert max(map(len, [*lines, *outputs, *costs.totals().splitlines()])) <= 80


def test_outputs_name_the_layers_that_they_are_of() -> None:
    printed = archdsl.analyze("hrnet_w18_classify", ["++outputs={p2: p5_body_map1, classes: head_classes}"]).to_table()
    assert re.search(r"^P2 +p5\.body +160 × 160 ", printed, re.MULTILINE)
    assert re.search(r"^classes +head\.classes +1000 ", printed, re.MULTILINE)


def test_a_warning_is_broken_between_words_on_a_terminal(write: Write, tmp_path: Path) -> None:
    write("a.yaml", "stages: {p3: {body: {block: conv, width: 100, stride: 8}}}\n")
    lines = on_a_terminal([sys.executable, "-m", "archdsl", "show", "a.yaml"], tmp_path, 60).splitlines()
    warned = lines[next(number for number, line in enumerate(lines) if "warning[odd-width]" in line) :]
    assert max(map(len, warned)) <= 60
    assert " ".join(map(str.strip, warned)).endswith("is not a multiple of 8 hint: " + HINT)


HINT = "`archdsl check`, with the same arguments, shows what to change"


def test_an_error_is_broken_between_words_on_a_terminal(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "archdsl", "show", "resnet18_v2", "stage_defaults.body.block=zzz"]
    lines = on_a_terminal(command, tmp_path, 60, NO_COLOR="1").splitlines()
    assert len(lines) > 5
    assert max(map(len, lines[1:])) <= 60  # the first begins with the place and the key, which have no blanks
    words = {word.rstrip(",") for line in lines for word in line.split()}
    assert set(sorted(all_blocks())[:30]) <= words  # of long lists the first are named


@pytest.mark.parametrize(
    ("count", "text"),
    [(999, "999"), (1000, "1.00 k"), (999_700, "1.00 M"), (5_089_760, "5.09 M"), (2_010 * 10**9, "2.01 T"), (0, "0")],
)
def test_counts_have_three_figures(count: int, text: str) -> None:
    assert count_text(count) == text


def test_one_is_not_many() -> None:
    assert [counted(count, "layer") for count in (0, 1, 2, 1200)] == ["0 layers", "1 layer", "2 layers", "1,200 layers"]


def test_diff_prints_values_as_yaml_and_how_much_figures_differ(run: Run, write: Write) -> None:
    write("mine.yaml", "defaults: [yolo_v8_s_backbone, _self_]\nscale: {width: 0.25}\ninput: {rescale: false}\n")
    lines = [" ".join(line.split()) for line in run("diff", "yolo_v8_s_backbone", "mine.yaml").stdout.splitlines()]
    assert "input.rescale true false" in lines
    assert "params 5,089,760 1,277,680 -3,812,080 (-74.9 %)" in lines
    data = json.loads(run("diff", "yolo_v8_s_backbone", "mine.yaml", "--json").stdout)
    assert {"key": "params", "before": 5_089_760, "after": 1_277_680} in data["costs"]
    assert {"key": "input.rescale", "before": True, "after": False} in data["values"]
    assert all(
        set(layer["before"]) == {"block", "shape", "params", "macs"} for layer in data["layers"] if "before" in layer
    )


# Standard input


def test_a_config_is_read_from_standard_input(run: Run, write: Write) -> None:
    write("parent.yaml", "defaults: [yolo_v8_s_backbone, _self_]\nscale: {width: 0.25}\n")
    text = "defaults: [parent, _self_]\nstages: {p4: {depth: 9}}\n"
    costs = archdsl.analyze("yolo_v8_s_backbone", ["scale.width=0.25", "stages.p4.depth=9"])
    assert json.loads(run("show", "-", "--json", text=text).stdout)["params"] == costs.params
    assert f"{costs.params:,} parameters" in run("validate", "-", text=text).stdout
    assert "* <standard input>:2:22 " in run("explain", "-", "stages.p4.depth", text=text).stdout
    refused(run("show", "-", text="stages: {p4: {widht: 9}}\n"), "<standard input>:1:15: error[unknown-key]")
    refused(run("validate", "-", text="stages: [\n"), "<standard input>:1:9: error[syntax]")
