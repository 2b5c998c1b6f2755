"""Scenarios of entrypoints in the shapes of well-known images: a database, a document store, a runtime of scripts."""

from __future__ import annotations

from model import REPORT, scenario, script
from userland import BASH, DASH, ENV, GLIBC, GOSU, program

from imagepeel import forge

F, D = forge.file, forge.directory

DATABASE = r"""#!/usr/bin/env bash
set -Eeo pipefail

file_env() {
	local key="$1" default="${2:-}"
	local other="${key}_FILE"
	if [ "${!key:-}" ] && [ "${!other:-}" ]; then
		exit 1
	fi
	local chosen="$default"
	if [ "${!key:-}" ]; then chosen="${!key}"
	elif [ "${!other:-}" ]; then chosen="$(< "${!other}")"
	fi
	export "$key"="$chosen"
	unset "$other"
}

_is_sourced() {
	[ "${#FUNCNAME[@]}" -ge 2 ] && [ "${FUNCNAME[0]}" = _is_sourced ] && [ "${FUNCNAME[1]}" = source ]
}

docker_setup_env() {
	file_env POSTGRES_PASSWORD
	file_env POSTGRES_USER postgres
	file_env POSTGRES_DB "$POSTGRES_USER"
	file_env POSTGRES_INITDB_ARGS
	declare -g HAS_DATA
	: "${HAS_DATA:=}"
	if [ -s "$PGDATA/PG_VERSION" ]; then HAS_DATA=true; fi
}

asks_for_help() {
	local word
	for word; do
		case "$word" in
			-'?'|--help|--version) return 0 ;;
		esac
	done
	return 1
}

fill() {
	if [ -n "${POSTGRES_WAL:-}" ]; then set -- --waldir "$POSTGRES_WAL" "$@"; fi
	eval 'initdb --pwfile=<(echo "$POSTGRES_PASSWORD") '"$POSTGRES_INITDB_ARGS"' "$@"'
}

_main() {
	if [ "${1:0:1}" = '-' ]; then set -- postgres "$@"; fi
	if [ "$1" = postgres ] && ! asks_for_help "$@"; then
		docker_setup_env
		if [ "$(id -u)" = '0' ]; then exec gosu postgres "$BASH_SOURCE" "$@"; fi
		if [ -z "$HAS_DATA" ]; then
			if [ -z "$POSTGRES_PASSWORD" ]; then exit 1; fi
			ls /docker-entrypoint-initdb.d/ > /dev/null
			fill
		fi
	fi
	exec "$@"
}

if ! _is_sourced; then _main "$@"; fi
"""

DOCUMENTS = r"""#!/bin/bash
set -Eeuo pipefail
if [ "${1:0:1}" = '-' ]; then set -- mongod "$@"; fi
originalArgOne="$1"
if [[ "$originalArgOne" == mongo* ]] && [ "$(id -u)" = '0' ]; then
	exec gosu postgres "$BASH_SOURCE" "$@"
fi
if [[ "$originalArgOne" == mongo* ]]; then
	spread='numactl --interleave=all'
	if $spread true &> /dev/null; then set -- $spread "$@"; fi
fi
has() {
	local wanted="$1" word; shift
	for word; do
		case "$word" in "$wanted"|"$wanted"=*) return 0 ;; esac
	done
	return 1
}
declare -a kept
without() {
	local unwanted="$1"; shift
	kept=()
	while [ "$#" -gt 0 ]; do
		local word="$1"; shift
		if [ "$word" = "$unwanted" ]; then continue; fi
		kept+=( "$word" )
	done
}
if [ "$originalArgOne" = mongod ]; then
	if [ "${MONGO_USER:-}" ]; then
		without --auth "$@"
		set -- "${kept[@]}" --auth
	fi
	if [ -n "${MONGO_INIT:-}" ]; then file="$(mktemp)"; echo {} > "$file"; fi
	if ! has --bind_ip "$@" && ! has --bind_ip_all "$@"; then set -- "$@" --bind_ip_all; fi
	unset "${!MONGO_@}"
fi
exec "$@"
"""

