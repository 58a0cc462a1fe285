"""archdsl search: exactly the variants within a budget, whichever way they are gone through; nothing lost or twice."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as parquet
import pytest
import yaml
from conftest import Run

import archdsl
from archdsl.analysis.roofline import seconds_by_layer
from archdsl.diagnostics.problems import ArchError, Mark
from archdsl.tools.machine_file import read_machine
from archdsl.tools.search.choices import read_choice
from archdsl.tools.search.front import front, undominated
from archdsl.tools.search.parts import results_in
from archdsl.tools.search.planning import plan
from archdsl.tools.search.space import read_space
from archdsl.tools.search.sums import Sums
from archdsl.tools.search.tables import Entangled, Table, learn
from archdsl.tools.search.variants import Variants

pytestmark = pytest.mark.slow  # whole commands, one after the other

BACKBONE = """
config: yolo_v8_s_backbone
size: [320, 640]
choices:
  scale.width: range(0.25, 0.76, 0.25)
  stages.p3.width: [96, 256]
  stages.p4.depth: choice(3, 6, 9)
  stages.p5.body.block: [c2f, csp]
within: {params: [1e6, 4e6], macs: 2.5e9}
minimize: macs
maximize: params
"""
DETECTOR = """
config: yolo_v8_s_detect
choices:
  neck: [pan_c2f, pan_c3]
  stages.p3.depth: [3, 6]
  stages.p4.width: [256, 384]
  head.class.classes: [20, 80]
within: {activation_memory: 25e6, outputs.boxes.channels: [4, 4]}
minimize: activation_memory
"""
PLUGIN = """
from archdsl.blocks import Conventions, Depth, Node, Width, block, conv_bn_act

@block
def doubled(x: Node, *, width: Width, depth: Depth = 1, style: Conventions) -> Node:
    wide = conv_bn_act(x, width=2 * width, style=style, name="wide")
    return conv_bn_act(wide, width=width, style=style, name="narrow")
"""
FOLLOWING = """
config: mine.yaml
choices: {stages.p3.depth: [3, 6, 9], scale.depth: [0.33, 1]}
within: {params: 1e8}
"""


def written(folder: Path, text: str, name: str = "space.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def search(run: Run, *arguments: str | Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    result = run("search", *map(str, arguments))
    assert result.returncode == code, result.stderr
    return result


def rows(folder: Path) -> list[dict[str, Any]]:
    return [row for part in sorted(folder.glob("part-*.parquet")) for row in parquet.read_table(part).to_pylist()]


def expected() -> list[dict[str, Any]]:
    """Every variant that `archdsl.analyze` finds within the budget of BACKBONE, in the order of the choices."""
    choices = {
        "scale.width": [0.25, 0.5, 0.75],
        "stages.p3.width": [96, 256],
        "stages.p4.depth": [3, 6, 9],
        "stages.p5.body.block": ["c2f", "csp"],
    }
    found = []
    for values in product(*choices.values()):
        row = dict(zip(choices, values, strict=True))
        report = archdsl.analyze("yolo_v8_s_backbone", [f"{k}={v}" for k, v in row.items()], (320, 640, 3))
        if 1e6 <= report.params <= 4e6 and (report.macs or 0) <= 2.5e9:
            costs = {"params": report.params, "trainable_params": report.trainable_params, "macs": report.macs}
            found.append({**row, **costs, "activation_bytes": 4 * report.outline.cost.activations})
    return found


@pytest.mark.parametrize("options", [[], ["--all"], ["--all", "--workers", "2"], ["--sample", "1000"]], ids=" ".join)
def test_the_rows_are_the_variants_that_an_analysis_finds_within_the_budget(
    options: list[str], tmp_path: Path, run: Run
) -> None:
    search(run, written(tmp_path, BACKBONE), "-o", tmp_path / "found", *options)
    assert rows(tmp_path / "found") == expected()
    assert 0 < len(rows(tmp_path / "found")) < 36


@pytest.mark.parametrize("text", [DETECTOR, FOLLOWING], ids=["groups and memory", "references"])
def test_sums_and_the_compiler_write_the_same_files(text: str, tmp_path: Path, run: Run) -> None:
    """Options of a group change the layers; a reference makes one stage follow another's choice."""
    following = "defaults: [yolo_v8_s_backbone, _self_]\nstages: {p4: {depth: '${stages.p3.depth}'}}\n"
    space = written(tmp_path, text)
    written(tmp_path, following, "mine.yaml")
    for name, options in (("sums", []), ("compiled", ["--all"])):
        output = search(run, space, "-o", tmp_path / name, *options).stdout
        assert ("as exact sums" in output) == (name == "sums")
    assert rows(tmp_path / "sums") == rows(tmp_path / "compiled") != []
    if text is FOLLOWING:
        each = {row["stages.p3.depth"]: row["params"] for row in rows(tmp_path / "sums") if row["scale.depth"] == 1}
        for depth, params in each.items():
            changes = [f"stages.p3.depth={depth}", f"stages.p4.depth={depth}", "scale.depth=1"]
            assert archdsl.analyze("yolo_v8_s_backbone", changes).params == params


