"""Scenarios of entrypoints in the shapes of public images: servers, queues, web frameworks, inits.

Each text is our own, with the constructs that such an image uses.  Servers are stand-ins that report on themselves.
"""

from __future__ import annotations

from typing import Any

from early import GNU, PCRE
from model import REPORT, scenario, script
from userland import BASH, BUSYBOX, DUMB, ENV, GOSU, MUSL, TINI, L, program
from users import RUNUSER, SETPRIV, SU, library

from imagepeel import forge
from imagepeel.forge import Entry

F, D = forge.file, forge.directory
FIND = (program("bin/find", "/usr/bin/find"), program("bin/hostname", "/usr/bin/hostname"),
        program("bin/ls", "/usr/bin/ls"), program("bin/true", "/usr/bin/true"))  # fmt: skip
UNIX = (*BASH, *GNU, PCRE, *ENV[2:], *FIND, *library("libm.so.6"))
"""Debian's shells, coreutils, grep, sed and find."""
ALPINE = (*BUSYBOX, *(L(f"bin/{name}", "busybox") for name in (
    "cat", "chmod", "chown", "cp", "env", "find", "grep", "hostname", "id", "ls", "mkdir", "rm", "sed", "stat", "touch",
    "true", "mv", "ln", "date", "wc", "su", "sleep")))  # fmt: skip


def server(*names: str) -> tuple[Entry, ...]:
    """Stand-ins for servers."""
    return tuple(F(f"usr/local/bin/{name}", REPORT, 0o755) for name in names)


def shape(
    name: str, text: str, base: tuple[Entry, ...], *entries: Entry, expect: str = "RUNS", cmd: list[str], **more: Any
) -> None:
    """An image whose entrypoint is a script of this text."""
    more.setdefault("entrypoint", ["/usr/local/bin/entry.sh"])
    scenario(f"shape-{name}", "S9", expect, *base, script("usr/local/bin/entry.sh", text), *entries, cmd=cmd, **more)


# message queues and caches
RABBIT = """#!/bin/bash
set -euo pipefail
if [[ "$1" == rabbit* ]] && [ "$(id -u)" = '0' ]; then
	if [ "$1" = 'rabbitmq-server' ]; then
		find /own \\! -user app -exec chown app '{}' +
	fi
	exec gosu app "$BASH_SOURCE" "$@"
fi
old=(RABBIT_NODE RABBIT_PASS)
found=0
for name in "${old[@]}"; do
	if [ -n "${!name:-}" ]; then
		echo >&2 "error: $name is not read any more"
		found=1
	fi
done
if [ "$found" != 0 ]; then exit 1; fi
exec "$@"
"""
QUEUE = (*UNIX, *GOSU, *server("rabbitmq-server"), D("own", 0o755, 1234, 1234))
shape("queue", RABBIT, QUEUE, cmd=["rabbitmq-server"])
shape("queue-deprecated", RABBIT, QUEUE, cmd=["rabbitmq-server"], env=["RABBIT_PASS=x"], expect="F35")
shape("queue-user", RABBIT, QUEUE, cmd=["rabbitmq-server"], user="app")
shape("queue-other", RABBIT, QUEUE, cmd=["bash", "-c", "exec report other"])
CACHE = """#!/bin/sh
set -e
if [ "${1#-}" != "$1" ] || [ "${1%.conf}" != "$1" ]; then
	set -- redis-server "$@"
fi
if [ "$1" = 'redis-server' ] && [ "$(id -u)" = '0' ]; then
	find . \\! -user app -exec chown app '{}' +
	exec gosu app "$0" "$@"
fi
um="$(umask)"
if [ "$um" = '0022' ]; then
	umask 0077
fi
exec "$@" $EXTRA
"""
REDIS = (*UNIX, *GOSU, *server("redis-server"), D("data", 0o755, 1234, 1234))
shape("cache", CACHE, REDIS, cmd=["redis-server"], working_dir="/data")
shape("cache-config", CACHE, REDIS, cmd=["/etc/redis.conf"], working_dir="/data", env=["EXTRA=--save 60"])
shape("cache-option", CACHE, REDIS, cmd=["--port", "7"], working_dir="/data", user="1234")
MEMCACHED = """#!/bin/sh
set -e
if [ "${1#-}" != "$1" ]; then
	set -- memcached "$@"
fi
exec "$@"
"""
shape("memory-cache", MEMCACHED, (*UNIX, *server("memcached")), cmd=["-m", "64"], user="app")
HAPROXY = """#!/bin/sh
set -e
if [ "${1#-}" != "$1" ]; then
	set -- haproxy "$@"
fi
if [ "$1" = 'haproxy' ]; then
	shift
	set -- haproxy -W -db "$@"
fi
exec "$@"
"""
shape("balancer", HAPROXY, (*UNIX, *server("haproxy")), cmd=["haproxy", "-f", "/etc/h.cfg"])
shape("balancer-check", HAPROXY, (*UNIX, *server("haproxy")), cmd=["-c"])
shape(
    "proxy-asks-itself",
    """#!/bin/sh
set -e
if [ "${1#-}" != "$1" ]; then
    set -- traefik "$@"
fi
if traefik "$1" --help >/dev/null 2>&1; then
    set -- traefik "$@"
else
    echo "= '$1' is no command of it: assuming a shell"
fi
exec "$@"
""",
    (*ALPINE, *server("traefik")),
    cmd=["traefik"],
    expect="UNKNOWN",
)

