"""The story: six chapters from a file on disk to a process, each true of this image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagepeel.present.document import Chapter, Span, Story, dim, path, value
from imagepeel.present.story import file, layers, paperwork, process, stack, surprises
from imagepeel.present.story.context import Teller
from imagepeel.text import size

if TYPE_CHECKING:
    from imagepeel.image import LayeredImage


def explain_image(image: LayeredImage, *, engine: str | None = None) -> Story:
    """Tell the story of an image.

    `engine` is the engine that the process is predicted for (see `ProcessOptions`), None for the default.
    Reads every layer once.  LimitExceeded on bombs, UsageError for an unknown engine; whatever is damaged
    or missing is said in the story.
    """
    teller = Teller(image, engine)
    image.scan()
    chapters: list[Chapter] = []
    for chapter in (file, paperwork, stack, layers, process, surprises):
        title, blocks = chapter.tell(teller)
        chapters.append(Chapter(number=len(chapters) + 1, id=chapter.ID, title=title, blocks=tuple(blocks)))
    return Story(
        archive=image.archive.name,
        image=image.name,
        number=image.record.number,
        platform=image.platform,
        digest=image.digest,
        image_id=image.id,
        headline=headline(teller),
        chapters=tuple(chapters),
    )


def headline(teller: Teller) -> tuple[Span, ...]:
    image = teller.image
    facts = [path(teller.name)]
    held = file.archive_bytes(teller)
    if held is not None:
        facts.append(value(size(held)))
    facts.append(Span(teller.archive.kind.label))
    if image.platform:
        facts.append(Span(image.platform))
    if image.names:
        more = f" (and {len(image.names) - 1} more)" if len(image.names) > 1 else ""
        facts.append(value(image.name + more))
    elif not teller.flat:
        facts.append(dim("no name"))
    return tuple(facts)
