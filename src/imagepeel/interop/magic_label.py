"""What the content of a file looks like, for people: libmagic's words where it is there, own signatures elsewhere.

Nothing in this package decides by these words: they change with libmagic's version and can be fooled.  A lookup costs
a third of a millisecond and more, so it happens only where a person asked for it.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import sys
import threading
from collections.abc import Callable
from functools import lru_cache

HEAD = 8192
"""Bytes of a file that a label looks at."""

_LOCK = threading.Lock()

_SIGNATURES: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x7fELF", "ELF program or library"),
    (0, b"#!", "script"),
    (0, b"\x1f\x8b", "gzip compressed data"),
    (0, b"\x28\xb5\x2f\xfd", "Zstandard compressed data"),
    (0, b"BZh", "bzip2 compressed data"),
    (0, b"\xfd7zXZ\x00", "XZ compressed data"),
    (0, b"PK\x03\x04", "Zip archive"),
    (0, b"7z\xbc\xaf\x27\x1c", "7-zip archive"),
    (257, b"ustar", "tar archive"),
    (0, b"!<arch>\n", "ar archive or Debian package"),
    (0, b"\xed\xab\xee\xdb", "RPM package"),
    (0, b"SQLite format 3\x00", "SQLite database"),
    (0, b"\x89PNG\r\n\x1a\n", "PNG image"),
    (0, b"\xff\xd8\xff", "JPEG image"),
    (0, b"GIF8", "GIF image"),
    (8, b"WEBP", "WebP image"),
    (0, b"%PDF-", "PDF document"),
    (0, b"\xca\xfe\xba\xbe", "Java class or Mach-O binary"),
    (0, b"\x00asm", "WebAssembly module"),
    (0, b"MZ", "Windows program"),
    (0, b"-----BEGIN CERTIFICATE", "PEM certificate"),
    (0, b"-----BEGIN ", "PEM data"),
    (0, b"\x16\x0d\x0d\x0a", "Python bytecode"),
    (0, b"wOF2", "WOFF2 font"),
    (0, b"\x00\x01\x00\x00\x00", "TrueType font"),
    (0, b"\xde\x12\x04\x95", "gettext catalogue"),
    (0, b"TZif", "time zone data"),
    (0, b"glibc-ld.so.cache", "loader cache"),
)


def sniff(head: bytes, *, whole: bool = True) -> str:
    """Return a label from the first bytes alone: a known signature, text, or data.

    `whole` says that `head` is the complete file; otherwise its last character may be cut.
    """
    if not head:
        return "empty"
    for offset, magic, words in _SIGNATURES:
        if head.startswith(magic, offset):
            if words == "script":
                first = head[2:256].split(b"\n", 1)[0].strip()
                return f"script for {first.decode('utf-8', 'backslashreplace')}" if first else "script"
            return words
    if b"\x00" in head:
        return "data"
    for cut in range(1 if whole else 4):
        try:
            text = head[: len(head) - cut].decode("utf-8")
        except UnicodeDecodeError:
            continue
        if any(ord(char) < 32 and char not in "\t\n\r\f\x1b\b" for char in text):
            return "data"
        return "ASCII text" if text.isascii() else "UTF-8 text"
    return "data"


def label(head: bytes, *, whole: bool = True) -> str:
    """Return in words what content that starts with `head` (up to `HEAD` bytes) looks like."""
    return _label(head[:HEAD], whole)


@lru_cache(maxsize=4096)
def _label(head: bytes, whole: bool) -> str:
    ask = libmagic()
    if ask is not None:
        # A libmagic handle is not for several threads.
        with _LOCK:
            try:
                return ask(head)
            except Exception:
                # Whatever libmagic makes of hostile bytes, the own sniff still has an answer.
                pass
    return sniff(head, whole=whole)


@lru_cache(maxsize=1)
def libmagic() -> Callable[[bytes], str] | None:
    """Return libmagic's labelling function, None where python-magic finds no libmagic.

    `pylibmagic`, the optional extra that carries libmagic, changes `ctypes.CDLL` and the environment when it is
    imported; both are put back.
    """
    environment = dict(os.environ)
    init, search = ctypes.CDLL.__init__, ctypes.util.find_library
    try:
        try:
            import pylibmagic  # noqa: F401  # start time
        except Exception:
            pass
        if sys.platform == "linux":
            # The search runs `ldconfig` and a compiler; without it the dynamic loader finds the same library by name.
            ctypes.util.find_library = lambda name: None
        try:
            import magic  # start time
        except Exception:
            return None
        try:
            handle = magic.Magic()
        except Exception:
            return None
        return lambda head: str(handle.from_buffer(head))
    finally:
        ctypes.CDLL.__init__ = init  # type: ignore[method-assign]
        ctypes.util.find_library = search
        for name in set(os.environ) - set(environment):
            del os.environ[name]
        for name, value in environment.items():
            if os.environ.get(name) != value:
                os.environ[name] = value
