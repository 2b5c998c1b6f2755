"""Shells as interpreters: which one a file is, what it was told to run, and its words when it cannot.

Measured: dash 0.5.12, bash 5.2 and busybox 1.35 as Debian builds them.  Nothing here runs a script.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import msgspec

from imagepeel._lazy import late
from imagepeel.evidence import raw, text
from imagepeel.process.spec.access import EXECUTE, Actor, check_access, permits
from imagepeel.process.spec.process_spec import DEFAULT_PATH
from imagepeel.tables import ErrnoName

if TYPE_CHECKING:
    from imagepeel.rootfs.tree.inode import Node
    from imagepeel.rootfs.view import Rootfs

T = TypeVar("T")

_HEAD = 4 * 1024 * 1024
_GO, _GO_HEAD = b"\4\0\0\0Go\0\0", 4096
"""Type and name of the note that Go's linker puts into the first page of a program (Go cmd/internal/buildid)."""
SCRIPT_MAX = 1024 * 1024
NAMES = frozenset({"sh", "bash", "dash", "ash", "rbash"})

Shell = Literal["dash", "bash", "busybox"]
"""The shells whose habits were measured."""
ShellMode = Literal["command", "script", "stdin", "unknown"]
"""command: the text of `-c`; script: a file; stdin: neither; unknown: a line that is not understood."""

# Marks in the program itself: a link called sh may lead to any of them.
_MARKS: tuple[tuple[Shell, bytes], ...] = (
    ("busybox", b"BusyBox v"),
    ("bash", b"GNU bash, version"),
    ("dash", b"Illegal option -%c"),
)

_LONG_OPTIONS = {"--login": 1, "--norc": 1, "--noprofile": 1, "--posix": 1, "--rcfile": 2, "--init-file": 2}
"""Long options of bash that do not change what is run, with the number of words they take."""

_NAMED_OPTIONS = {"errexit": "e", "noglob": "f", "noexec": "n", "nounset": "u", "pipefail": "pipefail", "xtrace": "x"}
"""What `-o NAME` sets, by its letter."""


class Invocation(msgspec.Struct, frozen=True, kw_only=True):
    """What a shell was told by its command line."""

    mode: ShellMode
    body: str = ""
    """The text of `-c`, or the path of the script."""
    args: tuple[str, ...] = ()
    """`$0`, `$1`, ..."""
    at: int = 0
    """Index in the vector of the first word behind the options."""
    options: frozenset[str] = frozenset()
    """Single letters that are set."""
    long: frozenset[str] = frozenset()
    """Long options."""


QUOTED_LIST = late(r"\s*\[\s*'")
"""The text of `-c` that is a list in single quotes: meant as JSON, which has double ones."""
_TABLE = late(rb"\0(?:[a-z0-9_.\[+-]{1,24}\0){20,}")
_MIN_TABLE = 20
"""Fewer sorted words may be anything else than the table of applets."""


