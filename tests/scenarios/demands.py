"""Scenarios of wrappers that do not get what they ask for: files, helpers, rights, and words that they refuse."""

from __future__ import annotations

from typing import Any

from model import scenario
from userland import DASH, ENV, GLIBC, program
from users import CHROOT, DAEMON, SETPRIV, library

from imagepeel import forge
from imagepeel.forge import Entry

F, D, L = forge.file, forge.directory, forge.symlink
RUN = ["report", "x"]
SKARNET = library("libskarnet.so.2.13")
_CATEGORIES = """ADDRESS COLLATE CTYPE IDENTIFICATION MEASUREMENT MESSAGES/SYS_LC_MESSAGES MONETARY NAME NUMERIC PAPER
    TELEPHONE TIME"""
LOCALE = tuple(
    program(f"usr/lib/locale/C.utf8/LC_{name}", f"/usr/lib/locale/C.utf8/LC_{name}") for name in _CATEGORIES.split()
)
CURLY = {"env": ["LC_ALL=C.UTF-8"]}
READ_ONLY = {"options": {"read_only": True}}
AS_APP = {"user": "app"}


def tools(*names: str) -> tuple[Entry, ...]:
    return (*GLIBC, *(program(f"usr/bin/{name}", f"/usr/bin/{name}") for name in names))


def cases(group: str, base: tuple[Entry, ...], rows: tuple[tuple[Any, ...], ...]) -> None:
    """One scenario for each row: name, verdict, words before the command, then entries, then a dict of the config."""
    for name, expect, words, *more in rows:
        entries = tuple(one for one in more if not isinstance(one, dict))
        config = next((one for one in more if isinstance(one, dict)), {})
        scenario(f"demand-{group}-{name}", "S9 F36", expect, *base, *entries, entrypoint=[*words, *RUN], **config)


OPEN, SHUT = F("lk", "", 0o666), F("lk", "", 0o600)
cases("flock", (*DASH, program("usr/bin/flock", "/usr/bin/flock")), (
    ("new", "RUNS", ["flock", "/lock"]),
    ("there", "RUNS", ["flock", "/lk"], OPEN),
    ("no-directory", "F36", ["flock", "/nope/lock"]),
    ("run-lock", "F36", ["flock", "-n", "/var/run/lock/x"]),
    ("directory", "RUNS", ["flock", "/etc"]),
    ("below-a-file", "F36", ["flock", "/etc/passwd/x"]),
    ("slash", "F36", ["flock", "/etc/new/"]),
    ("empty", "F36", ["flock", ""]),
    ("loop", "F36", ["flock", "/lk"], L("lk", "lk")),
    ("dangling", "F36", ["flock", "/lk"], L("lk", "/nope/x")),
    ("dangling-into-directory", "RUNS", ["flock", "/lk"], L("lk", "/etc/x")),
    ("relative", "F36", ["flock", "a/lock"]),
    ("relative-in-workdir", "RUNS", ["flock", "lock"], {"working_dir": "/made"}),
    ("in-what-is-made", "RUNS", ["flock", "/made/lock"], {"working_dir": "/made/deep"}),
    ("new-as-app", "F36", ["flock", "/lock"], AS_APP),
    ("in-made-workdir-as-app", "F36", ["flock", "lock"], {"working_dir": "/made", **AS_APP}),
    ("own-directory-as-app", "RUNS", ["flock", "/own/lock"], D("own", 0o755, 1234, 1234), AS_APP),
    ("shut-as-app", "F36", ["flock", "/lk"], SHUT, AS_APP),
    ("shut-as-root", "RUNS", ["flock", "/lk"], SHUT),
    ("for-reading-as-app", "RUNS", ["flock", "/lk"], F("lk", "", 0o644), AS_APP),
    ("shut-directory-as-app", "F36", ["flock", "/d/lk"], D("d", 0o700), F("d/lk", "", 0o666), AS_APP),
    ("read-only", "F36", ["flock", "/lock"], READ_ONLY),
    ("read-only-there", "RUNS", ["flock", "/lk"], OPEN, READ_ONLY),
    ("read-only-shm", "RUNS", ["flock", "/dev/shm/l"], READ_ONLY),
    ("no-fork", "F36", ["flock", "-F", "/nope/lock"]),
    ("code-of-conflict", "F36", ["flock", "-n", "-E", "5", "/nope/lock"]),
    ("bad-time", "F36", ["flock", "-w", "abc", "/lock"]),
    ("negative-time", "F36", ["flock", "-w", "-1", "/lock"]),
    ("bad-code", "F36", ["flock", "-E", "abc", "/lock"]),
    ("code-too-high", "F36", ["flock", "-E", "300", "/lock"]),
))  # fmt: skip
scenario("demand-flock-line", "S9 F36", "F36", *DASH, program("usr/bin/flock", "/usr/bin/flock"),
         entrypoint=["flock", "/nope/lock", "-c", "exec report x"])  # fmt: skip
