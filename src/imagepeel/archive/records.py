"""What an archive says it holds, as values: names, images, layers, indexes and the checks made on documents."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from typing import Any, Literal

import msgspec

from imagepeel.archive.knowledge import Gap, ImagePart, Knowledge
from imagepeel.archive.members import Member, Members
from imagepeel.archive.source import MemorySource, Source
from imagepeel.errors import MissingBlob
from imagepeel.evidence import Anomaly, Location, layer_label
from imagepeel.oci.config import ImageConfig
from imagepeel.oci.descriptor import Descriptor, Platform
from imagepeel.oci.digest import Digest, short
from imagepeel.oci.index import Index
from imagepeel.oci.manifest import Manifest, Schema1Manifest
from imagepeel.oci.media_types import OCI_EMPTY
from imagepeel.text import article, few, noun, plural

NOT_READ = "not read yet"
"""What an image lacks whose manifest is read when somebody asks for it."""


class Manifests(StrEnum):
    """Where the manifest of an image is, in one format."""

    NONE = "none"
    """The format has no manifests."""
    START = "start"
    """The document where reading starts is the manifest; nothing states its digest."""
    BLOB = "blob"
    """It is a blob, and an index names its digest."""


class Description(StrEnum):
    """What describes an image inside a file, for the programs that load images."""

    OTHER = "other"
    """Nothing that one of them reads."""
    LIST = "list"
    """A `manifest.json` that is a list of images."""
    CUT = "cut"
    """That list as well, but the file ends before it."""
    PARENTS = "parents"
    """A chain of layers that name their parents: `docker save` before 1.10."""
    LAYOUT = "layout"
    """An OCI layout."""
    MANIFEST = "manifest"
    """A `manifest.json` that is one manifest or index: `dir:` of containers/image."""


class Format(msgspec.Struct, frozen=True, kw_only=True):
    """How an image is described inside an archive: what is true of every image that is described in this way.

    `name` is what JSON calls it.  A kind of archive (`archive/kinds/`) has one format, a hybrid two.
    """

    name: str
    described_by: Description = Description.OTHER
    manifests: Manifests = Manifests.NONE
    start: str = ""
    """The member where reading starts; where the archive has no such member, reading starts at the config."""
    start_note: str = ""
    """What people should know about that member, in a few words."""
    account: str = ""
    """How the documents hang together, as text (`*term*`, `` `code` ``), where they are no chain of pointers."""
    by_name: bool = False
    """Whether the start points at config and layers by member names, which no digest protects."""
    config_apart: bool = True
    """Whether the config is a document of its own; False where the document of the top layer serves as config."""
    bare: bool = False
    """Whether there is no document at all."""

    def __str__(self) -> str:
        return self.name


class RecordKind(StrEnum):
    """What is stored: an image, or something else that is stored like one."""

    IMAGE = "image"
    ATTESTATION = "attestation"
    ARTIFACT = "artifact"
    HELM = "helm"
    WASM = "wasm"
    COSIGN = "cosign"
    BUILDKIT_CACHE = "buildkit-cache"
    CHECKPOINT = "checkpoint"
    UNKNOWN = "unknown"
    ROOTFS = "rootfs"
    """An exported filesystem without documents."""
    LAYER = "layer"
    """One bare layer without documents."""


KIND_WORDS: dict[RecordKind, tuple[str, str]] = {
    RecordKind.ATTESTATION: ("attestation", "statements about how an image was built, nothing to run"),
    RecordKind.ARTIFACT: ("artifact", "files that use the image format as an envelope"),
    RecordKind.HELM: ("Helm chart", "in the envelope of an image"),
    RecordKind.WASM: ("WebAssembly module", "in the envelope of an image"),
    RecordKind.COSIGN: ("cosign signature", "what somebody says about an image, nothing to run"),
    RecordKind.BUILDKIT_CACHE: ("build cache", "of BuildKit, nothing to run"),
    RecordKind.CHECKPOINT: ("checkpoint", "the memory of a container that was running"),
    RecordKind.UNKNOWN: ("manifest of an unknown type", "nothing here knows how to run it"),
}
"""What the kinds that are no images are called, and what they are."""

RUNNABLE = frozenset((RecordKind.IMAGE, RecordKind.ROOTFS, RecordKind.LAYER))
"""The kinds of records that can become a process."""


class ConfigState(StrEnum):
    """What became of the config of an image."""

    PRESENT = "present"
    MISSING = "missing"
    DAMAGED = "damaged"
    NONE = "none"
    """Nothing names a config."""
    OTHER = "other"
    """The document that is named as config is no image config."""


class CheckState(StrEnum):
    """What came of comparing a document with the digest and size that are stated of it."""

    VERIFIED = "verified"
    MISMATCH = "mismatch"
    MISSING = "missing"
    NOT_CHECKED = "not checked"
    OTHER_NAME = "other name"
    """The name of the member spells a digest that its bytes do not have, which no engine minds."""


class LayerState(StrEnum):
    """Whether the bytes of a layer can be read as a tar."""

    PRESENT = "present"
    MISSING = "missing"
    FOREIGN = "foreign"
    """The bytes live elsewhere (`urls`) and are never fetched."""
    ENCRYPTED = "encrypted"
    UNSUPPORTED = "unsupported"
    """The layer is a filesystem image such as squashfs."""
    NO_LAYER = "no layer"
    """The bytes are here, and are a part of an artifact that is no file system."""
    TRUNCATED = "truncated"
    """The member is cut off.  Only `Layer.state` says this; a record says it in `truncated`."""


NameOrigin = Literal[
    "RepoTags", "repositories", "schema1", "org.opencontainers.image.ref.name", "io.containerd.image.name"
]
"""What gave a name: a key of manifest.json, the file of old archives, a manifest of schema 1, an annotation."""


class Name(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One name of an image, as written, and the place that gave it.

    `where` is the value in its document.
    `inherited` is True when the name belongs to the index that lists the image.
    """

    text: str
    origin: NameOrigin
    where: Location = Location()
    inherited: bool = False


