"""Specs to archives of any kind, as bytes or written to disk.

`KINDS` names every kind with what it is.  This is the only module of the forge that writes files.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

import msgspec

from imagepeel._display import Shown
from imagepeel.errors import UsageError
from imagepeel.evidence import text
from imagepeel.forge import docker, layout, rootfs
from imagepeel.forge.assembly import Assembled, assemble
from imagepeel.forge.compress import Packing, compress, known_packing
from imagepeel.forge.entry import Entry, directory
from imagepeel.forge.image import ArchiveKind, ImageSpec
from imagepeel.forge.layout import Group, IndexSpec
from imagepeel.forge.tar import encode

Specs = ImageSpec | IndexSpec | Sequence[ImageSpec | IndexSpec]


class Kind(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """An archive kind: what writes it, and how its layers are packed when a spec does not say."""

    about: str
    compression: Packing = "none"
    outer: Packing = "none"
    folder: bool = False
    docker_types: bool = False
    build: Callable[[list[Group], list[Group]], list[Entry] | bytes]


def _list(build: Callable[[Sequence[Assembled]], list[Entry] | bytes]) -> Callable[..., list[Entry] | bytes]:
    return lambda groups, _: build([item for group in groups for item in group.images])


def _groups(build: Callable[[Sequence[Group]], list[Entry]]) -> Callable[..., list[Entry]]:
    return lambda groups, _: build(groups)


def _save_25(groups: list[Group], other: list[Group]) -> list[Entry]:
    return layout.save_25([i for g in groups for i in g.images], [i for g in other for i in g.images])


def _containerd(groups: list[Group], other: list[Group]) -> list[Entry]:
    return layout.containerd_store([i for g in groups for i in g.images], other)


def _rootfs(groups: list[Group], _: list[Group]) -> list[Entry]:
    return rootfs.export(_one(groups, "rootfs").spec.layers)


def _layer(groups: list[Group], _: list[Group]) -> bytes:
    item = _one(groups, "layer")
    if len(item.layers) != 1:
        raise UsageError(f"the layer kind holds an image of exactly one layer, not {len(item.layers)}")
    return item.layers[0].data


def _one(groups: list[Group], kind: str) -> Assembled:
    images = [item for group in groups for item in group.images]
    if len(images) != 1:
        raise UsageError(f"the {kind} kind holds exactly one image, not {len(images)}")
    return images[0]


_TABLE: dict[ArchiveKind, Kind] = {
    "docker-archive": Kind(about="docker save 1.10 to 24: <id>/layer.tar", build=_list(docker.legacy)),
    "docker-v1.0": Kind(
        about="docker save up to 1.9: repositories and a parent chain", build=_list(docker.version_1_0)
    ),
    "docker-save-25": Kind(about="docker save 25 and later, graphdriver store: both formats", build=_save_25),
    "docker-containerd": Kind(
        about="docker save from the containerd store: sparse nested index, attestations",
        compression="gzip",
        build=_containerd,
    ),
    "podman-archive": Kind(about="podman save and skopeo docker-archive", build=_list(docker.podman)),
    "oci-archive": Kind(
        about="OCI layout in a tar: podman, skopeo, buildx", compression="gzip", build=_groups(layout.oci)
    ),
    "oci-dir": Kind(
        about="OCI layout as a directory: umoci, skopeo", compression="gzip", folder=True, build=_groups(layout.oci)
    ),
    "buildx-oci": Kind(
        about="buildx type=oci: full names beside the tags", compression="gzip", build=_groups(layout.buildx_oci)
    ),
    "dir": Kind(
        about="skopeo dir: transport, a directory of bare blobs",
        compression="gzip",
        folder=True,
        build=_list(layout.transport_dir),
    ),
    "crane": Kind(
        about="crane and ko: sha256:<hex> config, <hex>.tar.gz", compression="gzip", build=_list(docker.crane)
    ),
    "kaniko": Kind(
        about="kaniko --tar-path: as crane, with a placeholder name", compression="gzip", build=_list(docker.kaniko)
    ),
    "jib": Kind(about="jibBuildTar: config.json, <hex>.tar.gz", compression="gzip", build=_list(docker.jib)),
    "jib-lowercase": Kind(
        about="jib of 2019: lower-case keys in manifest.json", compression="gzip", build=_list(docker.jib_lowercase)
    ),
    "rules-oci": Kind(
        about="rules_oci oci_load: blob paths in manifest.json", compression="gzip", build=_list(docker.rules_oci)
    ),
    "nix": Kind(about="nix dockerTools.buildImage: ./ names, gzip around", outer="gzip", build=_list(docker.nix)),
    "nix-stream": Kind(about="nix streamLayeredImage", build=_list(docker.nix_stream)),
    "apko": Kind(
        about="apko, several architectures: a lone zero block before the index",
        compression="gzip",
        build=_list(docker.apko),
    ),
    "rootfs": Kind(about="docker export: the merged files, no config", build=_rootfs),
    "layer": Kind(about="one layer alone", build=_layer),
}

DEFAULT_KIND: ArchiveKind = "docker-archive"

KINDS: dict[ArchiveKind, str] = {name: kind.about for name, kind in _TABLE.items()}
"""Every archive kind with a one-line description."""

_ANY_ALGORITHM = ("oci-archive", "oci-dir", "buildx-oci")

FOLDER_KINDS = frozenset(name for name, kind in _TABLE.items() if kind.folder)
"""The kinds that are directories."""


def members(specs: Specs, kind: ArchiveKind | Literal[""] = "", compression: Packing | Literal[""] = "") -> list[Entry]:
    """The members of an archive in order, before they become a tar or a directory.

    `specs` is one image or index or several, `kind` one of `KINDS` ("" as in `to_bytes`), `compression` one of
    `COMPRESSIONS` for all layers ("" leaves the choice to each layer, then to the kind).  Raises `UsageError` for an
    unknown kind, for kinds that hold one image only, and for the kinds `layer` and `apko`, whose bytes are no plain
    sequence of members.
    """
    built = _build(specs, kind, compression)
    if isinstance(built, bytes):
        raise UsageError(f"the {archive_kind(specs, kind)} kind is no plain list of members")
    return built


def to_bytes(
    specs: Specs,
    kind: ArchiveKind | Literal[""] = "",
    *,
    compression: Packing | Literal[""] = "",
    outer: Packing | Literal[""] = "",
    prefix: str = "",
    blocking: int = 1,
) -> bytes:
    """An archive as bytes.

    `kind` is one of `KINDS` ("" takes the first spec's own, else docker-archive); `compression` packs all layers;
    `outer` wraps the archive ("" is the kind's habit); `prefix` is put before every member name: `./` for tar
    of a directory, `image/` for one directory level down; `blocking` fills up to that many blocks (GNU tar: 20).
    Raises `UsageError` for unknown names and for the kinds that are directories.
    """
    name = archive_kind(specs, kind)
    if _TABLE[name].folder:
        raise UsageError(f"the {name} kind is a directory and has no single stream", hint="use write")
    built = _build(specs, name, compression)
    data = built if isinstance(built, bytes) else encode(_prefixed(built, prefix), blocking=blocking)
    if prefix and isinstance(built, bytes):
        raise UsageError(f"the {name} kind takes no prefix")
    return compress(data, outer or _TABLE[name].outer)


def write(
    specs: Specs,
    path: str | os.PathLike[str],
    kind: ArchiveKind | Literal[""] = "",
    *,
    compression: Packing | Literal[""] = "",
    outer: Packing | Literal[""] = "",
    prefix: str = "",
    blocking: int = 1,
) -> Path:
    """Writes an archive to `path` and gives the path back; arguments as in `to_bytes`.

    A directory kind makes the directory, which must not hold anything yet, whole or not at all; `prefix` and `outer`
    do not apply to it.
    Raises `UsageError` as `to_bytes` does, and `OSError` when the disk refuses.
    """
    name = archive_kind(specs, kind)
    target = Path(path)
    if not _TABLE[name].folder:
        target.write_bytes(
            to_bytes(specs, name, compression=compression, outer=outer, prefix=prefix, blocking=blocking)
        )
        return target
    if outer or prefix:
        raise UsageError(f"the {name} kind is a directory: it takes neither outer compression nor a prefix")
    entries = members(specs, name, compression)
    made = [] if target.is_dir() else [target]
    target.mkdir(parents=True, exist_ok=True)
    if any(target.iterdir()):
        raise UsageError(f"the directory {target} is not empty")
    try:
        for entry in entries:
            _place(target, entry, made)
    except BaseException:
        for place in reversed(made):
            with suppress(OSError):
                place.unlink() if place.is_file() else place.rmdir()
        raise
    return target


def _place(target: Path, entry: Entry, made: list[Path]) -> None:
    """Writes one entry below `target`; `made` gets all that was not there before, parents first."""
    place = target / text(entry.path)
    folders = [place, *place.parents] if entry.kind == "dir" else list(place.parents)
    for folder in reversed(folders):
        if not folder.is_dir():
            made.append(folder)
            folder.mkdir()
    if entry.kind != "dir":
        made.append(place)
        place.write_bytes(entry.data)


def archive_kind(specs: Specs, kind: str = "") -> ArchiveKind:
    """The kind of archive that is made: `kind`, else the first spec's own, else docker-archive.

    Raises `UsageError` for an unknown name.
    """
    name = kind or next((spec.kind for spec in _listed(specs) if isinstance(spec, ImageSpec) and spec.kind), "")
    name = name or DEFAULT_KIND
    known = next((each for each in KINDS if each == name), None)
    if known is None:
        raise UsageError(f"no archive kind is called {name!r}", hint="known kinds: " + ", ".join(KINDS))
    return known


def _listed(specs: Specs) -> list[ImageSpec | IndexSpec]:
    return [specs] if isinstance(specs, ImageSpec | IndexSpec) else list(specs)


def _build(specs: Specs, kind: ArchiveKind | Literal[""], compression: Packing | Literal[""]) -> list[Entry] | bytes:
    name = archive_kind(specs, kind)
    entry = _TABLE[name]
    if compression:
        known_packing(compression)

    def group(spec: ImageSpec | IndexSpec, other: bool) -> Group:
        if isinstance(spec, IndexSpec):
            inner = [msgspec.structs.replace(each, names=each.names or spec.names) for each in spec.images]
            return Group(
                images=tuple(assemble(each, entry.compression, compression) for each in inner),
                names=spec.names,
                nested=True,
                annotations=spec.annotations,
                docker_types=spec.docker_types,
            )
        if other and spec.other is not None:
            spec = spec.other
        return Group(images=(assemble(spec, entry.compression, compression),), names=spec.names)

    listed = _listed(specs)
    flat_list = [each for spec in listed for each in (spec.images if isinstance(spec, IndexSpec) else (spec,))]
    if any(each.algorithm != "sha256" for each in flat_list) and name not in _ANY_ALGORITHM:
        raise UsageError(f"the {name} kind knows SHA-256 only", hint="other digests: " + ", ".join(_ANY_ALGORITHM))
    groups = [group(spec, False) for spec in listed]
    twins = any(isinstance(spec, ImageSpec) and spec.other is not None for spec in listed)
    return entry.build(groups, [group(spec, True) for spec in listed] if twins else groups)


def _prefixed(entries: list[Entry], prefix: str) -> list[Entry]:
    if not prefix:
        return entries
    head = [] if prefix == "/" else [directory(prefix)]
    return head + [
        msgspec.structs.replace(entry, path=prefix.encode() + entry.path.removeprefix(b"./")) for entry in entries
    ]
