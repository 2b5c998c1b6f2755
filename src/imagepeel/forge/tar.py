"""Entries to tar bytes, with every field under control.

The layouts are those of POSIX.1-2017 pax ("ustar Interchange Format", "pax Extended Header") and of the GNU tar manual
("Basic Tar Format", "Storing Sparse Files").  Written only for making test and teaching images, so it shares
no code with the reader: what the reader says about these bytes is then a test and no echo.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import get_args

import msgspec

from imagepeel._display import Shown
from imagepeel.errors import UsageError
from imagepeel.evidence import Location, text
from imagepeel.forge.entry import TYPEFLAGS, Entry, Records, SparseForm, TarForm

BLOCK = 512

FIELDS = {
    "name": (0, 100),
    "mode": (100, 8),
    "uid": (108, 8),
    "gid": (116, 8),
    "size": (124, 12),
    "mtime": (136, 12),
    "chksum": (148, 8),
    "typeflag": (156, 1),
    "linkname": (157, 100),
    "magic": (257, 6),
    "version": (263, 2),
    "uname": (265, 32),
    "gname": (297, 32),
    "devmajor": (329, 8),
    "devminor": (337, 8),
    "prefix": (345, 155),
    "gnu_sparse": (386, 96),
    "gnu_isextended": (482, 1),
    "gnu_realsize": (483, 12),
}
"""Byte offset and length of each header field."""

FORMS: tuple[TarForm, ...] = get_args(TarForm)
SPARSE_FORMS: tuple[SparseForm, ...] = get_args(SparseForm)
_MAGIC = {"ustar": b"ustar\x0000", "pax": b"ustar\x0000", "gnu": b"ustar  \x00", "v7": b""}


class Span(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """Where an entry stands in the tar, in bytes from its start.

    `start` is the first of its headers (PAX or GNU long name included), `header` the block with the typeflag,
    `data` the first data byte, `end` the byte after the padding.
    """

    start: int
    header: int
    data: int
    end: int


def padding(count: int) -> bytes:
    """The zeros that fill `count` bytes up to a whole block."""
    return b"\0" * (-count % BLOCK)


def pax_body(records: Records) -> bytes:
    """The body of a PAX header: `<length> <key>=<value>\\n` a record, where the length counts its own digits.

    Source: POSIX.1-2017 pax, "pax Extended Header".
    """
    out = bytearray()
    for key, value in records:
        rest = b" " + key + b"=" + value + b"\n"
        length = len(rest)
        while length != len(rest) + len(str(length)):
            length = len(rest) + len(str(length))
        out += str(length).encode() + rest
    return bytes(out)


def checksum(block: bytes) -> int:
    """Sum of the header's bytes with the checksum field taken as spaces."""
    return sum(block[:148]) + 8 * 32 + sum(block[156:BLOCK])


def number(value: int, width: int, form: TarForm) -> bytes:
    """A numeric field: octal digits and a NUL, or base-256 in the GNU form when that does not fit.

    Raises `UsageError` when the form has no way to write the value.
    """
    if 0 <= value < 8 ** (width - 1):
        return b"%0*o\0" % (width - 1, value)
    if form != "gnu":
        raise UsageError(f"{value} does not fit a {width}-byte octal field of the {form} form")
    if not -(256 ** (width - 1)) <= value < 256 ** (width - 1) // 2:
        raise UsageError(f"{value} does not fit a {width}-byte base-256 field")
    body = bytearray((value % 256**width).to_bytes(width, "big"))
    body[0] |= 0x80
    return bytes(body)


