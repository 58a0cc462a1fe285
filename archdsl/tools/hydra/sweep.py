"""A sweep over a config: its jobs are counted before the first, and compared after the last."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Override, RangeSweep
from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from archdsl.analysis.text import Table, count_text
from archdsl.diagnostics.problems import fail
from archdsl.diagnostics.terminal import print_error
from archdsl.tools.cli.output import print_table
from archdsl.tools.hydra.job import REPORT

MAX_JOBS = 1_000


def count_jobs(overrides: Iterable[str]) -> float:
    """How many combinations Hydra's own sweeper would run; none of them is made."""
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    return math.prod({override.get_key_element(): _choices(override) for override in parsed}.values())


def _choices(override: Override) -> float:
    sweep = override.value()
    if isinstance(sweep, ChoiceSweep):
        return len(sweep.list)
    if isinstance(sweep, RangeSweep) and sweep.start is not None and sweep.stop is not None and sweep.step:
        try:
            return max(0, math.ceil((sweep.stop - sweep.start) / sweep.step))
        except (OverflowError, ValueError):  # to infinity, or to a number that no float holds
            return math.inf
    return 1


class Sweep(Callback):
    """Hydra calls it before and after the jobs of `--multirun`, with any launcher.

    Exits with 2 when there are more than MAX_JOBS jobs and `force` is not given, and when a job had no valid config.
    Hydra only warns of any other exception in a callback.
    """

    def __init__(self, force: bool = False):
        self.force = force
        self.earlier: dict[Path, int] = {}

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        self.earlier = _reports(config)
        if self.force or not config.hydra.sweeper._target_.endswith(".BasicSweeper"):
            return  # another sweeper has a limit of its own
        settled = [f"{key}={value}" for key, value in (config.hydra.sweeper.params or {}).items()]
        jobs = count_jobs([*settled, *config.hydra.overrides.task])
        if jobs > MAX_JOBS:
            message = f"a sweep of {jobs:,} combinations; expected at most {MAX_JOBS:,}"
            print_error(fail("sweep", message, hint="sweep over fewer values, or add --force"), {})
            sys.exit(2)

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        written = [path for path, changed_ns in _reports(config).items() if self.earlier.get(path) != changed_ns]
        jobs = sorted((json.loads(path.read_text()) for path in written), key=lambda job: job["job"])
        print_table(comparison(jobs))
        if any("problems" in job for job in jobs):
            sys.exit(2)


def _reports(config: DictConfig) -> dict[Path, int]:
    """The reports in the sweep's folder, and when each was written: a folder may be used twice."""
    return {path: path.stat().st_mtime_ns for path in Path(config.hydra.sweep.dir).rglob(REPORT)}


def comparison(jobs: Iterable[dict[str, Any]]) -> Table:
    """One row a job: its overrides and its costs."""
    rows = []
    for job in jobs:
        costs = ["invalid", ""] if "problems" in job else [f"{job['params']:,}", count_text(job["macs"])]
        rows.append([" ".join(job["overrides"]), *costs])
    return Table(("overrides", "params", "MACs"), rows, ("params", "MACs"))