scenario("demand-flock-after-mkdir", "S9", "UNKNOWN", *DASH, program("usr/bin/flock", "/usr/bin/flock"),
         program("usr/bin/mkdir", "/usr/bin/mkdir"), *library("libselinux.so.1", "libpcre2-8.so.0"),
         entrypoint=["sh", "-c", "mkdir -p /new && exec flock /new/lock report x"])  # fmt: skip

NSS = F("etc/nsswitch.conf", "passwd: files\ngroup: files\n")
SET, TELL, APPLY = (program(f"usr/bin/s6-{name}", f"/usr/bin/s6-{name}")
                    for name in ("setuidgid", "envuidgid", "applyuidgid"))  # fmt: skip
cases("s6", (*GLIBC, *SKARNET, NSS), (
    ("setuidgid", "RUNS", ["s6-setuidgid", "app"], SET, TELL, APPLY),
    ("setuidgid-no-envuidgid", "F36", ["s6-setuidgid", "app"], SET, APPLY),
    ("setuidgid-no-applyuidgid", "F36", ["s6-setuidgid", "app"], SET, TELL),
    ("setuidgid-no-applyuidgid-ghost", "F36", ["s6-setuidgid", "ghost"], SET, TELL),
    ("setuidgid-only", "F36", ["s6-setuidgid", "ghost"], SET),
    ("setuidgid-numbers", "RUNS", ["s6-setuidgid", "1234:1234"], SET, APPLY),
    ("setuidgid-numbers-no-applyuidgid", "F36", ["s6-setuidgid", "1234:1234"], SET, TELL),
    ("setuidgid-not-executable", "F36", ["s6-setuidgid", "app"], SET, APPLY, F("usr/bin/s6-envuidgid", "", 0o644)),
    ("envuidgid", "RUNS", ["s6-envuidgid", "app"], TELL),
    ("envuidgid-ghost", "F36", ["s6-envuidgid", "ghost"], TELL),
    ("applyuidgid", "UNKNOWN", ["s6-applyuidgid", "-u", "1234"], APPLY),
))  # fmt: skip
cases("s6", (*tools("s6-setlock", "s6-setsid", "s6-notifyoncheck", "s6-softlimit", "s6-envdir"), *SKARNET,
             *library("libexecline.so.2.9", "libs6.so.2.11")), (
    ("setlock", "RUNS", ["s6-setlock", "/l"]),
    ("setlock-no-directory", "F36", ["s6-setlock", "/nope/l"]),
    ("setlock-to-read-no-directory", "F36", ["s6-setlock", "-r", "/nope/l"]),
    ("setlock-directory", "F36", ["s6-setlock", "/etc"]),
    ("setlock-as-app", "F36", ["s6-setlock", "/l"], AS_APP),
    ("setlock-to-read-as-app", "RUNS", ["s6-setlock", "-r", "/etc/passwd"], AS_APP),
    ("setlock-read-only", "F36", ["s6-setlock", "/l"], READ_ONLY),
    ("setlock-timed", "UNKNOWN", ["s6-setlock", "-t", "1000", "/l"]),
    ("setsid", "RUNS", ["s6-setsid", "-q"]),
    ("setsid-strict", "F36", ["s6-setsid", "-i"]),
    ("notifyoncheck", "UNKNOWN", ["s6-notifyoncheck"]),
    ("softlimit", "RUNS", ["s6-softlimit", "-o", "100"]),
    ("softlimit-word", "UNKNOWN", ["s6-softlimit", "-o", "abc"]),
    ("softlimit-hard", "UNKNOWN", ["s6-softlimit", "-h", "-o", "10000000"]),
    ("envdir-file", "F36", ["s6-envdir", "/etc/passwd"]),
    ("envdir-shut", "F36", ["s6-envdir", "/v"], D("v", 0o700), AS_APP),
))  # fmt: skip

