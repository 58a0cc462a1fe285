"""Speed and memory beside keras_cv and keras.applications, as one table:

python tests/benchmarks/run.py [--only cli,build] [--repeat 5]

Both sides of a row are measured in the same run and in turns, so that what else the machine does falls on both.
Figures are medians; a ratio below 1 means that archdsl takes less.
"""

from __future__ import annotations

import argparse
import gc
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import count, islice
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"
sys.path.insert(0, str(Path(__file__).parents[1]))  # for the oracle, which pairs the weights

PRESET = "yolo_v8_s_backbone"

# Arguments of keras_cv 0.9.0's presets (its *_backbone_presets.py).
DARKNET = ("stackwise_channels", "stackwise_depth")
RESNET = ("stackwise_filters", "stackwise_blocks", "stackwise_strides")
KERAS_CV = {
    "yolo_v8_s_backbone": ("YOLOV8Backbone", DARKNET, ([64, 128, 256, 512], [1, 2, 2, 1])),
    "csp_darknet_s": ("CSPDarkNetBackbone", DARKNET, ([64, 128, 256, 512], [1, 3, 3, 1])),
    "csp_darknet_xl": ("CSPDarkNetBackbone", DARKNET, ([170, 340, 680, 1360], [4, 12, 12, 4])),
    "resnet50_v2": ("ResNetV2Backbone", RESNET, ([64, 128, 256, 512], [3, 4, 6, 3], [1, 2, 2, 2])),
    "resnet152_v2": ("ResNetV2Backbone", RESNET, ([64, 128, 256, 512], [3, 8, 36, 3], [1, 2, 2, 2])),
}
APPLICATIONS = {
    "efficientnet_b0": "EfficientNetB0",
    "mobilenet_v2": "MobileNetV2",
    "resnet50": "ResNet50",
    "convnext_tiny": "ConvNeXtTiny",
}
"""Names of presets without their last word, and keras.applications' for the same network."""
LARGEST = "efficientnet_b7_classify"
SUMMARY = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from run import keras_cv_model
keras_cv_model({PRESET!r}, (640, 640, 3)).summary()
"""


class Row(NamedTuple):
    what: str
    archdsl: str
    keras_cv: str
    ratio: str
    must_reach: str
    reached: bool


def keras_cv_model(name: str, input_shape: Sequence[int | None]) -> Any:
    """keras_cv's backbone of a preset, with fresh weights; its preset classes would download trained ones."""
    import keras_cv

    family, parameters, values = KERAS_CV[name]
    arguments = dict(zip(parameters, values, strict=True))
    return getattr(keras_cv.models, family)(**arguments, include_rescaling=True, input_shape=input_shape)


def seconds_in_turns(calls: Sequence[Callable[[], object]], repeat: int) -> list[float]:
    """Median seconds of each call, called in turns A B A B, after one call of each that does not count."""
    for call in calls:
        call()
    taken: list[list[float]] = [[] for _ in calls]
    for _ in range(repeat):
        for call, seconds in zip(calls, taken, strict=True):
            gc.collect()
            start = time.perf_counter()
            call()
            seconds.append(time.perf_counter() - start)
    return [median(seconds) for seconds in taken]


def per_second(call: Callable[[int], object], repeat: int) -> float:
    """How often `call`, given a number that does not come again, runs in a second of one core: the median of runs.

    Processor time, because the calls wait for nothing, and what else the machine does is not theirs.
    """
    taken, numbers = [], count()
    for _ in range(repeat + 1):
        start = time.process_time()
        for number in islice(numbers, 200):
            call(number)
        taken.append(time.process_time() - start)
    return 200 / median(taken[1:])


