"""Chapter 4: what the layers come to once they are unpacked and merged, and what is shipped but never seen."""

from __future__ import annotations

from collections import Counter

from imagepeel.archive.knowledge import ImagePart
from imagepeel.evidence import Evidence, Location, Receipt, raw, text
from imagepeel.findings.semantics.compare import compare
from imagepeel.findings.semantics.side_by_side import Facts
from imagepeel.layers.layer import Layer
from imagepeel.present.document import (
    Block,
    Column,
    ReceiptRef,
    Row,
    Span,
    Table,
    claim,
    code,
    path,
    proof,
    term,
    value,
    words,
)
from imagepeel.present.story.context import StoryContext
from imagepeel.rootfs.layer_events import Lost
from imagepeel.rootfs.tree.changes import Refusal
from imagepeel.rootfs.usage import kinds
from imagepeel.text import exact, few, joined, noun, number, plural, size

ID = "rootfs"
_ROWS = 5
_COMPARED = 20_000
"""Entries up to which the other views are built to compare: each costs a full application of all layers."""
_STILL_THERE = "its bytes, still there"
_SUMMED = 8
"""Layers up to which one receipt adds up what all of them ship."""

_KINDS = {"dir": "directory", "symlink": "symbolic link"}


def chapter(context: StoryContext) -> tuple[str, list[Block]]:
    """Return title and blocks of the chapter."""
    blocks: list[Block] = []
    if not context.here:
        blocks.append(
            claim(
                f"What it unpacks to is not known: {context.knowledge.why(ImagePart.MANIFEST, ImagePart.LAYER)}."
                if not context.knowledge.layers
                else "There are no layers, so the filesystem is empty.",
                by=proof(context.archive_place(), context.receipts.listing()),
                level="bad" if context.image.layers else "",
            )
        )
        return "Unpacked", blocks
    _merged(context, blocks)
    _refusal(context, blocks)
    _sum(context, blocks)
    _lost(context, blocks)
    _views(context, blocks)
    receipt = _favourite(context)
    if receipt is not None:
        blocks.append(ReceiptRef(receipt=receipt))
    return "Unpacked", blocks


def _merged(context: StoryContext, blocks: list[Block]) -> None:
    rootfs = context.rootfs
    count: Counter[str] = Counter()
    for kind, found in kinds(rootfs).items():
        count["device" if kind in ("char", "block") else kind] += found
    count["dir"] -= 1
    seen = sum(number_ for kind, number_ in count.items() if kind != "ghost")
    known = [
        plural(number_, *(("directory", "directories") if kind == "dir" else (_KINDS.get(kind, kind),)))
        for kind, number_ in sorted(count.items(), key=lambda item: -item[1])
        if number_ and kind != "ghost"
    ]
    unnamed = context.unnamed_layers
    refused = rootfs.refusal is not None or unnamed > 0
    unpacks, will = ("would unpack", "would") if refused else ("unpacks", "will")
    if len(context.image.layers) + unnamed > 1:
        how: tuple[Span | str, ...] = (
            f"A runtime {unpacks} each layer into a directory of its own, and the kernel lays them over each other (",
            term("overlayfs"), "). ",
        )  # fmt: skip
    else:
        how = (f"A runtime {unpacks} the one layer into a directory. ",)
    shown: tuple[Span | str, ...] = (value(plural(seen, "path")), f" ({joined(known)}).")
    if len(known) < 2:
        shown = (value(known[0] if known else "nothing at all"), ".")
    partly = "" if rootfs.complete else ", as far as the layers that are here show"
    blocks.append(
        claim(
            *how, f"What the process {will} see is the ", term("rootfs"), partly, ": ", *shown,
            by=proof(*(layer.location for layer in context.here[:4]), context.receipts.layer_listing(context.here[0])),
        )
    )  # fmt: skip
    if not rootfs.complete:
        blocks.append(
            claim(
                Span("This is incomplete", "bad"), ": ",
                *((f"{context.knowledge.why(ImagePart.LAYER)}, and what the ",
                   noun(unnamed, "other one", f"{few(unnamed)} others"), " would add or hide is not counted.")
                  if unnamed else ("a layer is missing or damaged, and what it would add or hide is not counted.",)),
                by=proof(
                    *(layer.location for layer in context.image.layers if not layer.readable or layer.error),
                    *((context.config_place("/rootfs/diff_ids"),) if unnamed else ()),
                    context.receipts.listing(),
                ),
                level="bad",
            )
        )  # fmt: skip
    if count["ghost"] and context.knowledge.layers:
        blocks.append(
            claim(
                value(plural(count["ghost"], "name")), " can be listed and not opened: overlayfs shows the ",
                term("whiteout"), " itself in a directory that only one layer has.",
                by=proof(context.here[-1].location, context.receipts.layer_listing(context.here[-1])),
                level="warn",
            )
        )  # fmt: skip


