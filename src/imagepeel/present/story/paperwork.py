"""Chapter 2: the documents, as a chain of digests, each checked against the bytes it points to."""

from __future__ import annotations

from collections.abc import Iterator

from imagepeel.archive.knowledge import Knowledge
from imagepeel.archive.records import DocumentCheck, Manifests, RecordKind
from imagepeel.evidence import Evidence, Location, Receipt
from imagepeel.layers.layer import Layer, LayerCheck
from imagepeel.oci.digest import short
from imagepeel.present.document import (
    Block,
    Level,
    ReceiptRef,
    Span,
    Text,
    Tree,
    TreeNode,
    claim,
    code,
    digest,
    dim,
    note,
    path,
    proof,
    term,
    value,
    words,
)
from imagepeel.present.story.context import StoryContext, marked
from imagepeel.text import few, joined, listed, noun, number, plural, short_digests, size, title

ID = "paperwork"
_LAYERS = 8
"""Layers drawn in the tree; more are counted."""
_SHOWN = 8
"""Mismatches that are spelled out; all of them are in the JSON."""


def chapter(context: StoryContext) -> tuple[str, list[Block]]:
    """Return title and blocks of the chapter."""
    blocks: list[Block] = []
    if context.bare:
        _none(context, blocks)
        return "The paperwork is gone", blocks
    _chain(context, blocks)
    _verified(context, blocks)
    _missing(context, blocks)
    _config(context, blocks)
    _names(context, blocks)
    _lost(context, blocks)
    receipt = _favourite(context)
    if receipt is not None:
        blocks.append(ReceiptRef(receipt=receipt))
    return "The paperwork", blocks


def _none(context: StoryContext, blocks: list[Block]) -> None:
    record = context.image.record
    by = proof(context.archive_place(), context.receipts.listing())
    blocks.append(
        claim(
            "There is none. This is ", value("a filesystem" if record.kind is RecordKind.ROOTFS else "one layer"),
            " on its own, without ", term("manifest"), " and ", term("config"), ".", by=by,
        )
    )  # fmt: skip
    blocks.append(
        claim(
            "What is lost: ", Span(record.lost),
            ". Nobody can tell from this file which program it was meant to start, as whom, or how it was built.",
            by=by,
        )
    )  # fmt: skip
    layer = context.image.layers[0]
    receipt = context.receipts.diff_id(layer)
    if layer.diff_id and layer.facts is not None and layer.facts.diff_id:
        blocks.append(
            claim(
                "What its tar would be called as a layer: its ", term("DiffID"), " is ", digest(layer.diff_id), ".",
                by=proof(layer.location, receipt),
            )
        )  # fmt: skip


# ---- the chain --------------------------------------------------------------------------------------------


def _chain(context: StoryContext, blocks: list[Block]) -> None:
    record = context.image.record
    below = _documents(context)
    by_name = record.format.manifests is Manifests.NONE  # what names files points at no index
    above = [index for index in context.archive.indexes if index.member and _above(context, index.path)]
    for index in reversed([] if by_name else above):
        if index.member == record.format.start:
            continue
        checks = [check for check in index.checks if check.member == index.member]
        below = (_node(context, "index", index.member, index.digest or "", checks, children=below),)
    start, text = _start(context)
    here = context.archive.members.get(start) is not None
    # That a member is absent shows in the list of all of them.
    by = proof(Location(member=start), _show(context, start) or context.receipts.listing())
    root = TreeNode(text=text, evidence=by, children=below)
    if record.format.account:
        blocks.append(claim(*marked(record.format.account), by=by))
    elif not here:
        blocks.append(note("Reading would start at ", path(start), ", which is not in the archive:"))
    else:
        blocks.append(note("Reading starts at ", path(start), " and follows what it points at:"))
    blocks.append(Tree(roots=(root,)))


def _above(context: StoryContext, index_path: tuple[int, ...]) -> bool:
    mine = context.image.record.path
    return len(index_path) < len(mine) and mine[: len(index_path)] == index_path


def _start(context: StoryContext) -> tuple[str, Text]:
    record = context.image.record
    name = record.format.start
    if context.archive.members.get(name) is None and record.config_member:
        name = record.config_member
    note = record.format.start_note
    return name, words(path(name), dim(f"   {note}")) if note else words(path(name))


