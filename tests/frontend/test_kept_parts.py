"""A part of a network that is the same as in another config is resolved once, and nobody can tell."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

import archdsl
from archdsl.blocks import registry
from archdsl.frontend.compose.config import load
from archdsl.frontend.sema import kept_parts
from archdsl.frontend.sema.resolve_layers import Layers
from archdsl.ir.ops import Conv2D


@pytest.fixture(autouse=True)
def _nothing_is_kept() -> Iterator[None]:
    kept_parts._kept.clear()
    yield
    kept_parts._kept.clear()


def network(**p2: Any) -> dict[str, Any]:
    return {
        "stem": {"conv": {"block": "conv_bn_act", "width": 8, "stride": 2}},
        "stage_defaults": {"down": {"block": "conv_bn_act", "stride": 2}, "body": {"block": "c2f"}},
        "stages": {"p2": {"width": 16, **p2}, "p3": {"width": 32}},
    }


def params(config: Any, **options: Any) -> int:
    return archdsl.analyze(config, input_shape=(64, 64, 3), **options).params


def problems_of(config: Any, **options: Any) -> list[archdsl.Problem]:
    with pytest.raises(archdsl.ArchError) as caught:
        params(config, **options)
    return list(caught.value.problems)


def resolved_layers(config: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The layers that are resolved for a config, by name."""
    names: list[str] = []
    resolve = Layers.layer

    def counting(self: Layers, layer: Any, at: Any, name: str, given: Any) -> Any:
        names.append(name)
        return resolve(self, layer, at, name, given)

    with monkeypatch.context() as patch:
        patch.setattr(Layers, "layer", counting)
        params(config)
    return names


def test_only_the_stage_that_differs_is_resolved_again(monkeypatch: pytest.MonkeyPatch) -> None:
    assert resolved_layers(network(), monkeypatch) == ["stem_conv", "p2_down", "p2_body", "p3_down", "p3_body"]
    assert resolved_layers(network(), monkeypatch) == []
    assert resolved_layers(network(width=24), monkeypatch) == ["p2_down", "p2_body"]
    assert resolved_layers({**network(), "scale": {"width": 2.0}}, monkeypatch) == []


def test_what_stage_defaults_fill_in_is_part_of_a_stage() -> None:
    other = network()
    other["stage_defaults"]["body"] = {"block": "csp"}
    expected = params(other)
    kept_parts._kept.clear()
    assert params(network()) != expected
    assert params(other) == expected


def test_an_error_has_the_place_in_the_config_at_hand(tmp_path: Path) -> None:
    text = "stages: {p1: {down: {block: conv_bn_act, width: 8, stride: 2, groups: 2}}}\n"
    for number in (1, 3):  # it is resolved without an error, which is found where it meets three channels
        file = tmp_path / f"at_{number}.yaml"
        file.write_text("# first\n" * (number - 1) + text)
        (found,) = problems_of(str(file))
        assert (found.file, found.line) == (str(file), number)


def test_what_is_wrong_is_found_each_time() -> None:
    first, second = [problems_of(network(body={"kernels": 3})) for _ in range(2)]
    assert first == second


@pytest.mark.parametrize(("right", "wrong"), [({"residual": True}, {"residual": 1}), ({"width": 8}, {"width": 8.0})])
def test_equal_values_of_another_type_are_other_values(right: dict[str, Any], wrong: dict[str, Any]) -> None:
    params(network(body=right))
    (found,) = problems_of(network(body=wrong))
    assert found.code == "type"


def test_a_block_that_is_registered_anew_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_blocks", dict(registry.all_blocks()))

    def registered(kernel: int) -> None:
        def changing(x, *, width: registry.Width):  # type: ignore[no-untyped-def]
            return Conv2D(width, kernel)(x)

        registry.block(changing)

    counts = []
    for kernel in (1, 3):
        registered(kernel)
        counts.append(params({"stages": {"all": {"width": 8, "body": {"block": "changing"}}}}))
    assert counts == [3 * 8, 9 * 3 * 8]


def test_blocks_of_the_configs_own_are_those_of_the_config_at_hand() -> None:
    def config(kernel: int) -> dict[str, Any]:
        layers = {"conv": {"block": "conv", "width": "$width", "kernel": kernel, "bias": False}}
        own = {"own": {"arguments": {"width": None}, "layers": layers}}
        return {"blocks": own, "stages": {"all": {"width": 8, "body": {"block": "own"}}}}

    assert [params(config(kernel)) for kernel in (1, 3)] == [3 * 8, 9 * 3 * 8]


def test_kept_layers_count_against_the_budget() -> None:
    few = archdsl.Budget(layers=4)
    expected = problems_of(network(), budget=few)
    params(network())
    assert problems_of(network(), budget=few) == expected
    assert expected[0].code == "budget"


def test_a_search_keeps_a_bounded_number_of_parts() -> None:
    for width in range(1, 2 * kept_parts._MOST):
        params({"stages": {"all": {"width": width, "body": {"block": "conv_bn_act"}}}})
    assert 0 < len(kept_parts._kept) <= kept_parts._MOST


def test_a_long_text_is_not_kept() -> None:
    params({**network(), "tail": {"norm": {"block": "normalize", "mean": [float(number) for number in range(32)]}}})
    problems_of({**network(), "tail": {"norm": {"block": "normalize", "mean": [0.5] * 10_000}}})  # for 32 channels
    assert max(map(len, kept_parts._kept)) <= kept_parts._LONGEST


def test_overrides_leave_the_files_of_a_config_as_they_are() -> None:
    before = load("yolo_v8_s_backbone")
    stated = deepcopy([source.values for source in before.history])
    load("yolo_v8_s_backbone", ["stages.p4.width=8", "stages.p5.post.sppf.kernel=3", "~stages.p3"])
    after = load("yolo_v8_s_backbone")
    assert [source.values for source in after.history] == stated
    assert after.values == before.values


def test_the_place_of_a_level_is_that_of_the_config_at_hand(tmp_path: Path) -> None:
    """A stage that is kept, and whose stride is wrong in one network only."""
    stage = "p3: {width: 8, down: {block: conv_bn_act, stride: 2}}"
    right = f"stages: {{p2: {{width: 8, stride: 4, down: {{block: conv_bn_act}}}}, {stage}}}"
    params(load_text(tmp_path / "right.yaml", right))
    (found,) = problems_of(load_text(tmp_path / "wrong.yaml", f"\nstages: {{{stage}}}"))
    assert (Path(found.file).name, found.line) == ("wrong.yaml", 2)


def load_text(file: Path, text: str) -> str:
    file.write_text(text)
    return str(file)