RUNTIME = r"""#!/bin/sh
set -e
if [ "${1#-}" != "${1}" ] || [ -z "$(command -v "${1}")" ] || { [ -f "${1}" ] && ! [ -x "${1}" ]; }; then
  set -- node "$@"
fi
exec "$@"
"""

PASSWD = F("etc/passwd", "root:x:0:0::/root:/bin/sh\npostgres:x:999:999::/:/bin/sh\n")
LIBRARIES = tuple(program(f"lib/x86_64-linux-gnu/{name}", f"/lib/x86_64-linux-gnu/{name}")
                  for name in ("libselinux.so.1", "libpcre2-8.so.0"))  # fmt: skip
ID = (program("usr/bin/id", "/usr/bin/id"), *LIBRARIES)
TREE = (*BASH, *ENV[2:], *ID, *GOSU, PASSWD, program("usr/bin/ls", "/usr/bin/ls"))
DATA = (D("data", 0o755, 999, 999), F("data/PG_VERSION", "17\n", 0o644, uid=999, gid=999))
POSTGRES = (*TREE, F("usr/bin/postgres", REPORT, 0o755), F("usr/bin/initdb", REPORT, 0o755),
            D("docker-entrypoint-initdb.d"), script("entry.sh", DATABASE))  # fmt: skip
MONGO = (*TREE, F("usr/bin/mongod", REPORT, 0o755), script("entry.sh", DOCUMENTS))
NODE = (*DASH, *GLIBC[2:], F("usr/bin/node", REPORT, 0o755), script("entry.sh", RUNTIME), D("srv"),
        F("srv/app.js", "1\n"), script("srv/run.sh", "#!/bin/sh\nexec report run\n"))  # fmt: skip

for name, cmd, user, env, expect in (
    ("data", ["postgres"], "", ["PGDATA=/data"], "RUNS"),
    ("option", ["-c", "x=1"], "", ["PGDATA=/data"], "RUNS"),
    ("user", ["postgres"], "postgres", ["PGDATA=/data"], "RUNS"),
    ("no-password", ["postgres"], "", ["PGDATA=/none"], "F35"),
    ("both", ["postgres"], "", ["PGDATA=/data", "POSTGRES_USER=a", "POSTGRES_USER_FILE=/x"], "F35"),
    ("file", ["postgres"], "", ["PGDATA=/data", "POSTGRES_USER_FILE=/etc/passwd"], "RUNS"),
    ("help", ["postgres", "--help"], "", [], "RUNS"),
    ("other", ["report", "x"], "", [], "RUNS"),
):
    scenario(f"entrypoint-database-{name}", "S9 F35", expect, *POSTGRES, *DATA, entrypoint=["/entry.sh"], cmd=cmd,
             user=user, env=env)  # fmt: skip
for name, cmd, env in (
    ("plain", ["mongod"], []),
    ("option", ["--port", "1"], []),
    ("auth", ["mongod", "--auth"], ["MONGO_USER=u"]),
    ("bound", ["mongod", "--bind_ip=::"], []),
    ("other", ["report"], []),
):
    scenario(f"entrypoint-documents-{name}", "S9", "RUNS", *MONGO, entrypoint=["/entry.sh"], cmd=cmd,
             env=env)  # fmt: skip
for name, cmd in (
    ("option", ["-v"]),
    ("node", ["node", "app.js"]),
    ("file", ["app.js"]),
    ("missing", ["nope"]),
    ("script", ["./run.sh"]),
    ("program", ["report", "x"]),
):
    scenario(f"entrypoint-runtime-{name}", "S9", "RUNS", *NODE, entrypoint=["/entry.sh"], cmd=cmd,
             working_dir="/srv")  # fmt: skip