# secrets, service discovery
CONSUL = """#!/usr/bin/dumb-init /bin/sh
set -e
ulimit -c 0
BIND=
if [ -n "$BIND_INTERFACE" ]; then
  echo "no address" >&2
  exit 1
fi
if [ -z "$DATA_DIR" ]; then DATA_DIR=/own/data; fi
if [ "$(echo "$1" | cut -c1)" = "-" ]; then set -- consul "$@"; fi
if [ "$1" = 'agent' ]; then
  shift
  set -- consul agent -data-dir="$DATA_DIR" $BIND "$@"
fi
if [ "$1" = 'consul' ] && [ -z "${NO_ROOT+x}" ]; then
  if [ "$(id -u)" = 0 ]; then
    chown app:app /own
    set -- gosu app "$@"
  fi
fi
exec "$@"
"""
VAULTED = (*UNIX, *DUMB, *GOSU, *server("consul", "vault"), D("own"), program("bin/cut", "/usr/bin/cut"))
shape("discovery", CONSUL, VAULTED, cmd=["agent", "-dev"])
shape("discovery-no-root", CONSUL, VAULTED, cmd=["consul", "version"], env=["NO_ROOT="])
shape("discovery-interface", CONSUL, VAULTED, cmd=["agent"], env=["BIND_INTERFACE=eth0"], expect="F35")
VAULT = """#!/usr/bin/dumb-init /bin/sh
set -e
ulimit -c 0
if [ "$1" = 'server' ]; then
    shift
    set -- vault server -config=/vault/config "$@"
fi
if [ "$1" = 'vault' ]; then
    if [ "$(stat -c %u /own)" != "$(id -u app)" ]; then
        chown -R app:app /own || echo "Could not chown /own (may not have appropriate permissions)"
    fi
    if ! vault -version 1>/dev/null 2>/dev/null; then
        >&2 echo "Couldn't start vault with IPC_LOCK."
        exit 1
    fi
    if [ "$(id -u)" = '0' ]; then
      set -- gosu app "$@"
    fi
fi
exec "$@"
"""
shape("secrets", VAULT, (*VAULTED, program("bin/stat", "/usr/bin/stat")), cmd=["server", "-dev"])