def _refusal(context: StoryContext, blocks: list[Block]) -> None:
    refusal = context.rootfs.refusal
    if refusal is None or context.knowledge.lacks_layers:
        # What an entry lacks may be in a layer that is not here.
        return
    layer = context.image.layers[refusal.layer]
    place = Location(layer=refusal.layer, entry=refusal.entry, layer_offset=refusal.offset, path=refusal.path or None)
    receipt = (
        context.receipts.entry_line(layer, refusal.entry)
        if layer.readable and refusal.entry < len(layer.table)
        else context.receipts.layer_listing(layer)
    )
    where = f"entry {number(refusal.entry)}, " if refusal.entry < len(layer.table) else ""
    blocks.append(
        claim(
            Span("No container starts from this: containerd refuses to unpack it", "bad"), " at ", value(layer.label),
            ", ",
            where, *((path(refusal.path), ": ") if refusal.path else ()), Span(refusal.reason),
            ". What follows is what could be read by the words of the specification.",
            by=proof(place, receipt), level="bad",
        )
    )  # fmt: skip


# ---- where the bytes went ---------------------------------------------------------------------------------


def _sum(context: StoryContext, blocks: list[Block]) -> None:
    sums = context.shipped
    place = [layer.location for layer in context.here]
    receipt = _total_receipt(context)
    by = proof(*place[:4], receipt or context.receipts.layer_listing(context.here[-1]))
    lead = "The layers ship " if len(context.here) > 1 else "The layer ships "
    if not context.rootfs.complete:
        said = ("The layers that are here ship ", value(size(sums.shipped)), " of file content.")
        blocks.append(claim(*said, " How much of it can be seen in the end, a missing layer decides.", by=by))
        return
    if sums.shipped == sums.visible:
        blocks.append(
            claim(
                lead, *((value(exact(sums.shipped)), " of file content, and every byte can be seen in the rootfs.")
                        if sums.shipped else ("no file content, only names.",)), by=by,
            )
        )  # fmt: skip
        return
    share = 100 * sums.unreachable / sums.shipped
    blocks.append(
        claim(
            lead, value(size(sums.shipped)), " of file content. ", value(size(sums.unreachable)),
            f" of it ({_percent(share)}) can never be seen. It adds up, in bytes of file content:",
            by=by,
        )
    )  # fmt: skip
    rows = [
        Row(cells=(words(value(number(sums.visible))), words("visible"), words("what the rootfs shows")), evidence=by)
    ]
    told = [
        (
            sums.shadowed,
            "shadowed",
            "a later layer brings the same path again" if sums.exact else "not visible in the end",
        ),
        (sums.removed, "removed", "a later layer takes the path away"),
        (sums.overwritten, "overwritten", "the same layer brings the path again or removes it"),
    ]
    for amount, word, what in told:
        if amount:
            rows.append(
                Row(
                    cells=(words("+ ", value(number(amount))), words(term(word)), words(what)),
                    evidence=_example_proof(context, word) or by,
                )
            )
    rows.append(
        Row(
            cells=(words("= ", value(number(sums.shipped))), words("shipped"), words("all files of all layers")),
            evidence=by,
            total=True,
        )
    )
    blocks.append(
        Table(columns=(Column("", right=True, keep=True), Column("", keep=True), Column("")), rows=tuple(rows))
    )


def _percent(share: float) -> str:
    if share < 0.1:
        return "under 0.1%"
    return f"{share:.1f}%" if share < 10 else f"{share:.0f}%"


def _example_proof(context: StoryContext, fate: str) -> Evidence | None:
    for item in context.lost:
        if item.fate == fate:
            layer = context.image.layers[item.layer]
            return proof(context.entry_place(layer, item.entry), context.receipts.entry_line(layer, item.entry))
    return None


def _favourite(context: StoryContext) -> Receipt | None:
    """The bytes of a removed or shadowed file, still there; without one, the sum, where that is a short command."""
    if context.lost:
        item = next((one for one in context.lost if one.fate == "removed"), context.lost[0])
        stream = context.receipts.entry(context.image.layers[item.layer], item.entry)
        if stream is not None:
            return context.receipts.size(stream, item.size, _STILL_THERE)
    return _total_receipt(context) if len(context.here) < 3 else None


def _total_receipt(context: StoryContext) -> Receipt | None:
    """One command that adds up the sizes of all files of all layers, where that is not too long."""
    return context.receipts.total(context.here, context.shipped.shipped) if len(context.here) <= _SUMMED else None


