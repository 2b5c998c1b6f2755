"""One field of a byte format: where it stands, its bytes, what they say and what that means."""

from __future__ import annotations

import msgspec

from imagepeel._display import Shown


class Field(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """A named run of bytes.  The fields of one structure follow each other without a gap, in order."""

    offset: int
    """Bytes from the start of the structure."""
    name: str
    """What the format's own document calls it."""
    data: bytes
    """The bytes as they are."""
    value: str
    """What they say, in words; text of the image as it stands, bytes that are not UTF-8 as surrogates."""
    meaning: str = ""
    """What the field is for, "" where its name says it."""

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.data)

    @property
    def end(self) -> int:
        """Offset of the first byte behind it."""
        return self.offset + len(self.data)