DocumentRole = Literal["index", "manifest", "config"]


class DocumentCheck(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Whether one document has the digest and size that its descriptor states.

    `detail` is the reason where the state is "not checked", and says what differs where it is "mismatch".
    """

    role: DocumentRole
    state: CheckState
    member: str = ""
    digest: str = ""
    size: int | None = None
    actual_digest: str = ""
    actual_size: int | None = None
    detail: str = ""
    stated_at: Location = Location()

    @property
    def wrong_digest(self) -> bool:
        """Whether the bytes have another digest than is stated; a wrong size alone is none."""
        return self.state is CheckState.MISMATCH and self.actual_digest not in ("", self.digest)

    @property
    def wrong_size(self) -> bool:
        """Whether there are more or fewer bytes than are stated."""
        return self.state is CheckState.MISMATCH and self.size is not None and self.size != self.actual_size


class LayerRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One layer of an image, in base-first order, as the documents describe it.

    `size` and `archive_offset` are those of the stored bytes; `digest` and `media_type` are what a descriptor
    declares, `name_digest` what a member name alone suggests; `diff_id` is declared by the config.  `label` names
    formats recognised by annotations.
    """

    index: int
    state: LayerState
    member: str = ""
    media_type: str = ""
    digest: Digest | None = None
    declared_size: int | None = None
    size: int | None = None
    diff_id: str | None = None
    name_digest: Digest | None = None
    archive_offset: int | None = None
    descriptor: Descriptor | None = None
    urls: tuple[str, ...] = ()
    annotations: Mapping[str, str] = {}
    label: str = ""
    via: tuple[str, ...] = ()
    detail: str = ""
    truncated: bool = False
    stored: BlobSource | None = None

    @property
    def location(self) -> Location:
        """The place of this layer."""
        return Location(
            layer=self.index, member=self.member or None, blob=self.digest, archive_offset=self.archive_offset
        )

    def source(self) -> Source:
        """Return the stored bytes, compressed or not.  MissingBlob when the archive does not carry them."""
        if self.stored is None:
            raise MissingBlob(
                f"the bytes of layer {layer_label(self.index)} are not in the archive",
                self.location,
                "it is a foreign layer: its bytes live at " + ", ".join(self.urls)
                if self.urls
                else "save or copy the image again with all its layers",
            )
        return self.stored.source()


class BlobSource:
    """Where the bytes of a blob are: in a member, inline in a descriptor, or in a source of their own."""

    __slots__ = ("data", "given", "key", "member", "members")

    def __init__(
        self,
        members: Members | None = None,
        member: Member | None = None,
        *,
        data: bytes | None = None,
        given: Source | None = None,
    ) -> None:
        self.members: Members | None = members
        self.member: Member | None = member
        self.data: bytes | None = data
        self.given: Source | None = given
        self.key: tuple[Any, ...] = (member.name if member else None, data, id(given) if given else None)
        """What identifies the bytes inside one archive."""

    def source(self) -> Source:
        """Return the bytes."""
        if self.data is not None:
            return MemorySource(self.data, "inline data")
        if self.given is not None:
            # A window, so that a caller who closes what it read does not close the archive.
            return self.given.window(0, self.given.size, self.given.name)
        assert self.members is not None and self.member is not None
        return self.members.source(self.member)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BlobSource) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


class ImageRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One image, or something that is stored like one.

    `number` counts from 1 in archive order.  `kind_reason` is the sentence that says how `kind` was seen.  `format` is
    the description that was followed, `formats` all that agree on it.  `manifest` is None when missing or when the
    format has none.  `config` is None when missing, unreadable or lost (`lost` says what is gone).  `path` are the
    positions in the indexes from the top, `listed_at` its place in the list of `manifest.json` from 0, None where that
    does not name it, `parent` the digest of the nearest index below `index.json`.
    `direct` is True where an index lists a blob that is no manifest, which is then the only one of `layers`.
    `anomalies` are those of the archive that were met while reading this image.  `later` reads the image, of which
    its manifest's place is known so far; None where that was done.
    """

    number: int = 0
    kind: RecordKind = RecordKind.IMAGE
    kind_reason: str = ""
    formats: tuple[Format, ...] = ()
    names: tuple[Name, ...] = ()
    platform: Platform | None = None
    descriptor: Descriptor | None = None
    manifest: Manifest | Schema1Manifest | None = None
    manifest_bytes: bytes | None = None
    manifest_member: str = ""
    config_descriptor: Descriptor | None = None
    config: ImageConfig | None = None
    config_member: str = ""
    config_state: ConfigState = ConfigState.NONE
    layers: tuple[LayerRecord, ...] = ()
    path: tuple[int, ...] = ()
    listed_at: int | None = None
    parent: Digest | None = None
    annotations: Mapping[str, str] = {}
    subject: Digest | None = None
    artifact_type: str = ""
    labels: tuple[str, ...] = ()
    lost: str = ""
    direct: bool = False
    checks: tuple[DocumentCheck, ...] = ()
    anomalies: tuple[Anomaly, ...] = ()
    later: Callable[[], ImageRecord] | None = None

    @property
    def numbered(self) -> str:
        """Its number and platform, `#2 (linux/arm64)`."""
        return f"#{self.number}" + (f" ({self.platform})" if self.platform else "")

    @property
    def format(self) -> Format:
        """The description that was followed."""
        return self.formats[0]

    def is_described_by(self, description: Description) -> bool:
        """Say whether one of its descriptions is of that sort."""
        return any(format.described_by is description for format in self.formats)

    @property
    def digest(self) -> Digest | None:
        """The manifest's digest, where one is stated."""
        return self.descriptor.digest if self.descriptor else None

    @property
    def image_id(self) -> Digest | None:
        """The digest of the config's bytes: what Docker calls the image id."""
        return self.config.image_id if self.config else None

    @property
    def tags(self) -> tuple[str, ...]:
        """The texts of the names, each once, own names before those of the index."""
        return tuple(dict.fromkeys(name.text for name in sorted(self.names, key=lambda name: name.inherited)))

    @property
    def available(self) -> bool:
        """Whether anything of it is here: its manifest, or what a format without manifests has."""
        here = self.direct or self.manifest is not None or self.later is not None
        return here or self.format.manifests is Manifests.NONE

    @property
    def lacks_manifest(self) -> bool:
        """Whether an OCI layout lists its manifest, and it is not here; `manifest.json` may describe the image."""
        gone = self.manifest is None and self.manifest_bytes is None and self.later is None and not self.direct
        return gone and self.descriptor is not None and self.is_described_by(Description.LAYOUT)

    @property
    def knowledge(self) -> Knowledge:
        """What the documents leave unknown of it; whether its layers can be read to their end shows only a scan."""
        artifact = "" if self.runnable else self.in_words
        return Knowledge(gaps=tuple(_gaps(self)), artifact=artifact, imported=self.format.bare)

    @property
    def called(self) -> tuple[str, str]:
        """What a record that is no image is called, and what that is; the type stands with an artifact."""
        name, about = KIND_WORDS.get(self.kind, (str(self.kind), "nothing to run"))
        return (f"cosign {cosign_part(self)}" if self.kind is RecordKind.COSIGN else name), about

    @property
    def in_words(self) -> str:
        """The same in one clause: `an artifact (text/plain): files that ...`."""
        name, about = self.called
        config = self.config_descriptor.media_type if self.config_descriptor is not None else ""
        kind = self.artifact_type or ("" if config == OCI_EMPTY else config)
        shown = f" ({kind})" if kind and self.kind in (RecordKind.ARTIFACT, RecordKind.UNKNOWN) else ""
        return f"{article(name)} {name}{shown}: {about}"

    @property
    def complete(self) -> bool:
        """Whether the config (where there should be one) and every layer are here and readable."""
        return self.knowledge.whole

    @property
    def unasked(self) -> bool:
        """Whether nobody has seen yet that a layer is there: a registry is asked for one when it is read."""
        homes = [layer.stored.members for layer in self.layers if layer.stored is not None]
        return any(home is not None and home.slow for home in homes)

    @property
    def runnable(self) -> bool:
        """Whether this is an image for a container (`kind` image), complete or not."""
        return self.kind in RUNNABLE

    @property
    def missing(self) -> tuple[str, ...]:
        """What is not here, in words."""
        return tuple(gap.name for gap in self.knowledge.gaps if gap.name)


