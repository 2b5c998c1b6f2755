"""Small archives for the stores of real engines, each right or wrong in one way."""

from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Callable
from pathlib import Path

from load_absent import ABSENT
from load_families import FAMILIES
from load_makers import (
    ACROSS,
    BELOW_LINK,
    LISTED,
    NOISE,
    ONE,
    A,
    B,
    config,
    docker,
    files,
    layout,
    linked,
    packed,
    sha,
    tar_of,
    two,
    v1,
    with_config,
)

ARCHIVES: dict[str, Callable[[], bytes]] = (
    {
        "docker": lambda: docker(A, B),
        "docker, ./ in front of all names": lambda: docker(A, prefix="./"),
        "docker, one folder down": lambda: docker(A, prefix="image/"),
        "docker, no name": lambda: docker(A, tags=None),
        "docker, two names": lambda: docker(A, tags=("x/y:1", "z:2")),
        "docker, a name with its host": lambda: docker(A, tags=("quay.io/x/y:1",)),
        "docker, a name without tag": lambda: docker(A, tags=("justname",)),
        "docker, a name in capitals": lambda: docker(A, tags=("UPPER:1",)),
        "docker, an ID for a name": lambda: docker(A, tags=("1" * 64,)),
        "docker, an ID and a tag": lambda: docker(A, tags=("1" * 64 + ":1",)),
        "docker, two images": two,
        "docker, a config without rootfs": lambda: docker(A, stated=config([A], rootfs=None)),
        "docker, a config without rootfs and no layers": lambda: docker(stated=config([], rootfs=None)),
        "docker, rootfs without layers": lambda: docker(),
        "docker, more DiffIDs than layers": lambda: docker(A, stated=config([A, B])),
        "docker, fewer DiffIDs than layers": lambda: docker(A, B, stated=config([A])),
        "docker, another DiffID": lambda: docker(A, stated=config([B])),
        "docker, for Windows": lambda: docker(A, stated=config([A], os="windows")),
        "layout, for Windows in the config alone": lambda: layout(A, stated=config([A], os="windows")),
        "docker, for nothing": lambda: docker(A, stated=config([A], os="", architecture="")),
        "docker, without config": lambda: packed([("x/layer.tar", A), ("manifest.json", LISTED)]),
        "docker, without layer": lambda: packed([("c.json", config([A])), ("manifest.json", LISTED)]),
        "docker, a layer that is a link": linked,
        "docker, gzip layer": lambda: docker(gzip.compress(A, mtime=0), stated=config([A])),
        "docker, gzip": lambda: gzip.compress(docker(NOISE), mtime=0),
        "docker, bzip2": lambda: bz2.compress(docker(NOISE)),
        "docker, xz": lambda: lzma.compress(docker(NOISE)),
        "docker, gzip twice": lambda: gzip.compress(gzip.compress(docker(NOISE), mtime=0), mtime=0),
        "docker, cut before manifest.json": lambda: packed(
            [("c" * 64 + ".json", config([A])), (f"{sha(A)}/layer.tar", A)]
        ),
        "docker 1.9": v1,
        "a root file system": lambda: packed(
            [*((name, None) for name in ("bin", "etc", "usr", "var")), ("bin/x", b"x")]
        ),
        "a path twice": lambda: docker(files("a", "a")),
        "a path twice, once with ./": lambda: docker(files("a", "./a")),
        "a path twice, once with a slash": lambda: docker(files("a", "/a")),
        "a path twice, once over ..": lambda: docker(files("d/../a", "a")),
        "a directory twice": lambda: docker(tar_of([("d/", "dir", b""), ("d/x", "file", b"x"), ("d/", "dir", b"")])),
        "the root as / and ./": lambda: docker(tar_of([("/", "dir", b""), ("./", "dir", b""), ("a", "file", b"x")])),
        "a hardlink twice": lambda: docker(
            tar_of([("a", "file", b"x"), ("b", "hardlink", "a"), ("b", "hardlink", "a")])
        ),
        "a whiteout and its file": lambda: docker(A, files(".wh.a", "a")),
        "a whiteout twice": lambda: docker(A, files(".wh.a", ".wh.a")),
        "a hardlink into the layer below": lambda: docker(A, ACROSS),
        "a file below a link of its layer": lambda: docker(ONE, BELOW_LINK),
        "a name of 255 bytes": lambda: docker(files("n" * 255)),
        "a name of 256 bytes": lambda: docker(files("n" * 256)),
        "docker, config not JSON": lambda: with_config(b"hello"),
        "docker, config empty": lambda: with_config(b""),
        "docker, config a list": lambda: with_config(b"[]"),
        "docker, config null": lambda: with_config(b"null"),
        "docker, config {}": lambda: with_config(b"{}"),
        "docker, config trailing garbage": lambda: with_config(config([A]) + b"x"),
        "docker, config BOM": lambda: with_config(b"\xef\xbb\xbf" + config([A])),
        "layout": lambda: layout(A, B),
        "layout, no name": lambda: layout(A, names=()),
        "layout, a tag for a name": lambda: layout(A, names=("1.2",)),
        "layout, a name in capitals": lambda: layout(A, names=("UPPER:1",)),
        "layout, two names": lambda: layout(A, names=("q.io/one:1", "q.io/two:1")),
        "layout, no marker": lambda: layout(A, marker=False),
        "layout, one folder down": lambda: layout(A, prefix="layout/"),
        "layout, an index in the index": lambda: layout(A, nested=True),
        "layout, a config without rootfs": lambda: layout(A, stated=config([A], rootfs=None)),
        "layout, more DiffIDs than layers": lambda: layout(A, stated=config([A, B])),
        "layout, another DiffID": lambda: layout(A, stated=config([B])),
        "layout, for nothing": lambda: layout(A, stated=config([A], os="", architecture="")),
        "layout, without manifest": lambda: layout(A, without="manifest"),
        "layout, without config": lambda: layout(A, stated=config([A], author="x"), without="config"),
        "layout, without layer": lambda: layout(A, without="layer0"),
        "layout, xz": lambda: lzma.compress(layout(NOISE)),
        "layout, config not JSON": lambda: layout(A, stated=b"hello"),
        "layout, a path twice": lambda: layout(files("a", "a")),
        "layout, a hardlink into the layer below": lambda: layout(A, ACROSS),
    }
    | FAMILIES
    | ABSENT
)
"""Name -> the archive as bytes."""


def write(name: str, folder: Path) -> Path:
    """Write one archive into a folder and return its path."""
    path = folder / "image.tar"
    path.write_bytes(ARCHIVES[name]())
    return path
