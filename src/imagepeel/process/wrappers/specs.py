"""The argument grammar and the habits of programs that start other programs, as data."""

from __future__ import annotations

from typing import Literal

import msgspec

WrapperKind = Literal["exec", "fork", "supervise", "detach", "none", "unknown"]
"""What becomes of a wrapper's own process.

exec: the command replaces it.
fork: it stays and waits for its child, the command.
supervise: it stays as an init, which forwards signals and reaps orphans.
detach: it forks and leaves; as process 1 that ends the container.
none: it starts no command, but does something itself or refuses.
unknown: it cannot be told.
"""

LookupKind = Literal["execvp", "execve", "go", "sudo"]
"""How a wrapper searches its command: as the C library does, not at all, as Go's exec.LookPath, or as sudo."""


Package = Literal[
    "busybox",
    "catatonit",
    "capsh",
    "coreutils",
    "doas",
    "dpkg",
    "dumb-init",
    "execline",
    "gosu",
    "imagepeel",
    "runit",
    "s6",
    "su-exec",
    "sudo",
    "tini",
    "util-linux",
]
"""What brings a wrapper."""


class WrapperSpec(msgspec.Struct, frozen=True, kw_only=True):
    """The grammar and the habits of one wrapper."""

    family: Package
    """The package that usually brings it."""
    kind: WrapperKind
    flags: str = ""
    """Short options without a value."""
    values: str = ""
    """Short options with a value."""
    optional: str = ""
    """Short options whose value may be left out, and else stands in the same word."""
    long: dict[str, str] = {}
    """Long options, each with "none", "value" or "optional"."""
    operands: int = 0
    """Number of words before the command."""
    operand_is_user: bool = False
    operands_first: bool = False
    """No option counts behind the operands."""
    permute: bool = False
    """Options behind the first operand still count: glibc's getopt without `+`."""
    digits: bool = False
    """`-5` is an option."""
    alone: frozenset[str] = frozenset()
    """Options with which no command is run."""
    forwards: bool = False
    reaps: bool = False
    lookup: LookupKind = "execvp"
    env_unknown: bool = False
    sets_home: bool = False
    needs_pid1: bool = False
    user_options: dict[str, str] = {}
    """Options that switch the user, each with "user" or "group"."""
    cwd_options: frozenset[str] = frozenset()
    unknown_options: dict[str, Literal["env", "fork", "detach", "exec"]] = {}
    """Options with an effect that is not followed further: on the environment, or on how the wrapper ends."""
    usage_exit: int = 1
    """Exit code of misuse."""
    why: str = ""


def _long(plain: str = "", valued: str = "", optional: str = "") -> dict[str, str]:
    table = {f"--{name}": "none" for name in plain.split()}
    table |= {f"--{name}": "value" for name in valued.split()}
    return table | {f"--{name}": "optional" for name in optional.split()}


_EXECLINE = """
background backtick case cd define elgetopt elgetpositionals elglob emptyenv envfile exec execline execline-cd
execline-umask execlineb exit export fdblock fdclose fdmove fdreserve fdswap forbacktickx foreground forstdin forx
getcwd getpid heredoc homeof if ifelse ifte ifthenelse importas loopwhilex multidefine multisubstitute pipeline piperw
redirfd runblock s6-envdir s6-softlimit trap tryexec umask unexport wait withstdinas
"""
EXECLINE = frozenset(_EXECLINE.split())
"""The programs of execline, and of s6 those that are written like them; `execline` says what each does."""

_UNFOLLOWED = """
aa-exec bwrap cgexec dbus-launch dbus-run-session envdir envuidgid faketime fakeroot fghack firejail ltrace nsenter
numactl pgrphack proot runcon s6-connlimit s6-fghack s6-ioconnect s6-ipcclient s6-notifyoncheck s6-sudo s6-sudoc
script setlock softlimit ssh-agent strace time timelimit unbuffer unshare xinit
"""
UNFOLLOWED = frozenset(_UNFOLLOWED.split())
"""Programs that start another one in ways that are not followed; where they lie tells that they are these."""

_HELP = frozenset(("-h", "--help", "-V", "--version"))
_INIT = "it stays, forwards signals to its child and reaps orphans"
_STAYS = "it stays and waits for its child"

