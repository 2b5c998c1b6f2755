"""Finding blobs in an archive and checking documents against their descriptors."""

from __future__ import annotations

from typing import Any

from imagepeel.archive.members import Member, Members
from imagepeel.archive.records import (
    BlobSource,
    CheckState,
    ConfigState,
    DocumentCheck,
    DocumentRole,
    LayerRecord,
    LayerState,
)
from imagepeel.errors import DigestMismatch, FetchFailed, ImagepeelError, MissingBlob
from imagepeel.evidence import Anomaly, AnomalyCode, Location, layer_label
from imagepeel.limits import Limits
from imagepeel.oci.config import ImageConfig, parse_config
from imagepeel.oci.descriptor import ENCRYPTION_PREFIX, ESTARGZ_TOC, ZSTD_CHUNKED_PREFIXES, Descriptor
from imagepeel.oci.digest import (
    Digest,
    algorithm_of,
    blob_path,
    can_verify,
    digest_of,
    encoded_of,
    from_hex,
)
from imagepeel.oci.json_document import parse_json
from imagepeel.oci.media_types import LayerFilesystem, classify
from imagepeel.text import plural, stated_and_there

_DOCUMENT_BUDGET = 16
"""All documents together may have this many times the bytes of the largest single one."""
NOT_CARRIED = "the archive does not carry this blob"
_SUFFIXES = ("", ".tar.gz", ".tar.zst", ".tar", ".json", ".manifest.json")
"""The last is how `dir:` calls the manifests of a copy of several platforms (containers/image directory transport)."""


