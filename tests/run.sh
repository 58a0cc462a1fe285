#!/usr/bin/env bash
# Makes an environment in .venv and runs every check: style, types, tests. Arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."
unset PYTHONDONTWRITEBYTECODE  # the tests start hundreds of processes, each of which would compile archdsl

[ -x .venv/bin/python ] || python3 -m venv .venv
# the language server that tests/tools/test_editor.py opens config files in
npm install --silent --prefix .venv/node --no-save --no-audit --no-fund --ignore-scripts yaml-language-server@1.25.0 &
server=$!
.venv/bin/python -m pip install --quiet --no-compile --editable '.[dev]'  # what is imported is compiled then
wait "$server"
.venv/bin/ruff check .
.venv/bin/ruff format --check .
.venv/bin/mypy
.venv/bin/python -m pytest -n auto --maxprocesses 4 --dist worksteal "$@"
