"""What a source is asked with, and what it gives."""

from __future__ import annotations

import msgspec

from imagepeel.archive.members import Members
from imagepeel.archive.source import Progress, Source
from imagepeel.limits import DEFAULT, Limits


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """How a source is to be read: the same for every kind, each takes what concerns it."""

    limits: Limits = DEFAULT
    """What it may cost."""
    progress: Progress | None = None
    """Called with counts of bytes that a source copies to a temporary file; what is read on demand counts itself."""
    verify: bool = True
    """Whether digests are computed."""
    plain_http: bool = False
    """Whether bytes and credentials may go unencrypted to another machine."""
    ca: str = ""
    """A file of certificates that are trusted beside those of this machine."""


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """What a word stands for.

    `what` is opened as an archive: a path, bytes, or the members of a layout.  `reference` is the image that the word
    itself chooses, "" where it chooses none.
    """

    what: str | Source | Members
    reference: str = ""


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """What tells, before an archive comes, whether it is the one that came last time.

    `stamp` is another one whenever the bytes may be others.  With `digest` it is that of a document, as whoever was
    asked says: an archive that came shows whether all of it hangs on that document.
    """

    stamp: str
    digest: bool = False
