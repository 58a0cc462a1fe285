"""archdsl import: a PyTorch checkpoint as one .safetensors file with its config. Neither Keras nor PyTorch is used."""

from __future__ import annotations

import random
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from attacks.watch import NEVER
from safetensors.numpy import load_file
from support import TESTS
from support.torch_files import unit, with_description, write, write_zip

import archdsl
from archdsl.weights import formats
from archdsl.weights.pytorch.export import numbers_of
from archdsl.weights.pytorch.matching import certain
from archdsl.weights.pytorch.names import numbered
from archdsl.weights.pytorch.units import layers_of

pytestmark = pytest.mark.slow  # writes checkpoints, and reads them in processes

FILES = TESTS / "weights" / "files"
TINY = "scale.width=0.03125"
SEEDS = [pytest.param(0, 400, id="some"), pytest.param(1, 10_000, id="many", marks=pytest.mark.full)]


def test_the_file_has_the_config_and_the_arrays_with_the_axes_of_keras(run: Any, tmp_path: Path) -> None:
    done = run("import", str(FILES / "yolo_v5.pt"), "-o", "a.safetensors", "--config", "yolo_v5_s_backbone", TINY)
    assert (done.returncode, done.stderr) == (0, "")
    assert "p5.post.sppf" in done.stdout and "model.9" in done.stdout
    arrays = load_file(tmp_path / "a.safetensors")
    assert arrays["stem_conv_conv/kernel"].shape == (6, 6, 3, 2)
    assert archdsl.analyze(tmp_path / "a.safetensors").params == sum(array.size for array in arrays.values())
    with formats.opened(FILES / "yolo_v5.pt", 0) as contents:
        theirs = {each.name: each.arrays for each in contents.layers}
        kernel = theirs["model.4.cv2.conv"]["weight"].read().transpose(2, 3, 1, 0)
    assert np.array_equal(arrays["p3_body_short_conv/kernel"], kernel)  # of cv1 it would fit as well


def test_a_checkpoint_of_a_preset_says_which_it_is(run: Any, tmp_path: Path) -> None:
    write(tmp_path / "a.pt", checkpoint_of("yolo_v8_xs_backbone"))
    done = run("import", "a.pt", "-o", "a.safetensors")
    assert "a.safetensors: yolo_v8_xs_backbone, " in done.stdout, done.stderr


