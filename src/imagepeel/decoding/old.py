"""What engines wrote in versions that are no longer followed, and people still quote: the same refusals, other words.

Sources: runc before 1.1 (libcontainer/standard_init_linux.go and container_linux.go: `exec user process caused`,
`starting container process caused`), Docker 1.6 to 1.9 (`[8] System error`), Docker 1.10 and 1.11
(`Container command ... not found`), crun before 0.15.  The words inside are those of today's table.
"""

from __future__ import annotations

from imagepeel.tables import ERRNO_GO, ErrnoName

EXECVE = (
    'exec user process caused "\0"',
    "exec user process caused: \0",
    "exec user process caused \0",
    "[8] System error: \0",
)
"""The kernel's refusal: errno stands in the hole, no path."""

ALIASES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (
        "Container command '\0' not found or does not exist",
        "Docker 1.10 and 1.11",
        ('exec: "\0": executable file not found in $PATH', 'exec: "\0": stat \0: no such file or directory'),
    ),
    (
        "executable file not found in $PATH: No such file or directory",
        "crun before 0.15",
        ("executable file '\0' not found in $PATH: No such file or directory",),
    ),
    ("\0: command not found", "a shell at a terminal", ("\0: line \1: \0: command not found",)),
    # A page that shows Markdown swallows the grave accent.
    ("version \0' not found (required by \0)", "", ("version '\0' not found (required by \0)",)),
)
"""A text, the versions that wrote it where today's do not, and today's texts for it: their failures are its causes."""

SINCE = "runc before 1.1"


def errno_in(words: str) -> ErrnoName:
    """Which error of Linux a text begins with, in Go's words; "" for none."""
    lower = words.strip(" \"'\\.").lower()
    return next((errno for errno, said in ERRNO_GO.items() if lower.startswith(said)), "")
