"""`archdsl schema`: what an editor accepts and marks is what archdsl accepts and refuses."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

import archdsl
from archdsl.folders import config_root, read_file
from archdsl.json_schema import json_schema

EXAMPLES = Path(__file__).parent.parent / "examples"
FILES = [*sorted(config_root().rglob("*.yaml")), *sorted(EXAMPLES.glob("*.yaml"))]
STAGE = {"stages": {"p1": {"width": 8, "down": {"block": "conv_bn_act", "kernel": 3, "stride": 2}}}}


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    schema = json_schema()
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_shipped_file_is_valid(path: Path, validator: Draft202012Validator) -> None:
    assert not list(validator.iter_errors(read_file(path).values))


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
    ],
)
def test_what_archdsl_refuses_is_marked_at_its_place(
    wrong: dict[str, Any], place: str, validator: Draft202012Validator
) -> None:
    with pytest.raises(archdsl.ArchError):
        archdsl.compile_config(wrong)
    places = {".".join(map(str, error.absolute_path)) for error in leaves(validator.iter_errors(wrong))}
    assert place in places


def leaves(errors: Any) -> list[Any]:
    """The errors inside of `anyOf` and the like."""
    return [leaf for error in errors for leaf in (leaves(error.context) if error.context else [error])]


def test_the_command_prints_it(run: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    assert json.loads(run("schema").stdout) == json_schema()
