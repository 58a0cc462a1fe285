"""`archdsl://` in Hydra: the shipped configs, or a folder's, in any program that has archdsl installed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize, initialize_config_dir
from hydra.core.object_type import ObjectType
from hydra.core.plugins import Plugins
from hydra.errors import ConfigCompositionException
from hydra.plugins.config_source import ConfigLoadError
from hydra.test_utils.config_source_common_tests import ConfigSourceTestSuite
from omegaconf import OmegaConf
from support import REPOSITORY, samples

import archdsl
from archdsl.frontend.compose.config import load
from archdsl.frontend.compose.search_path import config_root, options_of, preset_names
from archdsl.tools.hydra.config_source import ArchdslConfigSource

pytestmark = pytest.mark.slow  # whole commands, one after the other

SHIPPED = "hydra.searchpath=[archdsl://configs]"
OVERRIDES = ["++scale.width=0.75", "+stages.p9={width: 8, depth: 1}", "++conventions.slope=0.2", "++outputs=[p4]"]
GLOBAL = "# @package _global_\n"

# What Hydra's own tests of config sources expect to find, as far as a config of archdsl's may say it.
SUITE_FILES = {
    "config_without_group": "group: false\n",
    "config_with_unicode": "group: 数据库\n",
    "dataset": "dataset_yaml: true\n",
    "dataset/imagenet": "name: imagenet\npath: /datasets/imagenet\n",
    "dataset/cifar10": "name: cifar10\npath: /datasets/cifar10\n",
    "optimizer/adam": "type: adam\n",
    "optimizer/nesterov": "type: nesterov\n",
    "level1/level2/nested1": "l1_l2_n1: true\n",
    "level1/level2/nested2": "l1_l2_n2: true\n",
    "package_test/none": "foo: bar\n",
    "package_test/global": f"{GLOBAL}foo: bar\n",
    "primary_config": "foo: bar\n",
}
# And what only Hydra allows: parents that it chooses by group, values that go elsewhere.
REFUSED_FILES = {
    "config_with_defaults_list": "defaults:\n- dataset: imagenet\nkey: value\n",
    "configs_with_defaults_list/global_package": f"{GLOBAL}defaults:\n- foo: bar\nx: 10\n",
    "configs_with_defaults_list/group_package": "# @package _group_\ndefaults:\n- foo: bar\nx: 10\n",
    "package_test/explicit": "# @package a.b\nfoo: bar\n",
    "package_test/group": "# @package _group_\nfoo: bar\n",
    "package_test/group_name": "# @package foo._group_._name_\nfoo: bar\n",
    "package_test/name": "# @package _name_\nfoo: bar\n",
    "primary_config_with_non_global_package": "# @package foo\nfoo: bar\n",
}


@pytest.fixture(scope="module", autouse=True)
def registered() -> None:
    """As Hydra's scan does where archdsl is installed."""
    Plugins.instance().register(ArchdslConfigSource)


