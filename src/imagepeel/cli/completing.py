"""What a shell completes: names that are known without an archive, and what stands in the archive of the line."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from imagepeel.cli.settings import Settings
    from imagepeel.verbs import Image

Completion = Callable[[click.Context, click.Parameter, str], list[str]]


def _of(names: Callable[[], Iterable[str]]) -> Completion:
    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
        return [name for name in names() if name.startswith(incomplete)]

    return complete


def _engines() -> Iterable[str]:
    from imagepeel.process.engines.registry import engine_names  # start time

    return engine_names()


def _views() -> Iterable[str]:
    from imagepeel.rootfs.engines.names import VIEWS  # start time

    return VIEWS


def _rules() -> Iterable[str]:
    from imagepeel.findings.catalogue import RULES  # start time

    return (rule.id for rule in RULES)


def _images() -> Iterable[str]:
    from imagepeel.forge.gallery import NAMES  # start time

    return NAMES


def _chapters() -> Iterable[str]:
    from imagepeel.present.document import CHAPTERS  # start time

    return CHAPTERS


def _kinds() -> Iterable[str]:
    from imagepeel.forge.archives import KINDS  # start time

    return KINDS


engines: Completion = _of(_engines)
views: Completion = _of(_views)
rules: Completion = _of(_rules)
images: Completion = _of(_images)
kinds: Completion = _of(_kinds)
chapters: Completion = _of(_chapters)


# ---- what stands in the archive ---------------------------------------------------------------------------------


def _archive(ctx: click.Context) -> str:
    """The archive of the line, "" where it is standard input or stands behind what is completed."""
    from imagepeel.cli.settings import Settings  # start time

    settings = ctx.find_object(Settings)
    # Before an option without its value, click hands nothing on: what it has read of the line are the words left.
    words = [settings.archive if settings is not None else "", *ctx.args]
    return next((word for word in words if word and word != "-"), "")


@contextmanager
def _image(ctx: click.Context) -> Iterator[Image | None]:
    """The image that the line before is about, None where nobody can tell: a shell shows no error."""
    from imagepeel.api import open as open_archive  # start time
    from imagepeel.cli.settings import Settings  # start time
    from imagepeel.errors import ImagepeelError  # start time

    settings, archive = ctx.find_object(Settings), _archive(ctx)
    if settings is None or not os.path.exists(archive):  # nothing is fetched for a key press
        yield None
        return
    try:
        opened = open_archive(archive, blobs=settings.blobs, verify=False, cache=settings.cache)
    except (ImagepeelError, OSError):
        yield None
        return
    with opened:
        try:
            image = opened.image(settings.reference, platform=settings.platform)
        except ImagepeelError:
            image = None
        yield image


def _quietly(found: Callable[[Image, Settings, str], Iterable[str]]) -> Completion:
    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
        from imagepeel.cli.settings import Settings  # start time
        from imagepeel.errors import ImagepeelError  # start time

        with _image(ctx) as image:
            if image is None:
                return []
            try:
                return list(found(image, ctx.ensure_object(Settings), incomplete))
            except (ImagepeelError, OSError):
                return []

    return complete


def _labels(image: Image, _: Settings, incomplete: str) -> Iterator[str]:
    wanted = incomplete.upper().removeprefix("L")
    return (layer.label for layer in image.layers if layer.label[1:].startswith(wanted))


def _paths(image: Image, settings: Settings, incomplete: str) -> Iterator[str]:
    """Yield the names of a directory that begin so; a directory ends in a slash, so that the next one follows."""
    top, _, start = incomplete.rpartition("/")
    for name, node in image.view(settings.view or "runtime").scandir(f"/{top.strip('/')}"):
        shown = name.decode("utf-8", "surrogateescape")
        if shown.startswith(start) and shown.isprintable():
            yield f"{top}/{shown}{'/' if node.kind == 'dir' else ''}"


def references(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The names of the images of an archive, and their numbers as `#2`."""
    from imagepeel.api import open as open_archive  # start time
    from imagepeel.errors import ImagepeelError  # start time

    archive = _archive(ctx)
    if not archive:
        return []
    try:
        with open_archive(archive, verify=False) as opened:
            names = [name for image in opened.images() for name in (*image.names, f"#{image.record.number}")]
    except (ImagepeelError, OSError):
        return []
    return [name for name in dict.fromkeys(names) if name.startswith(incomplete) and name.isprintable()]


labels: Completion = _quietly(_labels)
paths: Completion = _quietly(_paths)