class Blobs:
    """The blobs of one archive.  `used` collects the members that something pointed at."""

    def __init__(self, members: Members, limits: Limits, extra: Members | None = None) -> None:
        self.members = members
        self.limits = limits
        self.extra = extra
        self.used: set[str] = set()
        self.documents: int = 0
        self.layers: int = 0
        self.waiting: bool = False
        self.anomalies: list[Anomaly] = []
        self._budget = _DOCUMENT_BUDGET * limits.json_bytes
        self._tops: frozenset[str] | None = None
        self._hashed: dict[tuple[str, str], Digest] = {}
        self._read: dict[str, bytes] = {}
        self._configs: dict[bytes, tuple[ImageConfig | None, ConfigState]] = {}

    def find(self, digest: Digest) -> BlobSource | None:
        """Return the way to a blob, None when the archive does not carry it.

        First `blobs/<algorithm>/<encoded>`; apko writes blobs to the root as `sha256:<hex>` or `<hex>.tar.gz`,
        `dir:` as bare `<hex>`; last the directory of shared blobs, if one was given.
        """
        algorithm, encoded = algorithm_of(digest), encoded_of(digest)
        if self._tops is None:
            self._tops = frozenset(self.members.top())
        loose = (place for place in (digest, *(encoded + suffix for suffix in _SUFFIXES)) if place in self._tops)
        places = (blob_path(digest), *loose)
        for place in places:
            member = self.members.file(place)
            if member is not None:
                self.used.update((place, member.name, *member.via))
                return BlobSource(self.members, member)
        if self.extra is not None:
            for place in (f"{algorithm}/{encoded}", blob_path(digest), encoded):
                member = self.extra.file(place)
                if member is not None:
                    return BlobSource(self.extra, member)
        return None

    def load(
        self, descriptor: Descriptor, role: DocumentRole, stated_at: Location, checks: list[DocumentCheck]
    ) -> tuple[bytes | None, str]:
        """Return the bytes of a document and the member that held them; (None, "") when missing.

        The result of comparing digest and size with the descriptor is appended to `checks`; a mismatch does not
        keep the bytes back.  Inline `data` stands in for a missing blob when its digest is right.
        """
        digest = descriptor.digest
        if digest is None:
            checks.append(
                DocumentCheck(
                    role=role,
                    state=CheckState.MISSING,
                    digest=descriptor.digest_text,
                    detail="the descriptor has no valid digest",
                    stated_at=stated_at,
                )
            )
            return None, ""
        found = self.find(digest)
        if found is None and descriptor.data is not None:
            return self._inline(descriptor, digest, role, stated_at, checks)
        if found is None or found.member is None:
            checks.append(_absent(role, descriptor, stated_at, NOT_CARRIED))
            return None, ""
        try:
            data, member = self.read(found.member, stated_at, found.members)
        except MissingBlob as error:  # a registry says so when it is asked for the bytes
            checks.append(_absent(role, descriptor, stated_at, error.what))
            return None, ""
        if data is None:
            checks.append(
                DocumentCheck(
                    role=role, state=CheckState.NOT_CHECKED, digest=digest, member=member, size=descriptor.size,
                    detail="the blob cannot be read", stated_at=stated_at,
                )
            )  # fmt: skip
            return None, member
        checks.append(
            compare(role, data, digest, descriptor.size, member=member, stated_at=stated_at, hashed=self._hashed)
        )
        return data, member

    def _inline(
        self,
        descriptor: Descriptor,
        digest: Digest,
        role: DocumentRole,
        stated_at: Location,
        checks: list[DocumentCheck],
    ) -> tuple[bytes | None, str]:
        data = descriptor.data or b""
        check = compare(role, data, digest, descriptor.size, stated_at=stated_at)
        checks.append(check)
        if check.state is CheckState.MISMATCH:
            self.note("descriptor-data", f"the inline data of {digest} has another digest or size", stated_at)
            return None, ""
        return data, ""

    def read(self, member: Member, where: Location, members: Members | None = None) -> tuple[bytes | None, str]:
        """Return the bytes of a document member, None (with an anomaly) when it is too large or unreadable.

        Each member is read once, since thousands of manifests may name the same config.  MissingBlob when it turns
        out not to be there.
        """
        home = members or self.members
        self.used.update((member.name, *member.via))
        known = self._read.get(member.name) if home is self.members else None
        if known is not None:
            return known, member.name
        if member.size > self._budget:
            self.note("document-limit", "the documents together are too large; this one is not read", where, fatal=True)
            return None, member.name
        try:
            data = home.read(member, self.limits.json_bytes)
        except (FetchFailed, DigestMismatch):
            raise  # that a registry cannot be read says nothing of the image
        except ImagepeelError as error:
            if home.slow and isinstance(error, MissingBlob):
                raise  # what is not there is not unreadable
            self.note("document-unreadable", error.what, Location(member=member.name), fatal=True)
            return None, member.name
        self._budget -= len(data)
        if home is self.members:
            self._read[member.name] = data
        return data, member.name

    def config(self, data: bytes, where: Location) -> tuple[ImageConfig | None, ConfigState]:
        """Return (config, PRESENT), or (None, DAMAGED) with an anomaly."""
        known = self._configs.get(data)
        if known is not None:
            return known
        try:
            config, noticed = parse_config(data, where, self.limits)
        except ImagepeelError as error:
            self.note("document-damaged", error.what, error.where or where, fatal=True)
            found: tuple[ImageConfig | None, ConfigState] = (None, ConfigState.DAMAGED)
        else:
            self.anomalies.extend(noticed)
            found = (config, ConfigState.PRESENT)
        self._configs[data] = found
        return found

    def parse(self, data: bytes, where: Location) -> Any:
        """Return the JSON value of a document, None (with an anomaly) when it is damaged."""
        try:
            value, anomalies = parse_json(data, where, self.limits)
        except ImagepeelError as error:
            self.note("document-damaged", error.what, error.where or where, fatal=True)
            return None
        self.anomalies.extend(anomalies)
        return value

    def count_document(self, where: Location) -> bool:
        """Count one followed document; False (once with an anomaly) when the bound is reached."""
        self.documents += 1
        if self.documents <= self.limits.documents:
            return True
        if self.documents == self.limits.documents + 1:
            self.note(
                "document-limit",
                f"more than {self.limits.documents} documents; the rest is not followed",
                where,
                fatal=True,
            )
        return False

    def crowded(self, where: Location) -> bool:
        """Whether the images so far name so many layers that further ones wait until they are asked for.

        Said once with an anomaly.
        """
        if self.layers < self.limits.archive_layers:
            return False
        if not self.waiting:
            self.waiting = True
            self.note(
                "document-limit",
                f"the images so far name {plural(self.layers, 'layer')}; one behind them is read when it is asked for",
                where,
                fatal=True,
            )
        return True

    def note(self, code: AnomalyCode, message: str, where: Location, *, fatal: bool = False) -> None:
        """Record an anomaly."""
        self.anomalies.append(Anomaly(code=code, message=message, where=where, fatal=fatal))

    def layer(
        self,
        index: int,
        descriptor: Descriptor,
        diff_id: str | None,
        where: Location,
        *,
        stored: BlobSource | None = None,
    ) -> LayerRecord:
        """Return the record of one layer that a descriptor names; `stored` where its bytes are, if that is known."""
        self.layers += 1
        media = classify(descriptor.media_type)
        if stored is None and descriptor.digest is not None:
            stored = self.find(descriptor.digest)
            if stored is None and descriptor.data is not None:
                stored = BlobSource(data=descriptor.data)
        member = stored.member if stored else None
        if member is not None:
            self.used.update((member.name, *member.via))
        size = member.size if member else len(descriptor.data or b"") if stored else None
        if stored is None:
            foreign = media.foreign or bool(descriptor.urls)
            state = LayerState.FOREIGN if foreign else LayerState.MISSING
            detail = "foreign layer, its bytes live elsewhere" if foreign else NOT_CARRIED
        else:
            state, detail = _readable(
                media.encrypted or _has_prefix(descriptor, (ENCRYPTION_PREFIX,)), media.filesystem
            )
        if size is not None and descriptor.size is not None and size != descriptor.size:
            self.note(
                "layer-size",
                f"layer {layer_label(index)} is declared with {plural(descriptor.size, 'byte')} and has {size}",
                Location(member=member.name if member else where.member, pointer=descriptor.pointer, layer=index),
                fatal=True,
            )
        return LayerRecord(
            index=index,
            state=state,
            detail=detail,
            member=member.name if member else "",
            media_type=descriptor.media_type,
            digest=descriptor.digest,
            declared_size=descriptor.size,
            size=size,
            diff_id=diff_id,
            name_digest=digest_in_name(member.name) if member else None,
            archive_offset=member.offset if member and member.sparse is None else None,
            descriptor=descriptor,
            urls=descriptor.urls,
            annotations=descriptor.annotations,
            label=_label(descriptor),
            via=member.via if member else (),
            truncated=bool(member and member.truncated),
            stored=stored,
        )