def header(
    *,
    name: bytes = b"",
    mode: int = 0o644,
    uid: int = 0,
    gid: int = 0,
    size: int = 0,
    mtime: int = 0,
    typeflag: bytes = b"0",
    linkname: bytes = b"",
    uname: bytes = b"",
    gname: bytes = b"",
    device: tuple[int, int] = (0, 0),
    prefix: bytes = b"",
    form: TarForm = "ustar",
    fields: Records = (),
) -> bytes:
    """One 512-byte header block with a right checksum, unless `fields` names `chksum`.

    `size` is bytes, `mtime` seconds since 1970, `device` (major, minor); `prefix` stands before `name` and a slash;
    `fields` puts bytes into header fields by their name, last.  `UsageError` for an unknown field, for bytes longer
    than their field and for numbers that `form` cannot hold.  Source: POSIX.1-2017 pax, "ustar Interchange Format".
    """
    block = bytearray(BLOCK)

    def put(field: str, value: bytes) -> None:
        if field not in FIELDS:
            raise UsageError(f"no tar header field is called {field!r}", hint="known fields: " + ", ".join(FIELDS))
        offset, length = FIELDS[field]
        if len(value) > length:
            raise UsageError(f"{len(value)} bytes do not fit the {length}-byte tar field {field}")
        block[offset : offset + length] = value.ljust(length, b"\0")

    put("name", name)
    put("mode", number(mode, 8, form))
    put("uid", number(uid, 8, form))
    put("gid", number(gid, 8, form))
    put("size", number(size, 12, form))
    put("mtime", number(mtime, 12, form))
    put("typeflag", typeflag)
    put("linkname", linkname)
    if form != "v7":
        magic = _MAGIC[form]
        put("magic", magic[:6])
        put("version", magic[6:])
        put("uname", uname)
        put("gname", gname)
        put("devmajor", number(device[0], 8, form))
        put("devminor", number(device[1], 8, form))
        if prefix:
            put("prefix", prefix)
    for field, value in fields:
        put(text(field), value)
    if not any(field == b"chksum" for field, _ in fields):
        put("chksum", b"%06o\0 " % checksum(bytes(block)))
    return bytes(block)


def split_name(name: bytes) -> tuple[bytes, bytes] | None:
    """(prefix, name) of the ustar form, or None when no slash splits the path so that both parts fit."""
    if len(name) <= 100:
        return b"", name
    at = name.rfind(b"/", 0, 156)
    while at > 0:
        if len(name) - at - 1 > 100:
            return None
        if at <= 155 and at + 1 < len(name):
            return name[:at], name[at + 1 :]
        at = name.rfind(b"/", 0, at)
    return None


def encode_entry(entry: Entry) -> bytes:
    """All blocks of one entry: extension headers, header, data, padding.

    Raises `UsageError` for an unknown kind or form and for values that the chosen form cannot hold.
    """
    extensions, _, _, body = _parts(entry)
    return extensions + body


def encode(entries: Iterable[Entry], *, end_blocks: int = 2, trailing: bytes = b"", blocking: int = 1) -> bytes:
    """A whole tar: the entries in order, `end_blocks` zero blocks, zeros up to a multiple of `blocking`, `trailing`.

    Blocks have 512 bytes; POSIX wants two at the end, GNU tar fills up to 20.  Raises `UsageError` like `encode_entry`,
    with the entry's number (0-based) and path.
    """
    out = bytearray()
    for index, entry in enumerate(entries):
        try:
            out += encode_entry(entry)
        except UsageError as error:
            raise UsageError(error.what, Location(entry=index, path=text(entry.path) or None), error.hint) from None
    out += b"\0" * (BLOCK * end_blocks)
    if blocking > 1:
        out += b"\0" * (-len(out) % (BLOCK * blocking))
    return bytes(out) + trailing


def spans(entries: Iterable[Entry]) -> list[Span]:
    """Where each entry stands in `encode(entries)`, in the same order.  Raises `UsageError` like `encode_entry`."""
    out: list[Span] = []
    position = 0
    for entry in entries:
        extensions, header_size, _, body = _parts(entry)
        head = position + len(extensions)
        end = head + len(body)
        out.append(Span(start=position, header=head, data=head + header_size, end=end))
        position = end
    return out


def _parts(entry: Entry) -> tuple[bytes, int, int, bytes]:
    """(extension blocks, bytes of the header, bytes of data, header + data + padding)."""
    if entry.kind == "raw":
        tail = padding(len(entry.header) + len(entry.data)) if entry.pad else b""
        return b"", len(entry.header), len(entry.data), entry.header + entry.data + tail
    if entry.kind not in TYPEFLAGS:
        raise UsageError(f"no entry kind is called {entry.kind!r}", hint="known kinds: raw, " + ", ".join(TYPEFLAGS))
    if entry.form not in FORMS:
        raise UsageError(f"no tar form is called {entry.form!r}", hint="known forms: " + ", ".join(FORMS))
    if entry.kind == "pax-global":
        entry = msgspec.structs.replace(entry, data=pax_body(entry.pax), pax=(), form="ustar")
    if entry.kind == "sparse":
        return _sparse(entry)
    return _plain(entry, entry.data, len(entry.data) if entry.size is None else entry.size)


