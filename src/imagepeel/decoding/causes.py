"""Which of several failures with one text is the likeliest, and what people take that text for wrongly."""

from __future__ import annotations

from collections.abc import Iterable

from imagepeel.process.engines.lookup import SHELL_WORDS
from imagepeel.process.spec.failure import FailureCode as F
from imagepeel.process.spec.failure import Judge
from imagepeel.tables import ErrnoName

_LIKELIEST = (
    F.NOT_IN_PATH,
    F.FILE_MISSING,
    F.ELF_REFUSED,
    F.NOT_EXECUTABLE,
    F.SHEBANG_CRLF,
    F.LOADER_MISSING,
    F.INTERPRETER_MISSING,
    F.LIBRARY_MISSING,
    F.SYMBOL_VERSION_MISSING,
    F.SHELL_LINE_FAILS,
    F.NO_PROGRAM_FORMAT,
    F.COMMAND_LINE_AS_NAME,
    F.SHELL_MISSING,
    F.USER_UNKNOWN,
    F.WRAPPER_FAILS,
    F.IS_DIRECTORY,
    F.TOOL_FAILS,
)
"""How often people ask about a failure, most often first; the rest follows in the order of the codes."""
_RANK = {code: number for number, code in enumerate(dict.fromkeys((*_LIKELIEST, *F)))}
_RETURNS = ("\r", "\\r", "^M")
"""A carriage return at the end of a name, and how programs write it."""
_SHELLS = frozenset({"sh", "bash", "ash", "dash", "zsh"})


def ordered(codes: Iterable[F], about: str | None = None) -> tuple[F, ...]:
    """The failures, likeliest first; the name that the text is about speaks for some of them and against others.

    `about` is None where the text has no name.
    """
    if about is not None and about.rstrip("'\"").endswith(_RETURNS):
        codes = {*codes, F.SHEBANG_CRLF}
    if about is None:
        return tuple(sorted(codes, key=_RANK.__getitem__))
    spoken = {code: _speaks(code, about) for code in codes}
    left = [code for code, fits in spoken.items() if fits is not False] or list(spoken)
    return tuple(sorted(left, key=lambda code: (not spoken[code], _RANK[code])))


def _speaks(code: F, about: str) -> bool | None:
    """Whether a name speaks for a failure (True), excludes it (False) or says nothing of it."""
    name = about.rpartition("/")[2]
    if code is F.COMMAND_LINE_AS_NAME:
        return any(map(str.isspace, about)) or about in SHELL_WORDS
    if code is F.EMPTY_COMMAND:
        return not name or None
    if code is F.SHELL_MISSING:
        return name in _SHELLS
    if code is F.SHEBANG_CRLF:
        return about.rstrip("'\"").endswith(_RETURNS) or name.endswith(".sh") or None
    if code is F.LOADER_MISSING:
        return (bool(name) and "." not in name) or None
    return None


_NAMES_ANOTHER = (
    "The file itself is there: the runtime had looked it up before the kernel said this. What is missing is the file "
    "that it names: its interpreter or its loader."
)
_NOT_CRLF = (
    "CRLF does not give this: behind #! it makes the kernel look for an interpreter whose name ends in a carriage "
    "return, and that gives 'no such file or directory'."
)
_NOT_ITSELF = (
    "It need not be the file itself: an interpreter, a loader or a directory on the way that is closed to this user "
    "gives the same text."
)
_OF_KERNEL: dict[ErrnoName, tuple[str, ...]] = {
    "ENOENT": (_NAMES_ANOTHER,),
    "ENOEXEC": (_NOT_CRLF, "A missing right to execute does not give it either: that is 'permission denied'."),
    "EACCES": (_NOT_ITSELF,),
}
_OF_CODE: dict[F, str] = {
    F.NOT_IN_PATH: (
        "PATH is that of the image and its options, not that of your shell; builtins and aliases (cd, source, ll) are "
        "no files."
    ),
    F.FILE_MISSING: (
        "A file that COPY brought can be covered by a volume or a bind mount: then the image has it and the container "
        "has not."
    ),
    F.LIBRARY_MISSING: "'No such file or directory' is about the library before it, not about the program.",
    F.SYMBOL_VERSION_MISSING: (
        "Installing the library again does not help: the program was linked on a system with a newer C library."
    ),
    F.USER_UNKNOWN: "The user of the host does not count: the name is looked up in /etc/passwd of the image.",
    F.SHELL_LINE_FAILS: "The shell itself was started well: this is about a word inside its line or script.",
    F.SHEBANG_CRLF: "A plain 'cat' of the script does not show it: a terminal hides the carriage return.",
}


def false_friends(judge: Judge | None, errno: ErrnoName, codes: Iterable[F]) -> tuple[str, ...]:
    """What is not meant, though many take it for it."""
    if judge is Judge.KERNEL:
        return _OF_KERNEL.get(errno, ())
    first = next(iter(codes), None)
    return (_OF_CODE[first],) if first in _OF_CODE else ()


def misleading(code: F) -> tuple[str, ...]:
    """All sentences about what a failure is taken for wrongly: those of its own, and of the kernel's words for it."""
    of_kernel = {
        F.SHEBANG_CRLF: "ENOENT", F.INTERPRETER_MISSING: "ENOENT", F.LOADER_MISSING: "ENOENT", F.ELF_REFUSED: "ENOEXEC",
        F.NO_PROGRAM_FORMAT: "ENOEXEC", F.INTERPRETER_BLOCKED: "EACCES", F.LOADER_REFUSED: "EACCES",
        F.NOT_EXECUTABLE: "EACCES",
    }.get(code)  # fmt: skip
    own = (_OF_CODE[code],) if code in _OF_CODE else ()
    return (*own, *(_OF_KERNEL[of_kernel] if of_kernel else ()))  # type: ignore[index]
