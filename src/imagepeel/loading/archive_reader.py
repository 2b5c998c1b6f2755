"""How containers/image reads a docker-archive: its members, its manifest.json, and what they must have in common.

Source: containers/image docker/internal/tarfile; measured with podman 4.3.1, skopeo 1.9.3 and buildah 1.28.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from imagepeel.archive.kinds.kind import INDEX, MANIFEST
from imagepeel.evidence import Location
from imagepeel.loading import reference, structs
from imagepeel.loading.answer import FILE, TMP, Cause, LoadAnswer, refusal
from imagepeel.loading.checks import (
    config_unread,
    first,
)
from imagepeel.loading.lookup import clean, stored_name
from imagepeel.loading.streams import of_layer
from imagepeel.loading.tool import LoadTool
from imagepeel.oci.digest import digest_error
from imagepeel.text import plural

if TYPE_CHECKING:
    from imagepeel.archive.members import Member
    from imagepeel.layers.layer import Layer
    from imagepeel.loading.delivery import Delivery
    from imagepeel.loading.lookup import Reached

_NO_INDEX = f"open {TMP}/{INDEX}: no such file or directory"

LOADING_INDEX = "loading index: "
"""What stands before an error of index.json in the programs that store."""
UNTARRING = f'creating temp directory: untarring file "{TMP}": '
PANIC = "panic: "
_OF_NOTHING = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
"""The digest of no bytes."""


class ArchiveReader(LoadTool, frozen=True, kw_only=True):
    """A program with this reader.

    `stores`: whether layers go into containers/storage, which unpacks them.  `tries_all`: the transports are tried one
    after the other, and their errors are told together.
    """

    stores: bool = True
    tries_all: bool = False
    quotes: bool = False
    """It quotes the names of members, and looks at a directory for an image before it copies one (podman 5 and 6)."""

    def _name(self, member: str) -> str:
        """A member as it is named in errors."""
        return f'"{member}"' if self.quotes else member

    def _component(self, member: str) -> str:
        return f"loading tar component {self._name(member)}"

    def _why(self, reached: Reached) -> str:
        """Why a member cannot be read."""
        odd = f"Error reading tar archive component {self._name(reached.odd)}: not a regular file"
        return odd if reached.odd else reached.words

    def _opening(self, delivery: Delivery, text: str) -> str:
        """An error of opening the archive: one of its index.json where it is a layout, else of its manifest.json."""
        if self.stores:
            return f"{LOADING_INDEX}{text}" if delivery.laid_out else text
        where = f"oci-archive:{FILE}:" if delivery.laid_out else f"docker-archive:{FILE}"
        return f"initializing source {where}: {text}"

    def _as_layout(self, delivery: Delivery) -> bool:
        """Whether the image is read from the OCI layout: it is tried before manifest.json, where both are tried."""
        if not delivery.laid_out or delivery.folder:
            return False
        return not delivery.listed or (self.tries_all and not self._untarring(delivery))

    def _untarring(self, delivery: Delivery) -> str:
        """Why the archive cannot be unpacked to be read as a layout, "" where it can."""
        if delivery.is_directory or delivery.folder:
            return ""
        fault = delivery.stream_fault
        if fault is not None and fault.in_tar:
            return f"{UNTARRING}{fault.words}"
        unpacked = delivery.contents.unpacked
        words = unpacked.leaves or ("no such file or directory" if unpacked.early_link is not None else "")
        return f"{UNTARRING}{words}" if words else ""

    def _head(self, delivery: Delivery) -> str:
        """What stands before an error of the reader of a docker-archive; an image without a name is read before."""
        if self.stores and not delivery.tags:
            return ""
        tag = reference.parse(delivery.tags[0].text) if delivery.tags and self.tries_all else None
        named = f":{tag.full}" if isinstance(tag, reference.Reference) else ""
        return f"determining manifest MIME type for docker-archive:{FILE}{named}: "

    def _unread_list(self, delivery: Delivery) -> LoadAnswer | None:
        """The words about a manifest.json that is no list of images."""
        reached = delivery.contents.in_tar.reach(MANIFEST)
        again = "write the list again, or save the image again"
        if reached.member is None:
            return refusal(
                Cause.FORMAT, self._opening(delivery, f"{self._component(MANIFEST)}: {self._why(reached)}"),
                f"its {MANIFEST} is no file at the top of the archive", again,
            )  # fmt: skip
        wrong = delivery.contents.unread(reached.member, structs.CONTAINERS_LIST)
        if wrong is not None:
            return refusal(
                Cause.FORMAT, self._opening(delivery, f"decoding tar {MANIFEST}: {wrong}"),
                f"its {MANIFEST} is no list of images for this tool", again, where=Location(member=MANIFEST),
            )  # fmt: skip
        if not delivery.items and self.tries_all:
            why = f"its {MANIFEST} names no image"
            return refusal(Cause.FORMAT, "", why, again, where=Location(member=MANIFEST), exit_code=0)
        return None

    def _documents(self, delivery: Delivery) -> LoadAnswer | None:
        """What the reader of a docker-archive compares; that of a layout compares none of it."""
        if self._as_layout(delivery) or not delivery.listed:
            return None
        head, item = self._head(delivery), delivery.item
        if item is not None and not delivery.is_directory:
            reached = delivery.contents.in_tar.reach(item.config)
            if reached.member is None:
                missing = f"{head}{self._component(item.config)}: {self._why(reached)}"
                return refusal(
                    Cause.MISSING, missing, f"no file of the archive has the name {item.config!r} of the config",
                    "save the image again", where=delivery.manifest_place,
                )  # fmt: skip
            if reached.member.kind == "hardlink":
                empty = delivery.contents.unread(reached.member, structs.SCHEMA2_IMAGE)
                return refusal(
                    Cause.FORMAT, f"{head}decoding tar config {self._name(item.config)}: {empty}",
                    "the config is stored as a hardlink, which is an empty file for this tool",
                    "write the config itself in its place", where=delivery.manifest_place,
                )  # fmt: skip
        return first(delivery, self._config, self._counted)

    def _config(self, delivery: Delivery) -> LoadAnswer | None:
        """What the config of a docker-archive alone proves."""
        head, member = self._head(delivery), delivery.item.config if delivery.item else delivery.record.config_member
        unread = delivery.unread_config(structs.SCHEMA2_IMAGE)
        if unread is not None:
            return config_unread(delivery, f"{head}decoding tar config {self._name(member)}: {unread}")
        if delivery.no_rootfs:
            return refusal(
                Cause.CONFIG, f"{head}Invalid image config (rootFS is not set): {self._name(member)}",
                "the config has no rootfs, which lists the layers", "add rootfs with the DiffID of each layer",
                where=delivery.config_place,
            )  # fmt: skip
        return None

    def _counted(self, delivery: Delivery) -> LoadAnswer | None:
        """What the reader of a docker-archive compares before it copies anything: counts, and the sizes of layers."""
        head, item = self._head(delivery), delivery.item
        if delivery.counts is not None:
            listed, stated = delivery.counts
            return refusal(
                Cause.COUNT, f"{head}Inconsistent layer count: {listed} in manifest, {stated} in config",
                f"{MANIFEST} lists {plural(listed, 'layer')}, the config {plural(stated, 'DiffID')}",
                "build or save the image again",
                where=delivery.manifest_place,
            )  # fmt: skip
        names = item.layers if item is not None and not delivery.is_directory else ()
        wanted: dict[str, tuple[str, Layer]] = {}
        files: set[str] = set()
        for name, layer in zip(names, delivery.image.layers, strict=False):
            diff_id = layer.record.diff_id or ""
            if diff_id not in wanted and clean(name) in files:
                return refusal(
                    Cause.FORMAT, f"{head}Layer tarfile {self._name(clean(name))} used for two different DiffID values",
                    f"{MANIFEST} names one file for several layers", "save the image again",
                    where=delivery.manifest_place,
                )  # fmt: skip
            wanted.setdefault(diff_id, (name, layer))
            files.add(clean(name))
        found = [(delivery.contents.in_tar.entry(name), layer) for name, layer in wanted.values()]
        in_order = sorted(((entry.index, entry, layer) for entry, layer in found if entry is not None), key=_by_place)
        for _, entry, kept in in_order:
            fault = of_layer(kept) if entry.kind == "file" and kept.readable else None
            if fault is not None and fault.packed:
                name = self._name(stored_name(entry))
                sizing = f"auto-decompressing {name} to determine its size: initializing decompression"
                return refusal(
                    Cause.MISSING,
                    f"{head}{sizing if fault.in_head else f'reading {name} to find its size'}: {fault.words}",
                    f"layer {kept.label} is damaged: {fault.why}", "fetch or save the archive again",
                    where=kept.location,
                )  # fmt: skip
        gone = next((layer for entry, layer in found if entry is None), None)
        if gone is not None:
            return refusal(
                Cause.MISSING, f"{head}Some layer tarfiles are missing in the tarball",
                f"layer {gone.label} is not in the archive", "save the image again with all its layers",
                where=delivery.manifest_place,
            )  # fmt: skip
        return None

    def _reading(self, delivery: Delivery) -> LoadAnswer | None:
        """Refuse a layer of a docker-archive that is stored as something else than a file, or under no digest."""
        if self._as_layout(delivery) or delivery.item is None or delivery.is_directory:
            return None
        seen: set[str | None] = set()
        for name, layer in zip(delivery.item.layers, delivery.image.layers, strict=False):
            diff_id = layer.record.diff_id
            entry, again = delivery.contents.in_tar.entry(name), diff_id in seen
            seen.add(diff_id)
            no_digest = digest_error(diff_id or "")
            if no_digest:
                text = self._no_digest(diff_id or "", no_digest)
                why = f"the DiffID of layer {layer.label} is no digest: {no_digest}"
                place = msgspec.structs.replace(delivery.config_place, layer=layer.index)
                return refusal(Cause.DIGEST, text, why, "build or save the image again", where=place)
            if again or entry is None or entry.kind == "file":
                continue
            return refusal(
                Cause.FORMAT, self._of_entry(delivery, entry, name, layer),
                f"layer {layer.label} is stored as a {entry.kind}, which this version does not read as the layer",
                "write the layer itself in its place", where=layer.location,
            )  # fmt: skip
        return None

    def _of_entry(self, delivery: Delivery, entry: Member, name: str, layer: Layer) -> str:
        """The words about a layer whose member is no file."""
        reached = delivery.contents.in_tar.reach(name)
        if reached.member is None:
            return f"reading blob {layer.record.diff_id}: {self._why(reached)}"
        if entry.kind == "hardlink" or reached.member.kind == "hardlink":
            return (
                f"reading blob {layer.record.diff_id}: Digest did not match, expected {layer.record.diff_id}, "
                f"got {_OF_NOTHING}"
            )
        size = layer.facts.content_size if layer.facts is not None else layer.blob_size
        mismatch = f"Size mismatch when copying {layer.record.diff_id}, expected 0, got {size}"
        return f"writing blob: {'blob size mismatch' if self.stores else mismatch}"

    def _no_digest(self, diff_id: str, what: str, alone: str = "") -> str:
        """The words about a digest of a layer that is none; `alone` those of who copies it."""
        if not self.stores and diff_id:
            if ":" in diff_id:
                return alone or f"preparing to verify blob {diff_id}: Invalid digest specification {diff_id}"
            return f"{PANIC}no ':' separator in digest \"{diff_id}\""
        known = f"invalid digest: {what}" if diff_id else "unknown digest"
        return f"trying to reuse blob {diff_id} at destination: Can not check for a blob with {known}"


def _by_place(found: tuple[int, Member, Layer]) -> int:
    return found[0]
