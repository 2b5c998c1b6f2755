"""The first line of a document about an image."""

from __future__ import annotations

from imagepeel.present.document import Document, Section, Span, bad, path, value
from imagepeel.results.tables import ImageHead

STEP_WIDTH = 60
"""Characters of a history step that are worth a row; --json has it whole."""


def named(archive: str) -> str:
    """Return the name of an archive as people read it."""
    return archive if archive != "-" else "standard input"


def heading(head: ImageHead) -> tuple[Span, ...]:
    """Return which image this is about: archive, kind, name, platform, and whether something is missing."""
    out = [path(named(head.archive)), value(head.archive_kind)]
    out.append(value(head.names[0] if head.names else "an image without a name"))
    if head.platform:
        out.append(value(head.platform))
    if not head.complete:
        out.append(bad("incomplete"))
    return tuple(out)


def about(head: ImageHead, *sections: Section | None) -> Document:
    """Return a document about an image; None is left out."""
    return Document(
        title=head.names[0] if head.names else named(head.archive),
        headline=heading(head),
        sections=tuple(section for section in sections if section is not None),
    )