def read_now(record: ImageRecord) -> ImageRecord:
    """Return a record that was left for later as its documents tell it; any other one as it is."""
    if record.later is None:
        return record
    read = record.later()
    names = tuple(dict.fromkeys((*record.names, *read.names)))
    return msgspec.structs.replace(read, number=record.number, names=names, formats=record.formats, later=None)


def cosign_part(record: ImageRecord) -> Literal["signature", "attestation", "SBOM"]:
    """Return what cosign attached: by the kind in the index, the end of the tag, or the type of its blobs."""
    kind = record.annotations.get("kind", "")
    ends = {name.rpartition(".")[2] for name in record.tags}
    if kind.endswith("/atts") or "att" in ends:
        return "attestation"
    if "sbom" in ends:
        return "SBOM"
    media = [layer.media_type for layer in record.layers]
    return "attestation" if media and all(text.startswith("application/vnd.dsse") for text in media) else "signature"


def _gaps(record: ImageRecord) -> Iterator[Gap]:
    """Yield what is not known of an image by its documents."""
    if record.later is not None:
        yield Gap(
            part=ImagePart.MANIFEST,
            what="which layers and which config the image has",
            why=f"its manifest was not read yet; --image '#{record.number}' reads it",
            name=NOT_READ,
        )
        return
    if not record.available:
        yield _manifest_gap(record)
        return
    lost = record.config_state in (ConfigState.MISSING, ConfigState.DAMAGED)
    if record.config is None and (record.kind is RecordKind.IMAGE or lost):
        yield _config_gap(record)
    for layer in record.layers:
        if layer.state not in (LayerState.PRESENT, LayerState.NO_LAYER) or layer.truncated:
            yield _layer_gap(layer)
    if any(anomaly.code == "v1-missing" for anomaly in record.anomalies):
        yield Gap(
            part=ImagePart.LAYER,
            what=f"what layers below {layer_label(0)} hold",
            why=f"the json of {layer_label(0)}, which would name them, is not readable",
            name="layers",
        )
    listed = len(record.config.diff_ids) if record.config is not None else 0
    if record.kind is RecordKind.IMAGE and listed > len(record.layers):
        # The layers that only the config knows have no name: nothing says where their bytes should be.
        left = listed - len(record.layers)
        more = f"{few(left)} more {noun(left, 'layer')}"
        yield Gap(
            part=ImagePart.LAYER,
            what=f"what {more} {noun(left, 'holds', 'hold')}",
            why=f"the config counts {plural(listed, 'layer')}, and {len(record.layers)} "
            f"{noun(len(record.layers), 'is', 'are')} listed",
            name=more,
        )


