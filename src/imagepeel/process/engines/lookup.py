"""S6: which file argv[0] means, looked for as the runtime does, with the fate of every candidate."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

import msgspec

from imagepeel.evidence import text
from imagepeel.formats.passwd import go_quote
from imagepeel.process.spec import trace
from imagepeel.process.spec.access import EXECUTE, ROOT, Actor, PathAccess, check_access, permits
from imagepeel.process.spec.profiles import Runtime
from imagepeel.process.spec.values import Candidate
from imagepeel.tables import ERRNO_GO, ERRNO_LIBC

if TYPE_CHECKING:
    from imagepeel.rootfs.view import Rootfs

MAX_CANDIDATES = 1000


class ProgramLookup(msgspec.Struct, frozen=True, kw_only=True):
    """The file that will be executed (`path`), or the failure: its row, errno, the runtime's words, why and fix."""

    path: str | None
    candidates: tuple[Candidate, ...] = ()
    id: str = ""
    errno: str = ""
    message: str = ""
    why: str = ""
    fix: str = ""
    place: str = ""


def clean(path: str) -> str:
    """Go's `filepath.Clean`: the shortest lexical name."""
    cleaned = posixpath.normpath(path)
    return "/" + cleaned.lstrip("/") if cleaned.startswith("//") else cleaned


def _state(seen: PathAccess, actor: Actor, style: str) -> tuple[str, str]:
    """errno and reason of one candidate; empty errno when it may be executed by the style's own test."""
    if seen.errno:
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
    node = seen.node
    if node is None:
        return "ENOENT", "does not exist"
    mode = f"mode {node.mode:04o} of {node.uid}:{node.gid}"
    if node.is_dir:
        if style == "crun-1.8" and not permits(node, actor, EXECUTE):
            return "EACCES", f"a directory, {mode}"
        return ("EPERM" if style.startswith("crun") else "EISDIR"), "a directory"
    if style == "mode-bits":
        return ("", mode) if node.mode & 0o111 else ("EACCES", f"not executable: {mode}")
    if not permits(node, actor, EXECUTE):
        return "EACCES", f"not executable for this user: {mode}"
    if style.startswith("crun") and not node.is_file:
        return "EPERM", f"no regular file but a {node.kind}"
    return "", mode


def find(rootfs: Rootfs, argv0: str, path_value: str | None, cwd: str, actor: Actor, runtime: Runtime) -> ProgramLookup:
    """Resolve argv[0] as the runtime does.

    runc asks as the container's user, crun 1.8 as root before it changes the user.  `path_value` is PATH of the
    final environment, None when there is none; `cwd` is an absolute path in the rootfs.
    """
    style = runtime.lookup
    who = ROOT if style.startswith("crun") else actor
    if style.startswith("crun"):
        return _crun(rootfs, argv0, path_value, cwd, who, style)
    return _runc(rootfs, argv0, path_value, cwd, who, style)


def _candidate(rootfs: Rootfs, path: str, seen: PathAccess, errno: str, reason: str) -> Candidate:
    outcome = errno or "taken"
    where = trace.locate(rootfs, seen.resolution.path) if seen.node is not None else None
    return Candidate(path=path, outcome=outcome, reason=reason, where=where)


def _elements(path_value: str | None) -> list[str]:
    return path_value.split(":")[:MAX_CANDIDATES] if path_value else []


