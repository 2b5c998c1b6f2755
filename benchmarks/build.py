"""Build the inputs of the benchmarks from Debian packages with mmdebstrap; small ones from real files of this machine.

    python benchmarks/build.py FOLDER [--megabytes 2200] [--wide 3600] [--entries 1000000]

Makes in FOLDER, as an OCI archive of one image each:

    big.oci.tar      an image to develop with, in some languages, one gzip layer, which is also big.tar.gz; `deepest`
                     names its last small file
    wide.oci.tar     one for more languages, five gzip layers, which are also in wide-layers/; not made with --wide 0
    small.oci.tar    one gzip layer of 6 MB of real files, which is also small.tar.gz
    plain.oci.tar    the same 6 MB as a plain layer, as `docker save` writes it
    empty.oci.tar    one plain layer of very many empty files, which is also empty.tar
    pg.oci.tar       Debian, PostgreSQL and its entrypoint in three gzip layers, which are also in pg-layers/;
                     as root, where mmdebstrap is installed

Without root or mmdebstrap the first two are made from real files of this machine.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

SUITE = "bookworm"
LANGUAGES = (
    "base-files,bash,coreutils,build-essential,git,golang-go,default-jdk-headless,maven,nodejs,npm,python3-scipy,"
    "python3-pandas,python3-matplotlib,r-base"
)
"""Packages of an image to develop with, two gigabytes with all that they need."""
MORE_LANGUAGES = "gfortran,clang,cmake,gdb,rustc,cargo,octave,ruby-full,php-cli,erlang"
"""What makes it three and a half."""
ROOTS = ("/usr/lib", "/usr/share", "/usr/bin", "/usr/include", "/opt")


def real_files() -> Iterator[str]:
    """Yield real directories and files of this machine, in order."""
    for root in ROOTS:
        for folder, folders, files in os.walk(root):
            folders.sort()
            yield folder
            for name in sorted(files):
                yield os.path.join(folder, name)


Member = tuple[tarfile.TarInfo, IO[bytes] | None]
"""A member of a tar, and its content where it has some."""


def members_here() -> Iterator[Member]:
    """Yield real files of this machine as members of a tar."""
    with tarfile.open(fileobj=io.BytesIO(), mode="w") as tar:
        for path in real_files():
            try:
                member = tar.gettarinfo(path)
                if member.isreg():
                    with open(path, "rb") as file:
                        yield member, file
                else:
                    yield member, None
            except OSError:
                continue


def has_packages() -> bool:
    """Whether images can be made of Debian packages here."""
    return shutil.which("mmdebstrap") is not None and not os.geteuid()


def members_of_packages(folder: Path, packages: str) -> Iterator[Member]:
    """Yield the files of Debian packages and of all that they need; of this machine where those cannot be had."""
    if not has_packages():
        yield from members_here()
        return
    path = folder / "packages.tar"
    subprocess.run(["mmdebstrap", "--variant=extract", f"--include={packages}", SUITE, str(path)], check=True)
    try:
        with tarfile.open(path) as tar:
            for member in tar:
                yield member, tar.extractfile(member) if member.isreg() else None
    finally:
        path.unlink()


def pack(out: Path, most: int, members: Iterator[Member]) -> None:
    """Write a PAX tar of what comes next of some members, up to about `most` bytes of content."""
    total = 0
    names = set()
    with tarfile.open(out, "w", format=tarfile.PAX_FORMAT) as tar:
        for member, content in members:
            if member.islnk() and member.linkname not in names:
                continue  # the file is in another layer
            tar.addfile(member, content)
            names.add(member.name)
            total += member.size if content is not None else 0
            if total >= most:
                return


def build_big(folder: Path, most: int) -> None:
    """Build an image of one large layer, and tell which is its last small file."""
    plain = folder / "big.tar"
    pack(plain, most, members_of_packages(folder, LANGUAGES))
    wrap([(packed(plain, folder / "big.tar.gz"), digest_of(plain))], GZIP, folder / "big.oci.tar")
    with tarfile.open(plain) as tar:
        last = [member.name for member in tar if member.isreg() and 0 < member.size <= 65_536][-1]
    (folder / "deepest").write_text(f"/{last.removeprefix('./')}\n")
    plain.unlink()


def build_small(folder: Path) -> None:
    """Build two images of one small layer, with gzip and without."""
    plain = folder / "small.tar"
    pack(plain, 6_000_000, members_here())
    wrap([(packed(plain, folder / "small.tar.gz"), digest_of(plain))], GZIP, folder / "small.oci.tar")
    wrap([(plain, digest_of(plain))], PLAIN, folder / "plain.oci.tar")
    plain.unlink()


def build_wide(folder: Path, most: int) -> None:
    """Build an image of five layers, as large as those that people call large."""
    layers = []
    blobs = folder / "wide-layers"
    blobs.mkdir(exist_ok=True)
    members = members_of_packages(folder, f"{LANGUAGES},{MORE_LANGUAGES}")
    for number in range(5):
        plain = folder / "wide.tar"
        pack(plain, most // 5, members)
        layers.append((packed(plain, blobs / f"{number}.tar.gz"), digest_of(plain)))
        plain.unlink()
    wrap(layers, GZIP, folder / "wide.oci.tar")


def pack_empty_files(out: Path, count: int) -> None:
    """Write a tar of `count` empty files, 50 to a directory."""
    with tarfile.open(out, "w", format=tarfile.USTAR_FORMAT) as tar:
        for number in range(count):
            folder = f"opt/data/package-{number // 2500}/module-{number // 50}"
            if number % 50 == 0:
                info = tarfile.TarInfo(folder)
                info.type, info.mode = tarfile.DIRTYPE, 0o755
                tar.addfile(info)
            info = tarfile.TarInfo(f"{folder}/file-number-{number}.txt")
            info.mtime, info.mode = 1_700_000_000 + number, 0o644
            tar.addfile(info)


def pack_difference(before: Path, after: Path, out: Path) -> None:
    """Write a tar of what one tar has and another lacks or has otherwise."""
    with tarfile.open(before) as old:
        known = {member.name: _told(old, member) for member in old}
    with (
        tarfile.open(after) as new,
        tarfile.open(out, "w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for member in new:
            if known.get(member.name) != _told(new, member):
                tar.addfile(member, new.extractfile(member) if member.isreg() else None)


def _told(tar: tarfile.TarFile, member: tarfile.TarInfo) -> tuple[object, ...]:
    content = tar.extractfile(member) if member.isreg() else None
    digest = hashlib.sha256(content.read()).digest() if content is not None else b""
    return member.type, member.mode, member.size, member.linkname, digest


ENTRYPOINT = b"""#!/usr/bin/env bash
set -Eeo pipefail
_main() {
	if [ "${1:0:1}" = '-' ]; then
		set -- postgres "$@"
	fi
	if [ "$1" = 'postgres' ]; then
		if [ "$(id -u)" = '0' ]; then
			exec gosu postgres "$BASH_SOURCE" "$@"
		fi
	fi
	exec "$@"
}
_main "$@"
"""


def build_postgres(folder: Path) -> None:
    """Build an image in the shape of the public one of PostgreSQL: a chain of four programs and some 42 libraries."""
    release = "15"
    tars = [folder / f"pg-{number}.tar" for number in range(3)]
    full = folder / "pg-full.tar"
    for out, more in ((tars[0], []), (full, ["--include=postgresql,gosu"])):
        subprocess.run(["mmdebstrap", "--variant=apt", *more, SUITE, str(out)], check=True)
    pack_difference(tars[0], full, tars[1])
    full.unlink()
    with tarfile.open(tars[2], "w") as tar:
        info = tarfile.TarInfo("usr/local/bin/docker-entrypoint.sh")
        info.size, info.mode = len(ENTRYPOINT), 0o755
        tar.addfile(info, io.BytesIO(ENTRYPOINT))
    path = f"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/lib/postgresql/{release}/bin"
    runtime = {
        "Env": [path],
        "Entrypoint": ["docker-entrypoint.sh"],
        "Cmd": ["postgres"],
    }
    blobs = folder / "pg-layers"
    blobs.mkdir(exist_ok=True)
    layers = [(packed(tar, blobs / f"{number}.tar.gz"), digest_of(tar)) for number, tar in enumerate(tars)]
    wrap(layers, GZIP, folder / "pg.oci.tar", runtime)
    for tar in tars:
        tar.unlink()


def packed(tar: Path, out: Path) -> Path:
    """Compress a file as most builders do, and return the new one."""
    with open(tar, "rb") as source, gzip.open(out, "wb", compresslevel=6) as sink:
        shutil.copyfileobj(source, sink, 1 << 20)
    return out


def digest_of(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


PLAIN = "application/vnd.oci.image.layer.v1.tar"
GZIP = f"{PLAIN}+gzip"


def wrap(
    blobs: list[tuple[Path, str]],
    media_type: str,
    out: Path,
    runtime: dict[str, object] | None = None,
) -> None:
    """Write an OCI archive of one image; `blobs` are its layers, base first, each with the hex of its DiffID."""
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": runtime or {"Entrypoint": ["/usr/bin/env"]},
            "rootfs": {
                "type": "layers",
                "diff_ids": [f"sha256:{diff_id}" for _, diff_id in blobs],
            },
            "history": [{"created_by": "COPY / /"} for _ in blobs],
        }
    ).encode()
    layers = [
        {
            "mediaType": media_type,
            "digest": f"sha256:{digest_of(blob)}",
            "size": blob.stat().st_size,
        }
        for blob, _ in blobs
    ]
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": descriptor("application/vnd.oci.image.config.v1+json", config),
            "layers": layers,
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
        for (blob, _), layer in zip(blobs, layers, strict=True):
            tar.add(blob, f"blobs/{str(layer['digest']).replace(':', '/')}")


def descriptor(media_type: str, data: bytes) -> dict[str, object]:
    return {
        "mediaType": media_type,
        "digest": f"sha256:{hashlib.sha256(data).hexdigest()}",
        "size": len(data),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--megabytes", type=int, default=2200)
    parser.add_argument("--wide", type=int, default=3600)
    parser.add_argument("--entries", type=int, default=1_000_000)
    options = parser.parse_args()
    folder: Path = options.folder
    folder.mkdir(parents=True, exist_ok=True)
    if not has_packages():
        print(
            "no root or no mmdebstrap: pg.oci.tar is not built, large ones hold files of this machine", file=sys.stderr
        )
    build_big(folder, options.megabytes * 1_000_000)
    build_small(folder)
    if options.wide:
        build_wide(folder, options.wide * 1_000_000)
    empty = folder / "empty.tar"
    pack_empty_files(empty, options.entries)
    wrap([(empty, digest_of(empty))], PLAIN, folder / "empty.oci.tar")
    if has_packages():
        build_postgres(folder)


if __name__ == "__main__":
    main()
