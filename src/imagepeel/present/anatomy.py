"""Every byte of an archive or a layer in tables that add up, and the bytes of one header with what they mean."""

from __future__ import annotations

from collections.abc import Iterator

from imagepeel.anatomy.account import RegionKind, TarAccount
from imagepeel.anatomy.content import ContentKind
from imagepeel.archive.records import CheckState
from imagepeel.oci.json_fields import MOST_VALUES
from imagepeel.present.document import (
    AnnotatedBytes,
    Claim,
    Column,
    Document,
    Piece,
    Section,
    Table,
    Text,
    claim,
    code,
    dim,
    items,
    path,
    proof,
    row,
    say,
    section,
    term,
    try_it,
    value,
    words,
)
from imagepeel.present.heading import about
from imagepeel.results.anatomy import AnatomyField, AnatomyPart, AnatomyResult, AnatomyStored, AnatomyUnit
from imagepeel.text import exact, number, plural

_REGIONS: dict[RegionKind, str] = {
    "end": "the end: two blocks of zeros",
    "fill": "zeros up to the end of the file",
    "between": "between two entries",
    "behind": "behind the end, where no reader looks",
    "not read": "not read as a tar",
}
_MOST_BYTES = 16
"""Bytes of a field that are shown; `--json` has all."""
_ZEROS = 8
"""Zero bytes at the end of a field from which on they are told and not shown."""
_COLUMNS = (
    Column("offset", right=True, keep=True),
    Column("headers", right=True, keep=True),
    Column("content", right=True, keep=True),
    Column("padding", right=True, keep=True, leave=1),
    Column("", room=24),
)


def anatomy_document(result: AnatomyResult, *, most: int) -> Document:
    """Return the parts with their bytes, `most` of them named (0 for all), and the fields of one entry."""
    shown = section(items(try_it(result.proof))) if result.proof is not None else None
    if result.of in ("entry", "member"):
        return about(result.image, *_entry(result), shown)
    if result.of == "layer":
        return about(result.image, *_one_layer(result, most), shown)
    return about(result.image, _archive(result, most), *_layers(result), shown)


def _archive(result: AnatomyResult, most: int) -> Section:
    if result.tar is None:
        total = sum(part.content for part in result.parts)
        rows = [row("", "", number(part.content), "", path(part.name)) for part in _few(result.parts, most)]
        rows.append(row("", "", number(total), "", "sum", total=True))
        return section(
            say("A directory: its files have no headers and no padding."),
            Table(columns=_COLUMNS, rows=tuple(rows), hidden=_hidden(result.parts, most), all=_ALL),
        )
    said = []
    if result.file_size is not None:
        inside = (
            f", {' in '.join(result.wrapping)}, which unpacks to {exact(result.tar.size)}" if result.wrapping else ""
        )
        said.append(say(f"The file has {exact(result.file_size)}{inside}. This is every one of them."))
    if result.stored is not None:
        said.append(say(f"As it lies there: {_stored_words(result.stored)}."))
    return section(*said, _tar(result.tar, result.parts, most), title="The archive")


_ALL = "--all"


def _few(parts: tuple[AnatomyPart, ...], most: int) -> tuple[AnatomyPart, ...]:
    return parts[:most] if most else parts


def _hidden(parts: tuple[AnatomyPart, ...], most: int) -> int:
    return max(0, len(parts) - most) if most else 0


def _tar(tar: TarAccount, parts: tuple[AnatomyPart, ...], most: int) -> Table:
    rows = [
        row(number(part.offset), number(part.headers), number(part.content), number(part.padding), path(part.name))
        for part in _few(parts, most)
    ]
    rest = parts[most:] if most else ()
    if rest:
        sums = (sum(part.headers for part in rest), sum(part.content for part in rest), sum(p.padding for p in rest))
        rows.append(row(number(rest[0].offset), *map(number, sums), dim(f"{plural(len(rest), 'more entry')}")))
    for region in tar.regions:
        rows.append(row(number(region.offset), "", number(region.size), "", dim(_REGIONS[region.kind])))
    other = sum(region.size for region in tar.regions)
    sums = (tar.headers, tar.content + other, tar.padding)
    rows.append(row("", *map(number, sums), words("sum: ", value(exact(tar.accounted))), total=True))
    return Table(columns=_COLUMNS, rows=tuple(rows), all=_ALL if rest else "")


