#!/usr/bin/env bash
# A part of the tests with the lowest versions of the libraries, and under Debian's other Pythons: what `.ci/run` has time
# for.  All of them are `make lowest` and `make pythons`.  A machine that cannot make one of these says so and goes on.
set -euo pipefail
cd "$(dirname "$0")/.."
few="tests/golden tests/unit/formats tests/unit/oci"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
part() {
  local status=0
  "${@:2}" >"$log" 2>&1 || status=$?
  case $status in
    0) echo "$1: $(tail -n 1 "$log")" ;;
    75) echo "$1: not tried, it could not be made here: $(tail -n 1 "$log")" >&2 ;;
    *) cat "$log" && exit "$status" ;;
  esac
}
# shellcheck disable=SC2086
part "lowest versions" .ci/lowest.sh .venv-lowest $few
if [ "$(id -u)" = 0 ] && command -v mmdebstrap >/dev/null; then
  for release in trixie sid; do
    TESTS=$few part "Debian $release" .ci/pythons.sh demo/pythons "$release"
  done
else
  echo "Debian's other Pythons: not tried, that takes root and mmdebstrap" >&2
fi