# JVM
shape(
    "jvm-launcher",
    """#!/bin/bash
set -euo pipefail
if [ -n "${KEYSTORE:-}" ]; then
  exec kc.sh import "$@"
fi
args=()
while [ "$#" -gt 0 ]; do
  case "$1" in
    --debug) args+=("-Xdebug"); shift ;;
    --) shift; break ;;
    start*) break ;;
    *) args+=("$1"); shift ;;
  esac
done
JAVA="${JAVA_HOME:+$JAVA_HOME/bin/}java"
exec "$JAVA" ${JAVA_OPTS:-} "${args[@]}" -jar /opt/app.jar "$@"
""",
    (*UNIX, *server("java", "kc.sh")),
    cmd=["--debug", "-x", "start", "--optimized"],
    env=["JAVA_OPTS=-Xms64m -Xmx1g"],
)
shape(
    "jvm-home",
    """#!/usr/bin/env bash
set -e
PRG="$0"
while [ -h "$PRG" ]; do
  link=$(readlink "$PRG")
  PRG="$link"
done
PRGDIR=$(dirname "$PRG")
[ -z "$CATALINA_HOME" ] && CATALINA_HOME=$(cd "$PRGDIR/.." >/dev/null; pwd)
if [ "$1" = run ]; then
  shift
  exec /usr/local/bin/java -Dcatalina.home=/usr/local org.apache.Bootstrap "$@" start
fi
""",
    (*UNIX, *server("java"), program("bin/dirname", "/usr/bin/dirname")),
    cmd=["run"],
    env=["CATALINA_HOME=/usr/local"],
)
shape(
    "broker-sources",
    """#!/usr/bin/env bash
. /etc/confluent/bash-config
echo "===> User"
id > /dev/null
echo "===> Configuring ..."
/etc/confluent/configure
echo "===> Launching ..."
exec /etc/confluent/launch
""",
    UNIX,
    F("etc/confluent/bash-config", "set -o nounset \\\n    -o errexit\n"),
    script("etc/confluent/configure", "#!/bin/bash\n. /etc/confluent/bash-config\nexport X=1\n: ${X}\n"),
    script("etc/confluent/launch", "#!/bin/bash\nexec report kafka-server-start /etc/kafka.properties\n"),
    cmd=[],
)
shape(
    "broker-needs-variable",
    """#!/usr/bin/env bash
. /etc/confluent/bash-config
/etc/confluent/configure
exec report
""",
    UNIX,
    F("etc/confluent/bash-config", "set -o nounset -o errexit\n"),
    script(
        "etc/confluent/configure",
        '#!/bin/bash\n. /etc/confluent/bash-config\n[ -n "${ID-}" ] || { echo "an ID is required" >&2; exit 1; }\n',
    ),
    cmd=[],
    expect="F35",
)
ZOO = """#!/bin/bash
set -e
if [[ "$1" = 'zkServer.sh' && "$(id -u)" = '0' ]]; then
    chown -R app "$ZOO_DATA_DIR"
    exec gosu app "$0" "$@"
fi
if [[ ! -f "$ZOO_CONF_DIR/zoo.cfg" ]]; then
    CONFIG="$ZOO_CONF_DIR/zoo.cfg"
    {
        echo "dataDir=$ZOO_DATA_DIR"
        echo "tickTime=2000"
    } >> "$CONFIG"
    for server in $ZOO_SERVERS; do
        echo "$server" >> "$CONFIG"
    done
fi
if [[ ! -f "$ZOO_DATA_DIR/myid" ]]; then
    echo "${ZOO_MY_ID:-1}" > "$ZOO_DATA_DIR/myid"
fi
exec "$@"
"""
ZOOKEEPER = (*UNIX, *GOSU, *server("zkServer.sh"), D("conf", 0o755, 1234, 1234), D("own", 0o755, 1234, 1234))
for name, more in {"root": {}, "user": {"user": "app"}, "closed": {"user": "bob", "expect": "F35"}}.items():
    shape(f"coordinator-{name}", ZOO, ZOOKEEPER, cmd=["zkServer.sh", "start-foreground"],
          env=["ZOO_CONF_DIR=/conf", "ZOO_DATA_DIR=/own", "ZOO_SERVERS=a b"], **more)  # fmt: skip
shape(
    "search-chroot",
    """#!/bin/bash
set -e
umask 0002
if [[ "$(id -u)" == "0" ]]; then
  set -- chroot --userspec=app:app --skip-chdir / "${@}"
fi
if [[ -f bin/users ]]; then
  (echo x | keystore list) || exit 1
fi
exec "$@"
""",
    (*UNIX, *server("eswrapper"), program("bin/chroot", "/usr/sbin/chroot")),
    cmd=["eswrapper"],
    entrypoint=["/usr/local/bin/entry.sh"],
)
shape(
    "ci-server",
    """#! /bin/bash -e
: "${JENKINS_WAR:="/usr/share/jenkins.war"}"
: "${JENKINS_HOME:="/own"}"
touch "${LOG:=/own/copy.log}" || { echo "Can not write to ${LOG}. Wrong volume permissions?"; exit 1; }
echo "--- Copying" >> "$LOG"
if [[ $# -lt 1 ]] || [[ "$1" == "--"* ]]; then
  opts=( )
  while IFS= read -r -d '' item; do opts+=( "$item" ); done < <([[ $JAVA_OPTS ]] && echo -n "$JAVA_OPTS")
  exec java -Duser.home="$JENKINS_HOME" -jar "${JENKINS_WAR}" "$@"
fi
exec "$@"
""",
    (*UNIX, *TINI, *server("java"), D("own", 0o755, 1234, 1234)),
    cmd=["--httpPort=8080"],
    user="app",
    entrypoint=["/usr/bin/tini", "--", "/usr/local/bin/entry.sh"],
)
shape(
    "ci-server-closed",
    """#! /bin/bash -e
touch "${LOG:=/own/copy.log}" || { echo "Can not write to ${LOG}. Wrong volume permissions?" >&2; exit 1; }
exec java -jar /j.war
""",
    (*UNIX, *TINI, *server("java"), D("own", 0o755)),
    cmd=[],
    user="app",
    expect="F35",
    entrypoint=["/usr/bin/tini", "--", "/usr/local/bin/entry.sh"],
)
shape(
    "quality-gate",
    """#!/usr/bin/env bash
set -euo pipefail
declare -a opts=()
set_prop() { if [ "$2" ]; then opts+=("-D$1=$2"); fi; }
set_prop "sonar.jdbc.username" "${SONAR_USER:-}"
set_prop "sonar.jdbc.password" "${SONAR_PASSWORD:-}"
if [ "${1:0:1}" != '-' ]; then
  exec "$@"
fi
exec java -jar lib/app.jar -Dsonar.log.console=true "${opts[@]}" "$@"
""",
    (*UNIX, *server("java")),
    cmd=["-Dx=y"],
    env=["SONAR_USER=sq"],
)

