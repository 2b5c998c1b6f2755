"""What Go's decompressors and its tar reader say of bytes that are cut off, damaged, or followed by others.

Source: compress/gzip, compress/flate, compress/bzip2, ulikunze/xz and klauspost/compress/zstd; measured with the five
tools that read archives with them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from imagepeel.archive.compression import Compression
from imagepeel.formats.tar.header import BLOCK, INVALID_HEADER, UNEXPECTED_EOF
from imagepeel.loading.answer import NUMBER

if TYPE_CHECKING:
    from imagepeel.archive.opened import OpenArchive
    from imagepeel.layers.layer import Layer

_BEHIND = {
    Compression.GZIP: "gzip: invalid header",
    Compression.ZSTD: "invalid input: magic number mismatch",
    Compression.BZIP2: "bzip2 data invalid: bad magic value in continuation file",
    Compression.XZ: "xz: invalid header magic bytes",
}
"""What is said of bytes behind the last stream that are none."""
_HEADS: dict[str, int] = {Compression.GZIP: 10, Compression.XZ: 12}
"""Bytes of the head of a stream, of those readers that want it before they begin."""


class StreamFault(msgspec.Struct, frozen=True, kw_only=True):
    """Why stored bytes cannot be read to their end.

    `words` are those of the decompressor, or of the tar reader where the bytes are whole and the tar in them is not;
    `in_tar` says whether the tar breaks off with them; `in_head` whether the stream has no whole head.
    """

    words: str
    why: str
    in_tar: bool = False
    in_head: bool = False
    before_end: bool = False
    """Whether it is met before the tar has ended."""
    head_first: bool = False
    """Whether the head is read before the rest is handed on (gzip)."""
    packed: bool = False
    """Whether it is about compressed data."""


def of_layer(layer: Layer) -> StreamFault | None:
    """Return why the stored bytes of a layer cannot be read to their end; None where they can."""
    error, facts = layer.error, layer.facts
    if error is None:
        behind = next((note for note in layer.anomalies if note.code == "stream-tail"), None)
        if behind is None:
            return None
        return StreamFault(words=_behind(layer.compression), why=behind.message, packed=True)
    if error.code == "tar-damaged":
        words = INVALID_HEADER if error.message.startswith(INVALID_HEADER) else UNEXPECTED_EOF
        return StreamFault(words=words, why=error.message, in_tar=True)
    content = facts.content_size if facts is not None else 0
    return StreamFault(
        words=_words(layer.compression, error.message),
        why=error.message,
        in_tar=_breaks_off(layer, content),
        in_head=content == 0 and (layer.blob_size or 0) < _HEADS.get(str(layer.compression), 0),
        before_end="data check" not in error.message and "length check" not in error.message and content < _end(layer),
        head_first=layer.compression is Compression.GZIP,
        packed=True,
    )


def of_file(archive: OpenArchive) -> StreamFault | None:
    """Return why the whole archive cannot be read to its end; None where it can."""
    cut = archive.cut if archive.cut is not None and archive.cut.code == "outer-truncated" else None
    wrapping = archive.wrapping[0] if archive.wrapping else Compression.NONE
    if archive.stream_error:
        return StreamFault(
            words=_words(wrapping, archive.stream_error), why=f"the file: {archive.stream_error}",
            in_tar=cut is not None, packed=True,
        )  # fmt: skip
    if cut is not None:
        return StreamFault(words=UNEXPECTED_EOF, why=cut.message, in_tar=True)
    behind = next((note for note in archive.anomalies if note.code == "outer-trailing-data"), None)
    if behind is not None and archive.wrapping:
        return StreamFault(words=_behind(wrapping), why=behind.message, packed=True)
    return None


def _behind(kind: Compression | str) -> str:
    return next((words for known, words in _BEHIND.items() if known == kind), INVALID_HEADER)


def _words(kind: Compression | str, message: str) -> str:
    if "cut off" in message:
        return UNEXPECTED_EOF
    if kind is not Compression.GZIP:
        return _behind(kind)
    if "incorrect data check" in message or "incorrect length check" in message or "wrong" in message:
        return "gzip: invalid checksum"
    return "gzip: invalid header" if "not a gzip" in message else f"flate: corrupt input before offset {NUMBER}"


def _breaks_off(layer: Layer, content: int) -> bool:
    """Whether the tar in the bytes that could be read ends within a header or the content of an entry."""
    end = _end(layer) - 2 * BLOCK
    return content < end or (content % BLOCK != 0 and content < end + BLOCK)


def _end(layer: Layer) -> int:
    """Where the tar ends, by its last known entry and the blocks that end it."""
    table = layer.table
    if not len(table):
        return 2 * BLOCK
    at = table.header_offsets[-1] + table.header_blocks[-1] * BLOCK
    return at + -(-table.sizes[-1] // BLOCK) * BLOCK + 2 * BLOCK
