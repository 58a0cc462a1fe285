"""Darknet's networks come in: the config of a .cfg, and the numbers of a .weights file."""

from __future__ import annotations

import struct
from pathlib import Path

import keras
import numpy
import pytest
from support.darknet import CFGS, LAST, NET, V3_TINY, Darknet, conv, maxpool, yolo

import archdsl
from archdsl.frontend.importers.darknet import network_of
from archdsl.tools.cli import main

IMAGE = numpy.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype="uint8")


def imported(text: str, folder: Path, major: int = 0, minor: int = 2) -> tuple[Darknet, Path]:
    """A Darknet with random weights, and its import."""
    darknet = Darknet(text)
    darknet.run(IMAGE / 255)
    (folder / "net.cfg").write_text(text)
    darknet.write(folder / "net.weights", major, minor)
    output = folder / "net.safetensors"
    main(["import", str(folder / "net.cfg"), str(folder / "net.weights"), "-o", str(output)])
    return darknet, output


def refusal(capfd: pytest.CaptureFixture[str], *arguments: object) -> str:
    with pytest.raises(SystemExit) as ended:
        main(["import", *map(str, arguments)])
    assert ended.value.code == 2
    return capfd.readouterr().err


@pytest.mark.parametrize("name", CFGS)
def test_an_imported_network_gives_the_numbers_of_darknet(name: str, tmp_path: Path) -> None:
    darknet, output = imported(CFGS[name], tmp_path)
    model = archdsl.build_from_config(output)
    found = model(IMAGE[None].astype("float32"), training=False)
    darknet.run(IMAGE / 255)
    for result, expected in (("boxes", darknet.boxes), ("scores", darknet.scores)):
        values = keras.ops.convert_to_numpy(found[result])[0]
        numpy.testing.assert_allclose(values, numpy.concatenate(expected), rtol=2e-4, atol=2e-4)


def test_the_config_is_a_file_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "net.cfg").write_text(V3_TINY)
    main(["import", str(tmp_path / "net.cfg"), "-o", str(tmp_path / "net.yaml")])
    graph = archdsl.compile_config(tmp_path / "net.yaml")
    assert list(graph.levels) == ["P0", "P1", "P2", "P3"] and list(graph.outputs) == ["boxes", "scores"]
    assert all(node.origin.path.split(".")[0] in ("input", "stages", "neck", "head") for node in graph.nodes)


def test_a_network_without_boxes_ends_in_its_last_map(tmp_path: Path) -> None:
    (tmp_path / "net.cfg").write_text(NET + conv(4) + maxpool(2, 2) + conv(8, 1))
    main(["import", str(tmp_path / "net.cfg"), "-o", str(tmp_path / "net.yaml")])
    assert archdsl.analyze(tmp_path / "net.yaml").params == 4 * 27 + 16 + 8 * 4 + 32


def test_yolo_v3_tiny_has_the_parameters_and_the_file_size_that_are_known(tmp_path: Path) -> None:
    """Of the YOLOv3-tiny with 80 classes that Darknet ships; its weights file has 35,434,956 bytes."""
    widths = [16, 32, 64, 128, 256, 512]
    layers = [conv(width) + maxpool(2, 2 if width < 512 else 1) for width in widths]
    last, classes = conv(255, 1, activation="linear", norm=0), "classes=80\n"
    tail = [conv(1024), conv(256, 1), conv(512), last, yolo("3,4,5").replace("classes=2\n", classes)]
    up = ["[route]\nlayers=-4\n", conv(128, 1), "[upsample]\nstride=2\n", "[route]\nlayers=-1,8\n", conv(256), last]
    (tmp_path / "net.cfg").write_text(
        "".join([NET, *layers, *tail, *up, yolo("0,1,2").replace("classes=2\n", classes)])
    )
    main(["import", str(tmp_path / "net.cfg"), "-o", str(tmp_path / "net.yaml")])
    report = archdsl.analyze(tmp_path / "net.yaml")
    assert report.trainable_params == 8_852_366
    (tmp_path / "net.weights").write_bytes(struct.pack("<3iQ", 0, 2, 0, 0) + bytes(35_434_956 - 20))
    main(["import", str(tmp_path / "net.cfg"), str(tmp_path / "net.weights"), "-o", str(tmp_path / "net.safetensors")])


@pytest.mark.parametrize("change", [-4, -1, 1, 4])
def test_a_file_of_any_other_length_is_refused_and_nothing_written(
    change: int, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    _, output = imported(V3_TINY, tmp_path)
    output.unlink()
    weights = tmp_path / "net.weights"
    whole = weights.read_bytes()
    weights.write_bytes(whole + bytes(change) if change > 0 else whole[:change])
    told = refusal(capfd, tmp_path / "net.cfg", weights, "-o", output)
    assert f"too {'long' if change > 0 else 'short'}: it has {len(whole) + change:,} bytes" in told
    assert f"take {len(whole):,}" in told.replace("\n", " ") and not output.exists()


def test_older_files_have_a_shorter_header(tmp_path: Path) -> None:
    for minor in (1, 2):
        folder = tmp_path / str(minor)
        folder.mkdir()
        imported(V3_TINY, folder, 0, minor)
    files = [tmp_path / minor / "net.weights" for minor in "12"]
    assert files[0].stat().st_size == files[1].stat().st_size - 4
    arrays = [archdsl.build_from_config(file.with_suffix(".safetensors")).get_weights() for file in files]
    for one, other in zip(*arrays, strict=True):
        numpy.testing.assert_array_equal(one, other)


REFUSED = {
    "[lstm]\n": (5, "[lstm] is not known"),
    conv(4) + "[route]\nlayers=3\n": (13, "before this one"),
    conv(4) + "[route]\nlayers=-2\n": (13, "before this one"),
    conv(4) + "[route]\nlayers=\n": (12, "needs 'layers'"),
    conv(4) + "[route]\nlayers=0\ngroups=3\n": (14, "a divisor"),
    conv(4) + conv(6) + "[shortcut]\nfrom=-2\n": (20, "equal shapes"),
    conv(4, 3, 2) + "[shortcut]\nfrom=-1\nweights_type=per_channel\n": (14, "the network"),
    conv(4, activation="magic"): (11, "expected one of"),
    conv(4).replace("filters=4", "filters=x"): (7, "expected numbers"),
    conv(4).replace("filters=4", "filters=1e99"): (7, "none beyond"),
    conv(4).replace("filters=4", "filters=nan"): (7, "none beyond"),
    conv(4).replace("filters=4", "filters=2.5"): (7, "whole number"),
    conv(4) + "[upsample]\nstride=2\n": (13, "a divisor"),
    LAST + yolo("0,1"): (12, "21 channels"),
    LAST + yolo("0,1,9"): (13, "pairs in anchors"),
    LAST.replace("linear", "leaky") + yolo("0,1,2"): (12, "linear convolution"),
    "filters\n": (5, "key=value"),
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_not_known_is_named_with_its_line(text: str, tmp_path: Path) -> None:
    (tmp_path / "net.cfg").write_text(NET + text)
    with pytest.raises(archdsl.ArchError) as caught:
        network_of(tmp_path / "net.cfg")
    (problem,) = caught.value.problems
    line, words = REFUSED[text]
    assert problem.mark and problem.mark.line == line and words in problem.message