# dashboards, databases
GRAFANA = """#!/bin/bash -e
PERMISSIONS_OK=0
if [ ! -r "$GF_PATHS_CONFIG" ]; then
    echo "GF_PATHS_CONFIG='$GF_PATHS_CONFIG' is not readable."
    PERMISSIONS_OK=1
fi
if [ ! -w "$GF_PATHS_DATA" ]; then
    echo "GF_PATHS_DATA='$GF_PATHS_DATA' is not writable."
    PERMISSIONS_OK=1
fi
if [ ! -d "$GF_PATHS_DATA/plugins" ]; then
    mkdir "$GF_PATHS_DATA/plugins"
fi
for VAR_NAME in $(env | grep '^GF_[^=]\\+__FILE=.\\+' | sed -r "s/([^=]*)__FILE=.*/\\1/g"); do
    VAR_NAME_FILE="$VAR_NAME"__FILE
    if [ "${!VAR_NAME}" ]; then
        echo >&2 "ERROR: Both $VAR_NAME and $VAR_NAME_FILE are set (but are exclusive)"
        exit 1
    fi
    export "$VAR_NAME"="$(< "${!VAR_NAME_FILE}")"
    unset "$VAR_NAME_FILE"
done
export HOME="$GF_PATHS_HOME"
exec grafana server --homepath="$GF_PATHS_HOME" --config="$GF_PATHS_CONFIG" "$@" cfg:default.log.mode="console"
"""
DASHBOARD = (*UNIX, *server("grafana"), F("etc/grafana.ini", "x\n"), D("own", 0o755, 1234, 1234))
for name, more in {"plain": {}, "closed": {"user": "bob", "expect": "F35"}}.items():
    shape(f"dashboard-{name}", GRAFANA, DASHBOARD, cmd=[], **({"user": "app"} | more),
          env=["GF_PATHS_CONFIG=/etc/grafana.ini", "GF_PATHS_DATA=/own", "GF_PATHS_HOME=/usr"])  # fmt: skip
shape(
    "series",
    """#!/bin/bash
set -e
if [ "${1:0:1}" = '-' ]; then
    set -- influxd "$@"
fi
if [ "$1" = 'influxd' ]; then
	/init-influxdb.sh "${@:2}"
fi
exec "$@"
""",
    (*UNIX, *server("influxd")),
    script(
        "init-influxdb.sh",
        """#!/bin/bash
set -eo pipefail
AUTH_ENABLED="${AUTH_ENABLED:-false}"
if [ -z "$INFLUX_DB" ] && [ "$AUTH_ENABLED" = false ]; then
	exit 0
fi
echo "needs a database" >&2
exit 1
""",
    ),
    cmd=["influxd"],
)
shape(
    "series-init-fails",
    """#!/bin/bash
set -e
/init-influxdb.sh "$@"
exec "$@"
""",
    (*UNIX, *server("influxd")),
    script("init-influxdb.sh", '#!/bin/bash\n: "${INFLUX_DB:?needs a database}"\n'),
    cmd=["influxd"],
    expect="F35",
)
shape(
    "relational",
    """#!/bin/bash
set -eo pipefail
shopt -s nullglob
error() { printf '%s [ERROR]: %s\\n' now "$*" >&2; exit 1; }
if [ "${1:0:1}" = '-' ]; then set -- mysqld "$@"; fi
wants_help() { local arg; for arg; do case "$arg" in -'?'|--help|--print-defaults) return 0 ;; esac; done; return 1; }
_main() {
	if [ "$1" = 'mysqld' ] && ! wants_help "$@"; then
		if ! errors="$("$@" --verbose --help 2>&1 >/dev/null)"; then error "$errors"; fi
		if [ "$(id -u)" = "0" ]; then
			mkdir -p /own/run
			chown app /own/run
			exec gosu app "$BASH_SOURCE" "$@"
		fi
		if [ ! -d /own/mysql ]; then
			if [ -z "$MYSQL_ROOT_PASSWORD" ]; then exit 1; fi
			mysqld --initialize-insecure > /dev/null
			for f in /docker-entrypoint-initdb.d/*; do "$f"; done
		fi
	fi
	exec "$@"
}
_main "$@"
""",
    (*UNIX, *GOSU, *server("mysqld"), D("own", 0o755, 1234, 1234)),
    cmd=["mysqld"],
    env=["MYSQL_ROOT_PASSWORD=x"],
)

