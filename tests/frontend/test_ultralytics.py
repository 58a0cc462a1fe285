"""Model files of Ultralytics come in: rows become stages, a neck and a head of the same costs."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.ultralytics import FILES, V5, file, rows

import archdsl
from archdsl.frontend.importers.ultralytics import config_text
from archdsl.tools.cli import main
from archdsl.weights.pytorch.units import anchors_of

DFL_MACS = 4 * 16 * 8400
"""What Ultralytics counts of the convolution that is arithmetic here; it has 16 weights, which are not trained."""


def test_yolo_v5_without_anchors_has_the_costs_that_ultralytics_counts(tmp_path: Path) -> None:
    (tmp_path / "theirs.yaml").write_text(V5)
    (tmp_path / "ours.yaml").write_text(config_text(tmp_path / "theirs.yaml"))
    found = archdsl.analyze(tmp_path / "ours.yaml")
    assert (found.trainable_params, found.macs) == (2_654_800, 3_862_451_200 - DFL_MACS)


@pytest.mark.parametrize("preset", FILES)
def test_a_file_becomes_a_config_with_the_costs_of_the_preset(preset: str, tmp_path: Path) -> None:
    text, scale = FILES[preset]
    (tmp_path / "theirs.yaml").write_text(text)
    ours = tmp_path / "ours.yaml"
    main(["import", str(tmp_path / "theirs.yaml"), *(["--scale", scale] if scale else []), "-o", str(ours)])
    found, known = archdsl.analyze(ours), archdsl.analyze(preset)
    assert (found.params, found.trainable_params, found.macs) == (known.params, known.trainable_params, known.macs)
    graph, wanted = archdsl.compile_config(ours), archdsl.compile_config(preset)
    assert list(graph.levels) == ["P1", "P2", "P3", "P4", "P5"]
    results = list(wanted.outputs.values())[-len(graph.outputs) :]  # a classifier of ours has levels before
    assert [node.type for node in graph.outputs.values()] == [node.type for node in results]
    assert "classify" in preset or list(graph.outputs) == list(wanted.outputs)


ANCHORS = """anchors:
  - [10,13, 16,30, 33,23]
  - [30,61, 62,45, 59,119]
  - [116,90, 156,198, 373,326]
