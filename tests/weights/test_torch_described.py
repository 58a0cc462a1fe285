"""A checkpoint of a whole module describes its network, which becomes a config; it is told from the presets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from support import TESTS
from support.torch_described import described, module, saved
from support.torch_files import write
from support.ultralytics import FILES, V8

import archdsl
from archdsl.diagnostics.problems import Mark
from archdsl.weights.pytorch.rows import text_of_checkpoint

pytestmark = pytest.mark.slow  # writes checkpoints, and reads them in processes

WHOLE = str(TESTS / "weights" / "files" / "yolo_v8.pt")
MARK = Mark("a.pt")


@pytest.mark.parametrize("preset", FILES)
def test_a_whole_module_becomes_a_config_with_the_costs_of_its_preset(preset: str) -> None:
    config = yaml.safe_load(text_of_checkpoint(described(*FILES[preset]), "a.pt", MARK))
    found, known = archdsl.analyze(config), archdsl.analyze(preset)
    assert (found.trainable_params, found.macs) == (known.trainable_params, known.macs)


def test_every_module_that_is_not_known_is_named_at_once() -> None:
    contents = described(*FILES["yolo_v8_xs_detect"])
    modules = list(contents.modules)
    modules[2], modules[4] = module("Magic"), module("C2f")
    with pytest.raises(archdsl.ArchError) as raised:
        text_of_checkpoint(contents._replace(modules=tuple(modules)), "a.pt", MARK)
    first, second = [each.message for each in raised.value.problems]
    assert first == "module 2: 'Magic' is not a module that is known here"
    assert second == "module 4: it has no part 'cv2'"


def test_a_module_behind_others_that_reads_the_image_does_not_read_the_one_before_it() -> None:
    contents = described(*FILES["yolo_v8_xs_detect"])
    with pytest.raises(archdsl.ArchError, match="row 3, Conv: reads row -1"):
        text_of_checkpoint(contents._replace(reads={**(contents.reads or {}), 3: (-1,)}), "a.pt", MARK)


def test_the_config_of_a_checkpoint_of_pytorch_has_its_weights(run: Any, tmp_path: Path) -> None:
    done = run("import", WHOLE, "-o", "a.yaml")
    assert done.returncode == 0, done.stderr
    known = ["scale.width=0.03125", "+head.box.bins=4", "+head.boxes.bins=4", "head.class.classes=2"]
    assert archdsl.analyze(tmp_path / "a.yaml").macs == archdsl.analyze("yolo_v8_s_detect", known).macs
    done = run("import", WHOLE, "-o", "a.safetensors")
    assert "120 of 120 layers moved; 0 layers of the file were not used" in done.stdout, done.stderr


def test_a_checkpoint_of_a_preset_is_a_config_that_names_it(run: Any, tmp_path: Path) -> None:
    write(tmp_path / "a.pt", saved(described(*FILES["yolo_v8_xs_detect"])))
    done = run("import", "a.pt", "-o", "a.yaml")
    assert done.stdout == "a.yaml: the preset yolo_v8_xs_detect, 3,167,776 parameters\n", done.stderr
    assert yaml.safe_load((tmp_path / "a.yaml").read_text()) == {"defaults": ["yolo_v8_xs_detect", "_self_"]}


def test_a_variant_is_told_from_the_nearest_preset_by_part_and_by_layer(run: Any, tmp_path: Path) -> None:
    row = "[-1, 6, C2f, [512, True]]"
    write(tmp_path / "a.pt", saved(described(V8.replace(row, row.replace("512", "640")), "n")))
    done = run("import", "a.pt", "-o", "a.yaml")
    assert done.returncode == 0, done.stderr
    parts, layers = done.stdout.split("\n\n")
    header, *sizes = [line.split() for line in parts.splitlines()]
    assert header == ["parameters", "yolo_v8_xs_detect", "a.pt"]
    (backbone, ours, theirs), (neck, *of_neck), (head, *of_head) = sizes
    assert (backbone, neck, head) == ("backbone", "neck", "head")
    assert of_head[0] == of_head[1]
    wider, down = 304_640 - 198_656, 9 * (160 - 128) * 256
    assert number(theirs) - number(ours) == wider + down
    assert number(of_neck[1]) - number(of_neck[0]) == (160 - 128) * 128
    assert [line.split("  ") for line in layers.splitlines()[1:-1]] == [
        ["p4.body, 198,656", " model.6, 304,640"],
        ["p5.down, 295,936", f" model.7, {295_936 + down:,}"],
        ["neck.td4, 148,992", "model.12, 153,088"],
    ]


def number(text: str) -> int:
    return int(text.replace(",", ""))
