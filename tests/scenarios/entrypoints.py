"""Entrypoints in further shapes of well-known images: options that a script gathers, hooks, waits, other launchers."""

from __future__ import annotations

from typing import Any

from model import REPORT, busybox, from_machine, scenario, script
from userland import BASH, DASH, ENV, GLIBC, GOSU, LIBRARIES, TINI, program

from imagepeel import forge
from imagepeel.forge import Entry

F, D, L = forge.file, forge.directory, forge.symlink
TOOLS = tuple(
    program(f"usr/bin/{name}", f"/usr/bin/{name}")
    for name in (
        "mkdir",
        "cat",
        "dirname",
        "basename",
        "true",
        "rm",
        "cp",
        "ls",
        "tr",
        "cut",
        "head",
        "sort",
        "touch",
        "ln",
        "chmod",
        "date",
        "wc",
        "mktemp",
        "nproc",
        "stat",
        "readlink",
        "realpath",
        "uname",
        "printenv",
    )
)
BOX = busybox(
    "sh",
    "cat",
    "env",
    "true",
    "id",
    "sleep",
    "mkdir",
    "sed",
    "grep",
    "awk",
    "tr",
    "cut",
    "head",
    "find",
    "sort",
    "dirname",
    "basename",
    "nc",
    "wget",
    "test",
    "ln",
    "touch",
    "chmod",
    "rm",
    "ls",
    "xargs",
    "printf",
    "echo",
    "readlink",
    "hostname",
    "su",
    "mktemp",
    "expr",
    "seq",
    "wc",
    "date",
    "nproc",
    "umask",
)
LABELS = tuple(F(f"{LIBRARIES}/{name}", from_machine(f"/lib/x86_64-linux-gnu/{name}"), 0o644)
               for name in ("libselinux.so.1", "libpcre2-8.so.0", "libacl.so.1"))  # fmt: skip
ID = (program("usr/bin/id", "/usr/bin/id"), *LABELS)
PATHS = ["PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin"]


def own(path: str) -> Entry:
    """The program that reports how it was started, under another name."""
    return F(path, REPORT, 0o755)


def shape(name: str, expect: str, text: str, *entries: Entry, **more: Any) -> None:
    """A start of an entrypoint with this text."""
    more.setdefault("entrypoint", ["/docker-entrypoint.sh"])
    more.setdefault("env", PATHS)
    scenario(f"entry-{name}", "S7 S9", expect, *entries, script("docker-entrypoint.sh", text), **more)