def _documents(context: StoryContext) -> tuple[TreeNode, ...]:
    """The manifest with config and layers below it, or only these where the start is the manifest."""
    record = context.image.record
    children: list[TreeNode] = []
    checks = [check for check in record.checks if check.role == "config"]
    named = record.format.config_apart
    if named and (record.config_member or checks or record.config_descriptor is not None):
        stated = record.config_descriptor.digest_text if record.config_descriptor is not None else ""
        identity = stated or (record.image_id or "") or next((check.digest for check in checks), "")
        children.append(_node(context, "config", record.config_member, identity, checks[:1]))
    children.extend(_layer_nodes(context))
    if record.format.manifests is not Manifests.BLOB or record.direct:
        return tuple(children)
    mine = [check for check in record.checks if check.role == "manifest"]
    return (_node(context, "manifest", record.manifest_member, record.digest or "", mine, children=tuple(children)),)


def _node(
    context: StoryContext,
    role: str,
    member: str,
    identity: str,
    checks: list[DocumentCheck],
    *,
    children: tuple[TreeNode, ...] = (),
) -> TreeNode:
    state = checks[0].state if checks else "not checked"
    stream = context.receipts.named(member)
    actual = checks[0].actual_digest if checks else ""
    held = context.archive.members.file(member) if member else None
    parts: list[Span | str] = [term(role), "  "]
    parts.append(digest(short(identity) + "...") if identity else path(member or "not named"))
    if held is not None:
        parts.extend(("  ", value(size(held.size))))
    level: Level = ""
    if state == "verified":
        parts.extend(("  ", Span("verified", "good")))
    elif state == "mismatch":
        parts.extend(("  ", Span("DOES NOT MATCH" if checks[0].wrong_digest else "WRONG SIZE", "bad")))
        level = "bad"
    elif state == "missing":
        parts.extend(("  ", Span("MISSING", "bad")))
        level = "bad"
    elif state == "other name":
        parts.extend(("  ", Span("its name spells another digest", "warn")))
        level = "warn"
    if role == "config" and identity and state != "missing" and context.image.record.config is not None:
        parts.append(dim("   its digest is the ImageID"))
    receipt = None
    if stream is not None and (identity or actual):
        receipt = context.receipts.digest(stream, identity, f"the digest of the {role}", expect=actual)
    elif stream is not None:
        receipt = _show(context, member)
    else:
        receipt = context.receipts.listing()
    place = checks[0].stated_at if checks else Location(member=member or None)
    return TreeNode(
        text=words(*parts),
        evidence=proof(place, Location(member=member or None, blob=identity or None), receipt),
        level=level,
        children=children,
    )


def _layer_nodes(context: StoryContext) -> list[TreeNode]:
    layers = context.image.layers
    shown = list(layers) if len(layers) <= _LAYERS else [*layers[: _LAYERS - 2], layers[-1]]
    nodes = []
    for layer in shown:
        if layer is layers[-1] and len(shown) < len(layers):
            left = layers[_LAYERS - 2 : -1]
            nodes.append(
                TreeNode(
                    text=words(dim(f"... {plural(len(left), 'layer')} more, {left[0].label} to {left[-1].label}")),
                    evidence=proof(*(item.location for item in left), context.receipts.listing()),
                )
            )
        nodes.append(_layer_node(context, layer))
    return nodes


def _part(layer: Layer) -> str:
    return "part" if layer.state == "no layer" else "layer"


def _layer_node(context: StoryContext, layer: Layer) -> TreeNode:
    record = layer.record
    level: Level = ""
    parts: list[Span | str] = [term(_part(layer)), " ", value(layer.label), "  "]
    if record.digest:
        parts.append(digest(short(record.digest) + "..."))
    elif record.diff_id:
        parts.extend((dim("DiffID "), digest(short(record.diff_id) + "...")))
    else:
        parts.append(path(short_digests(record.member) or "not named"))
    parts.extend(("  ", value(size(layer.blob_size))))
    if layer.state not in ("present", "no layer"):
        parts.extend(("  ", Span(layer.state.upper(), "bad")))
        level = "bad"
    elif layer.verified is False:
        size_only = all(check.what == "size" for check in layer.checks if check.ok is False)
        parts.extend(("  ", Span("WRONG SIZE" if size_only else "DOES NOT MATCH", "bad")))
        level = "bad"
    elif layer.verified:
        parts.extend(("  ", Span("verified", "good")))
    receipt = context.receipts.layer_digest(layer) if record.digest else None
    receipt = receipt or context.receipts.diff_id(layer) or context.receipts.layer_digest(layer)
    receipt = receipt or context.receipts.listing()
    return TreeNode(text=words(*parts), evidence=proof(layer.location, receipt), level=level)


