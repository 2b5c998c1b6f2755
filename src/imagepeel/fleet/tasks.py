"""What a worker does: read layers, examine images, write their rows.  Tasks and answers are plain values that pickle.

A task holds one layer or one image in memory at a time.  Between workers, layers go through the index that is kept
beside the facts by the digest of their bytes: bytes that are not what a document states get into it under their own
digest, so they harm nobody else.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import groupby

import msgspec

from imagepeel import api
from imagepeel.archive.cache_dir import CacheDir
from imagepeel.archive.records import ImageRecord, LayerRecord
from imagepeel.errors import LimitExceeded, NotFound
from imagepeel.evidence import text
from imagepeel.fleet.parts import Form, PartWriter
from imagepeel.fleet.plan import key_of, told
from imagepeel.fleet.reading import Reading
from imagepeel.fleet.rows import image_rows
from imagepeel.fleet.tables import OF_IMAGES, OF_LAYERS, FileFact, LayerFact
from imagepeel.formats.tar.header import HEADER_ONLY, PAX_GLOBAL
from imagepeel.layers.index_cache import IndexCache
from imagepeel.layers.layer_scan import HASHES, LayerScan
from imagepeel.layers.scan import scan_layer
from imagepeel.limits import GiB, MiB
from imagepeel.sources.words import is_streamed
from imagepeel.verbs import Image

INDEX_BYTES = 16 * GiB
"""Bytes of the index of all layers; past it those that were not used for longest are read again."""
_NO_CONTENT = HEADER_ONLY | {PAX_GLOBAL}
_PARTS = 2 * MiB
"""Bytes that loaders read of programs and libraries, of one layer."""


class Place(msgspec.Struct, frozen=True):
    """Where facts go, how, and how sources are opened."""

    out: str
    form: Form
    reading: Reading


class Copy(msgspec.Struct, frozen=True):
    """One place that has the bytes of a layer, as its documents say."""

    source: str
    number: int
    index: int


class WantedLayer(msgspec.Struct, frozen=True):
    """A layer to read: the digest that is stated, and who is said to have the bytes."""

    key: str
    copies: tuple[Copy, ...]


class WantedImage(msgspec.Struct, frozen=True):
    """An image to examine."""

    source: str
    number: int


class Stray(msgspec.Struct, frozen=True):
    """A copy whose bytes are not what its documents state, with the digest that they have."""

    digest: str
    copy: Copy


class LayerDone(msgspec.Struct, frozen=True):
    """What became of one layer: the digest of what was read, "" where nothing could be; why, and strays on the way."""

    key: str
    digest: str = ""
    code: str = ""
    error: str = ""
    strays: tuple[Stray, ...] = ()


class ImageDone(msgspec.Struct, frozen=True):
    """What became of one image; `strays` are its layers whose bytes are not what its documents state."""

    source: str
    number: int
    code: str = ""
    error: str = ""
    strays: tuple[Stray, ...] = ()


def index_of(place: Place) -> IndexCache:
    """Return the index of layers that the workers of a survey share."""
    folder = os.path.join(place.out, ".survey", "index")
    return IndexCache(CacheDir(folder, most=INDEX_BYTES), least=0)


# ---- layers -------------------------------------------------------------------------------------------------


def read_layers(place: Place, name: str, wanted: tuple[WantedLayer, ...]) -> tuple[LayerDone, ...]:
    """Read each of these layers once and write their rows as the part `name`."""
    out: list[LayerDone] = []
    index = index_of(place)
    with PartWriter(place.out, place.form, name, OF_LAYERS) as part, OneOpen(place.reading) as opened:
        for layer in wanted:
            out.append(_one_layer(place, index, part, opened, layer))
    return tuple(out)


class OneOpen:
    """The source that was opened last, which stays open for the next layer: some are fetched whole to be opened."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._source = ""
        self._archive: api.Archive | None = None

    def __enter__(self) -> OneOpen:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def open(self, source: str) -> api.Archive:
        """Return the open archive of a source; errors are those of `imagepeel.open`."""
        if self._archive is None or self._source != source:
            self._close()
            self._archive, self._source = self._reading.open(source), source
        return self._archive

    def _close(self) -> None:
        archive, self._archive = self._archive, None
        if archive is not None:
            archive.close()


def _one_layer(place: Place, index: IndexCache, part: PartWriter, opened: OneOpen, wanted: WantedLayer) -> LayerDone:
    strays: list[Stray] = []
    if is_digest(wanted.key) and is_streamed(wanted.copies[0].source):
        # All of such a source comes to who opens it, and whoever examined its image has seen the layer.
        known = index.of(wanted.key, place.reading.limits)
        if known is not None:
            _write_layer(part, known, wanted.copies[0])
            return LayerDone(wanted.key, wanted.key)
    code, error = "digest-mismatch", "no source has the bytes that its documents state"
    for copy in wanted.copies:
        try:
            scan = _scanned(place, index, _record(opened.open(copy.source), copy.number).layers[copy.index])
        except Exception as problem:
            code, error = told(problem)
            if isinstance(problem, LimitExceeded) and _proved(place, copy, wanted.key):
                break  # these are the bytes: every other copy would cost as much
            continue
        digest = scan.blob_digest or ""
        if is_digest(wanted.key) and digest != wanted.key:
            strays.append(Stray(digest, copy))
            continue
        _write_layer(part, scan, copy)
        return LayerDone(wanted.key, digest, strays=tuple(strays))
    return LayerDone(wanted.key, "", code, error, tuple(strays))


