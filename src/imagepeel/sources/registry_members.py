"""An image of a registry as the members of an OCI layout, whose blobs are fetched when they are read."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import msgspec

from imagepeel.archive.members import Medium, Member, Members, missing, normalise
from imagepeel.archive.source import MemorySource, Source
from imagepeel.errors import ImagepeelError, LimitExceeded
from imagepeel.evidence import Location
from imagepeel.limits import Limits
from imagepeel.oci.descriptor import REF_NAME, Descriptor
from imagepeel.oci.digest import Digest, blob_path
from imagepeel.oci.index import index_of
from imagepeel.oci.json_document import parse_json
from imagepeel.oci.layout import MARKER, VERSION
from imagepeel.oci.manifest import manifest_of, shape_of
from imagepeel.oci.media_types import classify
from imagepeel.serialization import to_json
from imagepeel.sources.fetched import BLOCK, Fetched, changed
from imagepeel.sources.image_name import parse_name
from imagepeel.sources.registry import Registry
from imagepeel.sources.remote_blob import RemoteBlob
from imagepeel.sources.request import Given, Request, Version
from imagepeel.sources.web import Body
from imagepeel.sources.words import Word
from imagepeel.text import plural

INDEX = "index.json"
_EMPTY = b'{"imageLayoutVersion":"%s"}' % VERSION.encode()


class _Known(msgspec.Struct, frozen=True):
    """What a document states of a blob: its digest and size, and whether it is a manifest."""

    digest: Digest
    size: int
    manifest: bool


class RegistryMembers(Members):
    """The layout that a copy of the image would be.

    A blob is a member from when a document that was read names it,
    until the registry says that it does not have it.  `index.json` and `oci-layout` are ours: the
    registry has the manifest that a tag names, and no list of them.
    """

    medium: Medium = "directory"
    slow: bool = True
    own: frozenset[str] = frozenset((MARKER, INDEX))

    def __init__(self, registry: Registry, name: str, limits: Limits, *, verify: bool) -> None:
        super().__init__(name, limits)
        self.registry: Registry = registry
        self._verify = verify
        self._lock = threading.Lock()
        self._documents: dict[str, bytes] = {}
        self._known: dict[str, _Known] = {}
        self._blobs: dict[str, RemoteBlob | Fetched] = {}
        data, media_type, digest = registry.manifest(registry.name.last)
        top = {"mediaType": media_type, "digest": digest, "size": len(data)}
        if not registry.name.digest:
            top["annotations"] = {REF_NAME: str(registry.name)}
        self._documents[MARKER] = _EMPTY
        self._documents[INDEX] = to_json({"schemaVersion": 2, "manifests": [top]})
        self._known[blob_path(digest)] = _Known(digest, len(data), True)
        self._documents[blob_path(digest)] = data
        self._learn(data)
        self.told: str = (
            f"it is in the registry {registry.name.host}, whose manifests point at blobs by digest as those of an OCI "
            "layout do; a blob is fetched when it is looked at"
        )

    def __iter__(self) -> Iterator[Member]:
        names = [MARKER, INDEX, *(name for name, known in self._known.items() if not self._gone(known))]
        return (self._member(name, at) for at, name in enumerate(names))

    def get(self, name: str) -> Member | None:
        wanted = normalise(name)
        known = self._known.get(wanted)
        if known is not None and self._gone(known):
            return None
        if known is not None or wanted in self._documents:
            return self._member(wanted, 0)
        if any(place.startswith(wanted + "/") for place in self._known):
            return Member(name=wanted, kind="dir", raw_name=wanted.encode())
        return None

    def source(self, member: Member) -> Source:
        name = member.name
        if name in self._documents:
            return MemorySource(self._documents[name], name)
        known = self._known.get(name)
        if known is None:
            raise missing(name)
        if known.manifest:
            return MemorySource(self.read(member, self.limits.json_bytes), name)
        with self._lock:
            blob = self._blobs.get(name)
            if blob is None:
                blob = self._in_parts(known) if not self._verify and known.size > BLOCK else None
                blob = blob or RemoteBlob(self.registry, known.digest, known.size, self.limits, verify=self._verify)
                self._blobs[name] = blob
        # A reader that closes its source must not close the blob for the next one.
        return blob.window(0, blob.size, name) if isinstance(blob, Fetched) else blob

    def _in_parts(self, known: _Known) -> Fetched | None:
        """Return a blob of which only those parts come that are read; None where the registry gives no parts.

        No digest can be computed of it.
        """

        def reach(offset: int, end: int) -> Body:
            answer = self.registry.part(known.digest, offset, end)
            if answer.status != 206:
                answer.close()
                raise changed(str(known.digest))
            return Body(answer, end - offset)

        first = self.registry.part(known.digest, 0, BLOCK)
        if first.status != 206:
            first.close()
            return None
        blob = Fetched(str(known.digest), known.size, reach, self.limits)
        blob.begin(Body(first, BLOCK), BLOCK)
        return blob

    def read(self, member: Member, cap: int) -> bytes:
        name = member.name
        data = self._documents.get(name)
        known = self._known.get(name)
        if data is None and known is not None:
            if known.size > cap:
                raise LimitExceeded(
                    f"{name} has {plural(known.size, 'byte')}, more than the {cap} allowed for a document",
                    Location(member=name),
                    "raise Limits.json_bytes if you trust the registry",
                )
            if known.manifest:
                data = self.registry.listed(known.digest)
                self._learn(data)
            else:
                data = self.registry.blob(known.digest).read(cap)
            self._documents[name] = data
        return super().read(member, cap) if data is None else data

    def top(self) -> tuple[str, ...]:
        return (MARKER, INDEX, "blobs")

    def close(self) -> None:
        for blob in self._blobs.values():
            if isinstance(blob, Fetched):
                blob.close()
            else:
                blob.release()
        self.registry.close()

    def _member(self, name: str, at: int) -> Member:
        data = self._documents.get(name)
        size = len(data) if data is not None else self._known[name].size
        return Member(name=name, raw_name=name.encode(), size=size, index=at)

    def _gone(self, known: _Known) -> bool:
        return known.digest in self.registry.gone

    def _learn(self, data: bytes) -> None:
        """Add the blobs that a document names; what is wrong with it, its reader says."""
        place = Location()
        try:
            value, _ = parse_json(data, place, self.limits)
        except ImagepeelError:
            return
        shape = shape_of(value)
        if shape in ("index", "both"):
            for listed in index_of(value, place, [], self.limits).manifests or ():
                self._add(listed)
        if shape in ("manifest", "both"):
            manifest = manifest_of(value, place, [], self.limits)
            for descriptor in (manifest.config, *manifest.layers):
                if descriptor is not None:
                    self._add(descriptor)

    def _add(self, descriptor: Descriptor) -> None:
        media = classify(descriptor.media_type)
        # What a foreign layer names is elsewhere, and nothing is fetched from there.
        if descriptor.digest is None or descriptor.size is None or descriptor.data is not None:
            return
        if media.foreign or descriptor.urls:
            return
        is_manifest = media.role in ("manifest", "index", "schema1")
        self._known.setdefault(blob_path(descriptor.digest), _Known(descriptor.digest, descriptor.size, is_manifest))


def open_registry(word: Word, request: Request) -> Given:
    """Return the image that a word names in a registry: what `parse_name` and `Registry.manifest` raise, else."""
    name = parse_name(word.rest)
    registry = Registry(name, request)
    try:
        return Given(what=RegistryMembers(registry, str(word), request.limits, verify=request.verify))
    except BaseException:
        registry.close()
        raise


def registry_version(word: Word, request: Request) -> Version | None:
    """Return the digest of the manifest or index that a word names now, None where the registry does not say."""
    registry = Registry(parse_name(word.rest), request)
    try:
        found = registry.digest_now()
    except ImagepeelError:
        return None  # who opens it asks with patience, and says what is wrong
    finally:
        registry.close()
    return Version(stamp=found, digest=True) if found else None
