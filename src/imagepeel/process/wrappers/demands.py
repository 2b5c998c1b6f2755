"""What wrappers ask for before their command: files, directories, other programs, rights; and who does not get it.

Sources: those of `arguments`, and runit 2.1.2 and daemontools 0.76 of Debian 12.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from imagepeel._lazy import late
from imagepeel.evidence import text
from imagepeel.process.engines.capabilities import ALL_CAPABILITIES
from imagepeel.process.engines.pid1 import SIGNALS
from imagepeel.process.spec.access import READ, WRITE
from imagepeel.process.spec.failure import Failure, Unproved
from imagepeel.process.wrappers import arguments, personality, scheduling
from imagepeel.process.wrappers.accounts import Accounts
from imagepeel.process.wrappers.asking import Answer, Asking
from imagepeel.process.wrappers.programs import coreutils_quote
from imagepeel.tables import ERRNO_DJB, ERRNO_LIBC, ErrnoName

_READ_MOST = 4 << 20
"""Bytes of a program that are searched for the paths in it."""


def asked(asking: Asking) -> Answer:
    """Return why a wrapper ends before its command, or else what of the host it takes, "" for nothing.

    Its words come first and its files after them; who it may become is asked elsewhere.
    """
    takes = []
    for demand in _DEMANDS.get(asking.wrapped.program, ()):
        answer = demand(asking)
        if not isinstance(answer, str):
            return answer
        takes.append(answer)
    return next(filter(None, takes), "")


def _words(errno: ErrnoName) -> str:
    return ERRNO_LIBC.get(errno, errno)


# -- directories ------------------------------------------------------------------------------------------------


def _directory(asking: Asking, path: str, words: Callable[[ErrnoName], str], exit_code: int) -> Answer:
    errno = asking.enters(path)
    if errno is None:
        return ""
    fix = f"let it name a directory that uid {asking.state.after.uid} may enter"
    if not errno:
        return ""
    return asking.of_files(path, errno, lambda why: asking.fails(words(errno), exit_code, why, fix, errno))


def _shown(path: str) -> str:
    """A file's name as coreutils quote it, which a shell can read: in the same way in every locale (seen)."""
    if path.isascii() and path.isprintable() and "'" not in path:
        return f"'{path}'"
    return f'"{path}"' if "'" in path and not {*'"$`\\!'} & {*path} else coreutils_quote(path)


def _env(asking: Asking) -> Answer:
    path = asking.last("-C", "--chdir")
    if path is None:
        return ""
    said = f"{asking.called}: cannot change directory to {_shown(path)}"
    return _directory(asking, path, lambda errno: f"{said}: {_words(errno)}", 125)


def _chroot(asking: Asking) -> Answer:
    """The directory comes before the right to it."""
    root = asking.wrapped.root
    if asking.has("--skip-chdir") and root != "/":
        return asking.usage("option --skip-chdir only permitted if NEWROOT is old '/'", 125, f"{root} is not /")
    said = f"{asking.called}: cannot change root directory to {_shown(root)}"
    return _directory(asking, root, lambda errno: f"{said}: {_words(errno)}", 125)


def _start_stop_daemon(asking: Asking) -> Answer:
    if asking.has("-m", "--make-pidfile"):
        path = asking.last("-p", "--pidfile")
        if path is None:
            words = "start-stop-daemon: --make-pidfile requires --pidfile"
            more = "Try 'start-stop-daemon --help' for more information."
            return asking.fails(f"{words}\n{more}", 3, "it is to write its number, and given no file")
        if asking.wrapped.user:
            return Unproved(reason=f"whether start-stop-daemon may write {path} as {asking.wrapped.user}")
        said = f"start-stop-daemon: unable to open pidfile '{path}' for writing"
        answer = _file(asking, path, WRITE, lambda errno: (f"{said} ({_words(errno)})", 2))
        if not isinstance(answer, str):
            return answer
    path = asking.wrapped.cwd
    if not path:
        return ""
    said = f"start-stop-daemon: unable to chdir() to {path}"
    return _directory(asking, path, lambda errno: f"{said} ({_words(errno)})", 2)


# -- files ------------------------------------------------------------------------------------------------------


def _file(asking: Asking, path: str, wanted: int, words: Callable[[ErrnoName], tuple[str, int]]) -> Answer:
    """A file that it opens and makes where it is not there."""
    errno = asking.opens(path, wanted)
    if errno is None:
        return asking.image.volume_refuses(path, asking.state.cwd)
    if not errno:
        node = asking.rootfs.resolve(path, cwd=asking.state.cwd).node
        if node is not None and node.kind == "fifo":
            return Unproved(reason=f"{path} is a pipe: {asking.wrapped.program} waits until somebody else opens it")
        return ""
    said, exit_code = words(errno)
    fix = f"let {path} name a file that uid {asking.state.after.uid} may open, in a directory that is there"
    return asking.of_files(path, errno, lambda why: asking.fails(said, exit_code, why, fix, errno))


