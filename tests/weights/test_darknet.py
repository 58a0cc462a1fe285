"""Darknet's networks come in: the config of a .cfg, and the numbers of a .weights file."""

from __future__ import annotations

import os
import re
import struct
from pathlib import Path

import keras
import numpy
import pytest
from support.darknet import CFGS, CLASSIFIERS, LAST, NET, V3_TINY, Darknet, conv, maxpool, yolo

import archdsl
from archdsl.frontend.importers.darknet import network_of
from archdsl.tools.cli import main
from archdsl.weights.darknet import contents_of

IMAGE = numpy.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype="uint8")


def imported(
    text: str, folder: Path, major: int = 0, minor: int = 2, image: numpy.ndarray = IMAGE
) -> tuple[Darknet, Path]:
    """A Darknet with random weights, and its import."""
    darknet = Darknet(text)
    darknet.run(image / 255)
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


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_an_imported_classifier_gives_the_numbers_of_darknet(name: str, tmp_path: Path) -> None:
    darknet, output = imported(CLASSIFIERS[name], tmp_path, image=IMAGE[:12, :12])
    found = archdsl.build_from_config(output)(IMAGE[None, :12, :12].astype("float32"), training=False)
    expected = darknet.run(IMAGE[:12, :12] / 255)[-1]
    numpy.testing.assert_allclose(numpy.ravel(found), expected.ravel(), rtol=2e-4, atol=2e-5)
    assert numpy.ptp(expected) > 0.01


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


