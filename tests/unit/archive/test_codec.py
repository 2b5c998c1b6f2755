"""Decompression: members, frames and seams; the standard tools made the inputs."""

from __future__ import annotations

import bz2
import gzip
import lzma
import random
import shutil
import subprocess

import pytest
import zstandard

from imagepeel.archive.codec import PIECE, CodecError, GzipDecoder, ZstdDecoder, decompress_to_spool, make_decoder
from imagepeel.archive.compression import sniff_compression
from imagepeel.archive.source import MemorySource
from imagepeel.errors import LimitExceeded
from imagepeel.limits import Limits

_random = random.Random(7)
PAYLOAD = b"".join(bytes([_random.randrange(256)]) * _random.randrange(1, 3000) for _ in range(1500))
PAYLOAD += _random.randbytes(200_000)
SKIP = b"\x5a\x2a\x4d\x18" + (6).to_bytes(4, "little") + b"hidden"
_zstd = zstandard.ZstdCompressor(level=3, write_checksum=True)
_plain_zstd = zstandard.ZstdCompressor(level=1, write_content_size=False)
HALF = len(PAYLOAD) // 2

STREAMS = {
    "gzip": gzip.compress(PAYLOAD),
    "gzip of three members, one empty": gzip.compress(PAYLOAD[:9]) + gzip.compress(b"") + gzip.compress(PAYLOAD[9:]),
    "zstd": _zstd.compress(PAYLOAD),
    "zstd without sizes": _plain_zstd.compress(PAYLOAD),
    "zstd of frames with skippable ones": b"".join(
        (SKIP, _zstd.compress(PAYLOAD[:HALF]), SKIP, _plain_zstd.compress(PAYLOAD[HALF:]), SKIP)
    ),
    "bzip2": bz2.compress(PAYLOAD),
    "bzip2 of two streams": bz2.compress(PAYLOAD[:HALF]) + bz2.compress(PAYLOAD[HALF:]),
    "xz": lzma.compress(PAYLOAD),
    "xz of two streams with padding": lzma.compress(PAYLOAD[:HALF]) + bytes(8) + lzma.compress(PAYLOAD[HALF:]),
}  # fmt: skip


def decode(data: bytes, step: int, kind: str = "") -> bytes:
    decoder = make_decoder(kind or sniff_compression(data))
    pieces = []
    for at in range(0, len(data), step):
        for piece in decoder.feed(data[at : at + step]):
            assert len(piece) <= PIECE
            pieces.append(piece)
    decoder.finish()
    assert decoder.stored == len(data)
    assert decoder.content == sum(map(len, pieces))
    return b"".join(pieces)


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("step", (1 << 30, 65536, 4096, 97))
def test_content_does_not_depend_on_the_pieces(name: str, step: int) -> None:
    assert decode(STREAMS[name], step) == PAYLOAD


@pytest.mark.parametrize("name", STREAMS)
def test_every_cut_is_noticed(name: str) -> None:
    data = STREAMS[name]
    whole = {len(gzip.compress(PAYLOAD[:9])), len(gzip.compress(PAYLOAD[:9]) + gzip.compress(b""))}
    for cut in (1, 7, len(data) // 3, len(data) // 2, len(data) - 9, len(data) - 1):
        if cut in whole and name.startswith("gzip of"):
            continue
        with pytest.raises(CodecError) as caught:
            decode(data[:cut], 1000, sniff_compression(data))
        assert caught.value.offset <= cut


@pytest.mark.parametrize("name", ("gzip", "zstd", "bzip2", "xz"))
def test_a_flipped_bit_is_noticed(name: str) -> None:
    data = bytearray(STREAMS[name])
    data[len(data) // 2] ^= 0x10
    with pytest.raises(CodecError):
        decode(bytes(data), 4096)


def test_bytes_after_gzip_are_counted_and_not_content() -> None:
    for tail in (bytes(100), b"garbage"):
        decoder = GzipDecoder()
        assert b"".join(decoder.feed(STREAMS["gzip"] + tail)) == PAYLOAD
        decoder.finish()
        assert decoder.trailing == len(tail)
        assert decoder.trailing_offset == len(STREAMS["gzip"])


def test_bytes_after_zstd_are_an_error_as_for_go() -> None:
    with pytest.raises(CodecError):
        decode(STREAMS["zstd"] + b"garbage!", 4096)


def test_a_checkpoint_resumes_where_it_was_taken() -> None:
    decoder = GzipDecoder()
    data = STREAMS["gzip"]
    head = b"".join(decoder.feed(data[:60_000]))
    point = decoder.checkpoint()
    assert point is not None and point.stored == 60_000 and point.content == len(head)
    for _ in range(2):  # a checkpoint is not used up
        resumed = GzipDecoder(point)
        assert head + b"".join(resumed.feed(data[60_000:])) == PAYLOAD
        resumed.finish()


def test_frame_starts_are_access_points() -> None:
    frames = [_zstd.compress(_random.randbytes(PIECE)) for _ in range(3)]
    decoder = ZstdDecoder()
    content = b"".join(decoder.feed(b"".join(frames)))
    assert [point.content for point in decoder.unit_starts] == [0, PIECE, 2 * PIECE]
    last = decoder.unit_starts[-1]
    assert b"".join(ZstdDecoder(resume=last).feed(b"".join(frames)[last.stored :])) == content[2 * PIECE :]


def test_a_large_zstd_window_is_refused() -> None:
    tool = shutil.which("zstd")
    if tool is None:
        pytest.skip("zstd is not installed")
    data = subprocess.run([tool, "-q", "--long=28", "-c"], input=bytes(1 << 20), capture_output=True, check=True).stdout
    with pytest.raises(LimitExceeded):
        make_decoder("zstd", Limits(zstd_window_bytes=1 << 16))
        list(ZstdDecoder(Limits(zstd_window_bytes=1 << 10)).feed(data))


@pytest.mark.parametrize("kind", ("gzip", "zstd", "bzip2", "xz"))
def test_a_bomb_stops_at_the_ratio(kind: str) -> None:
    zeros = bytes(64 << 20)
    data = {
        "gzip": lambda: gzip.compress(zeros),
        "zstd": lambda: _zstd.compress(zeros),
        "bzip2": lambda: bz2.compress(zeros),
        "xz": lambda: lzma.compress(zeros),
    }[kind]()
    limits = Limits(ratio=100, ratio_floor=1 << 20)
    with pytest.raises(LimitExceeded):
        decompress_to_spool(MemorySource(data), kind, limits, "bomb")


@pytest.mark.parametrize(
    ("head", "kind"),
    ((b"", "none"), (b"BZh is a name", "none"), (b"\x1f", "none"), (SKIP, "zstd"), (b"ustar", "none")),
)
def test_sniffing_needs_more_than_a_likeness(head: bytes, kind: str) -> None:
    assert sniff_compression(head) == kind
