"""What the documents of a source say: its images, and which bytes their layers are.  No layer is read."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable

import msgspec

from imagepeel import api
from imagepeel.archive.compression import Compression, sniff_compression
from imagepeel.archive.records import ImageRecord, LayerRecord, LayerState
from imagepeel.errors import ImagepeelError
from imagepeel.fleet.reading import Reading
from imagepeel.fleet.words import Unlisted
from imagepeel.layers.index_cache import IndexCache
from imagepeel.oci.digest import Digest, can_verify
from imagepeel.sources.words import is_streamed
from imagepeel.text import plural


class PlannedLayer(msgspec.Struct, frozen=True):
    """One layer of an image: `key` is the stated digest of its stored bytes, "" where they are not here; of bytes
    without a stated digest, a word that no other layer has."""

    index: int
    key: str
    size: int


class PlannedImage(msgspec.Struct, frozen=True):
    """One image: its number, its first name, its DiffIDs as stated (None where one is not known) and its layers."""

    number: int
    name: str
    platform: str
    diff_ids: tuple[str | None, ...]
    layers: tuple[PlannedLayer, ...]


class Planned(msgspec.Struct, frozen=True):
    """What is known of a source: `stamp` changes whenever its bytes may have, "" where nothing tells.

    `code` and `error` say why its documents could not be read, "" where they could.
    """

    source: str
    stamp: str = ""
    kind: str = ""
    size: int | None = None
    images: tuple[PlannedImage, ...] = ()
    code: str = ""
    error: str = ""


def unlisted(word: Unlisted) -> Planned:
    """Return what is known of a word whose sources could not be listed: they are sources that nobody saw."""
    code, words = told(word.error)
    before = f" (after {plural(word.count, 'image')})" if word.count else ""
    return Planned(source=word.word, code=code, error=words + before)


def file_stamp(source: str) -> str:
    """Return what changes whenever the bytes of a file may have; "" for everything that is no file."""
    try:
        info = os.stat(source)
    except (OSError, ValueError):
        return ""
    if not os.path.isfile(source):
        return ""
    return f"{info.st_dev}:{info.st_ino}:{info.st_size}:{info.st_mtime_ns}:{info.st_ctime_ns}"


def plan_source(
    source: str,
    reading: Reading,
    known: str = "",
    *,
    cache: IndexCache | bool = False,
    then: Callable[[api.Archive, Planned], object] | None = None,
) -> Planned:
    """Return what the documents of a source say; an error of any kind is told in it and never raised.

    `known` is the stamp of the last time.  What has the same one now, as whoever has it says, is not opened: that alone
    is told.  `then` is called with the open archive, which finds scans of layers in `cache`, unless it shows itself to
    be the same.
    """
    stamp = file_stamp(source)
    try:
        # What is read in parts says so itself when it is opened.
        asks = not stamp and (known or is_streamed(source))
        version = reading.version(source) if asks else None
        if version is not None and version.stamp == known:
            return Planned(source=source, stamp=known)
        if version is not None and not version.digest:
            stamp = version.stamp
        with reading.open(source, cache=cache) as archive:
            images = tuple(_image(source, record) for record in _records(archive))
            if version is not None and version.digest and _is_alone(archive, version.stamp):
                stamp = version.stamp
            planned = Planned(
                source=source,
                stamp=stamp or _stamp(archive),
                kind=archive.kind.name,
                size=archive.file_size,
                images=images,
            )
            if then is not None and (not known or planned.stamp != known):
                then(archive, planned)
            return planned
    except Exception as error:
        code, words = told(error)
        return Planned(source=source, stamp=stamp, code=code, error=words)


def told(error: BaseException) -> tuple[str, str]:
    """Return the code and the sentence of an error, as a row has them."""
    if isinstance(error, ImagepeelError):
        return error.code, str(error)
    if isinstance(error, OSError):
        place = f": {os.fsdecode(error.filename)}" if isinstance(error.filename, str | bytes) else ""
        return "system", f"{error.strerror or type(error).__name__}{place}"
    if isinstance(error, MemoryError):
        return "memory", "there was not enough memory"
    return "internal", f"imagepeel failed: {type(error).__name__}: {error}"


def _records(archive: api.Archive) -> tuple[ImageRecord, ...]:
    """Return the records of all images for a container, also of those that were left for later.

    Where the word of the source chooses one image, that one.
    """
    if archive.named:
        return (archive.image().record,)
    return tuple(archive.read_now(record) if record.later is not None else record for record in archive.runnable)


def key_of(source: str, number: int, layer: LayerRecord) -> str:
    """Return what says which bytes a layer is: the digest that is stated of them."""
    if layer.stored is None or layer.state is not LayerState.PRESENT:
        return ""
    for digest in (layer.digest, layer.name_digest):
        if digest is not None and can_verify(digest):
            return str(digest)
    if layer.diff_id is not None and can_verify(Digest(layer.diff_id)):
        held = layer.source()
        try:
            if sniff_compression(held.pread(0, 16)) is Compression.NONE:
                return layer.diff_id
        finally:
            held.close()
    return f"{source}#{number}/{layer.index}"


def _image(source: str, record: ImageRecord) -> PlannedImage:
    platform = record.config.platform if record.config is not None else ""
    return PlannedImage(
        number=record.number,
        name=record.tags[0] if record.tags else "",
        platform=platform or (str(record.platform) if record.platform is not None else ""),
        diff_ids=tuple(layer.diff_id for layer in record.layers),
        layers=tuple(
            PlannedLayer(layer.index, key_of(source, record.number, layer), layer.size or 0) for layer in record.layers
        ),
    )


def _is_alone(archive: api.Archive, image: str) -> bool:
    """Whether an archive has this image and no other one, whole: then all that counts hangs on its digest."""
    records = _records(archive)
    return [str(record.image_id) for record in records] == [image] and all(
        layer.state is LayerState.PRESENT for layer in records[0].layers
    )


def _stamp(archive: api.Archive) -> str:
    """Of what is no file: the digests of its documents, and what tells whether the bytes of its layers changed.

    Of an image in a registry, the digest of the document that all others hang on, if they are there.
    """
    records = _records(archive)
    tops = {archive.outermost(record) or record.digest for record in records}
    if len(tops) == 1 and all(record.unasked and not record.knowledge.documents for record in records):
        return str(tops.pop())
    state = hashlib.sha256()
    for record in records:
        state.update(f"{record.number} {record.digest} {record.image_id}\n".encode())
        for layer in record.layers:
            if layer.stored is None:
                state.update(f"{layer.index} {layer.state}\n".encode())
                continue
            held = layer.source()
            try:
                stamp = held.promised or held.stamp()
            finally:
                held.close()
            if stamp is None:
                return ""
            state.update(f"{layer.index} {stamp}\n".encode())
    return state.hexdigest()
