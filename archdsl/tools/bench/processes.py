"""The processes of a benchmark, as the one that asks them sees them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from archdsl.diagnostics.problems import ArchError, Problem, fail
from archdsl.tools.bench.job import Job

_PROGRAM = "import sys; sys.path[:] = sys.argv[1:]; from archdsl.tools.bench.worker import main; main()"
_SECONDS_TO_END = 10


class Process:
    """One process with its task. Use it as a context: it ends with it."""

    def __init__(self, what: str, task: str, job: Job, environment: Mapping[str, str], log: Path):
        """Start it. `what` names it in errors; `log` takes what its libraries print."""
        self.what, self.log = what, log
        with log.open("wb") as stream:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", _PROGRAM, *sys.path],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stream,
                text=True,
                encoding="utf-8",
                env={**os.environ, **environment},
            )
        self._first = {"task": task, "job": job._asdict()}

    def __enter__(self) -> Self:
        """Waits until it is ready. Raises ArchError with what it says is wrong."""
        try:
            self._ask(self._first)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._end()

    def run(self, count: int) -> dict[str, Any]:
        return self._ask({"count": count})

    def seconds(self, count: int) -> Sequence[float]:
        found: Sequence[float] = self.run(count)["seconds"]
        return found

    def _ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        if self._process.stdin is None or self._process.stdout is None:
            raise ValueError("no pipes")  # it is started with both
        with suppress(BrokenPipeError):  # it may have said why
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline() or "null") or {"reason": self._last_words()}
        if "problems" in answer:
            raise ArchError([Problem(*each) for each in answer["problems"]])
        if "reason" in answer:
            raise fail("bench", f"{self.what}: {answer['reason']}")
        return answer

    def _last_words(self) -> str:
        code = self._process.wait()
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return f"its process ended with code {code}" + (f": {lines[-1]}" if lines else "")

    def _end(self) -> None:
        for stream in (self._process.stdin, self._process.stdout):
            if stream:
                with suppress(BrokenPipeError):
                    stream.close()
        try:
            self._process.wait(_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
