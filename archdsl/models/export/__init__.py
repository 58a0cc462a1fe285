"""A network → a file for another runtime, which is run and compared before it gets its name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from archdsl.backends.atomic_write import files_written_whole
from archdsl.backends.form import Form
from archdsl.ir.passes import PASSES, run_passes
from archdsl.models.export.formats import FORMATS
from archdsl.models.export.proof import Proof, check, images_for, prove
from archdsl.weights.network import Network

if TYPE_CHECKING:
    from archdsl.backends.runtimes import Array, Runner

TOLERANCES = {"float32": 1e-4, "float16": 1e-2}  # of the largest value of a result
_EXACT = "fold_rescale"  # a kernel divided by 255 loses digits in half precision


class Exported(NamedTuple):
    """A file that was written, or a folder; its size, the runtime that ran it, and how it did."""

    file: Path
    format: str
    bytes: int
    runtime: str
    proof: Proof


def export(network: Network, output: Path, format: str, form: Form, fuse: bool = True) -> Exported:
    """Write `output`. Raises ArchError, and writes nothing, when it does not give what the network gives."""
    chosen = FORMATS[format]
    chosen.require()
    images = images_for(network.graph, form.batch or 1)
    expected = _run(chosen.expected(network, form), form, images)
    with files_written_whole(output) as unfinished:
        chosen.write(fused(network, form) if fuse else network, form, unfinished)
        size = sum([each.stat().st_size for each in unfinished.parent.rglob("*") if each.is_file()])
        runtime, run = chosen.run(unfinished)
        proof = prove(_in_layout(run, form), images, expected)
        check(proof, TOLERANCES[form.precision], output.name)
    return Exported(output, format, size, runtime, proof)


def _run(run: Runner, form: Form, images: list[Array]) -> list[Mapping[str, Array]]:
    return [_in_layout(run, form)(each) for each in images]


def fused(network: Network, form: Form) -> Network:
    """The network after the passes that its precision allows, its arrays of float32."""
    names = [name for name in PASSES if form.precision == "float32" or name != _EXACT]
    graph, weights = run_passes(network.graph, network.weights, names)
    singles = {name: tuple([each.astype("float32") for each in arrays]) for name, arrays in (weights or {}).items()}
    return network._replace(graph=graph, weights=singles, passes=tuple(names))


def _in_layout(run: Runner, form: Form) -> Runner:
    """A runner that takes images of channels last."""
    return run if form.layout == "nhwc" else lambda images: run(_channels_first(images))


def _channels_first(images: Array) -> Array:
    import numpy

    return numpy.ascontiguousarray(images.transpose(0, 3, 1, 2))
