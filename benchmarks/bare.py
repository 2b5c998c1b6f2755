"""Inflate gzip layers and hash what is stored and what comes out, and nothing else: less no reader of layers can do.

python benchmarks/bare.py [--times N] LAYER...
"""

from __future__ import annotations

import argparse
import hashlib

from zlib_ng import zlib_ng

PIECE = 1 << 18
"""Bytes that are read, and bytes that come out, at a time."""


def read(path: str) -> tuple[str, str]:
    """Return the digests of a layer: of what is stored, and of its content."""
    stored, content, inflate = hashlib.sha256(), hashlib.sha256(), zlib_ng.decompressobj(31)
    with open(path, "rb", buffering=0) as file:
        while piece := file.read(PIECE):
            stored.update(piece)
            while piece:
                content.update(inflate.decompress(piece, PIECE))
                piece = inflate.unconsumed_tail
    if not inflate.eof:
        raise SystemExit(f"{path}: not one whole gzip member")
    return stored.hexdigest(), content.hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("layers", nargs="+")
    options = parser.parse_args()
    for _ in range(options.times):
        for path in options.layers:
            print(*read(path))


if __name__ == "__main__":
    main()
