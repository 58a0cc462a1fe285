"""`python -m archdsl.hydra_app`: costs as Hydra jobs, sweeps with a table, mistakes as reports."""

from __future__ import annotations

import json
import math
import re
import subprocess
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf
from support import warm

import archdsl
from archdsl.frontend.compose.search_path import config_root
from archdsl.tools.hydra.job import job
from archdsl.tools.hydra.sweep import Sweep, count_jobs

pytestmark = pytest.mark.slow  # whole commands, one after the other

PRESET = ("--config-name", "yolo_v8_s_backbone")
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def app(tmp_path: Path) -> Run:
    """Runs `python -m archdsl.hydra_app …` in an empty folder."""
    return partial(warm.run, "archdsl.hydra_app", folder=tmp_path)


def reports(folder: Path) -> list[dict[str, object]]:
    return [json.loads(path.read_text()) for path in sorted(folder.rglob("report.json"))]


def test_a_job_prints_one_line_and_writes_its_report(app: Run, tmp_path: Path) -> None:
    overrides = ["scale.width=0.375", "+name=mine"]
    result, costs = app(*PRESET, *overrides), archdsl.analyze("yolo_v8_s_backbone", overrides)
    figures = f"{costs.params:,} parameters, {costs.macs / 1e9:.2f} G MACs"
    assert result.stdout == f"yolo_v8_s_backbone scale.width=0.375 +name=mine: {figures}\n"
    (written,) = reports(tmp_path / "outputs")
    assert (written["config"], written["overrides"]) == ("yolo_v8_s_backbone", overrides)
    assert written.items() >= json.loads(json.dumps(costs.to_dict())).items()


def test_a_sweep_ends_with_a_table_of_all_jobs(app: Run, tmp_path: Path) -> None:
    result = app(*PRESET, "--multirun", "scale.width=0.25,0.375", "stages.p4.depth=3,12")
    table = result.stdout.partition("\noverrides")[2].splitlines()[1:]
    expected = [
        (f"scale.width={width} stages.p4.depth={depth}", width, depth) for width in (0.25, 0.375) for depth in (3, 12)
    ]
    assert len(table) == len(expected)
    for row, (overrides, width, depth) in zip(table, expected, strict=True):
        costs = archdsl.analyze("yolo_v8_s_backbone", [f"scale.width={width}", f"stages.p4.depth={depth}"])
        assert re.split(r"  +", row)[:2] == [overrides, f"{costs.params:,}"]
    assert len(reports(tmp_path / "multirun")) == 4


@pytest.mark.parametrize("launcher", ["joblib", "submitit_local"])
def test_hydras_launchers_run_the_jobs_of_a_sweep(launcher: str, app: Run, tmp_path: Path) -> None:
    options = {"joblib": "hydra.launcher.n_jobs=2", "submitit_local": "hydra.launcher.timeout_min=5"}
    result = app(*PRESET, "--multirun", f"hydra/launcher={launcher}", options[launcher], "scale.width=0.25,0.375")
    assert result.returncode == 0, result.stderr
    table = result.stdout.partition("overrides ")[2].splitlines()[1:]
    assert [re.split(r"  +", row)[:2] for row in table] == [
        [f"scale.width={width}", f"{archdsl.analyze('yolo_v8_s_backbone', [f'scale.width={width}']).params:,}"]
        for width in (0.25, 0.375)
    ]
    assert len(reports(tmp_path / "multirun")) == 2


