"""The story of an image as a document without style: chapters of claims, each with its evidence.

from imagepeel.explain import explain_image
story = explain_image(image)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from imagepeel.explain.document import Chapter as Chapter
    from imagepeel.explain.document import Claim as Claim
    from imagepeel.explain.document import Story as Story
    from imagepeel.explain.story import explain_image as explain_image

_HOMES = {"explain_image": "story", "Story": "document", "Chapter": "document", "Claim": "document"}

__all__ = ["Chapter", "Claim", "Story", "explain_image"]


def __getattr__(name: str) -> Any:
    # Lazy, so that a command that needs only one module does not load them all.
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"imagepeel.explain.{home}"), name)
    globals()[name] = value
    return value
