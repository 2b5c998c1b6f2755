"""The one detector of layer surprises: what the layers of an image do to entries and to each other.

`notes` is the list for people, bounded; `Surprises` the same by code and layer, of which rules make findings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import msgspec

from imagepeel.evidence import Anomaly, Location, text
from imagepeel.findings.semantics.codes import CODES, Code, Degree, Noted, ViewNote
from imagepeel.findings.semantics.entries import Notes, entry_notes
from imagepeel.findings.semantics.order import order_notes
from imagepeel.findings.semantics.reasons import Reasons
from imagepeel.findings.semantics.side_by_side import side_by_side
from imagepeel.findings.semantics.stack import stack_notes
from imagepeel.rootfs.engines.agreement import engines_agree
from imagepeel.rootfs.engines.indexed import IndexedDirectory
from imagepeel.rootfs.layer_diff import has_uppers
from imagepeel.rootfs.tree.changes import LayerEntries, Refusal
from imagepeel.rootfs.view import Rootfs, build
from imagepeel.text import plural

if TYPE_CHECKING:
    from imagepeel.image import LayeredImage

ViewOf = Callable[[str], Rootfs]
_SAME_ONTO_ANOTHER = frozenset(
    (
        *("LINKMETA", "IMPLIEDATTR", "ROOTATTR", "HDRDATA", "UIDWRAP", "MTIMECLAMP", "XATTRDROP", "HIDDENTAIL"),
        *("MEDIATYPE", "STARGZ", "TOCDIFF", "CASE", "CTRLCHAR", "DEVICE", "DELETEDBYTES"),
    )
)
"""Codes that give no reason for another result when layers are unpacked onto each other."""


class Surprises:
    """What the layers of an image surprise with.  Each part is found once and when it is asked for."""

    def __init__(self, image: LayeredImage) -> None:
        self._image = image

    def of(self, code: Code | Literal[""]) -> tuple[Noted, ...]:
        """Return the notes of one code, base layer first; none of "", the code of a rule that looks itself.

        ROOTLESS speaks of the paths for which no other code gives the reason.
        """
        if not code:
            return ()
        return self._by_code.get(code, ()) if code != "ROOTLESS" else _noted(self.unlike.rest)

    @cached_property
    def _by_code(self) -> dict[Code, tuple[Noted, ...]]:
        from imagepeel.findings.semantics.toc import toc_notes  # start time

        image = self._image
        tables = toc_notes(image)
        # A table of contents after the end of the tar is not just any hidden bytes.
        known = {(note.where.layer, note.where.layer_offset) for note in tables if note.where.layer_offset is not None}
        found: dict[Code, tuple[Noted, ...]] = {}
        for each in detect(image.layers, image.view):
            if each.code == "HIDDENTAIL":
                left = tuple(n for n in each.notes if (n.where.layer, n.where.layer_offset) not in known)
                each = msgspec.structs.replace(each, notes=left)
            if each.notes and not (each.code == "BASEWHITEOUT" and image.record.kind == "layer"):
                found[each.code] = (*found.get(each.code, ()), each)
        for note in tables:
            one = Noted(code=note.code, layer=note.where.layer, degree=Degree.PLAIN, notes=(note,))
            found[note.code] = (*found.get(note.code, ()), one)
        return found

    @cached_property
    def unlike(self) -> Unlike:
        """What is otherwise where layers are unpacked onto each other, and which codes give the reason."""
        # What a missing layer does is not known.  The second filesystem costs as much as the first: it is built where
        # something gives a reason.
        runtime = self._image.view("runtime")
        if not self._image.record.complete:
            return Unlike()
        if (runtime.refusal is None and self._by_code.keys() <= _SAME_ONTO_ANOTHER) or alike(runtime):
            return Unlike()
        reasons = one_by_one(each for group in self._by_code.values() for each in group)
        return unlike(runtime, self._image.view("sequential"), reasons)

    def notes(self, *, deep: bool = True) -> tuple[ViewNote, ...]:
        """Return the notes one by one; `deep=False` leaves out ROOTLESS, which needs a second filesystem."""
        return one_by_one(
            [*(each for group in self._by_code.values() for each in group), *(_noted(self.unlike.note) if deep else ())]
        )


def notes(image: LayeredImage, *, deep: bool = True) -> tuple[ViewNote, ...]:
    """Return every note that an image earns, in the order of `CODES`, base layer first.

    `deep=False` leaves out ROOTLESS, which needs the whole sequential tree.
    """
    return image.derived(Surprises).notes(deep=deep)


def notes_of(layers: Sequence[LayerEntries], view: ViewOf | None = None, *, deep: bool = True) -> tuple[ViewNote, ...]:
    """Return the notes that layers earn, base first.  `view` gives views that are already built."""
    made: dict[str, Rootfs] = {}

    def own(name: str) -> Rootfs:
        if name not in made:
            made[name] = build(layers, name)
        return made[name]

    view = view or own
    found = detect(layers, view)
    deep = deep and not alike(view("runtime"))
    return one_by_one([*found, *(_noted(unlike(view("runtime"), view("sequential")).note) if deep else ())])


def alike(runtime: Rootfs) -> bool:
    """Say whether the views that are compared by default surely show what the runtime view shows; False in doubt."""
    return runtime.refusal is None and runtime.derived(_engines_agree)


def _engines_agree(runtime: Rootfs) -> bool:
    return has_uppers(runtime) and engines_agree(runtime.uppers)


def one_by_one(found: Iterable[Noted]) -> tuple[ViewNote, ...]:
    """Return notes one by one; the last of each code, layer and degree counts those that are not listed."""
    order = {code: i for i, code in enumerate(CODES)}
    out: list[ViewNote] = []
    for each in found:
        out.extend(each.notes[:-1])
        last = each.notes[-1]
        out.append(msgspec.structs.replace(last, more=each.more) if each.more else last)
    return tuple(sorted(out, key=lambda n: (order[n.code], n.where.layer or 0, n.where.entry or 0, n.where.path or "")))


def detect(layers: Sequence[LayerEntries], view: ViewOf) -> list[Noted]:
    """Return what layers surprise with, base first, without ROOTLESS; the runtime view is looked at alone."""
    runtime = view("runtime")
    collected: dict[int, Notes] = {}

    def of(index: int) -> Notes:
        known = collected.get(index)
        if known is None:
            known = collected[index] = Notes(layers[index], getattr(layers[index], "step", None))
        return known

    exact = has_uppers(runtime)
    for layer in layers:
        anomalies: tuple[Anomaly, ...] = tuple(getattr(layer, "anomalies", ()))
        entry_notes(layer, anomalies, of(layer.index))
        if not (exact and isinstance(runtime.uppers[layer.index].root, IndexedDirectory)):
            order_notes(layer, layers[: layer.index], of(layer.index))
    if exact:
        stack_notes(runtime, of)
    return [each for index in sorted(collected) for each in collected[index].done()]


def _noted(note: ViewNote | None) -> tuple[Noted, ...]:
    if note is None:
        return ()
    return (Noted(code=note.code, layer=note.where.layer, degree=Degree.PLAIN, notes=(note,)),)


ONTO = "engines that unpack each layer onto the last (rootless containerd, vfs, btrfs, zfs)"


class Unlike(msgspec.Struct, frozen=True, kw_only=True):
    """How the filesystem of engines that unpack each layer onto the last differs from that of overlayfs.

    note: says it, None where both are alike or neither exists.  rest: what of it no other note gives a reason for.
    paths: code -> how many paths its notes give the reason for; 0 where they say why those engines refuse the image.
    """

    note: ViewNote | None = None
    rest: ViewNote | None = None
    paths: dict[Code, int] = {}

    def because_of(self, code: Code | Literal[""]) -> str:
        """Return what is otherwise for this reason, in words; "" for nothing."""
        count = self.paths.get(code) if code else None
        if count is None:
            return ""
        return f"{ONTO} show {plural(count, 'path')} otherwise for this reason" if count else f"{ONTO} refuse the image"


def unlike(runtime: Rootfs, sequential: Rootfs, reasons: Sequence[ViewNote] = ()) -> Unlike:
    """Hold both filesystems against each other; `reasons` are the notes of the same image that may say why."""
    why = Reasons(reasons)
    one, two = runtime.refusal, sequential.refusal
    if one is not None and two is not None:
        return Unlike()
    if one is not None:
        note = _refused(one, f"containerd refuses this image, {ONTO} take it")
        return Unlike(note=note)  # the rule that tells the refusal says the rest
    if two is not None:
        note = _refused(two, f"{ONTO} refuse this image")
        codes = why.codes(two.path if two.path.startswith("/") else "/" + two.path, {"runtime": 1, "sequential": 2})
        return Unlike(note=note, rest=None if codes else note, paths=dict.fromkeys(codes, 0))
    count = rest = 0
    first = first_left = ""
    paths: dict[Code, int] = {}
    for path, (here, there) in side_by_side((runtime, sequential)):
        count += 1
        first = first or text(path)
        codes = why.codes(text(path), {"runtime": here, "sequential": there})
        for code in codes:
            paths[code] = paths.get(code, 0) + 1
        if not codes:
            rest += 1
            first_left = first_left or text(path)
    return Unlike(note=_other(count, first), rest=_other(rest, first_left), paths=paths)


def _refused(refusal: Refusal, told: str) -> ViewNote:
    return ViewNote(
        code="ROOTLESS",
        message=f"{told}: {refusal.reason}",
        where=Location(layer=refusal.layer, entry=refusal.entry, path=refusal.path, layer_offset=refusal.offset),
        views=("sequential",),
    )


def _other(count: int, first: str) -> ViewNote | None:
    if not count:
        return None
    return ViewNote(
        code="ROOTLESS",
        message=f"{ONTO} show {plural(count, 'path')} otherwise than overlayfs",
        where=Location(path=first),
        views=("sequential",),
        touches=(first,),
        more=count - 1,
    )
