"""Darknet's networks come in: the config of a .cfg, and the numbers of a .weights file."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import keras
import numpy
import pytest
from support.darknet import CFGS, LAST, NET, V3_TINY, Darknet, conv, maxpool, yolo

import archdsl
from archdsl.frontend.importers.darknet import network_of
from archdsl.tools.cli import main
from archdsl.weights.formats.darknet import read

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


COCO = conv(255, 1, activation="linear", norm=0)


def coco(mask: str) -> str:
    return COCO + yolo(mask).replace("classes=2", "classes=80")


def yolo_v3_tiny() -> str:
    layers = [conv(width) + maxpool(2, 2 if width < 512 else 1) for width in (16, 32, 64, 128, 256, 512)]
    layers += [conv(1024), conv(256, 1), conv(512), coco("3,4,5"), "[route]\nlayers=-4\n", conv(128, 1)]
    return "".join([NET, *layers, "[upsample]\nstride=2\n", "[route]\nlayers=-1,8\n", conv(256), coco("0,1,2")])


def yolo_v3() -> str:
    layers = [conv(32)]
    for width, depth in ((64, 1), (128, 2), (256, 8), (512, 8), (1024, 4)):
        layers += [conv(width, stride=2), (conv(width // 2, 1) + conv(width) + "[shortcut]\nfrom=-3\n") * depth]
    for width, mask, joined in ((512, "0,1,2", 61), (256, "3,4,5", 36), (128, "0,1,2", 0)):
        layers += [(conv(width, 1) + conv(2 * width)) * 3, coco(mask)]
        more = f"[route]\nlayers=-4\n{conv(width // 2, 1)}[upsample]\nstride=2\n[route]\nlayers=-1,{joined}\n"
        layers += [more] if joined else []
    return "".join([NET, *layers])


def yolo_v4_tiny() -> str:
    layers = [conv(32, stride=2), conv(64, stride=2)]
    for width in (64, 128, 256):
        half = conv(width // 2)
        part = f"[route]\nlayers=-1\ngroups=2\ngroup_id=1\n{half}{half}[route]\nlayers=-1,-2\n"
        layers += [conv(width), part, conv(width, 1), "[route]\nlayers=-6,-1\n", maxpool(2, 2)]
    layers += [conv(512), conv(256, 1), conv(512), coco("3,4,5"), "[route]\nlayers=-4\n", conv(128, 1)]
    return "".join([NET, *layers, "[upsample]\nstride=2\n", "[route]\nlayers=-1,23\n", conv(256), coco("1,2,3")])


@pytest.mark.parametrize(
    ("text", "preset", "trainable", "file_bytes"),
    [
        (yolo_v3_tiny(), "yolo_v3_tiny_detect", 8_852_366, 35_434_956),
        (yolo_v3(), "yolo_v3_detect", 61_949_149, 248_007_048),
        (yolo_v4_tiny(), "yolo_v4_tiny_detect", 6_056_606, 24_251_276),
    ],
)
def test_whole_networks_have_the_costs_of_the_presets_and_files_of_the_known_size(
    text: str, preset: str, trainable: int, file_bytes: int, tmp_path: Path
) -> None:
    """Sizes are those of the files that Darknet publishes."""
    (tmp_path / "net.cfg").write_text(text)
    main(["import", str(tmp_path / "net.cfg"), "-o", str(tmp_path / "net.yaml")])
    found, known = archdsl.analyze(tmp_path / "net.yaml"), archdsl.analyze(preset)
    assert (found.trainable_params, found.params, found.macs) == (trainable, known.params, known.macs)
    (tmp_path / "net.weights").write_bytes(struct.pack("<3iQ", 0, 2, 0, 0))
    os.truncate(tmp_path / "net.weights", file_bytes)
    convs = network_of(tmp_path / "net.cfg").convs
    assert len(read(tmp_path / "net.weights", convs)) == len(convs)


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