def test_a_sweep_goes_over_the_options_of_a_group(app: Run, tmp_path: Path) -> None:
    (tmp_path / "detector.yaml").write_text(
        "defaults: [yolo_v8_s_backbone, neck: pan_c2f, _self_]\noutputs: [n3, n4, n5]\n"
    )
    own = ("--config-dir", str(tmp_path), "--config-name", "detector")
    table = app(*own, "--multirun", "neck=pan_c2f,fpn").stdout.partition("\noverrides")[2].splitlines()[1:]
    assert [re.split(r"  +", row)[:2] for row in table] == [
        [f"neck={option}", f"{archdsl.analyze(tmp_path / 'detector.yaml', [f'neck={option}']).params:,}"]
        for option in ("pan_c2f", "fpn")
    ]
    params = archdsl.analyze("yolo_v8_s_backbone", ["neck=pan_c2f"]).params
    assert f": {params:,} parameters" in app(*PRESET, "+neck=pan_c2f").stdout
    refused = app(*PRESET, "neck=pan_c2f")  # which Hydra asks for the + of
    assert (refused.returncode, "use +neck=pan_c2f" in refused.stderr) == (2, True)


def test_a_second_sweep_in_the_same_folder_shows_its_own_jobs(app: Run) -> None:
    app(*PRESET, "--multirun", "hydra.sweep.dir=here", "scale.width=0.25,0.375,0.5")
    result = app(*PRESET, "--multirun", "hydra.sweep.dir=here", "scale.depth=1,2")
    table = result.stdout.partition("\noverrides")[2].splitlines()[1:]
    assert [row.split()[0] for row in table] == ["scale.depth=1", "scale.depth=2"]


def test_a_config_of_ones_own_goes_through_the_strict_loader(app: Run, tmp_path: Path) -> None:
    folder = tmp_path / "my 'nets'"
    folder.mkdir()
    (folder / "my_net.yaml").write_text("defaults: [yolo_v8_s_backbone, _self_]\nstages: {p4: {depth: 9}}\n")
    (folder / "octal.yaml").write_text("defaults: [yolo_v8_s_backbone, _self_]\nstages: {p4: {depth: 010}}\n")
    (folder / "above.yaml").write_text("defaults: [../secret, _self_]\n")
    (tmp_path / "secret.yaml").write_text("archdsl: 1\n")
    own = ("--config-dir", folder.name, "--config-name")
    params = archdsl.analyze(folder / "my_net.yaml").params
    assert app(*own, "my_net").stdout.startswith(f"my_net: {params:,} parameters")
    for name, place in (("octal", "2:22: error[leading-zero]"), ("above", "1:12: error[parent]")):
        result = app(*own, name)
        assert (result.returncode, result.stderr.startswith(f"{folder}/{name}.yaml:{place}")) == (2, True)


ACTING = """
hydra:
  run: {dir: written}
  callbacks: {mine: {_target_: acting.Callback}}
"""
DATA = "defaults: [yolo_v8_s_backbone, _self_]\n"
CONFIGS_THAT_ACT = {
    "a key of Hydra's": ({"net": f"{DATA}{ACTING}"}, "net", "net.yaml:3:1: error[unknown-key]: hydra: unknown key"),
    "in a parent": (
        {
            "net": "defaults: [nets/base, _self_]\n",
            "nets/base": f"# @package _global_\ndefaults: [/yolo_v8_s_backbone, _self_]\n{ACTING}",
        },
        "net",
        "nets/base.yaml:4:1: error[unknown-key]: hydra: unknown key",
    ),
    "a config in the package": ({"net": f"# @package hydra\n{DATA}name: x\n"}, "net", "net.yaml:1:1: error[package]"),
    "an override in the Defaults List": (
        {"net": "defaults: [override hydra/launcher: basic, _self_]\n"},
        "net",
        "net.yaml:1:12: error[type]",
    ),
    "a parent in the group": (
        {
            "net": "defaults: [hydra/callbacks/mine, _self_]\n",
            "hydra/callbacks/mine": "mine: {_target_: acting.Callback}\n",
        },
        "net",
        "hydra/callbacks/mine.yaml:1:1: error[package]",
    ),
    "a group": ({"hydra/callbacks/mine": "name: x\n"}, "hydra/callbacks/mine", "error[hydra]: Cannot find"),
    "a folder above": ({"folder/name": "name: x\n"}, "folder/../hydra/callbacks/mine", "error[hydra]"),
    "a target inside": (
        {"net": f"{DATA}blocks: {{a: {{arguments: {{b: {{_target_: acting.Callback}}}}}}}}\n"},
        "net",
        "net.yaml:2:30: error[unknown-key]: blocks.a.arguments.b._target_: unknown key '_target_'",
    ),
}


