"""What a process of a benchmark is to do, and what it makes of that."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from archdsl.backends.runtimes import Array


COMPARED = 8
"""Images of a batch whose results are kept, to be compared with the network's."""


class Job(NamedTuple):
    """One network in one runtime, as a line of JSON has it.

    `network` is a .safetensors file that carries its config, `file` what it is exported to, and `results` the .npz file
    for what it gives for the first of its random images.
    """

    runtime: str
    network: str
    file: str
    results: str
    batch: int
    threads: int
    precision: str
    plugins: tuple[str, ...] = ()
    device: str = "cpu"


class Call(NamedTuple):
    """One run of a network over the same images, which waits for the results, and what makes arrays of these.

    `peak_bytes` is the most memory of a GPU that it has held; None on the processor.
    """

    run: Callable[[], Any]
    arrays: Callable[[Any], Mapping[str, Array]] = dict
    peak_bytes: Callable[[], int] | None = None
