"""`python -m archdsl.hydra_app`: the costs of a config as a Hydra job, for Hydra's sweepers and launchers.

python -m archdsl.hydra_app --config-name yolo_v8_s_backbone scale.width=0.375
python -m archdsl.hydra_app --config-name yolo_v8_s_backbone --multirun scale.width=0.25,0.375 stages.p4.depth=3,6
python -m archdsl.hydra_app --config-dir my_configs --config-name my_net
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from traceback import walk_tb

import click
from hydra.conf import HydraConf
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.errors import MissingConfigException
from hydra.plugins.search_path_plugin import SearchPathPlugin

from archdsl.diagnostics.problems import ArchError, fail
from archdsl.diagnostics.wording import did_you_mean
from archdsl.frontend.compose.search_path import preset_names
from archdsl.tools import cli
from archdsl.tools.hydra.config_source import ArchdslConfigSource
from archdsl.tools.hydra.job import job
from archdsl.tools.hydra.sweep import Sweep


@click.command(context_settings={"ignore_unknown_options": True, "help_option_names": ["-h", "--help"]})
@click.option(
    "--config-dir", "-cd", "--config-path", "-cp", metavar="FOLDER", help="A folder with configs of your own."
)
@click.option("--force", is_flag=True, help="Run a sweep however many jobs it has.")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="HYDRA'S ARGUMENTS")
def command(config_dir: str | None, force: bool, arguments: tuple[str, ...]) -> None:
    """The costs of a config as a Hydra job: --config-name NAME, overrides, --multirun, and all of Hydra's options
    (--hydra-help prints them).

    Each job writes report.json into its folder; --multirun ends with a table of all jobs.
    """
    if any(argument.startswith("--e") for argument in arguments):  # argparse takes what an option begins with for it
        hint = "give --config-name and the overrides again"
        raise fail("hydra", "--experimental-rerun is not allowed: it reads a pickle, which can run anything", hint=hint)
    Plugins.instance().register(ArchdslConfigSource)  # for a checkout that is not installed
    ConfigStore.instance().store(name="config", group="hydra", node=_settings(force))
    Plugins.instance().register(_search_path(config_dir))
    sys.argv[1:] = arguments
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra raises its errors instead of printing them
    try:
        job()
    except ArchError:
        raise
    except Exception as error:
        if _is_bug(error):
            raise
        raise _refusal(error) from None


def _settings(force: bool) -> HydraConf:
    """Hydra's own settings: jobs print and write no log, and the sweep is watched."""
    callback = {"_target_": f"{Sweep.__module__}.{Sweep.__name__}", "force": force}
    settings = HydraConf(callbacks={"archdsl": callback})
    settings.defaults = [{"job_logging": "stdout"} if "job_logging" in entry else entry for entry in settings.defaults]
    return settings


def _search_path(folder: str | None) -> type[SearchPathPlugin]:
    """Where configs are looked for. A folder of the user's own too goes through archdsl's loader."""
    own = [] if folder is None else [f"archdsl://{Path(folder).absolute()}"]

    class ConfigFolders(SearchPathPlugin):
        def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
            for path in [*own, "archdsl://configs"]:
                search_path.append("archdsl", path)

    return ConfigFolders


def _refusal(error: Exception) -> ArchError:
    """A Hydra error as an ArchError; an ArchError that caused it is returned unchanged."""
    if isinstance(error.__cause__, ArchError):
        return error.__cause__
    text = " ".join(f"{error} {error.__cause__ or ''}".split()).partition(" Config search path:")[0]
    missing = error.missing_cfg_file if isinstance(error, MissingConfigException) else None
    return fail("hydra", text or type(error).__name__, hint=did_you_mean(missing or "", preset_names()))


def _is_bug(error: Exception) -> bool:
    """Whether the job itself raised it: anything that Hydra raises before is due to its input."""
    return any(frame.f_code is job.__wrapped__.__code__ for frame, _ in walk_tb(error.__traceback__))


def main() -> None:
    cli.main(command=command, name="python -m archdsl.hydra_app")


if __name__ == "__main__":
    main()
