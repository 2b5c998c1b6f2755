"""Images of an OCI layout: from `index.json` through nested indexes to manifests, configs and layers.

Missing blobs are a state: `docker save` on the containerd store lists every platform of an image and carries one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, TypeVar

import msgspec

from imagepeel.archive.blobs import Blobs
from imagepeel.archive.classify import kind_of_descriptor, kind_of_manifest
from imagepeel.archive.records import (
    RUNNABLE,
    CheckState,
    ConfigState,
    DocumentCheck,
    Format,
    ImageRecord,
    IndexRecord,
    LayerRecord,
    LayerState,
    Name,
    RecordKind,
)
from imagepeel.errors import ImagepeelError, Malformed
from imagepeel.evidence import Anomaly, Location
from imagepeel.oci.config import ImageConfig
from imagepeel.oci.descriptor import CONTAINERD_NAME, REF_NAME, Descriptor, Platform
from imagepeel.oci.digest import Digest, digest_of, problem
from imagepeel.oci.index import Index, index_of
from imagepeel.oci.json_document import escaped, lookup
from imagepeel.oci.layout import MARKER, layout_version_of
from imagepeel.oci.manifest import DocumentShape, Manifest, manifest_of, schema1_of, shape_of
from imagepeel.oci.media_types import IMAGE_CONFIGS, OCI_EMPTY, SCHEMA1, MediaRole, classify
from imagepeel.serialization import from_json
from imagepeel.text import plural

_T = TypeVar("_T")
TOP = "index.json"
_MOST_INHERITED = 50
"""Names that an image takes over from the indexes above it: names times images must not multiply."""


class _Read(msgspec.Struct, frozen=True, kw_only=True):
    """One document that was looked up: its JSON value, its bytes and what it is by its fields."""

    value: Any
    data: bytes | None
    member: str
    shape: DocumentShape
    checks: tuple[DocumentCheck, ...]


class _Glance(msgspec.Struct):
    """What a look at a descriptor of a manifest sees."""

    mediaType: str = ""
    digest: str = ""


class OciImages:
    """What the walk found: `records` in the order of the indexes, each manifest once; `indexes` likewise.

    `format` is that of the images.
    """

    def __init__(self, blobs: Blobs, format: Format) -> None:
        self.blobs = blobs
        self.format = format
        self.records: list[ImageRecord] = []
        self.indexes: list[IndexRecord] = []
        self._where: dict[str, int] = {}
        self._indexes: dict[str, int] = {}
        self._more_names: dict[int, list[Name]] = {}
        self._more_index_names: dict[int, list[Name]] = {}

    def walk(self, index: Any) -> None:
        """Follow a parsed `index.json`.  Malformed when it is no JSON object."""
        place = Location(member=TOP)
        if not isinstance(index, dict):
            raise Malformed("index.json is not a JSON object", place, "the layout is damaged")
        self.blobs.used.update((TOP, MARKER))
        self._check_layout()
        noticed: list[Anomaly] = []
        value = index_of(index, place, noticed, self.blobs.limits)
        self.blobs.anomalies.extend(noticed)
        if not value.manifests:
            what = "is null or missing" if value.manifests is None else "is empty"
            self.blobs.note("oci-index-empty", f"the list of manifests in index.json {what}: it names no image", place)
        self.indexes.append(IndexRecord(index=value, member=TOP, children=_children(value)))
        for position, descriptor in enumerate(value.manifests or ()):
            self._follow(descriptor, (position,), None, place, ())
        self._inherit_names()

    def given(self, value: Any, data: bytes, member: str) -> None:
        """Follow one manifest or index that lies under a name instead of a digest (`dir:`)."""
        media_type = str(lookup(value, "mediaType") or "") if isinstance(value, dict) else ""
        descriptor = Descriptor(
            media_type=media_type, digest=digest_of(data), digest_text=digest_of(data), size=len(data)
        )
        shape = self._shape(classify(media_type).role if media_type else "other", value, Location(member=member))
        if not shape:
            raise Malformed(
                f"{member} is neither a manifest nor an index", Location(member=member), "the file is damaged"
            )
        checks = [
            DocumentCheck(
                role="manifest", state=CheckState.NOT_CHECKED, member=member, actual_digest=digest_of(data),
                actual_size=len(data), detail="nothing states the digest of the top document",
            )
        ]  # fmt: skip
        read = _Read(value=value, data=data, member=member, shape=shape, checks=tuple(checks))
        self._read(descriptor.digest or "", descriptor, read, path=(0,))
        self._inherit_names()

    def _check_layout(self) -> None:
        member = self.blobs.members.get(MARKER)
        place = Location(member=MARKER)
        if member is None or member.kind != "file":
            self.blobs.note("layout-marker", "the oci-layout marker file is missing; strict readers refuse", place)
            return
        data, _ = self.blobs.read(member, place)
        value = self.blobs.parse(data, place) if data is not None else None
        if value is not None:
            layout_version_of(value, place, self.blobs.anomalies)

    def _follow(
        self,
        descriptor: Descriptor,
        path: tuple[int, ...],
        parent: Digest | None,
        stated: Location,
        trail: tuple[str, ...],
    ) -> None:
        stated_at = Location(member=stated.member, blob=stated.blob, pointer=descriptor.pointer)
        if not self.blobs.count_document(stated_at):
            return
        names = names_of(descriptor, stated_at) if len(path) == 1 else ()
        key = descriptor.digest or f"{descriptor.digest_text}@{path}"
        if key in trail:
            self.blobs.note("index-loop", f"the index {key} contains itself", stated_at)
            return
        if key in self._indexes:
            self._more_index_names.setdefault(self._indexes[key], []).extend(names)
            return
        if key in self._where:
            self._again(self._where[key], descriptor, names, stated_at)
            return
        slow = self._is_slow(descriptor)
        if slow or self.blobs.crowded(stated_at):
            base = self._base(descriptor, path=path, parent=parent, names=names)
            later = partial(self._later, base, stated_at)
            waiting = self._unseen(base, later) if slow else self._waiting(base, later)
            if waiting is not None:
                self._where[key] = len(self.records)
                self.records.append(waiting)
                return
        before = len(self.blobs.anomalies)
        read = self._load(descriptor, stated_at)
        self._read(key, descriptor, read, path=path, parent=parent, trail=trail, names=names, before=before)

    def _again(self, at: int, descriptor: Descriptor, names: tuple[Name, ...], stated_at: Location) -> None:
        """A second descriptor of the same manifest: more names, perhaps another size or platform."""
        known = self.records[at]
        first = known.descriptor
        if first is not None and first.size != descriptor.size:
            self.blobs.note(
                "descriptor-conflict",
                f"two descriptors of {descriptor.digest} state {first.size} and {plural(descriptor.size or 0, 'byte')}",
                stated_at,
            )
        self._more_names.setdefault(at, []).extend(names)
        if known.platform is None and descriptor.platform is not None:
            self.records[at] = msgspec.structs.replace(known, platform=descriptor.platform)

    def _load(self, descriptor: Descriptor, stated_at: Location) -> _Read:
        role = classify(descriptor.media_type).role
        checks: list[DocumentCheck] = []
        data: bytes | None = None
        value: Any = None
        member = ""
        if role in ("index", "manifest", "schema1", "other"):
            data, member = self.blobs.load(descriptor, "index" if role == "index" else "manifest", stated_at, checks)
            # A blob of an unknown type may be anything; only JSON is looked into.
            if data is not None and (role != "other" or data.lstrip()[:1] == b"{"):
                value = self.blobs.parse(data, Location(member=member or None, blob=descriptor.digest))
        elif descriptor.digest is not None:
            self.blobs.find(descriptor.digest)
        shape = self._shape(role, value, stated_at)
        if role == "index" and value is None:
            shape = "index"
        return _Read(value=value, data=data, member=member, shape=shape, checks=tuple(checks))

    def _read(
        self,
        key: str,
        descriptor: Descriptor,
        read: _Read,
        *,
        path: tuple[int, ...],
        parent: Digest | None = None,
        trail: tuple[str, ...] = (),
        names: tuple[Name, ...] = (),
        before: int = 0,
    ) -> None:
        """Add the record of one document, and of what it lists; `before` counts the anomalies met earlier."""
        place = Location(member=read.member or None, blob=descriptor.digest)
        if read.shape == "index":
            index = self._index(descriptor, read, place, path=path, parent=parent, names=names)
            self._indexes[key] = len(self.indexes)
            self.indexes.append(index)
            if not index.followed:
                self.blobs.note("index-depth", f"indexes nest deeper than {len(path)}; not followed", place, fatal=True)
                return
            for position, child in enumerate((index.index.manifests if index.index else None) or ()):
                self._follow(child, (*path, position), descriptor.digest, place, (*trail, key))
            return
        self._where[key] = len(self.records)
        self.records.append(
            self._record(self._base(descriptor, path=path, parent=parent, names=names), read, place, before)
        )

    def _base(
        self, descriptor: Descriptor, *, path: tuple[int, ...], parent: Digest | None, names: tuple[Name, ...]
    ) -> ImageRecord:
        """Return what the index says of an image."""
        return ImageRecord(
            number=len(self.records) + 1,
            formats=(self.format,),
            names=names,
            platform=descriptor.platform,
            descriptor=descriptor,
            path=path,
            parent=parent,
            annotations=descriptor.annotations,
            artifact_type=descriptor.artifact_type,
        )

    def _record(self, base: ImageRecord, read: _Read, place: Location, before: int) -> ImageRecord:
        """Return the record of a document that is no index; `before` counts the anomalies met earlier."""
        descriptor = base.descriptor
        assert descriptor is not None
        base = msgspec.structs.replace(base, manifest_bytes=read.data, manifest_member=read.member)
        build = {"schema1": self._schema1, "manifest": self._manifest}.get(read.shape)
        record = build(base, read.value, place, list(read.checks)) if build else _unread(base, list(read.checks))
        if not build and classify(descriptor.media_type).role not in ("manifest", "index", "schema1"):
            # The index lists a blob itself, as that of a build cache does: no manifest is missing.
            blob = part_of(record.kind, self.blobs.layer(0, descriptor, None, place))
            if blob.stored is not None:
                record = msgspec.structs.replace(record, direct=True, manifest_member="", layers=(blob,))
        return msgspec.structs.replace(record, anomalies=tuple(self.blobs.anomalies[before:]))

    def _later(self, base: ImageRecord, stated_at: Location) -> ImageRecord:
        """Read an image that was left for later."""
        assert base.descriptor is not None
        before = len(self.blobs.anomalies)
        read = self._load(base.descriptor, stated_at)
        place = Location(member=read.member or None, blob=base.descriptor.digest)
        return self._record(base, read, place, before)

    def _is_slow(self, descriptor: Descriptor) -> bool:
        """Whether a manifest waits until somebody asks for it: its platform is known, and to read it costs a lot."""
        manifest = classify(descriptor.media_type).role == "manifest" and descriptor.platform is not None
        return self.blobs.members.slow and manifest and descriptor.digest is not None

    def _unseen(self, base: ImageRecord, later: Callable[[], ImageRecord]) -> ImageRecord | None:
        """Return the record of an image that is read later, by its descriptor alone; None where its bytes are gone."""
        descriptor = base.descriptor
        found = self.blobs.find(descriptor.digest) if descriptor is not None and descriptor.digest is not None else None
        if descriptor is None or found is None or found.member is None:
            return None
        kind, reason = kind_of_descriptor(descriptor, [name.text for name in base.names])
        return msgspec.structs.replace(
            base, kind=kind, kind_reason=reason, manifest_member=found.member.name, later=later
        )

    def _waiting(self, base: ImageRecord, later: Callable[[], ImageRecord]) -> ImageRecord | None:
        """Return the record of an image that is read later; None of an index, and of what has to be read to say more.

        A look at the document says whether it is an index, which config it names, and what kinds of layers.
        """
        descriptor = base.descriptor
        found = self.blobs.find(descriptor.digest) if descriptor is not None and descriptor.digest is not None else None
        if descriptor is None or found is None or found.member is None or found.members is None:
            return None
        try:
            fields = from_json(found.members.read(found.member, self.blobs.limits.json_bytes), dict[str, msgspec.Raw])
        except (ImagepeelError, msgspec.DecodeError, RecursionError):
            return None
        kinds = {key.lower() for key in fields}
        if "manifests" in kinds and not kinds & {"layers", "config", "fslayers"}:
            return None
        config = _glance(fields.get("config"), _Glance)
        layers = {layer.mediaType for layer in _glance(fields.get("layers"), list[_Glance]) or ()}
        texts = [name.text for name in base.names]
        kind, reason = kind_of_descriptor(descriptor, texts)
        named = None
        if config is not None:
            named = Descriptor(
                media_type=config.mediaType,
                digest=None if problem(config.digest) else Digest(config.digest),
                digest_text=config.digest,
            )
            manifest = Manifest(config=named, layers=tuple(Descriptor(media_type=one) for one in sorted(layers)))
            kind, reason = kind_of_manifest(manifest, base.annotations, texts)
        return msgspec.structs.replace(
            base, kind=kind, kind_reason=reason, manifest_member=found.member.name, config_descriptor=named, later=later
        )

    def _shape(self, role: MediaRole, value: Any, where: Location) -> DocumentShape:
        """Return what to read a document as: what its fields show, or its media type where they show both."""
        shape = shape_of(value)
        if shape == "both":
            self.blobs.note(
                "manifest-shape",
                "the document has the fields of an index and of a manifest; readers disagree on what it is",
                where,
                fatal=True,
            )
            return "index" if role == "index" else "manifest"
        if shape and role != "other" and shape != role:
            self.blobs.note(
                "media-type-shape", f"the media type says {role} and the document is a {shape}", where, fatal=True
            )
        return shape

    def _index(
        self,
        descriptor: Descriptor,
        read: _Read,
        place: Location,
        *,
        path: tuple[int, ...],
        parent: Digest | None,
        names: tuple[Name, ...],
    ) -> IndexRecord:
        index = None
        if isinstance(read.value, dict):
            noticed: list[Anomaly] = []
            index = index_of(read.value, place, noticed, self.blobs.limits)
            self.blobs.anomalies.extend(noticed)
        return IndexRecord(
            descriptor=descriptor,
            index=index,
            member=read.member,
            names=names,
            path=path,
            parent=parent,
            children=_children(index),
            raw_bytes=read.data,
            checks=read.checks,
            followed=len(path) < self.blobs.limits.index_depth,
        )

    def _manifest(self, base: ImageRecord, value: Any, where: Location, checks: list[DocumentCheck]) -> ImageRecord:
        noticed: list[Anomaly] = []
        manifest = manifest_of(value, where, noticed, self.blobs.limits)
        annotations = {**manifest.annotations, **base.annotations}
        kind, reason = kind_of_manifest(manifest, base.annotations, (name.text for name in base.names))
        media = classify(base.descriptor.media_type if base.descriptor else "")
        if manifest.media_type and base.descriptor and media.role == "manifest" and manifest.media_type != media.text:
            self.blobs.note(
                "media-type-conflict",
                f"the descriptor says {media.text} and the manifest says {manifest.media_type}",
                where,
            )
        self.blobs.anomalies.extend(noticed)
        config, config_member, state = self._config(manifest, where, checks)
        diff_ids = config.diff_ids if config and kind is RecordKind.IMAGE else ()
        layers = tuple(part_of(kind, layer) for layer in self._layers(manifest, diff_ids, where))
        if config is not None and kind is RecordKind.IMAGE:
            note_layer_count(self.blobs, len(layers), config, where)
        return msgspec.structs.replace(
            base,
            kind=kind,
            kind_reason=reason,
            platform=base.platform or platform_of_config(config),
            manifest=manifest,
            config_descriptor=manifest.config,
            config=config,
            config_member=config_member,
            config_state=state,
            layers=layers,
            annotations=annotations,
            subject=manifest.subject.digest if manifest.subject else None,
            artifact_type=manifest.artifact_type or base.artifact_type,
            labels=_labels(layers, annotations),
            checks=tuple(checks),
        )

    def _layers(self, manifest: Manifest, diff_ids: tuple[str, ...], where: Location) -> tuple[LayerRecord, ...]:
        layers = manifest.layers
        return tuple(
            self.blobs.layer(i, layer, diff_ids[i] if i < len(diff_ids) else None, where)
            for i, layer in enumerate(layers)
        )

    def _config(
        self, manifest: Manifest, where: Location, checks: list[DocumentCheck]
    ) -> tuple[ImageConfig | None, str, ConfigState]:
        """Return (config, member, state)."""
        descriptor = manifest.config
        if descriptor is None:
            return None, "", ConfigState.NONE
        stated_at = Location(member=where.member, blob=where.blob, pointer="/config")
        data, member = self.blobs.load(descriptor, "config", stated_at, checks)
        if data is None:
            return None, member, ConfigState.DAMAGED if member else ConfigState.MISSING
        if descriptor.media_type == OCI_EMPTY or (descriptor.media_type and descriptor.media_type not in IMAGE_CONFIGS):
            return None, member, ConfigState.OTHER
        config, state = self.blobs.config(data, Location(member=member or None, blob=descriptor.digest))
        return config, member, state

    def _schema1(self, base: ImageRecord, value: Any, where: Location, checks: list[DocumentCheck]) -> ImageRecord:
        noticed: list[Anomaly] = []
        manifest = schema1_of(value, where, noticed, self.blobs.limits)
        self.blobs.anomalies.extend(noticed)
        # A signed schema 1 manifest is addressed by its payload without the signatures, so its bytes never match.
        settled = [
            msgspec.structs.replace(
                check, state=CheckState.NOT_CHECKED, detail="the digest is over the unsigned payload"
            )
            if check.role == "manifest" and check.state is CheckState.MISMATCH and manifest.signed
            else check
            for check in checks
        ]
        text = f"{manifest.name}:{manifest.tag}" if manifest.tag else manifest.name
        name = (Name(text=text, origin="schema1", where=msgspec.structs.replace(where, pointer="/name")),)
        layers = tuple(
            self.blobs.layer(index, Descriptor(digest=digest, digest_text=digest or ""), None, where)
            for index, digest in enumerate(manifest.layers[: self.blobs.limits.layers])
        )
        return msgspec.structs.replace(
            base,
            kind_reason="it is a Docker schema 1 manifest: its config is spread over its history",
            names=merged(base.names, name if manifest.name else ()),
            platform=base.platform or platform_of_config(manifest.config),
            manifest=manifest,
            config=manifest.config,
            config_member=base.manifest_member,
            config_state=ConfigState.PRESENT,
            layers=layers,
            labels=("schema 1",),
            checks=tuple(settled),
        )

    def _inherit_names(self) -> None:
        """Give each image its further names and, marked as such, those of the indexes that list it."""
        for at, names in self._more_index_names.items():
            known = self.indexes[at]
            self.indexes[at] = msgspec.structs.replace(known, names=merged(known.names, names))
        above: dict[str, tuple[Name, ...]] = {}
        for record in self.indexes:
            inherited = tuple(msgspec.structs.replace(name, inherited=True) for name in record.names[:_MOST_INHERITED])
            if inherited and record.digest is not None:
                above[record.digest] = inherited
        pending = list(above)
        while pending:
            names_above = above[(digest := pending.pop())]
            at = self._indexes.get(digest, -1)
            for child in self.indexes[at].children if at >= 0 else ():
                if child in self._where:
                    self._more_names.setdefault(self._where[child], []).extend(names_above)
                elif child in self._indexes:
                    known_above = above.get(child, ())
                    more = merged(known_above, names_above)[:_MOST_INHERITED]
                    if more != known_above:
                        above[child] = more
                        pending.append(child)
        for at, names in self._more_names.items():
            image = self.records[at]
            self.records[at] = msgspec.structs.replace(image, names=merged(image.names, names))


def _glance(part: msgspec.Raw | None, kind: type[_T]) -> _T | None:
    """Return a part of a document without what nobody asks for yet; None where it is of another form."""
    try:
        return None if part is None else from_json(memoryview(part), kind)
    except (msgspec.DecodeError, RecursionError):
        return None


def _unread(base: ImageRecord, checks: list[DocumentCheck]) -> ImageRecord:
    assert base.descriptor is not None
    kind, reason = kind_of_descriptor(base.descriptor, (name.text for name in base.names))
    if kind is RecordKind.IMAGE and base.descriptor.media_type in SCHEMA1:
        reason = "the index lists it as a Docker schema 1 manifest"
    return msgspec.structs.replace(base, kind=kind, kind_reason=reason, checks=tuple(checks))


def part_of(kind: RecordKind, layer: LayerRecord) -> LayerRecord:
    """Return a blob of a record of that kind: what an artifact holds is no layer unless its type says so."""
    if kind in RUNNABLE or layer.state is not LayerState.PRESENT or classify(layer.media_type).role == "layer":
        return layer
    return msgspec.structs.replace(layer, state=LayerState.NO_LAYER, detail="a part of an artifact, no file system")


def names_of(descriptor: Descriptor, where: Location) -> tuple[Name, ...]:
    """Return the names that the annotations of a top-level descriptor (at `where`) give, the full reference first.

    `org.opencontainers.image.ref.name` holds a tag, a full reference or anything else, depending on who wrote it.
    """
    found = []
    for key in (CONTAINERD_NAME, REF_NAME):
        value = descriptor.annotations.get(key)
        if value:
            place = msgspec.structs.replace(where, pointer=f"{where.pointer or ''}/annotations/{escaped(key)}")
            found.append(Name(text=value, origin=key, where=place))
    return tuple(found)


def merged(names: Iterable[Name], more: Iterable[Name]) -> tuple[Name, ...]:
    """Return both lists of names, each text and origin once."""
    found: dict[tuple[str, str], Name] = {}
    for name in (*names, *more):
        found.setdefault((name.text, name.origin), name)
    return tuple(found.values())


def note_layer_count(blobs: Blobs, layers: int, config: ImageConfig, where: Location) -> None:
    """Record when layers, DiffIDs and history steps do not pair up."""
    said = where.member if where.member == "manifest.json" else "the manifest"
    # podman and its kin count in an archive of docker save, and take a layout.
    who = "engines" if where.pointer else "Docker and containerd"
    if layers != len(config.diff_ids):
        blobs.note(
            "layer-count",
            f"{said} lists {plural(layers, 'layer')} and the config {plural(len(config.diff_ids), 'DiffID')}; {who} "
            "refuse that",
            msgspec.structs.replace(where, pointer=f"{where.pointer}/Layers" if where.pointer else "/layers"),
            fatal=True,
        )
    made, listed = len(config.layer_steps), len(config.diff_ids)
    if config.history is not None and made != listed:
        blobs.note(
            "history-count",
            f"{plural(made, 'history step')} {'says that it' if made == 1 else 'say that they'} made a layer and there "
            f"{'is' if listed == 1 else 'are'} {plural(listed, 'DiffID')}",
            where,
        )


def platform_of_config(config: ImageConfig | None) -> Platform | None:
    """Return the platform that a config states, None when it states none."""
    if config is None or not (config.os or config.architecture):
        return None
    return Platform(
        os=config.os,
        architecture=config.architecture,
        variant=config.variant,
        os_version=config.os_version,
        os_features=config.os_features,
    )


def _children(index: Index | None) -> tuple[str, ...]:
    return tuple(child.digest or child.digest_text for child in (index.manifests if index else None) or ())


def _labels(layers: Iterable[LayerRecord], annotations: Any) -> tuple[str, ...]:
    found = dict.fromkeys(layer.label for layer in layers if layer.label)
    if annotations.get("module.wasm.image/variant", "").startswith("compat"):
        found["wasm (compat)"] = None
    return tuple(found)