cases("env", (*ENV, *LOCALE, D("etc/sub"), D("shut", 0o700)), (
    ("chdir", "RUNS", ["env", "-C", "/etc"]),
    ("chdir-missing", "F36", ["env", "-C", "/nope"]),
    ("chdir-missing-by-path", "F36", ["/usr/bin/env", "--chdir=/n o"], CURLY),
    ("chdir-file", "F36", ["env", "-C", "/etc/passwd"]),
    ("chdir-shut", "F36", ["env", "-C", "/shut"], AS_APP),
    ("chdir-relative", "RUNS", ["env", "-C", "sub"], {"working_dir": "/etc"}),
    ("chdir-relative-missing", "F36", ["env", "-C", "nope"], {"working_dir": "/etc"}),
    ("chdir-made", "RUNS", ["env", "-C", "/made"], {"working_dir": "/made/deep"}),
    ("unset-equals", "F36", ["env", "-u", "A=B"]),
    ("unset-empty", "F36", ["env", "-u", ""], CURLY),
    ("null", "F36", ["env", "-0"]),
    ("signal", "F36", ["env", "--block-signal=FOO"]),
))  # fmt: skip
scenario("demand-env-quotes-without-locale", "S9 F21", "F21", *ENV, entrypoint=["env", "nope"], **CURLY)
scenario("demand-env-quotes-with-locale", "S9 F21", "F21", *ENV, *LOCALE, entrypoint=["env", "nope"], **CURLY)

