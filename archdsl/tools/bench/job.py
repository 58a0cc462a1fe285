"""What a process of a benchmark is to do, as the line of JSON that it is told in."""

from __future__ import annotations

from typing import NamedTuple


class Job(NamedTuple):
    """One network in one runtime.

    `network` is a .safetensors file that carries its config, `file` what it is exported to, and `results` the .npz file
    for what it gives for a random image.
    """

    runtime: str
    network: str
    file: str
    results: str
    batch: int
    threads: int
    precision: str
    plugins: tuple[str, ...] = ()
