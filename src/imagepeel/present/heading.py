"""What documents about an image have in common: the first line, and a history step in a few words."""

from __future__ import annotations

from imagepeel.archive.select import not_examined
from imagepeel.present.document import Document, Section, Span, bad, path, say, section, value
from imagepeel.results.head import ImageHead
from imagepeel.text import plural, shortened, title, without_middle

MOST_GAPS = 6
"""Gaps that a document spells out; --json has all."""
LAYER_MISSING = "A layer is missing or damaged: its bytes are not in the sums, and what it hides is not known."
BRIEF_NAME = 27
"""Characters of a name in a brief headline."""
BRIEF_LINE = 66
STEP_WIDTH = 60
"""Characters of a history step that are worth a row; --json has it whole."""


def named(archive: str) -> str:
    """Return the name of an archive as people read it."""
    return archive if archive != "-" else "standard input"


def heading(head: ImageHead, *, brief: bool = False) -> tuple[Span, ...]:
    """Return which image this is about: archive, kind, name, platform, and whether something is missing.

    In `brief` it is a line of 80 columns: without folder and kind, and the middle of long names left out.
    """
    archive, name = named(head.archive), head.names[0] if head.names else "an image without a name"
    if brief:
        out = [
            path(without_middle(archive.rpartition("/")[2] or archive, BRIEF_NAME)),
            value(without_middle(name, BRIEF_NAME)),
        ]
    else:
        out = [path(archive), value(head.archive_kind), value(name)]
    if head.platform:
        out.append(value(shortened(head.platform, BRIEF_NAME // 2) if brief else head.platform))
    if not head.complete:
        out.append(bad("incomplete"))
    return tuple(out)


def about(head: ImageHead, *sections: Section | None, examined: int = 1, brief: bool = False) -> Document:
    """Return a document about an image: the sections, then what is not known of it; None is left out.

    Of an artifact the first sentence says what it is.  The last one names the images of the archive that it is not
    about: it is about `examined` of them, 0 where the sections say so.
    In `brief` each of these takes a line, above the last section.
    """
    what = section(say(f"This is {head.artifact}.")) if head.artifact else None
    if brief:
        *above, last = sections
        told = (what, *above, _briefly(head, examined), last)
    else:
        told = (what, *sections, _not_known(head), _others(head, examined))
    return Document(
        title=head.names[0] if head.names else named(head.archive),
        headline=heading(head, brief=brief),
        sections=tuple(one for one in told if one is not None),
    )


def _briefly(head: ImageHead, examined: int) -> Section | None:
    claims = []
    if head.not_known:
        more = len(head.not_known) - 1
        first = shortened(title(str(head.not_known[0])), BRIEF_LINE)
        claims.append(say(f"{first}{f'; and {more} more' if more else ''}.", level="warn"))
    if others := others_in_words(head, examined):
        claims.append(say(shortened(others, BRIEF_LINE)))
    return section(*claims) if claims else None


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
    if not created_by:
        return without
    from imagepeel.history.builders import instruction  # start time

    return shortened(instruction(created_by), STEP_WIDTH)


def brief_digest(digest: str | None, digits: int = 12) -> str:
    """Return the first hex digits of a digest, `-` for none; another algorithm than sha256 is named."""
    if not digest:
        return "-"
    algorithm, colon, encoded = digest.partition(":")
    short = (encoded if colon else algorithm)[:digits]
    return short if algorithm == "sha256" or not colon else f"{algorithm}:{short}"