def _manifest_gap(record: ImageRecord) -> Gap:
    stated = record.descriptor.digest_text if record.descriptor is not None else ""
    damaged = record.manifest_bytes is not None
    ends = "is damaged" if damaged else "is not in the archive"
    return Gap(
        part=ImagePart.MANIFEST,
        what="which layers and which config the image has",
        why=f"the manifest {short(stated)} {ends}".replace("  ", " "),
        name="manifest",
        damaged=damaged,
    )


def _config_gap(record: ImageRecord) -> Gap:
    descriptor = record.config_descriptor
    stated = short(descriptor.digest_text) if descriptor is not None else record.config_member
    why = {
        ConfigState.MISSING: f"the config {stated} is not in the archive",
        ConfigState.DAMAGED: f"the config {stated} is damaged",
        ConfigState.OTHER: f"what is named as config is {descriptor.media_type if descriptor else ''}, no image config",
    }.get(record.config_state, "nothing names a config")
    return Gap(
        part=ImagePart.CONFIG,
        what="what the image starts, as whom, and how it was built",
        why=why.replace("  ", " "),
        name="config",
        damaged=record.config_state is ConfigState.DAMAGED,
    )


def _layer_gap(layer: LayerRecord) -> Gap:
    label = layer_label(layer.index)
    ends = {
        LayerState.MISSING: "is not in the archive",
        LayerState.FOREIGN: "is a foreign layer, whose bytes live elsewhere",
        LayerState.ENCRYPTED: "is encrypted",
        LayerState.UNSUPPORTED: "is no tar",
    }.get(layer.state, "is cut off")
    return Gap(
        part=ImagePart.LAYER,
        what=f"what layer {label} holds, changes and hides",
        why=f"{label} {ends}",
        name=f"layer {label} ({layer.state})" if layer.state is not LayerState.PRESENT else "",
        layer=layer.index,
        damaged=layer.truncated,
    )


class IndexRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One image index: `children` are the digests that it lists, in order; `index` is None when it is missing.

    `followed` is False where indexes nest too deep: then nobody has looked at what it lists.
    """

    descriptor: Descriptor | None = None
    index: Index | None = None
    member: str = ""
    names: tuple[Name, ...] = ()
    path: tuple[int, ...] = ()
    parent: Digest | None = None
    children: tuple[str, ...] = ()
    raw_bytes: bytes | None = None
    checks: tuple[DocumentCheck, ...] = ()
    followed: bool = True

    @property
    def digest(self) -> Digest | None:
        """The index's digest; None for `index.json` itself."""
        return self.descriptor.digest if self.descriptor else None
