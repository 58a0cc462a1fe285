"""Networks where they run, beside keras_cv's own model, as one table:

python tests/benchmarks/deploy.py [--only process,speed] [--rounds 30] [--repeat 3]

Files of archdsl in each runtime and keras_cv's model in a tf.function are measured in turns, with as many threads; a
ratio is the median of those within a round, and below 1 archdsl takes less. Measure on a machine that does nothing
else: runtimes whose threads wait for each other take several times as long on a busy one.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

import run  # noqa: E402  the figures beside keras_cv, whose helpers these are too

if TYPE_CHECKING:
    from archdsl.tools.bench.plan import Entry
    from archdsl.tools.bench.processes import Process

NETWORK, DETECTOR = "yolo_v8_s_backbone", "yolo_v8_s_detect"
THREADS, SIDE = 2, 640
IN_FLOAT32 = ("onnx", "openvino", "litert")
WITHOUT_KERAS = """
import sys
class Absent:
    def find_spec(self, name, *rest):
        if name in ("keras", "tensorflow", "torch"):
            raise ModuleNotFoundError(name=name)
sys.meta_path.insert(0, Absent())
from archdsl.tools.cli import main
main({!r})
"""


class Row(NamedTuple):
    what: str
    found: str
    must_reach: str
    reached: bool


def process(repeat: int) -> Iterator[Row]:
    """Whole processes, which come first: nothing large is imported here yet, and each is charged with what is."""
    with tempfile.TemporaryDirectory() as folder:
        yield exporting(f"`archdsl export {DETECTOR} -o x.onnx`", DETECTOR, folder, repeat, 5, 400)
        yield without_keras(folder, repeat)
        yield exporting("`archdsl export resnet152_v2 -o x.onnx`", "resnet152_v2", folder, 1, None, 1536)


def exporting(what: str, name: str, folder: str, repeat: int, most_seconds: float | None, most_mib: float) -> Row:
    call = "-m", "archdsl", "export", name, "-o", f"{folder}/x.onnx", "--force"
    return costs(f"{what}, with its proof", [run.process(*call) for _ in range(repeat)], most_seconds, most_mib)


def without_keras(folder: str, repeat: int) -> Row:
    """A checkpoint as PyTorch writes it → .safetensors → ONNX, in processes that can import neither."""
    checkpoint, weights = f"{folder}/x.pt", f"{folder}/x.safetensors"
    subprocess.run([sys.executable, __file__, "--write-checkpoint", checkpoint], check=True)
    calls = (
        ["import", checkpoint, "--config", DETECTOR, "-o", weights, "--force"],
        ["export", weights, "-o", f"{folder}/x.onnx", "--force"],
    )
    runs = [[run.process("-c", WITHOUT_KERAS.format(call)) for call in calls] for _ in range(repeat)]
    both = [(sum(seconds for seconds, _ in pair), max(mib for _, mib in pair)) for pair in runs]
    return costs("`archdsl import x.pt` and `export` to ONNX, without Keras", both, 6, 500)


def costs(what: str, runs: Sequence[tuple[float, float]], most_seconds: float | None, most_mib: float) -> Row:
    """A row of the medians of (seconds, MiB)."""
    seconds, mib = (median(values) for values in zip(*runs, strict=True))
    limits = [*([f"≤ {most_seconds:g} s"] if most_seconds else []), f"≤ {most_mib:g} MiB"]
    reached = (most_seconds is None or seconds <= most_seconds) and mib <= most_mib
    return Row(what, f"{seconds:.1f} s, {mib:.0f} MiB", ", ".join(limits), reached)


def write_checkpoint(path: str) -> None:
    """A state dict of random weights with PyTorch's names."""
    import numpy
    from support.torch_files import write

    from archdsl.frontend.compose.config import load
    from archdsl.weights.network import network_of
    from archdsl.weights.pytorch.export import torch_arrays

    network = network_of(load(DETECTOR))
    arrays = torch_arrays(network.graph, network.weights)
    write(Path(path), {name: numpy.ascontiguousarray(array) for name, array in arrays.items()})


def speed(rounds: int) -> Iterator[Row]:
    from archdsl.tools.bench.contenders import RUNTIMES
    from archdsl.tools.bench.plan import Contender

    contenders = [
        *[Contender(0, runtime, "float32") for runtime in (*IN_FLOAT32, "keras")],
        Contender(0, "openvino", "bfloat16"),
        *[Contender(0, name, "int8") for name in IN_FLOAT32 if "int8" in RUNTIMES[name].precisions],
    ]
    peak, *found = to_keras_cv(contenders, rounds)
    ratios = dict(zip(contenders, found, strict=True))
    plain = {each: ratios[each] for each in ratios if each.precision == "float32" and each.runtime in IN_FLOAT32}
    best = min(plain, key=lambda each: plain[each].median)
    yield against(f"best float32 runtime ({best.runtime})", ratios[best], 0.70)
    bfloat16 = "OpenVINO in bfloat16, where the processor has units for it"
    yield against(bfloat16, ratios[Contender(0, "openvino", "bfloat16")], 0.37)
    int8 = {each: ratios[each] for each in ratios if each.precision == "int8"}
    if int8:
        best = min(int8, key=lambda each: int8[each].median)
        yield against(f"int8, best runtime ({best.runtime})", int8[best], 0.25)
    yield against("fused Keras in process", ratios[Contender(0, "keras", "float32")], 0.85)
    yield against("for comparison: all of the float32 peak", peak, None)
    yield share_of_peak(rounds)


