"""What `anatomy --json` writes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

import msgspec

from imagepeel._display import Shown
from imagepeel.anatomy.account import Part, TarAccount, account, member_part, table_part, table_parts, units_of
from imagepeel.anatomy.content import ContentKind, content_fields
from imagepeel.archive.compression import Compression
from imagepeel.archive.members import Member, Members, SubdirectoryMembers
from imagepeel.archive.records import CheckState, DocumentRole
from imagepeel.archive.tar_members import TarMembers
from imagepeel.errors import NotFound
from imagepeel.evidence import Location, Receipt, text
from imagepeel.formats.compressed import Unit
from imagepeel.formats.field import Field
from imagepeel.formats.tar.fields import EntryHeader
from imagepeel.masking import masked
from imagepeel.oci.digest import digest_of
from imagepeel.oci.json_fields import json_fields
from imagepeel.receipts.places import Receipts, Stream, field_bytes
from imagepeel.results.head import ImageHead, LayerHead, image_head, layer_head, readable

if TYPE_CHECKING:
    from imagepeel.archive.opened import OpenArchive
    from imagepeel.archive.records import DocumentCheck
    from imagepeel.archive.source import Source
    from imagepeel.formats.tar.table import Entry
    from imagepeel.image import LayeredImage
    from imagepeel.layers.layer import Layer
    from imagepeel.limits import Limits

MOST_UNITS = 100
"""gzip members or zstd frames that are told one by one."""


class AnatomyField(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """One field of a structure."""

    offset: int
    """Bytes from the start of the structure."""
    size: int
    """Bytes."""
    name: str
    value: str
    """What the bytes say, in words."""
    meaning: str
    """What the field is for, "" where its name says it."""
    hex: str
    """The bytes, two digits each; "" where they hold a secret that is masked."""
    proof: Receipt | None = None
    """The command that prints these bytes; null where the structure has none of its own."""


class AnatomyNaming(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """A place that names a document by the digest of its bytes."""

    role: DocumentRole
    where: Location
    """Member and JSON pointer."""
    digest: str
    """As it is stated there."""
    state: CheckState
    """Whether the bytes have it."""


class AnatomyPart(Shown, msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One member of the archive, or one entry of a layer: three runs of bytes behind each other."""

    index: int
    """From 0, in the order of the tar."""
    offset: int
    """Bytes from the start of the tar, decompressed."""
    headers: int
    """Bytes of its header blocks."""
    content: int
    """Bytes of content as stored."""
    padding: int
    """Bytes that fill the last block."""
    name: str
    name_b64: str | None = None
    """Exact name in base64, where `name` is not UTF-8."""


