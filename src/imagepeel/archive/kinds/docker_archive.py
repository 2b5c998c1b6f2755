"""What `docker save` writes: `manifest.json` is a list of images, each naming a config and layers as members."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import zip_longest
from typing import Any

import msgspec

from imagepeel.archive.blobs import Blobs, compare, digest_in_name
from imagepeel.archive.kinds import docker_v1
from imagepeel.archive.kinds.kind import (
    MANIFEST,
    REPOSITORIES,
    Clues,
    Detected,
    Detection,
    Kind,
    Producer,
    Records,
)
from imagepeel.archive.members import leaves_root, normalise
from imagepeel.archive.oci_images import note_layer_count, platform_of_config
from imagepeel.archive.records import (
    BlobSource,
    CheckState,
    ConfigState,
    Description,
    DocumentCheck,
    Format,
    ImageRecord,
    IndexRecord,
    LayerRecord,
    LayerState,
    Name,
)
from imagepeel.errors import Malformed
from imagepeel.evidence import Anomaly, Location
from imagepeel.oci.config import ImageConfig
from imagepeel.oci.descriptor import Descriptor
from imagepeel.oci.digest import is_lower_hex
from imagepeel.oci.docker_archive import ArchiveManifest, archive_manifests_of, repositories_of
from imagepeel.oci.json_document import lookup
from imagepeel.text import listed, plural

NAME = "docker-archive"
FORMAT = Format(
    name=NAME,
    described_by=Description.LIST,
    start=MANIFEST,
    start_note="points by member name, without digests",
    by_name=True,
)


class _Made:
    """What images of one archive share."""

    def __init__(self) -> None:
        self.layers: dict[tuple[int, str, str | None], LayerRecord] = {}
        """Records of layers by their place, name and DiffID."""
        self.lists: dict[tuple[tuple[str, ...], tuple[str, ...]], tuple[LayerRecord, ...]] = {}
        """The layers of an image by their names and by all DiffIDs of its config."""


def _recognise(clues: Clues) -> Detection | None:
    if isinstance(clues.manifest, list):
        return Detection(
            id=NAME,
            sentence="its manifest.json is a list of images, each naming a config and layers as members of this "
            "archive: what docker save writes",
            saw=clues.saw(MANIFEST, REPOSITORIES),
        )
    damaged = MANIFEST in clues.problems or clues.manifest is None or clues.members.medium == "directory"
    damaged = damaged or _is_item(clues.manifest)
    if not clues.has(MANIFEST) or not damaged:
        return None
    # It is named like docker save's list and cannot be read as one: the error is about that file.
    return Detection(
        id=f"{NAME}-damaged",
        sentence="it has a manifest.json, which should be docker save's list of images and is not",
        saw=(MANIFEST,),
        certain=False,
    )


def _is_item(manifest: Any) -> bool:
    """Whether it is one item of the list, and the list around it is missing."""
    return isinstance(manifest, dict) and any(lookup(manifest, key) is not None for key in ("Layers", "RepoTags"))


def _read(blobs: Blobs, detected: Detected) -> Records:
    detected.clues.require(MANIFEST)
    return archive_images(blobs, detected.clues.manifest), []


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
    made = _Made()
    for number, item in enumerate(archive_manifests_of(manifest, place, noticed), 1):
        if not blobs.count_document(place):
            break
        images.append(
            _waiting(blobs, item, number, made) if blobs.crowded(place) else _image(blobs, item, number, made)
        )
    blobs.anomalies.extend(noticed)
    _compare_names(blobs, images)
    return images


def _compare_names(blobs: Blobs, images: Sequence[ImageRecord]) -> None:
    """Record where `repositories`, which Docker reads no more, names another image than `manifest.json`."""
    member = blobs.members.file(REPOSITORIES)
    place = Location(member=REPOSITORIES)
    data = blobs.read(member, place)[0] if member is not None else None
    value = blobs.parse(data, place) if data is not None else None
    if value is None:
        return
    known = {_short(name.text): image for image in images for name in image.names}
    for repository, tags in repositories_of(value, place, blobs.anomalies).items():
        for tag, top in tags.items():
            name = f"{repository}:{tag}"
            image = known.get(_short(name))
            if image is not None and _is_top(blobs, image, normalise(top)):
                continue
            count = docker_v1.count_layers(blobs, top)
            others = listed([_counted(image) for image in ([image] if image is not None else images)], 4)
            blobs.note(
                "repositories-differ",
                f"two descriptions: {REPOSITORIES} names {name} with {plural(count, 'layer')}, {MANIFEST} {others}; "
                "Docker from 1.10 on and podman take the latter",
                place,
            )
            return


def _is_top(blobs: Blobs, image: ImageRecord, top: str) -> bool:
    """Whether this v1 id is that of the top layer of an image, as far as it is there to be compared."""
    here = blobs.members.file(f"{top}/layer.tar")
    if image.layers and image.layers[-1].member in (f"{top}.tar", f"{top}/layer.tar"):
        return True
    stored = image.layers[-1].stored if image.layers else None
    return here is None or stored is None or stored.member is None or stored.member.name == here.name


def _short(name: str) -> str:
    """A name as Docker shortens it, with its tag: writers of both documents differ in that."""
    short = name.removeprefix("docker.io/").removeprefix("library/")
    return short if ":" in short.rpartition("/")[2] else f"{short}:latest"


def _counted(image: ImageRecord) -> str:
    return f"{image.names[0].text if image.names else 'an unnamed image'} with {plural(len(image.layers), 'layer')}"


def _image(blobs: Blobs, item: ArchiveManifest, number: int, made: _Made) -> ImageRecord:
    where = Location(member=MANIFEST, pointer=item.pointer)
    named_at = Location(member=MANIFEST, pointer=f"{item.pointer}/RepoTags")
    checks: list[DocumentCheck] = []
    before = len(blobs.anomalies)
    member, config, state = _config(blobs, item, where, checks)
    diff_ids = config.diff_ids if config else ()
    names = item.layers
    if len(names) > blobs.limits.layers:
        blobs.note("layer-limit", f"{plural(len(names), 'layer')}; only the first are read", where, fatal=True)
        names = names[: blobs.limits.layers]
    for name in dict.fromkeys(names):
        if leaves_root(name):
            blobs.note("layer-name", f"the layer name {name} climbs out of the archive; it is kept inside", where)
    layers = _layers(blobs, item, names, diff_ids, made)
    if config is not None:
        note_layer_count(blobs, len(item.layers), config, where)
    return ImageRecord(
        number=number,
        kind_reason="manifest.json lists it",
        formats=(FORMAT,),
        names=tuple(Name(text=tag, origin="RepoTags", where=named_at) for tag in item.repo_tags or ()),
        platform=platform_of_config(config),
        config=config,
        config_member=member,
        config_state=state,
        layers=layers,
        path=(number - 1,),
        listed_at=number - 1,
        checks=tuple(checks),
        anomalies=tuple(blobs.anomalies[before:]),
    )


def _waiting(blobs: Blobs, item: ArchiveManifest, number: int, made: _Made) -> ImageRecord:
    """Return what the list says of an image whose config and layers are looked up when it is asked for."""
    named_at = Location(member=MANIFEST, pointer=f"{item.pointer}/RepoTags")
    member = blobs.members.file(item.config) if item.config else None
    return ImageRecord(
        number=number,
        kind_reason="manifest.json lists it",
        formats=(FORMAT,),
        names=tuple(Name(text=tag, origin="RepoTags", where=named_at) for tag in item.repo_tags or ()),
        config_member=member.name if member is not None else item.config,
        path=(number - 1,),
        listed_at=number - 1,
        later=partial(_image, blobs, item, number, made),
    )


def _config(
    blobs: Blobs, item: ArchiveManifest, where: Location, checks: list[DocumentCheck]
) -> tuple[str, ImageConfig | None, ConfigState]:
    stated_at = Location(member=MANIFEST, pointer=f"{item.pointer}/Config")
    member = blobs.members.file(item.config) if item.config else None
    digest = digest_in_name(item.config)
    if member is None:
        checks.append(
            DocumentCheck(
                role="config",
                state=CheckState.MISSING,
                member=item.config,
                digest=digest or "",
                detail="the archive has no such member" if item.config else "manifest.json names no config",
                stated_at=stated_at,
            )
        )
        return item.config, None, ConfigState.MISSING
    data, name = blobs.read(member, stated_at)
    if data is None:
        return name, None, ConfigState.DAMAGED
    check = compare("config", data, digest, None, member=name, stated_at=stated_at)
    if check.state is CheckState.MISMATCH:
        # Docker and podman take the digest of the bytes as the image id and never compare it with the name.
        check = msgspec.structs.replace(
            check, state=CheckState.OTHER_NAME, detail="the member name spells another digest"
        )
    checks.append(check)
    config, state = blobs.config(data, Location(member=name))
    return name, config, state


def _layers(
    blobs: Blobs, item: ArchiveManifest, names: tuple[str, ...], diff_ids: tuple[str, ...], made: _Made
) -> tuple[LayerRecord, ...]:
    """Return the layers of one image.  Images share layers, and what stands in `made` is not made again."""
    where = Location(member=MANIFEST, pointer=item.pointer)
    whole = (names, diff_ids)
    if not item.layer_sources and whole in made.lists:
        return made.lists[whole]
    layers = []
    for index, (name, diff_id) in enumerate(zip_longest(names, diff_ids[: len(names)])):
        key = (index, name, diff_id)
        record = made.layers.get(key) if not item.layer_sources else None
        if record is None:
            record = _layer(blobs, item, index, diff_id, where)
            if not item.layer_sources:
                made.layers[key] = record
        layers.append(record)
    found = tuple(layers)
    if not item.layer_sources:
        made.lists[whole] = found
    return found


def _layer(blobs: Blobs, item: ArchiveManifest, index: int, diff_id: str | None, where: Location) -> LayerRecord:
    name = item.layers[index]
    member = blobs.members.file(name) if name else None
    source = item.layer_sources.get(diff_id) if diff_id else None
    if member is None:
        record = blobs.layer(index, source or Descriptor(), diff_id, where)
        if record.state is LayerState.PRESENT:
            return record
        return msgspec.structs.replace(record, member=name)
    blobs.used.update((name, member.name, *member.via))
    if source is not None and source.size != member.size:
        # Older writers describe the layer as it was pulled (compressed) and store it unpacked.
        source = None
    return blobs.layer(index, source or Descriptor(), diff_id, where, stored=BlobSource(blobs.members, member))


def _is_id(name: str, end: str) -> bool:
    """Whether the name of a member is that of a layer or config, 64 hexadecimal digits, and this end."""
    return len(name) == 64 + len(end) and name.endswith(end) and is_lower_hex(name[:64])


def _producer(detected: Detected, records: Sequence[ImageRecord], indexes: Sequence[IndexRecord]) -> Producer | None:
    config = records[0].config_member if records else ""
    layers = [layer.member for record in records for layer in record.layers]
    stated = records[0].image_id if records else None
    if config.startswith("sha256:") and stated in (None, config):
        return Producer(
            name="crane, ko, kaniko or another go-containerregistry program",
            habit="the config's member name is sha256: and its digest",
        )
    if config == "config.json":
        return Producer(name="Jib", habit="the config is called config.json")
    if config.startswith("blobs/") and layers and all(name.endswith(".tar.gz") for name in layers):
        return Producer(name="Bazel rules_oci", habit="its blobs have the suffix .tar.gz")
    if not _is_id(config, ".json") or not layers:
        return None
    by_diff_id = [layer.diff_id == f"sha256:{layer.member[:-4]}" for record in records for layer in record.layers]
    if all(_is_id(name, ".tar") for name in layers) and all(by_diff_id):
        return Producer(name="podman save or skopeo", habit="its layers lie at the top under their DiffIDs")
    beside = (name.replace("layer.tar", other) for name in layers for other in ("VERSION", "json"))
    if all(_is_id(name, "/layer.tar") for name in layers) and all(map(detected.clues.has, beside)):
        return Producer(
            name="docker save before 25, or a program that imitates it",
            habit="each layer has its own directory with layer.tar, json and VERSION",
        )
    return None


KIND = Kind(
    name=NAME,
    label="docker-archive",
    told_by="a `manifest.json` that is a list of images",
    written_by="`docker save` before 25, `podman save`, `skopeo copy` to `docker-archive:`, crane, ko, kaniko, Jib, "
    "Bazel rules_oci",
    recognise=_recognise,
    read=_read,
    formats=(FORMAT,),
    producer=_producer,
    roles={MANIFEST: "where reading starts", REPOSITORIES: "names, as Docker wrote them before 1.10"},
    points=(MANIFEST, "/0/Config"),
    legacy=("VERSION", "json"),
)
