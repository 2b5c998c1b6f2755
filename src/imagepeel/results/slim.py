"""What `slim --json` writes."""

from __future__ import annotations

import msgspec

from imagepeel._display import Shown
from imagepeel.findings.slim import Slim, SlimStep
from imagepeel.results.head import ImageHead


class SlimResult(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """The plan of an image: `content` and `stored` become `content_after` and `stored_after` when all steps are taken.

    The savings of `steps` add up to `saves` and `saves_stored`, and those to what `waste` calls unreachable, debris and
    identical.  Headers and padding of the files are saved besides.
    """

    image: ImageHead
    content: int
    """Decompressed bytes of all layers."""
    stored: int
    """Stored bytes of all layers."""
    saves: int
    """Bytes of content."""
    saves_stored: int
    """Stored bytes, apportioned in compressed layers."""
    content_after: int
    stored_after: int
    base: int
    """Count of layers that belong to the base image."""
    complete: bool
    """False where a layer is missing or damaged: what it ships, hides and repeats is in no step."""
    steps: tuple[SlimStep, ...]
    """The largest saving first."""


def slim_result(head: ImageHead, plan: Slim) -> SlimResult:
    """Return the plan of an image, and which image it is about."""
    return SlimResult(
        image=head,
        content=plan.content,
        stored=plan.stored,
        saves=plan.saves,
        saves_stored=plan.saves_stored,
        content_after=plan.content_after,
        stored_after=plan.stored_after,
        base=plan.base,
        complete=plan.complete,
        steps=plan.steps,
    )
