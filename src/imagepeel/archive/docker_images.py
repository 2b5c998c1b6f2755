"""Images of the docker-archive family: `manifest.json` lists, the v1 layout before it, and skopeo's `dir:`."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from imagepeel.archive.blobs import Blobs, compare, digest_in_name
from imagepeel.archive.members import Member, leaves_root, normalise
from imagepeel.archive.oci_images import OciImages, note_layer_count, platform_of_config
from imagepeel.archive.records import DocumentCheck, Handle, ImageRecord, LayerRecord, Name
from imagepeel.errors import Malformed
from imagepeel.evidence import Anomaly, Location
from imagepeel.oci.config import ImageConfig, config_of
from imagepeel.oci.descriptor import Descriptor
from imagepeel.oci.docker_archive import (
    ArchiveManifest,
    V1Image,
    archive_manifests_of,
    repositories_of,
    v1_image_of,
)
from imagepeel.oci.json_document import JsonObject
from imagepeel.oci.manifest import v1_history

MANIFEST = "manifest.json"
REPOSITORIES = "repositories"
_V1_ID = re.compile(r"[0-9a-f]{64}")


def archive_images(blobs: Blobs, manifest: Any) -> list[ImageRecord]:
    """Return the images that a parsed `manifest.json` list names.  Malformed when it is null, empty or no list."""
    place = Location(member=MANIFEST)
    if manifest is None:
        raise Malformed("manifest.json is null: it names no image", place, "save the image again, by name or id")
    if not isinstance(manifest, list):
        raise Malformed("manifest.json is not a list of images", place, "the file is damaged or was edited by hand")
    if not manifest:
        raise Malformed("manifest.json is an empty list: it names no image", place, "save the image again")
    blobs.used.update((MANIFEST, REPOSITORIES))
    images = []
    noticed: list[Anomaly] = []
    for number, item in enumerate(archive_manifests_of(manifest, place, noticed), 1):
        if not blobs.count_document(place):
            break
        images.append(_image(blobs, item, number))
    blobs.anomalies.extend(noticed)
    return images


def _image(blobs: Blobs, item: ArchiveManifest, number: int) -> ImageRecord:
    where = Location(member=MANIFEST, pointer=item.pointer)
    checks: list[DocumentCheck] = []
    before = len(blobs.anomalies)
    member, config, state = _config(blobs, item, where, checks)
    diff_ids = config.diff_ids if config else ()
    names = item.layers
    if len(names) > blobs.limits.layers:
        blobs.note("layer-limit", f"{len(names)} layers; only the first are read", where, fatal=True)
        names = names[: blobs.limits.layers]
    layers = tuple(
        _layer(blobs, name, index, diff_ids[index] if index < len(diff_ids) else None, item, where)
        for index, name in enumerate(names)
    )
    if config is not None:
        note_layer_count(blobs, len(item.layers), config, where)
    return ImageRecord(
        number=number,
        kind_reason="manifest.json lists it",
        grammar="docker-archive",
        grammars=("docker-archive",),
        names=tuple(Name(text=tag, origin="RepoTags") for tag in item.repo_tags or ()),
        platform=platform_of_config(config),
        config=config,
        config_member=member,
        config_state=state,
        layers=layers,
        path=(number - 1,),
        checks=tuple(checks),
        anomalies=tuple(blobs.anomalies[before:]),
    )


def _config(
    blobs: Blobs, item: ArchiveManifest, where: Location, checks: list[DocumentCheck]
) -> tuple[str, ImageConfig | None, str]:
    stated_at = Location(member=MANIFEST, pointer=f"{item.pointer}/Config")
    member = blobs.members.file(item.config) if item.config else None
    digest = digest_in_name(item.config)
    if member is None:
        checks.append(
            DocumentCheck(
                role="config",
                state="missing",
                member=item.config,
                digest=digest or "",
                detail="the archive has no such member" if item.config else "manifest.json names no config",
                stated_at=stated_at,
            )
        )
        return item.config, None, "missing"
    data, name = blobs.read(member, stated_at)
    if data is None:
        return name, None, "damaged"
    check = compare("config", data, digest, None, name, stated_at)
    if check.state == "mismatch":
        # Docker and podman take the digest of the bytes as the image id and never compare it with the name.
        check = msgspec.structs.replace(check, state="other name", detail="the member name spells another digest")
    checks.append(check)
    config, state = blobs.config(data, Location(member=name))
    return name, config, state


def _layer(
    blobs: Blobs, name: str, index: int, diff_id: str | None, item: ArchiveManifest, where: Location
) -> LayerRecord:
    if leaves_root(name):
        blobs.note("layer-name", f"the layer name {name} climbs out of the archive; it is kept inside", where)
    member = blobs.members.file(name) if name else None
    source = item.layer_sources.get(diff_id) if diff_id else None
    if member is None:
        record = blobs.layer(index, source or Descriptor(), diff_id, where)
        if record.state == "present":
            return record
        return msgspec.structs.replace(record, member=name)
    blobs.used.update((name, member.name, *member.via))
    if source is not None and source.size != member.size:
        # Older writers describe the layer as it was pulled (compressed) and store it unpacked.
        source = None
    return blobs.layer(index, source or Descriptor(), diff_id, where, handle=Handle(blobs.members, member))


def dir_images(blobs: Blobs, manifest: Any) -> list[ImageRecord]:
    """Return the one image of a `dir:` copy: its `manifest.json` is a manifest or an index, blobs lie beside it."""
    member = blobs.members.file(MANIFEST)
    assert member is not None
    data, _ = blobs.read(member, member.location)
    blobs.used.update((MANIFEST, "version"))
    walk = OciImages(blobs)
    walk.given(manifest, data or b"", MANIFEST)
    return [msgspec.structs.replace(record, grammar="dir", grammars=("dir",)) for record in walk.records]


def v1_images(blobs: Blobs) -> list[ImageRecord]:
    """Return the images of an archive without `manifest.json`: the tops of the parent chains.

    `repositories` names the tops; without it every layer that is nobody's parent is one.
    """
    documents = _v1_documents(blobs)
    tops: dict[str, list[Name]] = {}
    member = blobs.members.file(REPOSITORIES)
    place = Location(member=REPOSITORIES)
    data = blobs.read(member, place)[0] if member is not None else None
    value = blobs.parse(data, place) if data is not None else None
    if value is not None:
        for repository, tags in repositories_of(value, place, blobs.anomalies).items():
            for tag, top in tags.items():
                tops.setdefault(top, []).append(Name(text=f"{repository}:{tag}", origin=REPOSITORIES))
    if not tops:
        parents = {document.parent for document in documents.values()}
        tops = {name: [] for name in documents if name not in parents} or {name: [] for name in list(documents)[:1]}
    images: list[ImageRecord] = []
    layers = 0
    for number, (top, names) in enumerate(tops.items(), 1):
        if not blobs.count_document(place) or layers > blobs.limits.documents:
            # Many tops over one long chain would multiply.
            blobs.note("document-limit", f"only the first {number - 1} images are read", place, fatal=True)
            break
        images.append(_v1_image(blobs, documents, top, tuple(names), number))
        layers += len(images[-1].layers)
    return images


def _v1_documents(blobs: Blobs) -> dict[str, V1Image]:
    """Return the v1 `json` documents by the name of their directory, as `repositories` and `parent` spell it."""
    documents: dict[str, V1Image] = {}
    for name in blobs.members.names:
        directory, _, leaf = name.rpartition("/")
        if leaf != "json" or not directory:
            continue
        member = blobs.members.file(name)
        if member is None or not blobs.count_document(Location(member=name)):
            continue
        data, _ = blobs.read(member, Location(member=name))
        value = blobs.parse(data, Location(member=name)) if data is not None else None
        if isinstance(value, dict):
            documents[directory] = v1_image_of(value, Location(member=name), blobs.anomalies)
            blobs.used.update((f"{directory}/VERSION", f"{directory}/layer.tar"))
    return documents


def _v1_image(
    blobs: Blobs, documents: dict[str, V1Image], top: str, names: tuple[Name, ...], number: int
) -> ImageRecord:
    chain: list[str] = []
    before = len(blobs.anomalies)
    identity = top
    while identity:
        directory = normalise(identity)
        where = Location(member=f"{directory}/json")
        if not _V1_ID.fullmatch(identity):
            blobs.note("v1-id", f"the layer id {identity!r} is not 64 hex digits and would be used as a path", where)
        if directory in chain:
            blobs.note(
                "v1-loop", f"the layer {directory} is its own ancestor; the chain is cut there", where, fatal=True
            )
            break
        if len(chain) >= blobs.limits.layers:
            blobs.note("layer-limit", f"more than {len(chain)} layers; only the top ones are read", where, fatal=True)
            break
        chain.append(directory)
        document = documents.get(directory)
        if document is None:
            blobs.note("v1-missing", f"the layer {directory} has no readable json; its parents are unknown", where)
            break
        identity = document.parent
    chain.reverse()
    raws: list[JsonObject] = [documents[name].raw if name in documents else {} for name in chain]
    layers = tuple(_v1_layer(blobs, name, index) for index, name in enumerate(chain))
    document = documents.get(normalise(top))
    config = None
    if document is not None:
        noticed: list[Anomaly] = []
        place = Location(member=f"{normalise(top)}/json")
        config = msgspec.structs.replace(config_of(document.raw, place, noticed), history=v1_history(raws, place))
        blobs.anomalies.extend(noticed)
    return ImageRecord(
        number=number,
        kind_reason="it is the top of a chain of v1 layers",
        grammar="docker-v1",
        grammars=("docker-v1",),
        names=names,
        platform=platform_of_config(config),
        config=config,
        config_member=f"{normalise(top)}/json",
        config_state="present" if config else "missing",
        layers=layers,
        path=(number - 1,),
        labels=("docker save 1.0",),
        lost="the DiffIDs: this format has none, so nothing states what the layers should hold",
        anomalies=tuple(blobs.anomalies[before:]),
    )


def _v1_layer(blobs: Blobs, directory: str, index: int) -> LayerRecord:
    name = f"{directory}/layer.tar"
    member: Member | None = blobs.members.file(name)
    handle = Handle(blobs.members, member) if member is not None else None
    record = blobs.layer(index, Descriptor(), None, Location(member=name), handle=handle)
    return record if member is not None else msgspec.structs.replace(record, member=name)