def _flock(asking: Asking) -> Answer:
    path = asking.wrapped.operands[0]
    said = f"flock: cannot open lock file {path}"
    return _file(asking, path, READ, lambda errno: (f"{said}: {_words(errno)}", 73 if errno == "EROFS" else 66))


def _s6_setlock(asking: Asking) -> Answer:
    if asking.has("-t"):
        return Unproved(reason="s6-setlock -t starts a helper that is not followed")
    path = asking.wrapped.operands[0]
    wanted, verb, end = (READ, "create", "") if asking.has("-r") else (WRITE, "open", " for writing")
    said = f"s6-setlock: fatal: unable to {verb} {path}{end}"
    if asking.has("-r") and asking.rootfs.resolve(path, cwd=asking.state.cwd).node is not None:
        said = f"s6-setlock: fatal: unable to open {path} for reading"
    return _file(asking, path, wanted, lambda errno: (f"{said}: {_words(errno)}", 111))


def _chpst(asking: Asking) -> Answer:
    """The last directory of variables and the last lock; runit has words of its own for an errno."""
    lock = asking.last("-l", "-L")
    variables = asking.last("-e")
    nice = asking.last("-n")
    if lock is not None:
        said = f"chpst: fatal: unable to open lock: {lock}: "
        answer = _file(asking, lock, WRITE, lambda errno: (said + _djb(errno), 111))
        if not isinstance(answer, str):
            return answer
    if variables is not None:
        said = f"chpst: fatal: unable to switch to directory: {variables}: "
        answer = _directory(asking, variables, lambda errno: said + _djb(errno), 111)
        if not isinstance(answer, str):
            return answer
    if nice is not None and nice.startswith("-") and "SYS_NICE" not in asking.state.after.capabilities:
        return Unproved(reason=f"chpst asks for the priority {nice} without CAP_SYS_NICE, and the one it has decides")
    return ""


def _djb(errno: ErrnoName) -> str:
    return ERRNO_DJB.get(errno, _words(errno).lower())


# -- other programs ---------------------------------------------------------------------------------------------


def _bytes_of(asking: Asking) -> bytes:
    found = asking.rootfs.resolve(asking.program)
    if found.node is None or not found.node.is_file:
        return b""
    return asking.rootfs.read(found.path, 0, min(found.node.size, _READ_MOST))


_LIBSTDBUF = "/usr/libexec/coreutils"


def _stdbuf(asking: Asking) -> Answer:
    """A library that it looks for beside itself and where it was built for."""
    directory = text(asking.program).rpartition("/")[0]
    if any(asking.rootfs.resolve(f"{place}/libstdbuf.so").node is not None for place in (directory, _LIBSTDBUF)):
        return ""
    if b"%s\0" % _LIBSTDBUF.encode() not in _bytes_of(asking):
        return Unproved(reason="stdbuf needs libstdbuf.so, and where this build looks for it is not known")
    why = f"it needs libstdbuf.so, which is neither in {directory} nor in {_LIBSTDBUF}"
    if asking.state.changed:
        return Unproved(reason=f"stdbuf: {why}, unless what ran before has put it there")
    return asking.refuses(f"failed to find {asking.quoted('libstdbuf.so')}", 125, why)


_HELPER = late(rb"\0(/[\x21-\x7e]{0,200}/)?(s6-(?:env|apply)uidgid)\0")
_IDS = late(r"\d+(?::\d+)?(?::[\d,]*)?|:\d.*", re.S)


def _s6_setuidgid(asking: Asking) -> Answer:
    """It becomes one or two other programs before its command, at paths that were built into it."""
    built = {match[2].decode(): (match[1] or b"").decode() for match in _HELPER.finditer(_bytes_of(asking))}
    user = asking.wrapped.user
    names = ["s6-envuidgid", "s6-applyuidgid"]
    if ":" in user and _IDS.fullmatch(user):
        names = names[1:]
    elif Accounts(asking.rootfs).user(user) is None:
        names = names[:1]  # it goes no further
    teller = "s6-setuidgid"
    for name in names:
        where = built.get(name, "")
        if not where:
            return ""  # a name that is searched, in a build that was not measured
        errno = asking.starts(where + name)
        if isinstance(errno, Failure):
            return errno
        if errno is None:
            return Unproved(reason=f"whether {where}{name} starts, which s6-setuidgid becomes, is not known")
        if errno:
            said = f"{teller}: fatal: unable to exec {where}{name}: {_words(errno)}"
            why = f"it becomes {where}{name} first, and that is not to be executed: {_words(errno)}"
            code, fix = 127 if errno == "ENOENT" else 126, f"add {name} to the image at {where}{name}"
            return asking.fails(said, code, why, fix, errno)
        teller = name
    return ""