@pytest.mark.parametrize("shape", ["[null, 320, 3]", "[null, null, 3]", "[192, null, 1]", "[96, 64, 3]"])
def test_a_side_that_is_open_counts_as_640_pixels_everywhere(shape: str, tmp_path: Path, run: Run) -> None:
    """In a search, in show, and in what a file promises of itself."""
    height, image_width, channels = yaml.safe_load(shape)
    sides = (height or 640, image_width or 640, channels)
    config = f"defaults: [yolo_v8_xs_backbone, _self_]\ninput: {{shape: {shape}}}\n"
    macs = archdsl.analyze(written(tmp_path, config, "mine.yaml"), input_shape=sides).macs
    written(tmp_path, f"{config}expect: {{macs: {macs}}}\n", "mine.yaml")
    search(run, written(tmp_path, "config: mine.yaml\nchoices: {description: [a]}"), "-o", tmp_path / "found")
    assert [row["macs"] for row in rows(tmp_path / "found")] == [macs]
    shown = run("show", str(tmp_path / "mine.yaml"), "--json").stdout
    assert json.loads(shown)["macs"] == macs
    assert run("validate", str(tmp_path / "mine.yaml")).returncode == 0


def test_the_memory_of_a_row_is_what_show_says(tmp_path: Path, run: Run) -> None:
    search(run, written(tmp_path, DETECTOR), "-o", tmp_path / "found")
    for row in rows(tmp_path / "found")[::3]:
        changes = [f"{key}={row[key]}" for key in ("neck", "stages.p3.depth", "stages.p4.width", "head.class.classes")]
        assert archdsl.analyze("yolo_v8_s_detect", changes).activation_memory == row["activation_memory"]


def test_a_variant_that_does_not_compile_is_left_out_and_the_others_are_compiled(tmp_path: Path, run: Run) -> None:
    """Three groups do not divide 64 channels, but 96."""
    text = """
    config: yolo_v8_s_backbone
    overrides: [+stages.p3.down.groups=1, scale.width=1]
    choices: {stages.p3.down.groups: [1, 2, 3], stages.p2.width: [64, 96], stages.p3.width: [192, 64]}
    """
    output = search(run, written(tmp_path, text), "-o", tmp_path / "found").stdout
    assert "not as sums of tables: some variants do not compile" in output
    kept = {
        (row["stages.p3.down.groups"], row["stages.p2.width"], row["stages.p3.width"])
        for row in rows(tmp_path / "found")
    }
    assert kept == {(g, a, b) for g in (1, 2, 3) for a in (64, 96) for b in (192, 64) if a % g == 0 and b % g == 0}


def test_an_interval_is_sampled_between_its_ends(tmp_path: Path, run: Run) -> None:
    text = "config: yolo_v8_s_backbone\nchoices: {scale.width: 'interval(0.3, 0.6)', scale.depth: 'interval(1, 2)'}\n"
    space = written(tmp_path, text)
    search(run, space, "-o", tmp_path / "found", "--sample", "40")
    found = rows(tmp_path / "found")
    assert len(found) == 40 and len({row["scale.width"] for row in found}) > 30
    assert all(0.3 <= row["scale.width"] <= 0.6 and 1 <= row["scale.depth"] <= 2 for row in found)
    for row in found[:3]:
        changes = [f"scale.width={row['scale.width']}", f"scale.depth={row['scale.depth']}"]
        assert archdsl.analyze("yolo_v8_s_backbone", changes).params == row["params"]


