"""`archdsl schema`: what an editor accepts and marks is what archdsl accepts and refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from jsonschema import Draft202012Validator
from support import EXAMPLES, samples
from support.drawn_configs import drawn_configs

import archdsl
from archdsl.frontend.compose.search_path import config_root
from archdsl.frontend.sections import GROUPS
from archdsl.frontend.sema.json_schema import json_schema
from archdsl.frontend.sema.schema import ConventionsSchema, InputSchema, NormSchema, ScaleSchema, StageSchema
from archdsl.frontend.sema.vocabulary import fields
from archdsl.frontend.yaml.files import read_file

SCHEMA = json_schema()
FILES = [*sorted(config_root().rglob("*.yaml")), *sorted(EXAMPLES.glob("*.yaml"))]
STAGE = {"stages": {"p1": {"width": 8, "down": {"block": "conv_bn_act", "kernel": 3, "stride": 2}}}}


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    schema = json_schema()
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


@pytest.mark.parametrize("path", samples.files(FILES), ids=lambda path: path.stem)
def test_every_shipped_file_is_valid(path: Path, validator: Draft202012Validator) -> None:
    values = read_file(path).values
    if path.parent.name in GROUPS:
        values = {path.parent.name: {name: layer for name, layer in values.items() if name != "defaults"}}
    assert not list(validator.iter_errors(values))


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        ({"stages": {"p1": {"widht": 8}}}, "stages.p1"),
        ({"stages": {"p1": {"down": {"block": "conv_bn_act", "kernle": 3}}}}, "stages.p1.down"),
        ({"stages": {"p1": {"body": {"block": "c2ff"}}}}, "stages.p1.body.block"),
        ({"stages": {"p1": {"body": {"block": "c2f", "expansion": 0}}}}, "stages.p1.body.expansion"),
        ({**STAGE, "conventions": {"activation": "swish"}}, "conventions.activation"),
        ({**STAGE, "scale": {"width": -1}}, "scale.width"),
        ({**STAGE, "scal": {}}, ""),
        ({**STAGE, "neck": {"n": {"block": "conv", "width": 8, "from": "P1"}}}, "neck.n.from"),
        ({**STAGE, "neck": {"n": {"block": "conv", "width": 8, "each": ["p1", "P1"]}}}, "neck.n.each.1"),
        ({**STAGE, "neck": {"n": {"block": "conv", "width": 8, "share": "P1"}}}, "neck.n.share"),
        ({**STAGE, "blocks": {"b": {"layers": {"a": {"block": "norm", "when": "flag"}}}}}, "blocks.b.layers.a.when"),
        ({**STAGE, "blocks": {"b": {"inputs": ["X"], "layers": {"a": {"block": "norm"}}}}}, "blocks.b.inputs.0"),
        ({**STAGE, "scale": {"depth_rounding": "down"}}, "scale.depth_rounding"),
        ({**STAGE, "defaults": [{"neck": 5}, "_self_"]}, "defaults.0.neck"),
        ({**STAGE, "defaults": [{"optional neck": "fpn"}, "_self_"]}, "defaults.0"),
        ({**STAGE, "defaults": [{"necks": "fpn"}, "_self_"]}, "defaults.0"),
    ],
)
def test_what_archdsl_refuses_is_marked_at_its_place(
    wrong: dict[str, Any], place: str, validator: Draft202012Validator
) -> None:
    with pytest.raises(archdsl.ArchError):
        archdsl.compile_config(wrong)
    places = {".".join(map(str, error.absolute_path)) for error in leaves(validator.iter_errors(wrong))}
    assert place in places


@pytest.mark.slow
@given(drawn_configs())
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_archdsl_builds_is_valid(config: dict[str, Any]) -> None:
    assert not list(Draft202012Validator(SCHEMA).iter_errors(config))


@pytest.mark.slow
def test_drawn_configs_have_every_key_of_their_parts() -> None:
    drawn: dict[str, set[str]] = defaultdict(set)

    @given(drawn_configs())
    @settings(max_examples=100, derandomize=True, database=None, deadline=None)
    def draw(config: dict[str, Any]) -> None:
        for part in ("input", "conventions", "scale"):
            drawn[part].update(config.get(part, {}))
        drawn["norm"].update(config["conventions"]["norm"])
        drawn["stages"].update(*config["stages"].values())

    draw()
    assert drawn == {
        "input": {*fields(InputSchema)},
        "conventions": {*fields(ConventionsSchema)},
        "scale": {*fields(ScaleSchema)},
        "norm": {*fields(NormSchema)},
        "stages": {*fields(StageSchema)},
    }


@pytest.mark.parametrize(
    "right",
    [
        {"stages": {"p1": {"body": {"block": "conv", "from": "input"}}}},
        {"stages": {"p1": {"post": {"sum": {"block": "add", "from": ["p1_body", "p1_down"]}}}}},
        {"stages": {"p1": {"width": "${stages.p2.width}", "body": None}, "p2": None}},
        {"stages": {}, "neck": {"n": {"block": "add", "from": ["${outputs.0}", "p1"]}}},
        {"stages": {}, "neck": {"n": {"block": "conv", "each": "${outputs}", "share": "${..m}"}}},
        {"stages": {}, "neck": {"n": {"block": "conv", "each": ["p1", "${outputs.0}"]}}},
        {"stages": {}, "blocks": {"b": {"layers": {"a": {"block": "norm", "when": ["$flag", "fits", "${.0}"]}}}}},
        {"stages": {}, "blocks": {"b": {"inputs": ["a", "${.0}"], "results": "${..inputs}", "layers": {}}}},
        {"stages": {"p1": "${..p2}"}, "input": {"shape": ["${.1}", None, 3]}, "scale": "${stages}"},
        {"stages": {"p1": {"pre": {"spp": {"block": "spp", "kernels": [3, "${.0}"], "depth": "${scale.depth}"}}}}},
    ],
)
def test_short_forms_and_references_are_valid(right: dict[str, Any]) -> None:
    assert not list(Draft202012Validator(SCHEMA).iter_errors(right))


def test_every_key_and_every_argument_says_what_it_means() -> None:
    assert sum(1 for _ in keys_of(SCHEMA)) > 150
    assert [(place, key) for place, key, value in keys_of(SCHEMA) if not value.get("description")] == []


def keys_of(schema: Any, place: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str, dict[str, Any]]]:
    """Place, name and schema of every key, but for those that only repeat that a layer may have them."""
    parts = enumerate(schema) if isinstance(schema, list) else schema.items() if isinstance(schema, dict) else ()
    for part, inner in parts:
        if part == "properties" and not {"if", "else"} & set(place):
            yield from ((place, key, value) for key, value in inner.items() if value is not True)
        yield from keys_of(inner, (*place, str(part)))


def test_every_number_has_a_range() -> None:
    numbers = [(place, part) for place, part in parts_of(SCHEMA) if part.get("type") in ("integer", "number")]
    assert len(numbers) > 100
    bounds = ({"minimum", "exclusiveMinimum", "const"}, {"maximum", "exclusiveMaximum", "const"})
    assert [place for place, part in numbers if not bounds[0] & part.keys()] == []
    counts = {place[-3] for place, part in numbers if not bounds[1] & part.keys()}
    figures = {"params", "trainable_params", "macs", "activation_memory", "within"}
    assert counts == figures  # of `expect`: whatever the graph has


def parts_of(schema: Any, place: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Every schema inside of the schema."""
    if isinstance(schema, dict):
        yield place, schema
    parts = enumerate(schema) if isinstance(schema, list) else schema.items() if isinstance(schema, dict) else ()
    for part, inner in parts:
        yield from parts_of(inner, (*place, str(part)))


def leaves(errors: Any) -> list[Any]:
    """The errors inside of `anyOf` and the like."""
    return [leaf for error in errors for leaf in (leaves(error.context) if error.context else [error])]


def test_the_command_prints_it(run: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    assert json.loads(run("schema").stdout) == json_schema()


def test_source_is_read_only_when_a_schema_is_asked_for() -> None:
    """`show` would wait 30 ms for docstrings that it does not print."""
    program = """
import inspect, sys
inspect.findsource = lambda *_: sys.exit("reads source")
from archdsl.tools.cli import main
main(["show", "yolo_v8_s_backbone"])
"""
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
