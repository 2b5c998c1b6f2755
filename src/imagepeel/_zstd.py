"""The zstd library of this machine: zstandard, and where it is not installed the standard library of Python 3.14."""

from __future__ import annotations

from typing import Any


class _Standard:
    """What the decoder uses of zstandard's decompressor, by `compression.zstd` (PEP 784)."""

    def __init__(self, zstd: Any, window: int) -> None:
        self._zstd = zstd
        # The bound is a power of two here; a window between two of them is told by the frame header before.
        self._options = {zstd.DecompressionParameter.window_log_max: max(10, min(31, (window - 1).bit_length()))}

    def decompressobj(self) -> Any:
        """Return the state of one frame: `decompress(data)`, `eof`."""
        return self._zstd.ZstdDecompressor(options=self._options)


def decompressor(window: int) -> tuple[Any, type[Exception]]:
    """Return (what makes the state of a frame, the library's error); `window` bounds its memory, in bytes."""
    try:
        import zstandard  # start time: only zstd layers pay for it
    except ImportError:
        zstd = _standard_library()
        return _Standard(zstd, window), zstd.ZstdError
    return zstandard.ZstdDecompressor(max_window_size=window), zstandard.ZstdError


def compress(data: bytes, *, sized: bool = True) -> bytes:
    """Return one frame with a checksum; `sized` also states the content's size in its header."""
    try:
        import zstandard  # start time
    except ImportError:
        zstd = _standard_library()
        options = {
            zstd.CompressionParameter.compression_level: 3,
            zstd.CompressionParameter.checksum_flag: 1,
            zstd.CompressionParameter.content_size_flag: int(sized),
        }
        return bytes(zstd.compress(data, options=options))
    return zstandard.ZstdCompressor(level=3, write_checksum=True, write_content_size=sized).compress(data)


def _standard_library() -> Any:
    from importlib import import_module  # start time

    return import_module("compression.zstd")