def _runc(rootfs: Rootfs, argv0: str, path_value: str | None, cwd: str, actor: Actor, style: str) -> ProgramLookup:
    quoted = go_quote(argv0)
    if "/" in argv0:
        seen = check_access(rootfs, argv0, actor, cwd)
        errno, reason = _state(seen, actor, style)
        candidate = _candidate(rootfs, argv0, seen, errno, reason)
        if not errno:
            return _extra_access(rootfs, argv0, argv0, seen, actor, (candidate,))
        if errno == "EACCES" and not seen.errno:
            message = f"exec: {quoted}: permission denied"
        elif errno == "EISDIR":
            message = f"exec: {quoted}: " + ("permission denied" if style == "mode-bits" else "is a directory")
            errno = "EACCES" if style == "mode-bits" else errno
        else:
            message = f"exec: {quoted}: stat {argv0}: {ERRNO_GO[errno]}"
        return _explain(rootfs, argv0, seen, errno, reason, message, (candidate,))
    candidates: list[Candidate] = []
    for element in _elements(path_value):
        path = clean(posixpath.join(element or ".", argv0)) if argv0 else clean(element or ".")
        seen = check_access(rootfs, path, actor, cwd)
        errno, reason = _state(seen, actor, style)
        candidates.append(_candidate(rootfs, path, seen, errno, reason))
        if errno:
            continue
        if not path.startswith("/"):
            shown = element or "an empty element"
            return ProgramLookup(
                path=None,
                candidates=tuple(candidates),
                id="F11",
                errno="ErrDot",
                message=f"exec: {quoted}: cannot run executable found relative to current directory",
                why=f"PATH leads to it through {shown}, which is relative to the working directory; runc refuses that",
                fix=f"write the absolute path {clean(posixpath.join(cwd, path))}",
            )
        return _extra_access(rootfs, argv0, path, seen, actor, tuple(candidates))
    message = f"exec: {quoted}: executable file not found in $PATH"
    return _not_on_path(argv0, path_value, tuple(candidates), "ENOENT", message)


def _extra_access(
    rootfs: Rootfs, argv0: str, path: str, seen: PathAccess, actor: Actor, candidates: tuple[Candidate, ...]
) -> ProgramLookup:
    """runc's second look: has this user really the right to execute what was found?"""
    node = seen.node
    if node is not None and not permits(node, actor, EXECUTE):
        return ProgramLookup(
            path=None,
            candidates=candidates,
            id="F5",
            errno="EACCES",
            message=f"exec {path}: permission denied",
            why=f"{path} has mode {node.mode:04o} of {node.uid}:{node.gid}; this user may not execute it",
            fix=f"chmod a+rx {path}",
            place=path,
        )
    return ProgramLookup(path=path, candidates=candidates)


def _not_on_path(
    argv0: str, path_value: str | None, candidates: tuple[Candidate, ...], errno: str, message: str
) -> ProgramLookup:
    absent = {"ENOENT", "ENOTDIR", "ENAMETOOLONG", "taken"}
    skipped = [candidate for candidate in candidates if candidate.outcome not in absent]
    row, fix = "F1", f"install {argv0} or write its absolute path"
    if argv0 in {"", ".", ".."}:
        row, why, fix = "F8", f"{argv0!r} names no file", "give the program's name as the first word"
    elif " " in argv0:
        row, why = "F10", f"the whole string {argv0!r} is one file name"
        fix = "write one word per list element, or use the shell form"
    elif not path_value:
        row, why = "F12", "PATH is " + ("empty" if path_value is not None else "not set") + ": nothing is searched"
        fix = "set PATH in the image, or write an absolute path"
    elif skipped:
        row = "F2"
        why = f"{skipped[0].path} is there but was skipped ({skipped[0].reason})"
        fix = f"chmod +x {skipped[0].path}" if skipped[0].outcome == "EACCES" else f"repair {skipped[0].path}"
    elif "$" in path_value or "~" in path_value:
        row, why = "F12", f"PATH is {path_value!r}: nobody expands $ or ~ in it"
        fix = "write the directories out"
    else:
        why = f"none of the {len(candidates)} directories of PATH has {argv0}"
        if argv0 in {"source", ".", "cd", "export", "exec", "eval", "set", "alias", "ulimit"}:
            row, why = "F10", f"{argv0} is a word of the shell, not a file"
            fix = "use the shell form"
    return ProgramLookup(
        path=None,
        candidates=candidates,
        id=row,
        errno=errno,
        message=message,
        why=why,
        fix=fix,
        place=skipped[0].path if skipped else "",
    )


def _removed_by(rootfs: Rootfs, seen: PathAccess) -> int:
    """The number of the layer, from 1, that took away what is missing; 0 when none did or nobody can tell."""
    if not getattr(rootfs, "uppers", ()):
        return 0
    from imagepeel.rootfs.provenance import history_of

    events = history_of(rootfs, seen.resolution.missing, follow=False).life.events
    return events[-1].layer + 1 if events and events[-1].kind == "removed" else 0


