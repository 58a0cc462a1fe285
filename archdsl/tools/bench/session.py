"""The files and the processes of one benchmark."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archdsl.diagnostics.problems import ArchError
from archdsl.frontend.yaml.embedded import metadata
from archdsl.models.export.formats import FORMATS
from archdsl.models.export.proof import difference
from archdsl.tools.bench.contenders import REFERENCE, RUNTIMES, Runtime
from archdsl.tools.bench.job import COMPARED, Job
from archdsl.tools.bench.plan import Contender, Entry, Settings, Tell
from archdsl.tools.bench.processes import Process

if TYPE_CHECKING:
    from archdsl.backends.runtimes import Array

_ALL_CORES = os.cpu_count() or 1


class Session:
    """Everything lies in `folder`, and processes end with `stack`."""

    def __init__(self, folder: Path, entries: Sequence[Entry], settings: Settings, tell: Tell, stack: ExitStack):
        self.folder, self.entries, self.settings, self.tell, self.stack = folder, entries, settings, tell, stack

    def write_networks(self) -> None:
        """Each with its weights and its config as a file, which all processes start from."""
        from archdsl.weights.formats.safetensors import write_arrays

        for number, (_, network) in enumerate(self.entries):
            values = {node: network.weights[node.name] for node in network.graph.nodes if node.weights}
            write_arrays(values, metadata(network.config, network.passes), self._network(number))

    def started(self, number: int, contender: Contender) -> Process:
        """A process that is ready to run the contender with this number; one before it has written its file."""
        runtime, what = RUNTIMES[contender.runtime], f"{self._label(contender)} in {contender.runtime}"
        job = self._job(f"{number}", contender)
        if runtime.format:
            self.tell(f"{what}: writing")
            Path(job.file).parent.mkdir()
            with self._process(what, "write", job, runtime, _ALL_CORES):
                pass
        self.tell(f"{what}: starting")
        return self.stack.enter_context(self._process(what, "network", job, runtime))

    def peak(self) -> Process:
        """A process that multiplies matrices, on a GPU in the first of the runtimes."""
        name, device = self.settings.runtimes[0], self.settings.device
        job = Job(name, "", "", "", 1, self.settings.threads, "float32", device=device)
        runtime = RUNTIMES[name] if device == "gpu" else REFERENCE
        return self.stack.enter_context(self._process("the matrix product", "peak", job, runtime))

    def differences(self, chosen: Sequence[Contender]) -> list[float | None]:
        """How far the results of each are from its network's in float32; None if there is no ONNX Runtime to tell."""
        try:
            REFERENCE.require()
        except ArchError:
            return [None] * len(chosen)
        expected = [self._expected(entry) for entry in range(len(self.entries))]
        return [
            _largest_difference(expected[each.entry], _arrays(self._results(f"{number}")))
            for number, each in enumerate(chosen)
        ]

    def file_bytes(self, number: int) -> int | None:
        """Of what a contender runs; None if that is not a file."""
        files = [each for each in self._folder(f"{number}").rglob("*") if each.is_file()]
        return sum([each.stat().st_size for each in files]) if files else None

    def _expected(self, entry: int) -> dict[str, Array]:
        contender = Contender(entry, "onnx", "float32")
        self.tell(f"{self._label(contender)}: results to compare with")
        job = self._job(f"expected_{entry}", contender)
        job = job._replace(device="cpu", batch=min(job.batch, COMPARED))
        with self._process(self._label(contender), "reference", job, REFERENCE, _ALL_CORES):
            return _arrays(Path(job.results))

    def _job(self, name: str, contender: Contender) -> Job:
        format = RUNTIMES[contender.runtime].format
        file = self._folder(name) / f"network{FORMATS[format].ending if format else ''}"
        paths = str(self._network(contender.entry)), str(file), str(self._results(name))
        its = self.settings
        return Job(contender.runtime, *paths, its.batch, its.threads, contender.precision, its.plugins, its.device)

    def _process(self, what: str, task: str, job: Job, runtime: Runtime, threads: int | None = None) -> Process:
        environment = runtime.environment(threads or self.settings.threads, job.device)
        return Process(what, task, job, environment, self.folder / f"{len(list(self.folder.iterdir()))}.log")

    def _label(self, contender: Contender) -> str:
        return self.entries[contender.entry].label

    def _network(self, entry: int) -> Path:
        return self.folder / f"network_{entry}.safetensors"

    def _folder(self, name: str) -> Path:
        return self.folder / f"file_{name}"

    def _results(self, name: str) -> Path:
        return self.folder / f"results_{name}.npz"


def _arrays(path: Path) -> dict[str, Array]:
    import numpy

    with numpy.load(path) as found:
        return dict(found)


def _largest_difference(expected: dict[str, Any], received: dict[str, Any]) -> float:
    return max(difference(wanted, received[name]) for name, wanted in expected.items())
