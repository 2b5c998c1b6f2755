"""Programs that start another program: which argv they pass on, whether they stay, and what they say when it fails.

`unwrap` reads an argument vector as the wrapper itself would.  Grammar, process behaviour and texts were measured with
tini 0.19, dumb-init 1.2.5, catatonit 0.1.7, gosu 1.14, runit 2.1.2, coreutils 9.1, util-linux 2.38, sudo 1.9 and
busybox 1.35; su-exec and the s6 tools follow their sources.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from imagepeel.evidence import raw
from imagepeel.process.spec.failure import Failure, FailureCode, Judge
from imagepeel.process.wrappers.env import read_env
from imagepeel.process.wrappers.specs import SPECS, UNFOLLOWED, Package, WrapperKind, WrapperSpec
from imagepeel.process.wrappers.values import Wrapped as Wrapped
from imagepeel.process.wrappers.values import getopt
from imagepeel.tables import ERRNO_DJB, ERRNO_LIBC, ERRNO_MUSL, ErrnoName

_MAX_ARGS = 10_000

Libc = Literal["glibc", "musl"]
"""Whose `execvp` a program calls, and whose words it says for an errno."""


class ExecvpResult(msgspec.Struct, frozen=True, kw_only=True):
    """Where the C library's `execvp` ends."""

    path: str
    """The path that runs; "" when none does."""
    errno: ErrnoName
    """The error of a call that failed, else ""."""
    tried: tuple[tuple[str, ErrnoName], ...]
    """Each path that was tried, with the error that its `execve` gave ("" for none)."""
    shell: bool = False
    """`/bin/sh PATH` runs instead of the path itself."""


def program_of(real: str, argv: Sequence[str]) -> tuple[str, Package, int] | None:
    """(wrapper's name, family, number of words that name it) of a program; None for others.

    `real` is the canonical path, `argv` the vector.  A busybox applet is named by argv[0] or by the word behind
    `busybox`; family is "busybox" for those, else that of the usual package.
    """
    if not argv:
        return None
    base = real.rsplit("/", 1)[-1]
    called = argv[0].rsplit("/", 1)[-1]
    if base.startswith("busybox") or base == "bbsuid":
        if called.startswith("busybox"):
            if len(argv) < 2:
                return None
            return argv[1].rsplit("/", 1)[-1], "busybox", 2
        return called, "busybox", 1
    if base.startswith("coreutils"):
        return called, "coreutils", 1
    # One program may serve several names (setarch, linux64), so the name it is called by comes first.
    for name in (called, base):
        stem = next((item for item in ("tini", "dumb-init", "catatonit", "gosu") if name.startswith(item + "-")), "")
        name = stem or name
        if (name, "") in SPECS:
            return name, SPECS[(name, "")].family, 1
    return None


def unwrap(
    argv: Sequence[str], *, real: str = "", env: Mapping[str, str] | None = None, libc: str = "", leader: bool = True
) -> Wrapped | None:
    """Read a wrapper's arguments; None when the program is no known wrapper.

    `argv` is the whole vector and `real` the canonical path of the program (default: argv[0]).  `env` is needed for
    `env -S`; `libc` is "glibc" or "musl" when known: the inits read options behind the program with glibc's
    getopt.  `leader` tells that it leads its process group, as process 1 of a container does.
    """
    if not argv or len(argv) > _MAX_ARGS:
        return None
    known = program_of(real or argv[0], argv)
    if known is None:
        directory, _, base = (real or argv[0]).rpartition("/")
        there = base in UNFOLLOWED and directory.rpartition("/")[2] in _OF_SYSTEMS
        return _unfollowed(base) if there and len(argv) > 1 else None
    name, family, words = known
    spec = SPECS.get((name, family)) or (SPECS.get((name, "")) if family != "busybox" else None)
    if spec is None:  # an applet
        return _unfollowed(name) if name in UNFOLLOWED or (name, "") in SPECS else None
    words_left = list(argv[words:])
    if name == "env":
        return read_env(words_left, spec, family, env or {})
    if name == "capsh":
        return _capsh(words_left)
    if name in ("su", "runuser"):
        return _su(name, family, words_left, spec, libc)
    if argv[0].rsplit("/", 1)[-1] == "setarch" and words_left and not words_left[0].startswith("-"):
        words_left = words_left[1:]  # the architecture, before its options
    try:
        options, rest = getopt(words_left, spec, permute=spec.permute and libc != "musl")
    except ValueError as error:
        why = f"{name} refuses its options: {error}"
        return Wrapped(program=name, family=family, kind="none", why=why, failure_exit=spec.usage_exit)
    if any(option in spec.alone for option, _ in options):
        return Wrapped(program=name, family=family, kind="none", why=f"{name} only reports something")
    if name == "start-stop-daemon":
        program = next((value for option, value in options if option in ("-a", "--startas")), "")
        rest = [program or next((value for option, value in options if option in ("-x", "--exec")), ""), *rest]
        rest = rest if any(option in _MATCHES for option, _ in options) else []
    operands, rest = rest[: spec.operands], rest[spec.operands :]
    if len(operands) < spec.operands or not rest:
        return Wrapped(
            program=name, family=family, kind="none", why=f"{name} is given no command", failure_exit=spec.usage_exit
        )
    call = _Call(
        name=name, family=family, spec=spec, options=options, operands=operands, rest=rest, leader=leader,
        shell=(env or {}).get("SHELL", ""),
    )  # fmt: skip
    return _effects(call)


