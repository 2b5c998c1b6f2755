"""What `imagepeel loadable --json` carries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from imagepeel._display import Shown
from imagepeel.archive.members import Medium
from imagepeel.archive.select import UNFOLLOWED
from imagepeel.loading.answer import LoadAnswer, Outcome
from imagepeel.loading.delivery import Delivery
from imagepeel.loading.registry import TOOLS
from imagepeel.results.head import ImageHead, KindName, image_head

if TYPE_CHECKING:
    from imagepeel.archive.opened import OpenArchive
    from imagepeel.image import LayeredImage


_MOST_JUDGED = 2_000
"""Images and their layers that are judged at once."""


class LoadableImage(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """What every tool does with one image."""

    image: ImageHead
    answers: tuple[LoadAnswer, ...]
    """One answer a tool, in the order of docs/reference/loading.md."""


class LoadableResult(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """Result of `imagepeel loadable`: who takes the archive, image by image in archive order."""

    archive: str
    """Name of the archive as it was given."""
    kind: KindName
    form: Medium
    """What holds the members; a directory is judged as if it had been packed, where a tool wants a tar."""
    images: tuple[LoadableImage, ...]
    unread: str = ""
    """Why no image can be read from it, "" where one can; `images` then has one of which nothing is known."""


def load_answers(image: LayeredImage) -> tuple[LoadAnswer, ...]:
    """Return the answer of every tool about an image."""
    delivery = image.derived(Delivery)
    answers = tuple(tool.answer(delivery) for tool in TOOLS)
    if all(index.followed for index in image.archive.indexes):
        return answers
    # A tool may follow them and find an image.
    return tuple(
        LoadAnswer(outcome=Outcome.UNKNOWN, tool=one.tool, store=one.store, command=one.command, why=UNFOLLOWED)
        for one in answers
    )


def first_images(images: Sequence[LayeredImage]) -> list[LayeredImage]:
    """Return the images from the start that are judged together: the first, and more up to some thousand layers.

    Each tool looks at each layer of each image.  The answers name the images that they are not about.
    """
    chosen: list[LayeredImage] = []
    cost = 0
    for image in images:
        cost += 1 + len(image.record.layers)
        if chosen and cost > _MOST_JUDGED:
            break
        chosen.append(image)
    return chosen


def loadable_result(archive: OpenArchive, images: Sequence[LayeredImage]) -> LoadableResult:
    """Return who takes these images of an archive, of very many the first ones."""
    images = first_images(images)
    return LoadableResult(
        archive=archive.name,
        kind=archive.kind.name,
        form=archive.medium,
        images=tuple(LoadableImage(image=image_head(image, images), answers=load_answers(image)) for image in images),
        unread=_unread(archive) if archive.stands_in else "",
    )


def _unread(archive: OpenArchive) -> str:
    if not all(index.followed for index in archive.indexes):
        return UNFOLLOWED
    return archive.unread.what if archive.unread is not None else "its documents name none"