def _plain(entry: Entry, data: bytes, size: int, name: bytes | None = None) -> tuple[bytes, int, int, bytes]:
    name = entry.path if name is None else name
    if entry.kind == "dir" and not name.endswith(b"/"):
        name += b"/"
    form = entry.form if entry.form != "auto" else _form(entry, name, size)
    seconds, nanos = entry.mtime if isinstance(entry.mtime, tuple) else (entry.mtime, 0)
    typeflag = TYPEFLAGS[entry.kind] if entry.typeflag is None else entry.typeflag
    if form == "v7" and entry.kind == "file" and entry.typeflag is None:
        typeflag = b"\0"
    prefix, extensions, link = b"", b"", entry.target
    mode, uid, gid, device = entry.mode, entry.uid, entry.gid, entry.device
    if form == "gnu":
        for flag, value in ((b"K", link), (b"L", name)):
            if len(value) > 100:
                body = value + b"\0"
                extensions += (
                    header(name=b"././@LongLink", size=len(body), typeflag=flag, mode=0, form="gnu")
                    + body
                    + padding(len(body))
                )
        name, link = name[:100], link[:100]
    elif form == "pax":
        records = _records(entry, name, size, seconds, nanos)
        short = (split_name(name) or (b"", name[:100])) if _ascii(name) else (b"", _asciify(name)[:100])
        extensions = _pax_header(name, records, max(seconds, 0))
        prefix, name = short
        link = (link if _ascii(link) else _asciify(link))[:100]
        size, seconds = _octal(size, 12), _octal(seconds, 12)
        uid, gid, mode = _octal(uid, 8), _octal(gid, 8), mode
    else:
        found = split_name(name) if form == "ustar" else (b"", name)
        if found is None:
            raise UsageError(f"the {len(name)}-byte path fits no ustar name and prefix")
        prefix, name = found
        if entry.xattrs or entry.pax or nanos:
            raise UsageError(f"the {form} form has no extended attributes, PAX records or nanoseconds")
    head = header(
        name=name,
        mode=mode,
        uid=uid,
        gid=gid,
        size=size,
        mtime=seconds,
        typeflag=typeflag,
        linkname=link,
        uname=entry.uname,
        gname=entry.gname,
        device=device,
        prefix=prefix,
        form=form,
        fields=entry.fields,
    )
    return extensions, BLOCK, len(data), head + data + (padding(len(data)) if entry.pad else b"")


def _form(entry: Entry, name: bytes, size: int) -> TarForm:
    """The plainest form that can hold the entry: ustar, else pax; gnu for names that are not UTF-8."""
    seconds, nanos = entry.mtime if isinstance(entry.mtime, tuple) else (entry.mtime, 0)
    wide = not 0 <= seconds < 8**11 or not 0 <= size < 8**11 or not 0 <= entry.uid < 8**7 or not 0 <= entry.gid < 8**7
    extended = bool(entry.xattrs or entry.pax or nanos)
    long = split_name(name) is None or len(entry.target) > 100
    if not _utf8(name + entry.target) and not extended:
        return "gnu"
    odd = not _ascii(name) or not _ascii(entry.target)
    return "pax" if extended or wide or long or odd else "ustar"


def _records(entry: Entry, name: bytes, size: int, seconds: int, nanos: int) -> Records:
    """The PAX records an entry needs (all of path, size and mtime when the pax form was asked for)."""
    given = {key for key, _ in entry.pax}
    needed: list[tuple[bytes, bytes]] = []
    forced = entry.form == "pax"

    def need(key: bytes, value: bytes, when: bool) -> None:
        if when and key not in given:
            needed.append((key, value))

    need(b"path", name, forced or split_name(name) is None or not _ascii(name))
    need(b"linkpath", entry.target, len(entry.target) > 100 or not _ascii(entry.target))
    need(b"size", b"%d" % size, not 0 <= size < 8**11)
    need(b"uid", b"%d" % entry.uid, not 0 <= entry.uid < 8**7)
    need(b"gid", b"%d" % entry.gid, not 0 <= entry.gid < 8**7)
    need(b"mtime", _decimal(seconds, nanos), forced or bool(nanos) or not 0 <= seconds < 8**11)
    needed += [(b"SCHILY.xattr." + key, value) for key, value in entry.xattrs]
    return (*needed, *entry.pax)


def _decimal(seconds: int, nanos: int) -> bytes:
    """Seconds since 1970 as PAX writes them: -1.5 s is (-2 s, 500,000,000 ns)."""
    total = seconds * 10**9 + nanos
    sign, total = ("-", -total) if total < 0 else ("", total)
    whole, fraction = divmod(total, 10**9)
    return (f"{sign}{whole}" + (f".{fraction:09d}".rstrip("0") if fraction else "")).encode()