@pytest.mark.parametrize(("files", "name", "report"), CONFIGS_THAT_ACT.values(), ids=list(CONFIGS_THAT_ACT))
def test_a_config_is_data_to_hydra_too(files: dict[str, str], name: str, report: str, app: Run, tmp_path: Path) -> None:
    for file, text in files.items():
        path = tmp_path / f"{file}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "acting.py").write_text("from pathlib import Path\nPath('acted').touch()\n")
    before = sorted(tmp_path.rglob("*"))
    result = app("--config-dir", ".", "--config-name", name)
    assert (result.returncode, report in result.stderr) == (2, True), result.stderr
    assert sorted(tmp_path.rglob("*")) == before


MISTAKES = {
    "no config": ((), "error[hydra]: no config is named"),
    "an unknown config": (("-cn", "yolo_v8_s"), "did you mean 'yolo_v8_s_backbone'"),
    "an unknown key": ((*PRESET, "scale.widht=1"), "error[hydra]: Could not override 'scale.widht'."),
    "a new unknown key": ((*PRESET, "+stages.p4.depht=1"), "error[unknown-key]: stages.p4.depht: unknown key 'depht'"),
    "a value out of range": ((*PRESET, "scale.width=-1"), "error[range]: scale.width: got the number -1"),
    "the environment": ((*PRESET, "description=${oc.env:HOME}"), "error[reference]: description"),
    "a sweep without --multirun": ((*PRESET, "scale.width=1,2"), "add --multirun"),
    "an unknown launcher": ((*PRESET, "hydra/launcher=x"), "error[hydra]: In 'hydra/config': Could not find"),
    "no override": ((*PRESET, "scale.width"), "error[hydra]: Error parsing override 'scale.width'"),
    "a deep override": ((*PRESET, f"+x={'[' * 3000}{']' * 3000}"), "error[hydra]: maximum recursion depth"),
    "a long name": (("-cn", "a" * 3000), "error[hydra]: [Errno 36] File name too long"),
    "a pickle": ((*PRESET, "--experimental", "config.pickle"), "error[hydra]: --experimental-rerun is not allowed"),
    "two modes": ((*PRESET, "--run", "--multirun"), "error[hydra]: Only one of --run, --multirun"),
}


@pytest.mark.parametrize(("arguments", "report"), MISTAKES.values(), ids=list(MISTAKES))
def test_a_mistake_is_one_report(arguments: tuple[str, ...], report: str, app: Run, tmp_path: Path) -> None:
    result = app(*arguments)
    assert (result.returncode, result.stdout, report in result.stderr) == (2, "", True)
    assert "Traceback" not in result.stderr
    assert not reports(tmp_path)


def test_an_invalid_job_does_not_end_the_sweep(app: Run) -> None:
    result = app(*PRESET, "--multirun", "scale.width=-1,0.25,[wide]")
    assert result.returncode == 2
    assert "scale.width: got the number -1" in result.stderr and "got a list of 1" in result.stderr
    assert "Traceback" not in result.stderr
    rows = [line.split() for line in result.stdout.partition("\noverrides")[2].splitlines()[1:]]
    assert [row[:2] for row in rows] == [
        ["scale.width=-1", "invalid"],
        ["scale.width=0.25", f"{archdsl.analyze('yolo_v8_s_backbone', ['scale.width=0.25']).params:,}"],
        ["scale.width=[wide]", "invalid"],
    ]


def test_a_key_that_is_not_there_is_refused_before_any_job(app: Run, tmp_path: Path) -> None:
    result = app(*PRESET, "--multirun", "scale.widht=0.25,0.5")
    assert (result.returncode, "Could not override 'scale.widht'" in result.stderr) == (2, True)
    assert not reports(tmp_path)


