"""Programs that put themselves into the background: as process 1 they end at once with 0, and the container with them.

A program is known by its name, and a name proves little: a prediction of this kind says so.  Sources: the manual of
each program (nginx `daemon`, httpd(8) -DFOREGROUND, sshd(8) -D, cron(8) -f, crond of busybox -f, supervisord
`nodaemon`, php-fpm(8) -F, rsyslogd(8) -n, redis.conf `daemonize`, haproxy(1) -D, mysqld `--daemonize`, and so on).
Seen with nginx 1.22 as process 1: exit code 0 after 1.5 seconds.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from imagepeel._lazy import late
from imagepeel.errors import ImagepeelError
from imagepeel.evidence import text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imagepeel.process.kernel.execve import ExecveResult
    from imagepeel.rootfs.view import Rootfs


class Daemon(msgspec.Struct, frozen=True, kw_only=True):
    """When a program goes into the background.

    It does so by default unless `foreground` is among its words (`background`: only then); a word of one letter counts
    in a cluster too.  `config` are the files that it reads without being told, and `config_option` names another;
    `directive` finds its setting there, whose value keeps it in front (`stays`) or not.  `by_script`: the name counts
    for a script of a shell too.  `fix` says how to keep it.
    """

    foreground: tuple[str, ...] = ()
    background: tuple[str, ...] = ()
    config: tuple[str, ...] = ()
    config_option: str = ""
    first_is_config: bool = False
    directive: str = ""
    stays: tuple[str, ...] = ()
    reports: tuple[str, ...] = ("--version", "--help")
    by_script: bool = False
    fix: str = ""


def _flag(*words: str, reports: tuple[str, ...] = ("--version", "--help")) -> Daemon:
    return Daemon(foreground=words, fix=f"start it with {words[0]}", reports=reports)


def _asked(*words: str, **more: object) -> Daemon:
    fix = "start the program itself, in the foreground" if more.get("by_script") else f"leave out {words[0]}"
    return Daemon(background=words, fix=fix, **more)  # type: ignore[arg-type]


_APACHE = Daemon(
    foreground=("-DFOREGROUND", "-DNO_DETACH", "-X"), reports=("-v", "-V", "-t", "-S", "-l", "-L", "-M", "-h"),
    fix="start it with -DFOREGROUND",
)  # fmt: skip
_FPM = Daemon(
    foreground=("-F", "--nodaemonize"), reports=("-v", "-i", "-m", "-t", "-h", "--version", "--help", "--test"),
    config=(
        "/usr/local/etc/php-fpm.d/zz-docker.conf", "/usr/local/etc/php-fpm.conf", "/etc/php-fpm.conf",
        *(f"/etc/php/{version}/fpm/php-fpm.conf" for version in (
            "7.0", "7.2", "7.3", "7.4", "8.0", "8.1", "8.2", "8.3", "8.4", "8.5")),
        *(f"/etc/php{version}/php-fpm.conf" for version in ("7", "8", "81", "82", "83", "84", "85")),
    ),
    config_option="-y", directive=r"(?m)^[^\S\n]*daemonize\s*=\s*(\S+)", stays=("no", "off", "false", "0"),
    fix="start it with -F, or set daemonize = no",
)  # fmt: skip

DAEMONS: dict[str, Daemon] = {
    "nginx": Daemon(
        config=(
            "/etc/nginx/nginx.conf", "/usr/local/nginx/conf/nginx.conf", "/usr/local/openresty/nginx/conf/nginx.conf",
        ),
        config_option="-c", directive=r"(?m)^[^#\n]*?(?:^|[\s;])daemon\s+(\w+)\s*;", stays=("off",),
        reports=("-v", "-V", "-t", "-T", "-h", "-?", "-s"), fix='start it with -g "daemon off;"',
    ),
    "apache2": _APACHE,
    "httpd": _APACHE,
    "sshd": _flag("-D", "-d", "-i", reports=("-t", "-T", "-V", "-G")),
    "cron": _flag("-f"),
    "crond": _flag("-f", "-n", "-d", "-x"),
    "atd": _flag("-f", "-d"),
    "supervisord": Daemon(
        foreground=("-n", "--nodaemon"), reports=("-v", "--version", "-h", "--help"),
        stays=("true",), fix="start it with -n, or set nodaemon=true",
    ),
    "php-fpm": _FPM,
    "rsyslogd": _flag("-n", reports=("-v", "-N")),
    "syslog-ng": _flag("-F", "--foreground", "-s"),
    "syslogd": _flag("-n"),
    "redis-server": _asked(
        "--daemonize yes", directive=r"(?m)^[^\S\n]*daemonize\s+(\w+)", stays=("no",), first_is_config=True,
    ),
    "valkey-server": _asked(
        "--daemonize yes", directive=r"(?m)^[^\S\n]*daemonize\s+(\w+)", stays=("no",), first_is_config=True,
    ),
    "haproxy": _asked("-D", config_option="-f", directive=r"(?m)^[^\S\n]*(daemon)\b"),
    "mysqld": _asked("--daemonize", "-D"),
    "memcached": _asked("-d"),
    "mongod": _asked("--fork"),
    "gunicorn": _asked("-D", "--daemon"),
    "uwsgi": _asked("--daemonize", "-d"),
    "celery": _asked("--detach"),
    "dnsmasq": _flag("-k", "--keep-in-foreground", "-d", "--no-daemon", reports=("--test", "-v", "--version")),
    "named": _flag("-f", "-g", reports=("-v", "-V")),
    "squid": _flag("-N", "--foreground", reports=("-v", "-z", "-k")),
    "dovecot": _flag("-F", reports=("-n", "-a", "--version")),
    "smbd": _flag("-F", "--foreground", "-i"),
    "nmbd": _flag("-F", "--foreground", "-i"),
    "proftpd": _flag("-n", "--nodaemon", reports=("-t", "-v", "-l")),
    "lighttpd": _flag("-D", reports=("-t", "-tt", "-v", "-V", "-p")),
    "varnishd": _flag("-F", "-d", reports=("-V", "-C", "-x")),
    "keepalived": _flag("-n", "--dont-fork", "-l"),
    "chronyd": _flag("-d", "-n", "-q", "-Q"),
    "ntpd": _flag("-n", "-d", "-q"),
    "snmpd": _flag("-f", reports=("-v", "-h")),
    "zabbix_server": _flag("-f", "--foreground"),
    "zabbix_agentd": _flag("-f", "--foreground", reports=("-t", "-p", "-V")),
    "freeradius": _flag("-f", "-X", reports=("-v", "-C")),
    "xinetd": _flag("-dontfork", "-d"),
    "rpcbind": _flag("-f", "-d"),
    "postfix": Daemon(foreground=("start-fg",), reports=("check", "stop", "reload", "status"), fix="postfix start-fg"),
    "service": _asked("start", "restart", by_script=True),
    "rc-service": _asked("start", "restart", by_script=True),
    "invoke-rc.d": _asked("start", "restart", by_script=True),
    "apachectl": _asked("start", "restart", "graceful", by_script=True),
    "apache2ctl": _asked("start", "restart", "graceful", by_script=True),
    "pg_ctl": Daemon(reports=("stop", "status", "init", "initdb", "reload", "kill"), fix="start postgres itself"),
}  # fmt: skip
"""By name; versions that packages put behind it (`php-fpm8.2`) are left out."""

_APPLETS = {"httpd": "-f"}
"""Applets of busybox that have the name of another program, and the switch that keeps them (busybox 1.35, seen)."""

READ_MOST = 262_144
"""Bytes of a config file that are looked at."""

_VERSION = late(r"(?:-|(?<![\d.]))[\d.]++$")


def command_of(chain: ExecveResult) -> tuple[str, list[str]]:
    """The file of a program, or of the script that it reads, and the vector from there on; [] where it is not in it."""
    if not chain.scripts:
        return text(chain.final or b""), list(chain.argv)
    path, argv = chain.scripts[0].path, list(chain.argv)
    return path, argv[argv.index(path) :] if path in argv else []


def goes_away(rootfs: Rootfs, chain: ExecveResult, cwd: str, *, shell: bool) -> tuple[str, str]:
    """Whether a program, or the script that is one, is known to go into the background: why, and how to keep it.

    ("", "") where it stays or is not known; `shell` tells that a shell reads it.
    """
    path, argv = command_of(chain)
    if not argv:
        return "", ""
    own = path.rsplit("/", 1)[-1]
    if own.startswith("busybox"):
        argv = argv[1:] if argv[0].rsplit("/", 1)[-1].startswith("busybox") else argv
        name = argv[0].rsplit("/", 1)[-1] if argv else ""
        if name in _APPLETS and not _has(argv[1:], ("-f",)):
            why = f"{name} of busybox goes on in the background: this process ends at once with 0"
            return why, f"start it with {_APPLETS[name]}"
        return ("", "") if name in _APPLETS or not argv else backgrounds(rootfs, name, argv[1:], cwd, shell=shell)
    for name in dict.fromkeys((argv[0].rsplit("/", 1)[-1], own)):
        found = backgrounds(rootfs, name, argv[1:], cwd, shell=shell)
        if found[0]:
            return found
    return "", ""


def backgrounds(rootfs: Rootfs, name: str, words: Sequence[str], cwd: str, *, shell: bool) -> tuple[str, str]:
    """Why a program of this name leaves at once, and how to keep it; ("", "") where it stays or is not known.

    `words` are its arguments, without its name; `shell` tells that a shell reads it.
    """
    daemon = DAEMONS.get(name) or DAEMONS.get(_VERSION.sub("", name))
    if (
        daemon is None
        or (shell and not daemon.by_script)
        or _has(words, daemon.reports)
        or _has(words, daemon.foreground)
    ):
        return "", ""
    said = _setting(rootfs, daemon, words, cwd)
    if name == "supervisord":
        from imagepeel.process.wrappers.supervisor import configuration  # start time

        said = "true" if configuration(rootfs, words, cwd).stays else None
    if name == "nginx":
        given = re.findall(r"(?:^|[\s;])daemon\s+(\w+)\s*;", " ".join(words))
        said = given[-1] if given else said
    if daemon.background:
        if not _has(words, daemon.background) and (said is None or said in daemon.stays):
            return "", ""
    elif said in daemon.stays:
        return "", ""
    return f"what is called {name} goes on in the background: this process ends at once with 0", daemon.fix


def _has(words: Sequence[str], wanted: Sequence[str]) -> bool:
    """One of the wanted words is given: alone, with a value, as two words, or as a letter of a cluster."""
    line = f" {' '.join(words)} "
    for word in wanted:
        if f" {word} " in line or f" {word}=" in line or (word.startswith("-D") and f" -D {word[2:]} " in line):
            return True
        if len(word) == 2 and word[0] == "-" and any(
            re.fullmatch(r"-[A-Za-z0-9]+", given) and word[1] in given[1:] for given in words
        ):  # fmt: skip
            return True
    return False


def _setting(rootfs: Rootfs, daemon: Daemon, words: Sequence[str], cwd: str) -> str | None:
    """The value of its directive in the config that it reads; None without one."""
    if not daemon.directive:
        return None
    files = list(daemon.config)
    if daemon.config_option in words[:-1]:
        files = [words[list(words).index(daemon.config_option) + 1]]
    elif daemon.first_is_config and words and not words[0].startswith("-"):
        files = [words[0]]
    for path in files:
        found = rootfs.resolve(path, cwd=cwd)
        if found.node is None or not found.node.is_file:
            continue
        try:
            body = text(rootfs.read(found.path, 0, min(found.node.size, READ_MOST)))
        except ImagepeelError:
            continue
        match = re.search(daemon.directive, body)
        if match is not None:
            return match.group(1).lower()
    return None