_OF_SYSTEMS = frozenset(("bin", "sbin", "command"))
"""Directories in which a name is that of a system's program."""


def _unfollowed(name: str) -> Wrapped:
    """A program that starts another one in a way that is not followed."""
    why = f"{name} starts another program, in a way that is not followed"
    return Wrapped(program=name, family="util-linux", kind="unknown", why=why)


_MATCHES = frozenset(("-x", "--exec", "-p", "--pidfile", "--pid", "--ppid", "-u", "--user", "-n", "--name"))
"""Options by which start-stop-daemon finds a running process: it wants one of them, also to start."""


class _Call(msgspec.Struct, frozen=True, kw_only=True):
    """A wrapper's own words, read by its grammar."""

    name: str
    family: Package
    spec: WrapperSpec
    options: list[tuple[str, str]]
    operands: list[str]
    rest: list[str]
    """The command and its arguments."""
    leader: bool
    """The wrapper leads its process group."""
    shell: str
    """The variable SHELL."""

    def values(self, *names: str) -> list[str]:
        """The values of these options, in the order given."""
        return [value for option, value in self.options if option in names]


def _effects(call: _Call) -> Wrapped:
    spec = call.spec
    user = call.operands[0] if spec.operand_is_user else ""
    ids = {spec.user_options[option]: value for option, value in call.options if option in spec.user_options}
    if ids:
        user = ids.get("user", "") + (f":{ids['group']}" if ids.get("group") else "")
    effects = [spec.unknown_options[option] for option, _ in call.options if option in spec.unknown_options]
    wrapped = Wrapped(
        program=call.name,
        family=call.family,
        kind=next((effect for effect in reversed(effects) if effect != "env"), spec.kind),
        argv=tuple(call.rest),
        forwards=spec.forwards,
        reaps=spec.reaps,
        lookup=spec.lookup,
        env_unknown=spec.env_unknown or "env" in effects,
        cwd=next(iter(reversed(call.values(*spec.cwd_options))), ""),
        user=user,
        sets_home=spec.sets_home,
        needs_pid1=spec.needs_pid1,
        options=tuple(f"{option} {value}" if value else option for option, value in call.options),
        operands=tuple(call.operands),
        why=spec.why,
    )
    own = _OWN_EFFECTS.get(call.name)
    return wrapped if own is None else msgspec.structs.replace(wrapped, **own(call, wrapped))


def _chpst(call: _Call, wrapped: Wrapped) -> dict[str, Any]:
    return {"argv0": "".join(call.values("-b")[-1:]), "root": "".join(call.values("-/")[-1:])}


def _chroot(call: _Call, wrapped: Wrapped) -> dict[str, Any]:
    return {"root": call.operands[0]}


def _doas(call: _Call, wrapped: Wrapped) -> dict[str, Any]:
    return {"user": wrapped.user or "root"}


def _dumb_init(call: _Call, wrapped: Wrapped) -> dict[str, Any]:
    signals: dict[str, str] = {}
    for value in call.values("-r", "--rewrite"):
        left, _, right = value.partition(":")
        signals[left] = right
    if not signals:
        return {}
    pairs = ", ".join(f"{left} to {right}" for left, right in signals.items())
    return {"signals": signals, "why": f"{wrapped.why}; it rewrites signals {pairs}"}


def _flock(call: _Call, wrapped: Wrapped) -> dict[str, Any]:
    """Behind the file, and only there, `-c LINE` is a line for the shell that SHELL names."""
    if call.rest[0] not in ("-c", "--command"):
        return {}
    if len(call.rest) != 2:
        return {"kind": "none", "why": "flock takes one argument behind -c", "failure_exit": 64}
    return {"argv": (call.shell or "/bin/sh", "-c", call.rest[1])}


