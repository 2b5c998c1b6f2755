"""What documents about an image have in common: the first line, and a history step in a few words."""

from __future__ import annotations

from imagepeel.archive.select import not_examined
from imagepeel.history.builders import instruction
from imagepeel.present.document import Document, Section, Span, bad, path, say, section, value
from imagepeel.results.head import ImageHead
from imagepeel.text import plural, shortened, title

MOST_GAPS = 6
"""Gaps that a document spells out; --json has all."""
LAYER_MISSING = "A layer is missing or damaged: its bytes are not in the sums, and what it hides is not known."
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


def about(head: ImageHead, *sections: Section | None, examined: int = 1) -> Document:
    """Return a document about an image: the sections, then what is not known of it; None is left out.

    Of an artifact the first sentence says what it is.  The last one names the images of the archive that it is not
    about: it is about `examined` of them, 0 where the sections say so.
    """
    what = section(say(f"This is {head.artifact}.")) if head.artifact else None
    return Document(
        title=head.names[0] if head.names else named(head.archive),
        headline=heading(head),
        sections=tuple(one for one in (what, *sections, _not_known(head), _others(head, examined)) if one is not None),
    )


def _not_known(head: ImageHead) -> Section | None:
    if not head.not_known:
        return None
    left = len(head.not_known) - MOST_GAPS
    more = [say(f"Of {plural(left, 'more part')} neither.", level="warn")] if left > 0 else []
    return section(*(say(f"{title(str(gap))}.", level="warn") for gap in head.not_known[:MOST_GAPS]), *more)


def _others(head: ImageHead, examined: int) -> Section | None:
    said = others_in_words(head, examined)
    return section(say(said)) if said and examined else None


def others_in_words(head: ImageHead, examined: int = 1) -> str:
    """Return the sentence about the images of the archive that a result is not about, "" without any."""
    return f"{not_examined(head.number, head.not_examined, examined)}." if head.not_examined else ""


def brief_step(created_by: str, without: str = "") -> str:
    """Return what a history step did as one line of a Dockerfile, at most `STEP_WIDTH` characters."""
    return shortened(instruction(created_by), STEP_WIDTH) if created_by else without


def brief_digest(digest: str | None, digits: int = 12) -> str:
    """Return the first hex digits of a digest, `-` for none; another algorithm than sha256 is named."""
    if not digest:
        return "-"
    algorithm, colon, encoded = digest.partition(":")
    short = (encoded if colon else algorithm)[:digits]
    return short if algorithm == "sha256" or not colon else f"{algorithm}:{short}"
