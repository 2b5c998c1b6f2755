"""The story: six chapters from a file on disk to a process, each true of this image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagepeel.present.document import Chapter, Span, Story, dim, path, value
from imagepeel.present.story import file, layers, paperwork, parts, process, stack, surprises
from imagepeel.present.story.context import StoryContext
from imagepeel.present.story.summary import summary
from imagepeel.text import size

if TYPE_CHECKING:
    from imagepeel.image import LayeredImage


def explain_image(image: LayeredImage, *, engine: str | None = None) -> Story:
    """Tell the story of an image.

    `engine` is the engine that the process is predicted for (see `ProcessOptions`), None for the default.
    Reads every layer once.  LimitExceeded on bombs, UsageError for an unknown engine; whatever is damaged
    or missing is said in the story.
    """
    context = StoryContext(image, engine)
    image.scan()
    chapters: list[Chapter] = []
    # An artifact has parts and no layers, makes no file system and becomes no process.
    modules = (file, paperwork, parts, surprises) if context.knowledge.artifact else (
        file, paperwork, stack, layers, process, surprises,
    )  # fmt: skip
    for module in modules:
        title, blocks = module.chapter(context)
        chapters.append(Chapter(number=len(chapters) + 1, id=module.ID, title=title, blocks=tuple(blocks)))
    return Story(
        archive=image.archive.name,
        image=image.name,
        number=image.record.number,
        platform=image.platform,
        digest=image.digest,
        image_id=image.id,
        headline=headline(context),
        summary=summary(context),
        chapters=tuple(chapters),
    )


def headline(context: StoryContext) -> tuple[Span, ...]:
    image = context.image
    facts = [path(context.name)]
    held = file.archive_bytes(context)
    if held is not None:
        packed = context.archive.file_size if context.archive.wrapping else None
        facts.append(value(size(held) if packed is None else f"{size(packed)} ({size(held)} unpacked)"))
    facts.append(Span(context.archive.kind.label))
    if image.platform:
        facts.append(Span(image.platform))
    if image.names:
        more = f" (and {len(image.names) - 1} more)" if len(image.names) > 1 else ""
        facts.append(value(image.name + more))
    elif not context.bare:
        facts.append(dim("no name"))
    return tuple(facts)
