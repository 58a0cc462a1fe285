#!/usr/bin/env bash
# What an installed archdsl must do, away from its checkout and without an extra. Argument: the bin folder of the
# environment that it is installed in.
set -euo pipefail
bin="$(cd "$1" && pwd)"
unset PYTHONPATH
empty="$(mktemp -d)"
trap 'rm -rf "$empty"' EXIT
trap 'echo "$0: line $LINENO does not hold"' ERR
cd "$empty"

for package in h5py keras matplotlib numpy PIL safetensors tensorflow; do
  ! "$bin/python" -c "import $package" 2> /dev/null || { echo "$package is installed"; exit 1; }
done

"$bin/archdsl" list | grep -q '^yolo_v8_s_backbone '
"$bin/archdsl" show yolo_v8_s_backbone scale.width=0.375 | grep -q '2,866,920 parameters'

cat > my_net.yaml << 'YAML'
defaults: [yolo_v8_s_backbone, _self_]
expect: {params: 2866920}
scale: {width: 0.375}
YAML
"$bin/archdsl" validate my_net.yaml

code=0
"$bin/archdsl" show my_net.yaml scale.widht=1 2> report || code=$?
[ "$code" = 2 ]
grep -q "did you mean 'width'" report

"$bin/archdsl" draw my_net.yaml -o my_net.svg
"$bin/archdsl" report my_net.yaml -o my_net.html
grep -q "2.87 M" my_net.svg
grep -q '"params":2866920' my_net.html # its data; its pictures are packed

code=0
"$bin/archdsl" build my_net.yaml -o my_net.keras 2> report || code=$?
[ "$code" = 2 ]
grep -q "pip install 'archdsl\[tensorflow\]'" report

# the schema lies where the shipped configs name it
"$bin/archdsl" schema > schema.json
configs="$("$bin/python" -c 'from archdsl.frontend.compose.search_path import config_root; print(config_root())')"
cmp schema.json "$configs/archdsl.schema.json"
cmp schema.json "$configs/family/../archdsl.schema.json"

# a Hydra program that does not import archdsl, and archdsl's own
mkdir conf
cat > conf/train.yaml << 'YAML'
hydra: {searchpath: ['archdsl://configs'], output_subdir: null, run: {dir: .}}
defaults: [yolo_v8_s_backbone@backbone, _self_]
backbone: {scale: {width: 0.375}}
YAML
cat > train.py << 'PYTHON'
import hydra

@hydra.main(version_base=None, config_path="conf", config_name="train")
def main(config):
    print(config.backbone.scale)

main()
PYTHON
[ "$("$bin/python" train.py backbone.scale.depth=1)" = "{'width': 0.375, 'depth': 1, 'max_width': 1024}" ]
"$bin/python" -m archdsl.hydra_app --config-dir . --config-name my_net | grep -q '^my_net: 2,866,920 parameters'

echo "archdsl in $configs works"