RANGES = (
    "0.1, 1, 0.1",
    "0.25, 1.0, 0.05",
    "1, 0, -0.25",
    "-0.3, 0.31, 0.1",
    "1e-3, 5e-3, 1e-3",
    "0.5, 4",
    "7",
    "9, 1, -2",
)


@pytest.mark.parametrize("numbers", RANGES)
def test_a_range_has_the_values_of_hydras_sweep_as_a_person_writes_them(numbers: str) -> None:
    from hydra.core.override_parser.overrides_parser import OverridesParser

    found = read_choice("scale.width", f"range({numbers})", Mark("")).texts
    theirs = [*OverridesParser.create().parse_override(f"a=range({numbers})").sweep_iterator()]
    assert [*map(float, found)] == pytest.approx(theirs, rel=1e-14, abs=1e-15)
    assert all(type(value) is float or text == str(value) for text, value in zip(found, theirs, strict=True))
    assert max(map(len, found)) <= 5


def test_the_end_of_a_range_is_not_in_it() -> None:
    """Three times 0.7 is less than 2.1 in binary numbers."""
    assert read_choice("scale.width", "range(0, 2.1, 0.7)", Mark("")).texts == ("0.0", "0.7", "1.4")


def test_a_row_of_a_range_has_what_the_user_wrote(tmp_path: Path, run: Run) -> None:
    space = written(tmp_path, "config: yolo_v8_xs_backbone\nchoices: {scale.width: 'range(0.1, 0.5, 0.1)'}")
    search(run, space, "-o", tmp_path / "found")
    assert [row["scale.width"] for row in rows(tmp_path / "found")] == [0.1, 0.2, 0.3, 0.4]
    search(run, tmp_path / "found", "--take", "2", "-o", tmp_path / "mine.yaml")
    text = (tmp_path / "mine.yaml").read_text()
    assert "scale.width=0.3\n" in text and yaml.safe_load(text)["scale"]["width"] == 0.3


@pytest.mark.parametrize(
    "numbers", ["0, 1, 0", "0, 1, 0.0", "nan, 1, 0.5", "0, 1, nan", "0, nan, 0.5", "inf, 1, 0.5", "0, 1, inf"]
)
def test_a_range_that_goes_in_no_steps_is_told(numbers: str, tmp_path: Path, run: Run) -> None:
    space = written(tmp_path, f"config: yolo_v8_xs_backbone\nchoices: {{scale.width: 'range({numbers})'}}")
    assert "hint: range(begin, end, step)" in search(run, space, code=2).stderr


def test_what_depends_on_too_much_at_once_is_not_summed() -> None:
    space = read_space(Path(__file__).parents[2] / "examples" / "search" / "backbone.yaml")
    with pytest.raises(Entangled, match=r"combinations|analyses"):
        learn(Variants(space), ["params"], most=10)


def test_a_figure_is_the_largest_of_its_sums() -> None:
    """3 × 4 variants by hand; blocks do not cut a sum in two."""
    one, other = np.array([1, 5, 9]), np.array([[0, 1, 2, 3], [4, 4, 4, 4], [9, 0, 9, 0]])
    tables = {"params": [[Table((0,), one), Table((0, 1), other)], [Table((1,), np.array([3, 3, 30, 3]))]]}
    by_hand = np.maximum(one[:, None] + other, np.array([3, 3, 30, 3]))
    sums = Sums((3, 4), tables, ())
    assert (sums.figures(np.arange(12))["params"] == by_hand.reshape(-1)).all()
    for most in range(32):
        from archdsl.tools.search.space import Bound

        within = Sums((3, 4), tables, [Bound("params", most=most)])
        for split in range(3):
            within.split, within.block = split, (12, 4, 1)[split]
            within._inner = {"params": [within._of_inner(each) for each in tables["params"]]}
            found = [int(number) for numbers in within.within(0, 12) for number in numbers]
            assert found == [number for number in range(12) if by_hand.reshape(-1)[number] <= most]