def _s6_envuidgid(asking: Asking) -> Answer:
    user = asking.wrapped.operands[0]
    if ":" in user or asking.given or Accounts(asking.rootfs).user(user) is not None:
        return ""
    return asking.fails(f"s6-envuidgid: fatal: unknown user: {user}", 1, f"the image has no user {user}")


# -- rights -----------------------------------------------------------------------------------------------------

_CAPABILITY_SETS = ("--inh-caps", "--ambient-caps", "--bounding-set")


def _setpriv(asking: Asking) -> Answer:
    """What it asks for that was not followed; its users and groups are judged where it switches to them."""
    for name, value in asking.given:
        if name == "--pdeathsig" and (value in ("keep", "clear") or value.upper().removeprefix("SIG") in SIGNALS):
            continue
        if name in ("--selinux-label", "--apparmor-profile", "--securebits", "--pdeathsig"):
            return Unproved(reason=f"whether setpriv gets what it asks for with {name} {value} is not followed")
        if name not in _CAPABILITY_SETS:
            continue
        asks = [word for word in value.split(",") if word]
        odd = next((word[1:] for word in asks if word[1:] not in _CAPABILITIES and word[1:] != "all"), None)
        if odd is not None:
            return Unproved(reason=f"whether setpriv knows the capability {odd} is not followed")
        held = {capability.lower() for capability in asking.state.after.capabilities}
        more = next((word[1:] for word in asks if word[0] == "+" and word[1:] not in held), None)
        if more is not None:
            return Unproved(reason=f"whether setpriv may add the capability {more} is not followed")
    return ""


_CAPABILITIES = frozenset(name.lower() for name in ALL_CAPABILITIES)


def _s6_setsid(asking: Asking) -> Answer:
    """The leader of a process group has a session, and cannot start one."""
    if not asking.state.first:
        return Unproved(reason="whether s6-setsid gets a session depends on who started it") if asking.given else ""
    if asking.has("-i"):
        words = "s6-setsid: fatal: unable to setsid: Operation not permitted"
        return asking.fails(words, 111, "process 1 leads a session already, and -i makes that an error", errno="EPERM")
    return Unproved(reason="s6-setsid is to take a terminal") if asking.has("-d", "-g") else ""


def _setarch(asking: Asking) -> Answer:
    refused = personality.refusal(
        asking.argv, asking.wrapped, one_only=not asking.personalities, seccomp_errno=asking.seccomp
    )
    return "" if refused is None else refused


def _scheduler(asking: Asking) -> Answer:
    refused = scheduling.refusal(asking.argv, asking.wrapped, asking.state.after, measured=asking.linux)
    return "" if refused is None else refused


def _capsh(asking: Asking) -> Answer:
    if not asking.linux and any(word.startswith("--inh") for word in asking.argv):
        return Unproved(reason="what this kernel lets capsh inherit is not followed")
    return ""


_DEMANDS: dict[str, tuple[Callable[[Asking], Answer], ...]] = {
    "capsh": (_capsh,),
    "choom": (arguments.choom, _scheduler),
    "chpst": (arguments.chpst, _chpst),
    "chroot": (_chroot,),
    "chrt": (_scheduler,),
    "docker-init": (arguments.tini,),
    "dumb-init": (arguments.dumb_init,),
    "env": (arguments.env, _env),
    "flock": (arguments.flock, _flock),
    "ionice": (arguments.ionice, _scheduler),
    "linux32": (_setarch,),
    "linux64": (_setarch,),
    "nice": (arguments.nice,),
    "prlimit": (arguments.prlimit,),
    "s6-applyuidgid": (arguments.s6_applyuidgid,),
    "s6-envuidgid": (_s6_envuidgid,),
    "s6-setsid": (_s6_setsid,),
    "s6-setlock": (_s6_setlock,),
    "s6-setuidgid": (_s6_setuidgid,),
    "setarch": (_setarch,),
    "setpriv": (_setpriv,),
    "setsid": (arguments.setsid,),
    "start-stop-daemon": (arguments.start_stop_daemon, _start_stop_daemon),
    "stdbuf": (arguments.stdbuf, _stdbuf),
    "taskset": (arguments.taskset,),
    "timeout": (arguments.timeout,),
    "tini": (arguments.tini,),
}
"""By name, in the order in which each asks."""
