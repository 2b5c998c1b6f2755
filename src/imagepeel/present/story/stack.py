"""Chapter 3: the layers, each with the build step that made it, its sizes, and what it did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial

from imagepeel.archive.knowledge import ImagePart, Knowledge
from imagepeel.evidence import Evidence, Location, step_number, steps_in_words, text
from imagepeel.formats.tar.table import WHITEOUT
from imagepeel.formats.tar.whiteouts import hidden_path
from imagepeel.history.builders import MAKES_FILES, instruction, read_step
from imagepeel.layers.layer import Layer
from imagepeel.present.document import (
    Block,
    Column,
    ReceiptRef,
    Row,
    Span,
    Table,
    Text,
    claim,
    code,
    dim,
    note,
    path,
    proof,
    term,
    value,
    words,
)
from imagepeel.present.story.context import StoryContext
from imagepeel.rootfs.layer_events import LayerCounts
from imagepeel.rootfs.tree.resolve import resolve
from imagepeel.text import few, joined, listed, noun, number, plural, short_digests, shortened, size, title

ID = "layers"
_ROWS = 16
_HUNG = 3
"""Layers that the history hangs on a step that did not write them, and of which that is told."""
_REPEATS = 3
"""Layers whose repeated files are told; the others are counted."""
_REMOVALS = 4
"""Layers whose removals are told one by one; the table counts those of the others."""


def chapter(context: StoryContext) -> tuple[str, list[Block]]:
    """Return title and blocks of the chapter."""
    blocks: list[Block] = []
    layers = context.image.layers
    if not context.knowledge.layer_list:
        blocks.append(
            claim(
                "The ", term("manifest"), " lists the layers, and it is missing: nobody can tell how many there are.",
                by=proof(Location(member="index.json", blob=context.image.digest), context.receipts.listing()),
                level="bad",
            )
        )  # fmt: skip
        return "The layers are not known", blocks
    if not layers:
        blocks.append(
            claim(
                "The image has no layers: nothing to unpack, an empty filesystem.",
                by=proof(context.config_place("/rootfs/diff_ids"), context.receipts.listing()),
            )
        )
        return "No layers", blocks
    _definition(context, blocks)
    blocks.append(_table(context))
    if any(
        (one.added, one.changed, one.removed) != (0, 0, 0)
        for one in map(partial(counts_of, context), context.here)
        if one
    ):
        blocks.append(
            note("Paths: ", Span("+", "good"), " added, ", value("~"), " changed, ", Span("-", "bad"), " removed.")
        )
    _paperwork_only(context, blocks)
    _compression(context, blocks)
    _removals(context, blocks)
    _repeats(context, blocks)
    _oddities(context, blocks)
    receipt = next(filter(None, (context.receipts.layer_listing(layer) for layer in reversed(context.here))), None)
    if receipt is not None:
        blocks.append(ReceiptRef(receipt=receipt))
    return _title(context), blocks


def _title(context: StoryContext) -> str:
    layers, steps = len(context.image.layers), len(context.image.history)
    whole = layers + context.unnamed_layers
    of = f" of {few(whole)}" if whole > layers else ""
    start = title(f"{few(layers)}{of} {noun(whole, 'layer')}")
    return f"{start}, {few(steps)} {noun(steps, 'step')}" if steps else start


def _definition(context: StoryContext, blocks: list[Block]) -> None:
    image = context.image
    history = context.config_receipt("/history", "the build steps that the config lists")
    by = proof(context.config_place("/history"), history or context.receipts.listing())
    wrote = {step for layer in image.layers for step in layer.steps}
    if image.history:
        sure = bool(wrote) and context.knowledge.every_layer
        told = _made(len(wrote), len(image.history), len(image.layers)) if sure else ()
        blocks.append(
            claim(
                "A build step either adds a tarball (a ", term("layer"), ") or only edits the paperwork (an ",
                term("empty layer"), "). ", *told, by=by,
            )
        )  # fmt: skip
    elif not context.bare:
        known = context.knowledge
        why: tuple[Span | str, ...] = (
            "The config has no ",
            term("history"),
            ": which commands made them is not known.",
        )
        if not known.config:
            why = ("Which commands made them is not known: ", Span(known.why(ImagePart.CONFIG)), ".")
        blocks.append(claim("Each ", term("layer"), " is a tarball of what one step changed. ", *why, by=by))
    else:
        blocks.append(
            claim(
                "The file itself is the only ",
                term("layer"),
                ".",
                by=proof(image.layers[0].location, context.receipts.layer_listing(image.layers[0])),
            )
        )
    for layer, mark in _hung(context)[:_HUNG]:
        steps = steps_in_words(layer.steps)
        blocks.append(
            claim(
                "The history says that ", value(f"step {step_number(mark)}"), " made ", value(layer.label),
                ", and marks ", value(steps), " as empty. The builder made one layer at the end: what it holds, ",
                value(steps), " did.", level="warn",
                by=proof(*(context.config_place(f"/history/{step}", step) for step in (*layer.steps, mark)),
                         context.config_receipt("/history", "the build steps that the config lists")),
            )
        )  # fmt: skip
    for anomaly in image.anomalies:
        if anomaly.code == "history-count":
            blocks.append(claim(Span(title(anomaly.message)), ".", by=by, level="warn"))


def _hung(context: StoryContext) -> list[tuple[Layer, int]]:
    """The layers that others wrote than the step that the history names, each with the index of that step."""
    marks = context.image.config.layer_steps
    return [
        (layer, mark)
        for layer, mark in zip(context.image.layers, marks, strict=False)
        if layer.steps and layer.steps != (mark,)
    ]


def _made(made: int, steps: int, layers: int) -> tuple[Span | str, ...]:
    if made != layers:
        shared = f" wrote {few(layers)} {noun(layers, 'layer')}."
        return ("Here ", value(few(made)), " of ", value(few(steps)), shared)
    if made == steps:
        known = {1: "The one step here made a layer.", 2: "Here both made a layer."}
        return (known[steps],) if steps in known else ("Here all ", value(few(steps)), " made a layer.")
    return ("Here ", value(few(made)), " of ", value(few(steps)), " made a layer.")


# ---- the table --------------------------------------------------------------------------------------------


def _table(context: StoryContext) -> Table:
    layers = list(context.image.layers)
    shown = layers
    if len(layers) > _ROWS:
        heavy = sorted(layers[1:-1], key=lambda layer: (-layer.content_size, layer.index))[: _ROWS - 2]
        keep = {layers[0].index, layers[-1].index, *(layer.index for layer in heavy)}
        shown = [layer for layer in layers if layer.index in keep]
    steps = any(layer.steps for layer in layers)
    columns = (
        Column("", keep=True),
        *((Column("step", right=True, keep=True),) if steps else ()),
        Column("made by" if steps else "member"),
        Column("stored", right=True, keep=True),
        Column("unpacked", right=True, keep=True),
        Column("paths", keep=True),
    )
    rows = [_row(context, layer, steps) for layer in shown]
    if len(layers) > 1:
        rows.append(_sum(context, steps))
    return Table(
        columns=columns,
        rows=tuple(rows),
        hidden=len(layers) - len(shown),
        all=f"imagepeel layers {context.receipts.file}",
    )


def _row(context: StoryContext, layer: Layer, steps: bool) -> Row:
    made = instruction(layer.created_by)
    cells: list[Text] = [words(value(layer.label))]
    if steps:
        cells.append(words(_numbers(layer)))
    if steps:
        cells.append(words(code(shortened(short_digests(made), 120))) if made else words(dim("the step says nothing")))
    else:
        member = context.name if context.bare else shortened(short_digests(layer.record.member), 60)
        cells.append(words(path(member)))
    if not layer.readable:
        cells.extend((words(dim(size(layer.blob_size))), words(), words(Span(layer.state, "bad"))))
        return Row(cells=tuple(cells), evidence=proof(layer.location, context.receipts.listing()), level="bad")
    cells.append(words(value(size(layer.blob_size))))
    cells.append(words(value(size(layer.content_size))))
    cells.append(_change(context, layer))
    return Row(cells=tuple(cells), evidence=_layer_proof(context, layer), level="bad" if layer.error else "")


def _numbers(layer: Layer) -> str:
    """The steps of a layer, as they stand in a narrow column: `6`, `1, 3`, `1 to 9` for more, `?` for none."""
    if len(layer.steps) > 2:
        return f"{step_number(layer.steps[0])} to {step_number(layer.steps[-1])}"
    return ", ".join(number(step_number(step)) for step in layer.steps) or "?"


def _layer_proof(context: StoryContext, layer: Layer) -> Evidence:
    step = context.config_receipt(f"/history/{layer.steps[0]}", "the step") if layer.steps else None
    return proof(layer.location, context.receipts.layer_listing(layer), step)


def counts_of(context: StoryContext, layer: Layer) -> LayerCounts | None:
    """What the layer adds, changes and removes, None where the view cannot tell or a layer below is missing."""
    settled = context.knowledge.settled
    if settled is not None and layer.index >= settled:
        return None
    return context.counts[layer.index] if layer.index < len(context.counts) else None


def _change(context: StoryContext, layer: Layer) -> Text:
    found = counts_of(context, layer)
    if found is None:
        return words(plural(len(layer.table), "entry"))
    parts: list[Span | str] = []
    for count, sign, kind in (
        (found.added, "+", "good"), (found.changed, "~", "value"), (found.removed, "-", "bad"),
    ):  # fmt: skip
        if count:
            parts.extend((" " if parts else "", Span(f"{sign}{number(count)}", kind)))  # type: ignore[arg-type]
    return words(*parts) if parts else words(dim("no change"))


def _sum(context: StoryContext, steps: bool) -> Row:
    stored, content, _ = context.totals
    counts = context.counts
    change: Text = ()
    if counts and context.knowledge.layers:
        change = words(f"+{number(sum(c.added for c in counts))}")
        for total, sign in ((sum(c.changed for c in counts), "~"), (sum(c.removed for c in counts), "-")):
            if total:
                change = words(change, f" {sign}{number(total)}")
    every = "all" if context.knowledge.layers else "all that are here"
    cells: list[Text] = [words(every), *((words(),) if steps else ()), words()]
    cells.extend((words(value(size(stored))), words(value(size(content))), change))
    receipt = context.receipts.layer_listing(context.here[-1]) if context.here else context.receipts.listing()
    return Row(cells=tuple(cells), evidence=proof(*(layer.location for layer in context.here), receipt), total=True)


# ---- sentences --------------------------------------------------------------------------------------------


def _paperwork_only(context: StoryContext, blocks: list[Block]) -> None:
    wrote = {step for layer in context.image.layers for step in layer.steps}
    hung = {mark for _, mark in _hung(context)}
    empty = [
        (index, read_step(step).keyword)
        for index, step in enumerate(context.image.history)
        if (step.empty_layer or index in hung) and index not in wrote
    ]
    paper = [(index, keyword) for index, keyword in empty if keyword not in MAKES_FILES]
    silent = [(index, keyword) for index, keyword in empty if keyword in MAKES_FILES]
    for found, lead, tail in (
        (paper, "Paperwork only, no bytes: ", "."),
        (silent, "No layer of their own: ", ". What they changed is in a later layer, or they changed nothing."),
    ):
        if not found:
            continue
        verbs = Counter(keyword or "other" for _, keyword in found)
        told = joined([f"{word} ({count})" if count > 1 else word for word, count in verbs.items()])
        blocks.append(
            claim(
                lead, value(plural(len(found), "step")), ", ", code(told), tail,
                by=proof(
                    *(context.config_place(f"/history/{i}", i) for i, _ in found[:8]),
                    context.config_receipt(f"/history/{found[0][0]}", "a step that made no layer"),
                ),
            )
        )  # fmt: skip


_FETCHED = "so that a runtime can fetch single files"
_CHANGED = "so that only changed chunks need to be fetched"
_FORMS = {
    "eStargz": (
        f"an eStargz: an ordinary gzip layer with a table of contents at its end, {_FETCHED}",
        f"eStargz: ordinary gzip layers with a table of contents at their end, {_FETCHED}",
    ),
    "zstd:chunked": (
        f"zstd:chunked: an ordinary zstd layer with a table of contents, {_CHANGED}",
        f"zstd:chunked: ordinary zstd layers with a table of contents, {_CHANGED}",
    ),
}
"""What one layer of a form is called, and several."""


def _compression(context: StoryContext, blocks: list[Block]) -> None:
    if not context.here:
        return
    found = Counter(layer.compression for layer in context.here)
    stored, content, _ = context.totals
    by = proof(*(layer.location for layer in context.here[:4]), context.receipts.magic(context.here[0]))
    here = "" if len(context.here) == len(context.image.layers) else " that are here"
    if set(found) == {"none"}:
        many = len(context.here) > 1
        lead = (
            f"The {noun(len(context.here), 'layer')}{here} {'are' if many else 'is'} stored uncompressed, as plain tar."
        )
        blocks.append(claim(lead, by=by))
    else:
        kinds = joined([f"{count} with {kind}" if len(found) > 1 else kind for kind, count in found.items()])
        kinds = kinds.replace("with none", "plain")
        ratio = f" ({content / stored:.1f} to 1)" if stored else ""
        blocks.append(
            claim(
                "Packed with ", value(kinds), ": ", value(size(stored)), f"{here} hold ", value(size(content)),
                f" of tar{ratio}.",
                by=by,
            )
        )  # fmt: skip
    labelled: dict[str, list[Layer]] = {}
    for layer in context.image.layers:
        if layer.record.label:
            labelled.setdefault(layer.record.label, []).append(layer)
    for label, layers in labelled.items():
        names = listed([layer.label for layer in layers])
        single, several = _FORMS.get(label, (label, label))
        what = f" is {single}" if len(layers) == 1 else f" are {several}"
        blocks.append(claim(value(names), Span(what), ".", by=_layer_proof(context, layers[0])))


def _removals(context: StoryContext, blocks: list[Block]) -> None:
    told = 0
    for layer in context.here:
        table = layer.table
        found = list(table.flagged(WHITEOUT))
        if not found:
            continue
        told += 1
        if told > _REMOVALS:
            continue
        # What removes one path and what hides a whole directory are two things, and each is counted apart.
        opaque = [index for index in found if table[index].is_opaque]
        plain = [index for index in found if not table[index].is_opaque]
        entry = table[(plain or opaque)[0]]
        alike, others = (plain, opaque) if plain else (opaque, [])
        hidden = hidden_path(entry.path)
        receipt = context.receipts.entry_line(layer, entry.index)
        place = context.entry_place(layer, entry.index)
        gone = counts_of(context, layer)
        more = f", and {plural(len(alike) - 1, 'more removal')} like it" if len(alike) > 1 else ""
        more += f", and {plural(len(others), 'opaque whiteout')}" if others else ""
        if entry.is_opaque and not hidden.strip(b"/"):
            blocks.append(
                claim(
                    value(layer.label), " holds ", path(text(entry.path)), ", an ", term("opaque whiteout"),
                    " for the root: overlayfs ignores it, since the root of a mount always merges, and engines that "
                    "apply a layer onto the last one remove everything that lower layers have", more, ".",
                    by=proof(place, receipt),
                )
            )  # fmt: skip
        elif entry.is_opaque:
            blocks.append(
                claim(
                    value(layer.label), " holds ", path(text(entry.path)), ", an ", term("opaque whiteout"),
                    ": everything below ", path(text(hidden)), " in lower layers disappears", more, ". ",
                    *_stays(gone, context.knowledge), by=proof(place, receipt),
                )
            )  # fmt: skip
        else:
            blocks.append(
                claim(
                    value(layer.label), " holds ", path(text(entry.path)), ", a ", term("whiteout"), " for ",
                    path(text(hidden)), more, ". ", *(_back(context, layer, hidden) or _stays(gone, context.knowledge)),
                    by=proof(place, receipt),
                )
            )  # fmt: skip
    if told > _REMOVALS:
        blocks.append(
            note(
                value(few(told - _REMOVALS)),
                f" more {noun(told - _REMOVALS, 'layer removes', 'layers remove')} something: ",
                code(f"imagepeel layers {context.receipts.file}"), ".",
            )
        )  # fmt: skip


def _back(context: StoryContext, layer: Layer, victim: bytes) -> tuple[Span | str, ...]:
    """What to say where the same layer removes a path and brings it again, () where it does not."""
    rootfs = context.rootfs
    if layer.index >= len(rootfs.uppers):
        return ()
    before, _ = resolve(rootfs.below(layer.index), victim, b"/", follow=False, most=40)
    after, merged = resolve(rootfs.below(layer.index + 1), victim, b"/", follow=False, most=40)
    if before.node is None or after.node is None:
        return ()
    if merged is not None and len(merged.stack) > 1:
        return (
            "But the same layer makes it again, and then overlayfs shows what lies below: ",
            Span("the old content is back.", "warn"),
        )
    return ("The same layer brings it again, new.",)


def _stays(gone: LayerCounts | None, known: Knowledge) -> tuple[Span | str, ...]:
    if gone is None and not known.layers:
        return ("What it hides, a missing layer decides.",)
    if gone is not None and not gone.removed:
        return (Span("It hides nothing: no lower layer has that path.", "warn"),)
    if gone is None or not gone.bytes_removed:
        return ("Hidden is not gone: the lower layer still ships it.",)
    return ("The ", value(size(gone.bytes_removed)), " that lower layers brought stay in the image.")


def _repeats(context: StoryContext, blocks: list[Block]) -> None:
    settled = context.knowledge.settled
    known = context.counts if settled is None else context.counts[:settled]
    repeating = [counts for counts in known if counts.bytes_repeated]
    heaviest = sorted(repeating, key=lambda counts: (-counts.bytes_repeated, counts.layer))[:_REPEATS]
    same: dict[tuple[int, str, tuple[str, ...]], list[tuple[Layer, Location]]] = {}
    for found in sorted(heaviest, key=lambda counts: counts.layer):
        layer = context.image.layers[found.layer]
        example, fields = _repeated_example(context, layer)
        if example is not None:
            same.setdefault((found.bytes_repeated, example.path or "", tuple(fields)), []).append((layer, example))
    for (count, name, differing), found_in in same.items():
        first, example = found_in[0]
        labels = joined([one.label for one, _ in found_in])
        blocks.append(
            claim(
                value(labels), " ships " if len(found_in) == 1 else " each ship ", value(size(count)),
                " of files again whose content did not change, for example ", path(name), *_difference(differing),
                by=proof(example, context.receipts.entry_line(first, example.entry or 0)),
            )
        )  # fmt: skip
    left = len(repeating) - len(heaviest)
    if left:
        blocks.append(
            note(
                value(title(few(left))), f" more {noun(left, 'layer ships', 'layers ship')} unchanged files again: ",
                code(f"imagepeel du {context.receipts.file}"), ".",
            )
        )  # fmt: skip


def _difference(fields: Sequence[str]) -> tuple[Span | str, ...]:
    if not fields:
        return (": the same in every field, and stored again.",)
    return (
        ": ", Span(joined(fields)), f" {noun(len(fields), 'differs', 'differ')} from the layer below. ",
        "A changed field costs a whole copy.",
    )  # fmt: skip


_FIELDS = {"mode": "the mode", "uid": "the owner", "gid": "the group", "mtime": "the time", "xattrs": "an attribute"}


def _repeated_example(context: StoryContext, layer: Layer) -> tuple[Location | None, list[str]]:
    """The largest file that the layer repeats, and what is different about it, in words."""
    from imagepeel.rootfs.layer_diff import changed_fields, layer_delta, same_content  # start time

    best = None
    for index, change in enumerate(layer_delta(context.rootfs, layer.index)):
        before, after = change.before, change.after
        if index > 200_000:
            break
        if before is None or after is None or before.kind != "file" or after.kind != "file" or before is after:
            continue
        if (best is None or after.size > best[1].size) and same_content(before, after, context.rootfs.layers):
            best = (before, after)
    if best is None or best[1].entry is None:
        return None, []
    fields = changed_fields(best[0], best[1], context.rootfs.layers)
    named = [_FIELDS.get(name, name) for name in fields if name not in ("content?",)]
    return context.entry_place(layer, best[1].entry), named


def _oddities(context: StoryContext, blocks: list[Block]) -> None:
    found = [(layer, anomaly) for layer in context.image.layers for anomaly in layer.anomalies]
    for layer, anomaly in found[:6]:
        where = anomaly.where if anomaly.where.layer is not None else layer.location
        blocks.append(
            claim(
                Span(f"{layer.label}: ", "warn"), Span(anomaly.message), ".",
                by=proof(where, context.receipts.layer_listing(layer)), level="bad" if anomaly.fatal else "warn",
            )
        )  # fmt: skip
    if len(found) > 6:
        blocks.append(
            note(
                "And ",
                value(number(len(found) - 6)),
                " more oddities: ",
                code(f"imagepeel layers {context.receipts.file}"),
                ".",
            )
        )
