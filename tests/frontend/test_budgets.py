"""A config may cost so much and no more, which is told before anything is built; its user may allow more."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from support import samples

import archdsl
from archdsl.blocks import registry
from archdsl.blocks.registry import Block, _blocks, get_block
from archdsl.frontend.budget import BUDGET_KEYS, Budget, read_budget
from archdsl.frontend.compose.config import load
from archdsl.frontend.compose.search_path import preset_names
from archdsl.ir.node import Meter, Node
from archdsl.ir.ops import Identity
from archdsl.tools.cli import cli

Write = Callable[[str, str], Path]
Problems = Callable[..., list[archdsl.Problem]]

PRESET = "resnet50_v2"
WIDE = [f"stages.p{level}.width=30000" for level in (2, 3, 4, 5)]
DEEP = [f"stages.p{level}.depth=1000" for level in (2, 3, 4, 5)]


def refused(*overrides: str, size: int | None = None, config: Any = PRESET, **budget: float) -> list[archdsl.Problem]:
    with pytest.raises(archdsl.ArchError) as caught:
        archdsl.compile_config(config, overrides, (size, size, 3), budget=Budget(**budget))
    return caught.value.problems


# overrides, image size, key of the budget, entry with the largest share, how much there is in all
BEYOND: dict[str, tuple[list[str], int | None, str, str]] = {
    "wide": (WIDE, None, "params", "stages.p4.body"),
    "deep": (DEEP, None, "layers", "stages.p3.body"),  # where it grew too large
    "large": ([], 30_000, "macs", "stages.p4.body"),
    "large and thin": (["++scale.width=0.1"], 40_000, "activation_bytes", "stages.p3.body"),
}


@pytest.mark.parametrize(("overrides", "size", "key", "path"), BEYOND.values(), ids=list(BEYOND))
def test_what_costs_too_much_is_refused_at_the_entry_that_takes_most(
    overrides: list[str], size: int | None, key: str, path: str
) -> None:
    (problem,) = [each for each in refused(*overrides, size=size) if f"--budget {key}=" in each.hint]
    assert (problem.code, problem.path) == ("budget", path)
    assert problem.line


@pytest.mark.parametrize("key", ["params", "macs", "activation_bytes"])
def test_the_message_says_how_much_there_is_and_what_is_enough(key: str) -> None:
    costs = archdsl.analyze(PRESET, input_shape=(224, 224, 3)).to_dict()
    nodes = costs["nodes"]
    amounts = {
        "params": costs["params"],
        "macs": costs["macs"],
        "activation_bytes": sum([4 * math.prod(node["shape"]) for node in nodes]),
    }
    (problem,) = refused(size=224, **{key: amounts[key] - 1})
    assert problem.message.startswith(f"{amounts[key]:,} ")
    assert f"at most {amounts[key] - 1:,} in all" in problem.message
    assert archdsl.compile_config(PRESET, (), (224, 224, 3), budget=Budget(**{key: amounts[key]}))
    hinted = re.search(r"--budget (\S+), budget=Budget\((\S+)\)", problem.hint)
    assert hinted is not None
    assert hinted[1] == hinted[2]
    assert archdsl.compile_config(PRESET, (), (224, 224, 3), budget=read_budget(hinted[1]))


def test_all_costs_that_are_too_high_are_reported_in_one_run() -> None:
    assert len(refused(size=224, params=1, macs=1, activation_bytes=1)) == 3


def test_costs_of_an_image_are_counted_when_its_size_is_known() -> None:
    archdsl.compile_config(PRESET, budget=Budget(macs=1, activation_bytes=1))


@pytest.mark.parametrize("preset", [PRESET, "yolo_v8_s_backbone", "yolo_v9_s_backbone", "yolo_v7_backbone"])
def test_a_backbone_may_have_as_many_operations_as_the_budget_says_and_no_more(preset: str) -> None:
    made = len(archdsl.compile_config(preset).nodes)
    assert archdsl.compile_config(preset, budget=Budget(layers=made))
    (problem,) = refused(config=preset, layers=made - 1)
    assert f"over {made - 1:,} operations" in problem.message
    assert "--budget layers=" in problem.hint


HEAVY = ["c2f", "csp", "c3", "rep_ncsp_elan", "elan", "e_elan", "spp_csp", "rep_conv", "cbam", "ghost_conv", "mp_down"]
REPEATED = {
    f"64 × 1000 {block}": {f"s{n}": {"width": 64, "depth": 1000, "body": {"block": block}} for n in range(64)}
    for block in HEAVY
}
NESTED = {
    "a": {"layers": {"x": {"block": "identity", "depth": 1000}}},
    "b": {"layers": {"x": {"block": "a", "depth": 1000}}},
    "c": {"layers": {"x": {"block": "b", "depth": 1000}}},
}
EXTREME: dict[str, tuple[Any, list[str]]] = {
    **{name: ({"stages": stages}, []) for name, stages in REPEATED.items()},
    "1000 × 1000 × 1000": ({"blocks": NESTED, "stages": {"s": {"width": 8, "body": {"block": "c"}}}}, []),
    "depth 10^6": (PRESET, ["stages.p4.depth=1000000"]),
    "depth 10^6 by scale": (PRESET, ["++scale.depth=1000000"]),
    "depth 10^12 of a layer": (PRESET, ["stem.conv.depth=1000000000000"]),
    "width 10^12": (PRESET, ["stages.p4.width=1000000000000"]),
    "width 10^12 of a layer": (PRESET, ["stem.conv.width=1000000000000"]),
    "widest and deepest": (PRESET, [f"stages.p{n}={{width: 65536, depth: 1000}}" for n in (2, 3, 4, 5)]),
}


@pytest.mark.parametrize(("config", "overrides"), EXTREME.values(), ids=list(EXTREME))
def test_extreme_depths_and_widths_are_refused_at_once(
    config: Any, overrides: list[str], problems_of: Problems, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    add = Meter.add
    monkeypatch.setattr(Meter, "add", lambda meter, count=1: (made.append(meter), add(meter, count)))
    (problem,) = problems_of(config, *overrides)
    assert problem.code in ("budget", "range", "override")
    assert len(made) <= 20_001  # a tenth of a second


def test_a_block_is_stopped_while_it_makes_operations(problems_of: Problems) -> None:
    made = []

    def endless(x: Node) -> Node:
        """Never ends. (H, W, C) -> (H, W, C)."""
        while True:
            x = Identity()(x)
            made.append(x)

    archdsl.block(endless)
    try:
        (problem,) = problems_of({"stages": {"a": {"width": 8, "body": {"block": "endless"}}}})
    finally:
        del _blocks["endless"]
    assert (problem.code, problem.path) == ("budget", "stages.a.body")
    assert "over 20,000 operations" in problem.message
    assert 19_000 < len(made) <= 20_000


def test_a_config_may_not_raise_limits(problems_of: Problems, write: Write) -> None:
    path = write("a.yaml", f"defaults: [{PRESET}, _self_]\nbudget: {{params: 1e12}}\n")
    for config, overrides in ((path, []), (PRESET, ["+budget={params: 1e12}"]), ({"budget": {}, "stages": {}}, [])):
        problem = problems_of(config, *overrides)[0]
        assert (problem.code, problem.path) == ("unknown-key", "budget")
        assert "--budget or budget=Budget(…)" in problem.hint


@pytest.mark.parametrize(
    "arguments",
    [["show", "{}"], ["resolve", "{}"], ["validate", "{}"], ["diff", "{}", "{}"], ["build", "{}", "-o", "{}.keras"]],
    ids=lambda arguments: arguments[0],
)
def test_every_command_of_a_config_takes_the_flag(arguments: list[str], write: Write) -> None:
    path = write("net.yaml", "stages: {a: {width: 8, body: {block: conv}}}\n")
    command = [argument.format(path) for argument in arguments]
    result = CliRunner().invoke(cli, [*command, "--budget", "params=1"])
    assert "--budget params=" in f"{result.output}{result.exception}"
    if arguments[0] != "build":  # which would import Keras
        assert (
            CliRunner().invoke(cli, [*command, "--budget", "params=1", "--budget", "layers=9,params=1e3"]).exit_code
            == 0
        )


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("parms=1", "unknown budget 'parms'; expected one of: params, layers", "did you mean 'params'?"),
        ("params", "the budget of params is text ''", "params=5e9"),
        ("macs=many", "the budget of macs is text 'many'; expected a number", "macs=5e9"),
        ("macs=-1", "the budget of macs is the number -1.0; expected a number > 0", ""),
        ("macs=0", "expected a number > 0", ""),
        ("macs=nan", "expected a number > 0", ""),
        ("=1", "unknown budget", ""),
    ],
)
def test_a_budget_that_is_none_is_refused(text: str, message: str, hint: str) -> None:
    with pytest.raises(archdsl.ArchError) as caught:
        read_budget(text)
    (problem,) = caught.value.problems
    assert message in problem.message
    assert hint in problem.hint


def test_budgets_are_read_as_numbers() -> None:
    assert read_budget("") == Budget()
    assert read_budget("params=5e9,layers=30_000,macs=inf") == Budget(
        params=5_000_000_000, layers=30_000, macs=math.inf
    )
    for value in ("1", None, True, -1):
        with pytest.raises(archdsl.ArchError):
            Budget(params=value)  # type: ignore[arg-type]


# The presets with the most parameters, operations, multiply-accumulates, inputs of a node and outputs.
LARGEST = ["convnext_xlarge_classify", "nasnet_large_classify", "efficientnet_b7_classify", "yolo_v8_xl_p6_detect"]
LARGEST += ["hrnet_w18_classify", "yolo_11_x_pose"]


@pytest.mark.parametrize("preset", samples.sampled(preset_names(), LARGEST))
def test_every_preset_is_far_below_the_default_budget(preset: str) -> None:
    fifth = Budget(**{key: getattr(Budget(), key) / 5 for key in BUDGET_KEYS})
    is_open = archdsl.compile_config(preset).image.height is None
    assert archdsl.compile_config(preset, input_shape=(640, 640, 3) if is_open else None, budget=fifth)


@pytest.mark.parametrize(("width", "fits"), [(21_500, True), (25_000, False)])
def test_by_default_a_config_may_have_two_billion_parameters(width: int, fits: bool) -> None:
    body = {"block": "conv", "kernel": 2, "bias": False}  # 4 width² parameters: 1.8e9 and 2.5e9
    config = {"stages": {"p1": {"width": width, "down": {"block": "conv", "stride": 2}, "body": body}}}
    if fits:
        assert archdsl.analyze(config, input_shape=None).params > 4 * width**2
    else:
        (problem,) = refused(config=config)
        assert "--budget params=2.5e9" in problem.hint or "--budget params=2.6e9" in problem.hint


READING: dict[str, tuple[str, Any, float]] = {
    # key of the budget: a config beyond the default, and what is enough
    "values": ("values", {"description": "", "x": [1] * 20_000}, 30_000),
    "references": ("references", {"a": 1, "x": ["${a}"] * 10_001}, 20_000),
}


@pytest.mark.parametrize(("key", "config", "enough"), READING.values(), ids=list(READING))
def test_limits_of_reading_can_be_raised_by_the_user(key: str, config: Any, enough: float) -> None:
    with pytest.raises(archdsl.ArchError) as caught:
        load(config)
    assert f"--budget {key}=" in caught.value.problems[0].hint
    assert load(config, (), Budget(**{key: enough})).values["x"]


def test_long_files_and_many_parents_are_read_when_the_user_says_so(tmp_path: Path) -> None:
    (tmp_path / "a0.yaml").write_text("#" * 2_000_000 + "\nstages: {p1: {width: 8, down: {block: conv, stride: 2}}}")
    for number in range(1, 40):
        (tmp_path / f"a{number}.yaml").write_text(f"defaults: [a{number - 1}, _self_]\n")
    path = tmp_path / "a39.yaml"
    for limits in ({}, {"parents": 100}, {"file_bytes": 3e6}):
        with pytest.raises(archdsl.ArchError):
            load(path, (), Budget(**limits))
    assert archdsl.analyze(path, budget=Budget(parents=100, file_bytes=3e6)).params
    command = ["show", str(path), "--budget", "parents=100,file_bytes=inf"]
    assert CliRunner().invoke(cli, command, catch_exceptions=False).exit_code == 0


def test_parents_together_have_the_values_of_one_file(write: Write) -> None:
    for name in ("one", "two"):
        write(f"{name}.yaml", f"blocks: {{{name}: {{arguments: {{list: [{', '.join(['1'] * 12_000)}]}}}}}}\n")
    path = write("net.yaml", "defaults: [one, two, _self_]\n")
    with pytest.raises(archdsl.ArchError, match=r"more than 20000 values in all files \(.*one"):
        load(path)
    assert load(path, budget=Budget(values=30_000)).values


@dataclass(frozen=True)
class Uncounted(Identity):
    """An operation whose multiply-accumulates nobody knows, such as a Keras layer without a rule for them."""

    def macs(self, result: Any, *inputs: Any) -> int | None:
        return None


def test_one_unknown_cost_does_not_lift_the_budget_of_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    uncounted = Block("uncounted", lambda x: Uncounted()(x, name="odd"))
    both = Block(
        "both", lambda x, *, style: Uncounted()(get_block("conv")(x, width=8, kernel=3, style=style), name="odd")
    )
    monkeypatch.setattr(registry, "_blocks", {**registry.all_blocks(), "uncounted": uncounted, "both": both})
    for body in ({"block": "both"}, {"block": "conv", "kernel": 3, "width": 8}):  # 10 × 10 × 9 × 3 × 8
        config = {"stages": {"a": {"body": body, "post": {"b": {"block": "uncounted"}}}}}
        assert archdsl.analyze(config, input_shape=(10, 10, 3), budget=Budget(macs=21_600)).macs is None
        with pytest.raises(archdsl.ArchError, match="21,600 multiply-accumulates"):
            archdsl.analyze(config, input_shape=(10, 10, 3), budget=Budget(macs=21_599))


@pytest.mark.keras
def test_what_was_built_over_the_budget_is_saved_and_loaded(tmp_path: Path) -> None:
    import keras

    large = {
        "input": {"shape": [40_000, 40_000, 3]},
        "stages": {"p1": {"width": 64, "depth": 4, "down": {"block": "conv", "stride": 2}, "body": {"block": "conv"}}},
    }
    with pytest.raises(archdsl.ArchError, match="activation_bytes"):
        archdsl.build_from_config(large)
    model = archdsl.build_from_config(large, budget=Budget(activation_bytes=1e12))
    model.save(tmp_path / "large.keras")
    assert keras.models.load_model(tmp_path / "large.keras").count_params() == model.count_params()


@pytest.mark.keras
def test_a_saved_model_may_have_what_its_file_holds_or_the_user_allows(tmp_path: Path) -> None:
    """A file cannot ask for parameters that it does not bring; Keras alone does not tell us what it brings."""
    import keras

    from archdsl.tools.pictures.feature_maps import read_model

    deep = {
        "stages": {"p1": {"width": 8, "depth": 3, "down": {"block": "conv", "stride": 2}, "body": {"block": "conv"}}}
    }
    model = archdsl.build_from_config(deep)
    model.save(path := tmp_path / "deep.keras")
    few = Budget(params=model.count_params() - 1, layers=10)
    with few.for_saved_models(), pytest.raises(archdsl.ArchError, match="--budget params="):
        archdsl.Backbone.from_config(model.get_config())
    with few.for_saved_models(), Budget(params=1e12).for_saved_models():
        assert keras.models.load_model(path).count_params() == model.count_params()
    assert read_model(path, budget=Budget(params=1)).count_params() == model.count_params()
    with pytest.raises(archdsl.ArchError, match="--budget layers="):
        read_model(path, budget=Budget(layers=2))


@pytest.mark.keras
def test_fusing_needs_no_budget_for_what_was_built() -> None:
    config = {"stages": {"p1": {"width": 8, "down": {"block": "conv_bn_act", "stride": 2}}}}
    with Budget(layers=1).for_saved_models():
        assert archdsl.fuse(archdsl.build_from_config(config)).passes


def test_a_number_is_no_budget() -> None:
    with pytest.raises(archdsl.ArchError, match=r"expected an archdsl.Budget, got the number 5\n.*write budget="):
        archdsl.analyze(PRESET, budget=5)  # type: ignore[arg-type]