BILLION = ("stages.p3.depth=range(0,1000)", "stages.p4.depth=range(0,1000000)")


def test_a_huge_sweep_is_counted_and_refused(app: Run, tmp_path: Path) -> None:
    result = app(*PRESET, "--multirun", *BILLION)
    assert result.returncode == 2
    assert "error[sweep]: a sweep of 1,000,000,000 combinations; expected at most 1,000" in result.stderr
    assert not reports(tmp_path)


def settings(target: str, overrides: Sequence[str], folder: Path, params: dict[str, str] | None = None) -> DictConfig:
    """What Hydra says of a sweep."""
    sweeper = {"_target_": target, "params": params}
    sweep = {"sweeper": sweeper, "overrides": {"task": list(overrides)}, "sweep": {"dir": str(folder)}}
    return OmegaConf.create({"hydra": sweep})


BASIC = "hydra._internal.core_plugins.basic_sweeper.BasicSweeper"


def test_sweep_parameters_in_hydras_settings_are_counted_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    params = {"scale.width": "range(1,1001)"}
    with pytest.raises(SystemExit):
        Sweep().on_multirun_start(settings(BASIC, ["scale.depth=1,2"], tmp_path, params))
    assert "a sweep of 2,000 combinations" in capsys.readouterr().err


@pytest.mark.parametrize("target", [BASIC, "other.Sweeper"])
@pytest.mark.parametrize("force", [True, False])
def test_force_and_other_sweepers_run_a_sweep_of_any_size(target: str, force: bool, tmp_path: Path) -> None:
    with pytest.raises(SystemExit) if "Basic" in target and not force else nullcontext():
        Sweep(force).on_multirun_start(settings(target, BILLION, tmp_path))


@pytest.mark.parametrize("force", [True, False])
def test_force_reaches_the_sweep(force: bool, app: Run) -> None:
    settings = app(*PRESET, "--cfg", "hydra", *["--force"] * force).stdout
    assert f"_target_: archdsl.tools.hydra.sweep.Sweep\n      force: {str(force).lower()}\n" in settings


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["a=1"],
        ["a=1,2,3", "b=x"],
        ["a=1,2", "b=range(0,10)", "c=choice(x,[1,2],{y:3})"],
        ["a=range(0,10,3)", "b=range(10,0,-3)", "c=range(3,0)"],
        ["a=range(0,1,0.3)", "b=range(0.5,2)", "c=shuffle(range(4))"],
        ["a=1,2", "a=1,2,3", "+b=1,2", "~c"],
        ["a=[1,2]", "b='1,2'", "c=sort(3,1,2)"],
    ],
    ids=" ".join,
)
def test_jobs_are_counted_as_hydra_makes_them(overrides: list[str]) -> None:
    parsed = OverridesParser.create().parse_overrides(overrides)
    assert count_jobs(overrides) == len(BasicSweeper.split_arguments(parsed, max_batch_size=None)[0])


@pytest.mark.parametrize("end", ["inf", "1" + 400 * "0", "nan"])
def test_a_sweep_without_end_is_counted_too(end: str) -> None:
    assert count_jobs([f"stages.p4.depth=range(0,{end})", "scale.width=1,2"]) == math.inf


@pytest.mark.parametrize(("override", "value"), [("scale.width=0.375", 2_866_920), ("scale.width=-1", math.inf)])
def test_a_job_returns_what_an_optimising_sweeper_minimises(override: str, value: float, tmp_path: Path) -> None:
    where = [f"hydra.runtime.output_dir='{tmp_path}'", "hydra.mode=MULTIRUN", "hydra.job.num=0"]
    with initialize_config_dir(str(config_root()), version_base="1.3"):
        config = compose("yolo_v8_s_backbone", overrides=[override, *where], return_hydra_config=True)
    HydraConfig.instance().set_config(config)
    try:
        assert job(OmegaConf.masked_copy(config, [key for key in config if key != "hydra"])) == value
    finally:
        HydraConfig.instance().cfg = None