def _setpriv(call: _Call, wrapped: Wrapped) -> dict[str, Any]:
    return {"env_clear": True, "env_unknown": True} if call.values("--reset-env") else {}


def _setsid(call: _Call, wrapped: Wrapped) -> dict[str, Any]:
    if not call.leader or wrapped.kind != "exec":
        return {}
    # The leader of a process group cannot call setsid(2): a child has to do it.
    return {
        "kind": "fork" if call.values("-w", "--wait") else "detach",
        "why": "a group leader cannot start a session, so setsid forks and its parent ends",
    }


def _sudo(call: _Call, wrapped: Wrapped) -> dict[str, Any]:
    env: dict[str, str | None] = {}
    rest = call.rest
    while rest and "=" in rest[0]:
        key, _, value = rest[0].partition("=")
        env[key] = value
        rest = rest[1:]
    return {"argv": tuple(rest), "env": env, "user": wrapped.user or "root"}


_OWN_EFFECTS: dict[str, Callable[[_Call, Wrapped], dict[str, Any]]] = {
    "chpst": _chpst,
    "chroot": _chroot,
    "doas": _doas,
    "dumb-init": _dumb_init,
    "flock": _flock,
    "setpriv": _setpriv,
    "setsid": _setsid,
    "sudo": _sudo,
}
"""What these wrappers do that the grammar does not say: the fields of `Wrapped` that change."""


_CAPSH_ALONE = (
    "--print",
    "--current",
    "--help",
    "--license",
    "--mode",
    "--modes",
    "--decode",
    "--explain",
    "--suggest",
)


def _capsh(words: list[str]) -> Wrapped:
    """`capsh OPTIONS -- ARGUMENTS` runs /bin/bash with these; `==` is capsh once more, which goes on as before."""
    options: list[str] = []
    shell = "/bin/bash"
    for at, word in enumerate(words):
        if word == "--":
            argv = (shell, *words[at + 1 :])
            return Wrapped(
                program="capsh", family="capsh", kind="exec", argv=argv, lookup="execve", options=tuple(options)
            )
        if word in ("-+", "=+"):
            return Wrapped(program="capsh", family="capsh", kind="unknown", why=f"what capsh does with {word}")
        if word.startswith("--shell="):
            shell = word.partition("=")[2]
        elif word == "==":
            shell = "/bin/bash"
        elif word.partition("=")[0] not in _CAPSH_ALONE:
            options.append(word)
    return Wrapped(program="capsh", family="capsh", kind="none", why="capsh is given no command")


def _su(name: str, family: Package, words: list[str], spec: WrapperSpec, libc: str) -> Wrapped:
    """`su` and `runuser`: a shell of the user, or with `runuser -u` the command itself."""
    try:
        options, rest = getopt(words, spec, permute=family != "busybox" or libc != "musl")
    except ValueError as error:
        why = f"{name} refuses its options: {error}"
        return Wrapped(program=name, family=family, kind="none", why=why, failure_exit=1)
    given = dict(options)
    login = "-l" in given or "--login" in given
    if rest and rest[0] == "-":
        login, rest = True, rest[1:]
    kind: WrapperKind = "exec" if family == "busybox" else "fork"
    why = "" if kind == "exec" else f"{name} stays to close the session"
    shown = tuple(f"{option} {value}".strip() for option, value in options)
    if name == "runuser" and ("-u" in given or "--user" in given):
        user = given.get("-u") or given.get("--user", "")
        if not rest:
            return Wrapped(program=name, family=family, kind="none", why="runuser is given no command", failure_exit=1)
        return Wrapped(
            program=name,
            family=family,
            kind="fork",
            argv=tuple(rest),
            user=user,
            sets_home=True,
            why=why,
            options=shown,
        )
    user, more = (rest[0], rest[1:]) if rest else ("root", [])
    shell = given.get("-s") or given.get("--shell", "")
    command = given.get("-c") or given.get("--command") or given.get("--session-command")
    argv = (shell or USER_SHELL, *(("-c", command) if command is not None else ()), *more)
    if not shell:
        why = f"{why}; it runs the shell that passwd names for the user".lstrip("; ")
    keeps = any(option in given for option in ("-m", "-p", "--preserve-environment"))
    return Wrapped(
        program=name,
        family=family,
        kind=kind,
        argv=argv,
        user=user,
        shell=shell,
        login=login,
        sets_home=not keeps,
        env_unknown=not keeps,
        env_clear=login,
        why=why,
        options=shown,
    )


USER_SHELL = "the user's shell"
"""Stands in `Wrapped.argv` for a shell whose path passwd has."""


