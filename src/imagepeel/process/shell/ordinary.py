"""Programs that a script may take to succeed: tools of every system, and those that set up a server's own data.

What decides a start is told in three ways.  A command whose exit code follows from the image is judged.  One of these
programs, where nothing in the image speaks against it, is taken to succeed, and the assumption is written down.  Of
every other program nobody can know how it ends, and then nobody can know how the script goes on.

Programs whose exit code is an answer (`grep`, `test`, `diff`) or comes from elsewhere (`curl`, `pg_isready`) are no
ordinary ones, and neither are interpreters: what they run is the image's own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_SYSTEM = """
addgroup adduser awk b2sum base32 base64 basename bunzip2 bzip2 cat chgrp chmod chown chpasswd cksum clear cp cpio
csplit cut date dd deluser df dirname dos2unix dpkg-reconfigure du echo envsubst expand factor find fmt fold free
gawk getconf groupadd groupmod groups gunzip gzip head hexdump hostname iconv id install join kill ldconfig less
link ln locale locale-gen localedef logger logname ls lsb_release lscpu lsof mawk md5sum mkdir mkfifo mknod mktemp
more mount mv nl nproc numfmt od openssl passwd paste pidof printenv printf ps pwd readlink realpath renice rev rm
rmdir rsync sed seq setcap setfacl sha1sum sha224sum sha256sum sha384sum sha512sum shred shuf sleep sort split
ssh-keygen stat strings stty sync sysctl tac tail tar tee touch tput tr true truncate tsort tty uname unexpand uniq
unlink unxz unzip update-ca-certificates update-ca-trust uptime useradd usermod uuidgen vdir wc which whoami xxd xz
yes zcat zip
"""
SYSTEM = frozenset(_SYSTEM.split())
"""Tools that systems bring, whose exit code says only that they did what they were asked for."""

_SERVERS = """
a2dismod a2dissite a2enconf a2enmod a2ensite apache2ctl apachectl docker-php-ext-enable elasticsearch-keystore
initdb mariadb mariadb-install-db mariadb-upgrade mariadbd mongo mongod mongosh mysql mysql_install_db
mysql_ssl_rsa_setup mysql_tzinfo_to_sql mysql_upgrade mysqld nginx pg_createcluster pg_ctl pg_ctlcluster pg_resetwal
pg_upgrade phpenmod postgres psql rabbitmq-plugins redis-server slapadd slaptest update-rc.d valkey-server
"""
SERVERS = frozenset(_SERVERS.split())
"""Programs of well-known servers that their entrypoints call to set up data and configuration before they start."""

_STAYS = {
    "mariadbd": ("--initialize", "--bootstrap", "--help", "--version", "--daemonize", "--validate-config"),
    "mongod": ("--fork", "--help", "--version", "--shutdown"),
    "postgres": ("--single", "--boot", "--check", "-C", "--describe-config", "--help", "--version"),
    "redis-server": ("--daemonize", "--help", "--version", "--test-memory", "-v", "-h"),
}
_STAYS |= {"mysqld": _STAYS["mariadbd"], "valkey-server": _STAYS["redis-server"]}
"""Servers that come to an end only with one of these words: what stands behind them in a script is never reached."""

REPORTS = frozenset(("--version", "-version", "--help", "-V"))
"""Options with which a program only reports something."""


_LEAVES = """
addgroup adduser basename chgrp chmod chown cp date dirname echo find getconf groupadd groupmod hostname id install kill
ldconfig link ln ls mkdir mkfifo mknod mktemp mv nproc printenv printf ps pwd readlink realpath rm rmdir run-parts sed
grep cat seq sleep stat sync touch true uname unlink update-ca-certificates useradd usermod which whoami
"""
_LEAVES_INPUT = frozenset(_LEAVES.split())


def leaves_input(argv: Sequence[str]) -> bool:
    """Whether a command reads nothing from standard input: some of them only where they are given a file."""
    name = argv[0].rsplit("/", 1)[-1]
    return name in _LEAVES_INPUT and (name not in ("sed", "grep", "cat") or len(argv) > 2 - (name == "cat"))


def stays(argv: Sequence[str]) -> bool:
    """Whether a command is a server that runs until somebody stops it."""
    name = argv[0].rsplit("/", 1)[-1]
    if name == "nginx":
        return re.search(r"\bdaemon\s+off\s*;", " ".join(argv[1:])) is not None
    return name in _STAYS and not any(word.startswith(_STAYS[name]) for word in argv[1:])


def is_ordinary(argv: Sequence[str]) -> bool:
    """Whether a command may be taken to succeed."""
    name = argv[0].rsplit("/", 1)[-1]
    if name == "find":  # it is as ordinary as what it starts
        starts = next((at for at, word in enumerate(argv[:-1]) if word in ("-exec", "-execdir", "-ok")), None)
        return starts is None or is_ordinary(argv[starts + 1 :])
    return not stays(argv) and (name in SYSTEM or name in SERVERS or (len(argv) == 2 and argv[1] in REPORTS))
