"""Descriptors: how one document points at bytes (image-spec descriptor.md)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from imagepeel.oci.digest import Digest, problem
from imagepeel.oci.json_document import Fields, JsonObject

REF_NAME: Final = "org.opencontainers.image.ref.name"
CONTAINERD_NAME: Final = "io.containerd.image.name"
REFERENCE_TYPE = "vnd.docker.reference.type"
ESTARGZ_TOC = "containerd.io/snapshot/stargz/toc.digest"
ZSTD_CHUNKED_PREFIXES = ("io.github.containers.zstd-chunked.", "io.containers.zstd-chunked.")
"""Of the annotations of a zstd:chunked layer; the second is that of older versions of containers/storage."""
ENCRYPTION_PREFIX = "org.opencontainers.image.enc."


class Platform(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a manifest runs on, as the `platform` object of a descriptor states it (image-index.md); "" when absent."""

    os: str = ""
    """Operating system as Go names it (GOOS)."""
    architecture: str = ""
    """Machine as Go names it (GOARCH)."""
    variant: str = ""
    """Variant of the machine, such as `v7`."""
    os_version: str = ""
    """`os.version`, which Windows images state."""
    os_features: tuple[str, ...] = ()
    """`os.features`, which Windows images state."""

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


class Descriptor(msgspec.Struct, frozen=True, kw_only=True):
    """A reference to bytes (image-spec descriptor.md).  Texts are as written, "" when absent."""

    media_type: str = ""
    """What kind of document or layer the bytes are."""
    digest: Digest | None = None
    """None when `digest_text` is not a well-formed digest: such a descriptor points nowhere."""
    digest_text: str = ""
    """The digest as written.  It is hostile text and must not be used as a path."""
    size: int | None = None
    """Bytes, 0 or more; None when absent or negative."""
    urls: tuple[str, ...] = ()
    """Other places that have the bytes, in file order."""
    annotations: Mapping[str, str] = {}
    """Annotation name to value."""
    data: bytes | None = None
    """The decoded inline copy of the bytes; None when absent or not base64."""
    platform: Platform | None = None
    """None when absent."""
    artifact_type: str = ""
    """Type of the artifact that the descriptor points at."""
    pointer: str = ""
    """JSON pointer (RFC 6901) of the descriptor in its document."""
    raw: JsonObject = {}
    """The whole object with the fields that nothing here reads."""


def descriptor_of(fields: Fields) -> Descriptor:
    """Return the descriptor in a JSON object.  A bad digest, size or `data` is an anomaly and reads as None."""
    digest_text = fields.text("digest")
    wrong = problem(digest_text)
    if wrong:
        fields.note("descriptor-digest", f"the digest {digest_text!r} is invalid: {wrong}", "digest", fatal=True)
    size = fields.integer("size")
    if size is not None and size < 0:
        fields.note("descriptor-size", f"the size {size} is negative", "size", fatal=True)
        size = None
    platform = fields.child("platform")
    return Descriptor(
        media_type=fields.text("mediaType"),
        digest=None if wrong else Digest(digest_text),
        digest_text=digest_text,
        size=size,
        urls=fields.strings("urls") or (),
        annotations=fields.text_map("annotations"),
        data=_data(fields),
        platform=platform_of(platform) if platform else None,
        artifact_type=fields.text("artifactType"),
        pointer=fields.pointer,
        raw=fields.raw,
    )


def platform_of(fields: Fields) -> Platform:
    """Return the platform in a JSON object; a field of a wrong type reads as absent."""
    return Platform(
        os=fields.text("os"),
        architecture=fields.text("architecture"),
        variant=fields.text("variant"),
        os_version=fields.text("os.version"),
        os_features=fields.strings("os.features") or (),
    )


def _data(fields: Fields) -> bytes | None:
    text = fields.text("data")
    if not text:
        return None
    try:
        import base64  # start time

        return base64.b64decode(text, validate=True)
    except ValueError:
        fields.note("descriptor-data", "the inline data is not base64", "data", fatal=True)
        return None
