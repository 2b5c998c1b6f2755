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
from imagepeel.archive.kinds.kind import MANIFEST
from imagepeel.archive.records import LayerState
from imagepeel.evidence import Location
from imagepeel.loading import reference
from imagepeel.loading.answer import STORE, Cause, IdOf, LoadAnswer, Outcome, refusal
from imagepeel.loading.checks import config_unread, damaged, first, layers, of_before_1_10, too_long
from imagepeel.oci.descriptor import CONTAINERD_NAME, REF_NAME
from imagepeel.oci.layout import MARKER
from imagepeel.text import plural

if TYPE_CHECKING:
    from imagepeel.archive.records import ImageRecord
    from imagepeel.loading.delivery import Delivery
    from imagepeel.rootfs.tree.changes import Refusal

PREFIX = "import-<date>"
"""Stands for what ctr puts before a name that is only a tag: `import-` and the day."""
_NO_READER = "failed to get reader from content store: content digest"
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
        lambda delivery: damaged(delivery, lambda error: f"{rules.prefix}{error}"),
        lambda delivery: judge_image(delivery, rules, view),
        lambda delivery: _bytes(delivery, rules),
    )
    return found if found is not None else _taken(delivery, rules)


def judge_image(delivery: Delivery, rules: ImportRules, view: str) -> LoadAnswer | None:
    """Say why the image cannot be unpacked however it got into the store; None where it can."""
    if delivery.counts is not None:
        found, stated = delivery.counts
        return refusal(
            Cause.COUNT, f"{rules.prefix}mismatched image rootfs and manifest layers",
            f"the manifest lists {plural(found, 'layer')}, the config {plural(stated, 'DiffID')}",
            "build or save the image again",
            where=delivery.manifest_place,
        )  # fmt: skip
    return layers(
        delivery,
        view,
        lambda found, layer: f"{rules.prefix}failed to extract layer {layer.diff_id}: {_on_host(found)}: unknown",
        lambda sentence, _: sentence,
    )


def _on_host(found: Refusal) -> str:
    """The reason with the paths of the host that containerd shows of hardlinks."""
    if found.cause != "link":
        return found.reason
    return f"link {' '.join(STORE + path for path in found.paths)}: {found.error}"


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
        if delivery.has(MARKER):
            return None if delivery.laid_out else _other(delivery, rules)
        if delivery.listed:
            return None
        if delivery.listed_images:
            return _other(delivery, rules)
        if delivery.odd_list:
            return refusal(Cause.FORMAT, "", f"its {MANIFEST} is not a list of images", "save the image again")
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


def _by_layout(delivery: Delivery) -> bool:
    return delivery.laid_out and delivery.has(MARKER)


def _parts(delivery: Delivery, rules: ImportRules) -> LoadAnswer | None:
    record = delivery.record
    again = "save the image again with all its parts"
    if _by_layout(delivery):
        gone = []
        if not record.available:
            gone.append((f"content digest {record.digest}: not found", "the manifest"))
        elif delivery.config_missing and record.config_descriptor is not None:
            digest = record.config_descriptor.digest
            gone.append((f"failed to resolve rootfs: content digest {digest}: not found", "the config"))
        gone += [
            (
                f"failed to extract layer {layer.record.diff_id}: {_NO_READER} {layer.record.digest}: not found",
                f"layer {layer.label}",
            )
            for layer in delivery.missing_layers
            if layer.state is LayerState.MISSING
        ]
        absent = delivery.absent_images[:1] if rules.all_platforms else []
        gone += [(f"content digest {one.digest}: not found", f"the image for {one.platform}") for one in absent]
    else:
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
    unread = delivery.unread_config("v1.Image")
    if unread is not None:
        reader = "failed to resolve rootfs" if _by_layout(delivery) else "unable to resolve platform"
        return config_unread(delivery, f"{rules.prefix}{reader}: {unread}")
    if rules.filters and not _by_layout(delivery) and not (delivery.image.os and delivery.image.architecture):
        return refusal(
            Cause.PLATFORM, f"{rules.prefix}image might be filtered out",
            "the config names no os and architecture, so it is the image of no platform",
            "ctr images import --all-platforms", where=delivery.config_place,
        )  # fmt: skip
    if delivery.image.os not in ("", "linux"):
        return refusal(
            Cause.PLATFORM, f"{rules.prefix}image might be filtered out", f"the image is for {delivery.image.os}",
            "import it with --all-platforms", where=delivery.config_place,
        )  # fmt: skip
    return None


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
            names.append(shown.familiar if rules.familiar else shown.full)
        return names
    return list(dict.fromkeys(filter(None, (_of_layout(text, rules) for text in _annotated(delivery.record)))))


def _annotated(record: ImageRecord) -> list[str]:
    """The names that index.json itself gives: containerd's own annotation goes before that of the specification."""
    given = {name.origin: name.text for name in record.names if name.origin in (CONTAINERD_NAME, REF_NAME)}
    by_place: dict[str, dict[str, str]] = {}
    for name in record.names:
        if name.origin in given:
            at = (name.where.pointer or "").partition("/annotations")[0]
            by_place.setdefault(at, {})[name.origin] = name.text
    return [found.get(CONTAINERD_NAME) or found.get(REF_NAME, "") for found in by_place.values()]


def _of_layout(name: str, rules: ImportRules) -> str:
    if rules.familiar:
        found = reference.parse(name)
        return "" if isinstance(found, reference.Invalid) else found.tagged().familiar
    if rules.tag_only == "prefix" and not any(mark in name for mark in "/:@"):
        return f"{PREFIX}:{name}"
    return name


def _named(delivery: Delivery, rules: ImportRules) -> LoadAnswer | None:
    names = _names(delivery, rules)
    if isinstance(names, LoadAnswer):
        return names
    if not names and rules.unnamed == "nothing":
        return refusal(
            Cause.NAMES, "", "the archive gives the image no name: its parts are stored, and no image is made of them",
            "ctr images import --digests", "or name it when it is saved", exit_code=0,
        )  # fmt: skip
    return None


def _bytes(delivery: Delivery, rules: ImportRules) -> LoadAnswer | None:
    for layer, _, actual in delivery.wrong_diff_ids:
        return refusal(
            Cause.DIGEST, f'{rules.prefix}wrong diff id calculated on extraction "{actual}"',
            f"layer {layer.label} is not what the config says", "fetch the archive again", where=layer.location,
        )  # fmt: skip
    return too_long(delivery, _ROOM, lambda reason: f"{rules.prefix}{reason}: unknown")


def _taken(delivery: Delivery, rules: ImportRules) -> LoadAnswer:
    names = _names(delivery, rules)
    assert not isinstance(names, LoadAnswer)
    digest, of = target(delivery)
    if not names and rules.unnamed == "digest":
        names = [f"{PREFIX}@{digest or 'sha256:...'}"]
    notes = []
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