def written(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def fitting(test: Callable[..., None]) -> pytest.MarkDecorator:
    """The cases of one of Hydra's tests, without those that archdsl refuses."""
    names, cases = test.pytestmark[0].args
    return pytest.mark.parametrize(names, [case for case in cases if case.values[0] not in REFUSED_FILES])


class TestHydrasOwnSuite(ConfigSourceTestSuite):
    """Whatever Hydra asks of a config source."""

    test_primary_config_with_non_global_package = None  # refused, see below

    @pytest.fixture(autouse=True)
    def any_key(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The suite's files have keys that archdsl's configs do not have; that those are refused is tested below."""
        monkeypatch.setattr("archdsl.tools.hydra.config_source.foreign_keys", lambda config: [])

    @pytest.fixture
    def type_(self) -> type[ArchdslConfigSource]:
        return ArchdslConfigSource

    @pytest.fixture
    def path(self, tmp_path: Path) -> str:
        return f"archdsl://{written(tmp_path, SUITE_FILES | REFUSED_FILES)}"

    @fitting(ConfigSourceTestSuite.test_source_load_config)
    def test_source_load_config(
        self, type_, path, config_path, expected_config, expected_defaults_list, expected_package, recwarn
    ):
        super().test_source_load_config(
            type_, path, config_path, expected_defaults_list, expected_package, expected_config, recwarn
        )

    @fitting(ConfigSourceTestSuite.test_package_behavior)
    def test_package_behavior(self, type_, path, config_path, expected_result, expected_package):
        super().test_package_behavior(type_, path, config_path, expected_result, expected_package)


@pytest.mark.parametrize("name", REFUSED_FILES)
def test_what_archdsl_does_not_allow_is_refused_in_hydra_too(name: str, tmp_path: Path) -> None:
    source = ArchdslConfigSource("test", f"archdsl://{written(tmp_path, REFUSED_FILES)}")
    with pytest.raises(ConfigCompositionException, match=rf"{name}.yaml:\d+:\d+: error\["):
        source.load_config(name)


@pytest.fixture
def composed(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """What a Hydra program composes whose own folder holds `main`, a config that says where the others are."""

    def compose_main(text: str, *overrides: str) -> dict[str, Any]:
        written(tmp_path, {"main": f"hydra: {{searchpath: ['archdsl://configs']}}\n{text}"})
        with initialize_config_dir(str(tmp_path), version_base="1.3"):
            return OmegaConf.to_container(compose("main", overrides=list(overrides)), resolve=True)

    return compose_main


@pytest.mark.usefixtures("bare_hydra")
@pytest.mark.parametrize(
    "name", [*samples.every_fourth(preset_names()), "family/yolo_v8", "family/resnet_v2_bottleneck"]
)
def test_a_preset_composes_to_what_archdsl_loads(name: str, composed: Callable[..., dict[str, Any]]) -> None:
    values = load(name).values
    assert in_order(composed(f"defaults: [{name}, _self_]")) == in_order(values)
    overrides = [each for each in OVERRIDES if "outputs" not in each or not isinstance(values.get("outputs"), dict)]
    ours = load(name, overrides).values
    assert in_order(composed(f"defaults: [{name}, _self_]", *overrides)) == in_order(ours)


def in_order(values: dict[str, Any]) -> dict[str, str]:
    """Each key with its value as text: the order inside of it means something, that of the keys does not."""
    return {key: json.dumps(value) for key, value in values.items()}


def test_the_search_path_may_stand_on_the_command_line() -> None:
    with initialize(version_base="1.3", config_path=None):
        found = compose(overrides=[SHIPPED, "+family=yolo_v8"])
    assert OmegaConf.to_container(found) == load("family/yolo_v8").values


def test_a_preset_goes_where_the_program_wants_it(composed: Callable[..., dict[str, Any]]) -> None:
    text = "defaults: [yolo_v8_s_backbone@model.backbone, _self_]\nlr: 0.1\nmodel: {backbone: {scale: {depth: 1}}}"
    values = composed(text, "model.backbone.scale.width=0.375")
    expected = load("yolo_v8_s_backbone", ["scale.width=0.375", "scale.depth=1"]).values
    assert values == {"lr": 0.1, "model": {"backbone": expected}}
    assert archdsl.analyze(values["model"]["backbone"]).params == archdsl.analyze(expected).params


DETECTOR = "defaults: [yolo_v8_s_backbone, neck: pan_c2f, _self_]\nneck: {n3: {depth: 9}}\n"
CHOSEN = {
    "chosen": ({"net": DETECTOR}, []),
    "changed": ({"net": DETECTOR}, ["neck=fpn"]),
    "taken back": ({"net": DETECTOR}, ["~neck"]),
    "none, and changed": ({"net": DETECTOR.replace("neck: pan_c2f", "neck: null")}, ["neck=fpn"]),
    "added": ({"net": "defaults: [yolo_v8_s_backbone, _self_]\n"}, ["+neck=pan_c2f"]),
    "overridden in the file": (
        {
            "base": DETECTOR,
            "net": "defaults: [base, override neck: mine, _self_]\n",
            "neck/mine": "defaults: [fpn, _self_]\nn3: {kernel: 5}\n",
        },
        [],
    ),
    "overridden in the file, and changed": (
        {"base": DETECTOR, "net": "defaults: [base, override neck: fpn, _self_]\n", "neck/mine": "n3: {kernel: 5}\n"},
        ["neck=mine"],
    ),
    "set before the option": (
        {
            "net": "defaults: [_self_, neck: mine]\nneck: {n3: {kernel: 3, from: p3}}\n",
            "neck/mine": "n3: {kernel: 5}\n",
        },
        [],
    ),
    "a reference in the option": (
        {"net": "defaults: [neck: mine, _self_]\nscale: {width: 2}\n", "neck/mine": "n3: {width: '${scale.width}'}\n"},
        [],
    ),
}


@pytest.mark.parametrize("package", ["", "model.backbone"])
@pytest.mark.parametrize(("files", "overrides"), CHOSEN.values(), ids=list(CHOSEN))
def test_groups_stay_choices_in_hydra(
    files: dict[str, str], overrides: list[str], package: str, tmp_path: Path
) -> None:
    own = written(tmp_path / "own", files)
    search = f"hydra: {{searchpath: ['archdsl://{own}', 'archdsl://configs']}}\n"
    written(tmp_path, {"main": f"{search}defaults: [net@{package or '_global_'}, _self_]"})
    placed = [re.sub("neck", f"neck@{package}.neck", each) for each in overrides] if package else overrides
    with initialize_config_dir(str(tmp_path), version_base="1.3"):
        found = compose("main", overrides=placed)
    values = OmegaConf.to_container(OmegaConf.select(found, package) if package else found, resolve=True)
    assert values == load(own / "net.yaml", overrides).values


def test_a_program_overrides_the_choice_of_a_config(tmp_path: Path) -> None:
    own = written(tmp_path / "own", {"net": DETECTOR})
    search = f"hydra: {{searchpath: ['archdsl://{own}', 'archdsl://configs']}}\n"
    written(tmp_path, {"main": f"{search}defaults: [net, override neck: fpn, _self_]"})
    with initialize_config_dir(str(tmp_path), version_base="1.3"):
        assert OmegaConf.to_container(compose("main")) == load(own / "net.yaml", ["neck=fpn"]).values


def test_the_options_of_a_group_are_listed() -> None:
    source = ArchdslConfigSource("test", "archdsl://configs")
    assert source.is_group("neck")
    assert source.list("neck", ObjectType.CONFIG) == options_of("neck", [config_root()])


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("n3: {block: conv, width: '${oc.env:HOME}'}\n", r"error\[reference\].* resolver"),
        ("n3: {block: conv, kernel: {_target_: os.getcwd}}\n", r"unknown key '_target_'"),
        ("hydra: {run: {dir: x}}\nn3: {block: conv, width: 010}\n", r"error\[leading-zero\]"),
        ("stages: {p2: null}\nn3: {block: conv}\n", r"'stages' is a key of a whole config"),
    ],
)
def test_a_file_of_a_group_is_checked_before_hydra_sees_it(text: str, fact: str, tmp_path: Path) -> None:
    own = written(tmp_path, {"neck/mine": text})
    with pytest.raises(ConfigCompositionException, match=fact):
        ArchdslConfigSource("test", f"archdsl://{own}").load_config("neck/mine")


def test_a_folder_of_ones_own_inherits_shipped_configs(tmp_path: Path) -> None:
    own = written(
        tmp_path / "own", {"nets/my_net": f"{GLOBAL}defaults: [csp_darknet_s, _self_]\nscale: {{width: 0.375}}\n"}
    )
    with initialize(version_base="1.3", config_path=None):
        found = compose(overrides=[f"hydra.searchpath=['archdsl://{own}']", "+nets=my_net"])
    assert OmegaConf.to_container(found) == load("csp_darknet_s", ["scale.width=0.375"]).values


REFERRING = """
defaults: [yolo_v8_s_backbone, _self_]
description: ${name}, ${scale.width} wide
name: mine
scale: {depth: "${scale.width}"}
stages: {p4: {depth: "${..p3.depth}"}, p5: {width: "${stages[p3].width}"}}
outputs: ["${name}", p4, "${.1}", '\\${name}']
"""


@pytest.mark.parametrize("overrides", [[], ["scale.width=0.75", "stages.p3.depth=2"]])
@pytest.mark.parametrize("package", ["", "model.backbone"])
def test_references_are_followed_wherever_the_config_is_put(package: str, overrides: list[str], tmp_path: Path) -> None:
    own = written(tmp_path / "own", {"my_net": REFERRING})
    defaults = f"[my_net@{package or '_global_'}, _self_]"
    written(tmp_path, {"main": f"hydra: {{searchpath: ['archdsl://{own}']}}\ndefaults: {defaults}"})
    placed = [f"{package}.{override}" if package else override for override in overrides]
    with initialize_config_dir(str(tmp_path), version_base="1.3"):
        found = compose("main", overrides=placed)
    config = OmegaConf.select(found, package) if package else found
    expected = load(own / "my_net.yaml", overrides).values
    assert OmegaConf.to_container(found, resolve=True) == ({"model": {"backbone": expected}} if package else expected)
    assert load(config).values == expected


def test_a_resolver_is_refused_before_hydra_sees_it(tmp_path: Path) -> None:
    own = written(tmp_path, {"my_net": "name: ${oc.env:HOME}\n"})
    with pytest.raises(ConfigCompositionException, match=r"my_net.yaml:1:7: error\[reference\]: name: .* resolver"):
        ArchdslConfigSource("test", f"archdsl://{own}").load_config("my_net")


@pytest.fixture
def outside(tmp_path: Path) -> ArchdslConfigSource:
    """A folder with ways out of it: to a file and a folder beside it."""
    written(tmp_path, {"secret": "name: x\n", "beside/secret": "name: x\n", "own/fine": "name: x\n"})
    (tmp_path / "own" / "link.yaml").symlink_to(tmp_path / "secret.yaml")
    (tmp_path / "own" / "folder").symlink_to(tmp_path / "beside")
    (tmp_path / "own" / "inner.yaml").symlink_to(tmp_path / "own" / "fine.yaml")
    return ArchdslConfigSource("test", f"archdsl://{tmp_path / 'own'}")


@pytest.mark.parametrize(
    "name", ["../secret", "link", "folder/secret", "folder/../../secret", "{root}/secret", "a" * 999]
)
def test_nothing_outside_of_the_folder_is_there(name: str, outside: ArchdslConfigSource, tmp_path: Path) -> None:
    name = name.format(root=tmp_path)
    assert not outside.is_config(name)
    group = name.rpartition("/")[0] or name
    assert not outside.is_group(group)
    assert outside.list(group, None) == []
    with pytest.raises(ConfigLoadError):
        outside.load_config(name)


def test_a_link_inside_of_the_folder_is_followed(outside: ArchdslConfigSource) -> None:
    assert outside.load_config("inner").config == {"name": "x"}


@pytest.mark.parametrize(
    "path", ["archdsl://nowhere", "archdsl://", "archdsl://relative/configs", "archdsl:///not/there"]
)
def test_a_folder_that_is_not_there_is_not_available(path: str) -> None:
    assert not ArchdslConfigSource("test", path).available()


PROGRAM = """
import sys
import hydra
@hydra.main(version_base="1.3", config_path=".", config_name="main")
def main(config):
    print(config)
    print("archdsl.tools.hydra.config_source" in sys.modules, "archdsl.frontend.compose.config" in sys.modules)
main()
"""


@pytest.fixture
def program(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a Hydra program that does not import archdsl, where files lie as the wheel installs them."""
    included = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    places = included["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    for source, place in places.items():
        if source.endswith(".py"):
            target = tmp_path / "installed" / place
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text((REPOSITORY / source).read_text())

    def run(main: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "program.py").write_text(PROGRAM)
        (tmp_path / "main.yaml").write_text(main)
        path = os.pathsep.join([str(tmp_path / "installed"), str(REPOSITORY)])
        return subprocess.run(
            [sys.executable, "program.py", *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_a_program_without_such_a_folder_imports_no_more_than_the_plugin(program: Callable[..., Any]) -> None:
    assert program("x: 1\n").stdout == "{'x': 1}\nTrue False\n"


def test_hydra_finds_the_plugin_by_itself(program: Callable[..., Any]) -> None:
    result = program("hydra: {searchpath: ['archdsl://configs']}\ndefaults: [yolo_v8_s_backbone, _self_]\n")
    assert result.stdout == f"{load('yolo_v8_s_backbone').values}\nTrue True\n"


ACTING = """
hydra:
  run: {dir: written}
  callbacks: {mine: {_target_: acting.Callback}}
"""


@pytest.mark.parametrize("header", ["", GLOBAL])
@pytest.mark.parametrize(
    ("text", "place"),
    [
        (ACTING.lstrip(), r"2:1: error\[unknown-key\]: hydra: "),
        ("stages: {p3: {width: 8}}\nlr: 0.1\n", r"3:1: error\[unknown-key\]: lr: "),
        (
            "stem: {conv: {block: conv, kernel: {_target_: acting.Callback}}}\n",
            r"2:37: error\[unknown-key\]: stem.conv",
        ),
        ("stages: {_target_: acting.Callback}\n", r"2:10: error\[key\]: stages._target_: "),
    ],
)
def test_a_key_that_another_program_acts_on_reaches_none(
    header: str, text: str, place: str, program: Callable[..., Any], tmp_path: Path
) -> None:
    own = written(tmp_path / "own", {"my_net": f"{header or chr(10)}{text}"})
    (tmp_path / "acting.py").write_text("from pathlib import Path\nPath('acted').touch()\n")
    result = program(f"hydra: {{searchpath: ['archdsl://{own}']}}\ndefaults: [my_net, _self_]\n")
    assert result.returncode == 1
    assert re.match(rf"{own}/my_net.yaml:{place}", result.stderr), result.stderr
    assert not {"acted", "written"} & {path.name for path in tmp_path.iterdir()}


def test_a_part_of_a_config_may_be_mixed_in_and_its_values_changed(
    composed: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    own = written(tmp_path / "own", {"act/relu": f"{GLOBAL}conventions: {{activation: relu}}\nscale: {{width: -1}}\n"})
    with initialize(version_base="1.3", config_path=None):
        found = compose(overrides=[f"hydra.searchpath=['archdsl://{own}']", "+act=relu", "scale.width=2"])
    assert OmegaConf.to_container(found) == {"conventions": {"activation": "relu"}, "scale": {"width": 2}}


def test_a_mistake_is_printed_with_its_place_and_without_a_traceback(
    program: Callable[..., Any], tmp_path: Path
) -> None:
    own = written(tmp_path / "own", {"my_net": "defaults: [yolo_v8_s_backbon, _self_]\nstages: {p4: {depth: 9}}\n"})
    result = program(f"hydra: {{searchpath: ['archdsl://{own}']}}\ndefaults: [my_net, _self_]\n")
    assert result.returncode == 1
    assert result.stderr.startswith(f"{own}/my_net.yaml:1:12: error[unknown-parent]: defaults.0: no config")
    assert "hint: did you mean 'yolo_v8_s_backbone'?" in result.stderr
    assert "Traceback" not in result.stderr
