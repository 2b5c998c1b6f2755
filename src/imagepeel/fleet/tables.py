"""The tables of a survey: one type a table, one field a column.

A column is null where its type says `None`, and only for the reason that stands with it.  Rows are joined by `source`
and `number` (an image) and by `layer` (the digest of the stored bytes of a layer).
"""

from __future__ import annotations

import msgspec


class SourceFact(msgspec.Struct, frozen=True, kw_only=True):
    """One source that the survey was asked about, read or not."""

    source: str
    """The source as it was named or found; bytes of a name that are not UTF-8 stand as `\\xNN`."""
    state: str
    """`ok`, or `failed` where it could not be read, or an image of it could not be examined."""
    code: str | None
    """Code of the error (docs/reference/errors.md), `internal` for a fault of imagepeel, `worker-died` where the worker
    process ended twice; null where the state is `ok`."""
    error: str | None
    """What is wrong, in a sentence; null where the state is `ok`."""
    kind: str | None
    """The kind of archive; null where that was not found out."""
    images: int | None
    """Count of images for a container in it; null where its documents could not be read."""
    bytes: int | None
    """Size of the file as it is stored; null for a directory, and where it is not known."""


class ImageFact(msgspec.Struct, frozen=True, kw_only=True):
    """One image for a container."""

    source: str
    """The source that holds it."""
    number: int
    """Its number in the source, from 1."""
    name: str | None
    """Its first name; null where it has none."""
    digest: str | None
    """Digest of the manifest; null where the source states none."""
    image_id: str | None
    """Digest of the config; null where there is no config."""
    platform: str | None
    """os/architecture[/variant]; null where nothing states it."""
    created: str | None
    """The time in the config, as written; null where it has none."""
    layers: int | None
    """Count of layers; null where the list of layers is not there."""
    examined: bool
    """Whether its layers were read and it was asked everything; where false, `error` says why."""
    error: str | None
    """Why it was not examined; null where it was."""
    complete: bool | None
    """Whether the config and all layers are here and could be read to their end; null where not examined."""
    missing: str | None
    """What is missing or damaged, in words; null where nothing is, and where not examined."""
    entrypoint: list[str] | None
    """The config's entrypoint, secrets masked; null where it has none, or there is no config."""
    cmd: list[str] | None
    """The config's command, secrets masked; null where it has none, or there is no config."""
    user: str | None
    """The config's user as written; null where it has none, or there is no config."""
    shell_form: bool | None
    """Whether the command line is that of a shell form (`/bin/sh -c LINE`); null without a command or a config."""
    hears_sigterm: str | None
    """Whether SIGTERM does anything to process 1 on the default engine: `yes`, `no`, or `unknown` where the image
    does not tell; null where the start does not get to a process 1, and where not examined."""
    stored_bytes: int | None
    """Stored bytes of its layers that are here; null where not examined."""
    content_bytes: int | None
    """Their decompressed bytes; null where not examined."""
    unreachable_bytes: int | None
    """Decompressed bytes of files that a later layer hides or removes; null where not examined, and where a layer is
    missing or damaged."""


class ImageLayerFact(msgspec.Struct, frozen=True, kw_only=True):
    """One layer in its place in an image."""

    source: str
    """The source that holds the image."""
    number: int
    """The number of the image in the source, from 1."""
    index: int
    """Its index in the image, from 0, base first."""
    layer: str | None
    """Digest of the stored bytes, computed of the copy in this source, or as stated where those bytes are not here;
    null where nothing states it."""
    diff_id: str | None
    """DiffID, computed, or as the config states it; null where neither is known."""
    chain_id: str | None
    """ChainID of the layers up to this one; null where a DiffID among them is not known."""
    state: str
    """Whether its bytes are here: `present`, `missing`, ... (docs/reference/json.md)."""
    verified: bool | None
    """Whether the bytes of this copy have the digests that the documents state; null where nothing was compared."""
    step: int | None
    """Index from 0 of the history step that made it; null where the history does not tell of one."""
    created_by: str | None
    """The words of that step, secrets masked; null where the history does not tell."""


class LayerFact(msgspec.Struct, frozen=True, kw_only=True):
    """One distinct layer of the fleet."""

    layer: str
    """Digest of the stored bytes, computed."""
    diff_id: str | None
    """DiffID, computed; null where the stream is damaged."""
    compression: str
    """How it is compressed; `none` for a plain tar."""
    blob_size: int
    """Stored bytes."""
    content_size: int
    """Decompressed bytes, of a damaged stream up to the damage."""
    entries: int
    """Count of tar members."""
    file_bytes: int
    """Bytes of content of its regular files as the tar stores them."""
    error: str | None
    """Why the listing ends early; null where it is whole."""
    read_from: str
    """The source whose copy was read."""


