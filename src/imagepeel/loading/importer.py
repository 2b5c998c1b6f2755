"""How containerd imports an archive, for all who use it: Docker's containerd store, ctr, nerdctl, kind.

Source: containerd core/images/archive/importer.go and reference.go, cmd/ctr/commands/images/import.go; measured with
ctr 1.6.20.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Literal

import msgspec

from imagepeel.archive.compression import Compression
from imagepeel.archive.kinds.kind import INDEX, MANIFEST
from imagepeel.evidence import Location
from imagepeel.formats.tar.header import BLOCK, INVALID_HEADER, UNEXPECTED_EOF
from imagepeel.loading import manifests, reference, structs
from imagepeel.loading.answer import STORE, Cause, IdOf, LoadAnswer, Outcome, refusal
from imagepeel.loading.checks import (
    config_unread,
    damaged,
    first,
    foremost,
    layers,
    manifest_fault,
    of_before_1_10,
    too_long,
)
from imagepeel.loading.lookup import stored_name
from imagepeel.loading.streams import StreamFault, of_layer
from imagepeel.oci.descriptor import CONTAINERD_NAME, REF_NAME
from imagepeel.oci.layout import MARKER, VERSION
from imagepeel.text import plural

if TYPE_CHECKING:
    from collections.abc import Callable

    from imagepeel.archive.records import ImageRecord
    from imagepeel.layers.layer import Layer
    from imagepeel.loading.delivery import Delivery
    from imagepeel.rootfs.tree.changes import Refusal

PREFIX = "import-<date>"
"""Stands for what ctr puts before a name that is only a tag: `import-` and the day."""
_TOO_LONG = "file name too long"
_NO_READER = "failed to get reader from content store: content digest"
_PLAIN = tuple(f"application/vnd.oci.image.layer.{kind}v1.tar" for kind in ("", "nondistributable."))
"""Media types of layers that are not decompressed, whatever their bytes are; containerd images.DiffCompression."""
_MOUNT_ROOM = 4040
"""Bytes that are left below /var/lib/containerd/tmpmounts/containerd-mount<n>, where the base layer is unpacked."""
_ROOM = 4022
"""Bytes that are left below /var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots/<n>/fs."""


class ImportRules(msgspec.Struct, frozen=True, kw_only=True):
    """Where the clients differ.

    unwraps: the compression of the whole archive that is taken off, once.  prefix: before every error.  familiar: names
    are shown as Docker shortens them.  tag_only: whether a name that is only a tag is kept or gets `import-<date>`.
    unnamed: what becomes of an image without a name.  filters: only the platform of the host is imported of images that
    manifest.json describes.  all_platforms: every image that the layout lists is imported, so each has to be there.
    """

    unwraps: tuple[Compression, ...]
    prefix: str
    familiar: bool
    tag_only: Literal["keep", "prefix"]
    unnamed: Literal["nothing", "digest", "dangling"]
    filters: bool = True
    all_platforms: bool = False


def judge(delivery: Delivery, rules: ImportRules, view: str) -> LoadAnswer:
    """Say what becomes of an image that is imported."""
    found = first(
        delivery,
        lambda delivery: judge_file(delivery, rules),
        lambda delivery: _parts(delivery, rules),
        lambda delivery: _named(delivery, rules),
        lambda delivery: _counted(delivery, rules),
        lambda delivery: _layers(delivery, rules, view),
    )
    return found if found is not None else _taken(delivery, rules)


def judge_image(delivery: Delivery, rules: ImportRules, view: str) -> LoadAnswer | None:
    """Say why the image cannot be unpacked however it got into the store; None where it can."""
    return first(
        delivery,
        lambda delivery: _manifest(delivery, rules),
        lambda delivery: _config(delivery, rules),
        lambda delivery: _counted(delivery, rules),
        lambda delivery: _unpacked(delivery, rules, view),
    )


def _manifest(delivery: Delivery, rules: ImportRules) -> LoadAnswer | None:
    fault = manifests.of_containerd(delivery) if _by_layout(delivery) else None
    return manifest_fault(delivery, fault, rules.prefix)


def _config(delivery: Delivery, rules: ImportRules) -> LoadAnswer | None:
    other = delivery.other_config if _by_layout(delivery) else None
    if other is not None:
        return refusal(
            Cause.DIGEST, f"{rules.prefix}failed to resolve rootfs: content digest {other[0]}: not found",
            "other bytes than those of the config lie under its digest", "fetch the archive again",
            where=delivery.config_place,
        )  # fmt: skip
    unread = delivery.unread_config(structs.OCI_IMAGE)
    if unread is None:
        return None
    reader = "failed to resolve rootfs" if _by_layout(delivery) else "unable to resolve platform"
    return config_unread(delivery, f"{rules.prefix}{reader}: {unread}")


def _counted(delivery: Delivery, rules: ImportRules) -> LoadAnswer | None:
    if delivery.counts is None:
        return None
    found, stated = delivery.counts
    why, way = f"the config {plural(stated, 'DiffID')}", "build or save the image again"
    if delivery.config_is_other:
        why, way = "the config is none of an image", "take it with the tool that made it, as an artifact"
    return refusal(
        Cause.COUNT, f"{rules.prefix}mismatched image rootfs and manifest layers",
        f"{delivery.list_name} lists {plural(found, 'layer')}, {why}", way,
        where=delivery.manifest_place,
    )  # fmt: skip


def _layers(delivery: Delivery, rules: ImportRules, view: str) -> LoadAnswer | None:
    """The first layer that cannot be read or unpacked, or is another one."""
    return foremost(
        _absent(delivery, rules),
        _other_blob(delivery, rules),
        _packed(delivery, rules),
        damaged(delivery, lambda fault, layer: _extracting(layer, _of_stream(fault, layer), rules)),
        _unpacked(delivery, rules, view),
        too_long(
            delivery,
            lambda layer: _ROOM if layer.index else _MOUNT_ROOM,
            lambda path, layer: _extracting(layer, _mounted(layer, f"failed to get root path: lstat {path}"), rules),
        ),
        _other_layer(delivery, rules),
    )


def _unpacked(delivery: Delivery, rules: ImportRules, view: str) -> LoadAnswer | None:
    return layers(
        delivery,
        view,
        lambda found, layer: _extracting(layer, _mounted(layer, _on_host(found)), rules),
        lambda sentence, _: sentence,
    )


def _extracting(layer: Layer, reason: str, rules: ImportRules, *, unknown: bool = True, diff_id: str = "") -> str:
    stated = diff_id or layer.record.diff_id
    return f"{rules.prefix}failed to extract layer {stated}: {reason}{': unknown' if unknown else ''}"


def _mounted(layer: Layer, reason: str) -> str:
    """The reason, with the directory that the base layer is mounted at; those above it are unpacked without a mount."""
    return f"mount callback failed on {STORE}: {reason}" if layer.index == 0 else reason


def _of_stream(fault: StreamFault, layer: Layer) -> str:
    if fault.in_head and layer.compression is Compression.GZIP:
        return f"failed to get stream processor for {layer.record.media_type}: {fault.words}"
    return _mounted(layer, fault.words) if fault.in_tar or fault.before_end else fault.words


def _packed(delivery: Delivery, rules: ImportRules) -> LoadAnswer | None:
    """Refuse a layer that is not decompressed: it is packed in another way, or the layout calls it a plain tar."""
    for layer in delivery.image.layers:
        media = layer.record.media_type
        if (layer.readable or layer.is_part) and _by_layout(delivery) and manifests.without_processor(media):
            listed = delivery.record.config.diff_ids if delivery.record.config is not None else ()
            stated = listed[layer.index] if layer.index < len(listed) else ""
            words = f"failed to get stream processor for {media}: no processor for media-type"
            return refusal(
                Cause.FORMAT, _extracting(layer, words, rules, diff_id=stated),
                f"layer {layer.label} has the media type {media!r}",
                "give the layer the media type of its content", where=layer.location,
            )  # fmt: skip
        if not layer.readable or layer.compression is Compression.NONE:
            continue
        fault = of_layer(layer)
        if fault is not None and fault.in_head and layer.compression is Compression.GZIP and not _by_layout(delivery):
            name = delivery.item.layers[layer.index] if delivery.item is not None else ""
            return refusal(
                Cause.MISSING,
                f'{rules.prefix}failed to resolve layers: failed to detect compression for "{name}": {fault.words}',
                f"layer {layer.label} is damaged: {fault.why}", "fetch or save the archive again", where=layer.location,
            )  # fmt: skip
        plain = _by_layout(delivery) and layer.record.media_type in _PLAIN
        if plain or layer.compression not in (Compression.GZIP, Compression.ZSTD):
            words = INVALID_HEADER if (layer.blob_size or 0) >= BLOCK else UNEXPECTED_EOF
            why = "but its media type says that it is a plain tar" if plain else "which is not taken off here"
            return refusal(
                Cause.FORMAT, _extracting(layer, _mounted(layer, words), rules),
                f"layer {layer.label} is compressed with {layer.compression}, {why}",
                "pack the layer with gzip, and say so in its media type", where=layer.location,
            )  # fmt: skip
    return None


def _on_host(found: Refusal) -> str:
    """The reason with the paths of the host, which containerd shows."""
    if found.cause == "link":
        return f"link {' '.join(STORE + path for path in found.paths)}: {found.error}"
    ends = f"{found.paths[0]}: {found.error}" if found.paths else ""
    if not ends or not found.reason.endswith(ends):
        return found.reason
    call = found.reason.removesuffix(ends)
    # It follows the path to its directory first, and meets a name that is too long when it opens it.
    return f"{'open ' if call == 'lstat ' and found.error == _TOO_LONG else call}{STORE}{ends}"


def judge_file(delivery: Delivery, rules: ImportRules) -> LoadAnswer | None:
    """Say why the file is not read, whatever image lies in it; None where it is."""
    wrapping = delivery.wrapping
    if len(wrapping) > 1 or (wrapping and wrapping[0] not in rules.unwraps):
        takes = f"takes {', '.join(rules.unwraps)} off, once" if rules.unwraps else "takes none off"
        return refusal(
            Cause.FORMAT, f"{rules.prefix}archive/tar: invalid tar header",
            f"the whole archive is compressed ({' in '.join(wrapping)}), and this tool {takes}",
            "take the compression off first",
        )  # fmt: skip
    if not delivery.folder:
        unread = None if delivery.is_directory else _unread(delivery, rules)
        if unread is not None:
            return unread
        if delivery.has(MARKER) and _is_layout(delivery):
            return None if delivery.laid_out else _other(delivery, rules)
        if delivery.listed:
            return None
        if delivery.listed_images:
            return _other(delivery, rules)
    text = f"{rules.prefix}unrecognized image format"
    if delivery.is_cut:
        return refusal(Cause.CUT, text, f"the archive ends before its {MANIFEST}", "save or fetch the archive again")
    if delivery.folder:
        way = f"pack the content of {delivery.folder}/: tar -C {delivery.folder} -cf FILE ."
        return refusal(Cause.FORMAT, text, f"the image does not lie at the top but in {delivery.folder}/", way)
    if delivery.laid_out:
        way = f"add the file {MARKER} with imageLayoutVersion 1.0.0"
        return refusal(Cause.FORMAT, text, f"it has neither {MARKER} nor {MANIFEST}", way)
    if delivery.record.format.bare:
        return refusal(Cause.FORMAT, text, "it is a filesystem without the documents of an image", "docker import it")
    if delivery.is_v1:
        return of_before_1_10(text)
    return refusal(Cause.FORMAT, text, f"it has neither {MARKER} nor {MANIFEST}", "save the image again")


def _other(delivery: Delivery, rules: ImportRules) -> LoadAnswer:
    """The archive has an OCI layout, which wins, and the image is not in it."""
    return refusal(
        Cause.CHOICE, "", f"the OCI layout of the archive wins, and this image is described by {MANIFEST} only",
        f"take {MARKER} out of the archive", where=Location(member=MARKER), exit_code=0,
    )  # fmt: skip


def _is_layout(delivery: Delivery) -> bool:
    """Whether the marker says a version: without one the archive is none of a layout."""
    return delivery.is_directory or bool(delivery.contents.layout_version)


def _by_layout(delivery: Delivery) -> bool:
    return delivery.laid_out and delivery.has(MARKER) and _is_layout(delivery)


def _unread(delivery: Delivery, rules: ImportRules) -> LoadAnswer | None:
    """The words about a document of the file that is none, and about what manifest.json names and the file has not."""
    contents, again = delivery.contents, "save the image again"

    def refused(words: str, why: str, member: str, cause: Cause = Cause.FORMAT) -> LoadAnswer:
        return refusal(cause, rules.prefix + words, why, again, where=Location(member=member))

    documents = {MARKER: ("oci layout", structs.OCI_LAYOUT), MANIFEST: ("manifest", structs.CONTAINERD_LIST)}
    found = [(member, name) for name in documents if (member := contents.by_name.stored(name)) is not None]
    for member, name in sorted(found, key=lambda each: each[0].index):
        what, kind = documents[name]
        wrong = UNEXPECTED_EOF if member.truncated else contents.unread(member, kind, stream=True)
        if wrong is not None:
            why = f"its {name} is cut off" if member.truncated else f"its {name} is not what this tool wants"
            return refused(f'untar {what} "{stored_name(member)}": {wrong}', why, name)
    fault = delivery.stream_fault
    if fault is not None and (fault.packed or delivery.archive.cut is not None):
        cut = next((member for member in delivery.archive.members if member.truncated), None)
        short = f"failed to read expected number of bytes: {fault.words}"
        words = f'failed to ingest "{stored_name(cut)}": {short}' if cut is not None else fault.words
        return refusal(Cause.CUT, rules.prefix + words, fault.why, "save or fetch the archive again")
    if contents.layout_version:
        return _unread_index(delivery, refused)
    listed = contents.by_name.stored(MANIFEST)
    if listed is None or (not delivery.items and contents.null_list):
        if not delivery.has(MANIFEST):
            return None
        why = f"its {MANIFEST} is null" if listed is not None else f"no file of the archive has the name {MANIFEST}"
        return refused("unrecognized image format", why, MANIFEST)
    if contents.by_name.dangling is not None:
        name, target = contents.by_name.dangling
        why = f"the link {name} leads to {target}, which is no file of the archive"
        return refused(f'no target for symlink layer from "{name}" to "{target}"', why, name)
    if contents.by_name.chained:
        why = (
            f"the link {contents.by_name.chained} leads to a link: this tool takes links in no order, and may refuse it"
        )
        return LoadAnswer(outcome=Outcome.UNKNOWN, why=why, where=Location(member=contents.by_name.chained))
    if not delivery.items:
        return refused("image might be filtered out", f"its {MANIFEST} names no image", MANIFEST)
    return _unlisted(delivery, refused)


def _unread_index(delivery: Delivery, refused: Callable[..., LoadAnswer]) -> LoadAnswer | None:
    contents = delivery.contents
    if contents.layout_version != VERSION:
        why = "the version of its layout is another one"
        return refused(f"unsupported OCI version {contents.layout_version}", why, MARKER)
    index = contents.by_name.file(INDEX)
    if index is None:
        return refused(f"missing index.json in OCI layout {VERSION}", f"it has no {INDEX}", INDEX)
    wrong = contents.unread(index, structs.OCI_INDEX)
    if wrong is not None:
        return refused(wrong, f"its {INDEX} is not what this tool wants", INDEX)
    listed = delivery.archive.indexes[0].index if delivery.archive.indexes else None
    if listed is None or not listed.manifests:
        return refused("image might be filtered out", f"its {INDEX} lists no image", INDEX)
    for descriptor in listed.manifests:
        if descriptor.digest is None:
            why = f"a digest in its {INDEX} is none"
            return refused(f'"{descriptor.digest_text}" failed validation: invalid argument', why, INDEX)
    return None


def _unlisted(delivery: Delivery, refused: Callable[..., LoadAnswer]) -> LoadAnswer | None:
    """The words about the first item of manifest.json that stops the import of all of them."""
    if delivery.contents.unlisted is None:
        return None
    at, what, name = delivery.contents.unlisted
    own = at == delivery.place
    this = "" if own else f" of image #{at + 1}"
    if what == "config":
        why = f"no file of the archive has the name {name!r} of the config{this}"
        return refused(f'image config "{name}" not found', why, MANIFEST, Cause.MISSING)
    if what == "layer":
        why = f"no file of the archive has the name {name!r} of a layer{this}"
        return refused(f'failed to resolve layers: layer "{name}" not found', why, MANIFEST, Cause.MISSING)
    if own:
        return None  # told of the image itself, with its place
    config = delivery.contents.by_name.file(name) if what == "unread" else None
    if config is not None:
        wrong = delivery.contents.unread(config, structs.OCI_IMAGE)
        return refused(f"unable to resolve platform: {wrong}", f"the config{this} is none", MANIFEST)
    found = reference.parse(name)
    words = found.words if isinstance(found, reference.Invalid) else ""
    why = f"{name!r} in RepoTags{this} is no name of an image"
    return refused(f'normalize image ref "{name}": {words}', why, MANIFEST, Cause.NAMES)


def _is_walked(absent: ImageRecord, record: ImageRecord) -> bool:
    """Whether an import for the platform of an image reads the manifest of another one: what states none is read."""
    entries = [one.descriptor.platform if one.descriptor is not None else None for one in (absent, record)]
    return absent is not record and (entries[0] is None or entries[0] == entries[1])


def _parts(delivery: Delivery, rules: ImportRules) -> LoadAnswer | None:
    record = delivery.record
    again = "save the image again with all its parts"
    gone = []
    if _by_layout(delivery):
        if record.lacks_manifest:
            gone.append((f"content digest {record.digest}: not found", "the manifest"))
        elif (
            fault := first(delivery, lambda one: _manifest(one, rules), lambda one: _unnamed(one, rules))
        ) is not None:
            return fault
        elif delivery.config_missing and record.config_descriptor is not None:
            digest = record.config_descriptor.digest
            gone.append((f"failed to resolve rootfs: content digest {digest}: not found", "the config"))
        gone += [
            (f"content digest {one.digest}: not found", f"the manifest of {one.numbered}")
            for one in delivery.absent_images
            if rules.all_platforms or _is_walked(one, record)
        ]
    elif delivery.is_directory:
        gone = [(f'image config "{record.config_member}" not found', "the config")] if delivery.config_missing else []
        gone += [
            (f'failed to resolve layers: layer "{layer.record.member}" not found', f"layer {layer.label}")
            for layer in delivery.missing_layers
        ]
    if gone:
        text, what = gone[0]
        return refusal(
            Cause.MISSING, rules.prefix + text, f"{what} is not in the archive", again, where=delivery.manifest_place
        )
    unread = _config(delivery, rules)
    if unread is not None:
        return unread
    if rules.filters and not _by_layout(delivery) and not delivery.image.architecture:
        return refusal(
            Cause.PLATFORM, f"{rules.prefix}image might be filtered out",
            "the config names no architecture, so it is the image of no platform",
            "ctr images import --all-platforms", where=delivery.config_place,
        )  # fmt: skip
    entry = record.descriptor.platform if record.descriptor is not None and _by_layout(delivery) else None
    foreign = entry is not None and entry.os.lower() not in ("", "linux")
    if foreign and not rules.all_platforms and not any(_for_linux(one) for one in delivery.archive.records):
        return refusal(
            Cause.PLATFORM, f"{rules.prefix}image might be filtered out", f"the index says that it is for {entry}",
            "import it with --all-platforms", where=delivery.manifest_place,
        )  # fmt: skip
    # The config is not asked for an entry of an index that names no platform (containerd 1.6.20, seen).
    unasked = _by_layout(delivery) and entry is None and (rules.filters or rules.all_platforms)
    if delivery.image.os.lower() not in ("", "linux") and not unasked:
        words = "image might be filtered out"
        if not _by_layout(delivery) and any(_for_linux(record) for record in delivery.listed_images):
            layer = next((layer for layer in delivery.image.layers), None)
            words = (
                f"failed to extract layer {layer.diff_id}: {_NO_READER} {layer.digest}: not found" if layer else words
            )
        return refusal(
            Cause.PLATFORM, f"{rules.prefix}{words}", f"the image is for {delivery.image.os}",
            "import it with --all-platforms", where=delivery.config_place,
        )  # fmt: skip
    return None


def _stated(layer: Layer) -> str:
    descriptor = layer.record.descriptor
    return descriptor.digest_text if descriptor is not None and descriptor.digest_text else str(layer.record.digest)


def _for_linux(record: ImageRecord) -> bool:
    return record.platform is not None and record.platform.os.lower() in ("", "linux")


def _names(delivery: Delivery, rules: ImportRules) -> list[str] | LoadAnswer:
    if not _by_layout(delivery):
        names = []
        for name in delivery.tags:
            found = reference.parse(name.text)
            if isinstance(found, reference.Invalid):
                return refusal(
                    Cause.NAMES, f'{rules.prefix}normalize image ref "{name.text}": {found.words}',
                    f"{name.text!r} in RepoTags is no name of an image", "name the image before it is saved",
                    where=name.where,
                )  # fmt: skip
            shown = found.tagged()
            shown = msgspec.structs.replace(shown, tag="") if shown.digest else shown
            if not delivery.is_named_later(shown.familiar):
                names.append(shown.familiar if rules.familiar else shown.full)
        return names
    given = _annotated(delivery.record)
    return list(dict.fromkeys(filter(None, (_of_layout(text, rules, full=full) for text, full in given))))


def _annotated(record: ImageRecord) -> list[tuple[str, bool]]:
    """The names that index.json itself gives, and whether each is whole: containerd's own annotation goes first."""
    given = {name.origin: name.text for name in record.names if name.origin in (CONTAINERD_NAME, REF_NAME)}
    by_place: dict[str, dict[str, str]] = {}
    for name in record.names:
        if name.origin in given:
            at = (name.where.pointer or "").partition("/annotations")[0]
            by_place.setdefault(at, {})[name.origin] = name.text
    both = ((found.get(CONTAINERD_NAME, ""), found.get(REF_NAME, "")) for found in by_place.values())
    return [(whole or tag, bool(whole)) for whole, tag in both]


