"""Records ordinary entries that stand one behind the other: plain headers of files, directories and links.

A PAX header before one may give it other times, another name or another target.  Nearly all entries of nearly all
layers are such, so this loop is what a listing costs.  What a header repeats from the
one before it is not read again, the columns are written a row of entries at a time, and whatever is not plain is left
to the full rules of the scanner, which give the same for a plain one.
"""

from __future__ import annotations

from hashlib import sha256
from struct import Struct

import msgspec

from imagepeel.formats.tar.builder import LONG_NAME, NO_EXTENSION, Row, TableBuilder
from imagepeel.formats.tar.header import BLOCK, HARDLINK, PAX, REGULAR, SYMLINK, NotPlain
from imagepeel.formats.tar.reader import HeaderReader
from imagepeel.formats.tar.table import TRAILING, UNHASHED, WHITEOUT
from imagepeel.formats.tar.whiteouts import PREFIX

try:
    # The same checksums at several times the speed; the results are identical by definition.
    from zlib_ng.zlib_ng import adler32, crc32
except ImportError:
    from zlib import adler32, crc32

_split = Struct("100s24s12s12s8s1s100s255s").unpack
_LINKS = frozenset((SYMLINK, HARDLINK))


def take_plain(reader: HeaderReader, builder: TableBuilder, piece: bytes, at: int, base: int) -> int:
    """Record the plain entries from `at` of a piece whose first byte is at `base` of the stream; return where they end.

    That is at the first header of an entry that is not plain, or near `Limits.entries`.  An entry whose content or
    padding goes on past the piece is recorded with the checksum of what is here, unless digests are taken.
    """
    if builder.room * BLOCK < len(piece):
        return at
    row = Row([], [], [], [], [], [], [], [], [], {})
    offsets, sizes, mtimes, metas, places, names, flag_bits, crcs, digests, extended = msgspec.structs.astuple(row)
    links, count, hashing = builder.table.links, len(builder.table), builder.table.digests is not None
    view, last, sums = memoryview(piece), len(piece) - BLOCK, reader.sums
    size = mtime = 0
    size_before = time_before = kind_before = ids_before = rest_before = b""
    directory_before = None
    first, more = -1, NO_EXTENSION
    try:
        while at <= last:
            block = piece[at : at + BLOCK]
            name, ids, size_field, time_field, checksum, kind, link, rest = _split(block)
            if sums.get(checksum) != adler32(block) & 0xFFFF or not block.isascii():
                reader.prove(block)
            if size_field != size_before:
                size, size_before = reader.number(size_field), size_field
            if time_field != time_before:
                mtime, time_before = reader.number(time_field), time_field
            if kind != kind_before or ids != ids_before or rest != rest_before:
                if kind == PAX and first < 0:
                    more = extended[len(offsets)] = reader.extension(block, piece, at + BLOCK, size, builder)
                    first, at = at, at + more.blocks * BLOCK
                    continue
                meta, prefix = reader.shared(block, builder)
                kind_before, ids_before, rest_before = kind, ids, rest
            name = more.name or prefix + name.partition(b"\0")[0]
            directory, _, basename = name.rpartition(b"/")
            flags = UNHASHED
            if not basename:
                flags |= TRAILING
                directory, _, basename = directory.rpartition(b"/")
            if directory != directory_before:
                place, form = builder.place(directory)
                directory_before = directory
            if len(basename) < 3 or not directory or len(name) > LONG_NAME:
                _refuse_odd(name, directory, basename)
            flags |= WHITEOUT if basename.startswith(PREFIX) else 0
            crc, after = 0, at + BLOCK
            if size:
                after += size + -size % BLOCK
                if kind != REGULAR or (hashing and after > last + BLOCK):
                    break
                content = view[at + BLOCK : at + BLOCK + size]
                crc = crc32(content)
                flags ^= UNHASHED
                digests += (sha256(content).digest(),) if hashing else ()
            elif kind in _LINKS:
                links[count + len(offsets)] = more.link or link.partition(b"\0")[0]
            offsets.append(base + (at if first < 0 else first))
            sizes.append(size)
            mtimes.append(mtime if more.mtime is None else more.mtime)
            metas.append(meta)
            places.append(place)
            names.append(basename)
            flag_bits.append(flags | form)
            crcs.append(crc)
            first, more, at = -1, NO_EXTENSION, after
    except NotPlain:
        # The scanner's full rules take it.
        pass
    builder.extend(row)
    return at if first < 0 else first


def _refuse_odd(name: bytes, directory: bytes, basename: bytes) -> None:
    """NotPlain for a name that its directory and basename do not give back, and for one that counts as long."""
    if basename in (b"", b".", b"..") or (not directory and name.startswith(b"/")) or len(name) > LONG_NAME:
        raise NotPlain
