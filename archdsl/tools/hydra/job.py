"""One Hydra job: the costs of the config that Hydra composed."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import hydra
from hydra.conf import HydraConf
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from archdsl.analysis.report import report
from archdsl.analysis.text import count_text
from archdsl.backends.atomic_write import written_whole
from archdsl.diagnostics.formats import problem_data
from archdsl.diagnostics.problems import ArchError, fail
from archdsl.diagnostics.terminal import print_error, say
from archdsl.diagnostics.unicode import printable
from archdsl.frontend.compose.config import load
from archdsl.frontend.lower import outline

REPORT = "report.json"


@hydra.main(version_base="1.3", config_path=None)
def job(config: DictConfig) -> float:
    """Prints what the config costs, and writes it into the job's folder; its number of parameters is returned.

    In a sweep an invalid config is reported and counts as infinitely large, so that the other jobs are run.
    """
    settings = HydraConfig.get()
    if settings.job.config_name is None:
        raise fail("hydra", "no config is named", hint="add --config-name; `archdsl list` prints the presets")
    label = printable(" ".join([settings.job.config_name, *settings.overrides.task]))
    try:
        costs = report(outline(load(config).at_known_size()))
    except ArchError as error:
        if settings.mode != RunMode.MULTIRUN:
            raise
        say(f"{label}:", err=True)
        print_error(error, {})
        _write(settings, {"problems": [problem_data(problem) for problem in error.problems]})
        return math.inf
    say(f"{label}: {costs.params:,} parameters, {count_text(costs.macs)} MACs")
    _write(settings, costs.to_dict())
    return costs.params


def _write(settings: HydraConf, result: dict[str, Any]) -> None:
    number = settings.job.num if settings.mode == RunMode.MULTIRUN else 0
    about = {"job": number, "config": settings.job.config_name, "overrides": list(settings.overrides.task)}
    with written_whole(Path(settings.runtime.output_dir) / REPORT) as file:
        file.write_text(json.dumps({**about, **result}, indent=2))