shape(
    "java-opts",
    "RUNS",
    """#!/bin/sh
set -e
JAVA_OPTS="${JAVA_OPTS:--Xmx256m} -Dfile.encoding=UTF-8"
if [ -n "$DEBUG" ]; then JAVA_OPTS="$JAVA_OPTS -agentlib:jdwp"; fi
exec java $JAVA_OPTS -jar /app.jar "$@"
""",
    *DASH,
    own("usr/bin/java"),
    cmd=["--port", "8080"],
)
scenario(
    "entry-java-one-line",
    "S7 S9",
    "RUNS",
    *DASH,
    own("usr/bin/java"),
    entrypoint=["sh", "-c", "java $JAVA_OPTS -Djava.security.egd=file:/dev/./urandom -jar /app.jar"],
    env=[*PATHS, "JAVA_OPTS=-Xms1m  -Xmx2m"],
)
scenario(
    "entry-java-one-line-zero",
    "S7 S9",
    "RUNS",
    *DASH,
    own("usr/bin/java"),
    entrypoint=["sh", "-c", "exec java ${JAVA_OPTS} -jar app.jar ${0} ${@}"],
    cmd=["--a", "b c"],
    env=PATHS,
)
shape(
    "php-fpm-first",
    "RUNS",
    """#!/bin/sh
set -e
if [ "${1#-}" != "$1" ]; then
	set -- php-fpm "$@"
fi
exec "$@"
""",
    *DASH,
    own("usr/local/bin/php-fpm"),
    cmd=["-F"],
)
shape(
    "apache-foreground",
    "RUNS",
    """#!/bin/bash
set -euo pipefail
uid="$(id -u)"; gid="$(id -g)"
if [[ "$1" == apache2* ]] || [ "$1" = 'php-fpm' ]; then
	if [ "$uid" = '0' ]; then
		case "$1" in
			apache2*)
				user="${APACHE_RUN_USER:-www-data}"; group="${APACHE_RUN_GROUP:-www-data}"
				user="${user#\\#}"; group="${group#\\#}" ;;
			*) user=www-data; group=www-data ;;
		esac
	else
		user="$uid"; group="$gid"
	fi
	if [ ! -e index.php ] && [ ! -e includes/version.php ]; then
		if [ "$uid" = '0' ] && [ "$(stat -c '%u:%g' .)" = '0:0' ]; then
			: "would chown to $user:$group"
		fi
		echo >&2 "not found in $PWD - copying now..."
		if [ -n "$(find -mindepth 1 -maxdepth 1 -not -name content)" ]; then
			echo >&2 "WARNING: $PWD is not empty!"
		fi
	fi
fi
exec "$@"
""",
    *BASH,
    *TOOLS,
    *ID,
    program("usr/bin/find", "/usr/bin/find"),
    own("usr/local/bin/apache2-foreground"),
    cmd=["apache2-foreground"],
    working_dir="/var/www/html",
)
HOOKS = """#!/bin/sh
set -e
entrypoint_log() { if [ -z "${QUIET:-}" ]; then echo "$@"; fi; }
if [ "$1" = "nginx" ] || [ "$1" = "nginx-debug" ]; then
    if /usr/bin/find "/entry.d/" -mindepth 1 -maxdepth 1 -type f -print -quit 2>/dev/null | read v; then
        entrypoint_log "$0: looking for scripts"
        find "/entry.d/" -follow -type f -print | sort -V | while read -r f; do
            case "$f" in
                *.envsh) if [ -x "$f" ]; then entrypoint_log "sourcing $f"; . "$f"; fi ;;
                *.sh) if [ -x "$f" ]; then entrypoint_log "launching $f"; "$f"; else entrypoint_log "ignoring $f"; fi ;;
                *) entrypoint_log "ignoring $f" ;;
            esac
        done
    else
        entrypoint_log "no files found"
    fi
fi
exec "$@"
"""
shape(
    "web-hooks-quit",
    "RUNS",
    HOOKS,
    *BOX,
    L("usr/bin/find", "/bin/busybox"),
    own("usr/local/bin/nginx"),
    D("entry.d"),
    script("entry.d/10-a.sh", "#!/bin/sh\necho a\n"),
    cmd=["nginx", "-g", "daemon off;"],
)
shape(
    "hooks-by-glob",
    "RUNS",
    """#!/bin/bash
shopt -s nullglob
for f in /hooks.d/*.sh; do
  echo "sourcing $f"
  source "$f"
done
exec "${COMMAND:-report}" "$@"
""",
    *BASH,
    D("hooks.d"),
    F("hooks.d/a.sh", "COMMAND=server\n"),
    own("usr/bin/server"),
    cmd=["x"],
)
shape(
    "hooks-none",
    "RUNS",
    """#!/bin/sh
for f in /hooks.d/*; do
  [ -e "$f" ] || continue
  . "$f"
done
exec report "$@"
""",
    *DASH,
    D("hooks.d"),
    cmd=["x"],
)
shape(
    "cache-umask",
    "RUNS",
    """#!/bin/sh
set -e
if [ "${1#-}" != "$1" ] || [ "${1%.conf}" != "$1" ]; then
	set -- redis-server "$@"
fi
um="$(umask)"
if [ "$um" = '0022' ]; then umask 0077; fi
exec "$@" $EXTRA
""",
    *DASH,
    own("usr/local/bin/redis-server"),
    cmd=["/etc/my.conf"],
    env=[*PATHS, "EXTRA=--a b"],
)
shape("umask-first", "RUNS", '#!/bin/sh\numask 0027\nexec report "$@"\n', *DASH, cmd=["x"])
shape("umask-first-box", "RUNS", "#!/bin/sh\numask 027 && exec report\n", *BOX)
shape("umask-bad", "RUNS", '#!/bin/sh\numask 99\nexec report "$@"\n', *DASH)
shape("ulimit-first", "RUNS", '#!/bin/bash\nulimit -c 0\nulimit -n 1024 || true\nexec report "$@"\n', *BASH)
shape(
    "wait-only-if",
    "RUNS",
    """#!/bin/bash
if [[ -n "$WAIT_HOSTS" ]]; then /wait; fi
exec "$@"
""",
    *BASH,
    cmd=["report", "serve"],
)
shape(
    "npm-like",
    "RUNS",
    """#!/bin/sh
basedir=$(dirname "$(echo "$0" | sed -e 's,\\\\,/,g')")
case `uname` in *CYGWIN*) basedir=`cygpath -w "$basedir"`;; esac
if [ -x "$basedir/node" ]; then exec "$basedir/node" "$basedir/lib/cli.js" "$@"
else exec node "$basedir/lib/cli.js" "$@"; fi
""",
    *BOX,
    L("bin/uname", "busybox"),
    own("usr/bin/node"),
    cmd=["run", "start"],
)
shape(
    "servlets",
    "RUNS",
    """#!/bin/sh
PRG="$0"
while [ -h "$PRG" ]; do
  ls=`ls -ld "$PRG"`
  link=`expr "$ls" : '.*-> \\(.*\\)$'`
  if expr "$link" : '/.*' > /dev/null; then PRG="$link"; else PRG=`dirname "$PRG"`/"$link"; fi
done
PRGDIR=`dirname "$PRG"`
[ -z "$CATALINA_HOME" ] && CATALINA_HOME=`cd "$PRGDIR/.." >/dev/null; pwd`
CLASSPATH=
if [ -r "$CATALINA_HOME/bin/setenv.sh" ]; then . "$CATALINA_HOME/bin/setenv.sh"; fi
if [ -z "$JAVA_HOME" ]; then _RUNJAVA=java; else _RUNJAVA="$JAVA_HOME/bin/java"; fi
if [ "$1" = "run" ]; then
  shift
  home="-Dhome=\\"$CATALINA_HOME\\""
  eval exec "\\"$_RUNJAVA\\"" "\\"-Dlog=x\\"" $JAVA_OPTS -classpath "\\"$CLASSPATH\\"" "$home" Bootstrap "$@" start
fi
""",
    *BOX,
    own("usr/bin/java"),
    cmd=["run"],
    env=[*PATHS, "CATALINA_HOME=/usr/local/tomcat"],
)
shape(
    "identity",
    "RUNS",
    """#!/bin/bash
case "`uname`" in CYGWIN*) IS_CYGWIN="true";; esac
DIRNAME=/opt/kc/bin
JAVA="java"
if [ "x$JAVA_HOME" != "x" ]; then JAVA="$JAVA_HOME/bin/java"; fi
CONFIG_ARGS=""
while [ "$#" -gt 0 ]; do
  case "$1" in
    --debug) DEBUG_MODE=true; shift; continue ;;
    start-dev) CONFIG_ARGS="$CONFIG_ARGS --profile=dev $1 --auto-build" ;;
    -D*) SERVER_OPTS="$SERVER_OPTS $1" ;;
    *) OPT=$(echo "$1" | sed "s/;/\\\\;/g"); CONFIG_ARGS="$CONFIG_ARGS $OPT" ;;
  esac
  shift
done
JAVA_RUN_OPTS="$JAVA_OPTS $SERVER_OPTS -cp $DIRNAME/../lib/quarkus-run.jar io.Main ${CONFIG_ARGS#?}"
esceval() { printf '%s\\n' "$1" | sed "s/'/'\\\\\\\\''/g; 1 s/^/'/; $ s/$/'/"; }
eval exec "'$JAVA'" $JAVA_RUN_OPTS
""",
    *BASH,
    program("usr/bin/uname", "/usr/bin/uname"),
    program("usr/bin/sed", "/usr/bin/sed"),
    *LABELS,
    own("usr/bin/java"),
    cmd=["start-dev", "-Dx=1"],
)
scenario(
    "entry-python-module",
    "S9",
    "RUNS",
    *ENV,
    own("usr/bin/python3"),
    entrypoint=["/usr/bin/env", "python3", "-m", "gunicorn"],
    cmd=["app:app", "-b", "0.0.0.0:8000"],
    env=PATHS,
)
shape(
    "workers",
    "RUNS",
    """#!/usr/bin/env bash
set -o errexit -o pipefail -o nounset
: "${WORKERS:=$(( $(nproc) * 2 + 1 ))}"
readonly cmd="$*"
args=(--bind "0.0.0.0:${PORT:-8000}" --access-logfile -)
[[ "${RELOAD:-false}" == true ]] && args+=(--reload)
exec gunicorn "${args[@]}" "$@"
""",
    *BASH,
    *ENV,
    *TOOLS,
    own("usr/bin/gunicorn"),
    cmd=["app:app"],
)
shape(
    "rails-pid",
    "RUNS",
    """#!/bin/bash -e
rm -f /app/tmp/pids/server.pid
if [ "${1}" == "./bin/rails" ] && [ "${2}" == "server" ]; then
  ./bin/rails db:prepare
fi
exec "${@}"
""",
    *BASH,
    *TOOLS,
    D("app"),
    D("app/bin"),
    own("app/bin/rails"),
    working_dir="/app",
    cmd=["./bin/rails", "console"],
)
shape(
    "rails-prepare",
    "UNKNOWN",
    """#!/bin/bash -e
if [ "${1}" == "./bin/rails" ] && [ "${2}" == "server" ]; then
  ./bin/rails db:prepare
fi
exec "${@}"
""",
    *BASH,
    *TOOLS,
    D("app"),
    D("app/bin"),
    own("app/bin/rails"),
    working_dir="/app",
    cmd=["./bin/rails", "server"],
)
shape(
    "discovery-local",
    "RUNS",
    """#!/usr/bin/dumb-init /bin/sh
set -e
ulimit -c 0
BIND=
if [ -n "$INTERFACE" ]; then BIND=x; fi
if [ -z "$DATA_DIR" ]; then DATA_DIR=/consul/data; fi
if [ "${1:0:1}" = '-' ]; then set -- consul "$@"; fi
if [ "$1" = 'agent' ]; then
    shift
    set -- consul agent -data-dir="$DATA_DIR" $BIND "$@"
elif consul --help "$1" 2>&1 | grep -q "consul $1"; then
    set -- consul "$@"
fi
exec "$@"
""",
    *BOX,
    program("usr/bin/dumb-init", "/usr/bin/dumb-init"),
    *GLIBC,
    own("bin/consul"),
    cmd=["agent", "-dev"],
)
shape(
    "dashboard-paths",
    "RUNS",
    """#!/bin/bash -e
PERMISSIONS_OK=0
if [ ! -r "$GF_CONFIG" ]; then echo "GF_CONFIG='$GF_CONFIG' is not readable."; PERMISSIONS_OK=1; fi
if [ ! -w "$GF_DATA" ]; then echo "not writable"; PERMISSIONS_OK=1; fi
if [ $PERMISSIONS_OK -eq 1 ]; then echo "see the docs"; fi
if [ ! -z ${GF_AWS_PROFILES+x} ]; then
    for profile in ${GF_AWS_PROFILES}; do echo "$profile"; done
    chmod 600 /x
fi
for VAR_NAME in $(env | grep '^GF_[^=]\\+__FILE=.\\+' | sed -r "s/([^=]*)__FILE=.*/\\1/g"); do
    VAR_NAME_FILE="$VAR_NAME"__FILE
    export "$VAR_NAME"="$(< "${!VAR_NAME_FILE}")"
    unset "$VAR_NAME_FILE"
done
export HOME="$GF_HOME"
exec grafana server --homepath="$GF_HOME" --config="$GF_CONFIG" "$@" cfg:default.log.mode="console"
""",
    *BASH,
    *BOX,
    L("bin/bash2", "bash"),
    own("usr/bin/grafana"),
    env=[*PATHS, "GF_HOME=/usr/share/grafana", "GF_CONFIG=/etc/grafana.ini", "GF_DATA=/tmp"],
)
shape(
    "profile-d",
    "RUNS",
    """#!/bin/bash
source /app/.profile.d/path.sh
for f in /app/.profile.d/*.sh; do . $f; done
hash -r
cd /app
exec bash -c "$START_COMMAND"
""",
    *BASH,
    D("app"),
    D("app/.profile.d"),
    F("app/.profile.d/path.sh", 'export PATH="/app/bin:$PATH"\n'),
    D("app/bin"),
    own("app/bin/web"),
    env=[*PATHS, "START_COMMAND=exec web -p ${PORT:-5000}"],
)
shape(
    "templates",
    "UNKNOWN",
    """#!/bin/sh
set -e
confd -onetime -backend env
exec report "$@"
""",
    *DASH,
    own("usr/bin/confd"),
)
shape(
    "templates-heredoc",
    "RUNS",
    """#!/bin/sh
mkdir -p /etc/app
cat > /etc/app/app.conf <<EOF
port=${PORT:-80}
name=$(hostname)
EOF
exec report -c /etc/app/app.conf
""",
    *BOX,
)
shape(
    "templates-sed",
    "RUNS",
    """#!/bin/sh
set -eu
sed -i "s|__API__|${API_URL:-http://x}|g" /srv/index.html
exec report "$@"
""",
    *BOX,
    D("srv"),
    F("srv/index.html", "__API__\n"),
)
shape(
    "templates-sed-missing",
    "F35",
    """#!/bin/sh
set -eu
sed -i "s|__API__|x|g" /srv/index.html
exec report "$@"
""",
    *BOX,
    D("srv"),
)
shape(
    "templates-unset",
    "F35",
    """#!/bin/sh
set -eu
sed -i "s|__API__|$API_URL|g" /srv/index.html
exec report "$@"
""",
    *BOX,
    D("srv"),
    F("srv/index.html", "x"),
)
shape(
    "router",
    "UNKNOWN",
    """#!/bin/sh
set -e
if [ "${1#-}" != "$1" ]; then set -- traefik "$@"; fi
if traefik "$1" --help >/dev/null 2>&1; then
    set -- traefik "$@"
else
    echo "= '$1' is not a command: assuming shell execution." 1>&2
fi
exec "$@"
""",
    *DASH,
    own("usr/bin/traefik"),
    cmd=["traefik"],
)
shape(
    "balancer-word",
    "RUNS",
    """#!/bin/sh
set -e
if [ "${1#-}" != "$1" ]; then set -- haproxy "$@"; fi
if [ "$1" = 'haproxy' ]; then
	shift
	set -- haproxy -W -db "$@"
fi
exec "$@"
""",
    *DASH,
    own("usr/sbin/haproxy"),
    cmd=["-f", "/etc/h.cfg"],
    env=["PATH=/usr/sbin:/usr/bin:/bin"],
)
shape(
    "ids-from-environment",
    "RUNS",
    """#!/bin/bash
PUID=${PUID:-1000}
PGID=${PGID:-1000}
if [ "$(id -u)" -ne 0 ]; then exec "$@"; fi
exec gosu "$PUID:$PGID" "$@"
""",
    *BASH,
    *GOSU,
    *ID,
    cmd=["report", "x"],
)
shape(
    "id-without-library",
    "RUNS",
    """#!/bin/bash
if [ "$(id -u)" = 0 ]; then exec nothing; fi
exec "$@"
""",
    *BASH,
    program("usr/bin/id", "/usr/bin/id"),
    cmd=["report"],
)
shape(
    "real-path",
    "RUNS",
    """#!/bin/bash
HERE=$(dirname "$(readlink -f "$0")")
ROOT="$(cd -P "$HERE/.." >/dev/null 2>&1 && pwd)"
exec "$ROOT/bin/run" "$@"
""",
    *BASH,
    *TOOLS,
    *LABELS,
    D("srv"),
    D("srv/bin"),
    own("srv/bin/run"),
    script(
        "srv/bin/start",
        """#!/bin/bash
HERE=$(dirname "$(readlink -f "$0")")
ROOT="$(cd -P "$HERE/.." >/dev/null 2>&1 && pwd)"
exec "$ROOT/bin/run" "$@"
""",
    ),
    L("start", "/srv/bin/start"),
    entrypoint=["/start"],
    cmd=["x"],
)
shape(
    "real-path-box",
    "RUNS",
    """#!/bin/sh
cd "$(dirname "$0")"
APP=$(realpath ./srv/app)
exec "$APP" "$(cd link; pwd)" "$(cd link && pwd -P)"
""",
    *BOX,
    D("srv"),
    own("srv/app"),
    L("link", "srv"),
)
shape(
    "directory-missing",
    "F35",
    """#!/bin/bash
DIR="$(cd /missing && pwd)"
exec "$DIR/run"
""",
    *BASH,
)
shape(
    "search",
    "RUNS",
    """#!/bin/bash
set -e
umask 0002
run_as_other_user_if_needed() {
  if [[ "$(id -u)" == "0" ]]; then
    exec chroot --userspec=1000:0 / "${@}"
  else
    exec "${@}"
  fi
}
if [[ "$1" != "eswrapper" ]]; then
  if [[ "$(id -u)" == "0" && $(basename "$1") == "elasticsearch" ]]; then
    set -- "elasticsearch" "${@:2}"
    exec chroot --userspec=1000:0 / "$@"
  else
    exec "$@"
  fi
fi
if [[ -f bin/users ]]; then echo secret; fi
if [[ "$(id -u)" == "0" ]]; then
  if [[ -n "$TAKE_FILE_OWNERSHIP" ]]; then chown -R 1000:0 /usr/share/es/{data,logs}; fi
fi
run_as_other_user_if_needed /usr/share/es/bin/es $POSITIONAL "$@" <<<"$PASS"
""",
    *BASH,
    *TOOLS,
    *ID,
    program("usr/sbin/chroot", "/usr/sbin/chroot"),
    D("usr/share"),
    D("usr/share/es"),
    D("usr/share/es/bin"),
    own("usr/share/es/bin/es"),
    cmd=["eswrapper"],
    env=["PATH=/usr/bin:/usr/sbin:/bin"],
)
shape(
    "relational-prefix",
    "RUNS",
    """#!/bin/bash
set -eo pipefail
shopt -s nullglob
note() { printf '%s [Note] %s\\n' "$(date --rfc-3339=seconds)" "$*"; }
want_help() { local arg; for arg; do case "$arg" in -'?'|--help|-V) return 0;; esac; done; return 1; }
if [ "${1:0:1}" = '-' ]; then set -- mysqld "$@"; fi
if [ "$1" = mysqld ] && ! want_help "$@"; then
  note "entrypoint started"
  if [ "$(id -u)" = "0" ]; then
    note "switching"
    exec gosu app "$BASH_SOURCE" "$@"
  fi
  declare -g DATADIR; DATADIR="/var/lib/mysql/"
  if [ -d "$DATADIR/mysql" ]; then EXISTS=true; fi
  if [ -z "$EXISTS" ] && [ -z "$ROOT_PASSWORD" -a -z "$ALLOW_EMPTY" ]; then
    echo >&2 "error: password option is not specified"
    exit 1
  fi
fi
exec "$@"
""",
    *BASH,
    *TOOLS,
    *GOSU,
    *ID,
    own("usr/bin/mysqld"),
    cmd=["mysqld"],
    env=[*PATHS, "ALLOW_EMPTY=yes"],
)
shape(
    "relational-no-password",
    "F35",
    """#!/bin/bash
set -eo pipefail
if [ "$(id -u)" = "0" ]; then exec gosu app "$BASH_SOURCE" "$@"; fi
if [ -z "$ROOT_PASSWORD" -a -z "$ALLOW_EMPTY" ]; then
  echo >&2 "error: password option is not specified"
  exit 1
fi
exec "$@"
""",
    *BASH,
    *GOSU,
    *ID,
    own("usr/bin/mysqld"),
    cmd=["mysqld"],
)
shape(
    "dotnet",
    "RUNS",
    """#!/bin/sh
if [ -f /https.pfx ]; then export CERT=/https.pfx; fi
exec dotnet "${DLL:-App.dll}" "$@"
""",
    *DASH,
    own("usr/bin/dotnet"),
)
scenario(
    "entry-tini-script",
    "S9",
    "UNKNOWN",
    D("tmp", 0o1777),
    *TINI,
    *BASH,
    script(
        "usr/local/bin/jenkins.sh",
        """#! /bin/bash -e
: "${HOME_DIR:="/var/ci"}"
touch "${LOG:=/tmp/copy.log}" || { echo "Can not write"; exit 1; }
find() { :; }
if [[ $# -lt 1 ]] || [[ "$1" == "--"* ]]; then
  java_opts_array=()
  while IFS= read -r -d '' item; do
    java_opts_array+=( "$item" )
  done < <([[ $JAVA_OPTS ]] && xargs printf '%s\\0' <<<"$JAVA_OPTS")
  exec java -Duser.home="$HOME_DIR" "${java_opts_array[@]}" -jar /ci.war "$@"
fi
exec "$@"
""",
    ),
    *TOOLS,
    own("usr/bin/java"),
    entrypoint=["/usr/bin/tini", "--", "/usr/local/bin/jenkins.sh"],
    env=PATHS,
)
shape(
    "trap-and-wait",
    "RUNS",
    """#!/bin/bash
trap 'kill -TERM $PID' TERM INT
report "$@" &
PID=$!
wait $PID
""",
    *BASH,
    cmd=["x"],
)
shape(
    "source-args",
    "RUNS",
    """#!/bin/bash
args=("$@")
if [ ${#args[@]} -eq 0 ]; then args=(report default); fi
exec "${args[@]}"
""",
    *BASH,
)
shape(
    "getopts",
    "RUNS",
    """#!/bin/sh
while getopts "p:v" o; do
  case $o in
    p) port=$OPTARG ;;
    v) verbose=1 ;;
  esac
done
shift $((OPTIND - 1))
exec report --port "$port" "$@"
""",
    *DASH,
    cmd=["-v", "-p", "99", "rest"],
)
shape(
    "command-v-tini",
    "RUNS",
    """#!/bin/sh
if command -v tini >/dev/null; then exec tini -- report "$@"; fi
exec report "$@"
""",
    *DASH,
    cmd=["x"],
)
shape(
    "exec-with-redirect",
    "RUNS",
    """#!/bin/bash
exec > >(cat) 2>&1
exec report "$@"
""",
    *BASH,
    *TOOLS,
    cmd=["x"],
)
shape(
    "set-user-line",
    "RUNS",
    """#!/bin/sh
if ! whoami >/dev/null 2>&1; then
  if [ -w /etc/passwd ]; then echo "u:x:$(id -u):0::/:/bin/sh" >> /etc/passwd; fi
fi
exec "$@"
""",
    *BOX,
    L("bin/whoami", "busybox"),
    user="4444:0",
    cmd=["report"],
)
shape(
    "dir-of-itself",
    "RUNS",
    """#!/usr/bin/env bash
DIR="$( cd "$( dirname "${BASH_SOURCE[0]}" )" && pwd )"
cd "$DIR"
exec "$DIR/srv/run" "$@"
""",
    *BASH,
    *ENV,
    *TOOLS,
    D("srv"),
    own("srv/run"),
    cmd=["x"],
)