def process(*arguments: str) -> tuple[float, float]:
    """Seconds and peak memory in MiB of a Python process, from its start to its end.

    A child is charged with the memory of the process it is started from, so nothing large is imported before.
    """
    start = time.perf_counter()
    child = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RuntimeError(f"exit code {child.returncode} from {arguments}")
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def cli(repeat: int) -> Iterator[Row]:
    show, summary = ("-m", "archdsl", "show", PRESET), ("-c", SUMMARY)
    for arguments in (show, summary):
        process(*arguments)  # compiles the bytecode
    ours, theirs = zip(*[(process(*show), process(*summary)) for _ in range(repeat)], strict=True)
    (our_seconds, our_mib), (their_seconds, their_mib) = [
        map(median, zip(*runs, strict=True)) for runs in (ours, theirs)
    ]
    ratio = our_seconds / their_seconds
    reached = our_seconds <= 0.15 and ratio <= 0.1
    yield Row(
        f"`archdsl show {PRESET}` against build and summary",
        f"{our_seconds:.2f} s",
        f"{their_seconds:.2f} s",
        f"{ratio:.3f}",
        "≤ 0.15 s, ≤ 0.1 ×",
        reached,
    )
    yield Row(
        "the same, peak memory",
        f"{our_mib:.0f} MiB",
        f"{their_mib:.0f} MiB",
        f"{our_mib / their_mib:.3f}",
        "≤ 40 MiB",
        our_mib <= 40,
    )
    for command, most in (("list", 0.3), (f"validate {PRESET}", 0.2)):
        seconds = median([process("-m", "archdsl", *command.split())[0] for _ in range(repeat)])
        yield Row(f"`archdsl {command}`", f"{seconds:.2f} s", "", "", f"≤ {most:.2f} s", seconds <= most)


def compile_(repeat: int) -> Iterator[Row]:
    import archdsl
    from archdsl.frontend.compose.config import load
    from archdsl.frontend.lower import compile_spec
    from archdsl.frontend.sema.resolve import resolve
    from archdsl.frontend.sema.scale import scale_spec

    shape = (640, 640, 3)
    config = load(PRESET).resolved
    spec = scale_spec(resolve(load(config).with_input(shape=shape)))

    def costs(**changes: Any) -> tuple[int, int | None]:
        report = archdsl.analyze({**config, **changes}, input_shape=shape)
        return report.params, report.macs

    def one_stage(number: int) -> object:
        return costs(stages={**config["stages"], "p4": {**config["stages"]["p4"], "width": 256 + number}})

    def unrelated(number: int) -> object:
        return costs(scale={**config["scale"], "width": 0.25 + 0.0037 * number})

    (building,) = seconds_in_turns([lambda: keras_cv_model(PRESET, shape).count_params()], repeat)
    for what, call, least in (
        ("the same again", lambda _: costs(), 2000),
        ("another width in one stage", one_stage, 2000),
        ("other widths everywhere", unrelated, 1000),
    ):
        analyses = per_second(call, repeat)
        yield Row(
            f"costs of {PRESET} as a dict, {what}, against build and count",
            f"{analyses:,.0f} /s",
            f"{1 / building:.1f} /s",
            f"{1 / (analyses * building):.4f}",
            f"≥ {least:,} /s",
            analyses >= least,
        )
    compiles = per_second(lambda _: compile_spec(spec), repeat)
    yield Row(f"compile only, {PRESET}", f"{compiles:,.0f} /s", "", "", "≥ 1,500 /s", compiles >= 1500)
    milliseconds = 1e3 / per_second(lambda _: archdsl.analyze(LARGEST), 2)
    yield Row(f"costs of {LARGEST}", f"{milliseconds:.1f} ms", "", "", "≤ 10 ms", milliseconds <= 10)
    yield validating()


def validating() -> Row:
    """Every shipped config once; all but one of them are read for the first time."""
    from archdsl.frontend.compose.search_path import preset_names
    from archdsl.tools.cli.validate_command import verdict

    names = preset_names()
    start = time.process_time()
    valid = [verdict(name).error is None for name in names]
    each = (time.process_time() - start) / len(names)
    return Row(
        "validate all shipped configs, each", f"{each * 1e3:.1f} ms", "", "", "≤ 10 ms", each <= 0.01 and all(valid)
    )


def build(repeat: int) -> Iterator[Row]:
    import keras

    import archdsl

    for name in ("resnet152_v2", "csp_darknet_xl"):
        sides = lambda: archdsl.build_from_config(name), lambda: keras_cv_model(name, (None, None, 3))  # noqa: B023
        yield against(f"build {name}", seconds_in_turns(sides, repeat), most=1.0)
    for name, theirs in APPLICATIONS.items():
        sides = (
            lambda: archdsl.build_from_config(f"{name}_backbone"),  # noqa: B023
            lambda: getattr(keras.applications, theirs)(weights=None, include_top=False),  # noqa: B023
        )
        yield against(f"build {name}, against keras.applications", seconds_in_turns(sides, repeat), most=1.0)


