#!/usr/bin/env bash
# Tests with the lowest version of every dependency that pyproject.toml allows, in an environment of its own:
#   .ci/lowest.sh FOLDER [PYTEST WORDS...]
# `make test` has the newest ones.  What only tests need is as new as can be.  It ends with 75 where the environment
# cannot be made, with the status of the tests otherwise.
set -euo pipefail
folder=$(realpath -m "$1")
shift
cd "$(dirname "$0")/.."
uv() { "$folder/bin/uv" pip "$@"; }
environment() {
  "${PYTHON:-python3}" -m venv "$folder" || return
  "$folder/bin/python" -m pip install -q --disable-pip-version-check uv || return
  # The extras that users install; those for documentation and development have no lowest version that anybody needs.
  local extras
  extras=$(sed -n '/^\[project.optional-dependencies\]/,/^\[project.urls\]/s/^\([a-z0-9]*\) = \[.*/--extra \1/p' pyproject.toml |
    grep -v -e ' dev$' -e ' docs$' -e ' fuzz$')
  # shellcheck disable=SC2086
  uv compile -q --python "$folder/bin/python" --resolution lowest-direct $extras pyproject.toml \
    -o "$folder/lowest.txt" || return
  uv install -q --python "$folder/bin/python" -r "$folder/lowest.txt" --no-deps -e . pytest pytest-xdist pluggy iniconfig \
    packaging execnet hypothesis sortedcontainers jsonschema attrs jsonschema-specifications referencing rpds-py
}
environment || exit 75
grep -v '^ *#' "$folder/lowest.txt"
exec "$folder/bin/python" -m pytest -q -n auto --dist loadfile -p no:cacheprovider "$@"
