"""Texts of glibc's loader: its own errno texts, and the dynamic string tokens in search paths."""

from __future__ import annotations

from imagepeel.tables import ERRNO_LIBC, ERRNO_NUMBER, ErrnoName

_SPOKEN = frozenset(("ENOENT", "EACCES", "EINVAL", "EIO"))


def strerror(errno: ErrnoName) -> str:
    """The loader carries its own short table of errno texts; what it lacks is printed as a number (`dl-minimal.c`)."""
    return ERRNO_LIBC[errno] if errno in _SPOKEN else f"Error {ERRNO_NUMBER.get(errno, 0)}"


def token_at(value: bytes, position: int) -> tuple[bytes, int]:
    """A dynamic string token behind a dollar sign and its length with braces; (b"", 0) when there is none."""
    for name in (b"ORIGIN", b"PLATFORM", b"LIB"):
        braced = b"{" + name + b"}"
        if value.startswith(braced, position):
            return name, len(braced)
        if value.startswith(name, position):
            return name, len(name)
    return b"", 0