# ---- what the checks say ----------------------------------------------------------------------------------


def _checks(context: StoryContext) -> list[DocumentCheck]:
    record = context.image.record
    of_indexes = [check for index in context.archive.indexes if _above(context, index.path) for check in index.checks]
    unique: dict[tuple[str, str, str], DocumentCheck] = {}
    for check in (*of_indexes, *record.checks):
        unique.setdefault((check.role, check.member, check.digest), check)
    return list(unique.values())


def _layer_checks(context: StoryContext) -> list[tuple[Layer, LayerCheck]]:
    return [(layer, check) for layer in context.image.layers for check in layer.checks]


def _verified(context: StoryContext, blocks: list[Block]) -> None:
    documents = [check for check in _checks(context) if check.state in ("verified", "mismatch") and check.digest]
    layers = _layer_checks(context)
    compared = [(layer, check) for layer, check in layers if check.what != "size" and check.ok is not None]
    blobs = [(layer, check) for layer, check in compared if check.what == "digest"]
    diffs = [(layer, check) for layer, check in compared if check.what == "diff_id"]
    by = _digest_proof(context)
    if not context.image.verify:
        blocks.append(
            claim(
                "The layers were not hashed, as asked (", code("--no-verify"), "): their digests are only claims here.",
                by=by, level="warn",
            )
        )  # fmt: skip
    total = len(documents) + len(blobs)
    wrong_documents = [check for check in documents if check.state == "mismatch"]
    wrong_digests = sum(check.wrong_digest for check in documents)
    wrong = [(layer, check) for layer, check in layers if check.ok is False]
    bad_blobs = sum(1 for _, check in wrong if check.what == "digest")
    bad_diffs = sum(1 for _, check in wrong if check.what == "diff_id")
    format = context.image.record.format
    if total and not format.by_name:
        blocks.append(
            claim(
                "Each arrow is a ", term("digest"), ": a fingerprint (SHA-256) of the bytes it points to. ",
                *_tally(total, wrong_digests + bad_blobs, context.knowledge), by=by,
                level="bad" if wrong_digests or bad_blobs else "",
            )
        )  # fmt: skip
    elif format.by_name:
        blocks.append(
            claim(
                path(format.start), " points by name: no fingerprint protects these arrows. ",
                "An engine takes the files as they are and computes the digests itself.",
                by=proof(Location(member=format.start), _show(context, format.start)),
            )
        )  # fmt: skip
    if diffs:
        blocks.append(
            claim(
                "The config vouches for the layers: it lists the ", term("DiffID"),
                " of each, the digest of its tar without compression. ",
                *_tally(len(diffs), bad_diffs, context.knowledge),
                by=proof(context.config_place("/rootfs/diff_ids"), _first_diff(context, diffs),
                         context.config_receipt("/rootfs/diff_ids", "the DiffIDs that the config lists")),
                level="bad" if bad_diffs else "",
            )
        )  # fmt: skip
    for item in wrong_documents[:_SHOWN]:
        stream = context.receipts.named(item.member)
        blocks.append(
            claim(
                Span("Wrong: ", "bad"), "the ", item.role, " ", path(_shortened(item.member)),
                ": ", Span(item.detail), ".",
                *((" Stated ", digest(short(item.digest)), ", found ", digest(short(item.actual_digest)), ".")
                  if item.actual_digest not in ("", item.digest) else ()),
                by=proof(
                    item.stated_at,
                    context.receipts.digest(
                        stream, item.digest, "what its bytes really have", expect=item.actual_digest
                    )
                    if stream is not None and item.actual_digest else None,
                ),
                level="bad",
            )
        )  # fmt: skip
    for layer, check in wrong[:_SHOWN]:
        blocks.append(_wrong_layer(context, layer, check))
    hidden = max(0, len(wrong_documents) - _SHOWN) + max(0, len(wrong) - _SHOWN)
    if hidden:
        blocks.append(
            note(
                f"{plural(hidden, 'more mismatch', 'more mismatches')}: ",
                code(f"imagepeel layers {context.receipts.file}"),
            )
        )


