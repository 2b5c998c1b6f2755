"""The life of a path: each link on the way and the end, with what each layer did to it."""

from __future__ import annotations

from imagepeel.evidence import Evidence, layer_label
from imagepeel.present.document import (
    Document,
    Item,
    Section,
    Span,
    SpanKind,
    bad,
    dim,
    item,
    items,
    path,
    say,
    section,
    words,
)
from imagepeel.present.heading import about, brief_step
from imagepeel.results.trace import EventResult, LifeResult, NodeResult, TraceResult
from imagepeel.text import number, plural

KINDS: dict[str, SpanKind] = {
    "added": "good",
    "changed": "warn",
    "opaque": "warn",
    "removed": "bad",
    "implied": "dim",
    "same": "dim",
}
_ERRNO = {"ELOOP": "the links never end", "ENOTDIR": "is not a directory"}


def trace_document(result: TraceResult) -> Document:
    """Return a section for each path on the way, and where it ends."""
    last = len(result.lives) - 1
    whole = result.image.knowledge.layers
    lives = (_life(life, last=i == last, whole=whole) for i, life in enumerate(result.lives))
    return about(result.image, *lives, _end(result))


def _life(life: LifeResult, *, last: bool, whole: bool) -> Section:
    title = words(path(life.path))
    if life.target is not None and not last:
        title = words(title, "  is a link to ", path(life.target))
    elif not life.present:
        title = words(title, bad("  is not in this view"))
    if not life.events:
        missing = "no layer has this path" if whole else "no layer that is here has this path"
        return section(say("the root directory of the image" if life.path == "/" else missing), title=title)
    return section(items(*map(_event, life.events)), title=title)


def _event(event: EventResult) -> Item:
    place = f"entry {event.entry} at {number(event.offset or 0)}" if event.entry is not None else ""
    tail = "   ".join(part for part in (place, brief_step(event.created_by)) if part)
    return item(
        Span(f"{event.kind:<10}", KINDS.get(event.kind, "plain")),
        _what(event),
        dim(f"   {tail}") if tail else "",
        label=f"{event.label:<2}",
        keep=True,
        by=Evidence(receipts=(event.receipt,) if event.receipt is not None else ()),
    )


def _what(event: EventResult) -> str:
    if event.kind == "removed":
        if event.by == "whiteout":
            return f"by a whiteout of {event.by_path}"
        if event.by == "opaque":
            return f"{event.by_path} is made opaque"
        return f"{event.by_path} is no directory any more" if event.by else ""
    said = node_in_words(event.node) if event.node is not None else ""
    if event.kind == "implied":
        said += ", no entry of its own"
    if event.kind == "opaque":
        said += ", lower content hidden"
    if event.fields:
        said += f" ({', '.join(event.fields)})"
    if event.hidden_by is not None:
        said += f", hidden by {layer_label(event.hidden_by)}"
    return said


def node_in_words(node: NodeResult) -> str:
    """Return type, mode, owner and size of what is at a path."""
    out = f"{node.kind} {node.mode} {node.uid}:{node.gid}"
    if node.kind == "file":
        out += f" {plural(node.size, 'byte')}"
    if node.kind == "symlink":
        out = f"symlink -> {node.target}"
    return out + (f", {plural(node.nlink, 'name')}" if node.nlink > 1 else "")


def _end(result: TraceResult) -> Section | None:
    said = []
    if result.errno:
        said.append(say(bad(f"{result.errno}: "), path(result.missing), f" {_ERRNO.get(result.errno, 'is missing')}"))
    if result.note:
        said.append(say(result.note, level="warn"))
    return section(*said) if said else None
