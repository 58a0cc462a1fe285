#!/usr/bin/env bash
# Makes an environment in .venv and runs every check: style, types, tests. Arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."

[ -x .venv/bin/python ] || python3 -m venv .venv
.venv/bin/python -m pip install --quiet --editable '.[dev]'
# the language server that tests/test_editor.py opens config files in
npm install --silent --prefix .venv/node --no-save --no-audit --no-fund --ignore-scripts yaml-language-server@1.25.0
.venv/bin/ruff check .
.venv/bin/ruff format --check .
.venv/bin/mypy
.venv/bin/python -m pytest "$@"
