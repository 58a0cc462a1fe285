"""Predicted times of presets beside measured ones, as one table:

python tests/benchmarks/latency.py [--only NAME,NAME] [--presets 10] [--keras 10] [--machine machine.json]

For each preset: what the roofline says, what it says with the table of measured operations, and what the fused network
takes in ONNX Runtime, and the first of them in Keras (a tf.function, not fused by archdsl). At the end the rank
correlation (Spearman) and the median error of both predictions, in each runtime. All run in one thread, and whole
networks are timed in seconds of the processor, the fastest of several calls, so that a busy machine can be borne with.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

os.environ.update({"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "", "KERAS_BACKEND": "tensorflow"})
os.environ.update({"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1", "OMP_NUM_THREADS": "1"})

from archdsl.analysis.report import Report
from archdsl.analysis.roofline import Machine, measured_share, seconds_by_layer
from archdsl.analysis.trial_images import random_images
from archdsl.backends.form import Form
from archdsl.frontend.budget import UNLIMITED
from archdsl.frontend.compose.config import load
from archdsl.frontend.lower import outline
from archdsl.models.export import fused
from archdsl.tools.bench.machine import this_machine, threads_of, with_times
from archdsl.tools.bench.operations import Stopwatch, session
from archdsl.tools.machine_file import read_machine, write_machine
from archdsl.weights.network import Network, network_of

PRESETS = {
    "yolo_v8_s_backbone": 320,
    "resnet50_classify": 224,
    "mobilenet_v3_small_classify": 224,
    "efficientnet_b0_classify": 224,
    "convnext_tiny_classify": 224,
    "yolo_v8_s_detect": 320,
    "densenet121_classify": 224,
    "vgg16_classify": 224,
    "csp_darknet_tiny": 320,
    "regnety_004_classify": 224,
    "mobilenet_v2_classify": 224,
    "mobilenet_v3_large_classify": 224,
    "mobilenet_classify": 224,
    "efficientnet_v2_b0_classify": 224,
    "yolo_11_n_detect": 320,
    "resnet18_v2": 224,
    "vit_tiny_patch16_classify": 224,
    "resnet50_v2": 224,
    "regnetx_004_classify": 224,
    "repvgg_a0_classify": 224,
    "mobileone_s0_classify": 224,
    "unet": 256,
    "darknet53_backbone": 256,
    "yolo_v10_n_detect": 320,
    "yolo_12_n_backbone": 320,
    "hrnet_w18_small_classify": 224,
    "inception_v3_classify": 299,
    "nasnet_mobile_classify": 224,
    "xception_classify": 299,
    "yolo_v8_m_backbone": 320,
}
CALLS, WARM_UP = 7, 2


class Row(NamedTuple):
    """Seconds of a network: predicted without and with measured operations; in ONNX Runtime, and in Keras if it was."""

    name: str
    roofline: float
    table: float
    onnx: float
    keras: float | None


def fastest(call: Callable[[], object]) -> float:
    """Seconds of the processor."""
    found = []
    for _ in range(WARM_UP + CALLS):
        begin = time.process_time()
        call()
        found.append(time.process_time() - begin)
    return min(found[WARM_UP:])


def in_onnx(network: Network) -> float:
    from archdsl.backends.onnx import model_of

    form = Form(batch=1, layout="nchw")
    whole = fused(network, form)
    run = session(model_of(whole.graph, whole.weights, form), threads=1)
    images = {whole.graph.input.name: _images(network).transpose(0, 3, 1, 2).copy()}
    return fastest(lambda: run(images))


def in_keras(network: Network) -> float:
    from archdsl.models.registration import import_keras

    import_keras()
    import tensorflow

    from archdsl.backends.keras.serving import keras_model

    model, images = keras_model(network.graph, network.weights, Form(batch=1)), tensorflow.constant(_images(network))
    function = tensorflow.function(lambda batch: model(batch, training=False))
    return fastest(lambda: function(images))


def _images(network: Network) -> Any:
    height, image_width, _ = network.graph.image.shape
    return random_images(network.graph, 1, (height, image_width)).astype("float32")


def measured(name: str, machine: Machine, watch: Stopwatch, has_keras: bool) -> tuple[Row, Machine]:
    config = load(name, (), UNLIMITED).with_size(PRESETS[name], PRESETS[name])
    graph = Report(outline(config, UNLIMITED)).fused
    roofline = sum(seconds_by_layer(graph, Machine(machine.macs, machine.bandwidth, machine.overhead)).values())
    machine = with_times(machine, graph, watch, lambda text: None)
    network = network_of(config, budget=UNLIMITED)
    table = sum(seconds_by_layer(graph, machine).values())
    row = Row(name, roofline, table, in_onnx(network), in_keras(network) if has_keras else None)
    own, count = measured_share(graph, machine)
    texts = [f"{1000 * each:9.2f}" if each is not None else " " * 9 for each in row[1:]]
    print(f"{name:30}{PRESETS[name]:5}", *texts, f"   {own} of {count} operations measured", flush=True)
    return row, machine


def ranks(values: Sequence[float]) -> list[int]:
    ordered = sorted(range(len(values)), key=values.__getitem__)
    return [ordered.index(position) for position in range(len(values))]


def rank_correlation(one: Sequence[float], other: Sequence[float]) -> float:
    """Spearman's: 1 where both have the same order."""
    differences = [(a - b) ** 2 for a, b in zip(ranks(one), ranks(other), strict=True)]
    return 1 - 6 * sum(differences) / max(1, len(one) * (len(one) ** 2 - 1))


def summary(rows: Sequence[Row]) -> None:
    for runtime in ("onnx", "keras"):
        own = [each for each in rows if getattr(each, runtime) is not None]
        for way in ("roofline", "table"):
            pairs = [(getattr(each, way), getattr(each, runtime)) for each in own]
            if pairs:
                correlation = rank_correlation(*zip(*pairs, strict=True))
                errors = [(predicted - real) / real for predicted, real in pairs]
                print(
                    f"{way:8} against {runtime:5} of {len(own):2} presets: rank correlation {correlation:.3f}, "
                    f"median error {100 * median(map(abs, errors)):.0f} % (signed {100 * median(errors):+.0f} %)"
                )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", help="presets, with commas")
    parser.add_argument("--presets", type=int, default=len(PRESETS), help="so many of them")
    parser.add_argument("--keras", type=int, default=10, help="so many in Keras too")
    parser.add_argument("--machine", type=Path, help="a file that is used, and completed")
    options = parser.parse_args()
    names = options.only.split(",") if options.only else list(PRESETS)[: options.presets]
    is_there = options.machine and options.machine.exists()
    known = read_machine(options.machine) if is_there else None
    watch = Stopwatch(threads_of(options.machine, known, 1))
    machine = known or this_machine(watch, lambda text: None)
    print(f"{machine.macs:.3g} multiply-accumulates and {machine.bandwidth:.3g} bytes a second,", end=" ")
    print(f"{1e6 * machine.overhead:.2f} µs to start an operation; one thread, load {os.getloadavg()[0]:.1f}")
    print(f"{'milliseconds':30} size  roofline     table      onnx     keras")
    rows = []
    for number, name in enumerate(names):
        row, machine = measured(name, machine, watch, number < options.keras)
        rows.append(row)
        if options.machine:
            write_machine(machine, options.machine)
    summary(rows)


if __name__ == "__main__":
    sys.exit(main())
