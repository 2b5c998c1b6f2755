#!/usr/bin/env bash
# Tests with the lowest version of every dependency that pyproject.toml allows, in an environment of its own:
#   .ci/lowest.sh FOLDER [PYTEST WORDS...]
# `make test` has the newest ones.  What only tests need is as new as can be.
set -euo pipefail
folder=$(realpath -m "$1")
shift
cd "$(dirname "$0")/.."
${PYTHON:-python3} -m venv "$folder"
"$folder/bin/python" -m pip install -q --disable-pip-version-check uv
uv=("$folder/bin/uv" pip)
extras=(--extra magic --extra deploy --extra fsspec --extra tui)
"${uv[@]}" compile -q --python "$folder/bin/python" --resolution lowest-direct "${extras[@]}" pyproject.toml -o "$folder/lowest.txt"
"${uv[@]}" install -q --python "$folder/bin/python" -r "$folder/lowest.txt" --no-deps -e . \
  pytest pytest-xdist pluggy iniconfig packaging execnet hypothesis sortedcontainers jsonschema attrs \
  jsonschema-specifications referencing rpds-py
grep -v '^ *#' "$folder/lowest.txt"
exec "$folder/bin/python" -m pytest -q -n auto --dist loadfile -p no:cacheprovider "$@"
