"""What engines wrote in versions that are no longer followed, and people still quote: the same refusals, other words.

Sources: runc before 1.0 (libcontainer/standard_init_linux.go and container_linux.go: `exec user process caused`,
`starting container process caused`), Docker before 19.03, rkt.  The words inside are those of today's table.
"""

from __future__ import annotations

from imagepeel.tables import ERRNO_GO, ErrnoName

EXECVE = (
    'exec user process caused "\0"',
    "exec user process caused: \0",
    "exec user process caused \0",
)
"""The kernel's refusal: errno stands in the hole, no path."""

SINCE = "runc before 1.1"


def errno_in(words: str) -> ErrnoName:
    """Which error of Linux a text begins with, in Go's words; "" for none."""
    lower = words.strip(" \"'\\.").lower()
    return next((errno for errno, said in ERRNO_GO.items() if lower.startswith(said)), "")