def _of_layout(name: str, rules: ImportRules, *, full: bool) -> str:
    if rules.familiar:
        found = reference.parse(name)
        return "" if isinstance(found, reference.Invalid) else found.tagged().familiar
    if rules.tag_only == "prefix" and not full and not any(mark in name for mark in "/:@"):
        return f"{PREFIX}:{name}"
    return name


def _named(delivery: Delivery, rules: ImportRules) -> LoadAnswer | None:
    names = _names(delivery, rules)
    return names if isinstance(names, LoadAnswer) else _unnamed(delivery, rules)


def _unnamed(delivery: Delivery, rules: ImportRules) -> LoadAnswer | None:
    names = _names(delivery, rules)
    if not names and rules.unnamed == "nothing":
        return refusal(
            Cause.NAMES, "", "the archive gives the image no name of its own: its parts are stored, and make no image",
            "ctr images import --digests", "or name it when it is saved", exit_code=0,
        )  # fmt: skip
    return None


def _absent(delivery: Delivery, rules: ImportRules) -> LoadAnswer | None:
    """Refuse the first layer of a layout that is not there; nothing is fetched, also where the manifest has `urls`."""
    for layer in delivery.absent_layers if _by_layout(delivery) else ():
        words = _extracting(layer, f"{_NO_READER} {_stated(layer)}: not found", rules, unknown=False)
        place = msgspec.structs.replace(delivery.manifest_place, layer=layer.index)
        return refusal(
            Cause.MISSING, words, f"layer {layer.label} is not in the archive",
            "save the image again with all its parts", where=place,
        )  # fmt: skip
    return None