@pytest.mark.parametrize("end", ["net.yaml", "net.safetensors"])
def test_it_is_written_into_any_folder(end: str, run: Any, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    write(tmp_path / "a.pt", checkpoint_of("yolo_v8_xs_backbone"))
    done = run("import", "a.pt", "-o", f"mine/{end}")
    assert done.returncode == 0, done.stderr
    assert archdsl.analyze(tmp_path / "mine" / end).params == archdsl.analyze("yolo_v8_xs_backbone").params


def test_a_checkpoint_of_no_preset_names_the_nearest(run: Any, tmp_path: Path) -> None:
    arrays = checkpoint_of("yolo_v8_xs_backbone")
    more = unit(np.random.default_rng(0), "model.30", (4, 256, 1, 1))
    write(tmp_path / "a.pt", arrays | more)
    done = run("import", "a.pt", "-o", "a.safetensors")
    assert done.returncode == 2
    assert "the first 10 are those of yolo_v8_xs_backbone" in done.stderr
    assert not (tmp_path / "a.safetensors").exists()
    done = run("import", "a.pt", "-o", "a.safetensors", "--config", "yolo_v8_xs_backbone")
    assert "1 layer of the file was not used" in done.stdout


def checkpoint_of(preset: str) -> dict[str, np.ndarray]:
    """A state dict with the shapes of a YOLOv8 backbone, by the names in the table of its layout."""
    assert preset == "yolo_v8_xs_backbone"
    draw, arrays = np.random.default_rng(0), {}
    rows: list[tuple[str, tuple[int, ...]]] = [("0", (16, 3, 3, 3))]
    for number, (width, count) in zip((1, 3, 5, 7), ((32, 1), (64, 2), (128, 2), (256, 1)), strict=True):
        half, body = width // 2, number + 1
        rows += [(f"{number}", (width, half, 3, 3)), (f"{body}.cv1", (width, width, 1, 1))]
        rows += [(f"{body}.cv2", (width, (2 + count) * half, 1, 1))]
        rows += [(f"{body}.m.{step}.cv{each}", (half, half, 3, 3)) for step in range(count) for each in (1, 2)]
    rows += [("9.cv1", (128, 256, 1, 1)), ("9.cv2", (256, 512, 1, 1))]
    for path, shape in rows:
        arrays |= unit(draw, f"model.{path}", shape)
    return arrays


def test_what_does_not_fit_is_told_with_both_shapes_and_nothing_is_written(run: Any, tmp_path: Path) -> None:
    done = run("import", str(FILES / "yolo_v5.pt"), "-o", "a.safetensors", "--config", "yolo_v5_s_backbone")
    assert done.returncode == 2
    assert "stem_conv_conv, with 6×6×3×32; the file has 6×6×3×2 (model.0.conv)" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_network_that_is_wired_in_another_way_is_refused_though_every_shape_fits(run: Any) -> None:
    """Both maps of a concatenation fit in either order; the modules of a whole checkpoint say what they read."""
    small = [TINY, "+head.box.bins=4", "+head.boxes.bins=4", "head.class.classes=2"]
    command = ["import", str(FILES / "yolo_v8.pt"), "-o", "a.safetensors", "--config", "yolo_v8_s_detect", *small]
    done = run(*command, "neck.cat4.from=[p4, up4]")
    assert "neck.td4 reads what is model.6 and model.9 there, and model.12 reads model.9 and model.6" in done.stderr
    assert run(*command).returncode == 0


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("activation=relu", "the activation of the file is silu; of the network relu"),
        ("norm.epsilon=1e-5", "the epsilon of the file is 0.001; of the network 1e-05"),
    ],
)
def test_a_network_that_computes_something_else_is_refused_though_every_shape_fits(
    setting: str, told: str, run: Any
) -> None:
    command = ["import", str(FILES / "yolo_v8.pt"), "-o", "a.safetensors", "--config", "yolo_v8_s_backbone", TINY]
    done = run(*command, f"conventions.{setting}")
    assert done.returncode == 2 and told in done.stderr.replace("\n", " ")
    assert run(*command).returncode == 0


def test_other_files_and_names_are_refused(run: Any, tmp_path: Path) -> None:
    write(tmp_path / "a.pt", {"layer1.0.conv1.weight": np.zeros((4, 3, 1, 1), "float32")})
    assert (
        "no module in the place of stem_conv_conv"
        in run("import", "a.pt", "-o", "b.safetensors", "--config", "yolo_v5_s_backbone").stderr
    )
    assert "ends in .safetensors" in run("import", "a.pt", "-o", "b.keras").stderr
    assert "needs --config" in run("import", "a.pt", TINY, "-o", "b.safetensors").stderr
    assert "there is no such weights file" in run("import", "b.pt", "-o", "b.safetensors").stderr


