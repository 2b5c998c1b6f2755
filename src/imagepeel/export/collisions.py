"""Names that are one name where a filesystem does not tell case or Unicode forms apart (macOS, Windows, vfat)."""

from __future__ import annotations

import os
import unicodedata
from contextlib import suppress

from imagepeel.errors import UsageError
from imagepeel.evidence import text
from imagepeel.export.plan import Plan

_PROBE = ".imagepeel-form-\u00e9"


def fold(name: bytes) -> str:
    """Return what a name becomes where case and Unicode form do not count."""
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", text(name)).casefold())


def folds_names(root: int, marker: bytes) -> bool:
    """Say whether the filesystem of an open directory takes two names for one; `marker` is a file that is there."""
    if _there(marker.upper(), root):
        return True
    probe = _PROBE.encode()
    try:
        os.mkdir(probe, 0o700, dir_fd=root)
        return _there(unicodedata.normalize("NFD", _PROBE).encode(), root)
    except OSError:
        return False
    finally:
        with suppress(OSError):  # it could not be made
            os.rmdir(probe, dir_fd=root)


def _there(name: bytes, root: int) -> bool:
    try:
        os.stat(name, dir_fd=root, follow_symlinks=False)
    except OSError:
        return False
    return True


def check_names(plan: Plan) -> None:
    """Raise UsageError when two names of the plan fall together, with the first of them."""
    seen: dict[str, bytes] = {}
    pairs: list[tuple[bytes, bytes]] = []
    for path in sorted(plan.paths()):
        known = seen.setdefault(fold(path), path)
        if known is not path:
            pairs.append((known, path))
    if pairs:
        one, other = pairs[0]
        more = f", and {len(pairs) - 1} more" if pairs[1:] else ""
        raise UsageError(
            f"/{text(one)} and /{text(other)} are one name where case does not count{more}",
            hint="extract to a filesystem that tells them apart, or write a tar with flatten",
        )