def _pax_header(name: bytes, records: Records, mtime: int) -> bytes:
    body = pax_body(records)
    parent, _, base = name.rstrip(b"/").rpartition(b"/")
    own = _asciify((parent + b"/" if parent else b"") + b"PaxHeaders.0/" + base)[:100].rstrip(b"/")
    head = header(name=own, size=len(body), typeflag=b"x", mtime=_octal(mtime, 12))
    return head + body + padding(len(body))


def _sparse(entry: Entry) -> tuple[bytes, int, int, bytes]:
    """A sparse file in one of four encodings (GNU tar manual, "Storing Sparse Files")."""
    if entry.sparse_form not in SPARSE_FORMS:
        known = ", ".join(SPARSE_FORMS)
        raise UsageError(f"no sparse form is called {entry.sparse_form!r}", hint=f"known forms: {known}")
    logical = entry.size or 0
    data = b"".join(chunk for _, chunk in entry.segments)
    regions = [(offset, len(chunk)) for offset, chunk in entry.segments]
    if not regions or sum(regions[-1]) < logical:
        regions.append((logical, 0))
    plain = msgspec.structs.replace(entry, kind="file", size=None)
    if entry.sparse_form == "gnu":
        return _gnu_sparse(plain, data, regions, logical)
    parent, _, base = entry.path.rpartition(b"/")
    stand_in = (parent + b"/" if parent else b"") + b"GNUSparseFile.0/" + base
    numbers = [b"%d" % value for region in regions for value in region]
    if entry.sparse_form == "pax-0.0":
        records = [(b"GNU.sparse.size", b"%d" % logical), (b"GNU.sparse.numblocks", b"%d" % len(regions))]
        for offset, length in regions:
            records += [(b"GNU.sparse.offset", b"%d" % offset), (b"GNU.sparse.numbytes", b"%d" % length)]
        stand_in = entry.path
    elif entry.sparse_form == "pax-0.1":
        records = [
            (b"GNU.sparse.size", b"%d" % logical),
            (b"GNU.sparse.numblocks", b"%d" % len(regions)),
            (b"GNU.sparse.name", entry.path),
            (b"GNU.sparse.map", b",".join(numbers)),
        ]
    else:
        records = [
            (b"GNU.sparse.major", b"1"),
            (b"GNU.sparse.minor", b"0"),
            (b"GNU.sparse.name", entry.path),
            (b"GNU.sparse.realsize", b"%d" % logical),
        ]
        head = b"".join(value + b"\n" for value in [b"%d" % len(regions), *numbers])
        data = head + padding(len(head)) + data
    plain = msgspec.structs.replace(plain, pax=(*entry.pax, *records))
    return _plain(plain, data, len(data), stand_in)


def _gnu_sparse(
    entry: Entry, data: bytes, regions: list[tuple[int, int]], logical: int
) -> tuple[bytes, int, int, bytes]:
    words = [number(offset, 12, "gnu") + number(length, 12, "gnu") for offset, length in regions]
    first, rest = words[:4], words[4:]
    fields: Records = (
        (b"gnu_sparse", b"".join(first)),
        (b"gnu_isextended", b"\1" if rest else b"\0"),
        (b"gnu_realsize", number(logical, 12, "gnu")),
    )
    plain = msgspec.structs.replace(entry, form="gnu", typeflag=b"S", fields=(*fields, *entry.fields))
    extensions, size, count, body = _plain(plain, data, len(data))
    more = b""
    while rest:
        block, rest = rest[:21], rest[21:]
        more += b"".join(block).ljust(504, b"\0") + (b"\1" if rest else b"\0") + b"\0" * 7
    return extensions, size + len(more), count, body[:BLOCK] + more + body[BLOCK:]


def _ascii(name: bytes) -> bool:
    return all(0 < byte < 128 for byte in name)


def _utf8(name: bytes) -> bool:
    try:
        name.decode()
    except UnicodeDecodeError:
        return False
    return True


def _asciify(name: bytes) -> bytes:
    return bytes(byte if 0 < byte < 128 else ord("_") for byte in name)


def _octal(value: int, width: int) -> int:
    """The value when its octal form fits the field, else 0: PAX carries the truth."""
    return value if 0 <= value < 8 ** (width - 1) else 0
