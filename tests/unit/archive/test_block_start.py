"""Places inside a gzip member that outlive the process: what is read from them is the content, bit for bit."""

from __future__ import annotations

import gzip
import random
import zlib

import pytest

from imagepeel.archive.block_start import ERRORS, MOST_LEAD, WINDOW, BlockStart, _lead
from imagepeel.archive.checkpoint import Checkpoint
from imagepeel.archive.codec import CodecError, GzipDecoder, portable
from imagepeel.archive.source import MemorySource


def words(size: int, seed: int = 3) -> bytes:
    rng = random.Random(seed)
    some = [rng.randbytes(rng.randrange(3, 12)) for _ in range(4_000)]
    out = bytearray()
    while len(out) < size:
        out += rng.choice(some)
    return bytes(out[:size])


def places(blob: bytes, step: int) -> list[Checkpoint]:
    """Copies of the state every `step` stored bytes of the first pass."""
    decoder = GzipDecoder()
    out = []
    for at in range(0, len(blob), step):
        for _ in decoder.feed(blob[at : at + step]):
            pass
        point = decoder.checkpoint()
        if point is not None:
            out.append(point)
    return out


def rest(blob: bytes, point: Checkpoint, step: int = 5_000) -> bytes:
    decoder = GzipDecoder(point)
    return b"".join(p for at in range(point.stored, len(blob), step) for p in decoder.feed(blob[at : at + step]))


@pytest.mark.parametrize("level", [1, 6, 9])
def test_reading_goes_on_at_every_place_that_is_found(level: int) -> None:
    content = words(4_000_000)
    first, second = gzip.compress(content, level, mtime=0), gzip.compress(b"second member" * 99, level, mtime=0)
    blob = first + second
    found = [portable(point, MemorySource(blob)) for point in places(blob, 100_000)]
    kept = [point for point in found if point is not None]
    assert len(kept) >= 5
    for point in kept:
        assert isinstance(point.state, BlockStart) and len(point.state.lead) <= MOST_LEAD
        for step in (5_000, 1_000_000):
            assert rest(blob, point, step) == (content + b"second member" * 99)[point.content :]
    # The trailer of the member comes in pieces, too.
    assert rest(blob, kept[-1], 3) == (content + b"second member" * 99)[kept[-1].content :]


@pytest.mark.parametrize("bit", range(8))
def test_a_lead_has_no_content_and_ends_at_its_bit(bit: int) -> None:
    # Behind it a last block of the fixed kind with nothing in it: the bits 1, 1, 0 and seven times 0.
    data = (0b011 << bit).to_bytes(3, "little")[: (bit + 10 + 7) // 8]
    inflate = zlib.decompressobj(-15)
    assert inflate.decompress(_lead(data[0], bit) + data[1:] + b"behind") == b""
    assert inflate.eof and inflate.unused_data == b"behind"


def test_what_has_no_blocks_to_find_has_no_places() -> None:
    noise = gzip.compress(random.Random(1).randbytes(1_500_000), mtime=0)
    zeros = gzip.compress(bytes(150_000_000), mtime=0)
    for blob in (noise, zeros):
        tried = places(blob, 60_000)[:2]
        assert len(tried) == 2 and not any(portable(point, MemorySource(blob)) for point in tried)
    start = Checkpoint(0, 0, None)
    assert portable(start, MemorySource(noise)) is start


@pytest.mark.parametrize(
    "state",
    [BlockStart(b"\0", b"no zlib"), BlockStart(b"\7", zlib.compress(b"w")), BlockStart(b"abc", zlib.compress(b""))],
)
def test_a_state_that_is_none_is_damage(state: BlockStart) -> None:
    with pytest.raises((CodecError, *ERRORS)):
        list(GzipDecoder(Checkpoint(0, 0, state)).feed(b"\xff" * 100))


def test_a_window_is_bounded() -> None:
    huge = BlockStart(b"\2\0", zlib.compress(bytes(50_000_000)))
    assert huge.decompressor() is not None
    assert WINDOW == 32_768