def weights(repeat: int) -> Iterator[Row]:
    """A model with the weights of a local file, which keras_cv wrote."""
    from keras_cv.src.utils.preset_utils import save_to_preset

    import archdsl

    for name in ("yolo_v8_s_backbone", "csp_darknet_xl", "resnet152_v2"):
        with tempfile.TemporaryDirectory() as folder:
            theirs = keras_cv_model(name, (None, None, 3))
            save_to_preset(theirs, folder)
            read, file = type(theirs).from_preset, Path(folder) / "model.weights.h5"
            sides = (
                lambda: archdsl.from_preset(name, load_weights=True, weights=file),  # noqa: B023
                lambda: read(folder, load_weights=True),  # noqa: B023
            )
            yield against(f"from_preset {name}, load_weights=True", seconds_in_turns(sides, repeat), most=1.0)


def forward(repeat: int) -> Iterator[Row]:
    import tensorflow as tf

    image = tf.random.stateless_uniform((1, 640, 640, 3), (1, 2), 0, 255)
    for name in ("yolo_v8_s_backbone", "csp_darknet_s", "resnet50_v2"):
        functions = [tf.function(model) for model in same_models(name)]
        sides = [lambda function=function: function(image, training=False).numpy() for function in functions]
        yield against(f"forward {name}, 1 × 640 × 640", seconds_in_turns(sides, 3 * repeat), most=1.03)


def training(repeat: int) -> Iterator[Row]:
    import tensorflow as tf

    images = tf.random.stateless_uniform((8, 224, 224, 3), (1, 2), 0, 255)
    for name in ("yolo_v8_s_backbone", "csp_darknet_s", "resnet50_v2"):
        steps = [training_step(model) for model in same_models(name)]
        sides = [lambda step=step: step(images).numpy() for step in steps]
        yield against(f"training step {name}, 8 × 224 × 224", seconds_in_turns(sides, repeat), most=1.03)


def same_models(name: str) -> tuple[Any, Any]:
    """archdsl's and keras_cv's model of a preset, with the same weights."""
    from support.oracle import copy_weights

    import archdsl

    ours, theirs = archdsl.build_from_config(name), keras_cv_model(name, (None, None, 3))
    copy_weights(theirs, ours)
    return ours, theirs


def training_step(model: Any) -> Callable[[Any], Any]:
    import keras
    import tensorflow as tf

    optimizer = keras.optimizers.SGD(1e-3, momentum=0.9)
    optimizer.build(model.trainable_variables)

    @tf.function
    def step(images: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(model(images, training=True)))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply(gradients, model.trainable_variables)
        return loss

    return step


def against(what: str, seconds: Sequence[float], most: float) -> Row:
    """A row of archdsl's and keras_cv's seconds, whose ratio must be at most `most`."""
    ours, theirs = seconds
    ratio = ours / theirs
    return Row(what, f"{ours:.3f} s", f"{theirs:.3f} s", f"{ratio:.3f}", f"≤ {most:.2f} ×", ratio <= most)


def table(rows: Sequence[Row]) -> str:
    cells = [tuple(Row._fields), *[(*row[:-1], "yes" if row.reached else "NO") for row in rows]]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [" | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in cells]
    lines.insert(1, "-|-".join("-" * width for width in widths))
    return "\n".join(f"| {line} |" for line in lines).replace("_reach", " reach")


GROUPS = {"cli": cli, "compile": compile_, "build": build, "weights": weights, "forward": forward, "training": training}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(GROUPS), help="groups, with commas between (%(default)s)")
    parser.add_argument("--repeat", type=int, default=5, help="more is slower and steadier (%(default)s)")
    options = parser.parse_args()
    wanted = options.only.split(",")
    unknown = set(wanted) - set(GROUPS)
    if unknown:
        parser.error(f"no group {', '.join(sorted(unknown))}; expected some of {', '.join(GROUPS)}")
    rows: list[Row] = []
    for name in [group for group in GROUPS if group in wanted]:  # the command line first: see `process`
        for row in GROUPS[name](options.repeat):
            rows.append(row)
            print(f"{row.what}: {row.archdsl} {row.ratio}", file=sys.stderr, flush=True)
    print(table(rows))


if __name__ == "__main__":
    main()
