"""Did-you-mean: one slip of a finger is understood, in every kind of word."""

from __future__ import annotations

import random
import string
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
import yaml
from support import samples
from support.fuzz import PARTS

import archdsl
from archdsl.blocks.registry import all_blocks
from archdsl.diagnostics.wording import did_you_mean
from archdsl.frontend.budget import read_budget
from archdsl.frontend.compose.search_path import preset_names
from archdsl.frontend.sema.vocabulary import fields, plain

Problems = Callable[..., list[archdsl.Problem]]

LETTERS = string.ascii_lowercase + string.digits + "_"
# Words that stand beside each other: a slip is looked for among them.
VOCABULARIES: dict[str, list[Sequence[str]]] = {
    "keys": [list(fields(part)) for part in PARTS],
    "arguments of blocks": [list(block.parameters) for block in all_blocks().values() if block.parameters],
    "blocks": [sorted(all_blocks())],
    "presets": [preset_names()],
    "values": [
        get_args(plain(values))
        for part in PARTS
        for values in fields(part).values()
        if get_origin(plain(values)) is Literal
    ],
}


def slips(word: str, draw: random.Random) -> Iterator[str]:
    """A letter left out, mistaken, added, or swapped with its neighbour, at every place."""
    for at in range(len(word)):
        yield word[:at] + word[at + 1 :]
        yield word[:at] + draw.choice(LETTERS) + word[at + 1 :]
        yield word[:at] + draw.choice(LETTERS) + word[at:]
        yield word[:at] + word[at : at + 2][::-1] + word[at + 2 :]
    yield word + draw.choice(LETTERS)


@pytest.mark.slow
@pytest.mark.parametrize("every", samples.sampled([1, 8], [8]))
@pytest.mark.parametrize("kind", VOCABULARIES)
def test_a_slip_of_one_letter_is_understood(kind: str, every: int) -> None:
    draw = random.Random(20_26)
    seen = tried = understood = first = 0
    for words in VOCABULARIES[kind]:
        for word in words:
            for slip in sorted({*slips(word, draw)} - {*words, ""}):
                seen += 1
                if seen % every:
                    continue
                hint = did_you_mean(slip, words)
                tried += 1
                understood += f"'{word}'" in hint
                first += hint.startswith(f"did you mean '{word}'")
    assert tried > 200 / every
    assert understood / tried >= 0.99
    assert first / tried >= 0.95  # where several words are one slip away, all are named


def test_a_preset_is_understood_as_it_is_spoken() -> None:
    for spoken, name in {
        "yolov8s": "yolo_v8_s_backbone",
        "csp_darknet_s_backbone": "csp_darknet_s",
        "YOLOv8-s": "yolo_v8_s_backbone",
        "yolo v8 xs": "yolo_v8_xs_backbone",
        "ResNet-50-v2": "resnet50_v2",
        "resnet50v2": "resnet50_v2",
        "CSPDarkNet-Tiny": "csp_darknet_tiny",
        "darknet53": "darknet53_backbone",
    }.items():
        assert f"'{name}'" in did_you_mean(spoken, preset_names()), spoken


def test_letters_of_other_alphabets_are_named_with_their_code_point() -> None:
    assert did_you_mean("dеpth", ["width", "depth"]) == "did you mean 'depth'? ('е' is U+0435 CYRILLIC SMALL LETTER IE)"
    assert did_you_mean("ｗｉｄｔｈ", ["width"]).startswith("did you mean 'width'? ('ｗ' is U+FF57 FULLWIDTH LATIN")
    assert did_you_mean("wid\u200bth", ["width"]).endswith("(an invisible character is U+200B ZERO WIDTH SPACE)")


@pytest.mark.parametrize("word", ["", "zzzzzz", "数", "x" * 100_000])
def test_what_is_near_nothing_gets_no_suggestion(word: str) -> None:
    assert "did you mean" not in did_you_mean(word, preset_names())


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("stages: {p1: {widht: 8}}\n", "did you mean 'width'?"),
        ("stages: {p1: {width: 8, body: {block: convv}}}\n", "did you mean 'conv'"),
        ("stages: {p1: {width: 8, body: {block: conv, kernl: 3}}}\n", "did you mean 'kernel'?"),
        ("conventions: {padding: symetric}\nstages: {p1: {width: 8, body: {block: conv}}}\n", "mean 'symmetric'?"),
        ("defaults: [resnet18_v3, _self_]\n", "did you mean 'resnet18_v2'?"),
    ],
)
def test_reports_carry_the_suggestion(text: str, hint: str, tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(text)
    with pytest.raises(archdsl.ArchError) as caught:
        archdsl.compile_config(path)
    assert hint in str(caught.value)


HINTS = {
    "stages: {p4: {first: {block: csp}}}": "'block' belongs to the layer itself, beside its arguments",
    "stages: {p4: {first: {from: p3}}}": "'from' belongs to the layer itself, beside its arguments",
    "outputs: {p4: null}": "write a text, or leave the key out",
    "stages: {p4: {down: {padding: explicit}}}": "`symmetric` pads as PyTorch does",
}


@pytest.mark.parametrize("text", HINTS)
def test_a_hint_does_not_send_in_a_circle(text: str, problems_of: Problems) -> None:
    (found,) = problems_of({"defaults": ["yolo_v8_s_backbone", "_self_"], **yaml.safe_load(text)})
    assert HINTS[text] in found.hint


def test_an_unknown_budget_is_called_by_its_name() -> None:
    with pytest.raises(archdsl.ArchError, match=r"unknown budget 'parms'; expected one of: params") as caught:
        read_budget("parms=5")
    assert caught.value.problems[0].hint == "did you mean 'params'?"


@pytest.mark.parametrize(("shape", "received"), [("640", "text '640'"), (640, "the number 640")])
def test_an_image_shape_that_is_not_a_list_is_reported_whole(shape: Any, received: str) -> None:
    with pytest.raises(archdsl.ArchError, match=f"input.shape: expected a list, got {received}"):
        archdsl.analyze("resnet18_v2", input_shape=shape)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("linear", "mean 'dense'?"),
        ("DropPath", "mean 'stochastic_depth'?"),
        ("chunk", "mean 'split'?"),
        ("conv2d", "mean 'conv'?"),
    ],
)
def test_layers_of_other_systems_have_a_hint(name: str, hint: str, problems_of: Problems) -> None:
    (found,) = problems_of("resnet18_v2", f"stage_defaults.body.block={name}")
    assert hint in found.hint
