"""Descriptors: how one document points at bytes (image-spec descriptor.md)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping

import msgspec

from imagepeel.oci.digest import Digest, problem
from imagepeel.oci.json_document import Fields, JsonObject

REF_NAME = "org.opencontainers.image.ref.name"
CONTAINERD_NAME = "io.containerd.image.name"
REFERENCE_TYPE = "vnd.docker.reference.type"
ESTARGZ_TOC = "containerd.io/snapshot/stargz/toc.digest"
ZSTD_CHUNKED_PREFIX = "io.github.containers.zstd-chunked."
ENCRYPTION_PREFIX = "org.opencontainers.image.enc."


class Platform(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a manifest runs on, as the `platform` object of a descriptor states it (image-index.md)."""

    os: str = ""
    architecture: str = ""
    variant: str = ""
    os_version: str = ""
    os_features: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


class Descriptor(msgspec.Struct, frozen=True, kw_only=True):
    """A reference to bytes.

    `digest` is None when `digest_text` is not a well-formed digest; such a descriptor points nowhere and its
    text must not be used as a path.  `size` counts bytes; `data` is the decoded inline copy.
    """

    media_type: str = ""
    digest: Digest | None = None
    digest_text: str = ""
    size: int | None = None
    urls: tuple[str, ...] = ()
    annotations: Mapping[str, str] = {}
    data: bytes | None = None
    platform: Platform | None = None
    artifact_type: str = ""
    pointer: str = ""
    raw: JsonObject = {}


def descriptor_of(fields: Fields) -> Descriptor:
    """Return the descriptor in a JSON object; a bad digest, size or `data` is recorded."""
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
    """Return the platform in a JSON object."""
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
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        fields.note("descriptor-data", "the inline data is not base64", "data", fatal=True)
        return None