def applet(argv: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """The name a multi-call program such as busybox acts under, and its words from there on."""
    if not argv:
        return "", ()
    name = argv[0].rsplit("/", 1)[-1].lstrip("-")
    if name == "busybox" and len(argv) > 1:
        return argv[1].rsplit("/", 1)[-1], tuple(argv[1:])
    return name, tuple(argv)


class _Told(dict[tuple[Callable[[bytes], object], int, int], Any]):
    """What was told of files by their content, for all filesystems of an image that hold them."""


def _told(rootfs: Rootfs, node: Node, tell: Callable[[bytes], T]) -> T:
    """Return what `tell` says of the content of a program.

    It is asked once for a file of a layer: predictions ask about the same few again and again.
    """
    if node.layer is None or node.entry is None:
        return tell(_content(rootfs, node))
    known, key = rootfs.common(_Told), (tell, node.layer, node.entry)
    if key not in known:
        known[key] = tell(_content(rootfs, node))
    said: T = known[key]
    return said


def _content(rootfs: Rootfs, node: Node) -> bytes:
    """Return what tells of a program: nothing of one in Go, as gosu is, which is large and none of those in C."""
    if _GO in rootfs.read(node, 0, min(node.size, _GO_HEAD)):
        return b""
    return rootfs.read(node, 0, min(node.size, _HEAD))


def identify(rootfs: Rootfs, final: bytes, argv: Sequence[str]) -> Shell | Literal[""]:
    """Which measured shell a program is, by its content; "" for any other program."""
    name, _ = applet(argv)
    own = text(final).rsplit("/", 1)[-1]
    if name not in NAMES and own not in NAMES | {"busybox"}:
        return ""
    node = rootfs.resolve(final).node
    if node is None or not node.is_file:
        return ""
    shell = _told(rootfs, node, _shell_in)
    return "" if shell == "busybox" and name not in NAMES else shell


def _shell_in(content: bytes) -> Shell | Literal[""]:
    return next((shell for shell, mark in _MARKS if mark in content), "")


def has_applet(rootfs: Rootfs, final: bytes, name: str) -> bool:
    """Whether a busybox has this command inside: a build with a standalone shell runs it without a file."""
    node = rootfs.resolve(final).node
    if node is None or not node.is_file or "/" in name:
        return False
    return _told(rootfs, node, _AppletNames).has(name)


class _AppletNames:
    """The applets of one busybox: its sorted table of names, or all its words where no such table is found."""

    def __init__(self, content: bytes) -> None:
        self.is_busybox = b"BusyBox v" in content
        tables = [found[0][1:-1].split(b"\0") for found in _TABLE.finditer(content)] if self.is_busybox else []
        runs = sorted((_sorted_run(table) for table in tables), key=len)
        self._names = frozenset(runs[-1] if runs else ())
        self._content = content if len(self._names) < _MIN_TABLE else b""

    def has(self, name: str) -> bool:
        return b"\0" + raw(name) + b"\0" in self._content if self._content else raw(name) in self._names


def _sorted_run(names: list[bytes]) -> list[bytes]:
    """The longest run of names in the order of their bytes, in which busybox searches them."""
    best: list[bytes] = []
    run: list[bytes] = []
    for name in names:
        if not run or name <= run[-1]:
            run = []
        run.append(name)
        best = run if len(run) > len(best) else best
    return best


def lacks_applet(rootfs: Rootfs, final: bytes, name: str) -> bool:
    """Whether this is a busybox that is called by a name which it does not have."""
    if not text(final).rsplit("/", 1)[-1].startswith("busybox") or not name or name.startswith(("-", "busybox")):
        return False
    node = rootfs.resolve(final).node
    if node is None or not node.is_file:
        return False
    applets = _told(rootfs, node, _AppletNames)
    return applets.is_busybox and not applets.has(name)


_GNU = (b"GNU coreutils", b"GNU grep", b"GNU sed", b"GNU_FINDUTILS", b"Debian run-parts program")
"""Words inside of the tools that Debian has for those of busybox."""


def family_of_tool(rootfs: Rootfs, path: str) -> Literal["gnu", "busybox"] | None:
    """Which family of tools a program is of, by the words inside of it; None for any other."""
    node = rootfs.resolve(path).node
    if node is None or not node.is_file:
        return None
    return _told(rootfs, node, _tool_in)


def _tool_in(content: bytes) -> Literal["gnu", "busybox"] | None:
    if b"BusyBox v" in content:
        return "busybox"
    return "gnu" if any(mark in content for mark in _GNU) else None


def invocation(argv: Sequence[str]) -> Invocation:
    """Read a shell's own command line: options, then with `-c` its text, `$0` and arguments, else the script.

    `argv` is the whole vector.  One grammar serves dash, busybox and bash (the manuals' sections on options).  The
    mode is `unknown` for a long option that is not listed here and for `-c` without a text.
    """
    words = applet(argv)[1]
    options: set[str] = set()
    long: set[str] = set()
    index = 1
    while index < len(words):
        word = words[index]
        if word in {"--", "-"}:
            index += 1
            break
        if word in _LONG_OPTIONS:
            index += _LONG_OPTIONS[word]
            long.add(word)
            continue
        if word.startswith("--"):
            return Invocation(mode="unknown")
        if len(word) < 2 or word[0] not in "-+":
            break
        index += 1
        change = options.add if word[0] == "-" else options.discard
        for letter in word[1:]:
            if letter not in "oO":
                change(letter)
            elif index < len(words):
                if letter == "o" and words[index] in _NAMED_OPTIONS:
                    change(_NAMED_OPTIONS[words[index]])
                index += 1
    rest = words[index:]
    name = words[0] if words and words[0] != "busybox" else "sh"
    at = len(argv) - len(rest)
    letters, names = frozenset(options), frozenset(long)
    if "c" in options:
        if not rest:
            return Invocation(mode="unknown")
        return Invocation(mode="command", body=rest[0], args=rest[1:] or (name,), at=at, options=letters, long=names)
    if "s" in options or not rest:
        return Invocation(mode="stdin", args=(name, *rest), at=at, options=letters, long=names)
    return Invocation(mode="script", body=rest[0], args=rest, at=at, options=letters, long=names)


def _as_sh(argv: Sequence[str]) -> bool:
    """Whether the shell is called sh."""
    name = applet(argv)[1][0] if argv else ""
    return name.rsplit("/", 1)[-1].lstrip("-") == "sh"


def is_posix(argv: Sequence[str], told: Invocation, env: Mapping[str, str]) -> bool:
    """Whether a bash starts in its POSIX mode: as sh, or since an option or a variable says so (bash(1))."""
    return _as_sh(argv) or "--posix" in told.long or "POSIXLY_CORRECT" in env


def startup_files(
    shell: Shell, argv: Sequence[str], told: Invocation, env: Mapping[str, str]
) -> tuple[tuple[str, ...], ...]:
    """The files that a shell reads before its command: of each group the first that is there (bash(1), INVOCATION)."""
    name = applet(argv)[1][0] if argv else ""
    as_sh = _as_sh(argv)
    home = env.get("HOME", "")
    groups: list[tuple[str, ...]] = []
    if (name.startswith("-") or "l" in told.options or "--login" in told.long) and "--noprofile" not in told.long:
        own = [".bash_profile", ".bash_login", ".profile"] if shell == "bash" and not as_sh else [".profile"]
        groups = [("/etc/profile",), tuple(f"{home}/{file}" for file in own) if home else ()]
    variable = env.get("BASH_ENV", "")
    if shell == "bash" and not as_sh and "--posix" not in told.long and variable and "$" not in variable:
        groups.append((variable,))
    if "i" in told.options and shell == "bash" and not as_sh and "--norc" not in told.long and not groups:
        groups = [("/etc/bash.bashrc",), (f"{home}/.bashrc",) if home else ()]
    elif "i" in told.options and (shell != "bash" or as_sh) and "$" not in (own_file := env.get("ENV", "")):
        groups.append((own_file,) if own_file else ())
    return tuple(group for group in groups if group)


def runs_applets_first(rootfs: Rootfs, final: bytes) -> bool:
    """Whether the shell of this busybox runs its own applets before any file of PATH, as Debian and Ubuntu build it."""
    node = rootfs.resolve(final).node
    if node is None or not node.is_file:
        return False
    return _told(rootfs, node, _puts_applets_first)


def _puts_applets_first(content: bytes) -> bool:
    return re.search(rb"BusyBox v[0-9.]+ \((Debian|Ubuntu) ", content) is not None


def cannot_open(shell: Shell, argv0: str, path: str, errno: ErrnoName) -> tuple[str, int]:
    """The words and exit code of a shell that may not or cannot read its script."""
    denied = errno == "EACCES"
    if shell == "dash":
        return f"{argv0}: 0: cannot open {path}: {'Permission denied' if denied else 'No such file'}", 2
    words = "Permission denied" if denied else "No such file or directory"
    if shell == "bash":
        return f"{argv0}: {path}: {words}", 126 if denied else 127
    return f"{argv0}: can't open '{path}': {words}", 2


StartError = Literal[ErrnoName, "interpreter"]
"""Why a shell's command does not start; `interpreter`: it is there, and what its first line names is not."""


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """Where `execvp` or a shell finds a name."""

    path: str | None
    """The path that is executed; None when the search gives up."""
    errno: StartError = ""
    """The error it gives up with."""
    seen: str = ""
    """The path of a hit that may not be executed, where there is one."""


def search(rootfs: Rootfs, name: str, path_value: str | None, cwd: str, actor: Actor, *, default: str = "") -> Search:
    """PathAccess a command up as shells and `execvp` do: a hit that may not be executed is remembered and skipped."""
    if not name:
        return Search(path=None, errno="ENOENT")
    if "/" in name:
        seen = check_access(rootfs, name, actor, cwd)
        if seen.errno:
            return Search(path=None, errno="ENOENT" if seen.errno == "ENOTDIR" else seen.errno)
        if seen.node is not None and seen.node.is_dir:
            return Search(path=None, errno="EISDIR", seen=name)
        if seen.node is not None and not permits(seen.node, actor, EXECUTE):
            return Search(path=None, errno="EACCES", seen=name)
        return Search(path=name)
    errno: ErrnoName = "ENOENT"
    denied = ""
    elements = (default if path_value is None else path_value).split(":")
    for element in elements:
        path = f"{element}/{name}" if element else f"./{name}"
        seen = check_access(rootfs, path, actor, cwd)
        node = seen.node
        if seen.errno == "EACCES":
            errno = "EACCES"
        if seen.errno or node is None or node.is_dir:
            continue
        if permits(node, actor, EXECUTE):
            return Search(path=path)
        errno, denied = "EACCES", denied or path
    return Search(path=None, errno=errno, seen=denied)


def search_here(rootfs: Rootfs, name: str, cwd: str, actor: Actor, *, by_exec: bool) -> Search:
    """The same for dash and bash where PATH is empty, or the script unset it: the working directory alone counts.

    bash then shows the whole path of what `exec` does not find.
    """
    found = search(rootfs, f"./{name}", None, cwd, actor)
    if found.path is not None:
        return found
    return Search(path=None, errno=found.errno, seen=f"{cwd.rstrip('/')}/{name}" if by_exec else name)


def search_script(rootfs: Rootfs, name: str, path_value: str | None, cwd: str, actor: Actor) -> str | None:
    """Where bash finds a script that it is given without a slash: a file of PATH, best one that may be executed."""
    path_value = default_path("bash") if path_value is None else path_value
    found = search(rootfs, name, path_value, cwd, actor)
    return found.path or found.seen or None


def default_path(shell: Shell) -> str:
    """Where a shell searches when there is no PATH in its environment."""
    return {"bash": DEFAULT_PATH + ":.", "busybox": "/sbin:/usr/sbin:/bin:/usr/bin"}.get(shell, DEFAULT_PATH)


def cannot_run(
    shell: Shell, arg0: str, name: str, found: Search, line: int, *, script: bool, by_exec: bool, errexit: bool = False
) -> tuple[str, int] | None:
    """The words and exit code of a shell whose command is not there or may not be executed; None: not measured.

    `found.errno` is ENOENT, EACCES, EISDIR, or `interpreter` for a script whose interpreter is missing.  `errexit`:
    `set -e` holds, and bash ends before it says a second time that `exec` fails.
    """
    # The empty name is no program to bash, and one that may not be executed to the others.
    denied = found.errno in {"EACCES", "EISDIR"} or (not name and shell != "bash")
    if found.errno not in {"ENOENT", "EACCES", "EISDIR", "interpreter"}:
        return None
    code = 126 if denied and (name or by_exec) else 127
    if shell == "dash":
        words = "Permission denied" if denied else "not found"
        if denied and not by_exec and "/" not in name:
            code = 127  # dash keeps the code of "not found" when it searched PATH itself
        return f"{arg0}: {line}: {'exec: ' if by_exec else ''}{name}: {words}", code
    if shell == "busybox":
        words = "Permission denied" if denied else "not found"
        if by_exec:
            return f"{arg0}: exec: line {line if script else line - 1}: {name}: {words}", code
        place = f"line {line}: " if script else ""
        return f"{arg0}: {place}{name}: {words}", code
    if shell != "bash":
        return None
    shown = found.seen or name
    head = f"{arg0}: line {line}: "
    if found.errno == "interpreter":
        return f"{head}{shown}: cannot execute: required file not found", code
    if denied:
        words = "Is a directory" if found.errno == "EISDIR" else "Permission denied"
        again = f"\n{head}exec: {shown}: cannot execute: {words}" if by_exec and not errexit else ""
        return f"{head}{shown}: {words}{again}", code
    if "/" in name or found.seen:
        return f"{head}{shown}: No such file or directory", code
    return f"{head}exec: {name}: not found" if by_exec else f"{head}{name}: command not found", code