# web servers and applications
shape(
    "web-hooks",
    """#!/bin/sh
set -e
entrypoint_log() { if [ -z "${QUIET:-}" ]; then echo "$@"; fi; }
if [ "$1" = "nginx" ] || [ "$1" = "nginx-debug" ]; then
    if /usr/bin/find "/docker-entrypoint.d/" -mindepth 1 -maxdepth 1 -type f -print -quit 2>/dev/null | read v; then
        entrypoint_log "$0: looking for shell scripts"
        find "/docker-entrypoint.d/" -follow -type f -print | sort -V | while read -r f; do
            case "$f" in
                *.envsh) if [ -x "$f" ]; then . "$f"; fi ;;
                *.sh) if [ -x "$f" ]; then "$f"; fi ;;
                *) entrypoint_log "$0: Ignoring $f";;
            esac
        done
    else
        entrypoint_log "$0: No files found, skipping"
    fi
fi
exec "$@"
""",
    (*UNIX, *server("nginx"), program("usr/bin/find", "/usr/bin/find"), program("bin/sort", "/usr/bin/sort")),
    script("docker-entrypoint.d/10-listen.sh", "#!/bin/sh\nset -e\ntouch /tmp.conf\nexit 0\n"),
    cmd=["nginx", "-g", "daemon off;"],
)
shape(
    "web-foreground",
    """#!/bin/sh
set -e
rm -f /own/httpd.pid
exec httpd -DFOREGROUND "$@"
""",
    (*UNIX, *server("httpd"), D("own")),
    cmd=[],
)
shape(
    "blog",
    """#!/usr/bin/env bash
set -Eeuo pipefail
if [[ "$1" == apache2* ]] || [ "$1" = 'php-fpm' ]; then
	uid="$(id -u)"
	gid="$(id -g)"
	if [ "$uid" = '0' ]; then user='app'; group='app'; else user="$uid"; group="$gid"; fi
	if [ ! -e index.php ]; then
		echo >&2 "not found in $PWD - copying now..."
		cp /src/index.php .
	fi
	wpEnvs=( "${!WORDPRESS_@}" )
	if [ ! -s config.php ] && [ "${#wpEnvs[@]}" -gt 0 ]; then
		for wpConfig in config-docker.php /src/config-docker.php; do
			if [ -s "$wpConfig" ]; then
				cp "$wpConfig" config.php
				chown "$user:$group" config.php || true
				break
			fi
		done
	fi
fi
exec "$@"
""",
    (*UNIX, *server("apache2-foreground")),
    F("src/index.php", "x\n"),
    F("src/config-docker.php", "y\n"),
    D("html"),
    cmd=["apache2-foreground"],
    working_dir="/html",
    env=["WORDPRESS_DB_HOST=db"],
)
shape(
    "journal",
    """#!/bin/bash
set -e
if [[ "$*" == node*current/index.js* ]] && [ "$(id -u)" = '0' ]; then
	find "$CONTENT" \\! -user app -exec chown app '{}' +
	exec gosu app "$BASH_SOURCE" "$@"
fi
if [[ "$*" == node*current/index.js* ]]; then
	for src in /base/*/ /base/themes/*; do
		src="${src%/}"
		target="$CONTENT/${src#/base/}"
		mkdir -p "$(dirname "$target")"
		if [ ! -e "$target" ]; then
			mkdir -p "$target"
		fi
	done
fi
exec "$@"
""",
    (*UNIX, *GOSU, *server("node"), program("bin/dirname", "/usr/bin/dirname")),
    D("base/themes/casper"),
    D("own", 0o755, 1234, 1234),
    cmd=["node", "current/index.js"],
    env=["CONTENT=/own"],
)
shape(
    "cloud",
    """#!/bin/sh
set -eu
run_as() {
    if [ "$(id -u)" = 0 ]; then su -p "$user" -s /bin/sh -c "$1"; else sh -c "$1"; fi
}
directory_empty() { [ -z "$(ls -A "$1/")" ]; }
user=app
if expr "$1" : "apache" 1>/dev/null || [ "$1" = "php-fpm" ]; then
    if directory_empty /own; then echo "empty" >&2; exit 1; fi
    run_as 'test -w /own'
fi
exec "$@"
""",
    (*UNIX, *SU, *server("php-fpm"), program("bin/expr", "/usr/bin/expr")),
    F("own/a", "a\n"),
    cmd=["php-fpm", "-F"],
    expect="UNKNOWN",
)
shape(
    "registry",
    """#!/bin/sh
set -e
case "$1" in
    *.yaml|*.yml) set -- registry serve "$@" ;;
    serve|garbage-collect|help|-*) set -- registry "$@" ;;
esac
exec "$@"
""",
    (*ALPINE, *server("registry")),
    cmd=["/etc/docker/registry/config.yml"],
)
shape(
    "object-store",
    """#!/bin/sh
if [ "${1}" != "minio" ]; then
    if [ -n "${1}" ]; then
        set -- minio "$@"
    fi
fi
docker_switch_user() {
    if [ -n "${MINIO_USERNAME}" ] && [ -n "${MINIO_GROUPNAME}" ]; then
        exec chroot --userspec="${MINIO_USERNAME}:${MINIO_GROUPNAME}" / "$@"
    else
        exec "$@"
    fi
}
docker_switch_user "$@"
""",
    (*UNIX, *server("minio"), program("bin/chroot", "/usr/sbin/chroot")),
    cmd=["server", "/data"],
    env=["MINIO_USERNAME=app", "MINIO_GROUPNAME=extra"],
)

