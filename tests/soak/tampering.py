"""A cache of which each byte in turn is changed, and each file cut off there: the answers stay those without a cache.

    python tests/soak/tampering.py [STEP]

Every STEP-th byte, by default each: some thousands of runs, a minute of processor time.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec

import imagepeel
from imagepeel import forge
from imagepeel.archive.cache_dir import CacheDir
from imagepeel.layers.index_cache import IndexCache


def answers(path: Path, folder: Path | None) -> Any:
    """What is told of an image: digests, entries, the content of files, the process."""
    cache = IndexCache(CacheDir(folder), least=0) if folder is not None else False
    with imagepeel.open(path, cache=cache) as archive:
        image = archive.image()
        rootfs = image.rootfs
        return (
            [(layer.digest, layer.diff_id, layer.verified, layer.anomalies) for layer in image.layers],
            [(path, node.kind, node.mode, node.size, node.layer, node.entry) for path, node in rootfs.walk()],
            {path: rootfs.read(path) for path, node in rootfs.walk() if node.is_file},
            msgspec.to_builtins(image.process()),
            image.layer_counts(),
        )


def main() -> None:
    step = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    with tempfile.TemporaryDirectory() as place:
        path, kept, folder = (Path(place, name) for name in ("image.tar", "kept", "cache"))
        forge.write(forge.build("hello"), path, kind="oci-archive", compression="gzip")
        truth = answers(path, None)
        time.sleep(2.1)  # a file that was changed just now is not remembered
        assert answers(path, kept) == answers(path, kept) == truth
        runs = 0
        for file in sorted(kept.iterdir()):
            data = file.read_bytes()
            for at in range(0, len(data), step):
                for changed in (data[:at], data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :]):
                    shutil.copytree(kept, folder)
                    (folder / file.name).write_bytes(changed)
                    assert answers(path, folder) == truth, (file.name, at, len(changed))
                    shutil.rmtree(folder)
                    runs += 1
            print(f"{file.suffix[1:]}: {len(data)} bytes", flush=True)
        print(f"{runs} damaged caches, the same answers", flush=True)


if __name__ == "__main__":
    os.umask(0o077)
    main()
