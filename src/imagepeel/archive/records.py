"""What an archive says it holds, as values: names, images, layers, indexes and the checks made on documents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from imagepeel.archive.members import Member, Members
from imagepeel.archive.source import MemorySource, Source
from imagepeel.errors import MissingBlob
from imagepeel.evidence import Anomaly, Location
from imagepeel.oci.config import ImageConfig
from imagepeel.oci.descriptor import Descriptor, Platform
from imagepeel.oci.digest import Digest
from imagepeel.oci.index import Index
from imagepeel.oci.manifest import Manifest, Schema1Manifest


class Name(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One name of an image, as written, and the place that gave it.

    `origin` is "RepoTags", "repositories", an annotation key, or "schema1".  `inherited` is True when the name
    belongs to the index that lists the image.
    """

    text: str
    origin: str
    inherited: bool = False


class DocumentCheck(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Whether one document has the digest and size that its descriptor states.

    `role` is index, manifest, config or layer (layers only while they are missing or of another size).  `state`
    is "verified", "mismatch", "missing", "not checked" with the reason in `detail`, or "other name": the name of
    the member spells a digest that its bytes do not have, which no engine minds.
    """

    role: str
    state: str
    member: str = ""
    digest: str = ""
    size: int | None = None
    actual_digest: str = ""
    actual_size: int | None = None
    detail: str = ""
    stated_at: Location = Location()


class LayerRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One layer of an image, in base-first order, as the documents describe it.

    `state` is "present", "missing", "foreign" (lives elsewhere, see `urls`, never fetched), "encrypted" or
    "unsupported" (a filesystem image such as squashfs).  `size` and `archive_offset` are those of the stored
    bytes; `digest` and `media_type` are what a descriptor declares, `name_digest` what a member name alone
    suggests; `diff_id` is declared by the config.  `label` names formats recognised by annotations.
    """

    index: int
    state: str
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
    handle: Handle | None = None

    @property
    def location(self) -> Location:
        """The place of this layer."""
        return Location(
            layer=self.index, member=self.member or None, blob=self.digest, archive_offset=self.archive_offset
        )

    def source(self) -> Source:
        """Return the stored bytes, compressed or not.  MissingBlob when the archive does not carry them."""
        if self.handle is None:
            raise MissingBlob(
                f"the bytes of layer L{self.index + 1} are not in the archive",
                self.location,
                "it is a foreign layer: its bytes live at " + ", ".join(self.urls)
                if self.urls
                else "save or copy the image again with all its layers",
            )
        return self.handle.source()


class Handle:
    """The way to some bytes: a member, bytes that a descriptor carries inline, or a source of its own."""

    __slots__ = ("data", "given", "member", "members")

    def __init__(
        self,
        members: Members | None = None,
        member: Member | None = None,
        *,
        data: bytes | None = None,
        given: Source | None = None,
    ) -> None:
        self.members = members
        self.member = member
        self.data = data
        self.given = given

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
        return isinstance(other, Handle) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    @property
    def key(self) -> tuple[Any, ...]:
        """What identifies the bytes inside one archive."""
        return (self.member.name if self.member else None, self.data, id(self.given) if self.given else None)


class ImageRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One image, or something that is stored like one.

    `number` counts from 1 in archive order.  `kind` is image, attestation, artifact, helm, wasm, cosign,
    buildkit-cache, checkpoint, unknown, rootfs or layer, and `kind_reason` the sentence that says how that was
    seen.  `grammar` is the description that was followed, `grammars` all that agree on it.  `manifest` is None
    when missing or when the grammar has none.  `config` is None when missing, unreadable or lost (`lost` says
    what is gone); `config_state` is present, missing, damaged, none, or other (no image config).  `path` are the
    positions in the indexes from the top, `parent` the digest of the nearest index below `index.json`.
    `anomalies` are those of the archive that were met while reading this image.
    """

    number: int = 0
    kind: str = "image"
    kind_reason: str = ""
    grammar: str = ""
    grammars: tuple[str, ...] = ()
    names: tuple[Name, ...] = ()
    platform: Platform | None = None
    descriptor: Descriptor | None = None
    manifest: Manifest | Schema1Manifest | None = None
    manifest_bytes: bytes | None = None
    manifest_member: str = ""
    config_descriptor: Descriptor | None = None
    config: ImageConfig | None = None
    config_member: str = ""
    config_state: str = "none"
    layers: tuple[LayerRecord, ...] = ()
    path: tuple[int, ...] = ()
    parent: Digest | None = None
    annotations: Mapping[str, str] = {}
    subject: Digest | None = None
    artifact_type: str = ""
    labels: tuple[str, ...] = ()
    lost: str = ""
    checks: tuple[DocumentCheck, ...] = ()
    anomalies: tuple[Anomaly, ...] = ()

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
        """Whether anything of it is here: its manifest, or a grammar without manifests."""
        return self.manifest is not None or self.grammar in ("docker-archive", "docker-v1", "rootfs", "layer")

    @property
    def complete(self) -> bool:
        """Whether the config (where there should be one) and every layer are here and readable."""
        return self.available and not self.missing and not any(layer.truncated for layer in self.layers)

    @property
    def runnable(self) -> bool:
        """Whether this is an image for a container (`kind` image), complete or not."""
        return self.kind in ("image", "rootfs", "layer")

    @property
    def missing(self) -> tuple[str, ...]:
        """What is not here, in words."""
        found = []
        if not self.available:
            found.append("manifest")
        elif self.config is None and (self.kind == "image" or self.config_state in ("missing", "damaged")):
            found.append("config")
        found.extend(f"layer L{layer.index + 1} ({layer.state})" for layer in self.layers if layer.state != "present")
        return tuple(found)


class IndexRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One image index: `children` are the digests that it lists, in order; `index` is None when it is missing."""

    descriptor: Descriptor | None = None
    index: Index | None = None
    member: str = ""
    names: tuple[Name, ...] = ()
    path: tuple[int, ...] = ()
    parent: Digest | None = None
    children: tuple[str, ...] = ()
    raw_bytes: bytes | None = None
    checks: tuple[DocumentCheck, ...] = ()

    @property
    def digest(self) -> Digest | None:
        """The index's digest; None for `index.json` itself."""
        return self.descriptor.digest if self.descriptor else None