def _other_blob(delivery: Delivery, rules: ImportRules) -> LoadAnswer | None:
    """Refuse a layer whose bytes are stored under the digest of others: they are kept under their own."""
    for layer, stated, _ in delivery.other_blobs if _by_layout(delivery) else ():
        return refusal(
            Cause.DIGEST, _extracting(layer, f"{_NO_READER} {stated}: not found", rules, unknown=False),
            f"layer {layer.label} has another digest than the manifest says", "fetch the archive again",
            where=layer.location,
        )  # fmt: skip
    return None


def _other_layer(delivery: Delivery, rules: ImportRules) -> LoadAnswer | None:
    for layer, _, actual in delivery.other_diff_ids:
        return refusal(
            Cause.DIGEST, f'{rules.prefix}wrong diff id calculated on extraction "{actual}"',
            f"layer {layer.label} is not what the config says", "fetch the archive again", where=layer.location,
        )  # fmt: skip
    return None


def _taken(delivery: Delivery, rules: ImportRules) -> LoadAnswer:
    names = _names(delivery, rules)
    assert not isinstance(names, LoadAnswer)
    digest, of = target(delivery)
    if not names and rules.unnamed == "digest":
        names = [f"{PREFIX}@{digest or 'sha256:...'}"]
    notes = []
    entry = delivery.record.descriptor
    if rules.filters and (not _by_layout(delivery) or (entry is not None and entry.platform is not None)):
        notes.append(
            f'on a host that is not {delivery.image.architecture} it says "{rules.prefix}image might be filtered out"'
        )
    if len(delivery.archive.runnable) > 1 and of == "index":
        notes.append("the name is that of an index; the platform of the host is unpacked")
    return LoadAnswer(
        outcome=Outcome.TAKES, names=tuple(dict.fromkeys(names)), id=digest, id_of=of, notes=tuple(notes), exit_code=0
    )