def against(what: str, ratio: Any, most: float | None) -> Row:
    found = f"{ratio.median:.2f} ({ratio.low:.2f}–{ratio.high:.2f})"
    limit = "" if most is None else f"≤ {most:.2f}"
    return Row(f"{what}, time as a part of keras_cv's", found, limit, most is None or ratio.median <= most)


def to_keras_cv(contenders: Sequence[Any], rounds: int) -> list[Any]:
    """The ratio of each contender's time to that of keras_cv's model, which takes its turns in this process.

    The first is that of a machine that would do nothing but multiply matrices.
    """
    from archdsl.tools.bench.contenders import RUNTIMES
    from archdsl.tools.bench.measuring import measured, ratio
    from archdsl.tools.bench.plan import Settings
    from archdsl.tools.bench.results import runtime_text
    from archdsl.tools.bench.session import Session

    os.environ |= RUNTIMES["keras"].environment(THREADS)  # before TensorFlow is imported
    settings = Settings(threads=THREADS, rounds=rounds)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        session = Session(Path(folder), [entry()], settings, tell, stack)
        session.write_networks()
        processes = [session.started(number, each) for number, each in enumerate(contenders)]
        calls = [keras_cv_call(), at_peak(session.peak()), *[each.seconds for each in processes]]
        base, *times = measured(calls, rounds, lambda number: tell(f"round {number} of {rounds}"))
    names = ["keras_cv", "the peak", *map(runtime_text, contenders)]
    for name, own in zip(names, [base, *times], strict=True):
        tell(f"{name}: {1000 * own.minimum:.1f} ms at least, median {1000 * own.median:.1f} ms")
    return [ratio(own, base) for own in times]


def at_peak(peak: Process) -> Callable[[int], list[float]]:
    """The time that the network takes as fast as the fastest product of matrices of each round."""
    operations = 2 * entry().macs
    return lambda count: [operations / max(peak.run(1)["flops"]["float32"].values())]


def keras_cv_call() -> Callable[[int], list[float]]:
    import tensorflow as tf

    from archdsl.tools.bench.measuring import timed

    function = tf.function(run.keras_cv_model(NETWORK, (SIDE, SIDE, 3)))
    image = tf.random.stateless_uniform((1, SIDE, SIDE, 3), (1, 2), 0, 255)
    return lambda count: list(timed(lambda: function(image, training=False).numpy(), count, time.perf_counter))


def share_of_peak(rounds: int) -> Row:
    """Of the fastest product of matrices, on one thread."""
    from archdsl.tools.bench.benchmark import benchmark
    from archdsl.tools.bench.plan import Settings

    found = benchmark([entry()], Settings(IN_FLOAT32, threads=1, rounds=rounds), tell)
    best = max(found.results, key=lambda each: each.flops)
    peak, share = found.limits.flops("float32") or 0, found.share(best) or 0
    what = f"share of the float32 peak of {peak / 1e9:.0f} GFLOP/s, {best.contender.runtime}, one thread"
    return Row(what, f"{share:.2f}", "≥ 0.85", share >= 0.85)


def entry() -> Entry:
    from archdsl.frontend.compose.config import load
    from archdsl.tools.bench.plan import Entry
    from archdsl.weights.network import network_of

    return Entry(NETWORK, network_of(load(NETWORK).with_size(SIDE, SIDE)))


def tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def table(rows: Sequence[Row]) -> str:
    cells = [("what", "found", "must reach", "reached")]
    cells += [(*row[:-1], ("yes" if row.reached else "NO") if row.must_reach else "") for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [" | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in cells]
    lines.insert(1, "-|-".join("-" * width for width in widths))
    return "\n".join(f"| {line} |" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="process,speed", help="groups, with commas between (%(default)s)")
    parser.add_argument("--rounds", type=int, default=30, help="of turns; more is steadier (%(default)s)")
    parser.add_argument("--repeat", type=int, default=3, help="of processes (%(default)s)")
    parser.add_argument("--write-checkpoint", metavar="FILE", help="only write the checkpoint that is imported")
    options = parser.parse_args()
    if options.write_checkpoint:
        write_checkpoint(options.write_checkpoint)
        return
    groups = {"process": lambda: process(options.repeat), "speed": lambda: speed(options.rounds)}
    wanted = options.only.split(",")
    if unknown := set(wanted) - set(groups):
        parser.error(f"no group {', '.join(sorted(unknown))}; expected some of {', '.join(groups)}")
    before = os.getloadavg()[0]
    rows: list[Row] = []
    for name in [group for group in groups if group in wanted]:
        for row in groups[name]():
            rows.append(row)
            tell(f"{row.what}: {row.found}")
    print(table(rows))
    print(f"{THREADS} threads, batch 1, {SIDE} × {SIDE}; load {before:.1f} before, {os.getloadavg()[0]:.1f} after")


if __name__ == "__main__":
    main()
