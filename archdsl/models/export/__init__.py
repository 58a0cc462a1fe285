"""A network → a file for another runtime, which is run and compared before it gets its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from archdsl.backends.atomic_write import written_whole
from archdsl.backends.form import Form
from archdsl.backends.runtimes import is_installed, package, run_onnx, run_reference
from archdsl.frontend.yaml.embedded import metadata
from archdsl.ir.passes import PASSES, run_passes
from archdsl.models.export.proof import Proof, check, images_for, prove
from archdsl.weights.network import Network

if TYPE_CHECKING:
    from archdsl.backends.runtimes import Array, Runner

TOLERANCES = {"float32": 1e-4, "float16": 1e-2}  # of the largest value of a result
_EXACT = "fold_rescale"  # a kernel divided by 255 loses digits in half precision


class Exported(NamedTuple):
    """A file that was written, its size, the runtime that ran it, and how it did."""

    file: Path
    format: str
    bytes: int
    runtime: str
    proof: Proof


def export_onnx(network: Network, output: Path, form: Form, fuse: bool = True) -> Exported:
    """Write an ONNX file. Raises ArchError, and writes nothing, when it does not give what the network gives.

    It is run by ONNX Runtime, or where that is not installed by the evaluator that onnx has, which is slow.
    """
    package("onnx")
    has_runtime = is_installed("onnxruntime")
    images = images_for(network.graph, form.batch or 1)
    expected = _expected(network, form, images, partial(run_onnx, is_optimized=False) if has_runtime else run_reference)
    with written_whole(output) as unfinished:
        _write(_fused(network, form) if fuse else network, form, unfinished)
        size = unfinished.stat().st_size
        run = run_onnx(unfinished) if has_runtime else run_reference(unfinished)
        proof = prove(_in_layout(run, form), images, expected)
        check(proof, TOLERANCES[form.precision], output.name)
    return Exported(output, "onnx", size, "ONNX Runtime" if has_runtime else "onnx's evaluator", proof)


def _expected(
    network: Network, form: Form, images: list[Array], runner: Callable[[bytes], Runner]
) -> list[Mapping[str, Array]]:
    """What the network gives in float32, written as it is and run without an optimizer."""
    from archdsl.backends import onnx

    plain = form._replace(precision="float32")
    model = onnx.model_of(network.graph, network.weights, plain).SerializeToString()
    run = _in_layout(runner(model), form)
    return [run(each) for each in images]


def _write(network: Network, form: Form, path: Path) -> None:
    from archdsl.backends import onnx

    header = metadata(network.config, network.passes)
    onnx.write(onnx.model_of(network.graph, network.weights, form, header), path)


def _fused(network: Network, form: Form) -> Network:
    names = [name for name in PASSES if form.precision == "float32" or name != _EXACT]
    graph, weights = run_passes(network.graph, network.weights, names)
    singles = {name: tuple([each.astype("float32") for each in arrays]) for name, arrays in (weights or {}).items()}
    return network._replace(graph=graph, weights=singles, passes=tuple(names))


def _in_layout(run: Runner, form: Form) -> Runner:
    """A runner that takes images of channels last."""
    return run if form.layout == "nhwc" else lambda images: run(_channels_first(images))


def _channels_first(images: Any) -> Any:
    import numpy

    return numpy.ascontiguousarray(images.transpose(0, 3, 1, 2))