cases("coreutils", (*tools("nice", "timeout", "stdbuf"), *LOCALE), (
    ("nice-word", "F36", ["nice", "-n", "abc"]),
    ("nice-word-quoted", "F36", ["nice", "-n", "abc"], CURLY),
    ("timeout-word", "F36", ["timeout", "abc"]),
    ("timeout-underscore", "F36", ["/usr/bin/timeout", "1_0"], CURLY),
    ("timeout-hexadecimal", "RUNS", ["timeout", "0x10"]),
    ("timeout-for-ever", "RUNS", ["timeout", "inf"]),
    ("timeout-no-number", "F36", ["timeout", "nan"]),
    ("timeout-signal", "RUNS", ["timeout", "-s", "sigrtmin+1", "5"]),
    ("timeout-no-signal", "F36", ["timeout", "-s", "FOO", "5"]),
    ("timeout-signal-number", "F36", ["timeout", "-s", "65", "5"]),
    ("timeout-kill-after", "F36", ["timeout", "-k", "x", "5"]),
    ("stdbuf", "RUNS", ["stdbuf", "-oL"], program("usr/libexec/coreutils/libstdbuf.so",
                                                "/usr/libexec/coreutils/libstdbuf.so")),
    ("stdbuf-no-library", "F36", ["stdbuf", "-oL"]),
    ("stdbuf-no-mode", "F36", ["stdbuf"]),
    ("stdbuf-mode", "F36", ["stdbuf", "-o", "xx"]),
    ("stdbuf-lines-of-input", "F36", ["stdbuf", "-iL"]),
))  # fmt: skip
cases("chroot", CHROOT, (
    ("missing", "F36", ["chroot", "/nope"]),
    ("missing-as-app", "F36", ["chroot", "/nope"], AS_APP),
    ("file", "F36", ["chroot", "/etc/passwd"]),
    ("skips-chdir", "RUNS", ["chroot", "--skip-chdir", "/"]),
    ("skips-chdir-elsewhere", "F36", ["chroot", "--skip-chdir", "/etc"]),
))  # fmt: skip
UTIL = tools("taskset", "prlimit", "ionice", "setsid", "choom", "unshare", "nsenter", "script")
cases("util", (*UTIL, *library("libsmartcols.so.1", "libselinux.so.1", "libpcre2-8.so.0", "libutil.so.1")), (
    ("taskset-first", "RUNS", ["taskset", "-c", "0"]),
    ("taskset-other", "DEPENDS", ["taskset", "-c", "900"]),
    ("taskset-mask", "DEPENDS", ["taskset", "0x2"]),
    ("taskset-none", "F36", ["taskset", "0"]),
    ("taskset-word", "F36", ["taskset", "-c", "x"]),
    ("taskset-mask-word", "F36", ["taskset", "zz"]),
    ("prlimit", "RUNS", ["prlimit", "--nofile=100"]),
    ("prlimit-high", "DEPENDS", ["prlimit", "--nofile=99999999"]),
    ("prlimit-word", "F36", ["prlimit", "--nofile=abc"]),
    ("prlimit-soft-above-hard", "F36", ["prlimit", "--nofile=10:5"]),
    ("ionice-class", "F36", ["ionice", "-c", "foo"]),
    ("ionice-number", "UNKNOWN", ["ionice", "-c", "9"]),
    ("setsid-terminal", "F36", ["setsid", "-c", "-w"]),
    ("choom-word", "F36", ["choom", "-n", "abc"]),
    ("choom-far", "F36", ["choom", "-n", "5000"]),
    ("choom-none", "F36", ["choom"]),
    ("unshare", "UNKNOWN", ["unshare", "-m"]),
    ("nsenter", "UNKNOWN", ["nsenter", "-t", "1", "-m"]),
))  # fmt: skip
cases("setpriv", SETPRIV, (
    ("capability", "UNKNOWN", ["setpriv", "--bounding-set=-foo"]),
    ("inherits-more", "UNKNOWN", ["setpriv", "--inh-caps=+sys_admin"]),
    ("inherits-nothing", "RUNS", ["setpriv", "--inh-caps=-all"]),
    ("selinux", "UNKNOWN", ["setpriv", "--selinux-label=foo"]),
    ("death-signal", "RUNS", ["setpriv", "--pdeathsig=TERM"]),
    ("death-signal-unknown", "UNKNOWN", ["setpriv", "--pdeathsig=FOO"]),
))  # fmt: skip
cases("init", tools("tini", "dumb-init"), (
    ("tini-code", "RUNS", ["tini", "-e", "143", "--"]),
    ("tini-code-too-high", "F36", ["tini", "-e", "256", "--"]),
    ("tini-code-is-the-command", "F36", ["tini", "-e"]),
    ("tini-signal", "RUNS", ["tini", "-p", "SIGTERM", "--"]),
    ("tini-signal-unknown", "F36", ["tini", "-p", "SIGPWR", "--"]),
    ("dumb-init-rewrites", "RUNS", ["dumb-init", "-r", "15:0"]),
    ("dumb-init-rewrites-one", "F36", ["dumb-init", "-r", "15"]),
    ("dumb-init-rewrites-none", "F36", ["dumb-init", "--rewrite", "99:1"]),
))  # fmt: skip
scenario("demand-init-by-engine-option", "S9", "RUNS", *tools("tini"), entrypoint=["tini", "-g", "--", *RUN])

