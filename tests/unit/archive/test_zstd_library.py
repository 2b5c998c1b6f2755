"""zstd layers without the zstandard package: the standard library of Python 3.14, or its backport, takes over."""

from __future__ import annotations

import subprocess
import sys

import pytest

from imagepeel import _zstd

CODE = """
import importlib, sys
sys.modules["zstandard"] = None  # an import of it fails, as where it is not installed
if sys.version_info < (3, 14):
    sys.modules["compression.zstd"] = importlib.import_module("backports.zstd")
from imagepeel._zstd import compress
from imagepeel.archive.codec import CodecError, make_decoder
data = b"".join(b"line %d\\n" % n for n in range(100_000))
for sized in (True, False):
    frame = compress(data, sized=sized)
    decoder = make_decoder("zstd")
    out = b"".join(piece for at in range(0, len(frame), 1000) for piece in decoder.feed(frame[at : at + 1000]))
    decoder.finish()
    assert out == data and decoder.units == 1
sys.stdout.buffer.write(frame)
damaged = bytearray(frame); damaged[len(frame) // 2] ^= 255
decoder = make_decoder("zstd")
try:
    list(decoder.feed(bytes(damaged))); decoder.finish()
except CodecError: pass
else: raise SystemExit("damage went unseen")
"""


def test_the_standard_library_reads_and_writes_the_same_frames() -> None:
    if sys.version_info < (3, 14):
        pytest.importorskip("backports.zstd", reason="Python before 3.14 needs the backport for this test")
    zstandard = pytest.importorskip("zstandard")
    frame = subprocess.run([sys.executable, "-c", CODE], capture_output=True, check=True).stdout
    data = zstandard.ZstdDecompressor().decompressobj().decompress(frame)
    assert data == b"".join(b"line %d\n" % n for n in range(100_000))


def test_both_know_the_size_of_the_window() -> None:
    zstandard = pytest.importorskip("zstandard")
    library, error = _zstd.decompressor(1 << 20)
    large = zstandard.ZstdCompressor(
        compression_params=zstandard.ZstdCompressionParameters.from_level(3, window_log=24, write_content_size=False)
    ).compressobj()
    frame = large.compress(b"a" * (1 << 22)) + large.flush()
    with pytest.raises(error):
        library.decompressobj().decompress(frame)