def _absent(role: DocumentRole, descriptor: Descriptor, stated_at: Location, detail: str) -> DocumentCheck:
    return DocumentCheck(
        role=role,
        state=CheckState.MISSING,
        digest=descriptor.digest or "",
        size=descriptor.size,
        stated_at=stated_at,
        detail=detail,
    )


def compare(
    role: DocumentRole,
    data: bytes,
    digest: Digest | None,
    size: int | None,
    *,
    member: str = "",
    stated_at: Location,
    hashed: dict[tuple[str, str], Digest] | None = None,
) -> DocumentCheck:
    """Return the check of a document's bytes against a stated digest and size, both mismatches in one.

    `hashed` remembers digests by member and algorithm: many descriptors may name one large document.
    """
    wrong = []
    if size is not None and size != len(data):
        wrong.append(stated_and_there(size, len(data)))
    actual = ""
    checked = digest is not None and can_verify(digest)
    if digest is not None and checked:
        known = hashed if hashed is not None and member else {}
        key = (member, algorithm_of(digest))
        if key not in known:
            known[key] = digest_of(data, algorithm_of(digest))
        actual = known[key]
        if actual != digest:
            wrong.append("the bytes have another digest")
    if wrong:
        state, detail = CheckState.MISMATCH, " and ".join(wrong)
    elif checked:
        state, detail = CheckState.VERIFIED, ""
    else:
        state = CheckState.NOT_CHECKED
        detail = "no digest is stated" if digest is None else f"{algorithm_of(digest)} cannot be computed here"
    return DocumentCheck(
        role=role, state=state, member=member, digest=digest or "", size=size, actual_digest=actual,
        actual_size=len(data), detail=detail, stated_at=stated_at,
    )  # fmt: skip


def digest_in_name(name: str) -> Digest | None:
    """Return the digest that a member name spells: `blobs/sha256/<hex>`, `sha256:<hex>`, `<hex>.tar.gz`, ...

    It is a habit of the writing programs and promises nothing: Docker 25 names a layer by its DiffID.
    """
    parts = name.split("/")
    if len(parts) >= 3 and parts[-3] == "blobs":
        return from_hex(_stem(parts[-1]), parts[-2])
    if len(parts) != 1:
        return None
    algorithm, colon, encoded = name.partition(":")
    return from_hex(encoded, algorithm) if colon else from_hex(_stem(name))


def _stem(name: str) -> str:
    for suffix in (".tar.gz", ".tar.zst", ".tar", ".json", ".gz"):
        if name.endswith(suffix):
            return name[: -len(suffix)]
    return name


def _readable(encrypted: bool, filesystem: LayerFilesystem) -> tuple[LayerState, str]:
    if encrypted:
        return LayerState.ENCRYPTED, "encrypted layer: its bytes are unreadable without the key"
    if filesystem in ("squashfs", "erofs"):
        return LayerState.UNSUPPORTED, f"the layer is a {filesystem} filesystem image, not a tar"
    return LayerState.PRESENT, ""


def _has_prefix(descriptor: Descriptor, prefixes: tuple[str, ...]) -> bool:
    return any(key.startswith(prefixes) for key in descriptor.annotations)


def _label(descriptor: Descriptor) -> str:
    if ESTARGZ_TOC in descriptor.annotations:
        return "eStargz"
    return "zstd:chunked" if _has_prefix(descriptor, ZSTD_CHUNKED_PREFIXES) else ""
