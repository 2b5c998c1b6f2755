"""Whole archives: small ones of all kinds, what is asked of each, and images that are changed on the inside.

The forge makes all sizes and digests right behind a change, so that it is reached.
"""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import mutation
from mutation import Mutator

import imagepeel
from imagepeel import forge
from imagepeel.archive.block_start import BlockStart
from imagepeel.archive.source import MemorySource
from imagepeel.errors import ImagepeelError
from imagepeel.layers.index_codec import MAGIC, encode
from imagepeel.layers.scan import scan_layer
from imagepeel.limits import DEFAULT, Limits
from imagepeel.serialization import to_msgpack

SMALL = Limits(entries=5000, layer_bytes=1 << 26, archive_members=5000, spool_bytes=1 << 28)
SHARED = Path(__file__).parents[2].parent / "shared" / "images"
ENGINES = ("docker", "podman", "k8s", "containerd", "crun", "docker@20.10", "podman@3.4", "nerdctl", "runc@1.1", "crio")


def words_of(seeds: Sequence[bytes]) -> list[bytes]:
    """The words that inputs are made of."""
    found = {word for seed in seeds for word in re.findall(rb"[\w$#@%!:./=<>-]{1,40}|[^\w\s]{1,3}", seed[:8192])}
    return sorted(found)[:600]


def use_everything(data: bytes, limits: Limits = SMALL) -> None:
    """Do with an archive what people do."""
    with imagepeel.open(MemorySource(data, "damaged.tar"), limits=limits) as archive:
        for record in archive.records:
            assert record.kind
        for image in archive.images():
            for layer in image.layers:
                assert layer.verified in (True, False, None)
                list(layer.entries)
            assert image.anomalies is not None
            for view in ("runtime", "spec", "sequential"):
                rootfs = image.view(view)
                for path, node in rootfs.walk():
                    assert path.startswith(b"/")
                    if node.is_file and node.size < 1000:
                        try:
                            rootfs.read(node)
                        except ImagepeelError:
                            pass
            image.process()


VERBS: dict[str, Callable[[Any], object]] = {
    "process": lambda image: [image.process(engine=engine) for engine in ENGINES[:3]],
    "findings": lambda image: repr(image.findings()),
    "explain": lambda image: str(image.explain()),
    "operate": lambda image: str(image.operators_manual()),
    "slim": lambda image: repr(image.slim()),
    "waste": lambda image: repr(image.waste()),
    "du": lambda image: repr(image.du()),
    "views": lambda image: repr(image.views()),
    "dockerfile": lambda image: str(image.dockerfile()),
    "loadable": lambda image: repr(image.loadable()),
    "flatten": lambda image: image.flatten(io.BytesIO(), best_effort=True),
    "diff": lambda image: repr(image.diff(image)),
    "html": lambda image: image.explain()._repr_mimebundle_(),
    "trace": lambda image: repr(image.trace("/etc/passwd")),
}


def verbs(data: bytes, names: Sequence[str]) -> None:
    """Open an archive and ask every image some questions."""
    with imagepeel.open(MemorySource(data, "fuzzed.tar"), limits=SMALL, unread=True) as archive:
        for image in archive.images()[:3]:
            for name in names:
                try:
                    VERBS[name](image)
                except ImagepeelError as error:
                    assert error.exit_code != 70 and str(error)


def some_verbs(data: bytes) -> None:
    """Ask what the bytes themselves choose."""
    names = list(VERBS)
    number = zlib.crc32(data)
    verbs(data, (names[number % len(names)], names[number // 64 % len(names)]))


@cache
def archives() -> list[bytes]:
    """Small archives of all kinds."""
    return [forge.to_bytes(forge.build(name), kind) for kind in forge.KINDS if kind not in forge.FOLDER_KINDS
            for name in ("hello", "zoo")]  # fmt: skip


@cache
def shared(most: int = 1 << 16, *, ends: str = "") -> list[bytes]:
    """Files of real images that are small; none where they are absent."""
    paths = sorted(path for path in SHARED.rglob("*" + ends) if path.is_file()) if SHARED.is_dir() else []
    return list(dict.fromkeys(path.read_bytes() for path in paths if 0 < path.stat().st_size <= most))


ROLES: dict[str, Mutator] = {"config": mutation.document, "manifest": mutation.document, "tar": mutation.tarball}
PROGRAMS = ("hello", "mirror", "zoo", "broken-entrypoint", "resurrect", "no-library", "attack-contents", "hidden-tail")
IMAGE_KINDS = ("docker-archive", "oci-archive", "docker-save-25", "docker-v1.0", "podman-archive", "crane", "jib")


def image_of(data: bytes) -> bytes:
    """An image that the bytes describe: which one, of which kind, and what is changed in which of its parts.

    Each change is made before digests are taken.
    """
    head, steps = data[:3].ljust(3, b"\0"), data[3:]
    spec = forge.build(PROGRAMS[head[0] % len(PROGRAMS)])
    changes: dict[str, list[int]] = {role: [] for role in ROLES}
    for at in range(0, min(len(steps), 30) - 2, 3):
        changes[list(ROLES)[steps[at] % len(ROLES)]].append(int.from_bytes(steps[at + 1 : at + 3], "big"))

    def edit(role: str, found: bytes) -> bytes:
        for seed in changes.get(role, ()):
            found = ROLES[role](found, Random(seed), words_of([found]))
        return found

    layers = [
        one
        if one.blob is not None or not changes["tar"]
        else msgspec.structs.replace(one, entries=(), tar=edit("tar", one.content()))
        for one in spec.layers
    ]
    changed = msgspec.structs.replace(spec, layers=tuple(layers), edit=edit)
    return forge.to_bytes(
        changed, IMAGE_KINDS[head[1] % len(IMAGE_KINDS)], compression=("gzip", "", "zstd")[head[2] % 3]
    )


def edited(spec: forge.ImageSpec, edit: Callable[[str, bytes], bytes]) -> forge.ImageSpec:
    """The image with a hook that sees each of its documents before digests are taken."""
    return msgspec.structs.replace(spec, edit=edit)


def opened(data: bytes) -> imagepeel.Archive:
    """Open an archive with small limits."""
    return imagepeel.open(MemorySource(data, "fuzzed.tar"), limits=SMALL)


@cache
def indexes() -> list[bytes]:
    """What the cache keeps of layers, behind its digest."""
    found = []
    for name in ("zoo", "hello"):
        data = forge.build(name).layers[0].content()
        for packed in (data, forge.compress(data, "gzip")):
            scanned = scan_layer(MemorySource(packed, "layer"), DEFAULT)
            found.append(b"".join(encode(scanned, DEFAULT))[len(MAGIC) + 32 :])
    return [*found, to_msgpack([BlockStart(b"x", b"y")])]