@pytest.mark.parametrize("objectives", [2, 3])
def test_the_front_has_the_rows_that_no_other_is_better_than(objectives: int) -> None:
    values = np.array(random.Random(0).choices(range(6), k=30 * objectives)).reshape(30, objectives).astype(float)
    better = lambda a, b: (a <= b).all() and (a < b).any()  # noqa: E731
    kept = undominated(values)
    for position in range(30):
        is_beaten = any(better(other, values[position]) for other in values)
        is_later = any((other == values[position]).all() for other in values[:position])
        assert (position in kept) == (not is_beaten and not is_later)


def test_a_front_of_a_million_rows_is_found() -> None:
    """Row by row it would take a day."""
    cheap = np.random.default_rng(0).permutation(1_000_000).astype(float)
    assert len(undominated(np.stack([cheap, -cheap], axis=1))) == 1_000_000


def test_a_space_of_any_size_has_a_sample(tmp_path: Path, run: Run) -> None:
    """Of 2¹²⁸⁰ variants, which no float has; a sample that no memory holds is refused."""
    path = written(tmp_path, "config: yolo_v8_s_backbone\nchoices: {scale.width: 'interval(0.2, 0.9)'}")
    space = read_space(path)
    whole = Variants(space._replace(choices=space.choices * 64))
    assert plan(whole, False, 5, 0, len, len).way.ranges == 1
    assert "is not in the range" in search(run, path, "--sample", str(10**9), code=2).stderr


def test_a_row_becomes_a_config_with_its_costs(tmp_path: Path, run: Run) -> None:
    search(run, written(tmp_path, BACKBONE), "-o", tmp_path / "found")
    found = results_in(tmp_path / "found")
    number = front(found)[-1]
    search(run, tmp_path / "found", "--take", str(number), "-o", tmp_path / "mine.yaml")
    report = archdsl.analyze(tmp_path / "mine.yaml", input_shape=(320, 640, 3))
    row = rows(tmp_path / "found")[number]
    assert (report.params, report.macs) == (row["params"], row["macs"])
    error = search(run, tmp_path / "found", "--take", "999", "-o", tmp_path / "other.yaml", code=2).stderr
    assert "there is no row 999" in error


def test_a_folder_has_the_results_of_one_search(tmp_path: Path, run: Run) -> None:
    space = written(tmp_path, BACKBONE)
    search(run, space, "-o", tmp_path / "found")
    before = {path.name: path.read_bytes() for path in (tmp_path / "found").iterdir()}
    search(run, space, "-o", tmp_path / "found")  # goes on, where nothing is left
    assert before == {path.name: path.read_bytes() for path in (tmp_path / "found").iterdir()}
    written(tmp_path, BACKBONE.replace("4e6", "5e6"))
    assert "has results of another search" in search(run, space, "-o", tmp_path / "found", code=2).stderr
    (tmp_path / "full").mkdir()
    written(tmp_path / "full", "mine")
    assert "is not empty" in search(run, space, "-o", tmp_path / "full", code=2).stderr


