"""An ordinary Hydra program on the shipped presets: costs for every job of a sweep, without building a model.

python examples/hydra_app.py scale.width=0.375
python examples/hydra_app.py --config-name csp_darknet_s
python examples/hydra_app.py --multirun scale.width=0.25,0.5 scale.depth=0.33,0.67
"""

from __future__ import annotations

import hydra
from hydra.conf import HydraConf, RunDir, SweepDir
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

import archdsl
from archdsl.folders import config_root
from archdsl.report import count_text

# Hydra's own settings for every preset: no log file and no folder for a job that only prints.
QUIET = HydraConf(run=RunDir("."), sweep=SweepDir(dir="multirun", subdir="."), output_subdir=None)
QUIET.defaults = [{"job_logging": "stdout"} if "job_logging" in entry else entry for entry in QUIET.defaults]
ConfigStore.instance().store(name="config", group="hydra", node=QUIET)


@hydra.main(version_base=None, config_path=str(config_root()), config_name="yolo_v8_s_backbone")
def main(config: DictConfig) -> None:
    costs = archdsl.analyze(config)
    settings = HydraConfig.get()
    job = " ".join([settings.job.config_name, *settings.overrides.task])
    print(f"{job}: {costs.params:,} parameters, {count_text(costs.macs)} MACs")


if __name__ == "__main__":
    main()
