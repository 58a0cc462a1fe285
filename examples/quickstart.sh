#!/usr/bin/env bash
# The main job, from nothing: an environment, a variant of a preset, its costs, its model file, its feature maps.
set -euo pipefail
cd "$(dirname "$0")/.."

[ -x .venv/bin/python ] || python3 -m venv .venv
.venv/bin/python -m pip install --quiet --editable '.[tensorflow]'
set -x
.venv/bin/archdsl show yolo_v8_s_backbone scale.width=0.375 stages.p4.depth=9
.venv/bin/archdsl build yolo_v8_s_backbone scale.width=0.375 stages.p4.depth=9 -o my_backbone.keras --force
.venv/bin/archdsl features my_backbone.keras examples/photo.jpg -o features.png --force
