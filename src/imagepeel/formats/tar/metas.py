"""What entries of a tar share: type, mode, owner and device."""

from __future__ import annotations

import msgspec

from imagepeel.formats.tar.header import HeaderFormat

MOST_METAS = 8192
"""Values that are kept as objects."""


class Meta(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What entries share: kept once per distinct value."""

    type: bytes
    mode: int
    uid: int
    gid: int
    major: int
    minor: int
    uname: bytes
    gname: bytes
    format: HeaderFormat