def _layers(result: AnatomyResult) -> Iterator[Section]:
    if not result.layers:
        return
    rows = []
    for layer in result.layers:
        if layer.tar is None or layer.stored is None:
            rows.append(row(term(layer.label), "", "", "", "", "", dim(f"{layer.state}")))
            continue
        tar = layer.tar
        rest = sum(region.size for region in tar.regions)
        rows.append(
            row(
                term(layer.label),
                number(tar.headers),
                number(tar.content),
                number(tar.padding),
                number(rest),
                number(tar.size),
                _stored_words(layer.stored),
            )
        )
    yield section(
        Table(
            columns=(
                Column("", keep=True),
                Column("headers", right=True, keep=True),
                Column("content", right=True, keep=True),
                Column("padding", right=True, keep=True, leave=1),
                Column("end", right=True, keep=True, leave=2),
                Column("tar", right=True, keep=True),
                Column("stored as", room=16),
            ),
            rows=tuple(rows),
        ),
        say(
            "One layer, entry by entry: ",
            code("imagepeel anatomy ARCHIVE L1"),
            "; one header, byte by byte: ",
            code("imagepeel anatomy ARCHIVE L1:/bin/sh"),
            ".",
        ),
        title="The layers",
    )


def _stored_words(stored: AnatomyStored) -> str:
    if not stored.count:
        how = "as it is" if stored.compression == "none" else f"{stored.compression}"
        return f"{number(stored.size)}, {how}"
    rest = f" + {number(stored.rest)} behind them" if stored.rest else ""
    return (
        f"{number(stored.size)} = {plural(stored.count, stored.units[0].what)}: {number(stored.heads)} header + "
        f"{number(stored.streams)} compressed + {number(stored.trailers)} trailer{rest}"
    )


def _one_layer(result: AnatomyResult, most: int) -> Iterator[Section]:
    layer = result.layers[0]
    if layer.tar is not None:
        yield section(_tar(layer.tar, result.parts, most), title=words(term(layer.label), ", unpacked"))
    if layer.stored is not None and layer.stored.units:
        yield section(say(f"{_stored_words(layer.stored)}."), title="as it is stored")
        for unit in layer.stored.units[:1]:
            yield section(*_unit(unit))


def _unit(unit: AnatomyUnit) -> Iterator[AnnotatedBytes]:
    yield _annotated(words(f"The first {unit.what}: its header and its trailer."), unit.fields)


def _entry(result: AnatomyResult) -> Iterator[Section]:
    part = result.parts[0]
    yield section(
        say(
            path(result.name), f" begins at byte {number(part.offset)}: {exact(part.headers)} of headers, "
            f"{exact(part.content)} of content, {exact(part.padding)} of padding."
        ),
        *([_annotated(words("The header, every byte of it:"), result.fields)] if result.fields else []),
    )  # fmt: skip
    if result.digest:
        yield section(*_digest(result))
    if result.content:
        yield section(_annotated(words(_BEGINS[result.content_kind]), result.content))
    if len(result.content) == MOST_VALUES:
        yield section(say(f"Values behind the first {number(MOST_VALUES)} are not told."))


_BEGINS: dict[ContentKind, str] = {
    "ELF": "The content begins as an ELF program:",
    "shebang": "The content begins as a script:",
    "JSON": "The content is a JSON document, value by value:",
    "": "",
}


def _digest(result: AnatomyResult) -> Iterator[Claim]:
    by = proof(result.digest_proof)
    yield claim("Its content has the digest ", code(result.digest), ".", by=by)
    for naming in result.named:
        where = naming.where
        place = words(path(where.member or "a document"), f" {where.pointer}" if where.pointer else "")
        if naming.state is CheckState.VERIFIED:
            yield claim(place, f" names it by this digest, as {naming.role}.", by=by)
        else:
            yield claim(place, f" names it, as {naming.role}, with ", code(naming.digest), f": {naming.state}.", by=by)
    if not result.named:
        yield say("No document that was read names it by its digest.")


def _annotated(caption: Text, fields: tuple[AnatomyField, ...]) -> AnnotatedBytes:
    return AnnotatedBytes(
        caption=caption,
        pieces=tuple(_piece(field) for field in fields),
        evidence=proof(*(field.proof for field in fields)),
    )


def _piece(field: AnatomyField) -> Piece:
    data = bytes.fromhex(field.hex)
    zeros = len(data) - len(data.rstrip(b"\0"))
    shown = (data[: len(data) - zeros] or data[:1]) if zeros >= _ZEROS else data
    left = len(data) - len(shown[:_MOST_BYTES])
    what = "more zero byte" if len(shown) <= _MOST_BYTES else "more byte"
    told = field.value.endswith("zero bytes") or field.name.startswith("/")
    more = f" (and {plural(left, what)})" if left and not told else ""
    parts = [term(field.name), "  ", value(field.value)] if field.value else [term(field.name)]
    meaning = f"  {field.meaning}" if field.meaning else ""
    return Piece(offset=field.offset, data=shown[:_MOST_BYTES], meaning=words(*parts, dim(f"{more}{meaning}")))