def _explain(
    rootfs: Rootfs,
    argv0: str,
    seen: PathAccess,
    errno: str,
    reason: str,
    message: str,
    candidates: tuple[Candidate, ...],
) -> ProgramLookup:
    missing = text(seen.resolution.missing)
    node = seen.node
    if errno == "ENOENT":
        row, fix = "F3", f"add {argv0} to the image or correct the path"
        why = f"{argv0} does not exist"
        if seen.resolution.hops:
            why = f"{argv0} is {reason}"
        elif missing and missing != argv0:
            why += f": {missing} is missing"
        if layer := _removed_by(rootfs, seen):
            why += f"; layer L{layer} removed it"
        if any(char in argv0.strip() for char in " \t"):
            row, why = "F10", f"the whole string {argv0!r} is one file name"
            fix = "write one word per list element, or use the shell form"
        elif argv0.rsplit("/", 1)[-1] in {"sh", "bash", "ash"}:
            row, why = "F34", f"{argv0} does not exist: this image has no such shell, and the shell form needs it"
            fix = 'use the exec form: ["/app", "arg"]'
    elif errno == "ENOTDIR":
        row, why, fix = "F4", f"a part of {argv0} is a file, not a directory", "correct the path"
    elif errno == "ELOOP":
        row, why, fix = "F7", f"the symbolic links behind {argv0} lead in a circle", "correct the links"
    elif errno == "ENAMETOOLONG":
        row, why, fix = "F3", f"{argv0[:40]}... is longer than a path may be", "shorten it"
    elif node is not None and node.is_dir:
        row, why, fix = "F6", f"{argv0} is a directory", "name the program inside it"
    elif seen.errno == "EACCES":
        row, why = "F5", f"{text(seen.blocker)} may not be searched by this user"
        fix = f"chmod a+x {text(seen.blocker)}"
    else:
        row, why, fix = "F5", f"{argv0} is {reason}", f"chmod +x {argv0}"
    return ProgramLookup(
        path=None, candidates=candidates, id=row, errno=errno, message=message, why=why, fix=fix, place=argv0
    )


def _crun(rootfs: Rootfs, argv0: str, path_value: str | None, cwd: str, actor: Actor, style: str) -> ProgramLookup:
    """crun: a relative name with a slash is joined to the working directory, PATH elements are not cleaned."""
    new = style == "crun"
    if "/" in argv0:
        path = argv0 if argv0.startswith("/") else f"{cwd}/{argv0}"
        seen = check_access(rootfs, path, actor, cwd)
        errno, reason = _state(seen, actor, style)
        candidates = (_candidate(rootfs, path, seen, errno, reason),)
        if not errno:
            return ProgramLookup(path=path, candidates=candidates)
        message = _crun_message(argv0, path, errno, seen, new, slash=True)
        return _explain(rootfs, argv0, seen, errno, reason, message, candidates)
    last = "ENOENT"
    last_seen: PathAccess | None = None
    last_path = argv0
    tried: list[Candidate] = []
    for element in _elements(path_value):
        # crun 1.8 joins without looking at the element: an empty one means the root directory.
        path = f"{element}/{argv0}" if element or not new else f"./{argv0}"
        seen = check_access(rootfs, path, actor, cwd)
        errno, reason = _state(seen, actor, style)
        tried.append(_candidate(rootfs, path, seen, errno, reason))
        if not errno:
            return ProgramLookup(path=path, candidates=tuple(tried))
        if errno != "ENOENT":
            last, last_seen, last_path = errno, seen, path
    message = _crun_message(argv0, last_path, last, last_seen, new, slash=False)
    return _not_on_path(argv0, path_value, tuple(tried), last, message)


def _crun_message(argv0: str, path: str, errno: str, seen: PathAccess | None, new: bool, *, slash: bool) -> str:
    if new:
        if argv0 == "":
            return "cannot find `` in $PATH: No such file or directory"
        if errno == "EACCES" and seen is not None and not seen.errno:
            return f"the path `{path}` exists but it is not executable: Permission denied"
        if errno == "EPERM":
            return f"the path `{path}` is not a regular file: Operation not permitted"
        if errno == "ENOENT" and slash:
            return f"executable file `{argv0}` not found: No such file or directory"
    if errno == "ENOENT":
        return f"executable file `{argv0}` not found in $PATH: No such file or directory"
    return f"open executable: {ERRNO_LIBC[errno]}"