def is_digest(key: str) -> bool:
    """Say whether a key is a digest, and not the place of bytes of which nobody states one."""
    algorithm, colon, value = key.partition(":")
    return bool(colon) and algorithm in HASHES and value.isalnum()


def _record(archive: api.Archive, number: int) -> ImageRecord:
    for image in archive.images():
        if image.number == number:
            return image.record
    raise NotFound(f"image #{number} is not in {archive.name} any more", hint="the source changed: run again")


def _scanned(place: Place, index: IndexCache, record: LayerRecord) -> LayerScan:
    source = record.source()
    try:
        known = index.find(record, source, place.reading.limits, digests=True)
        if known is not None:
            return known
        stamp = source.stamp()
        scan = scan_layer(
            source,
            place.reading.limits,
            algorithm=_algorithm(record.digest),
            diff_algorithm=_algorithm(record.diff_id),
            digests=True,
            keep_parts=_PARTS,
        )
        index.keep(source, stamp, scan, place.reading.limits)
        return scan
    finally:
        source.close()


def _algorithm(digest: str | None) -> str:
    algorithm = (digest or "").partition(":")[0]
    return algorithm if algorithm in HASHES else "sha256"


def _proved(place: Place, copy: Copy, key: str) -> bool:
    """Say whether the stored bytes of a copy are those of the digest: they are hashed, not inflated."""
    if not is_digest(key):
        return True
    with place.reading.open(copy.source) as archive:
        source = _record(archive, copy.number).layers[copy.index].source()
        state = HASHES[_algorithm(key)]()
        for chunk in source.chunks():
            state.update(chunk)
        source.close()
    return f"{_algorithm(key)}:{state.hexdigest()}" == key


def _write_layer(part: PartWriter, scan: LayerScan, copy: Copy) -> None:
    table = scan.table
    digest = scan.blob_digest or ""
    file_bytes = 0
    for entry in table:
        if entry.type not in _NO_CONTENT:
            file_bytes += entry.stored_size
        part.add(
            "files",
            FileFact(
                layer=digest,
                entry=entry.index,
                path=text(entry.path),
                kind=entry.kind,
                whiteout=entry.is_whiteout,
                size=entry.size,
                mode=entry.mode,
                uid=entry.uid,
                gid=entry.gid,
                mtime=entry.mtime[0],
                link=text(entry.link) if entry.kind in ("symlink", "hardlink") else None,
                sha256=entry.sha256 if entry.kind == "file" else None,
            ),
        )
    part.add(
        "layers",
        LayerFact(
            layer=digest,
            diff_id=scan.diff_id,
            compression=scan.compression,
            blob_size=scan.blob_size,
            content_size=scan.content_size,
            entries=len(table),
            file_bytes=file_bytes,
            error=scan.error.message if scan.error is not None else None,
            read_from=copy.source,
        ),
    )


# ---- images -------------------------------------------------------------------------------------------------


def read_images(place: Place, name: str, wanted: tuple[WantedImage, ...]) -> tuple[ImageDone, ...]:
    """Examine each of these images and write their rows as the part `name`; one that fails has no row in it."""
    out: list[ImageDone] = []
    with PartWriter(place.out, place.form, name, OF_IMAGES) as part:
        for source, group in groupby(wanted, key=lambda one: one.source):
            images = tuple(group)
            try:
                with place.reading.open(source, cache=index_of(place)) as archive:
                    known = {image.number: image for image in archive.images()}
                    for one in images:
                        out.append(_one_image(part, one, known.pop(one.number, None)))
            except Exception as problem:
                # What was written of this source stands; those that were not reached are told of.
                done = {one.number for one in out if one.source == source}
                out += [ImageDone(source, one.number, *told(problem)) for one in images if one.number not in done]
    return tuple(out)


def examine(place: Place, name: str, archive: api.Archive, wanted: tuple[WantedImage, ...]) -> tuple[ImageDone, ...]:
    """The same of images of an archive that is open: some come whole to who opens them, and once is enough."""
    known = {image.number: image for image in archive.images()}
    with PartWriter(place.out, place.form, name, OF_IMAGES) as part:
        return tuple(_one_image(part, one, known.get(one.number)) for one in wanted)


def _one_image(part: PartWriter, wanted: WantedImage, image: Image | None) -> ImageDone:
    rows: list[tuple[str, msgspec.Struct]] = []
    strays: tuple[Stray, ...] = ()
    try:
        if image is None:
            raise NotFound(f"image #{wanted.number} is not there any more", hint="the source changed: run again")
        image.scan(digests=True)
        strays = tuple(_strays(wanted, image))
        rows += image_rows(wanted, image)
    except Exception as problem:
        return ImageDone(wanted.source, wanted.number, *told(problem), strays)
    for table, row in rows:
        part.add(table, row)
    return ImageDone(wanted.source, wanted.number, strays=strays)


def _strays(wanted: WantedImage, image: Image) -> Iterator[Stray]:
    for layer in image.layers:
        stated = key_of(wanted.source, wanted.number, layer.record)
        if stated and layer.facts is not None and layer.digest and is_digest(stated) and layer.digest != stated:
            yield Stray(layer.digest, Copy(wanted.source, wanted.number, layer.index))