class AnatomyUnit(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """One gzip member or zstd frame of stored bytes."""

    what: Literal["gzip member", "zstd frame", "skippable frame"]
    offset: int
    """Bytes from the start of the stored bytes."""
    head: int
    """Bytes of the header."""
    stream: int
    """Compressed bytes."""
    trailer: int
    """Bytes of the trailer."""
    content: int | None
    """Bytes that it unpacks to; null where nothing says so."""
    problem: str
    """Why it is not whole, "" where it is."""
    fields: tuple[AnatomyField, ...]
    """Those of the header and then of the trailer."""


class AnatomyStored(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """Stored bytes: units + rest = size."""

    size: int
    """Bytes."""
    compression: Compression
    count: int
    """Count of gzip members or zstd frames, of which the first hundred stand in `units`; 0 where there are none."""
    heads: int
    """Bytes of all their headers."""
    streams: int
    """Compressed bytes of all of them."""
    trailers: int
    """Bytes of all their trailers."""
    rest: int
    """Bytes that belong to none of them: all, where nothing is compressed or nobody tells parts of it apart."""
    units: tuple[AnatomyUnit, ...]


class AnatomyLayer(LayerHead, frozen=True, kw_only=True):
    """One layer: its stored bytes, and the tar that they unpack to; both null where it is not here or no tar."""

    stored: AnatomyStored | None
    tar: TarAccount | None


class AnatomyResult(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """Result of `imagepeel anatomy`.

    `of` is what was asked for: the archive, a layer, an entry of a layer, or a member of the archive.  Of the archive,
    `parts` are its members and `layers` all layers; of a layer, its entries and itself; of an entry or a member, itself
    alone, with the `fields` of its header and of the opening bytes of its content (`content`).
    """

    image: ImageHead
    of: Literal["archive", "layer", "entry", "member"]
    name: str
    """`L3`, the path of an entry or the name of a member; "" for the archive."""
    file_size: int | None
    """Bytes of the file; null for a directory and for a stream."""
    wrapping: tuple[Compression, ...]
    """Compression around the whole archive, outermost first."""
    tar: TarAccount | None
    """The archive's own tar, or that of the layer; null for a directory, an entry and a member."""
    parts: tuple[AnatomyPart, ...]
    layers: tuple[AnatomyLayer, ...]
    fields: tuple[AnatomyField, ...] = ()
    """Those of the header blocks; offsets count from the first of them."""
    content_kind: ContentKind = ""
    content: tuple[AnatomyField, ...] = ()
    """Those of the content; offsets count from its start."""
    digest: str = ""
    """SHA-256 of the content of a JSON document; "" for anything else."""
    digest_proof: Receipt | None = None
    """The command that prints it."""
    named: tuple[AnatomyNaming, ...] = ()
    """Which documents name it by a digest."""
    stored: AnatomyStored | None = None
    """The file as it lies there, where compression is around the archive; null where there is none."""
    proof: Receipt | None = None
    """The command that shows the size of the archive or of the layer, or the bytes of the header."""


def anatomy_of_archive(image: LayeredImage) -> AnatomyResult:
    """Return every byte of an archive and of the layers of one image.

    `parts` are the members in order, of a directory its files; layers come base first.  LimitExceeded on bombs.
    """
    archive = image.archive
    receipts = Receipts(archive, image)
    tar = tar_of(archive.members)
    wrapped = archive.file if archive.wrapping else None
    members = [] if tar is None else [(member_part(tar, member), member.raw_name) for member in tar]
    return AnatomyResult(
        image=image_head(image),
        of="archive",
        name="",
        file_size=archive.file_size,
        wrapping=archive.wrapping,
        tar=_account_of(tar, (part for part, _ in members)) if tar is not None else None,
        parts=tuple(_part(*one) for one in members) if tar is not None else tuple(_files(archive)),
        layers=tuple(_layer(layer, receipts) for layer in image.layers),
        stored=_stored(wrapped, archive.wrapping[0], receipts.file_stream()) if wrapped is not None else None,
        proof=receipts.archive_size(archive.file_size) if archive.file_size is not None else None,
    )


def anatomy_of_layer(image: LayeredImage, layer: Layer) -> AnatomyResult:
    """Return every byte of one layer; its entries in stream order.  MissingBlob when its bytes are not here."""
    layer.require()
    receipts = Receipts(image.archive, image)
    found = _layer(layer, receipts)
    stream = receipts.content(layer)
    return AnatomyResult(
        image=image_head(image),
        of="layer",
        name=layer.label,
        file_size=None,
        wrapping=(),
        tar=found.tar,
        parts=tuple(
            _part(part, entry.raw_name)
            for part, entry in zip(table_parts(layer.table, layer.content_size), layer.table, strict=True)
        ),
        layers=(found,),
        proof=receipts.size(stream, layer.content_size) if stream is not None else None,
    )


def anatomy_of_entry(image: LayeredImage, layer: Layer, entry: Entry) -> AnatomyResult:
    """Return the header of one entry of a layer byte by byte, and the opening bytes of its content."""
    part = table_part(layer.table, entry.index, layer.content_size)
    header = EntryHeader(part.offset, layer.content.pread(part.offset, part.headers))
    receipts = Receipts(image.archive, image)
    stream = receipts.content(layer)
    kind, fields = content_fields(layer.open(entry).pread if entry.kind == "file" else None)
    return AnatomyResult(
        image=image_head(image),
        of="entry",
        name=f"{layer.label}:{text(entry.path)}",
        file_size=None,
        wrapping=(),
        tar=None,
        parts=(_part(part, entry.raw_name),),
        layers=(),
        fields=_fields(header.fields, stream, part.offset),
        content_kind=kind,
        content=_fields(fields, receipts.entry(layer, entry.index)),
        proof=receipts.header_bytes(stream, part.offset, header.data) if stream is not None else None,
    )


def anatomy_of_member(image: LayeredImage, name: str) -> AnatomyResult:
    """Return the header of one member of the archive byte by byte.

    NotFound when there is none of that name, and for a directory, whose files have no headers.
    """
    members = image.archive.members
    tar = tar_of(members)
    if tar is None:
        raise NotFound("the files of a directory have no headers", hint="a layer has: imagepeel anatomy DIRECTORY L1")
    member = tar.get(name)
    if member is None:
        raise NotFound(
            f"the archive has no member {name}",
            Location(member=name),
            "imagepeel anatomy ARCHIVE lists them; an entry of a layer is L1:PATH",
        )
    part = member_part(tar, member)
    header = EntryHeader(part.offset, tar.archive.pread(part.offset, part.headers))
    receipts = Receipts(image.archive, image)
    source, content = tar.source(member) if member.kind == "file" else None, receipts.member(member, members)
    kind, fields = content_fields(source.pread if source is not None else None)
    digest = ""
    if source is not None and not fields and (document := _json(source, members.limits)) is not None:
        kind, (fields, digest) = "JSON", document
    checks = [check for check in image.archive.checks if check.member == member.name and digest]
    return AnatomyResult(
        image=image_head(image),
        of="member",
        name=member.name,
        file_size=None,
        wrapping=(),
        tar=None,
        parts=(_part(part, member.raw_name),),
        layers=(),
        fields=_fields(header.fields, receipts.tar_stream(), part.offset),
        content_kind=kind,
        content=_fields(fields, content),
        digest=digest,
        named=tuple(dict.fromkeys(map(_naming, checks))),
        digest_proof=receipts.digest(content, digest, "the digest of the content") if digest else None,
        proof=receipts.header_bytes(receipts.tar_stream(), part.offset, header.data),
    )


def _json(source: Source, limits: Limits) -> tuple[tuple[Field, ...], str] | None:
    """Return the fields of a JSON document and the digest of its bytes, None for anything else."""
    if source.size > limits.json_bytes:
        return None
    data = source.pread(0, source.size)
    fields = json_fields(data, limits)
    return (fields, digest_of(data)) if fields else None


def _naming(check: DocumentCheck) -> AnatomyNaming:
    return AnatomyNaming(role=check.role, where=check.stated_at, digest=check.digest, state=check.state)


def tar_of(members: Members) -> TarMembers | None:
    """Return the tar that the members of an archive lie in, None for a directory."""
    while isinstance(members, SubdirectoryMembers):
        members = members.base
    return members if isinstance(members, TarMembers) else None


def _account_of(tar: TarMembers, parts: Iterable[Part]) -> TarAccount:
    return account(parts, tar.archive.size, tar.archive.pread, whole=tar.complete)


def _layer(layer: Layer, receipts: Receipts) -> AnatomyLayer:
    source = layer.record.source() if layer.readable else None
    facts = layer.facts
    return AnatomyLayer(
        **layer_head(layer),
        stored=_stored(source, facts.compression, receipts.blob(layer))
        if source is not None and facts is not None
        else None,
        tar=account(
            table_parts(facts.table, facts.content_size),
            facts.content_size,
            layer.content.pread,
            whole=facts.error is None,
        )
        if facts is not None
        else None,
    )


def _stored(source: Source, compression: Compression, stream: Stream | None) -> AnatomyStored:
    count = heads = streams = trailers = 0
    told: list[AnatomyUnit] = []
    for unit in units_of(source, compression):
        count += 1
        heads += unit.head
        streams += unit.stream
        trailers += unit.trailer
        if count <= MOST_UNITS:
            told.append(_unit(unit, stream))
    return AnatomyStored(
        size=source.size,
        compression=compression,
        count=count,
        heads=heads,
        streams=streams,
        trailers=trailers,
        rest=source.size - heads - streams - trailers,
        units=tuple(told),
    )


def _unit(unit: Unit, stream: Stream | None) -> AnatomyUnit:
    return AnatomyUnit(
        what=unit.what,
        offset=unit.offset,
        head=unit.head,
        stream=unit.stream,
        trailer=unit.trailer,
        content=unit.content,
        problem=unit.problem,
        fields=_fields(unit.fields, stream),
    )


def _part(part: Part, raw_name: bytes) -> AnatomyPart:
    name, name_b64 = readable(raw_name)
    return AnatomyPart(
        index=part.number,
        offset=part.offset,
        headers=part.headers,
        content=part.content,
        padding=part.padding,
        name=name,
        name_b64=name_b64,
    )


def _files(archive: OpenArchive) -> Iterable[AnatomyPart]:
    for member in archive.members:
        yield _file(member)


def _file(member: Member) -> AnatomyPart:
    name, name_b64 = readable(member.raw_name or member.name.encode("utf-8", "surrogateescape"))
    size = member.size if member.kind == "file" else 0
    return AnatomyPart(index=member.index, offset=0, headers=0, content=size, padding=0, name=name, name_b64=name_b64)


def _fields(fields: Iterable[Field], stream: Stream | None, base: int = 0) -> tuple[AnatomyField, ...]:
    """Return fields whose structure begins at `base` of a stream, None where no command gives that."""
    return tuple(_field(field, stream, base) for field in fields)


def _field(field: Field, stream: Stream | None, base: int) -> AnatomyField:
    value = readable(field.value.encode("utf-8", "surrogateescape"))[0]
    written = text(field.data)
    shown = masked(value)
    plain = shown == value and masked(written) == written
    return AnatomyField(
        offset=field.offset,
        size=field.size,
        name=readable(field.name.encode("utf-8", "surrogateescape"))[0],
        value=shown,
        meaning=field.meaning,
        hex=field.data.hex() if plain else "",
        proof=field_bytes(stream, base + field.offset, field.data, field.name, shown=plain)
        if stream and field.data
        else None,
    )