def _wrong_layer(context: StoryContext, layer: Layer, check: LayerCheck) -> Block:
    stated_by = "the config" if check.what == "diff_id" else "the manifest"
    name = {"digest": "digest", "size": "size", "diff_id": "DiffID"}[check.what]
    if check.what == "size":
        stated, actual = value(size(int(check.stated))), value(size(int(check.actual)))
        stream = context.receipts.blob(layer)
        receipt = (
            context.receipts.size(stream, int(check.actual), "bytes that are there") if stream is not None else None
        )
        if stated == actual:
            stated, actual = value(check.stated), value(check.actual)
    else:
        stated, actual = digest(short(check.stated)), digest(short(check.actual))
        receipt = context.receipts.diff_id(layer) if check.what == "diff_id" else context.receipts.layer_digest(layer)
    consequence = {
        "digest": "Engines refuse to store it.",
        "size": "Engines refuse to store it.",
        "diff_id": "Engines refuse to unpack it.",
    }[check.what]
    return claim(
        Span("Wrong: ", "bad"), value(layer.label), f": {stated_by} states the {name} ", stated, ", the bytes have ",
        actual, ". ", consequence, by=proof(layer.location, receipt), level="bad",
    )  # fmt: skip


def _tally(total: int, wrong: int, known: Knowledge) -> tuple[Span | str, ...]:
    if total == 1:
        return (
            "The one that is here was recomputed. " if not known.whole else "The one there is was recomputed. ",
            Span("It matches.", "good") if not wrong else Span("It does not match.", "bad"),
        )
    here = "" if known.whole else " that are here"
    whole = title(few(total)) if total < 13 else number(total)
    if total == 2 and not wrong:
        return (f"Both{here} were recomputed. ", Span("Both match.", "good"))
    if not wrong:
        return ("All ", value(few(total)), f"{here} were recomputed. ", Span("All match.", "good"))
    return (
        value(whole),
        f"{here} were recomputed; ",
        Span(f"{few(wrong)} {noun(wrong, 'does', 'do')} not match.", "bad"),
    )


def _digest_proof(context: StoryContext) -> Evidence:
    record = context.image.record
    place = Location(
        member=record.manifest_member or record.config_member or None, blob=record.digest or record.image_id
    )
    return proof(place, _favourite(context), *_layer_receipts(context))


def _layer_receipts(context: StoryContext) -> tuple[Receipt | None, ...]:
    return tuple(context.receipts.layer_digest(layer) for layer in context.here[:1] if layer.record.digest)


def _first_diff(context: StoryContext, diffs: list[tuple[Layer, LayerCheck]]) -> Receipt | None:
    wrong = [layer for layer, check in diffs if check.ok is False]
    return context.receipts.diff_id(wrong[0] if wrong else diffs[0][0])


def _missing(context: StoryContext, blocks: list[Block]) -> None:
    record = context.image.record
    absent = [layer for layer in context.image.layers if layer.state not in ("present", "no layer")]
    named = {(check.role, check.digest or check.member): check for check in reversed(_checks(context))
             if check.state == "missing"}  # fmt: skip
    documents = list(reversed(named.values()))  # of two descriptions that name one blob, the first speaks
    show = context.receipts.listing()
    for check in documents[:_SHOWN]:
        blocks.append(
            claim(
                Span("Missing: ", "bad"), "the ", check.role, *_by_name(check), ". ", Span(title(check.detail)), ".",
                by=proof(check.stated_at, show), level="bad",
            )
        )  # fmt: skip
    if absent:
        by_state: dict[str, list[Layer]] = {}
        for layer in absent:
            by_state.setdefault(layer.state, []).append(layer)
        for state, layers in by_state.items():
            labels = listed([layer.label for layer in layers])
            blocks.append(
                claim(
                    Span(title(state) + ": ", "bad"), value(labels), ". ", Span(_state_words(state, layers)),
                    " The rest is explained without ", "it." if len(layers) == 1 else "them.",
                    by=proof(*(layer.location for layer in layers[:6]), show), level="bad",
                )
            )  # fmt: skip
    if record.config is None and record.config_state in ("missing", "damaged") and not documents:
        blocks.append(
            claim(
                Span("The config cannot be read", "bad"), f" ({record.config_state}): entrypoint, environment, user "
                "and history are unknown.", by=proof(Location(member=record.config_member or None), show), level="bad",
            )
        )  # fmt: skip


def _by_name(check: DocumentCheck) -> tuple[Span | str, ...]:
    name = short(check.digest) or check.member
    return (" ", digest(name)) if name else ()


