"""archdsl bench CONFIG…"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from archdsl.backends.atomic_write import written_whole
from archdsl.diagnostics.packages import require
from archdsl.diagnostics.problems import Mark, fail
from archdsl.diagnostics.terminal import say
from archdsl.diagnostics.wording import did_you_mean, one_of
from archdsl.frontend.budget import Budget
from archdsl.frontend.lower import compile_graph
from archdsl.tools.cli.machine_option import machine_option
from archdsl.tools.cli.options import Size, at_size, budget_option, names, plugins_option, size_option
from archdsl.tools.cli.output import print_json, print_table, progress
from archdsl.tools.cli.several import configs_argument, configs_with_overrides, label, loaded_each
from archdsl.tools.output_file import check_output

if TYPE_CHECKING:
    from archdsl.frontend.compose.config import Config
    from archdsl.tools.bench.plan import Entry
    from archdsl.tools.bench.results import Benchmark

RUNTIMES = ("onnx", "openvino", "litert", "keras", "xla", "jax", "torch", "torch_compile")
DEVICES = {"cpu": ("onnx",), "gpu": ("jax",)}
"""And the runtime of each unless another is chosen."""
PRECISIONS = ("float32", "float16", "bfloat16", "int8")
PICTURES = (".png", ".pdf", ".svg")


def _names_of(choices: Sequence[str]) -> Any:
    """A callback that takes some of these, with commas between them."""

    def check(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[str, ...]:
        if value is None:
            return ()
        found = names(context, parameter, value) or []
        for each in found or [""]:
            if each not in choices:
                hint = did_you_mean(each, choices)
                raise click.BadParameter("; ".join(filter(None, [f"'{each}'; {one_of(choices)}", hint])))
        return tuple(dict.fromkeys(found))

    return check


@click.command("bench")
@plugins_option
@budget_option
@configs_argument
@click.option(
    "--runtime",
    "runtimes",
    callback=_names_of(RUNTIMES),
    metavar="NAMES",
    help=f"{', '.join(RUNTIMES)}: one or several, with commas; by default onnx, on a GPU jax.",
)
@click.option(
    "--device",
    type=click.Choice([*DEVICES]),
    default="cpu",
    show_default=True,
    help="What Keras's runtimes compute on; float32 is all of it on a GPU too, not TensorFloat-32.",
)
@size_option
@click.option("--batch", default=1, show_default=True, type=click.IntRange(1, 4096), help="Images at a time.")
@click.option(
    "--threads", type=click.IntRange(1, 1024), help="Of every runtime; by default as many as there are cores."
)
@click.option(
    "--precision",
    "precisions",
    default="float32",
    show_default=True,
    callback=_names_of(PRECISIONS),
    metavar="NAMES",
    help=f"{', '.join(PRECISIONS)}: one or several, with commas.",
)
@click.option("--against", metavar="CONFIG", help="Compare with this one in each runtime, and not with the first row.")
@click.option("--rounds", default=15, show_default=True, type=click.IntRange(1, 10_000), help="More are steadier.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="A bar chart: .png, .pdf or .svg.")
@machine_option("Measure each operation alone in ONNX Runtime, and write or complete a file of this machine.")
@click.option("--force", is_flag=True, help="Replace the output file if it exists.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with every round.")
@click.pass_context
def command(
    context: click.Context,
    configs: tuple[str, ...],
    plugins: tuple[str, ...],
    budget: Budget,
    runtimes: tuple[str, ...],
    device: str,
    size: Size | None,
    batch: int,
    threads: int | None,
    precisions: tuple[str, ...],
    against: str | None,
    rounds: int,
    output: Path | None,
    machine: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Measure CONFIGs in runtimes on this machine, in turns: time, memory, the share of its peak.

    An OVERRIDE among the CONFIGs changes the one before it: `bench yolo_v8_s_backbone scale.width=0.375`. Each network
    is fused and runs in a process of its own, from random weights unless CONFIG is a .safetensors file.

    With --machine each operation runs alone, and its time goes into a file that predicts the time of other networks:
    `show --machine FILE`, and `latency_ms` in a search. Times that the file has are kept, another device's too; all are
    of as many threads.
    """
    if output:
        _check_picture(output, configs, force)
    if machine and device != "cpu":
        raise fail("bench", "--machine is of the processor", hint=f"leave out --device {device}")
    groups = [*configs_with_overrides(configs)]
    if against and [against] not in groups:
        groups.append([against])
    loaded = [_sized(config, size, budget) for config in loaded_each(context, groups, budget)]

    if machine:
        _measure_machine(machine, loaded, configs, budget, threads)
        return
    from archdsl.tools.bench.benchmark import benchmark
    from archdsl.tools.bench.plan import Settings, planned

    runtimes = runtimes or DEVICES[device]
    settings = Settings(runtimes, precisions, batch, threads or os.cpu_count() or 1, rounds, plugins, device)
    planned(0, settings)  # what is not installed is told first
    entries = [_entry(config, group, budget) for config, group in zip(loaded, groups, strict=True)]
    with progress(f"measuring {', '.join([each.label for each in entries])} in {', '.join(runtimes)}") as tell:
        found = benchmark(entries, settings, tell, groups.index([against]) if against else None)
    if output:
        from archdsl.tools.bench.chart import draw

        with written_whole(output) as unfinished:
            draw(found, unfinished)
    _print(found, as_json)


def _measure_machine(
    file: Path, configs: Sequence[Config], inputs: Sequence[str], budget: Budget, threads: int | None
) -> None:
    """Write the file after each network, so that nothing is lost of what took long to measure."""
    from archdsl.analysis.report import report
    from archdsl.analysis.roofline import latency_text

    require("onnxruntime", "onnx")
    from archdsl.tools.bench.machine import completed

    check_output(file, inputs, force=True)
    graphs = [report(compile_graph(config, budget)).fused for config in configs]
    with progress(f"measuring {', '.join([each.name for each in graphs])}, operation by operation") as tell:
        machine = completed(file, graphs, threads, tell)
    for graph in graphs:
        name, (whole, slowest) = graph.name, latency_text(graph, machine).split("\n")
        say(f"{name}: {whole}", f"  {slowest}")
    peak = f"{machine.macs:.3g} multiply-accumulates a second"
    say(f"{file}: {len(machine.times):,} operations, {peak}, {machine.threads_text}")


def _sized(config: Config, size: Size | None, budget: Budget) -> Config:
    """The config at a known size, as it runs. Raises ArchError, so that mistakes come before anything is written."""
    found = at_size(config, size)
    if None in compile_graph(found, budget).image.shape:
        raise fail("bench", "the image has no size", mark=Mark(found.file), hint="add --size 640")
    return found


def _entry(config: Config, group: Sequence[str], budget: Budget) -> Entry:
    from archdsl.tools.bench.plan import Entry
    from archdsl.weights.network import network_of

    return Entry(label(config, group), network_of(config, budget=budget))


def _check_picture(output: Path, configs: Sequence[str], force: bool) -> None:
    if output.suffix.lower() not in PICTURES:
        raise fail("output", f"no picture ends in '{output.suffix}'; {one_of(PICTURES)}", mark=Mark(str(output)))
    check_output(output, configs, force)


def _print(found: Benchmark, as_json: bool) -> None:
    if as_json:
        print_json(found.data())
    else:
        print_table(found.table())
        say(*found.totals())
    for warning in found.warnings:
        say(f"warning: {warning}", err=True)
