"""What `views --json` writes."""

from __future__ import annotations

import msgspec

from imagepeel._display import Shown
from imagepeel.findings.semantics.codes import CODES, ViewNote
from imagepeel.findings.semantics.compare import Comparison, Difference
from imagepeel.results.head import ImageHead
from imagepeel.rootfs.engines.names import ViewName
from imagepeel.rootfs.tree.changes import Refusal


class ViewsResult(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """Where views disagree.

    `refusals`: view -> why its engines refuse the image; such views are not compared by path.  `differences` are the
    first ones of `total`, sorted by path.  `notes` say why, with the stable codes of `codes`.
    """

    image: ImageHead
    views: tuple[ViewName, ...]
    agree: bool | None
    """Whether all views show the same; null where a layer is missing, which may settle or make a difference."""
    refusals: dict[ViewName, Refusal]
    total: int
    """Count of paths that differ."""
    differences: tuple[Difference, ...]
    notes: tuple[ViewNote, ...]
    codes: dict[str, str]
    """Code to what it means."""


def views_result(head: ImageHead, found: Comparison) -> ViewsResult:
    """Return the result of a comparison of views."""
    return ViewsResult(
        image=head,
        views=found.views,
        agree=found.agree if head.knowledge.layers else None,
        refusals=found.refusals,
        total=found.total,
        differences=found.differences,
        notes=found.notes,
        codes={code: CODES[code] for code in dict.fromkeys(note.code for note in found.notes) if code in CODES},
    )
