"""Digests: `algorithm:encoded` strings that name bytes (OCI image-spec, descriptor.md, "Digests").

A digest comes from hostile text and is used as a path (`blobs/<algorithm>/<encoded>`), so it is checked strictly
before anything else looks at it.
"""

from __future__ import annotations

import hashlib
from typing import NewType

from imagepeel._lazy import late

Digest = NewType("Digest", str)
"""A digest string in which `problem` finds nothing."""

REGISTERED: dict[str, int] = {"sha256": 64, "sha384": 96, "sha512": 128, "blake3": 64}
"""Registered algorithms and the number of lower-case hex digits that each must have."""

EMPTY_JSON = Digest("sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a")
"""The digest of `{}`, the empty config of artifacts (image-spec manifest.md, "Guidance for an Empty Descriptor")."""

EMPTY_GZIP_LAYER = Digest("sha256:a3ed95caeb02ffe68cdd9fd84406680ae93d633cb16422d00e8a7c22955b46d4")
"""The gzip of 1,024 zero bytes: what schema 1 images carry for each step without files."""

_GRAMMAR = late(r"[a-z0-9]+(?:[+._-][a-z0-9]+)*:[a-zA-Z0-9=_-]+")
_DIGITS = "0123456789abcdef"
_LONGEST = 255
"""Characters of each half: it becomes a file name."""


def problem(text: object) -> str:
    """Say in a few words what is wrong with a digest; empty when nothing is.

    Unknown algorithms are well-formed (the spec allows them); they only cannot be verified.
    """
    if not isinstance(text, str):
        return "it is not a string"
    if not text:
        return "it is empty"
    algorithm, _, encoded = text.partition(":")
    if len(encoded) == REGISTERED.get(algorithm) and is_lower_hex(encoded):
        return ""  # as nearly all are, without the pattern
    if not _GRAMMAR.fullmatch(text):
        return "it is not of the form algorithm:encoded"
    if len(algorithm) > _LONGEST or len(encoded) > _LONGEST:
        return "it is too long to be a file name"
    digits = REGISTERED.get(algorithm)
    if digits is None:
        return ""
    if not is_lower_hex(encoded):
        return f"{algorithm} needs lower-case hex digits"
    if len(encoded) != digits:
        return f"{algorithm} needs {digits} hex digits and it has {len(encoded)}"
    return ""


def digest_error(text: str) -> str:
    """Return what go-digest says of a digest that it does not take, "" of one that it does (digest.go, Validate)."""
    algorithm, colon, encoded = text.partition(":")
    if not (algorithm and colon and encoded):
        return "invalid checksum digest format"
    if algorithm not in REGISTERED:
        return "unsupported digest algorithm" if _GRAMMAR.fullmatch(text) else "invalid checksum digest format"
    if len(encoded) != REGISTERED[algorithm]:
        return "invalid checksum digest length"
    return "" if is_lower_hex(encoded) else "invalid checksum digest format"


def is_lower_hex(text: str) -> bool:
    """Say whether `text` has small hexadecimal digits and nothing else."""
    return bool(text) and not text.strip(_DIGITS)


def is_digest(text: object) -> bool:
    """Say whether `text` is a well-formed digest."""
    return not problem(text)


def from_hex(encoded: str, algorithm: str = "sha256") -> Digest | None:
    """Return the digest with that hex, or None when the hex does not fit the algorithm."""
    text = f"{algorithm}:{encoded}"
    return Digest(text) if is_digest(text) else None


def algorithm_of(digest: Digest) -> str:
    """Return the algorithm, the part before the colon."""
    return digest.partition(":")[0]


def encoded_of(digest: Digest) -> str:
    """Return the encoded part, after the colon."""
    return digest.partition(":")[2]


def blob_path(digest: Digest) -> str:
    """Return the place of a blob in an OCI layout: `blobs/<algorithm>/<encoded>` (image-layout.md, "Blobs")."""
    return f"blobs/{algorithm_of(digest)}/{encoded_of(digest)}"


def can_verify(digest: Digest) -> bool:
    """Say whether this program can compute the digest's algorithm (blake3 and unknown ones it cannot)."""
    return algorithm_of(digest) in ("sha256", "sha384", "sha512")


def digest_of(data: bytes, algorithm: str = "sha256") -> Digest:
    """Return the digest of `data` with a verifiable algorithm."""
    return Digest(f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}")


def short(digest: str, digits: int = 12) -> str:
    """Return the first hex digits of a digest, without the algorithm, as people quote it."""
    return digest.rpartition(":")[2][:digits]
