"""An ordinary Hydra program with a shipped preset in its config: costs for every job of a sweep, without a model.

python examples/hydra_app.py backbone.scale.width=0.375
python examples/hydra_app.py --multirun backbone.scale.width=0.25,0.5 backbone.scale.depth=0.33,0.67
"""

from __future__ import annotations

import hydra
from hydra.conf import HydraConf, RunDir, SweepDir
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

import archdsl
from archdsl.analysis.text import count_text

# As a file this would be: defaults: [yolo_v8_s_backbone@backbone, _self_] and hydra: {searchpath: ['archdsl://configs']}
CONFIG = {
    "defaults": ["yolo_v8_s_backbone@backbone", "_self_"],
    "hydra": {"searchpath": ["archdsl://configs"]},
    "image_size": 640,
}
# No log file and no folder for a job that only prints.
QUIET = HydraConf(run=RunDir("."), sweep=SweepDir(dir="multirun", subdir="."), output_subdir=None)
QUIET.defaults = [{"job_logging": "stdout"} if "job_logging" in entry else entry for entry in QUIET.defaults]
ConfigStore.instance().store(name="program", node=CONFIG)
ConfigStore.instance().store(name="config", group="hydra", node=QUIET)


@hydra.main(version_base=None, config_path=None, config_name="program")
def main(config: DictConfig) -> None:
    costs = archdsl.analyze(config.backbone, input_shape=(config.image_size, config.image_size, 3))
    job = " ".join(HydraConfig.get().overrides.task) or "no override"
    print(f"{job}: {costs.params:,} parameters, {count_text(costs.macs)} MACs")


if __name__ == "__main__":
    main()
