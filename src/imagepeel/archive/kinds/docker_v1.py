"""What `docker save` wrote before version 1.10: no `manifest.json`, but each layer has a directory with `json` and
`layer.tar`, and each `json` names the layer below it as its parent.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from imagepeel._lazy import late
from imagepeel.archive.blobs import Blobs
from imagepeel.archive.kinds.kind import REPOSITORIES, Clues, Detected, Detection, Kind, Producer, Records
from imagepeel.archive.members import Member, Members, normalise
from imagepeel.archive.oci_images import platform_of_config
from imagepeel.archive.records import (
    BlobSource,
    ConfigState,
    Description,
    Format,
    ImageRecord,
    IndexRecord,
    LayerRecord,
    Name,
)
from imagepeel.evidence import Anomaly, Location
from imagepeel.oci.config import ImageConfig, config_of
from imagepeel.oci.descriptor import Descriptor
from imagepeel.oci.docker_archive import V1Image, repositories_of, v1_image_of
from imagepeel.oci.json_document import JsonObject
from imagepeel.oci.manifest import v1_history
from imagepeel.text import noun, plural

NAME = "docker-v1"
FORMAT = Format(
    name=NAME,
    described_by=Description.PARENTS,
    start=REPOSITORIES,
    account="Each layer has a file `json` that names its *parent*. Following parents from the top gives the order of "
    "the layers. The format has no digests: nothing vouches for any of it.",
    config_apart=False,
)
_ID = late(r"[0-9a-f]{64}")


def _recognise(clues: Clues) -> Detection | None:
    ids = _ids(clues.members)
    if not ids or (all("/" in name for name in ids) and not clues.has(REPOSITORIES)):
        return None  # with everything in one folder it is a save that was packed again
    return Detection(
        id=NAME,
        sentence="it has no manifest.json, but each layer has a directory with json and layer.tar: what docker "
        "save wrote before version 1.10",
        saw=clues.saw(REPOSITORIES, f"{ids[0]}/json"),
        certain=clues.has(REPOSITORIES),
    )


def _ids(members: Members) -> list[str]:
    if members.medium == "directory":
        candidates: Iterable[str] = members.top()
    else:
        # Ids may be nested by hostile names, so any directory with both files counts.
        candidates = [name[: -len("/json")] for name in members.names if name.endswith("/json")]
    ids = [name for name in candidates if members.file(f"{name}/json") and members.get(f"{name}/layer.tar")]
    if ids or members.file(REPOSITORIES) is None:
        return ids
    return [name for name in candidates if members.file(f"{name}/json")]


def _read(blobs: Blobs, detected: Detected) -> Records:
    """Return the images: the tops of the parent chains.

    `repositories` names the tops; without it every layer that is nobody's parent is one.
    """
    documents = _documents(blobs)
    tops: dict[str, list[Name]] = {}
    member = blobs.members.file(REPOSITORIES)
    place = Location(member=REPOSITORIES)
    data = blobs.read(member, place)[0] if member is not None else None
    value = blobs.parse(data, place) if data is not None else None
    if value is not None:
        for repository, tags in repositories_of(value, place, blobs.anomalies).items():
            for tag, top in tags.items():
                tops.setdefault(top, []).append(Name(text=f"{repository}:{tag}", origin=REPOSITORIES, where=place))
    if not tops:
        parents = {document.parent for document in documents.values()}
        tops = {name: [] for name in documents if name not in parents} or {name: [] for name in list(documents)[:1]}
    images: list[ImageRecord] = []
    layers = 0
    for number, (top, names) in enumerate(tops.items(), 1):
        if not blobs.count_document(place) or layers > blobs.limits.documents:
            # Many tops over one long chain would multiply.
            blobs.note(
                "document-limit",
                f"only {plural(number - 1, 'image')} from the start {noun(number - 1, 'is', 'are')} read",
                place,
                fatal=True,
            )
            break
        images.append(_image(blobs, documents, top, tuple(names), number))
        layers += len(images[-1].layers)
    return images, []


def _documents(blobs: Blobs) -> dict[str, V1Image]:
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


def _image(blobs: Blobs, documents: dict[str, V1Image], top: str, names: tuple[Name, ...], number: int) -> ImageRecord:
    before = len(blobs.anomalies)
    chain = _chain(blobs, documents, top)
    raws: list[JsonObject] = [documents[name].raw if name in documents else {} for name in chain]
    layers = tuple(_layer(blobs, name, index) for index, name in enumerate(chain))
    document = documents.get(normalise(top))
    config = None
    member = blobs.members.file(f"{normalise(top)}/json")
    if document is not None and member is not None:
        config = _config(blobs, document, member, raws)
    return ImageRecord(
        number=number,
        kind_reason="it is the top of a chain of v1 layers",
        formats=(FORMAT,),
        names=names,
        platform=platform_of_config(config),
        config=config,
        config_member=f"{normalise(top)}/json",
        config_state=ConfigState.PRESENT if config else ConfigState.MISSING,
        layers=layers,
        path=(number - 1,),
        labels=("docker save 1.0",),
        lost="the DiffIDs: this format has none, so nothing states what the layers should hold",
        anomalies=tuple(blobs.anomalies[before:]),
    )


def _config(blobs: Blobs, document: V1Image, member: Member, raws: list[JsonObject]) -> ImageConfig:
    """Return the document of the top layer as a config, with the history that those of all layers tell.

    It has no image id: nothing is named by the digest of these bytes.
    """
    noticed: list[Anomaly] = []
    place = Location(member=member.name)
    config = config_of(document.raw, place, noticed)
    data, _ = blobs.read(member, place)
    blobs.anomalies.extend(noticed)
    return msgspec.structs.replace(config, history=v1_history(raws, place), raw_bytes=data or b"")


def _chain(blobs: Blobs, documents: dict[str, V1Image], top: str) -> list[str]:
    """Return the directories of an image's layers, base first: the parents of `top` and itself."""
    chain: list[str] = []
    identity = top
    while identity:
        directory = normalise(identity)
        where = Location(member=f"{directory}/json")
        if not _ID.fullmatch(identity):
            blobs.note("v1-id", f"the layer id {identity!r} is not 64 hex digits and would be used as a path", where)
        if directory in chain:
            blobs.note(
                "v1-loop", f"the layer {directory} is its own ancestor; the chain is cut there", where, fatal=True
            )
            break
        if len(chain) >= blobs.limits.layers:
            blobs.note(
                "layer-limit", f"more than {plural(len(chain), 'layer')}; only the top ones are read", where, fatal=True
            )
            break
        chain.append(directory)
        document = documents.get(directory)
        if document is None:
            blobs.note("v1-missing", f"the layer {directory} has no readable json; its parents are unknown", where)
            break
        identity = document.parent
    chain.reverse()
    return chain


def count_layers(blobs: Blobs, top: str) -> int:
    """Return how many layers the chain of parents below `top` has, itself included."""
    return len(_chain(blobs, _documents(blobs), top))


def _layer(blobs: Blobs, directory: str, index: int) -> LayerRecord:
    name = f"{directory}/layer.tar"
    member = blobs.members.file(name)
    stored = BlobSource(blobs.members, member) if member is not None else None
    record = blobs.layer(index, Descriptor(), None, Location(member=name), stored=stored)
    return record if member is not None else msgspec.structs.replace(record, member=name)


def _producer(detected: Detected, records: Sequence[ImageRecord], indexes: Sequence[IndexRecord]) -> Producer:
    return Producer(name="docker save before 1.10", habit="there are parent chains of json files and no manifest.json")


KIND = Kind(
    name=NAME,
    label="docker save before 1.10",
    told_by="directories with `json` and `layer.tar`, and no `manifest.json`",
    written_by="`docker save` before 1.10",
    recognise=_recognise,
    read=_read,
    producer=_producer,
    roles={REPOSITORIES: "where reading starts"},
    leaves={
        "json": "names the *parent* of its layer, and the step that made it",
        "VERSION": "the marker of the format",
    },
    legacy=("VERSION", "json"),
)
