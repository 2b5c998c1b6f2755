"""Tools that scripts start before the program, where the image proves that they fail: mkdir, cp, chown and the like.

Measured: coreutils 9.1 in the C locale and busybox 1.35, as Debian builds them.  Only calls with plain options and as
few operands as each needs are judged; for every other call nothing is said.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Sequence
from typing import Literal, Protocol

import msgspec

from imagepeel.process.spec.access import Actor, PathAccess
from imagepeel.tables import ERRNO_LIBC, ErrnoName

Family = Literal["coreutils", "busybox"]


class Files(Protocol):
    """What a tool meets in the image; each answer is None where it cannot be told."""

    actor: Actor

    def look(self, path: str) -> PathAccess | None:
        """The path as `stat` finds it."""

    def create(self, path: str) -> ErrnoName | None:
        """The errno of opening a file for writing, which makes one that is not there."""

    def enter_name(self, path: str) -> ErrnoName | None:
        """The errno of making or removing an entry in the directory of the path."""

    def names(self, path: str) -> list[str] | None:
        """The names in a directory."""


class _Call(msgspec.Struct, frozen=True, kw_only=True):
    """One call of a tool."""

    name: str
    options: frozenset[str]
    words: tuple[str, ...]
    family: Family
    files: Files

    def says(self, plain: str, busy: str, errno: ErrnoName) -> tuple[int, str]:
        """The exit code and the words, in each family's form."""
        return 1, f"{self.name}: {busy if self.family == 'busybox' else plain}: {ERRNO_LIBC[errno]}"


Answer = tuple[int, str] | None


def fails(argv: Sequence[str], family: Family, files: Files, *, utf8: bool) -> Answer:
    """Return the exit code and the words of a tool that provably fails; None for every other call.

    `utf8` tells of a locale in which mkdir of coreutils has quotes of another kind.
    """
    name = argv[0].rsplit("/", 1)[-1]
    found = _TOOLS.get(name)
    if found is None or (name == "mkdir" and utf8 and family == "coreutils"):
        return None
    known, least, most, judge = found
    options = frozenset(letter for word in argv[1:] if word.startswith("-") for letter in word[1:])
    words = tuple(word for word in argv[1:] if not word.startswith("-"))
    if "--" in argv or options - set(known) or not least <= len(words) <= most or not all(words):
        return None
    return judge(_Call(name=name, options=options, words=words, family=family, files=files))


def _mkdir(call: _Call) -> Answer:
    whole = call.words[0].rstrip("/") or "/"
    places = [whole]
    if "p" in call.options:
        cuts = [at for at, char in enumerate(whole) if char == "/" and at]
        places = [*(whole[:at] for at in cuts[:100]), whole]
    for path in places:
        seen = call.files.look(path)
        if seen is None:
            return None
        if seen.node is not None:
            if "p" in call.options and seen.node.is_dir:
                continue
            errno: ErrnoName | None = "EEXIST" if path is whole else "ENOTDIR"
        else:
            errno = call.files.enter_name(path)
        shown = path if path is whole else f"{path}/"
        plain, busy = f"cannot create directory '{path}'", f"can't create directory '{shown}'"
        return call.says(plain, busy, errno) if errno else None
    return None


def _touch(call: _Call) -> Answer:
    path = call.words[0]
    seen = call.files.look(path)
    if seen is None or (seen.node is not None and (seen.node.is_dir or seen.node.uid == call.files.actor.uid)):
        return None
    errno = call.files.create(path)
    return call.says(f"cannot touch '{path}'", path, errno) if errno else None


def _target(call: _Call) -> str | None:
    """Where the last word leads: itself, or a name below the directory that it is."""
    source, target = call.words
    seen = call.files.look(target)
    if seen is None:
        return None
    if seen.node is not None and seen.node.is_dir:
        return f"{target.rstrip('/')}/{posixpath.basename(source.rstrip('/'))}"
    return target


def _no_source(call: _Call, errno: ErrnoName, does: str) -> Answer:
    """What cp and mv say of a first word that leads nowhere; busybox names what it `does`."""
    source = call.words[0]
    return call.says(f"cannot stat '{source}'", f"can't {does} '{source}'", errno) if errno else None


