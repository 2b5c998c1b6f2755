"""What `imagepeel version --json` carries."""

from __future__ import annotations

import msgspec


class VersionResult(msgspec.Struct, frozen=True, kw_only=True):
    """Result of `imagepeel version`: what a bug report needs.  A library that is absent has the version ""."""

    imagepeel: str
    python: str
    system: str
    libraries: dict[str, str]
    libmagic: str