# application templates
shape(
    "django",
    """#!/bin/sh
set -e
python manage.py migrate --noinput
exec gunicorn app.wsgi -b 0.0.0.0:8000
""",
    (*UNIX, *server("python", "gunicorn")),
    cmd=[],
    expect="UNKNOWN",
)
shape(
    "django-one-line",
    "",
    (*UNIX, *server("python", "gunicorn")),
    cmd=[],
    expect="UNKNOWN",
    entrypoint=["/bin/sh", "-c", "python manage.py migrate > /dev/null && exec gunicorn app.wsgi"],
)
shape(
    "django-ignored",
    """#!/bin/sh
python manage.py migrate > /dev/null || echo "no database yet"
exec gunicorn app.wsgi
""",
    (*UNIX, *server("python", "gunicorn")),
    cmd=[],
)
shape(
    "rails",
    """#!/bin/bash
set -e
rm -f /app/tmp/pids/server.pid
exec "$@"
""",
    (*UNIX, *server("bundle")),
    cmd=["bundle", "exec", "puma", "-C", "config/puma.rb"],
)
shape(
    "rails-as-user",
    """#!/bin/bash
set -e
rm -f /app/tmp/pids/server.pid
exec "$@"
""",
    (*UNIX, *server("bundle"), D("app/tmp/pids"), F("app/tmp/pids/server.pid", "1\n")),
    cmd=["bundle", "exec"],
    user="app",
    expect="F35",
)
shape(
    "node-memory",
    """#!/bin/sh
set -eu
: "${NODE_ENV:=production}"
export NODE_ENV NODE_OPTIONS="--max-old-space-size=${MEMORY:-512}"
[ "$#" -gt 0 ] || set -- node server.js
exec "$@"
""",
    (*ALPINE, *server("node")),
    cmd=[],
    working_dir="/srv",
)
shape(
    "php-first-word",
    """#!/bin/sh
set -e
if [ "${1#-}" != "$1" ]; then
	set -- apache2-foreground "$@"
fi
exec "$@"
""",
    (*UNIX, *server("php", "apache2-foreground")),
    cmd=["-x"],
)
shape(
    "template-environment",
    """#!/bin/sh
set -eu
for v in API_URL API_KEY; do
  eval "value=\\${$v:-}"
  [ -n "$value" ] || { echo "$v is not set" >&2; exit 64; }
done
exec nginx -g 'daemon off;'
""",
    (*ALPINE, *server("nginx")),
    cmd=[],
    env=["API_URL=http://a"],
    expect="F35",
)
shape(
    "template-environment-set",
    """#!/bin/sh
set -eu
for v in API_URL API_KEY; do
  eval "value=\\${$v:-}"
  [ -n "$value" ] || { echo "$v is not set" >&2; exit 64; }
done
exec nginx -g 'daemon off;'
""",
    (*ALPINE, *server("nginx")),
    cmd=[],
    env=["API_URL=http://a", "API_KEY=k"],
)
shape(
    "user-from-environment",
    """#!/bin/bash
set -e
UID_WANTED=${PUID:-1000}
if [ "$(id -u)" = 0 ] && [ -n "$PUID" ]; then
  exec setpriv --reuid "$UID_WANTED" --regid "${PGID:-$UID_WANTED}" --clear-groups "$@"
fi
exec "$@"
""",
    (*UNIX, *SETPRIV),
    cmd=["report", "a"],
    env=["PUID=1234", "PGID=5555"],
)
shape(
    "runuser-child",
    """#!/bin/sh
set -e
chown app /own
exec runuser -u app -- "$@"
""",
    (*UNIX, *RUNUSER, D("own")),
    cmd=["report", "a"],
)
shape(
    "log-to-stdout",
    """#!/bin/sh
set -e
ln -sf /dev/stdout /own/access.log
ln -sf /dev/stderr /own/error.log
exec "$@"
""",
    (*ALPINE, D("own", 0o755, 1234, 1234)),
    cmd=["report"],
    user="app",
)
shape(
    "log-to-stdout-closed",
    """#!/bin/sh
set -e
ln -sf /dev/stdout /own/access.log
exec "$@"
""",
    (*ALPINE, D("own")),
    cmd=["report"],
    user="app",
    expect="F35",
)
shape(
    "case-command",
    """#!/bin/sh
set -e
cmd="${1:-web}"
[ "$#" -eq 0 ] || shift
case "$cmd" in
  web) exec report web "$@" ;;
  worker|beat) exec report celery "$cmd" "$@" ;;
  shell) exec sh ;;
  *) echo "unknown command $cmd" >&2; exit 2 ;;
esac
""",
    ALPINE,
    cmd=["worker", "-c", "2"],
)
shape(
    "case-command-unknown",
    """#!/bin/sh
set -e
case "$1" in
  web) exec report web ;;
  *) echo "unknown command $1" >&2; exit 2 ;;
esac
""",
    ALPINE,
    cmd=["run"],
    expect="F35",
)
shape(
    "secrets-of-docker",
    """#!/bin/bash
set -euo pipefail
for f in /run/secrets/*; do
  [ -f "$f" ] || continue
  export "$(basename "$f" | tr a-z A-Z)"="$(cat "$f")"
done
exec "$@"
""",
    (*UNIX, program("bin/basename", "/usr/bin/basename"), program("bin/tr", "/usr/bin/tr")),
    D("run/secrets"),
    F("run/secrets/token", "t\n"),
    cmd=["report", "a"],
)
shape(
    "own-functions",
    """#!/bin/sh
set -e
log() { printf '%s\\n' "$*" >&2; }
die() { log "$@"; exit 70; }
need() { command -v "$1" >/dev/null 2>&1 || die "$1 is not installed"; }
need report
need nope
exec report
""",
    ALPINE,
    cmd=[],
    expect="F35",
)
shape(
    "wait-for-name",
    """#!/bin/sh
set -e
HOST="${DB_HOST%%:*}" PORT="${DB_HOST##*:}"
if [ -n "$WAIT" ]; then
  until nc -z "$HOST" "$PORT"; do sleep 1; done
fi
exec report --db "$HOST" "$PORT"
""",
    ALPINE,
    cmd=[],
    env=["DB_HOST=db:5432"],
)
shape(
    "time-zone",
    """#!/bin/sh
set -e
if [ -n "$TZ" ] && [ -f "/usr/share/zoneinfo/$TZ" ]; then
  cp "/usr/share/zoneinfo/$TZ" /etc/localtime
  echo "$TZ" > /etc/timezone
fi
exec "$@"
""",
    (*ALPINE, F("usr/share/zoneinfo/UTC", "z\n")),
    cmd=["report"],
    env=["TZ=UTC"],
    user="app",
    expect="F35",
)
shape(
    "find-delete",
    """#!/bin/sh
set -e
find /own -name '*.pid' -delete
exec "$@"
""",
    (*UNIX, D("own")),
    cmd=["report"],
)
shape(
    "last-without-exec",
    """#!/bin/sh
set -e
mkdir -p /own
report serve
""",
    (*UNIX, D("own")),
    cmd=[],
)
shape(
    "here-document",
    """#!/bin/sh
set -e
cat > /own/app.conf <<EOF
listen ${PORT:-80}
EOF
exec report -c /own/app.conf
""",
    (*UNIX, D("own", 0o755, 1234, 1234)),
    cmd=[],
    user="app",
)
shape(
    "here-document-closed",
    """#!/bin/sh
set -e
cat > /own/app.conf <<EOF
listen ${PORT:-80}
EOF
exec report -c /own/app.conf
""",
    (*UNIX, D("own")),
    cmd=[],
    user="app",
    expect="F35",
)
shape(
    "background-then-wait",
    """#!/bin/bash
set -m
report sidecar > /dev/null &
exec report main
""",
    UNIX,
    cmd=[],
)
shape(
    "strict-with-trap",
    """#!/bin/bash
set -Eeuo pipefail
trap 'echo "line $LINENO" >&2' ERR
cd /app
exec "$@"
""",
    (*UNIX, D("app")),
    cmd=["report"],
)
shape(
    "version-file",
    """#!/bin/sh
set -e
VERSION="$(cat /app/VERSION)"
echo "starting $VERSION"
exec report --version "$VERSION"
""",
    ALPINE,
    cmd=[],
    expect="F35",
)
shape(
    "find-without-library",
    """#!/bin/sh
set -e
find /own -name '*.pid' -delete
exec "$@"
""",
    (*BASH, *FIND, D("own")),
    cmd=["report"],
    expect="F35",
)
shape(
    "usage-in-document",
    """#!/bin/bash
set -e
if [ -z "$POSTGRES_PASSWORD" ] && [ "$AUTH" != 'trust' ]; then
	cat >&2 <<-'EOE'
		Error: Database is uninitialized and "$POSTGRES_PASSWORD" is not specified.
		Use -e POSTGRES_PASSWORD=password.

	EOE
	exit 1
fi
exec "$@"
""",
    UNIX,
    cmd=["report"],
    expect="F35",
)
shape(
    "usage-in-document-expanded",
    """#!/bin/sh
set -e
usage() {
cat >&2 <<EOF
usage: ${0##*/} "$1" [--port ${PORT:-80}]
EOF
exit "${2:-64}"
}
[ "$1" = serve ] || usage "$1" 65
exec report
""",
    ALPINE,
    cmd=["run"],
    expect="F35",
)
shape(
    "printf-to-errors",
    """#!/bin/sh
set -eu
fail() { printf '[%s] %s: %s\\n' ERROR "$(basename "$0")" "$*" >&2; exit 78; }
warn() { printf >&2 'warning: %s\\n' "$@"; }
warn one "two words"
[ -d /var/lib/app ] || fail "no" "data directory"
exec report
""",
    (*ALPINE, L("bin/basename", "busybox")),
    cmd=[],
    expect="F35",
)
shape(
    "first-letter",
    """#!/bin/sh
if [ "$(echo "$1" | cut -c1)" = "-" ]; then
  set -- report "$@"
fi
MODE=$(echo "${MODE:-Fast}" | tr '[:upper:]' '[:lower:]')
HOST=$(echo "$URL" | cut -d: -f1)
exec "$@" --mode "$MODE" --host "$HOST" "$(printf '%s' "$URL" | sed 's/:/ /')"
""",
    (*ALPINE, L("bin/cut", "busybox"), L("bin/tr", "busybox")),
    cmd=["-v"],
    env=["URL=db:5432"],
)
shape(
    "quotes-in-default",
    """#!/bin/sh
: "${HOME_DIR:="/opt/my app"}" ${NAME:='one'}
exec report "$HOME_DIR" "$NAME" "${A:-"b c"}" ${B:-"d"} "${C:-it's}" "${D:-\\}}"
""",
    UNIX,
    cmd=[],
)