"""


def test_a_head_with_anchors_has_the_costs_and_the_anchors_of_the_preset(tmp_path: Path) -> None:
    (tmp_path / "theirs.yaml").write_text(ANCHORS + V5.replace("Detect, [nc]", "Detect, [nc, anchors]"))
    (tmp_path / "ours.yaml").write_text(config_text(tmp_path / "theirs.yaml"))
    found, known = archdsl.compile_config(tmp_path / "ours.yaml"), archdsl.compile_config("yolo_v5_n_detect")
    assert found.cost == known.cost
    assert anchors_of(found) == anchors_of(known)


def test_modules_of_yolo_v7_have_the_costs_of_its_blocks(tmp_path: Path) -> None:
    head = rows(
        *("[-1, 1, SPPCSPC, [512]]", "[-1, 1, RepConv, [64, 3, 1]]", "[-1, 1, SP, [5, 1]]"),
        *("[-1, 1, MP, []]", "[[-1, -2], 1, IDetect, [nc, [[10, 13], [16, 30]]]]"),
    )
    (tmp_path / "theirs.yaml").write_text(file("  q: [1.0, 1.0, 1024]", rows(CONV, CONV), head))
    (tmp_path / "ours.yaml").write_text(config_text(tmp_path / "theirs.yaml"))
    conv = {"block": "conv_bn_act", "width": 64, "kernel": 3, "stride": 2}
    stages = {"p1": {"down": conv}, "p2": {"down": conv}}
    neck = {
        "spp": {"block": "spp_csp", "width": 512},
        "n2": {"block": "rep_conv", "width": 64},
        "n3": {"block": "max_pool"},
    }
    style = {"activation": "silu", "padding": "symmetric", "norm": {"kind": "batch"}}
    branch = {"block": "anchor_branch", "anchors": 1, "classes": 80, "each": ["n3", "n2"]}
    ours = {"conventions": style, "stages": stages, "neck": neck, "head": {"raw": branch}}
    found, known = (archdsl.analyze(each, (), (64, 64, 3)) for each in (tmp_path / "ours.yaml", ours))
    assert (found.params, found.macs) == (known.params, known.macs)


def test_widths_that_are_rounded_otherwise_are_exact(tmp_path: Path) -> None:
    """0.3 × 64 is 19.2: up to 24, where the nearest multiple of 8 is 16."""
    theirs = tmp_path / "theirs.yaml"
    theirs.write_text(file("  q: [1.0, 0.3, 1024]", rows("[-1, 1, Conv, [64, 3, 2]]"), rows("[-1, 1, Conv, [80]]")))
    (tmp_path / "ours.yaml").write_text(config_text(theirs))
    graph = archdsl.compile_config(tmp_path / "ours.yaml")
    assert [node.type.channels for node in graph.nodes if node.name.endswith("_conv")] == [24, 24]


def imported(text: str, folder: Path, scale: str | None = None) -> archdsl.Graph:
    (folder / "theirs.yaml").write_text(text)
    (folder / "ours.yaml").write_text(config_text(folder / "theirs.yaml", scale))
    return archdsl.compile_config(folder / "ours.yaml")


@pytest.mark.parametrize(("kernel", "dilation"), [(3, 2), (5, 3), (4, 2)])
def test_a_convolution_whose_pixels_are_apart_is_padded_by_all_that_it_sees(
    kernel: int, dilation: int, tmp_path: Path
) -> None:
    row = f"[-1, 1, Conv, [8, {kernel}, 1, None, 1, {dilation}]]"
    imported(file("  n: [1.0, 1.0, 1024]", rows(CONV), rows(row)), tmp_path)
    found = archdsl.analyze(tmp_path / "ours.yaml", input_shape=(64, 64, 3))
    assert found.graph.output.type.shape == (32, 32, 8)


def test_the_images_have_the_channels_of_the_file(tmp_path: Path) -> None:
    text = file("  n: [1.0, 1.0, 1024]", rows(CONV), rows("[-1, 1, Conv, [8]]"))
    assert imported(f"ch: 1\n{text}", tmp_path).image.channels == 1
    with pytest.raises(archdsl.ArchError, match="expected a number of channels"):
        imported(f"ch: many\n{text}", tmp_path)


def test_the_size_is_that_which_the_file_names(tmp_path: Path) -> None:
    text = file("  n: [1.0, 0.25, 1024]\n  s: [1.0, 0.5, 1024]", rows(CONV), rows("[-1, 1, Conv, [64]]"))
    assert imported(f"scale: s\n{text}", tmp_path).output.channels == 32
    assert imported(f"scale: s\n{text}", tmp_path, "n").output.channels == 16


def test_the_name_of_a_size_writes_nothing_but_itself(tmp_path: Path) -> None:
    text = file('  "n\\ndefaults: [unet]\\n#": [1.0, 1.0, 1024]', rows(CONV), rows("[-1, 1, Conv, [8]]"))
    assert [node.type.channels for node in imported(text, tmp_path).outputs.values()] == [8]
    assert r"size n\ndefaults: [unet]\n#." in (tmp_path / "ours.yaml").read_text().partition("\n")[0]


def test_no_row_is_left_out(tmp_path: Path) -> None:
    text = file("  n: [1.0, 1.0, 1024]", rows(CONV), rows("[-1, 1, Detect, [nc]]", "[0, 1, Conv, [8]]"))
    with pytest.raises(archdsl.ArchError, match="row 2, Conv: is behind the head"):
        imported(text, tmp_path)


def test_channels_that_are_no_share_in_binary_are_exact(tmp_path: Path) -> None:
    """120 / 176 × 176 is 119.99999999999999."""
    row = "[-1, 1, RepNCSPELAN4, [176, 240, 120, 1]]"
    graph = imported(file("  n: [1.0, 1.0, 1024]", rows(CONV), rows(row)), tmp_path)
    split = next(node for node in graph.nodes if node.name.endswith("_split_conv"))
    assert split.type.channels == 240


CONV = "[-1, 1, Conv, [64, 3, 2]]"
REFUSED = {
    "[-1, 1, Magic, [64]]": "no module 'Magic'",
    "[-1, 1, C2F, [64]]": "no module 'C2F'",
    "[-1, 2, Conv, [64]]": "2 repeats",
    "[7, 1, Conv, [64]]": "reads row 7",
    "[-3, 1, Conv, [64]]": "reads row -2",
    "[-1, 1, Conv, [x]]": "argument 0",
    "[-1, 1, Conv, [64, True]]": "argument 1",
    "[-1, 1, Conv, [64, 1, 1, None, 1, 1, nn.ReLU()]]": "activation",
    "[-1, 1, Conv]": "not [from, repeats",
    "[[-1, 0], 1, Conv, [64]]": "reads 2 rows",
    "[-1, 1, nn.Upsample, [None, 4, nearest]]": "beyond the image",
    "[-1, 1, Detect, [many]]": "number of classes",
    "[-1, 1, Segment, [nc, 1.5]]": "[nc, masks, width of the prototypes]",
    "[-1, 1, Pose, [nc, kpt_shape]]": "kpt_shape: [points, 3]",
    "[-1, 1, OBB, [nc, 2]]": "one angle",
    "[-1, 1, Classify, [0]]": "number of classes",
    "[-1, 1, RepNCSPELAN4, [64, 40, 32, 1]]": "not twice",
    "[-1, 1, ELAN1, [64, 40, 32]]": "not twice",
    "[-1, 2, PSA, [64]]": "2 repeats",
    "[-1, 1, C2fCIB, [64, True, False, 2]]": "groups",
    "[-1, 1, A2C2f, [64, 1]]": "argument 1",
    "[-1, 1, ADown, [many]]": "argument 0",
    "[-1, 1, Detect, [nc, anchors]]": "as many pairs of numbers for each map",
    "[-1, 1, IDetect, [nc, [[10, 13, 16]]]]": "as many pairs of numbers for each map",
    "[-1, 1, IDetect, [nc, [[10, -13]]]]": "as many pairs of numbers for each map",
    "[-1, 1, v10Detect, [nc, [[10, 13]]]]": "expected [nc]",
    "[-1, 1, MP, [0]]": "a window of 0",
    "[-1, 1, SP, [4]]": "a window with a middle",
    "[-1, 1, RepConv, [64, 3, 1, 0]]": "[width, kernel, stride, None, groups]",
    "[-1, 1, SPPCSPC, [64, 1, False, 1, 0.5, 5]]": "argument 5",
}


@pytest.mark.parametrize("row", REFUSED)
def test_what_is_not_known_is_named_with_its_line(row: str, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs.yaml"
    theirs.write_text(file("  n: [1.0, 1.0, 1024]", rows(CONV), rows(row)))
    with pytest.raises(archdsl.ArchError) as caught:
        config_text(theirs)
    (problem,) = caught.value.problems
    assert problem.mark and problem.mark.line == 9 and REFUSED[row] in problem.message


def test_bottlenecks_that_are_not_scaled_there_are_not_scaled_here(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs.yaml"
    theirs.write_text(file("  s: [0.33, 1.0, 1024]", rows(CONV), rows("[-1, 1, RepNCSPELAN4, [64, 64, 32, 3]]")))
    with pytest.raises(archdsl.ArchError, match=r"3 bottlenecks, which are not scaled there, with a depth of 0\.33"):
        config_text(theirs)


def test_c2f_psa_keeps_every_step(tmp_path: Path) -> None:
    """1 × 1 to 2 × 64, two steps of attention and a perceptron, 4 × 64 to 128."""
    theirs = tmp_path / "theirs.yaml"
    theirs.write_text(file("  s: [1.0, 1.0, 1024]", rows("[-1, 1, Conv, [128, 3, 2]]"), rows("[-1, 2, C2fPSA, [128]]")))
    (tmp_path / "ours.yaml").write_text(config_text(theirs))

    def unit(before: int, after: int, taps: int = 1) -> int:
        return before * after * taps + 2 * after

    step = unit(64, 128) + unit(64, 64) + unit(1, 64, 9) + unit(64, 128) + unit(128, 64)
    wanted = unit(3, 128, 9) + unit(128, 128) + 2 * step + unit(256, 128)
    assert archdsl.analyze(tmp_path / "ours.yaml").trainable_params == wanted