_TINI = WrapperSpec(
    family="tini", kind="supervise", flags="hvwgls", values="pe", permute=True, alone=frozenset(("-h", "-l")),
    forwards=True, reaps=True, why=_INIT,
)  # fmt: skip
_CATATONIT = WrapperSpec(
    family="catatonit", kind="supervise", flags="ghLPV", long=_long("help version license pause"), permute=True,
    alone=frozenset(("-h", "-L", "-P", "-V", "--help", "--version", "--license", "--pause")),
    forwards=True, reaps=True, why=_INIT,
)  # fmt: skip
_GOSU = WrapperSpec(
    family="gosu", kind="exec", operands=1, operand_is_user=True, sets_home=True, lookup="go", alone=_HELP,
    long=_long("help version"), flags="hv",
)  # fmt: skip
_SETPRIV_LONG = _long(
    "dump nnp no-new-privs clear-groups keep-groups init-groups reset-env help version",
    "ambient-caps inh-caps bounding-set ruid euid rgid egid reuid regid groups securebits pdeathsig "
    "selinux-label apparmor-profile",
)
_SETPRIV_USERS = {"--reuid": "user", "--ruid": "user", "--euid": "user"}
_SETPRIV_GROUPS = {"--regid": "group", "--rgid": "group", "--egid": "group"}
_SU_LONG = _long(
    "login preserve-environment fast pty help version",
    "command session-command shell group supp-group whitelist-environment user",
)

_START_STOP_DAEMON = WrapperSpec(
    family="dpkg", kind="exec", flags="SKTHVtobmqvC", values="xancugrdsNPIkpROu", permute=True, usage_exit=3,
    long=_long(
        "start stop status help version test oknodo background make-pidfile quiet verbose no-close remove-pidfile "
        "notify-await", "exec startas name chuid user group chroot chdir signal nicelevel procsched iosched umask "
        "pidfile retry output pid ppid notify-timeout",
    ),
    alone=frozenset(("-K", "--stop", "-T", "--status", "-t", "--test", "-H", "--help", "-V", "--version")),
    user_options={"-c": "user", "--chuid": "user", "-g": "group", "--group": "group"},
    cwd_options=frozenset(("-d", "--chdir")), unknown_options={"-b": "detach", "--background": "detach"},
)  # fmt: skip
_START_STOP_DAEMON_BUSYBOX = WrapperSpec(
    family="busybox", kind="exec", flags="SKobmqtv", values="xancudspNR", permute=True,
    long=_long(
        "start stop oknodo background make-pidfile quiet test verbose",
        "exec startas name chuid user chdir signal pidfile nicelevel retry",
    ),
    alone=frozenset(("-K", "--stop", "-t", "--test")), user_options={"-c": "user", "--chuid": "user"},
    cwd_options=frozenset(("-d", "--chdir")), unknown_options={"-b": "detach", "--background": "detach"},
)  # fmt: skip

_SETARCH = WrapperSpec(
    family="util-linux", kind="exec", flags="BFILRSTXZv3hV", alone=_HELP | {"--list"},
    long=_long(
        "32bit fdpic-funcptrs short-inode addr-compat-layout addr-no-randomize whole-seconds sticky-timeouts "
        "read-implies-exec mmap-page-zero 3gb 4gb uname-2.6 verbose list help version",
    ),
)  # fmt: skip