def with_shell(wrapped: Wrapped, of_passwd: str) -> Wrapped:
    """What `su` runs once the user is known: a shell gets the last part of its path for its name, `-sh` for a login."""
    shell = wrapped.shell or of_passwd or "/bin/sh"
    name = shell.rsplit("/", 1)[-1]
    argv = (shell, *wrapped.argv[1:])
    return msgspec.structs.replace(wrapped, argv=argv, argv0=f"-{name}" if wrapped.login else name)


def is_s6_init(text: bytes) -> bool:
    """A file `/init` that belongs to s6-overlay: it demands to be process 1 (INIT_NOT_FIRST)."""
    return b"s6-overlay" in text[:65_536] or b"s6-linux-init" in text[:65_536]


S6_NOT_PID1 = Failure(
    code=FailureCode.INIT_NOT_FIRST,
    judge=Judge.USERLAND,
    message="s6-overlay-suexec: fatal: can only run as pid 1",
    exit_code=100,
    why="s6-overlay's /init has to be process 1; --init takes that place",
    fix="start it without --init",
)
"""What s6-overlay says and returns under another init."""

INIT_PID = "7"
"""The number that an init names in its errors: its child's, which is mostly 7 in a fresh container."""


def execvp(name: str, path: str | None, attempt: Callable[[str], ErrnoName], *, libc: Libc = "glibc") -> ExecvpResult:
    """Search and execute as the C library's `execvp` does.

    `path` is the value of PATH, None when unset; `attempt(candidate)` tells the errno name that `execve` would
    give, "" when it works.  `libc` is "glibc" or "musl".  glibc runs a file that the kernel does not understand
    (ENOEXEC) by `/bin/sh`, musl does not.  Sources: posix/execvpe.c and src/process/execvp.c.
    """
    if not name:
        return ExecvpResult(path="", errno="ENOENT", tried=())
    if "/" in name:
        errno = attempt(name)
        shell = errno == "ENOEXEC" and libc == "glibc"
        return ExecvpResult(
            path=name if shell or not errno else "", errno="" if shell else errno, tried=((name, errno),), shell=shell
        )
    if path is None:
        path = "/usr/local/bin:/bin:/usr/bin" if libc == "musl" else "/bin:/usr/bin"
    tried: list[tuple[str, ErrnoName]] = []
    denied = False
    last: ErrnoName = "ENOENT"
    passed = ("ENOENT", "ENOTDIR", "EACCES") if libc == "musl" else ("ENOENT", "ENOTDIR", "EACCES", "ENODEV")
    for directory in path.split(":"):
        candidate = f"{directory}/{name}" if directory else name
        errno = attempt(candidate)
        tried.append((candidate, errno))
        if not errno:
            return ExecvpResult(path=candidate, errno="", tried=tuple(tried))
        if errno == "ENOEXEC" and libc == "glibc":
            return ExecvpResult(path=candidate, errno="", tried=tuple(tried), shell=True)
        last = errno
        if errno not in passed:
            return ExecvpResult(path="", errno=errno, tried=tuple(tried))
        denied = denied or errno == "EACCES"
    return ExecvpResult(path="", errno="EACCES" if denied else last, tried=tuple(tried))


def failure(
    wrapped: Wrapped,
    errno: ErrnoName,
    *,
    called: str = "",
    libc: Libc = "glibc",
    utf8: bool = False,
    pid: str = INIT_PID,
) -> Failure:
    """The failure of a wrapper whose command does not start, in its words and with its exit code; no reason yet.

    `errno` is the symbolic error and `called` the wrapper's argv[0], with which coreutils name themselves (other
    programs use the last part of it, or a word of their own).  `libc` has the words of errno; `utf8` tells that the
    locale makes coreutils use curly quotes; `pid` is the number that inits print.
    Source: measured with the versions named at the top; the words of musl with programs linked to musl 1.2.3.
    """
    tool = wrapped.kind == "exec" and wrapped.family in {"coreutils", "busybox", "util-linux"}
    code = FailureCode.TOOL_FAILS if tool or wrapped.program == "timeout" else FailureCode.WRAPPER_FAILS
    said = (ERRNO_MUSL if libc == "musl" else ERRNO_LIBC).get(errno, errno)
    if wrapped.family == "coreutils":
        message = _coreutils(wrapped, errno, said, called or wrapped.program, utf8)
    else:
        message = _own_words(wrapped, errno, said, pid)
    return Failure(code=code, judge=Judge.USERLAND, errno=errno, message=message, exit_code=_exit_code(wrapped, errno))


