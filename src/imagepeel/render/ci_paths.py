"""How reports for CI name an archive and the page of a rule."""

from __future__ import annotations

import os
from urllib.parse import quote

from imagepeel._lazy import late
from imagepeel.evidence import raw
from imagepeel.masking import redacted

RULE_PAGES = "https://github.com/imagepeel/imagepeel/blob/main/docs/reference/rules/"
_SCHEME = late(r"[A-Za-z][A-Za-z0-9+.-]{0,30}://")


def path_of(archive: str) -> str:
    """Return the path of an archive from this directory where it lies below it; else only its name."""
    if archive == "-":
        return "stdin"
    remote = _SCHEME.match(archive) and not os.path.lexists(archive)
    below = _below(archive) if not remote else None
    if remote:
        archive = redacted(archive).partition("?")[0].partition("#")[0]
    return below if below is not None else os.path.basename(archive.rstrip("/")) or "archive"


def uri_of(archive: str) -> tuple[str, bool]:
    """Return an archive as a URI reference (RFC 3986), and whether it is relative to this directory.

    A file elsewhere is a `file:` URI; what is no file stays the word that names it.
    """
    if archive == "-":
        return "stdin", True
    if _SCHEME.match(archive) and not os.path.lexists(archive):
        return quote(raw(redacted(archive)), safe=":/?#[]@!$&'()*+,;=%"), False
    below = _below(archive)
    if below is not None:
        return quote(raw(below)), True
    return "file://" + quote(raw(os.path.abspath(archive))), False


def _below(archive: str) -> str | None:
    here, there = os.getcwd(), os.path.abspath(archive)
    inside = os.path.relpath(there, here)
    return inside if inside != ".." and not inside.startswith("../") and inside != "." else None