class FileFact(msgspec.Struct, frozen=True, kw_only=True):
    """One tar member of one distinct layer, in stream order."""

    layer: str
    """Digest of the stored bytes of the layer."""
    entry: int
    """Index from 0 in the tar."""
    path: str
    """Cleaned path, from the root of the layer; bytes that are not UTF-8 stand as `\\xNN`."""
    kind: str
    """file, dir, symlink, hardlink, char, block, fifo, global-header or unknown."""
    whiteout: bool
    """Whether it is a whiteout: no file, but the removal of one."""
    size: int
    """Bytes of content; of a sparse file with its holes."""
    mode: int
    """Permission bits with set-uid, set-gid and sticky (07777), as a number."""
    uid: int
    """Owner as the tar has it."""
    gid: int
    """Group as the tar has it."""
    mtime: int
    """Seconds since 1970."""
    link: str | None
    """Target of a symlink or hardlink; null for everything else."""
    sha256: str | None
    """Hex SHA-256 of the content; null for what is no regular file, is empty or sparse, or was cut off."""


class StartFact(msgspec.Struct, frozen=True, kw_only=True):
    """One image on one engine, on a host of its own architecture."""

    source: str
    """The source that holds the image."""
    number: int
    """The number of the image in the source, from 1."""
    engine: str
    """Full name of the engine with its version."""
    verdict: str
    """RUNS, FAILS, DEPENDS or UNKNOWN."""
    failure: str | None
    """Id of the way to fail (docs/reference/failures.md); null where the verdict is not FAILS."""
    judge: str | None
    """Who refuses; null where the verdict is not FAILS."""
    errno: str | None
    """Symbolic name; null where no errno is involved."""
    exit_code: int | None
    """What the engine's command line returns; null where it does not end, or returns none."""
    says: str | None
    """The message of a failure, the conditions of DEPENDS, the reason of UNKNOWN, secrets masked; null for RUNS."""
    argv: list[str]
    """The first request to the kernel, secrets masked; empty where it does not get there."""


class FindingFact(msgspec.Struct, frozen=True, kw_only=True):
    """One finding of one image."""

    source: str
    """The source that holds the image."""
    number: int
    """The number of the image in the source, from 1."""
    rule: str
    """Id of the rule (docs/reference/rules)."""
    severity: str
    """high, medium, low or info."""
    message: str
    """What was found, secrets masked."""
    layer: int | None
    """Index from 0 of the layer of the first place; null where it lies in no layer."""
    path: str | None
    """Path of the first place; null where it has none."""
    pointer: str | None
    """JSON pointer of the first place into a document; null where it has none."""


class PackageFact(msgspec.Struct, frozen=True, kw_only=True):
    """One package that an image has, or had in a layer that it still ships."""

    source: str
    """The source that holds the image."""
    number: int
    """The number of the image in the source, from 1."""
    family: str
    """dpkg, apk, rpm, pip or npm."""
    name: str
    """As the database has it."""
    version: str
    """As the database has it."""
    purl: str
    """Package URL."""
    installed: bool
    """Whether the image still has it; false where a layer removed it."""
    layer: int
    """Index from 0 of the layer that brought this version."""
    content: int
    """Bytes of its files that the image shows."""
    hidden: int
    """Bytes of its files that are shipped and cannot be seen."""


class CauseFact(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes of one image by cause; the causes of an image add up to its layers."""

    source: str
    """The source that holds the image."""
    number: int
    """The number of the image in the source, from 1."""
    cause: str
    """One of the causes of docs/explanation/waste.md."""
    reach: str
    """visible, unreachable or overhead."""
    content: int
    """Decompressed bytes."""
    stored: int
    """Stored bytes, of compressed layers by share of content."""


class LineageFact(msgspec.Struct, frozen=True, kw_only=True):
    """Where an image stands in the forest of bases: by the DiffIDs that its documents state."""

    source: str
    """The source that holds the image."""
    number: int
    """The number of the image in the source, from 1."""
    chain_id: str | None
    """ChainID of all its layers; null where a DiffID is not known, or it has no layer."""
    layers: int
    """Count of its layers."""
    base_source: str | None
    """The source of the largest other image whose layers are the first of this one's; null where no image of the fleet
    is, and where a DiffID is not known.  Of several equal ones it is the first by source and number."""
    base_number: int | None
    """The number of that image; null as `base_source` is."""
    base_layers: int | None
    """Count of layers that both have; null as `base_source` is."""
    same_as_source: str | None
    """The source of the first image with exactly these layers; null where this is the first, or a DiffID is not
    known."""
    same_as_number: int | None
    """The number of that image; null as `same_as_source` is."""


TABLES: dict[str, type[msgspec.Struct]] = {
    "sources": SourceFact,
    "images": ImageFact,
    "image_layers": ImageLayerFact,
    "layers": LayerFact,
    "files": FileFact,
    "starts": StartFact,
    "findings": FindingFact,
    "packages": PackageFact,
    "causes": CauseFact,
    "lineage": LineageFact,
}
"""Name of a table, which is the name of its folder -> the type of its rows."""

OF_IMAGES = ("images", "image_layers", "starts", "findings", "packages", "causes")
"""Tables whose rows a task about images writes."""
OF_LAYERS = ("layers", "files")
"""Tables whose rows a task about layers writes."""