def _exit_code(wrapped: Wrapped, errno: ErrnoName) -> int:
    program = wrapped.program
    if wrapped.family == "busybox":
        program = ""
    if program == "start-stop-daemon":
        return 2
    if program in _FIXED_EXIT and wrapped.shell is None:
        return _FIXED_EXIT[program]
    if errno == "ENOENT":
        return 127
    return 1 if program in ("tini", "docker-init") and errno != "EACCES" else 126


_FIXED_EXIT = {
    "dumb-init": 2, "catatonit": 1, "podman-init": 1, "gosu": 1, "su-exec": 1, "chpst": 111, "sudo": 1, "runuser": 1,
    "flock": 69, "capsh": 1, "doas": 1,
}  # fmt: skip
"""Exit codes that do not depend on the error; the others follow the shell, 127 for what is not there and 126."""


def _coreutils(wrapped: Wrapped, errno: ErrnoName, said: str, called: str, utf8: bool) -> str:
    name = wrapped.argv[0]
    quoted = coreutils_quote(name)
    if utf8 and quoted == f"'{name}'":
        quoted = f"\u2018{name}\u2019"
    if wrapped.program not in ("env", "nice"):
        return f"{called}: failed to run command {quoted}: {said}"
    words = f"{called}: {quoted}: {said}"
    if wrapped.program == "env" and errno == "ENOENT" and any(char in name for char in " \t\n\v\f\r"):
        words += f"\n{called}: use -[v]S to pass options in shebang lines"
    return words


def _own_words(wrapped: Wrapped, errno: ErrnoName, said: str, pid: str) -> str:
    """What programs say that name themselves without a directory."""
    program, name = wrapped.program, wrapped.argv[0]
    if wrapped.family == "imagepeel":
        return f"{program}: the program cannot be run"
    if wrapped.family == "busybox":
        return f"{program}: can't execute '{name}': {said}"
    if program in ("tini", "docker-init"):
        return f"[FATAL tini ({pid})] exec {name} failed: {said}"
    if program == "dumb-init":
        return f"[dumb-init] {name}: {said}"
    if program in ("catatonit", "podman-init"):
        return f"ERROR (catatonit:{pid}): failed to exec pid1: {said}"
    if program == "gosu":
        return f"error: {_gosu(name, errno)}"
    if program == "su-exec":
        return f"su-exec: {name}: {said}"
    if program == "chpst":
        return f"chpst: fatal: unable to run: {name}: {ERRNO_DJB.get(errno, said.lower())}"
    if program == "s6-setuidgid":
        return f"s6-applyuidgid: fatal: unable to exec {name}: {said}"
    if wrapped.family == "execline" and program in ("cd", "umask"):
        program = f"execline-{program}"
    if program.startswith("s6-") or program == "with-contenv" or wrapped.family == "execline":
        return f"{program}: fatal: unable to exec {name}: {said}"
    if program == "start-stop-daemon" and errno == "ENOENT":
        return f"start-stop-daemon: unable to stat {name} ({said})"
    if program in ("sudo", "doas"):
        return f"{program}: {name}: command not found"
    if program == "capsh":
        return f"execve '{name}' failed!"
    return f"{program}: failed to execute {name}: {said}"


def _gosu(name: str, errno: ErrnoName) -> str:
    if errno == "ENOEXEC":
        return "exec failed: exec format error"
    if errno == "ENOENT" and "/" not in name:
        return f'exec: "{name}": executable file not found in $PATH'
    if errno == "ENOENT":
        return f'exec: "{name}": stat {name}: no such file or directory'
    return f'exec: "{name}": {ERRNO_LIBC.get(errno, errno).lower()}'


def gosu_user_failure(user: str, cause: Failure) -> Failure:
    """gosu cannot resolve the user; `cause` is the refusal of the Go library that engines use too."""
    return msgspec.structs.replace(
        cause,
        code=FailureCode.WRAPPER_FAILS,
        judge=Judge.USERLAND,
        message=f'error: failed switching to "{user}": {cause.message}',
        exit_code=1,
        why=f"gosu cannot switch to the user {user}",
        fix=f"add the user {user} to /etc/passwd of the image",
    )


def coreutils_quote(word: str) -> str:
    """A word as coreutils quotes it in the C locale: C escapes, other bytes in octal."""
    short = {7: "\\a", 8: "\\b", 9: "\\t", 10: "\\n", 11: "\\v", 12: "\\f", 13: "\\r", 39: "\\'", 92: "\\\\"}
    shown = [
        short.get(byte) or (chr(byte) if 32 <= byte < 127 else f"\\{byte:03o}")
        for byte in raw(word)
    ]  # fmt: skip
    return "'" + "".join(shown) + "'"
