"""What a word means that stands where an archive is expected: the prefixes of skopeo and of syft, and bare names.

A file that exists wins over all of them, so nothing here is asked about one.
"""

from __future__ import annotations

import os
from typing import Literal

import msgspec

from imagepeel._lazy import late
from imagepeel.errors import PathNotFound, UsageError
from imagepeel.receipts.quoting import quote

SourceKind = Literal["registry", "docker", "podman", "file", "folder", "web", "objects", "storage", "containerd", "sif"]
"""What a prefix stands for: each has one function in `table.py`."""

PREFIXES: dict[str, SourceKind] = {
    "registry:": "registry",
    "docker://": "registry",
    "oci://": "registry",
    "docker:": "docker",
    "docker-daemon:": "docker",
    "podman:": "podman",
    "docker-archive:": "file",
    "oci-archive:": "file",
    "oci-dir:": "file",
    "oci:": "file",
    "file:": "folder",
    "tarball:": "folder",
    "dir:": "folder",
    "http://": "web",
    "https://": "web",
    "s3://": "objects",
    "gs://": "objects",
    "gcs://": "objects",
    "az://": "objects",
    "abfs://": "objects",
    "abfss://": "objects",
    "containers-storage:": "storage",
    "containerd:": "containerd",
    "sif:": "sif",
    "singularity:": "sif",
}
"""What a word begins with, and the kind of source that it names."""

_LONGEST_FIRST = sorted(PREFIXES, key=len, reverse=True)
_REFERENCE = late(
    r"(?:[a-zA-Z0-9][a-zA-Z0-9.-]*(?::\d+)?/)?[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:/[a-z0-9._-]+)*"
    r"(?::\w[\w.-]{0,127})?(?:@sha256:[0-9a-f]{64})?"
)
_ARCHIVES = (".tar", ".gz", ".tgz", ".zst", ".xz", ".bz2", ".oci", ".img", ".sif")


class Word(msgspec.Struct, frozen=True):
    """A word that names a source: `prefix` is one of `PREFIXES`, `kind` what that stands for, `rest` what follows."""

    prefix: str
    kind: SourceKind
    rest: str

    def __str__(self) -> str:
        return self.prefix + self.rest


def parse(word: str) -> Word | None:
    """Return what a word names that is no file, None where it names no source: text with a blank in it never does."""
    if not word or word.split() != [word]:
        return None
    prefix = next((one for one in _LONGEST_FIRST if word.startswith(one)), None)
    if prefix is None or len(word) == len(prefix):
        return None
    return Word(prefix, PREFIXES[prefix], word[len(prefix) :])


def is_streamed(word: str) -> bool:
    """Whether opening a word may fetch all of an archive: an engine saves it anew, and a server may give no parts."""
    meaning = None if os.path.lexists(word) else parse(word)
    return meaning is not None and meaning.kind in ("docker", "podman", "web")


def shown(url: str) -> str:
    """Return an address for people: without a name and password, and without the query, which may be a signature."""
    bare = url.partition("?")[0].partition("#")[0]
    scheme, mark, rest = bare.partition("://")
    if not mark:
        return bare
    place, slash, path = rest.partition("/")
    return f"{scheme}://{place.rpartition('@')[2]}{slash}{path}"


def spoken(word: str) -> str:
    """Return what stands for an archive where people read: the word, an address without what nobody else may know."""
    if not word.startswith(("http://", "https://")) or os.path.lexists(word):
        return word
    return shown(word)


def file_and_reference(word: Word) -> tuple[str, str]:
    """Return the path of a word for files, and the image that it chooses there, "" for none.

    A path that exists is taken whole; else the image stands behind the first colon, or `@N` counts it from 0.
    Source: containers/image, oci/internal and docker/archive (ParseReference).
    """
    path, reference = word.rest, ""
    if not os.path.lexists(path):
        path, _, reference = path.partition(":")
        if not reference and not os.path.lexists(path):
            before, at, number = path.rpartition("@")
            if at and number.isascii() and number.isdigit() and len(number) < 9:
                path, reference = before, f"#{int(number) + 1}"
        elif reference.startswith("@") and reference[1:].isascii() and reference[1:].isdigit() and len(reference) < 9:
            reference = f"#{int(reference[1:]) + 1}"
    return path, reference


def not_fetched(word: Word, *lines: str) -> UsageError:
    """Return the error for a store that only its own tools read; `lines` export an image `{}` from it."""
    store, ways = word.prefix.rstrip(":"), ", or ".join(line.format(quote(word.rest)) for line in lines)
    return UsageError(f"{store} is a store that only its own tools read", hint=f"{ways}; then open image.tar")


def not_there(word: str) -> PathNotFound:
    """Return the error for a word that is neither a file nor a source: people also give the name of an image."""
    hint = "check the path"
    if _REFERENCE.fullmatch(word) and not word.endswith(_ARCHIVES):
        hint = (
            f"check the path; for an image of that name: imagepeel explain docker:{word} asks Docker, podman:{word} "
            f"asks podman, registry:{word} its registry; or docker save {word} | imagepeel explain -"
        )
    error = PathNotFound(f"{word} does not exist", hint=hint)
    error.filename = word
    return error
