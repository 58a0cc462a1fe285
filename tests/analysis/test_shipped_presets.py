"""What ships, as a whole: each preset is analysed at its own size, asked by `check`, written out and read again."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from support import samples

import archdsl
from archdsl.analysis.lint import CHECKS
from archdsl.tools.cli import cli

# Levels of which a pixel sees the whole image: gates and attention look everywhere.
SEES_ALL = {
    "efficientnet_b": {"P3", "P4", "P5"},  # squeeze-and-excitation in every block
    "efficientnet_v2": {"P4", "P5"},  # in the later stages (table 4)
    "mobilenet_v3": {"P3", "P4", "P5"},
    "regnety": {"P2", "P3", "P4", "P5"},
    "vit": {"P4"},
    "yolo_v10": {"P5", "boxes", "scores", "many_boxes", "many_scores"},  # attention at the end of the backbone
    "yolo_11": {"P5", "boxes", "scores", "masks", "prototypes", "points"},
    "yolo_12": {"P4", "P5", "boxes", "scores"},
}


def own_shape(name: str) -> tuple[int, int, int]:
    """The image that a preset is for; 640 × 640 where it takes any."""
    height, image_width, channels = archdsl.compile_config(name).image.shape
    return height or 640, image_width or 640, channels


@pytest.mark.parametrize("name", samples.presets())
def test_a_preset_is_analysed_and_sees_as_far_as_its_layers_reach(name: str) -> None:
    shape = own_shape(name)
    found = archdsl.analyze(name, input_shape=shape)
    assert found.params > 0
    assert found.macs is not None
    whole = {level for family, levels in SEES_ALL.items() if name.startswith(family) for level in levels}
    for level, info in found.outputs.items():
        sees_all = level in whole or len(info.shape) == 1
        assert (info.receptive_field is None) == sees_all, level
        assert info.receptive_field is None or info.receptive_field >= info.stride
        assert None not in info.shape
    fields = [info.receptive_field for info in found.outputs.values() if len(info.shape) == 3 and info.receptive_field]
    assert fields == sorted(fields)


@pytest.mark.parametrize("name", samples.presets())
def test_a_preset_is_checked_and_written_out_and_read_again(name: str, tmp_path: Path) -> None:
    height, image_width, _ = own_shape(name)
    asked = CliRunner().invoke(cli, ["check", name, "--size", f"{height}x{image_width}"], catch_exceptions=False)
    assert asked.exit_code == 0, asked.output
    assert "error" not in asked.output
    assert (
        sum(line.split(" ", 1)[0] in ("ok", "note", "change") for line in asked.stdout.splitlines()) >= len(CHECKS) - 2
    )
    whole = tmp_path / f"{name}.yaml"
    whole.write_text(CliRunner().invoke(cli, ["resolve", name], catch_exceptions=False).stdout)
    assert str(archdsl.compile_config(whole)) == str(archdsl.compile_config(name))