# public reports of starts that were answered rightly, made again
scenario("report-newline-as-letters", "S7 F19", "F19", *BUSYBOX, script("e", "#!/bin/sh\\nset -e\\nexec report\n"),
         entrypoint=["/e"])  # fmt: skip
scenario("report-tini-script-without-x", "S9 F36", "F36", *TINI, *BUSYBOX, script("run.sh", "#!/bin/sh\n", 0o644),
         entrypoint=["tini", "--", "/run.sh"])  # fmt: skip
scenario("report-closed-home", "S5", "RUNS", D("home"), D("home/app", 0o700, 1234, 1234), user="2000",
         working_dir="/home/app")  # fmt: skip
scenario("report-root-only-script", "S7 F29", "F29", *BUSYBOX, script("e", "#!/bin/sh\nexec report\n", 0o700),
         entrypoint=["/e"], user="app")  # fmt: skip
scenario("report-exec-in-child", "S9", "RUNS", *BASH, script("e", "#!/bin/bash\nsh -c 'exec report child'\n"),
         entrypoint=["/e"])  # fmt: skip
COMPATIBLE = (L("lib64/ld-linux-x86-64.so.2", "/lib/ld-musl-x86_64.so.1"), L("lib/libc.so.6", "ld-musl-x86_64.so.1"))
scenario("report-glibc-program-on-musl", "S8 F33", "F33", *MUSL, *COMPATIBLE, program("srv/app", "/usr/bin/env"),
         entrypoint=["/srv/app"])  # fmt: skip
