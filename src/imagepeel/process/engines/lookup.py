"""Which file argv[0] means: what every search has in common, and the search of Go programs.

Each candidate keeps its fate.  The search of a runtime that is no Go program stands in that runtime's file.
"""

from __future__ import annotations

import posixpath
from bisect import bisect_right
from itertools import islice
from typing import TYPE_CHECKING

import msgspec

from imagepeel.evidence import layer_label, raw, text
from imagepeel.formats.passwd import go_quote
from imagepeel.process.spec import trace
from imagepeel.process.spec.access import EXECUTE, Actor, PathAccess, check_access, permits
from imagepeel.process.spec.failure import Failure, FailureCode, Judge
from imagepeel.process.spec.values import Candidate
from imagepeel.tables import ERRNO_GO, ErrnoName

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imagepeel.rootfs.tree.changes import LayerEntries
    from imagepeel.rootfs.view import Rootfs

MAX_CANDIDATES = 20_000
"""Directories of PATH that are looked into: where there are more, nobody looked what the program is."""
SHELL_WORDS = frozenset({"source", ".", "cd", "export", "exec", "eval", "set", "alias", "ulimit"})
"""Words of a shell that people write where a program is looked up."""


class ProgramLookup(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a search: the file that will be executed (`path`), or the failure and the `place` it is about."""

    path: str | None
    candidates: tuple[Candidate, ...] = ()
    failure: Failure | None = None
    place: str = ""


def clean(path: str) -> str:
    """Go's `filepath.Clean`: the shortest lexical name."""
    cleaned = posixpath.normpath(path)
    return "/" + cleaned.lstrip("/") if cleaned.startswith("//") else cleaned


def elements(path_value: str | None) -> list[str]:
    """The directories of a PATH, in order; an unset or empty one has none."""
    return path_value.split(":") if path_value else []


def too_many(word: str, path_value: str | None) -> str:
    """Why nobody looked which file a word is, "" where somebody may."""
    if "/" in word or not path_value or path_value.count(":") < MAX_CANDIDATES:
        return ""
    return f"PATH has more than {MAX_CANDIDATES} directories, and {word} is not looked for in them"


def candidate(rootfs: Rootfs, path: str, seen: PathAccess, errno: ErrnoName, reason: str) -> Candidate:
    """A path that was tried, as a value of the trace."""
    where = trace.locate(rootfs, seen.resolution.path) if seen.node is not None else None
    blocker = text(seen.blocker) if seen.errno == "EACCES" else ""
    return Candidate(path=path, outcome=errno or "taken", reason=reason, where=where, blocker=blocker)


def state(seen: PathAccess) -> tuple[ErrnoName, str]:
    """errno and reason of a path that has no node."""
    if not seen.errno:
        return "ENOENT", "does not exist"
    reason = {
        "ENOENT": "does not exist",
        "ENOTDIR": "a part of the path is no directory",
        "ELOOP": "symbolic links go in a circle",
        "ENAMETOOLONG": "the name is too long",
        "EACCES": f"{text(seen.blocker)} may not be searched",
        "EINVAL": "a NUL byte in the name",
    }[seen.errno]
    if seen.errno == "ENOENT" and seen.resolution.hops:
        reason = f"a dangling symbolic link to {text(seen.resolution.hops[-1].target)}"
    return seen.errno, reason


def _state_for_go(seen: PathAccess, actor: Actor, mode_bits: bool) -> tuple[ErrnoName, str]:
    """errno and reason of one candidate; empty errno when Go takes it."""
    node = seen.node
    if seen.errno or node is None:
        return state(seen)
    mode = f"mode {node.mode:04o} of {node.uid}:{node.gid}"
    if node.is_dir:
        return "EISDIR", "a directory"
    if mode_bits:
        return ("", mode) if node.mode & 0o111 else ("EACCES", f"not executable: {mode}")
    return ("", mode) if permits(node, actor, EXECUTE) else ("EACCES", f"not executable for this user: {mode}")


def find_as_go(
    rootfs: Rootfs, argv0: str, path_value: str | None, cwd: str, actor: Actor, *, mode_bits: bool, by: str
) -> ProgramLookup:
    """Resolve argv[0] as Go's `exec.LookPath` does, for the program `by`.

    `mode_bits`: Go before 1.20, where any x bit is enough.  `path_value` is PATH, None when there is none; `cwd` is
    an absolute path in the rootfs.
    """
    quoted = go_quote(argv0)
    if "/" in argv0:
        seen = check_access(rootfs, argv0, actor, cwd)
        errno, reason = _state_for_go(seen, actor, mode_bits)
        tried = candidate(rootfs, argv0, seen, errno, reason)
        if not errno:
            return ProgramLookup(path=argv0, candidates=(tried,))
        if errno == "EACCES" and not seen.errno:
            message = f"exec: {quoted}: permission denied"
        elif errno == "EISDIR":
            message = f"exec: {quoted}: " + ("permission denied" if mode_bits else "is a directory")
            errno = "EACCES" if mode_bits else errno
        else:
            message = f"exec: {quoted}: stat {argv0}: {ERRNO_GO[errno]}"
        return explain(rootfs, argv0, seen, tried, message, errno=errno)
    candidates: list[Candidate] = []
    for element in elements(path_value):
        path = clean(posixpath.join(element or ".", argv0)) if argv0 else clean(element or ".")
        seen = check_access(rootfs, path, actor, cwd)
        errno, reason = _state_for_go(seen, actor, mode_bits)
        candidates.append(candidate(rootfs, path, seen, errno, reason))
        if errno:
            continue
        if path.startswith("/"):
            return ProgramLookup(path=path, candidates=tuple(candidates))
        shown = element or "an empty element"
        failure = Failure(
            code=FailureCode.RELATIVE_PATH_HIT,
            judge=Judge.RUNTIME,
            errno="ErrDot",
            message=f"exec: {quoted}: cannot run executable found relative to current directory",
            why=f"PATH leads to it through {shown}, which is relative to the working directory; {by} refuses that",
            fix=f"write the absolute path {clean(posixpath.join(cwd, path))}",
        )
        return ProgramLookup(path=None, candidates=tuple(candidates), failure=failure)
    message = f"exec: {quoted}: executable file not found in $PATH"
    return not_in_path(rootfs, argv0, path_value, tuple(candidates), "ENOENT", message=message)


_MOST_LIKE_IT, _MOST_LOOKED_AT, _MOST_LISTED = 100, 10_000, 10_000
"""Entries of one name that may be the program, and places in the columns of names where its letters stand."""


def elsewhere(rootfs: Rootfs, name: str) -> str:
    """Return the path of a file of this name that the image shows and somebody may execute, "" for none.

    The columns of names tell where to look; layers whose trees are not there tell nothing.
    """
    wanted = raw(name)
    if not wanted or b"/" in wanted:
        return ""
    known = rootfs.common(_Namesakes)
    if wanted not in known:
        known[wanted] = _namesakes(getattr(rootfs, "layers", ()), wanted)
    for path in known[wanted]:
        node = rootfs.resolve(path).node
        if node is not None and node.is_file and node.mode & 0o111:
            return text(path)
    return ""


class _Namesakes(dict[bytes, list[bytes]]):
    """The paths that end in a name: predictions ask for the same one, and each would search all names."""


def _namesakes(layers: Sequence[LayerEntries], name: bytes) -> list[bytes]:
    """Return the paths of the entries with a basename, in any layer, those near the root first."""
    found: list[bytes] = []
    left = _MOST_LOOKED_AT
    for layer in layers:
        table, at = layer.table, -1
        while left and len(found) < _MOST_LIKE_IT and (at := table.names.find(name, at + 1)) >= 0:
            left -= 1
            index = bisect_right(table.name_ends, at)
            if table.basename(index) == name:
                found.append(b"/" + table.path(index))
    return sorted(set(found), key=lambda path: (path.count(b"/"), path))


def _in_other_case(rootfs: Rootfs, path: str, missing: bytes) -> str:
    """Return the file whose path differs from this one in upper and lower case of what is `missing`, "" for none."""
    whole = raw(path)
    parent, slash, name = missing.rpartition(b"/")
    where = parent or b"/"
    node = rootfs.resolve(where).node
    if not slash or not whole.startswith(missing) or node is None or not node.is_dir:
        return ""
    for other in islice(rootfs.names(where), _MOST_LISTED):
        if other != name and other.lower() == name.lower():
            like = parent + b"/" + other + whole[len(missing) :]
            found = rootfs.resolve(like).node
            if found is not None and found.is_file:
                return text(like)
    return ""


def not_in_path(
    rootfs: Rootfs,
    argv0: str,
    path_value: str | None,
    candidates: tuple[Candidate, ...],
    errno: ErrnoName,
    *,
    message: str,
) -> ProgramLookup:
    """A name that no directory of PATH has, with the reason that helps most."""
    absent = {"ENOENT", "ENOTDIR", "ENAMETOOLONG", "taken"}
    skipped = next((tried for tried in candidates if tried.outcome not in absent), None)
    code, fix = FailureCode.NOT_IN_PATH, f"install {argv0} or write its absolute path"
    if argv0 in {"", ".", ".."}:
        code, why = FailureCode.EMPTY_COMMAND, f"{argv0!r} names no file"
        fix = "give the program's name as the first word"
    elif " " in argv0:
        code, why = FailureCode.COMMAND_LINE_AS_NAME, f"the whole string {argv0!r} is one file name"
        fix = "write one word per list element, or use the shell form"
    elif not path_value:
        code = FailureCode.PATH_UNUSABLE
        why = "PATH is " + ("empty" if path_value is not None else "not set") + ": nothing is searched"
        fix = "set PATH in the image, or write an absolute path"
    elif skipped is not None:
        code = FailureCode.SKIPPED_IN_PATH
        why = f"{skipped.path} is there but was skipped ({skipped.reason})"
        fix = f"chmod +x {skipped.path}" if skipped.outcome == "EACCES" else f"repair {skipped.path}"
        if skipped.blocker:
            # Nobody can tell what lies behind it, and the file's own mode is not what keeps the user out.
            why = f"{skipped.blocker} may not be searched by this user, so {skipped.path} was skipped"
            fix = f"chmod a+x {skipped.blocker}"
    elif "$" in path_value or "~" in path_value:
        code, why = FailureCode.PATH_UNUSABLE, f"PATH is {path_value!r}: nobody expands $ or ~ in it"
        fix = "write the directories out"
    else:
        why = (
            f"none of the {len(candidates)} directories of PATH has {argv0}"
            if len(candidates) != 1
            else f"the one directory of PATH has no {argv0}"
        )
        if found := elsewhere(rootfs, argv0):
            why += f"; {found} is there"
            fix = f"add {posixpath.dirname(found)} to PATH, or write {found}"
        if argv0 in SHELL_WORDS:
            code, why = FailureCode.COMMAND_LINE_AS_NAME, f"{argv0} is a word of the shell, not a file"
            fix = "use the shell form"
    failure = Failure(code=code, judge=Judge.RUNTIME, errno=errno, message=message, why=why, fix=fix)
    place = skipped.path if skipped is not None else ""
    return ProgramLookup(path=None, candidates=candidates, failure=failure, place=place)


def _removed_by(rootfs: Rootfs, seen: PathAccess) -> int | None:
    """The index of the layer that took away what is missing; None when none did or nobody can tell."""
    if not getattr(rootfs, "uppers", ()):
        return None
    from imagepeel.rootfs.provenance import history_of  # start time

    events = history_of(rootfs, seen.resolution.missing, follow=False).life.events
    return events[-1].layer if events and events[-1].kind == "removed" else None


def explain(
    rootfs: Rootfs, argv0: str, seen: PathAccess, tried: Candidate, message: str, *, errno: ErrnoName
) -> ProgramLookup:
    """A name with a slash that cannot be executed: the reason, and what to do.

    `errno` is what the searching program says.
    """
    over = trace.mount_over(rootfs, seen.resolution.missing or seen.resolution.path)
    if errno == "ENOENT":
        code, why, fix = _missing(rootfs, argv0, seen, tried.reason)
    elif errno == "ENOTDIR":
        code, why = FailureCode.FILE_ON_THE_WAY, f"a part of {argv0} is a file, not a directory"
        fix = "correct the path"
    elif errno == "ELOOP":
        code, why = FailureCode.LINK_LOOP, f"the symbolic links behind {argv0} lead in a circle"
        fix = "correct the links"
    elif errno == "ENAMETOOLONG":
        code, why, fix = FailureCode.FILE_MISSING, f"{argv0[:40]}... is longer than a path may be", "shorten it"
    elif seen.node is not None and seen.node.is_dir:
        code, why, fix = FailureCode.IS_DIRECTORY, f"{argv0} is a directory", "name the program inside it"
    elif seen.errno == "EACCES":
        code, why = FailureCode.NOT_EXECUTABLE, f"{text(seen.blocker)} may not be searched by this user"
        fix = f"chmod a+x {text(seen.blocker)}"
    else:
        code, why, fix = FailureCode.NOT_EXECUTABLE, f"{argv0} is {tried.reason}", f"chmod +x {argv0}"
    if over:
        why += f"; {over} is mounted over, and nothing of the image is seen below it"
        fix = f"keep the program outside of {over}"
    failure = Failure(code=code, judge=Judge.RUNTIME, errno=errno, message=message, why=why, fix=fix)
    place = argv0 if argv0.startswith("/") else text(seen.resolution.missing) or argv0
    return ProgramLookup(path=None, candidates=(tried,), failure=failure, place=place)


def _missing(rootfs: Rootfs, argv0: str, seen: PathAccess, reason: str) -> tuple[FailureCode, str, str]:
    missing = text(seen.resolution.missing)
    why = f"{argv0} does not exist"
    if seen.resolution.hops:
        why = f"{argv0} is {reason}"
    elif missing and missing != argv0:
        why += f": {missing} is missing"
    if (layer := _removed_by(rootfs, seen)) is not None:
        why += f"; layer {layer_label(layer)} removed it"
    if any(char in argv0.strip() for char in " \t"):
        fix = "write one word per list element, or use the shell form"
        return FailureCode.COMMAND_LINE_AS_NAME, f"the whole string {argv0!r} is one file name", fix
    if argv0.rsplit("/", 1)[-1] in {"sh", "bash", "ash"}:
        why = f"{argv0} does not exist: this image has no such shell, and the shell form needs it"
        return FailureCode.SHELL_MISSING, why, 'use the exec form: ["/app", "arg"]'
    if found := _in_other_case(rootfs, argv0, seen.resolution.missing):
        return FailureCode.FILE_MISSING, f"{why}; {found} is there, and upper and lower case differ", f"write {found}"
    if (found := elsewhere(rootfs, argv0.rsplit("/", 1)[-1])) and found != argv0:
        return FailureCode.FILE_MISSING, f"{why}; {found} is there", f"write {found}, or put it where {argv0} leads"
    return FailureCode.FILE_MISSING, why, f"add {argv0} to the image or correct the path"