def yolo_v4() -> str:
    layers = [conv(32, activation="mish")]
    for width, depth in ((64, 1), (128, 2), (256, 8), (512, 8), (1024, 4)):
        half = width if depth == 1 else width // 2
        layers += [conv(width, stride=2), conv(half, 1), "[route]\nlayers=-2\n", conv(half, 1)]
        layers += [(conv(width // 2, 1) + conv(half) + "[shortcut]\nfrom=-3\n") * depth, conv(half, 1)]
        layers += [f"[route]\nlayers=-1,{-3 * depth - 4}\n", conv(width, 1)]
    backbone = "".join(layers).replace("leaky", "mish")
    mixed = {width: conv(width, 1) + conv(2 * width) for width in (128, 256, 512)}
    pools = "".join([maxpool(size, 1) + f"[route]\nlayers={back}\n" for size, back in ((5, -2), (9, -4))])
    neck = [mixed[512], conv(512, 1), pools, maxpool(13, 1), "[route]\nlayers=-1,-3,-5,-6\n", mixed[512], conv(512, 1)]
    for width, joined in ((256, 85), (128, 54)):
        neck += [conv(width, 1), "[upsample]\nstride=2\n", f"[route]\nlayers={joined}\n", conv(width, 1)]
        neck += ["[route]\nlayers=-1,-3\n", mixed[width] * 2, conv(width, 1)]
    neck += [conv(256), coco("0,1,2"), "scale_x_y=1.2\n"]
    for width, back, mask, spread in ((256, -16, "3,4,5", 1.1), (512, -37, "0,1,2", 1.05)):
        neck += ["[route]\nlayers=-4\n", conv(width, 3, 2), f"[route]\nlayers=-1,{back}\n", mixed[width] * 2]
        neck += [conv(width, 1), conv(2 * width), coco(mask), f"scale_x_y={spread}\n"]
    return "".join([NET, backbone, *neck])


def yolo_v4_csp() -> str:
    """Scaled-YOLOv4 (Wang et al. 2021): a CSP backbone whose first stage has none, a CSP neck, boxes by new_coords."""
    layers = [conv(32), conv(64, stride=2), conv(32, 1), conv(64), "[shortcut]\nfrom=-3\n"]
    for width, depth in ((128, 2), (256, 8), (512, 8), (1024, 4)):
        half = width // 2
        layers += [conv(width, stride=2), conv(half, 1), "[route]\nlayers=-2\n", conv(half, 1)]
        layers += [(conv(half, 1) + conv(half) + "[shortcut]\nfrom=-3\n") * depth, conv(half, 1)]
        layers += [f"[route]\nlayers=-1,{-3 * depth - 4}\n", conv(width, 1)]
    pools = "".join([maxpool(size, 1) + f"[route]\nlayers={back}\n" for size, back in ((5, -2), (9, -4))])
    layers += [conv(512, 1), "[route]\nlayers=-2\n", conv(512, 1), conv(512), conv(512, 1), pools, maxpool(13, 1)]
    layers += ["[route]\nlayers=-1,-3,-5,-6\n", conv(512, 1), conv(512), "[route]\nlayers=-1,-13\n", conv(512, 1)]
    for width, joined in ((256, 79), (128, 48)):
        layers += [conv(width, 1), "[upsample]\nstride=2\n", f"[route]\nlayers={joined}\n", conv(width, 1)]
        layers += ["[route]\nlayers=-1,-3\n", conv(width, 1), conv(width, 1), "[route]\nlayers=-2\n"]
        layers += [(conv(width, 1) + conv(width)) * 2, "[route]\nlayers=-1,-6\n", conv(width, 1)]
    layers += [conv(256), new_coco("0,1,2")]
    for width, back, mask in ((256, -20, "3,4,5"), (512, -49, "0,1,2")):
        layers += [
            "[route]\nlayers=-4\n",
            conv(width, 3, 2),
            f"[route]\nlayers=-1,{back}\n",
            conv(width, 1),
            conv(width, 1),
        ]
        layers += [
            "[route]\nlayers=-2\n",
            (conv(width, 1) + conv(width)) * 2,
            "[route]\nlayers=-1,-6\n",
            conv(width, 1),
        ]
        layers += [conv(2 * width), new_coco(mask)]
    return "".join([NET, *layers]).replace("leaky", "mish")


def yolo_v7() -> str:
    """YOLOv7 (Wang et al. 2022) with its re-parameterised convolutions as plain ones, each with a norm."""
    sections: list[str] = [NET]

    def add(*parts: str) -> int:
        """The number of the last section so far."""
        sections.extend(parts)
        return "".join(sections).count("[") - 2

    def elan(chained: int, wide: int, branch: int, kept: str) -> int:
        return add(conv(branch, 1), "[route]\nlayers=-2\n", conv(branch, 1), conv(chained) * 4, kept, conv(wide, 1))

    def pooled(width: int, joined: str = "") -> None:
        add(maxpool(2, 2), conv(width, 1), "[route]\nlayers=-3\n", conv(width, 1), conv(width, 3, 2))
        add(f"[route]\nlayers=-1,-4{joined}\n")

    add(conv(32), conv(64, stride=2), conv(64), conv(128, stride=2))
    every_other, all_of = "[route]\nlayers=-1,-3,-5,-7\n", "[route]\nlayers=-1,-2,-3,-4,-5,-7\n"
    levels = [elan(64, 256, 64, every_other)]
    for chained, wide, half in ((128, 512, 128), (256, 1024, 256), (256, 1024, 512)):
        pooled(half)
        levels.append(elan(chained, wide, chained, every_other))
    add(conv(512, 1), "[route]\nlayers=-2\n", conv(512, 1), conv(512), conv(512, 1), maxpool(5, 1))
    add("[route]\nlayers=-2\n", maxpool(9, 1), "[route]\nlayers=-4\n", maxpool(13, 1), "[route]\nlayers=-1,-3,-5,-6\n")
    lateral = [add(conv(512, 1), conv(512), "[route]\nlayers=-1,-13\n", conv(512, 1))]
    for width, level in ((256, levels[2]), (128, levels[1])):
        add(conv(width, 1), "[upsample]\nstride=2\n", f"[route]\nlayers={level}\n", conv(width, 1))
        add("[route]\nlayers=-1,-3\n")
        lateral.append(elan(width // 2, width, width, all_of))
    ends = [lateral.pop()]
    for width in (256, 512):
        pooled(width // 2, f",{lateral.pop()}")
        ends.append(elan(width // 2, width, width, all_of))
    for width, end, mask in zip((256, 512, 1024), ends, ("0,1,2", "3,4,5", "0,1,2"), strict=True):
        add(f"[route]\nlayers={end}\n", conv(width), new_coco(mask))
    return "".join(sections).replace("leaky", "swish")


def new_coco(mask: str) -> str:
    """A convolution with sigmoid, of which new_coords makes boxes without exp."""
    text = coco(mask).replace("linear", "logistic")
    return f"{text}scale_x_y=2.0\nnew_coords=1\n"


def narrow(text: str) -> str:
    """Every width an eighth, but those before boxes."""
    return re.sub(
        r"filters=(\d+)", lambda found: f"filters={found[1] if found[1] == '255' else int(found[1]) // 8}", text
    )


@pytest.mark.parametrize(
    ("text", "preset", "trainable", "file_bytes"),
    [
        (yolo_v3_tiny(), "yolo_v3_tiny_detect", 8_852_366, 35_434_956),
        (yolo_v3(), "yolo_v3_detect", 61_949_149, 248_007_048),
        (yolo_v4_tiny(), "yolo_v4_tiny_detect", 6_056_606, 24_251_276),
        (yolo_v4(), "yolo_v4_detect", 64_363_101, 257_717_640),
        (yolo_v4_csp(), None, 52_921_437, 211_944_840),
        (yolo_v7(), None, 36_928_413, 147_898_248),
    ],
)
def test_whole_networks_have_the_costs_of_the_presets_and_files_of_the_known_size(
    text: str, preset: str | None, trainable: int, file_bytes: int, tmp_path: Path
) -> None:
    """Sizes are those of the files that Darknet publishes."""
    (tmp_path / "net.cfg").write_text(text)
    main(["import", str(tmp_path / "net.cfg"), "-o", str(tmp_path / "net.yaml")])
    found = archdsl.analyze(tmp_path / "net.yaml")
    known = archdsl.analyze(preset) if preset else found
    assert (found.trainable_params, found.params, found.macs) == (trainable, known.params, known.macs)
    (tmp_path / "net.weights").write_bytes(struct.pack("<3iQ", 0, 2, 0, 0))
    os.truncate(tmp_path / "net.weights", file_bytes)
    with (tmp_path / "net.weights").open("rb") as stream:
        assert contents_of(archdsl.compile_config(tmp_path / "net.yaml"), stream).layers


NARROW = {"yolo_v4_csp": yolo_v4_csp(), "yolo_v7": yolo_v7()}


@pytest.mark.parametrize("name", NARROW)
def test_later_networks_give_the_numbers_of_darknet(name: str, tmp_path: Path) -> None:
    text = narrow(NARROW[name])
    darknet, output = imported(text, tmp_path)
    found = archdsl.build_from_config(output)(IMAGE[None].astype("float32"), training=False)
    darknet.run(IMAGE / 255)
    for result, expected in (("boxes", darknet.boxes), ("scores", darknet.scores)):
        values = keras.ops.convert_to_numpy(found[result])[0]
        levels = expected[::-1]  # from the finest on
        numpy.testing.assert_allclose(values, numpy.concatenate(levels), rtol=2e-3, atol=2e-3)


PRESETS = {
    "yolo_v3_detect": yolo_v3(),
    "yolo_v3_tiny_detect": yolo_v3_tiny(),
    "yolo_v4_detect": yolo_v4(),
    "yolo_v4_tiny_detect": yolo_v4_tiny(),
}


@pytest.mark.parametrize("preset", PRESETS)
def test_a_file_for_darknets_cfg_is_loaded_into_the_preset(preset: str, tmp_path: Path) -> None:
    """The order in the file is the cfg's, which the preset's own is not: short and deep branches have equal shapes."""
    _, output = imported(narrow(PRESETS[preset]), tmp_path)
    theirs, model = archdsl.build_from_config(output), archdsl.build_from_config(preset, ["scale.width=0.125"])
    archdsl.weights.load(model, tmp_path / "net.weights")
    maps = []
    for each in (theirs, model):  # before boxes are made, whose anchors are others
        raw = [node.name for node in each.graph.nodes if node.weights and node.type.channels == 255]
        found = each.features(raw)(IMAGE[None].astype("float32"))
        maps.append(sorted(map(numpy.asarray, found.values()), key=lambda x: -x.size))
    for expected, found in zip(*maps, strict=True):
        numpy.testing.assert_allclose(found, expected, rtol=2e-3, atol=2e-3 * abs(expected).max())
    again = archdsl.build_from_config(tmp_path / "net.safetensors")
    archdsl.weights.load(again, tmp_path / "net.weights")
    for one, other in zip(again.get_weights(), theirs.get_weights(), strict=True):
        numpy.testing.assert_array_equal(one, other)


def test_a_file_without_names_is_refused_where_the_order_is_not_known(tmp_path: Path) -> None:
    imported(V3_TINY, tmp_path)
    model = archdsl.build_from_config("yolo_v8_xs_backbone", ["scale.width=0.03125"])
    before = model.get_weights()
    with pytest.raises(archdsl.ArchError, match="its order is not that of yolo_v8_xs_backbone"):
        archdsl.weights.load(model, tmp_path / "net.weights")
    assert all(map(numpy.array_equal, before, model.get_weights()))


def test_weights_of_another_network_of_the_same_size_are_told_by_their_variances(tmp_path: Path) -> None:
    for name, text in (("one", conv(4) + conv(8, 1)), ("other", conv(8, 1) + conv(4))):
        (tmp_path / name).mkdir()
        imported(NET + text, tmp_path / name)
    floats = [(tmp_path / name / "net.weights").read_bytes()[20:] for name in ("one", "other")]
    whole = tmp_path / "one" / "net.weights"
    whole.write_bytes(whole.read_bytes()[:20] + floats[1][: len(floats[0])].ljust(len(floats[0]), b"\xbf"))
    with pytest.raises(archdsl.ArchError, match="is negative; these are the weights of another network"):
        archdsl.weights.load(archdsl.build_from_config(whole.with_suffix(".safetensors")), whole)


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
    conv(4, 3, 2) + "[shortcut]\nfrom=-1\nweights_type=per_pixel\n": (14, "none, per_feature"),
    conv(4, 3, 2) + "[shortcut]\nfrom=-1\nweights_type=per_channel\nweights_normalization=max\n": (
        15,
        "expected one of",
    ),
    conv(4, 3, 2) + "[softmax]\n": (12, "of a map"),
    conv(4, 3, 2) + "[avgpool]\n[softmax]\ngroups=2\n": (13, "of groups"),
    conv(4, 3, 2) + "[connected]\noutput=0\n": (13, "whole number from 1"),
    conv(4, activation="magic"): (11, "expected one of"),
    conv(4).replace("filters=4", "filters=x"): (7, "expected numbers"),
    conv(4).replace("filters=4", "filters=1e99"): (7, "none beyond"),
    conv(4).replace("filters=4", "filters=nan"): (7, "none beyond"),
    conv(4).replace("filters=4", "filters=2.5"): (7, "whole number"),
    conv(4) + "[upsample]\nstride=2\n": (13, "a divisor"),
    LAST + yolo("0,1"): (12, "21 channels"),
    LAST + yolo("0,1,9"): (13, "pairs in anchors"),
    LAST.replace("linear", "leaky") + yolo("0,1,2"): (12, "linear convolution"),
    LAST + yolo("0,1,2", "scale_x_y=\n"): (17, "expected one number"),
    LAST + yolo("0,1,2", "scale_x_y=1.1,1.2\n"): (17, "expected one number"),
    LAST + yolo("0,1,2") + conv(4, 1): (17, "reads what [yolo] has decoded"),
    LAST + yolo("0,1,2") + "[route]\nlayers=0,1\n": (17, "reads what [yolo] has decoded"),
    LAST.replace("linear", "logistic") + yolo("0,1,2", "new_coords=1\n") + "[route]\nlayers=0\n": (18, "[yolo]"),
    conv(4) + ("[route]\nlayers=" + "-1," * 100 + "\n") * 1000: (16, "4000000 channels; expected at most"),
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
