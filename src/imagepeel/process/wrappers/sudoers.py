"""Whether /etc/sudoers and what it includes lets a user run a command without a password.

Measured with sudo 1.9.13: the last line that fits decides; a group counts by its number and by the members in
/etc/group; a directory is read in the order of names, without names that hold a dot or end in `~`, without directories,
and without files that are not root's or that everybody may write.  What is not followed (aliases, names of hosts,
commands that are no path, exceptions with `!`) proves nothing.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

import msgspec

from imagepeel._lazy import late
from imagepeel.evidence import text
from imagepeel.formats.passwd import AccountFile
from imagepeel.process.engines import user

if TYPE_CHECKING:
    from imagepeel.rootfs.view import Rootfs

SUDOERS = "/etc/sudoers"
MAX_FILES = 200
"""Files of sudoers that are read."""
MAX_LINES = 10_000
"""Lines of them that are looked at."""

_INCLUDE = late(r"[@#](include(?:dir)?)\s+(\S+)")
_SPECIFICATION = late(r"(\S+)\s+([^\s=]+)\s*=\s*(?:\(([^)]*)\))?\s*(.*)")
_COMMAS = late(r"(?<!\s)\s*+,\s*+")
_NO_USERS = ("Defaults", "User_Alias", "Runas_Alias", "Host_Alias", "Cmnd_Alias", "Cmd_Alias")
_UNREAD = "ALL ALL=(ALL) ALL"
"""Stands for lines that are not read: they may ask everybody for a password."""


class Asking(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks sudo for what: every name that sudoers may have for the user, the user wanted, the command."""

    names: frozenset[str]
    wanted: str
    command: str


def needs_no_password(rootfs: Rootfs, asking: Asking) -> bool:
    """Whether the last line that fits proves that sudo asks for no password."""
    proved = False
    for line in _lines(rootfs):
        if line.startswith(_NO_USERS):
            continue
        found = _SPECIFICATION.match(line)
        decided = None if found is None else _decides(asking, *(found[number] or "" for number in range(1, 5)))
        proved = proved if decided is None else decided
    return proved


def is_listed(rootfs: Rootfs, asking: Asking) -> bool | None:
    """Whether a line is about the user who asks; None where one may be."""
    unclear = False
    for line in _lines(rootfs):
        found = None if line.startswith(_NO_USERS) else _SPECIFICATION.match(line)
        if found is None:
            continue
        words = found[1].split(",")
        if asking.names.intersection(words):
            return True
        unclear = unclear or _unclear(words)
    return None if unclear else False


def allows_root(rootfs: Rootfs, asking: Asking) -> bool:
    """Whether a line proves that root may do this: root is asked for no password."""
    for line in _lines(rootfs):
        found = None if line.startswith(_NO_USERS) else _SPECIFICATION.match(line)
        if found is None or not asking.names.intersection(found[1].split(",")) or found[2] != "ALL":
            continue
        users, _, groups = (found[3] or "root").partition(":")
        user, _, group = asking.wanted.partition(":")
        listed = [word.rpartition(":")[2].strip() for word in found[4].split(",")]
        if (
            {"ALL", user} & {word.strip() for word in users.split(",")}
            and (not group or groups.strip() == "ALL")
            and ("ALL" in listed or asking.command in listed)
            and "!" not in found[4]
        ):
            return True
    return False


def _decides(asking: Asking, users: str, host: str, runas: str, commands: str) -> bool | None:
    """Whether one line proves it; None where the line is about somebody else or another target."""
    words = users.split(",")
    if not asking.names.intersection(words):
        return False if _unclear(words) else None
    targets = (runas.partition(":")[0].strip() or "root").split(",")
    wanted, _, group = asking.wanted.partition(":")
    if "ALL" not in targets and wanted not in targets:
        return False if _unclear(targets) else None
    _, tag, tail = commands.rpartition("NOPASSWD:")
    if host != "ALL" or not tag or (group and runas.partition(":")[2].strip() != "ALL"):
        return False
    listed = [word.rpartition(":")[2].strip() for word in tail.split(",")]
    fits = "ALL" in listed or asking.command in listed
    return fits and not any(word in tail for word in ("PASSWD:", "NOEXEC:", "!"))


def _unclear(words: list[str]) -> bool:
    """Whether these may mean somebody whom they do not name: exceptions, netgroups, numbers, aliases."""
    return any(word[:1] in "!+#" or (word.isupper() and word.isidentifier() and word != "ALL") for word in words)


def _lines(rootfs: Rootfs) -> Iterator[str]:
    """The lines of all files in their order, continued ones joined, without comments."""
    files, lines, waiting = 0, 0, [iter(_file(rootfs, SUDOERS))]
    while waiting:
        line = next(waiting[-1], None)
        if line is None:
            waiting.pop()
            continue
        lines += 1
        if lines > MAX_LINES or files > MAX_FILES:
            yield _UNREAD
            return
        include = _INCLUDE.match(line)
        if include is not None:
            place = posixpath.join("/etc", include[2])
            if any(char in place for char in '"%\\'):
                yield _UNREAD
            paths = _directory(rootfs, place) if include[1] == "includedir" else [place]
            files += len(paths)
            waiting += [iter(_file(rootfs, path)) for path in reversed(paths[:MAX_FILES])]
        elif line and not (line.startswith("#") and not line[1:2].isdigit()):
            yield line


def _directory(rootfs: Rootfs, path: str) -> list[str]:
    node = rootfs.resolve(path).node
    if node is None or not node.is_dir:
        return []
    names = (name for name in rootfs.names(path) if b"." not in name and not name.endswith(b"~"))
    return [f"{path.rstrip('/')}/{text(name)}" for name in islice(names, MAX_FILES + 1)]


def _file(rootfs: Rootfs, path: str) -> list[str]:
    node = rootfs.resolve(path).node
    if node is None or not node.is_file or node.uid or node.mode & 0o002:
        return []
    found = user.read_file(rootfs, path)
    if not isinstance(found, AccountFile):
        return []
    whole = found.data.decode("utf-8", "replace").replace("\\\n", " ")
    return [_COMMAS.sub(",", line).strip() for line in whole.split("\n")[: MAX_LINES + 1]]