@pytest.mark.parametrize("kills", [2, pytest.param(20, marks=pytest.mark.full)])
def test_a_search_that_is_killed_goes_on_where_it_was(kills: int, tmp_path: Path, run: Run) -> None:
    """Killed with its workers, at random moments: the files are those of a search that was not."""
    text = (
        "config: yolo_v8_s_backbone\nchoices: {scale.width: 'range(0.2, 0.5, 0.01)', stages.p3.depth: 'range(1, 101)'}"
    )
    space = written(tmp_path, text)
    command = [sys.executable, "-m", "archdsl", "search", str(space), "--all", "--workers", "2", "-o"]
    for moment in random.Random(kills).choices(range(20, 45), k=kills):
        process = subprocess.Popen(
            [*command, str(tmp_path / "killed")], start_new_session=True, stderr=subprocess.DEVNULL
        )
        time.sleep(moment / 10)
        if process.poll() is None:
            import os

            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    for name in ("killed", "whole"):
        search(run, space, "--all", "-o", tmp_path / name)
    files = [{path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("killed", "whole")]
    left = {name for name in files[0] if name not in files[1]}
    assert {name: data for name, data in files[0].items() if name not in left} == files[1]
    assert all("part" in name and not name.startswith("part") for name in left)  # names of what was being written


ERRORS = {
    "choices: {scale.wdth: [1, 2]}": "choices.scale.wdth: 1: there is no 'scale.wdth' in this config",
    "choices: {stages.p4.depth: [3, 0]}": "choices.stages.p4.depth: got the number 0",
    "choices: {stages.p4.width: 'glob(*)'}": "choices.stages.p4.width",
    "choices: {stages.p4.width: 'range(5, 5)'}": "range(5, 5) has no value",
    "choices: {stages.p4.width: 'range(1, 1e9)'}": "more than 10,000 values",
    "choices: {scale.width: 'range(1, 9000)', scale.depth: 'range(1, 9000)'}": "more than 10,000 values of all choices",
    "choices: {stages.p4.width: {a: 1}}": "expected values, such as range(1, 9)",
    "choices: {neck: [pan_c2g]}": "pan_c2g",
    "choices: 3": "needs 'choices', a mapping",
    "choices: {scale.width: [1]}\nwithin: {parms: 1}": "did you mean 'params'?",
    "choices: {scale.width: [1]}\nwithin: {params: [5, 1]}": "nothing is at least 5 and at most 1",
    "choices: {scale.width: [1]}\nwithin: {params: lots}": "expected a number that is the most",
    "choices: {scale.width: [1]}\nminimize: outputs": "there is no figure 'outputs'",
    "choices: {scale.width: [1]}\nsize: big": "expected a side in pixels",
    "choices: {scale.width: [1]}\ncolour: red": "a space has no key 'colour'",
    "config: ../mine.yaml\nchoices: {scale.width: [1]}": "is not beside this file",
    "config: yolo_v8_z_backbone\nchoices: {scale.width: [1]}": "did you mean",
    "choices: {scale.width: [1]}\nwithin: {params: .nan}": "within.params: got the number nan",
    "choices: {scale.width: [1]}\nwithin: {params: -5}": "nothing is at most -5",
    "choices: {scale.width: [1]}\nwithin: {outputs.P9.channels: 5}": "no output 'P9'; expected one of: P3, P4, P5",
    "choices: {scale.width: [1]}\nminimize: outputs.p3.stride": "did you mean 'P3'?",
    "choices: {scale.width: [1]}\nminimize: params\nmaximize: params": "'params' is minimized or maximized already",
    "choices: {scale.width: [1]}\noverrides: [scale.depth=1, scale.wdth=1]": "space.yaml:3:28: error",
    "choices: {scale.width: range(1, 9)}": "write it with quotes: scale.width: 'range(1, 9)'",
    "choices: {stages.p4.depth: 'range(1, 4), 9'}": "has a sweep among its values",
    "choices: {scale.width: 'interval(1, 0.5)'}": "ends before it begins",
    "choices: {stages.p4.width: 'range(64, 640, 64)', stages.p4.width.x: [1]}": "there is no 'x' in 'stages.p4.width'",
    "choices: {scale.width: [0.5, 1], stages.p3.depth: [0, 3]}": "choices.stages.p3.depth: got the number 0",
    "config: resnet50_classify\nchoices: {scale.width: [1, 2], stages.p4.body.block: [bottleneck, bottleneck_v1]}": (
        "choices.stages.p4.body.block: unknown key 'projection' of block 'bottleneck'"
    ),
}


@pytest.mark.parametrize("text", ERRORS)
def test_what_is_wrong_with_a_space_is_told_with_its_place(text: str, tmp_path: Path, run: Run) -> None:
    stated = text if text.startswith("config") else f"config: yolo_v8_s_backbone\n{text}"
    space = written(tmp_path, stated)
    error = search(run, space, code=2).stderr
    assert ERRORS[text] in error and f"{space}:" in error, error
    assert error.count("error[") == 1


@pytest.mark.parametrize("choices", ["{scale.wdth: [1, 2]}", "{scale.width: 'range(5, 5)'}"])
def test_what_is_wrong_with_a_space_is_told_before_arrays_are_imported(choices: str, tmp_path: Path) -> None:
    space = written(tmp_path, f"config: yolo_v8_s_backbone\nchoices: {choices}")
    command = [sys.executable, "-X", "importtime", "-m", "archdsl", "search", str(space)]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == 2 and "error[" in told.stderr and "archdsl.tools.search.space" in told.stderr
    assert not {"numpy", "pyarrow"} & {line.rpartition("|")[2].strip() for line in told.stderr.splitlines()}


@pytest.mark.parametrize("name", ["spce.yaml", "missing.yaml", "nowhere/space.yaml"])
def test_a_space_that_is_not_there_is_told_as_show_tells_it(name: str, tmp_path: Path, run: Run) -> None:
    written(tmp_path, BACKBONE)
    error = search(run, tmp_path / name, code=2).stderr
    assert error == run("show", str(tmp_path / name)).stderr
    assert "did you mean 'space.yaml'?" in error or name != "spce.yaml"


def test_a_preset_in_place_of_a_space_is_told(run: Run) -> None:
    error = search(run, "yolo_v8_s_backbone", code=2).stderr
    assert "a space is a file of its own, with 'config: yolo_v8_s_backbone' and choices" in error


def test_a_space_says_what_it_takes_before_anything_is_written(tmp_path: Path, run: Run) -> None:
    output = search(run, written(tmp_path, BACKBONE)).stdout
    assert "36 variants: scale.width 3 × stages.p3.width 2 × stages.p4.depth 3 × stages.p5.body.block 2" in output
    assert list(tmp_path.iterdir()) == [tmp_path / "space.yaml"]


def test_a_results_folder_opens_no_other_file(tmp_path: Path, run: Run) -> None:
    search(run, written(tmp_path, BACKBONE), "-o", tmp_path / "found")
    space = tmp_path / "found" / "space.yaml"
    space.write_text(space.read_text().replace("yolo_v8_s_backbone", "/etc/passwd"))
    with pytest.raises(ArchError, match=r"is not beside this file"):
        results_in(tmp_path / "found")


MACHINE = (
    '{"macs": 1e11, "bandwidth": 2e10, "overhead": 1e-6, "threads": 2,'
    '"times": {"MaxPool(size=5, stride=1) on 20x20x192": 0.01}}'
)
TIMED = """
config: yolo_v8_s_backbone
latency: machine.json
choices: {scale.width: [0.375, 0.5], stages.p3.depth: [3, 6], stages.p4.width: [256, 384, 512]}
within: {latency_ms: [1, 80]}
minimize: latency_ms
maximize: params
"""


def test_the_latency_of_a_row_is_what_show_predicts_whichever_way_it_is_found(tmp_path: Path, run: Run) -> None:
    space = written(tmp_path, TIMED)
    written(tmp_path, MACHINE, "machine.json")
    assert "exact sums" in search(run, space, "-o", tmp_path / "sums").stdout
    search(run, space, "-o", tmp_path / "compiled", "--all")
    assert rows(tmp_path / "sums") == rows(tmp_path / "compiled") != []
    machine = read_machine(tmp_path / "machine.json")
    found = rows(tmp_path / "sums")
    for row in (found[0], found[-1]):
        changes = [f"{key}={row[key]}" for key in ("scale.width", "stages.p3.depth", "stages.p4.width")]
        report = archdsl.analyze("yolo_v8_s_backbone", changes, input_shape=(640, 640, 3))
        assert row["latency_ms"] == pytest.approx(
            1000 * sum(seconds_by_layer(report.fused, machine).values()), abs=1e-4
        )
    assert found[0]["latency_ms"] > 30  # of three poolings that were measured
    assert "latency_ms is of machine.json, 2 threads" in search(run, space).stdout
    assert "latency_ms is of machine.json, 2 threads" in search(run, tmp_path / "sums").stdout
    written(tmp_path, MACHINE.replace("1e11", "2e11"), "machine.json")
    assert "has results of another search" in search(run, space, "-o", tmp_path / "sums", code=2).stderr


@pytest.mark.parametrize(
    ("latency", "message"),
    [
        ("", "latency_ms needs a machine\n  hint: `archdsl bench CONFIG --machine machine.json` writes one"),
        ("latency: none.json", "there is no such file of a machine"),
        ("latency: ../machine.json", "expected a file beside this one"),
        ("latency: 3", "got the number 3; expected a file beside this one"),
        ("latency: ..", "leads out of this folder"),
    ],
)
def test_a_latency_needs_a_machine(latency: str, message: str, tmp_path: Path, run: Run) -> None:
    error = search(run, written(tmp_path, TIMED.replace("latency: machine.json", latency)), code=2).stderr
    assert message.split("\n")[0] in error and message.rpartition("hint: ")[2] in error, error
    assert error.count("error[") == 1


def test_workers_have_the_blocks_of_a_plugin(tmp_path: Path, run: Run) -> None:
    """What a worker does not know would not compile, and be left out without a word."""
    plugin = written(tmp_path, PLUGIN, "my_blocks.py")
    choices = "{stages.p4.body.block: [doubled], stages.p4.depth: 'range(1, 601)'}"
    space = written(tmp_path, f"config: yolo_v8_s_backbone\nchoices: {choices}")
    for workers in ("1", "2"):
        options = ["--all", "--workers", workers, "--plugin", plugin]
        search(run, space, "-o", tmp_path / workers, *options)
    assert len(rows(tmp_path / "1")) == 600
    assert rows(tmp_path / "1") == rows(tmp_path / "2")


def test_a_block_that_changed_does_not_mix_with_what_was_found_before(tmp_path: Path, run: Run) -> None:
    """Nor does one that it calls, from another plugin; what the config does not use may change."""
    calling = "import archdsl.blocks as a\n\n@a.block\ndef calling(x, *, width: a.Width, depth: a.Depth = 1, style):\n"
    calling += "    from archdsl.blocks.registry import get_block\n"
    calling += "    return get_block('doubled')(x, width=width, style=style)\n"
    texts = {"used.py": calling, "called.py": PLUGIN, "other.py": PLUGIN.replace("doubled", "other")}
    options = [word for name, text in texts.items() for word in ("--plugin", written(tmp_path, text, name))]
    config = "defaults: [yolo_v8_s_backbone, _self_]\nstages: {p4: {body: {block: calling}}}\n"
    written(tmp_path, config, "mine.yaml")
    space = written(tmp_path, "config: mine.yaml\nchoices: {scale.width: [0.25, 0.5]}")
    search(run, space, "-o", tmp_path / "found", *options)
    before = rows(tmp_path / "found")
    written(tmp_path, f"{texts['other.py']}\n# changed", "other.py")
    search(run, space, "-o", tmp_path / "found", *options)
    for name in ("called.py", "used.py"):
        written(tmp_path, texts[name].replace("width=width", "width=2 * width"), name)
        assert "has results of another search" in search(run, space, "-o", tmp_path / "found", *options, code=2).stderr
        written(tmp_path, texts[name], name)
    search(run, space, "-o", tmp_path / "found", *options)
    assert rows(tmp_path / "found") == before != []


def test_a_module_that_a_plugin_imports_is_part_of_it(tmp_path: Path, run: Run) -> None:
    """Beside the plugin's file; also one that is imported by that one, and no other file there."""
    begins = f"import sys\nsys.path.insert(0, {str(tmp_path)!r})\nfrom search_helper import times\n"
    plugin = written(tmp_path, begins + PLUGIN.replace("width=width", "width=times(width)"), "its.py")
    texts = {
        "search_helper.py": "import search_sizes\n\ndef times(width):\n    return search_sizes.TWO * width\n",
        "search_sizes.py": "TWO = 2\n",
        "search_other.py": "",
    }
    for name, text in texts.items():
        written(tmp_path, text, name)
    written(tmp_path, "defaults: [yolo_v8_s_backbone, _self_]\nstages: {p4: {body: {block: doubled}}}\n", "mine.yaml")
    space = written(tmp_path, "config: mine.yaml\nchoices: {scale.width: [0.25, 0.5]}")
    again = lambda code: search(run, space, "-o", tmp_path / "found", "--plugin", plugin, code=code)  # noqa: E731
    again(0)
    for name, text in texts.items():
        written(tmp_path, f"{text}\n# changed", name)
        again(0 if name == "search_other.py" else 2)
        written(tmp_path, text, name)
    again(0)


def test_an_option_that_changed_does_not_mix_with_what_was_found_before(tmp_path: Path, run: Run) -> None:
    (tmp_path / "neck").mkdir()
    option = written(
        tmp_path, (Path(archdsl.__file__).parents[1] / "configs/neck/fpn.yaml").read_text(), "neck/own.yaml"
    )
    written(tmp_path, "defaults: [yolo_v8_s_backbone, {neck: pan_c2f}, _self_]\n", "mine.yaml")
    space = written(tmp_path, "config: mine.yaml\nchoices: {neck: [pan_c2f, own]}")
    search(run, space, "-o", tmp_path / "found")
    search(run, space, "-o", tmp_path / "found")
    option.write_text(option.read_text().replace("256", "128"))
    assert "has results of another search" in search(run, space, "-o", tmp_path / "found", code=2).stderr


def test_a_config_that_was_changed_since_gives_no_row(tmp_path: Path, run: Run) -> None:
    """The file would have other costs than its first lines say."""
    mine = written(tmp_path, "defaults: [yolo_v8_s_backbone, _self_]\n", "mine.yaml")
    space = written(tmp_path, "config: mine.yaml\nchoices: {scale.width: [0.25, 0.5]}")
    search(run, space, "-o", tmp_path / "found")
    mine.write_text(mine.read_text() + "stages: {p5: {depth: 6}}\n")
    error = search(run, tmp_path / "found", "--take", "1", "-o", tmp_path / "taken.yaml", code=2).stderr
    assert "the row has params 5089760, and its network now has" in error
    assert not (tmp_path / "taken.yaml").exists()


def test_it_is_said_that_no_variant_is_a_network(tmp_path: Path, run: Run) -> None:
    choices = "{stages.p3: [null], scale.width: [0.25, 0.5]}"
    space = written(tmp_path, f"config: yolo_v8_s_detect\nchoices: {choices}")
    told = search(run, space).stdout
    assert "none of the first 2 compiles; the first: stages.p4" in told, told


def test_a_number_that_is_written_in_two_ways_is_one_value(tmp_path: Path, run: Run) -> None:
    space = written(tmp_path, "config: yolo_v8_s_backbone\nchoices: {scale.width: [1, 0.5, 1.0]}")
    assert "scale.width 2" in search(run, space).stdout


def test_choices_of_a_key_and_of_a_part_of_it_are_composed_in_their_order(tmp_path: Path, run: Run) -> None:
    """A stage that one choice takes away does not come back because another sets its width."""
    choices = "{stages.p5: [{depth: 3}, null], stages.p5.width: [256, 640]}"
    space = written(tmp_path, f"config: yolo_v8_s_backbone\noverrides: ['outputs=[p3]']\nchoices: {choices}")
    assert "there is no 'width' in 'stages.p5', which is nothing" in search(run, space, code=2).stderr


def test_the_last_value_is_checked_however_many_there_are(tmp_path: Path, run: Run) -> None:
    """Width ends at 65,536, and 7 × 9,363 is beyond it."""
    space = written(tmp_path, "config: yolo_v8_s_backbone\nchoices: {stages.p4.width: 'range(7, 65542, 7)'}")
    assert "choices.stages.p4.width: got the number 65541" in search(run, space, code=2).stderr


def test_a_config_that_is_wrong_is_told_as_show_tells_it(tmp_path: Path, run: Run) -> None:
    written(tmp_path, "defaults: [yolo_v8_s_backbone, _self_]\ninput: 5\n", "mine.yaml")
    error = search(run, written(tmp_path, "config: mine.yaml\nchoices: {scale.width: [1]}"), code=2).stderr
    assert "mine.yaml:2:8: error[type]: input" in error


def test_a_list_has_any_values_that_a_config_takes(tmp_path: Path, run: Run) -> None:
    """Words that Hydra would take for something else, too."""
    values = ["true", "it's", "a b", "3"]
    space = {"config": "yolo_v8_s_backbone", "choices": {"description": values, "stages.p5.post": [None]}}
    search(run, written(tmp_path, yaml.safe_dump(space)), "-o", tmp_path / "found")
    assert len(rows(tmp_path / "found")) == 4
    for number, value in enumerate(values):
        search(run, tmp_path / "found", "--take", str(number), "-o", tmp_path / f"{number}.yaml")
        taken = yaml.safe_load((tmp_path / f"{number}.yaml").read_text())
        assert (taken["description"], taken["stages"]["p5"]["post"]) == (value, None)