SPECS: dict[tuple[str, str], WrapperSpec] = {
    ("tini", ""): _TINI,
    ("docker-init", ""): _TINI,
    ("catatonit", ""): _CATATONIT,
    ("podman-init", ""): _CATATONIT,
    ("dumb-init", ""): WrapperSpec(
        family="dumb-init", kind="supervise", flags="chvV", values="r",
        long=_long("single-child verbose help version", "rewrite"), alone=_HELP, forwards=True, reaps=True, why=_INIT,
    ),
    ("gosu", ""): _GOSU,
    ("su-exec", ""): WrapperSpec(family="su-exec", kind="exec", operands=1, operand_is_user=True, sets_home=True),
    ("chpst", ""): WrapperSpec(
        family="runit", kind="exec", flags="vVP012", values="uUbe/nlLmdopfctCr", user_options={"-u": "user"},
        cwd_options=frozenset(("-C",)), unknown_options={"-e": "env"}, alone=frozenset(("-V",)), usage_exit=100,
    ),
    ("setuidgid", ""): WrapperSpec(family="runit", kind="exec", operands=1, operand_is_user=True, usage_exit=100),
    ("s6-setuidgid", ""): WrapperSpec(family="s6", kind="exec", operands=1, operand_is_user=True, usage_exit=100),
    ("s6-envuidgid", ""): WrapperSpec(
        family="s6", kind="exec", flags="uginDB", operands=1, env_unknown=True, usage_exit=100,
    ),
    ("s6-setlock", ""): WrapperSpec(family="s6", kind="exec", flags="nNrw", values="t", operands=1, usage_exit=100),
    ("s6-setsid", ""): WrapperSpec(family="s6", kind="exec", flags="sbfgiIq", values="d", usage_exit=100),
    ("s6-applyuidgid", ""): WrapperSpec(
        family="s6", kind="exec", flags="zU", values="ugG", user_options={"-u": "user", "-g": "group"}, usage_exit=100,
    ),
    ("with-contenv", ""): WrapperSpec(family="s6", kind="exec", env_unknown=True, usage_exit=100),
    ("setpriv", ""): WrapperSpec(
        family="util-linux", kind="exec", flags="dhV", long=_SETPRIV_LONG, alone=frozenset(("-d", "--dump")) | _HELP,
        user_options=_SETPRIV_USERS | _SETPRIV_GROUPS,
    ),
    ("setpriv", "busybox"): WrapperSpec(
        family="busybox", kind="exec", flags="d", long=_long("dump nnp no-new-privs", "inh-caps ambient-caps"),
        alone=frozenset(("-d", "--dump")),
    ),
    ("env", ""): WrapperSpec(
        family="coreutils", kind="exec", flags="i0v", values="uCS", usage_exit=125,
        long=_long(
            "ignore-environment null debug help version list-signal-handling", "unset chdir split-string",
            "block-signal default-signal ignore-signal",
        ),
        alone=frozenset(("--help", "--version")),
    ),
    ("env", "busybox"): WrapperSpec(
        family="busybox", kind="exec", flags="i0", values="u", long=_long("ignore-environment null", "unset"),
    ),
    ("nice", ""): WrapperSpec(
        family="coreutils", kind="exec", values="n", long=_long("help version", "adjustment"), digits=True,
        alone=frozenset(("--help", "--version")), usage_exit=125,
    ),
    ("nice", "busybox"): WrapperSpec(family="busybox", kind="exec", values="n", digits=True),
    ("nohup", ""): WrapperSpec(
        family="coreutils", kind="exec", long=_long("help version"), alone=_HELP, usage_exit=125,
    ),
    ("nohup", "busybox"): WrapperSpec(family="busybox", kind="exec"),
    ("stdbuf", ""): WrapperSpec(
        family="coreutils", kind="exec", values="ioe", long=_long("help version", "input output error"), alone=_HELP,
        usage_exit=125,
    ),
    ("timeout", ""): WrapperSpec(
        family="coreutils", kind="fork", flags="v", values="ks", operands=1, usage_exit=125,
        long=_long("preserve-status foreground verbose help version", "kill-after signal"), alone=_HELP,
        forwards=True, why="it stays to watch the clock and passes signals on",
    ),
    ("timeout", "busybox"): WrapperSpec(family="busybox", kind="exec", values="sk", operands=1),
    ("chroot", ""): WrapperSpec(
        family="coreutils", kind="exec", operands=1, usage_exit=125,
        long=_long("skip-chdir help version", "groups userspec"), alone=_HELP, user_options={"--userspec": "user"},
    ),
    ("chroot", "busybox"): WrapperSpec(family="busybox", kind="exec", operands=1),
    ("ionice", ""): WrapperSpec(
        family="util-linux", kind="exec", flags="thV", values="cnpPu",
        long=_long("ignore help version", "class classdata pid pgid uid"),
        alone=frozenset(("-p", "-P", "-u", "--pid", "--pgid", "--uid")) | _HELP,
    ),
    ("ionice", "busybox"): WrapperSpec(
        family="busybox", kind="exec", flags="t", values="cnp", alone=frozenset(("-p",))
    ),
    ("prlimit", ""): WrapperSpec(
        family="util-linux", kind="exec", flags="hV", values="po", optional="cdefilmnqrstuvxy",
        long=_long(
            "help version noheadings raw verbose", "pid output",
            "core data nice fsize sigpending memlock rss nofile msgqueue rtprio stack cpu nproc as locks rttime",
        ),
        alone=frozenset(("-p", "--pid")) | _HELP,
    ),
    ("taskset", ""): WrapperSpec(
        family="util-linux", kind="exec", flags="achV", values="p", operands=1,
        long=_long("all-tasks cpu-list help version", "pid"), alone=frozenset(("-p", "--pid")) | _HELP,
    ),
    ("taskset", "busybox"): WrapperSpec(family="busybox", kind="exec", flags="ac", values="p", operands=1),
    ("setsid", ""): WrapperSpec(
        family="util-linux", kind="exec", flags="cfwhV", long=_long("ctty fork wait help version"), alone=_HELP,
        unknown_options={"-f": "detach", "--fork": "detach"},
    ),
    ("setsid", "busybox"): WrapperSpec(family="busybox", kind="exec", flags="c"),
    ("setarch", ""): _SETARCH,
    ("linux32", ""): _SETARCH,
    ("linux64", ""): _SETARCH,
    ("flock", ""): WrapperSpec(
        family="util-linux", kind="fork", flags="sxunoFhV", values="wE", operands=1, usage_exit=64,
        long=_long("shared exclusive unlock nonblock close no-fork verbose help version", "wait conflict-exit-code"),
        alone=_HELP, why=_STAYS, unknown_options={"-F": "exec", "--no-fork": "exec"},
    ),
    ("chrt", ""): WrapperSpec(
        family="util-linux", kind="exec", flags="abdfimoRrvGhV", values="DPpT", operands=1,
        long=_long(
            "all-tasks batch deadline fifo idle max other reset-on-fork rr verbose help version",
            "pid sched-deadline sched-period sched-runtime",
        ),
        alone=frozenset(("-m", "--max", "-p", "--pid")) | _HELP,
    ),
    ("choom", ""): WrapperSpec(
        family="util-linux", kind="exec", flags="hV", values="np", long=_long("help version", "adjust pid"),
        alone=frozenset(("-p", "--pid")) | _HELP,
    ),
    ("start-stop-daemon", ""): _START_STOP_DAEMON,
    ("start-stop-daemon", "busybox"): _START_STOP_DAEMON_BUSYBOX,
    ("su", ""): WrapperSpec(
        family="util-linux", kind="fork", flags="lmpfPhV", values="csgGw", long=_SU_LONG, why=_STAYS
    ),
    ("su", "busybox"): WrapperSpec(family="busybox", kind="exec", flags="lmp", values="cs"),
    ("runuser", ""): WrapperSpec(
        family="util-linux", kind="fork", flags="lmpfPhV", values="csgGwu", long=_SU_LONG, why=_STAYS,
    ),
    ("capsh", ""): WrapperSpec(family="capsh", kind="exec", lookup="execve"),
    ("doas", ""): WrapperSpec(
        family="doas", kind="fork", flags="Lns", values="uC", user_options={"-u": "user"}, env_unknown=True,
        alone=frozenset(("-L", "-C")), forwards=True, why="it stays to close the session",
    ),
    ("sudo", ""): WrapperSpec(
        family="sudo", kind="fork", flags="ABbEHnPSkKNisVv", values="CDRghpTtUur", lookup="sudo", env_unknown=True,
        long=_long(
            "askpass background bell set-home non-interactive preserve-groups stdin reset-timestamp login shell "
            "version validate", "close-from chdir chroot group host prompt command-timeout type other-user user role",
            "preserve-env",
        ),
        user_options={"-u": "user", "--user": "user", "-g": "group", "--group": "group"},
        cwd_options=frozenset(("-D", "--chdir")), alone=frozenset(("-V", "--version", "-v", "-k", "-K")),
        forwards=True, why="it stays to close the session and passes signals on",
    ),
}  # fmt: skip
"""By (name, family); family "" is the usual package, "busybox" the applet."""