SSD = ["start-stop-daemon", "-S", "-x", "/bin/report"]
for name, expect, words, user in (
    ("chdir", "F36", ["-d", "/nope"], ""), ("chdir-file", "F36", ["-d", "/etc/passwd"], ""),
    ("chdir-shut-as-app", "F36", ["-d", "/shut"], "app"),
    ("chdir-shut-for-app", "RUNS", ["-c", "app", "-d", "/shut"], ""),
    ("pidfile", "F36", ["-m", "-p", "/nope/pid"], ""), ("pidfile-new", "RUNS", ["-m", "-p", "/pid"], ""),
    ("pidfile-none", "F36", ["-m"], ""), ("group", "UNKNOWN", ["-g", "ghost"], ""),
    ("root", "UNKNOWN", ["-r", "/nope"], ""), ("policy", "UNKNOWN", ["-I", "foo"], ""),
):  # fmt: skip
    scenario(f"demand-daemon-{name}", "S9 F36", expect, *DAEMON, D("shut", 0o700), user=user,
             entrypoint=[*SSD, *words, "--", "x"])  # fmt: skip

DJB = tools("chpst", "setuidgid", "envdir", "softlimit", "setlock")
cases("djb", (*DJB, D("v"), F("v/A", "1\n"), D("shut", 0o700)), (
    ("chpst-user", "RUNS", ["chpst", "-u", "app"]),
    ("chpst-ghost", "F36", ["chpst", "-u", "ghost"]),
    ("chpst-user-as-app", "F36", ["chpst", "-u", "app"], AS_APP),
    ("chpst-groups", "UNKNOWN", ["chpst", "-u", "app:ghost"]),
    ("chpst-variables", "RUNS", ["chpst", "-e", "/v"]),
    ("chpst-variables-missing", "F36", ["chpst", "-e", "/nope"]),
    ("chpst-variables-file", "F36", ["chpst", "-e", "/etc/passwd"]),
    ("chpst-variables-shut", "F36", ["chpst", "-e", "/shut"], AS_APP),
    ("chpst-lock", "RUNS", ["chpst", "-l", "/l"]),
    ("chpst-lock-missing", "F36", ["chpst", "-l", "/nope/l"]),
    ("chpst-lock-directory", "F36", ["chpst", "-L", "/etc"]),
    ("chpst-lock-read-only", "F36", ["chpst", "-L", "/l"], READ_ONLY),
    ("chpst-directory", "UNKNOWN", ["chpst", "-C", "/etc"]),
    ("chpst-limit-word", "UNKNOWN", ["chpst", "-o", "abc"]),
    ("chpst-higher-priority", "UNKNOWN", ["chpst", "-n", "-5"]),
    ("setuidgid", "RUNS", ["setuidgid", "app"]),
    ("setuidgid-ghost", "F36", ["setuidgid", "ghost"]),
    ("setuidgid-as-app", "F36", ["setuidgid", "app"], AS_APP),
    ("envdir", "UNKNOWN", ["envdir", "/v"]),
    ("softlimit", "UNKNOWN", ["softlimit", "-o", "abc"]),
    ("setlock", "UNKNOWN", ["setlock", "/nope/l"]),
))  # fmt: skip

# A working directory that is not in the image is there when the program starts.
for name, expect, line, more in (
    ("writes", "RUNS", "echo > l", {}), ("writes-above", "RUNS", "echo > /made/l", {"working_dir": "/made/deep"}),
    ("enters-above", "RUNS", "cd /made", {"working_dir": "/made/deep"}), ("tests", "RUNS", "[ -d /made ]", {}),
    ("writes-as-app", {"runc@1.1": "F35", "crun@1.8": "F35"}, "echo > l", AS_APP),
):  # fmt: skip
    scenario(f"made-workdir-{name}", "S5 S9", expect, *DASH, **{"working_dir": "/made", **more},
             entrypoint=["sh", "-c", f"set -e; {line}; exec report x"])  # fmt: skip
