"""Model files of Ultralytics come in: rows become stages, a neck and a head of the same costs."""

from __future__ import annotations

from pathlib import Path

import pytest

import archdsl
from archdsl.frontend.importers.ultralytics import config_text
from archdsl.tools.cli import main

UP = '[-1, 1, nn.Upsample, [None, 2, "nearest"]]'


def rows(*lines: str) -> str:
    return "".join([f"  - {line}\n" for line in lines])


def join(row: int) -> str:
    return f"[[-1, {row}], 1, Concat, [1]]"


def file(scales: str, backbone: str, head: str) -> str:
    return f"# ours\nnc: 80 # classes\nscales: # [depth, width, most]\n{scales}\nbackbone:\n{backbone}\nhead:\n{head}\n"


def pan(block: str, td4: int, p3: int, p5: int, last: str, repeats: int = 3) -> str:
    """Top-down and bottom-up, after a backbone whose last row is `p5`."""
    first = p5 + 3
    return rows(
        *(UP, join(td4), f"[-1, {repeats}, {block}, [512, False]]", UP, join(p3)),
        *(f"[-1, {repeats}, {block}, [256, False]]", "[-1, 1, Conv, [256, 3, 2]]", join(first)),
        *(f"[-1, {repeats}, {block}, [512, False]]", "[-1, 1, Conv, [512, 3, 2]]", join(p5)),
        *(f"[-1, {repeats}, {block}, [1024, {last}]]", f"[[{first + 3}, {first + 6}, {first + 9}], 1, Detect, [nc]]"),
    )


def staged(block: str, repeats: tuple[int, ...], stem: str = "[64, 3, 2]") -> str:
    lines = [f"[-1, 1, Conv, {stem}]"]
    for width, depth in zip((128, 256, 512, 1024), repeats, strict=True):
        lines += [f"[-1, 1, Conv, [{width}, 3, 2]]", f"[-1, {depth}, {block}, [{width}, True]]"]
    return rows(*lines, "[-1, 1, SPPF, [1024, 5]]")


V8 = file(
    "  n: [0.33, 0.25, 1024]\n  s: [0.33, 0.50, 1024]\n  m: [0.67, 0.75, 768]\n  x: [1.00, 1.25, 512]",
    staged("C2f", (3, 6, 6, 3)),
    pan("C2f", 6, 4, 9, "False"),
)
V11 = file(
    "  n: [0.50, 0.25, 1024]\n  s: [0.50, 0.50, 1024]\n  m: [0.50, 1.00, 512]",
    rows(
        *("[-1, 1, Conv, [64, 3, 2]]", "[-1, 1, Conv, [128, 3, 2]]", "[-1, 2, C3k2, [256, False, 0.25]]"),
        *("[-1, 1, Conv, [256, 3, 2]]", "[-1, 2, C3k2, [512, False, 0.25]]", "[-1, 1, Conv, [512, 3, 2]]"),
        *("[-1, 2, C3k2, [512, True]]", "[-1, 1, Conv, [1024, 3, 2]]", "[-1, 2, C3k2, [1024, True]]"),
        *("[-1, 1, SPPF, [1024, 5]]", "[-1, 2, C2PSA, [1024]]"),
    ),
    pan("C3k2", 6, 4, 10, "True", 2),
)

V5 = file(  # its C3 says nothing about shortcuts in the backbone
    "  n: [0.33, 0.25, 1024]",
    staged("C3", (3, 6, 9, 3), "[64, 6, 2, 2]").replace(", True", ""),
    rows(
        *("[-1, 1, Conv, [512, 1, 1]]", UP, join(6), "[-1, 3, C3, [512, False]]", "[-1, 1, Conv, [256, 1, 1]]", UP),
        *(join(4), "[-1, 3, C3, [256, False]]", "[-1, 1, Conv, [256, 3, 2]]", join(14), "[-1, 3, C3, [512, False]]"),
        *("[-1, 1, Conv, [512, 3, 2]]", join(10), "[-1, 3, C3, [1024, False]]", "[[17, 20, 23], 1, Detect, [nc]]"),
    ),
)
DFL_MACS = 4 * 16 * 8400
"""What Ultralytics counts of the convolution that is arithmetic here; it has 16 weights, which are not trained."""


def test_yolo_v5_without_anchors_has_the_costs_that_ultralytics_counts(tmp_path: Path) -> None:
    (tmp_path / "theirs.yaml").write_text(V5)
    (tmp_path / "ours.yaml").write_text(config_text(tmp_path / "theirs.yaml"))
    found = archdsl.analyze(tmp_path / "ours.yaml")
    assert (found.trainable_params, found.macs) == (2_654_800, 3_862_451_200 - DFL_MACS)


@pytest.mark.parametrize(
    ("text", "scale", "preset"),
    [
        (V8, "n", "yolo_v8_xs_detect"),
        (V8, "s", "yolo_v8_s_detect"),
        (V8, "m", "yolo_v8_m_detect"),
        (V8, "x", "yolo_v8_xl_detect"),
        (V11, "n", "yolo_11_n_detect"),
        (V11, "s", "yolo_11_s_detect"),
        (V11, "m", "yolo_11_m_detect"),
    ],
)
def test_a_file_becomes_a_config_with_the_costs_of_the_preset(
    text: str, scale: str, preset: str, tmp_path: Path
) -> None:
    (tmp_path / "theirs.yaml").write_text(text)
    ours = tmp_path / "ours.yaml"
    main(["import", str(tmp_path / "theirs.yaml"), "--scale", scale, "-o", str(ours)])
    found, known = archdsl.analyze(ours), archdsl.analyze(preset)
    assert (found.trainable_params, found.macs) == (known.trainable_params, known.macs)
    graph = archdsl.compile_config(ours)
    assert list(graph.levels) == ["P1", "P2", "P3", "P4", "P5"] and list(graph.outputs) == ["boxes", "scores"]


def test_widths_that_are_rounded_otherwise_are_exact(tmp_path: Path) -> None:
    """0.3 × 64 is 19.2: up to 24, where the nearest multiple of 8 is 16."""
    theirs = tmp_path / "theirs.yaml"
    theirs.write_text(file("  q: [1.0, 0.3, 1024]", rows("[-1, 1, Conv, [64, 3, 2]]"), rows("[-1, 1, Conv, [80]]")))
    (tmp_path / "ours.yaml").write_text(config_text(theirs))
    graph = archdsl.compile_config(tmp_path / "ours.yaml")
    assert [node.type.channels for node in graph.nodes if node.name.endswith("_conv")] == [24, 24]


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
}


@pytest.mark.parametrize("row", REFUSED)
def test_what_is_not_known_is_named_with_its_line(row: str, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs.yaml"
    theirs.write_text(file("  n: [1.0, 1.0, 1024]", rows(CONV), rows(row)))
    with pytest.raises(archdsl.ArchError) as caught:
        config_text(theirs)
    (problem,) = caught.value.problems
    assert problem.mark and problem.mark.line == 9 and REFUSED[row] in problem.message