def _lost(context: StoryContext, blocks: list[Block]) -> None:
    if not context.lost:
        return
    rows = [_lost_row(context, item) for item in context.lost[:_ROWS]]
    blocks.append(
        Table(
            columns=(Column("size", right=True, keep=True), Column("shipped and never seen"), Column("", keep=True)),
            rows=tuple(rows),
            hidden=max(0, len(context.lost) - _ROWS),
            all=f"imagepeel du {context.receipts.file}",
        )
    )


def _lost_row(context: StoryContext, item: Lost) -> Row:
    layer = context.image.layers[item.layer]
    by = context.image.layers[item.by].label
    if item.fate == "overwritten":
        fate = f"{_again(layer, item) or 'in and removed by'} {layer.label}"
    else:
        fate = f"in {layer.label}, {'removed by' if item.fate == 'removed' else 'again in'} {by}"
    stream = context.receipts.entry(layer, item.entry)
    receipt = context.receipts.size(stream, item.size, _STILL_THERE) if stream is not None else None
    return Row(
        cells=(words(value(size(item.size))), words(path(text(item.path))), words(fate)),
        evidence=proof(context.entry_place(layer, item.entry), receipt),
    )


def _again(layer: Layer, item: Lost) -> str:
    """How often the layer has the path, where a later entry has it again; "" where a whiteout or link takes it away."""
    table, path_ = layer.table, item.path.strip(b"/")
    found = [i for i in range(len(table)) if table.path(i) == path_]
    if found[-1:] <= [item.entry]:
        return ""
    return "twice in" if len(found) == 2 else f"{few(len(found))} times in"


# ---- other views ------------------------------------------------------------------------------------------

_ENGINES = {
    "runtime": "containerd",
    "spec": "the specification",
    "sequential": "engines without overlayfs",
    "docker": "Docker",
    "podman": "podman",
}
_FACTS = {"file": "a file", "dir": "a directory", "symlink": "a link", "ghost": "a name that cannot be opened"}


def _views(context: StoryContext, blocks: list[Block]) -> None:
    """Where engines see another tree than containerd does: rare, and always a surprise."""
    if context.totals[2] > _COMPARED or context.rootfs.refusal is not None or context.knowledge.lacks_layers:
        return
    found = compare(context.image)
    command = code(f"imagepeel views {context.receipts.file}")
    refusing: dict[Refusal, list[str]] = {}
    for view, refusal in found.refusals.items():
        refusing.setdefault(refusal, []).append("umoci" if view == "spec" else _ENGINES[view])
    for refusal, engines in refusing.items():
        layer = context.image.layers[refusal.layer]
        place = Location(
            layer=refusal.layer, entry=refusal.entry, layer_offset=refusal.offset, path=refusal.path or None
        )
        blocks.append(
            claim(
                Span("Not everybody unpacks this: ", "warn"), joined(engines),
                noun(len(engines), " refuses at ", " refuse at "), value(layer.label), ": ", Span(refusal.reason), ".",
                by=proof(place, context.receipts.layer_listing(layer)), level="warn",
            )
        )  # fmt: skip
    if not found.total:
        return
    first = found.differences[0]
    shown: dict[str, list[str]] = {}
    alike = len({facts.kind if facts is not None else "" for facts in first.shown.values()}) == 1
    for view, facts in first.shown.items():
        shown.setdefault(_seen(facts, alike), []).append(_ENGINES[view])
    told = "; ".join(
        f"{joined(engines)} {noun(len(engines), 'shows', 'show')} {what}" for what, engines in shown.items()
    )
    reason = next((note_ for note_ in found.notes if note_.code in first.codes[:1]), None)
    where = reason.where if reason is not None else context.rootfs.location(raw(first.path))
    layer = context.image.layers[where.layer or 0]
    receipt = (
        context.receipts.entry_line(layer, where.entry)
        if where.entry is not None and where.entry < len(layer.table)
        else context.receipts.layer_listing(layer)
    )
    blocks.append(
        claim(
            Span("More than one truth: ", "warn"), value(plural(found.total, "path")),
            f" {noun(found.total, 'differs', 'differ')} from engine to engine. ", path(first.path), ": ",
            Span(told), ". ",
            *(("Why: ", Span(reason.message), ". ") if reason is not None else ()), "All of them: ", command, ".",
            by=proof(where, receipt), level="warn",
        )
    )  # fmt: skip


def _seen(facts: Facts | None, alike: bool) -> str:
    """What an engine shows, with owner and mode where the kind is the same for `alike` engines."""
    if facts is None:
        return "nothing"
    if facts.kind == "symlink":
        return f"a link to {facts.target}"
    what = _FACTS.get(facts.kind, f"a {facts.kind}")
    return f"{what} of {facts.uid}:{facts.gid} with mode {facts.mode:04o}" if alike else what
