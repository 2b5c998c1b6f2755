"""Build the inputs of the benchmarks from real files of this machine: nothing is downloaded.

    python benchmarks/build.py FOLDER [--megabytes 2000] [--entries 300000]

Makes FOLDER/big.tar.gz (one layer of real files), FOLDER/big.oci.tar (an OCI archive of one image of that layer),
FOLDER/many.tar (a layer of very many tiny files) and FOLDER/many.oci.tar.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import json
import os
import tarfile
from pathlib import Path

ROOTS = ("/usr/lib", "/usr/share", "/usr/bin", "/usr/include", "/opt")


def pack_real_files(out: Path, most: int) -> None:
    """Write a PAX tar of real files, up to about `most` bytes of content."""
    total = 0
    with tarfile.open(out, "w", format=tarfile.PAX_FORMAT) as tar:
        for root in ROOTS:
            for folder, folders, files in os.walk(root):
                folders.sort()
                tar.add(folder, recursive=False)
                for name in sorted(files):
                    path = os.path.join(folder, name)
                    try:
                        tar.add(path, recursive=False)
                        total += os.lstat(path).st_size
                    except OSError:
                        continue
                    if total >= most:
                        return


def pack_tiny_files(out: Path, count: int) -> None:
    """Write a tar of `count` files of a few bytes each, 50 to a directory."""
    with tarfile.open(out, "w", format=tarfile.USTAR_FORMAT) as tar:
        for number in range(count):
            folder = f"opt/data/package-{number // 2500}/module-{number // 50}"
            if number % 50 == 0:
                info = tarfile.TarInfo(folder)
                info.type, info.mode = tarfile.DIRTYPE, 0o755
                tar.addfile(info)
            data = b"x%d" % number * (number % 60 + 1)
            info = tarfile.TarInfo(f"{folder}/file-number-{number}.txt")
            info.size, info.mtime, info.mode = len(data), 1_700_000_000 + number, 0o644
            tar.addfile(info, io.BytesIO(data))


def digest_of(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def wrap(blob: Path, diff_id: str, media_type: str, out: Path) -> None:
    """Write an OCI archive of one image with one layer."""
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Entrypoint": ["/usr/bin/env"]},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{diff_id}"]},
            "history": [{"created_by": "COPY / /"}],
        }
    ).encode()
    layer = {"mediaType": media_type, "digest": f"sha256:{digest_of(blob)}", "size": blob.stat().st_size}
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": descriptor("application/vnd.oci.image.config.v1+json", config),
            "layers": [layer],
        }
    ).encode()
    top = descriptor("application/vnd.oci.image.manifest.v1+json", manifest)
    top["annotations"] = {"org.opencontainers.image.ref.name": "bench"}
    index = json.dumps({"schemaVersion": 2, "manifests": [top]}).encode()
    with tarfile.open(out, "w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in (
            ("oci-layout", b'{"imageLayoutVersion":"1.0.0"}'),
            ("index.json", index),
            (f"blobs/sha256/{hashlib.sha256(config).hexdigest()}", config),
            (f"blobs/sha256/{hashlib.sha256(manifest).hexdigest()}", manifest),
        ):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        tar.add(blob, f"blobs/{layer['digest'].replace(':', '/')}")


def descriptor(media_type: str, data: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "digest": f"sha256:{hashlib.sha256(data).hexdigest()}", "size": len(data)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--megabytes", type=int, default=2000)
    parser.add_argument("--entries", type=int, default=300_000)
    options = parser.parse_args()
    folder: Path = options.folder
    folder.mkdir(parents=True, exist_ok=True)
    big, many = folder / "big.tar", folder / "many.tar"
    pack_real_files(big, options.megabytes * 1_000_000)
    compressed = folder / "big.tar.gz"
    with open(big, "rb") as source, gzip.open(compressed, "wb", compresslevel=6) as sink:
        while piece := source.read(1 << 20):
            sink.write(piece)
    wrap(compressed, digest_of(big), "application/vnd.oci.image.layer.v1.tar+gzip", folder / "big.oci.tar")
    big.unlink()
    pack_tiny_files(many, options.entries)
    wrap(many, digest_of(many), "application/vnd.oci.image.layer.v1.tar", folder / "many.oci.tar")


if __name__ == "__main__":
    main()
