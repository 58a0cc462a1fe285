#!/usr/bin/env bash
# Makes an environment in .venv and runs every check: style, types, tests. Arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."
unset PYTHONDONTWRITEBYTECODE  # the tests start hundreds of processes, each of which would compile archdsl

[ -x .venv/bin/python ] || python3 -m venv .venv
# the language server that tests/tools/test_editor.py opens config files in, what builds examples/editors/vscode,
# and Python for tests/tools/test_static_page.py
npm install --silent --prefix .venv/node --no-save --no-audit --no-fund --ignore-scripts \
  yaml-language-server@1.25.0 esbuild@0.28.2 vscode-languageclient@9.0.1 pyodide@314.0.7 &
node=$!
.venv/bin/python -m pip install --quiet --no-compile --editable '.[dev]'  # what is imported is compiled then
wait "$node"
.venv/bin/python -m pip download --quiet pydantic-core --no-deps --only-binary :all: --implementation cp \
  --python-version 3.14 --abi cp314 --platform pyemscripten_2026_0_wasm32 -d .venv/node/node_modules/pyodide
.venv/bin/ruff check .
.venv/bin/ruff format --check .
.venv/bin/mypy
.venv/bin/python -m pytest -n auto --maxprocesses 4 --dist worksteal "$@"