def _cp(call: _Call) -> Answer:
    source = call.words[0]
    seen, target = call.files.look(source), _target(call)
    if seen is None or target is None:
        return None
    if seen.node is None:
        return _no_source(call, seen.errno, "stat")
    if not seen.node.is_file or "f" in call.options:
        return None
    errno = call.files.create(target)
    if errno == "EISDIR" or not errno:
        return None
    return call.says(f"cannot create regular file '{target}'", f"can't create '{target}'", errno)


def _mv(call: _Call) -> Answer:
    source = call.words[0]
    seen, target = call.files.look(source), _target(call)
    if seen is None or target is None:
        return None
    if seen.node is None:
        return _no_source(call, seen.errno, "rename")
    leave, come = call.files.enter_name(source), call.files.enter_name(target)
    if not seen.node.is_file or leave is None or come is None or not (leave or come):
        return None
    return call.says(f"cannot move '{source}' to '{target}'", f"can't rename '{source}'", leave or come)


def _ln(call: _Call) -> Answer:
    if "s" not in call.options:
        return None
    target = call.words[1]
    seen = call.files.look(target)
    if seen is None or (seen.node is not None and (seen.node.is_dir or "f" in call.options)):
        return None
    errno: ErrnoName | None = "EEXIST" if seen.node is not None else call.files.enter_name(target)
    return call.says(f"failed to create symbolic link '{target}'", target, errno) if errno else None


def _rm(call: _Call) -> Answer:
    path = call.words[0]
    seen = call.files.look(path)
    if seen is None or (seen.node is not None and not seen.node.is_file):
        return None
    if seen.node is None:
        errno: ErrnoName | None = "" if "f" in call.options else seen.errno
    else:
        errno = call.files.enter_name(path)
    return call.says(f"cannot remove '{path}'", f"can't remove '{path}'", errno) if errno else None


def _chmod(call: _Call) -> Answer:
    path = call.words[1]
    seen = call.files.look(path)
    if seen is None:
        return None
    if seen.node is None:
        return call.says(f"cannot access '{path}'", path, seen.errno) if seen.errno else None
    actor = call.files.actor
    if seen.node.uid == actor.uid or "FOWNER" in actor.capabilities or ("R" in call.options and seen.node.is_dir):
        return None
    return call.says(f"changing permissions of '{path}'", path, "EPERM")


def _chown(call: _Call) -> Answer:
    owner, path = call.words[0].partition(":")[0], call.words[1]
    seen = call.files.look(path)
    if seen is None:
        return None
    if seen.node is None:
        return call.says(f"cannot access '{path}'", path, seen.errno) if seen.errno else None
    actor = call.files.actor
    if not owner or owner == str(seen.node.uid) or seen.node.uid == actor.uid or "CHOWN" in actor.capabilities:
        return None
    if "R" in call.options and seen.node.is_dir and call.files.names(path) != []:
        return None  # what is inside fails first
    return call.says(f"changing ownership of '{path}'", path, "EPERM")


def _tee(call: _Call) -> Answer:
    path = call.words[0]
    errno = call.files.create(path)
    return call.says(path, path, errno) if errno else None


def _cat(call: _Call) -> Answer:
    path = call.words[0]
    seen = call.files.look(path)
    if seen is None or not seen.errno:
        return None
    return call.says(path, f"can't open '{path}'", seen.errno)


_TOOLS: dict[str, tuple[str, int, int, Callable[[_Call], Answer]]] = {
    "mkdir": ("pv", 1, 1, _mkdir),
    "touch": ("", 1, 1, _touch),
    "cp": ("pvf", 2, 2, _cp),
    "mv": ("v", 2, 2, _mv),
    "ln": ("sfnv", 2, 2, _ln),
    "rm": ("fv", 1, 1, _rm),
    "chmod": ("Rv", 2, 2, _chmod),
    "chown": ("Rhv", 2, 2, _chown),
    "tee": ("a", 1, 1, _tee),
    "cat": ("", 1, 1, _cat),
}
"""Of each tool the options that change nothing here, how many operands it is judged with, and its judge."""
JUDGED = frozenset(_TOOLS)
"""The names of the tools that are judged."""
