"""Servers that end at once where they miss something that they look for first: sshd and Debian's cron.

Sources: OpenSSH 9.2 (sshd.c) and cron 3.0pl1 of Debian 12, each text as a start with runc showed it.  Paths and words
are looked for in the program, since builds differ in them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from imagepeel._lazy import late
from imagepeel.evidence import text
from imagepeel.process.spec.access import WRITE
from imagepeel.process.wrappers.accounts import Accounts
from imagepeel.process.wrappers.asking import Asking
from imagepeel.process.wrappers.daemons import READ_MOST
from imagepeel.tables import ERRNO_LIBC


def gives_up(asking: Asking, program: bytes) -> str:
    """Return why a server of one of these names ends at once, in a sentence; "" where nothing speaks for it.

    `program` are its bytes.  What ran before may have made what it needs: then nothing is said.
    """
    if asking.state.changed or not asking.linux:
        return ""
    look = _sshd if asking.wrapped.program == "sshd" else _cron
    said = next(look(asking, asking.argv[1:], program), "")
    return f"{asking.wrapped.program} ends at once: {said}" if said else ""


_REEXEC = b"sshd re-exec requires execution with an absolute path"
_PRIVSEP = late(rb"\0((?:/var|/run|/usr/share)/[a-z./]{2,40})\0")
_KEYS = late(r"(?im)^[^\S\n]*(?:HostKey|Include|HostKeyAgent|HostCertificate)\b")
_CONFIG = "/etc/ssh/sshd_config"


def _sshd(asking: Asking, words: Sequence[str], program: bytes) -> Iterator[str]:
    """In its order: how it was called, its configuration, its user, its keys, its directory."""
    if any(word.startswith(("-i", "-r", "-t", "-T", "-f", "-o", "-h", "-G", "-V")) for word in words):
        return
    if _REEXEC in program and not asking.called.startswith("/"):
        yield _REEXEC.decode()
    config = _text(asking, _CONFIG) if b"\0%s\0" % _CONFIG.encode() in program else None
    if config is None or asking.image.hides(_CONFIG):
        return
    if not config:
        yield f"{_CONFIG}: {ERRNO_LIBC['ENOENT']}"
    root = asking.state.after.uid == 0
    asks = root and b"Privilege separation user %s does not exist" in program
    if asks and Accounts(asking.rootfs).user("sshd") is None:
        yield "Privilege separation user sshd does not exist"
    keys = [f"/etc/ssh/ssh_host_{kind}_key" for kind in ("rsa", "ecdsa", "ed25519")]
    if _KEYS.search(config) is None and not any(_there(asking, key) for key in keys):
        yield "no hostkeys available"
    places = {match[1].decode() for match in _PRIVSEP.finditer(program)} & _EMPTY
    if root and len(places) == 1:
        yield from _privsep(asking, places.pop())


_EMPTY = frozenset(
    ("/run/sshd", "/var/run/sshd", "/var/empty", "/var/empty/sshd", "/usr/share/empty.sshd", "/var/lib/sshd")
)
"""Where builds of sshd look for the directory that its helper is locked into."""


def _privsep(asking: Asking, place: str) -> Iterator[str]:
    node = asking.rootfs.resolve(place).node
    if asking.may_hold(place):
        return
    if node is None or not node.is_dir:
        yield f"Missing privilege separation directory: {place}"
    elif node.uid or node.mode & 0o022:
        yield f"{place} must be owned by root and not group or world-writable"


def _there(asking: Asking, path: str) -> bool:
    """Something is at the path, or a mount of the command line may bring it: a filesystem of the engine is empty."""
    return asking.may_hold(path) or asking.rootfs.resolve(path).node is not None


_PIDFILE = "/var/run/crond.pid"
_SPOOL = "/var/spool/cron"


def _cron(asking: Asking, words: Sequence[str], program: bytes) -> Iterator[str]:
    """The file for its number, then the directory of its tables; it makes the last part of that itself."""
    if b"can't open or create %s: %s" not in program or b"crond.pid\0" not in program:
        return
    errno = asking.opens(_PIDFILE, WRITE)
    if errno:
        yield f"can't open or create {_PIDFILE}: {ERRNO_LIBC.get(errno, errno)}"
    if errno == "" and b"/var/spool/cron" in program and not _there(asking, "/var/spool"):
        yield f"{_SPOOL}: {ERRNO_LIBC['ENOENT']}"


def _text(asking: Asking, path: str) -> str | None:
    """The text of a file, "" where there is none; None where that is not known."""
    found = asking.rootfs.resolve(path)
    if found.node is None:
        return None if _there(asking, path) else ""
    if not found.node.is_file:
        return None
    return text(asking.rootfs.read(found.path, 0, min(found.node.size, READ_MOST))) or "\n"
