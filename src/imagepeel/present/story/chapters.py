"""The story: six chapters from a file on disk to a process, each true of this image."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from imagepeel.errors import UsageError
from imagepeel.present.document import Chapter, Span, Story, dim, path, value
from imagepeel.present.story import file, layers, paperwork, parts, process, stack, surprises
from imagepeel.present.story.context import StoryContext
from imagepeel.present.story.summary import summary
from imagepeel.text import decimal, size

if TYPE_CHECKING:
    from imagepeel.image import LayeredImage


def explain_image(
    image: LayeredImage, *, engine: str | None = None, chapters: Collection[int | str] | None = None
) -> Story:
    """Tell the story of an image.

    `engine` is the engine that the process is predicted for (see `ProcessOptions`), None for the default.
    `chapters` are the numbers (from 1) or ids of those that are wanted, in reading order and with their numbers; None
    for all, () for the headline alone.  Reads every layer once.  LimitExceeded on bombs, UsageError for an unknown
    engine or a chapter that the story does not have; whatever is damaged or missing is said in the story.
    """
    context = StoryContext(image, engine)
    image.scan()
    # An artifact has parts and no layers, makes no file system and becomes no process.
    modules = (file, paperwork, parts, surprises) if context.knowledge.artifact else (
        file, paperwork, stack, layers, process, surprises,
    )  # fmt: skip
    wanted = _wanted(chapters, [module.ID for module in modules])
    told: list[Chapter] = []
    for number, module in enumerate(modules, 1):
        if number in wanted:
            title, blocks = module.chapter(context)
            told.append(Chapter(number=number, id=module.ID, title=title, blocks=tuple(blocks)))
    return Story(
        archive=image.archive.name,
        image=image.name,
        number=image.record.number,
        platform=image.platform,
        digest=image.digest,
        image_id=image.id,
        headline=headline(context),
        summary=summary(context),
        chapters=tuple(told),
    )


def _wanted(chapters: Collection[int | str] | None, ids: Sequence[str]) -> set[int]:
    """Return the numbers of the chapters that are asked for.  UsageError for one that the story does not have."""
    if chapters is None:
        return set(range(1, len(ids) + 1))
    wanted = set()
    for one in chapters:
        name = str(one).strip().lower()
        number = ids.index(name) + 1 if name in ids else decimal(name)
        if number is None or not 0 < number <= len(ids):
            known = ", ".join(f"{number} {id}" for number, id in enumerate(ids, 1))
            raise UsageError(f"this story has no chapter {str(one)!r}", hint=f"its chapters are {known}")
        wanted.add(number)
    return wanted


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