def _state_words(state: str, layers: list[Layer]) -> str:
    many = len(layers) > 1
    if state == "missing":
        return f"The documents name {'them' if many else 'it'}, the archive does not carry {'them' if many else 'it'}."
    if state == "foreign":
        where = f" ({layers[0].record.urls[0]})" if layers[0].record.urls else ""
        return f"A foreign layer lives elsewhere{where}; it is never fetched here."
    if state == "encrypted":
        return "Without the key the bytes say nothing."
    if state == "truncated":
        return "The archive ends in the middle of it."
    return f"{title(layers[0].record.detail or state)}."


# ---- the config and the names -----------------------------------------------------------------------------


def _config(context: StoryContext, blocks: list[Block]) -> None:
    record, config = context.image.record, context.image.config
    if record.config is None:
        return
    run = config.config
    facts = []
    if config.platform:
        facts.append(f"the platform ({config.platform})")
    for count, what in (
        (len(config.env), "environment variable"),
        (len(run.labels), "label"),
        (len(config.history or ()), "history step"),
        (len(config.diff_ids), "DiffID"),
    ):
        if count:
            facts.append(plural(count, what))
    blocks.append(
        claim(
            "The ", term("config"), " is one JSON document of ", value(size(_config_size(context))), ". It holds ",
            Span(joined(facts) or "nothing that matters here"), ".",
            by=proof(
                context.config_place(""),
                context.config_receipt("/architecture", "the architecture that the config states"),
                context.config_receipt("/config", "the defaults for the process"),
            ),
        )
    )  # fmt: skip
    if record.image_id:
        stream = context.receipts.named(record.config_member)
        blocks.append(
            claim(
                "Its digest is the ", term("ImageID"), ", by which Docker's own store and podman know the image: ",
                digest(short(record.image_id)), ".", *_target(context),
                by=proof(
                    Location(member=record.config_member or None, blob=record.image_id),
                    context.receipts.digest(stream, record.image_id, "the ImageID") if stream is not None else None,
                ),
            )
        )  # fmt: skip


def _target(context: StoryContext) -> Iterator[Span | str]:
    """The id that containerd's stores show: what index.json lists."""
    record = context.image.record
    outermost = context.archive.outermost(record)
    if outermost or record.digest:
        yield f" Docker's containerd store and ctr show the digest of the {'index' if outermost else 'manifest'}: "
        yield digest(short(outermost or record.digest or ""))
        yield "."


def _config_size(context: StoryContext) -> int:
    raw = context.image.config.raw_bytes
    if raw:
        return len(raw)
    member = context.archive.members.file(context.image.record.config_member)
    return member.size if member is not None else 0


def _names(context: StoryContext, blocks: list[Block]) -> None:
    record = context.image.record
    if not record.names:
        return
    first = record.names[0]
    stream = context.receipts.named(first.where.member or "")
    pointer = first.where.pointer or ""
    receipt = context.receipts.json(stream, pointer, "the names") if stream is not None else None
    names = list(dict.fromkeys(name.text for name in record.names))
    blocks.append(
        claim(
            "The name is only written beside the image (", code(first.origin), "), and no digest covers it: ",
            value(listed(names, 4)), ".",
            by=proof(first.where, receipt),
        )
    )  # fmt: skip


def _lost(context: StoryContext, blocks: list[Block]) -> None:
    record = context.image.record
    if record.lost:
        blocks.append(
            claim(
                "What this format cannot say: ", Span(record.lost), ".",
                by=proof(Location(member=record.config_member or None), context.receipts.listing()),
            )
        )  # fmt: skip


def _shortened(name: str) -> str:
    return short_digests(name)


def _show(context: StoryContext, member: str) -> Receipt | None:
    stream = context.receipts.named(member)
    return context.receipts.document(stream, f"the document {_shortened(member)}") if stream else None


def _favourite(context: StoryContext) -> Receipt | None:
    """The one digest that everybody should recompute: the manifest's, else the config's, else a layer's."""
    record = context.image.record
    for member, identity, what in (
        (
            record.manifest_member if record.format.manifests is Manifests.BLOB else "",
            record.digest,
            "the manifest's digest",
        ),
        (record.config_member, record.image_id, "the config's digest: the ImageID"),
    ):
        stream = context.receipts.named(member)
        if stream is not None and identity:
            actual = next((c.actual_digest for c in record.checks if c.member == member and c.actual_digest), "")
            return context.receipts.digest(stream, identity, what, expect=actual)
    for layer in context.here:
        found = context.receipts.layer_digest(layer)
        if found is not None:
            return found
    return None
