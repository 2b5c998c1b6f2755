"""Where the views of one image disagree, path by path, and the notes that say why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from imagepeel.evidence import text
from imagepeel.findings.semantics.codes import ViewNote
from imagepeel.findings.semantics.notes import ViewOf, alike, notes, notes_of
from imagepeel.findings.semantics.reasons import Reasons
from imagepeel.findings.semantics.side_by_side import Facts, side_by_side
from imagepeel.rootfs.engines.names import VIEWS, ViewName
from imagepeel.rootfs.tree.changes import LayerEntries, Refusal
from imagepeel.rootfs.view import Rootfs, build, known_view

if TYPE_CHECKING:
    from imagepeel.image import LayeredImage

MOST = 1000
"""Differences that are listed; all are counted."""


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One path that not all compared views show alike.

    shown: view -> its facts, None where the view has no such path.  codes: the notes that explain it, best first.
    """

    path: str
    shown: dict[ViewName, Facts | None]
    codes: tuple[str, ...] = ()


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Views side by side.  refusals: why a view's engines refuse the image; such views are not compared by path.

    differences: sorted by path, the first `MOST`; total: how many there are.  notes: see `notes`.
    """

    views: tuple[ViewName, ...]
    refusals: dict[ViewName, Refusal]
    differences: tuple[Difference, ...]
    total: int
    notes: tuple[ViewNote, ...]

    @property
    def agree(self) -> bool:
        """Whether all views show the same filesystem and none is refused alone."""
        return not self.total and (not self.refusals or len(self.refusals) == len(self.views))


def compare(image: LayeredImage, views: Sequence[str] = VIEWS) -> Comparison:
    """Compare views of an image path by path and explain each difference by the notes.

    UsageError for a view that does not exist.
    """
    return compare_layers(image.layers, views, image.view, notes(image))


def compare_layers(
    layers: Sequence[LayerEntries],
    views: Sequence[str] = VIEWS,
    view: ViewOf | None = None,
    reasons: tuple[ViewNote, ...] | None = None,
) -> Comparison:
    """Compare views of layers, base first; see `compare`."""
    made: dict[str, Rootfs] = {}

    def own(name: str) -> Rootfs:
        if name not in made:
            made[name] = view(name) if view is not None else build(layers, name)
        return made[name]

    names = [known_view(name) for name in views]
    if set(names) <= set(VIEWS) and alike(own("runtime")):
        found = notes_of(layers, own) if reasons is None else reasons
        return Comparison(views=tuple(names), refusals={}, differences=(), total=0, notes=found)
    trees = [own(name) for name in names]
    if reasons is None:
        reasons = notes_of(layers, own)
    refusals = {name: tree.refusal for name, tree in zip(names, trees, strict=True) if tree.refusal is not None}
    whole = [(name, tree) for name, tree in zip(names, trees, strict=True) if tree.refusal is None]
    explain = Reasons(reasons)
    listed: list[Difference] = []
    total = 0
    if len(whole) > 1:
        for path, shown in side_by_side([tree for _, tree in whole]):
            total += 1
            if len(listed) < MOST:
                by_view = {name: facts for (name, _), facts in zip(whole, shown, strict=True)}
                listed.append(Difference(path=text(path), shown=by_view, codes=explain.codes(text(path), by_view)))
    return Comparison(views=tuple(names), refusals=refusals, differences=tuple(listed), total=total, notes=reasons)
