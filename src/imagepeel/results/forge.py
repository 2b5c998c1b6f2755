"""What `imagepeel forge --json` carries."""

from __future__ import annotations

import msgspec

from imagepeel._display import Shown
from imagepeel.forge.image import ArchiveKind


class ForgeResult(Shown, msgspec.Struct, frozen=True, kw_only=True, tag="written", tag_field="type"):
    """Result of `imagepeel forge`: what was written."""

    name: str
    kind: ArchiveKind
    path: str
    size: int
    """Bytes; of a directory, of all its files."""
    sha256: str | None
    """Of the file, in hexadecimal; null for a directory."""
    description: str


class ForgeName(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """One built-in teaching image; `good` ones unpack and run everywhere."""

    name: str
    description: str
    good: bool


class ForgeList(Shown, msgspec.Struct, frozen=True, kw_only=True, tag="list", tag_field="type"):
    """Result of `imagepeel forge --list`."""

    images: tuple[ForgeName, ...]
    kinds: dict[ArchiveKind, str]
    """Each kind of archive with what it is."""


ForgeOutput = ForgeResult | ForgeList