def target(delivery: Delivery) -> tuple[str, IdOf]:
    """Return what the name of an imported image points at: an index, a manifest, or the manifest that is made."""
    record = delivery.record
    if _by_layout(delivery):
        if record.parent is not None:
            return str(record.parent), "index"
        return str(record.digest or ""), "manifest" if record.digest else ""
    made = made_manifest(delivery)
    return made, "manifest" if made else ""


def made_manifest(delivery: Delivery) -> str:
    """Return the digest of the manifest that containerd writes for an image of manifest.json; "" if it cannot be told.

    Source: containerd importer.go; measured with ctr 1.6 on a store that has no compressed copy of the layers.
    """
    record, config = delivery.record, delivery.record.config
    if config is None or record.image_id is None:
        return ""
    listed = []
    for layer in delivery.image.layers:
        if layer.digest is None or not layer.readable or layer.facts is None or layer.facts.blob_digest is None:
            return ""
        packed = ".gzip" if layer.compression != Compression.NONE else ""
        listed.append(
            _descriptor(f"application/vnd.docker.image.rootfs.diff.tar{packed}", layer.digest, layer.blob_size)
        )
    document = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "config": _descriptor("application/vnd.docker.container.image.v1+json", record.image_id, len(config.raw_bytes)),
        "layers": listed,
    }
    return "sha256:" + hashlib.sha256(json.dumps(document, separators=(",", ":")).encode()).hexdigest()


def _descriptor(media_type: str, digest: str, size: int) -> dict[str, object]:
    return {"mediaType": media_type, "digest": str(digest), "size": size}
