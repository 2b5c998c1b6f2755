"""The first judge: an image has to get into the engine's store before anything starts.

`imagepeel.loading` knows who takes what; here its answer becomes a failure of a start, and the view of the store is
that of the engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from imagepeel.loading.answer import Cause, Outcome
from imagepeel.loading.delivery import Delivery
from imagepeel.loading.registry import find_tools
from imagepeel.process.spec.failure import Failure, FailureCode, Judge

if TYPE_CHECKING:
    from imagepeel.image import LayeredImage
    from imagepeel.loading.answer import LoadAnswer
    from imagepeel.loading.tool import LoadTool
    from imagepeel.process.engines.engine import Engine
    from imagepeel.rootfs.view import Rootfs

_CODES = {
    Cause.MANIFEST: FailureCode.CONFIG_WITHOUT_ROOTFS,
    Cause.CONFIG: FailureCode.CONFIG_WITHOUT_ROOTFS,
    Cause.COUNT: FailureCode.LAYER_COUNT,
    Cause.DEPTH: FailureCode.UNPACK_REFUSED,
    Cause.PATH_TWICE: FailureCode.PATH_TWICE,
    Cause.UNPACK: FailureCode.UNPACK_REFUSED,
}
"""What is wrong with the image; any other cause is about the file that it lies in."""
BY_LOAD = frozenset((*_CODES.values(), FailureCode.FILE_NOT_TAKEN))
"""The failures that end a start before it begins."""


def tools_of(engine: Engine) -> tuple[LoadTool, ...]:
    """Return who loads images for an engine, one a store; () where somebody unpacks a bundle by hand."""
    name, _, version = engine.loaded_by.partition("@")
    wanted = tuple(int(part) for part in version.split(".")) if version else engine.version
    return find_tools(name, wanted) if name else ()


def loaded(image: LayeredImage, engine: Engine) -> tuple[Rootfs, LoadAnswer | None]:
    """Return the filesystem that an engine makes of an image, and why its store does not take the image as it is.

    The answer is None where nothing stands against it, or where loading is not what decides: there is no config, or
    the image is not for Linux.  It is unknown where one store of the engine refuses the image and another does not.
    It has no cause where only this file is refused, and another command brings the image in as it is.
    """
    tools = tools_of(engine)
    if image.record.format.bare or image.os not in ("", "linux"):
        tools = ()
    delivery = image.derived(Delivery)
    answers = [(tool, tool.refusal_of_image(delivery)) for tool in tools]
    against = [(tool, answer) for tool, answer in answers if answer is not None]
    if not against:
        return image.view(engine.view), _of_file(delivery, tools)
    first = against[0][1]
    takes = [tool for tool, answer in answers if answer is None or not answer.refuses_image]
    if not takes:
        return image.view(engine.view), first
    if first.refuses_image:
        why = f"the store: {first.label} refuses the image, the {takes[0].store} store takes it; {first.why}"
        first = msgspec.structs.replace(first, outcome=Outcome.UNKNOWN, cause=None, why=why)
    return image.view(takes[0].other_view or takes[0].view), first


def files_refused(delivery: Delivery, tools: tuple[LoadTool, ...]) -> list[LoadAnswer]:
    """Return the refusals of those tools that do not read the file, whatever image lies in it.

    A directory is nobody's to load, and a cut file is damaged.
    """
    return [] if delivery.is_directory else _refusals(delivery, tools)


def _refusals(delivery: Delivery, tools: tuple[LoadTool, ...]) -> list[LoadAnswer]:
    """The same, with a directory judged as if it had been packed."""
    if delivery.is_cut:
        return []
    return [answer for tool in tools if (answer := tool.refusal_of_file(delivery)) is not None]


def _of_file(delivery: Delivery, tools: tuple[LoadTool, ...]) -> LoadAnswer | None:
    """Why no tool of the engine reads the file; that a directory has to be packed says nothing of the image."""
    refused = _refusals(delivery, tools)
    if not refused or len(refused) < len(tools):
        return None
    first = refused[0]
    decides = delivery.has_to_be_repacked and not delivery.is_directory
    return first if decides else msgspec.structs.replace(first, cause=None)


def failure_of(answer: LoadAnswer) -> Failure:
    """Return a refusal as the failure of a start."""
    assert answer.cause is not None
    return Failure(
        code=_CODES.get(answer.cause, FailureCode.FILE_NOT_TAKEN),
        judge=Judge.LOAD,
        message=answer.text,
        why=answer.why,
        fix="; or ".join(answer.ways),
        where=answer.where,
        exit_code=answer.exit_code,
        created=False,
    )
