"""TOCDIFF: does the table of contents of a lazy-pulling layer tell the same story as its tar?

eStargz keeps a JSON table in the member `stargz.index.json` (stargz-snapshotter docs/estargz.md); zstd:chunked keeps a
zstd-compressed one in a skippable frame whose place an annotation names (containers/storage pkg/chunked).  Lazy engines
build the filesystem from the table, all others from the tar.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from imagepeel.errors import ImagepeelError
from imagepeel.evidence import Location, raw, text
from imagepeel.findings.semantics.codes import ViewNote
from imagepeel.formats.tar.header import REGULAR
from imagepeel.formats.tar.scanner import scan
from imagepeel.formats.tar.table import clean
from imagepeel.formats.toc import INDEX, KINDS, LANDMARKS, TocEntry, toc_entries
from imagepeel.limits import DEFAULT
from imagepeel.oci.descriptor import ZSTD_CHUNKED_PREFIXES
from imagepeel.text import plural

if TYPE_CHECKING:
    from imagepeel.image import LayeredImage
    from imagepeel.layers.layer import Layer

_CHUNKED = tuple(prefix + "manifest-position" for prefix in ZSTD_CHUNKED_PREFIXES)


def toc_notes(image: LayeredImage) -> list[ViewNote]:
    """Return one note for each layer whose table of contents disagrees with its tar, or cannot be read."""
    out: list[ViewNote] = []
    for layer in image.layers:
        if layer.facts is None:
            continue
        try:
            after = _after_the_end(layer)
            if after is not None:
                out.append(
                    ViewNote(
                        code="STARGZ",
                        message=f"{text(INDEX)} stands after the end of the tar: lazy engines build the filesystem "
                        "from it, others never see it",
                        where=Location(layer=layer.index, step=layer.step, layer_offset=after[0]),
                    )
                )
            toc = after[1] if after is not None else _estargz(layer)
            if toc is None:
                toc = _chunked(layer)
        except (ImagepeelError, msgspec.DecodeError, ValueError, RecursionError) as error:
            out.append(_note(layer, f"its table of contents cannot be read ({error}): lazy engines cannot use it"))
            continue
        if toc is not None:
            difference = _difference(layer, toc)
            if difference:
                out.append(_note(layer, difference))
    return out


def _note(layer: Layer, what: str) -> ViewNote:
    where = Location(layer=layer.index, step=layer.step)
    return ViewNote(code="TOCDIFF", message=f"layer {layer.label}: {what}", where=where)


def _after_the_end(layer: Layer) -> tuple[int, list[TocEntry]] | None:
    """Return offset and entries of a table that follows the end of the tar, as BuildKit writes it."""
    tail = layer.facts.tail if layer.facts is not None else None
    if tail is None or not tail.looks_like_tar or tail.nonzero < 0:
        return None
    head = scan(layer.content.pread(tail.nonzero, 1024)).table
    if len(head) != 1 or head.path(0) != INDEX:
        return None
    if head.size(0) > DEFAULT.json_bytes:
        raise ValueError(f"it has {plural(head.size(0), 'byte')}")
    return tail.nonzero, toc_entries(layer.content.pread(tail.nonzero + head[0].data_offset, head.size(0)))


def _estargz(layer: Layer) -> list[TocEntry] | None:
    table = layer.table
    if INDEX not in table.names:
        return None
    for i in reversed(range(len(table))):
        if table.basename(i) == INDEX and not table.dirs[table.dir_id(i)]:
            size = table.size(i)
            if size > DEFAULT.json_bytes:
                raise ValueError(f"it has {plural(size, 'byte')}")
            return toc_entries(layer.open(i).read())
    return None


def _chunked(layer: Layer) -> list[TocEntry] | None:
    from imagepeel.archive.codec import make_decoder  # start time
    from imagepeel.archive.compression import Compression  # start time

    position = next((layer.record.annotations[key] for key in _CHUNKED if key in layer.record.annotations), None)
    if position is None or layer.compression != Compression.ZSTD:
        return None
    numbers = [int(part) for part in position.split(":")[:3]]
    if len(numbers) != 3 or min(numbers) < 0 or max(numbers[1:]) > DEFAULT.json_bytes:
        raise ValueError(f"its place {position!r} makes no sense")
    offset, stored, _ = numbers
    decoder = make_decoder(Compression.ZSTD, DEFAULT)
    data = bytearray()
    for piece in decoder.feed(layer.record.source().pread(offset, stored)):
        data += piece
        if len(data) > DEFAULT.json_bytes:
            raise ValueError("it is too large")
    return toc_entries(bytes(data))


def _difference(layer: Layer, toc: list[TocEntry]) -> str:
    """Return the first difference in words, "" when table and tar agree on names, types, sizes, modes and owners."""
    listed: dict[bytes, TocEntry] = {}
    for item in toc:
        if item.type != "chunk":
            listed[clean(raw(item.name or ""))[0]] = item
    listed.pop(b"", None)
    seen: set[bytes] = set()
    table = layer.table
    for i in range(len(table)):
        path = table.path(i)
        entry = table[i]
        if not path or path in LANDMARKS or entry.kind in ("global-header", "unknown"):
            continue
        seen.add(path)
        if path not in listed:
            return f"the tar has {text(path)}, its table of contents has not"
        item = listed[path]
        kind = KINDS.get(item.type or "", item.type or "nothing")
        if kind != entry.kind:
            return f"{text(path)} is a {entry.kind} in the tar and a {kind} in its table of contents"
        stated = item.size or 0
        if entry.type == REGULAR and stated != entry.size:
            return f"{text(path)} has {plural(entry.size, 'byte')} in the tar and {stated} in its table of contents"
        if (item.mode or 0) & 0o7777 != entry.mode and entry.kind not in ("symlink", "hardlink"):
            return f"{text(path)} has another mode in the tar than in its table of contents"
        owner = (item.uid or 0, item.gid or 0)
        if owner != (entry.uid, entry.gid) and entry.kind != "hardlink":
            return f"{text(path)} has another owner in the tar than in its table of contents"
        if entry.kind in ("symlink", "hardlink") and raw(item.linkName or "") != entry.link:
            return f"{text(path)} links elsewhere in the tar than in its table of contents"
    extra = sorted(listed.keys() - seen - LANDMARKS)
    return f"its table of contents has {text(extra[0])}, the tar has not" if extra else ""
