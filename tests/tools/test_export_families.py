"""Every family leaves as a file of each format and precision; what a runtime computes otherwise is not left."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from support import REPOSITORY, TESTS
from support.samples import one_of_each_kind, sampled

import archdsl

pytestmark = [pytest.mark.slow, pytest.mark.keras]

NETWORKS = {path.stem: str(path) for path in sorted((TESTS / "frontend" / "networks").glob("*.yaml"))}
FILES = [
    ("a.onnx", "int8"),
    ("a.onnx", "float16"),
    ("a.xml", "int8"),
    ("a.xml", "float32"),
    ("a.tflite", "int8"),
    ("a.tflite", "float16"),
]
CASES = [(name, *each) for name in (*one_of_each_kind(), *NETWORKS) for each in FILES]
EVERY_TIME = [
    ("resnet18_backbone", "a.tflite", "int8"),
    ("mobilenet_v3_small_backbone", "a.tflite", "int8"),
    ("shufflenet_v2", "a.xml", "float32"),
]
COMPUTED_OTHERWISE = [("poolformer", "a.xml", "int8")]
"""What OpenVINO makes of a difference with an average pooling in int8; ONNX Runtime is right about the same file."""
UNTRAINED = {
    "efficientnet_v2_b0_classify": 0.96,
    "keras_cv_yolo_v8_xs_detect": 0.95,
    "vit_tiny_patch16_backbone": 0.94,
    "vit_tiny_patch16_classify": 0.97,
    "yolo_v8_xs_detect": 0.97,
}
"""Those whose random weights int8 has less of: measured, so that it is seen where they get worse."""
SIDES = (64, 96)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("photos")
    photo = Image.open(REPOSITORY / "examples" / "photo.jpg").convert("RGB")
    for number in range(3):
        photo.crop((90 * number, 40 * number, 300 + 90 * number, 200 + 40 * number)).save(folder / f"{number}.png")
    return str(folder)


@pytest.mark.parametrize("case", sampled(CASES, EVERY_TIME), ids="-".join)
def test_a_family_leaves_in_every_format(tmp_path: Path, photos: str, case: tuple[str, str, str]) -> None:
    name, file, precision = case
    config = NETWORKS.get(name, name)
    call: dict[str, Any] = {"precision": precision, "size": size_of(config)}
    call |= {"calibrate": photos} if precision == "int8" else {}
    if case in COMPUTED_OTHERWISE:
        with pytest.raises(archdsl.ArchError, match=r"expected at least 0\.9"):
            archdsl.export(config, tmp_path / file, **call)
        assert not [*tmp_path.iterdir()]
        return
    proof = archdsl.export(config, tmp_path / file, **call).proof
    least = UNTRAINED.get(name, 0.98) if precision == "int8" else 0.999
    assert min(proof.cosines.values()) > least


def size_of(config: str) -> tuple[int, int] | None:
    """A small one, or that of the network where it takes no other."""
    try:
        archdsl.analyze(config, input_shape=(*SIDES, archdsl.compile_config(config).image.shape[-1]))
    except archdsl.ArchError:
        return None
    return SIDES
