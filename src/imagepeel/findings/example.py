"""The example of a rule: an image that shows the surprise, and its repaired twin.

`imagepeel wtf --reproduce RULE FILE` writes them, and the tests hold every rule to them.  They stand in `examples.py`
beside the rules of a family.  No check imports them: examining an image never loads the forge.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal

import msgspec

from imagepeel.findings.budget import Budget
from imagepeel.forge.archives import to_bytes
from imagepeel.forge.attacks import ATTACKS
from imagepeel.forge.broken import SPECIMENS
from imagepeel.forge.image import ArchiveKind, ImageSpec
from imagepeel.forge.layout import IndexSpec
from imagepeel.forge.specimens import sound


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """`bad` makes an image that the rule finds, `good` its repaired twin in which no rule finds anything.

    `also` names the other rules that the bad image cannot help but fire.
    """

    bad: Callable[[], ImageSpec | IndexSpec]
    good: Callable[[], ImageSpec | IndexSpec]
    also: tuple[str, ...] = ()
    budget: Budget | None = None
    """The limits that both are held against, for rules that look at limits."""
    options: str = ""
    """The same limits as words of `imagepeel check`; the good image is called good.tar."""


def specimen(name: str, also: tuple[str, ...] = ()) -> Example:
    """The example that the broken teaching image of this name is, on a base in which nothing else is found."""
    shown = (SPECIMENS.get(name) or ATTACKS[name]).shown
    return Example(bad=partial(shown, sound, True), good=partial(shown, sound, False), also=also)


def stored(spec: ImageSpec, kind: ArchiveKind | Literal[""]) -> ImageSpec:
    """The same image, stored as an archive of this kind."""
    return msgspec.structs.replace(spec, kind=kind)


def archive_of(spec: ImageSpec | IndexSpec) -> bytes:
    """The spec as an image archive, of the kind that it names."""
    if isinstance(spec, IndexSpec):
        return to_bytes(spec, "oci-archive")
    return to_bytes(spec)