def test_neither_keras_nor_pytorch_is_imported(tmp_path: Path) -> None:
    program = f"""
import sys
from archdsl.tools.cli import main
main(["import", {str(FILES / "yolo_v5.pt")!r}, {TINY!r}, "-o", "a.safetensors", "--config", "yolo_v5_s_backbone"])
slow = {{"keras", "tensorflow", "torch", "h5py", "matplotlib"}}
assert not slow & set(sys.modules), slow & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], check=True, cwd=tmp_path, stdout=subprocess.DEVNULL)


LAYOUTS = {
    "yolov5n": "yolo_v5u_n_detect",
    "yolov10n": "yolo_v10_n_detect",
    "yolo11n": "yolo_11_n_detect",
    "yolov9t": "yolo_v9_t_detect",
}


@pytest.mark.parametrize("network", LAYOUTS)
def test_a_detector_has_the_units_of_its_checkpoint_by_their_names(network: str) -> None:
    rows = [line.split(" ") for line in (FILES / "layouts.txt").read_text().splitlines()]
    modules = [dict(unit.split("=") for unit in units) for name, _, *units in rows if name == network]
    layers = layers_of(archdsl.compile_config(LAYOUTS[network]))
    assert len(layers) == len(modules)
    for layer, module in zip(layers, modules, strict=True):
        named = {path or ".": "x".join(map(str, shape)) for path, shape in layer.shapes.items()}
        wanted = {"." if path == "." else numbered(path): shape for path, shape in module.items() if path != "dfl"}
        if layer.block != "elan":  # one convolution there is two here
            assert named == wanted, layer.path


@pytest.mark.parametrize("network", LAYOUTS)
def test_modules_are_numbered_as_there(network: str) -> None:
    rows = [line.split(" ") for line in (FILES / "layouts.txt").read_text().splitlines()]
    graph = archdsl.compile_config(LAYOUTS[network])
    assert [numbers_of(graph)[layer.path] for layer in layers_of(graph)] == [
        int(row[1]) for row in rows if row[0] == network
    ]


def brute_force(ours: str, theirs: str) -> set[tuple[int, int]]:
    """The pairs that are in every longest common subsequence, by looking at all of them."""
    for length in range(min(len(ours), len(theirs)), 0, -1):
        chosen = [
            set(zip(first, second, strict=True))
            for first in combinations(range(len(ours)), length)
            for second in combinations(range(len(theirs)), length)
            if [ours[place] for place in first] == [theirs[place] for place in second]
        ]
        if chosen:
            return set.intersection(*chosen)
    return set()


def test_layers_are_paired_only_where_every_way_to_pair_most_of_them_agrees() -> None:
    draw = random.Random(0)
    for _ in range(300):
        ours, theirs = ("".join(draw.choices("abc", k=draw.randrange(7))) for _ in range(2))
        assert set(certain(ours, theirs)) == brute_force(ours, theirs), (ours, theirs)


# Mutated files


events: list[str] = []
watching = False


def hook(event: str, arguments: tuple[Any, ...]) -> None:
    if watching and event.startswith((*NEVER, "import", "exec", "compile")):
        events.append(f"{event} {arguments}"[:200])


@contextmanager
def watched() -> Iterator[None]:
    """A block that may not import, run or reach anything."""
    global watching
    if not events:
        sys.addaudithook(hook)
    events.clear()
    watching = True
    try:
        yield
    finally:
        watching = False


def mutated(data: bytes, draw: random.Random) -> bytes:
    """Other bytes in the place of some, a part left out, or a part put in once more."""
    changed = bytearray(data)
    for at in draw.choices(range(len(data)), k=draw.choice([1, 1, 2, 8])):
        changed[at] = draw.choice(
            [changed[at] ^ 1 << draw.randrange(8), draw.randrange(256), draw.choice(b"Rb\x81c2t.")]
        )
    begin, end = sorted(draw.choices(range(len(data)), k=2))
    if draw.random() < 0.3:
        end = min(end, begin + draw.choice([1, 5, 50]))
        part = changed[begin:end]
        changed[begin:end] = part * draw.choice([0, 2])
    return bytes(changed)


@pytest.mark.parametrize(("seed", "count"), SEEDS)
def test_a_mutated_file_is_read_or_refused_and_runs_nothing(seed: int, count: int, tmp_path: Path) -> None:
    draw, path = random.Random(seed), tmp_path / "a.pt"
    sound = (FILES / "yolo_v8_folded.pt").read_bytes()
    write(path, unit(np.random.default_rng(0), "model.0", (4, 3, 3, 3)) | {"more": np.zeros(3, "float16")})
    small = path.read_bytes()
    with formats.opened(path, 0) as contents:
        description = members(path)["net/data.pkl"]
        assert len(contents.layers) == 3
    numbers = {name.removeprefix("net/data/"): data for name, data in members(path).items() if "/data/" in name}
    refused = 0
    for _ in range(count):
        kind = draw.choice(["pickle", "pickle", "archive", "directory"])
        if kind == "pickle":
            write_zip(path, with_description(mutated(description, draw), numbers))
        else:
            path.write_bytes(
                mutated(small, draw) if kind == "archive" else sound[:-9000] + mutated(sound[-9000:], draw)
            )
        try:
            with watched(), formats.opened(path, 1 << 20) as contents:
                _ = [array.read() for layer in contents.layers for array in layer.arrays.values()]
        except archdsl.ArchError as error:
            refused += 1
            assert len(str(error)) < 1_000
        assert not events
    assert count / 4 < refused < count


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}
