"""What reads archives with containers/image: `podman load`, `skopeo copy`, `buildah pull`.

Source: containers/image docker/internal/tarfile, oci/archive; container-libs libimage/load.go and pull.go (podman 6);
measured with podman 4.3.1, skopeo 1.9.3 and buildah 1.28.2, and recorded with podman 5.8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from imagepeel.archive.compression import Compression
from imagepeel.archive.kinds.kind import INDEX, MANIFEST
from imagepeel.evidence import Location
from imagepeel.loading import reference
from imagepeel.loading.answer import FILE, TMP, Cause, LoadAnswer, Outcome, refusal
from imagepeel.loading.checks import config_unread, damaged, first, layers, of_before_1_10, too_long
from imagepeel.loading.tool import LoadFamily, LoadTool
from imagepeel.oci.descriptor import CONTAINERD_NAME, REF_NAME
from imagepeel.text import plural

if TYPE_CHECKING:
    from imagepeel.layers.layer import Layer
    from imagepeel.loading.delivery import Delivery
    from imagepeel.rootfs.tree.changes import Refusal

_NO_LIST = f"loading tar component {MANIFEST}: file does not exist"
_NO_INDEX = f"open {TMP}/{INDEX}: no such file or directory"
_LOADING_INDEX = "loading index: "
"""What stands before an error of index.json in the programs that store."""
_ROOM = 3989
"""Bytes that are left for a path below /var/lib/containers/storage/overlay/<64 digits>/diff."""


class ContainersImage(LoadTool, frozen=True, kw_only=True):
    """A program with the readers of containers/image.

    `stores`: whether layers go into containers/storage, which unpacks them.  `tries_all`: the transports are tried one
    after the other, and their errors are told together.  `names_blobs`: how often a refused layer is named.
    """

    stores: bool = True
    tries_all: bool = False
    names_blobs: bool = False
    """The text names blob, table of contents and DiffID of a refused layer, as containers/image 5.30 and later do."""
    sizes_links: bool = False
    """It takes the size of a layer that is a symbolic link for that of the layer."""
    quotes: bool = False
    """It quotes the name of a config in its words against one without rootfs."""
    keeps_names: bool = True
    """It gives the image the names that the archive has."""
    bad_gzip: bool = False
    """It does not read a docker-archive that is compressed with gzip (Debian 12)."""

    def judge(self, delivery: Delivery) -> LoadAnswer:
        found = self._judge(delivery)
        return self._worded(delivery, found) if found.outcome is Outcome.REFUSES else found

    def judge_file(self, delivery: Delivery) -> LoadAnswer | None:
        found = first(delivery, self._file, self._choice)
        return self._worded(delivery, found) if found is not None else None

    def _worded(self, delivery: Delivery, found: LoadAnswer) -> LoadAnswer:
        code = 1 if not self.stores or (found.cause is Cause.UNPACK and not self.tries_all) else 125
        return msgspec.structs.replace(found, text=self._words(delivery, found.text), exit_code=code)

    def judge_image(self, delivery: Delivery) -> LoadAnswer | None:
        found = first(delivery, self._documents, self._layers)
        if found is None or found.cause is None or not found.cause.of_image:
            return None
        return msgspec.structs.replace(found, text=self._words(delivery, found.text), exit_code=125)

    # ---- words --------------------------------------------------------------------------------------------

    def _words(self, delivery: Delivery, text: str) -> str:
        """The text with the errors of the other transports around it, or the one envelope that the program has."""
        if not self.stores:
            return f'level=fatal msg="{text}"'
        if not self.tries_all:
            return f"Error: {text}"
        archive, listed = (text, _NO_LIST) if delivery.laid_out else (_LOADING_INDEX + _NO_INDEX, text)
        return (
            "Error: payload does not match any of the supported image formats:\n"
            f" * oci: initializing source oci:{FILE}:: open {FILE}/{INDEX}: not a directory\n"
            f" * oci-archive: {archive}\n"
            f" * docker-archive: {listed}\n"
            f" * dir: open {FILE}/{MANIFEST}: not a directory"
        )

    def _opening(self, delivery: Delivery, text: str) -> str:
        """An error of opening the archive: one of its index.json where it is a layout, else of its manifest.json."""
        if self.stores:
            return f"{_LOADING_INDEX}{text}" if delivery.laid_out else text
        where = f"oci-archive:{FILE}:" if delivery.laid_out else f"docker-archive:{FILE}"
        return f"initializing source {where}: {text}"

    def _as_layout(self, delivery: Delivery) -> bool:
        """Whether the image is read from the OCI layout: it is tried before manifest.json."""
        return delivery.laid_out and not delivery.folder

    def _head(self, delivery: Delivery) -> str:
        """What stands before an error of the reader of a docker-archive."""
        tag = reference.parse(delivery.tags[0].text) if delivery.tags and self.tries_all else None
        named = f":{tag.full}" if isinstance(tag, reference.Reference) else ""
        return f"determining manifest MIME type for docker-archive:{FILE}{named}: "

    def _blob(self, layer: Layer) -> str:
        stored = f'"{layer.digest if layer.record.digest is not None else layer.diff_id}"'
        return f'{stored}/""/"{layer.diff_id}"' if self.names_blobs else stored

    # ---- judges -------------------------------------------------------------------------------------------

    def _judge(self, delivery: Delivery) -> LoadAnswer:
        found = first(delivery, self._file, self._choice, self._documents, self._absent, self._layers)
        return found if found is not None else self._taken(delivery)

    def _file(self, delivery: Delivery) -> LoadAnswer | None:
        wrapping = delivery.wrapping
        if self._as_layout(delivery):
            if len(wrapping) > 1:
                return refusal(
                    Cause.FORMAT, "creating temp directory: untarring file: archive/tar: invalid tar header",
                    "the whole archive is compressed twice", "take the compression off first",
                )  # fmt: skip
            return None
        if delivery.listed and not delivery.folder:
            if self.bad_gzip and wrapping[:1] == (Compression.GZIP,) and len(wrapping) == 1:
                return refusal(
                    Cause.FORMAT, self._opening(delivery, f"loading tar component {MANIFEST}: unexpected EOF"),
                    "this version does not read a docker-archive that is compressed with gzip", "gunzip it first",
                )  # fmt: skip
            return None
        record = delivery.record
        if delivery.is_dir_copy:
            return None
        nothing = self._opening(delivery, _NO_INDEX if delivery.laid_out else _NO_LIST)
        if delivery.is_cut:
            return refusal(Cause.CUT, nothing, f"the archive ends before its {MANIFEST}", "save it again")
        if delivery.odd_list:
            return refusal(Cause.FORMAT, "", f"its {MANIFEST} is not a list of images", "save the image again")
        if delivery.folder:
            way = f"pack the content of {delivery.folder}/: tar -C {delivery.folder} -cf FILE ."
            why = f"the image does not lie at the top but in {delivery.folder}/"
            return refusal(Cause.FORMAT, nothing, why, way)
        if record.format.bare:
            return refusal(
                Cause.FORMAT, nothing, "it is a filesystem without the documents of an image", f"podman import {FILE}"
            )
        if delivery.is_v1:
            return of_before_1_10(nothing)
        return refusal(Cause.FORMAT, nothing, f"it has neither {INDEX} nor {MANIFEST}", "save the image again")

    def _choice(self, delivery: Delivery) -> LoadAnswer | None:
        if self._as_layout(delivery):
            top = delivery.archive.indexes[0].index if delivery.archive.indexes else None
            count = len(top.manifests or ()) if top is not None else 1
            if count != 1:
                return refusal(
                    Cause.CHOICE, self._opening(delivery, "more than one image in oci, choose an image"),
                    f"{INDEX} lists {count} images", f"skopeo copy oci-archive:{FILE}:NAME ...",
                    where=Location(member=INDEX, pointer="/manifests"),
                )  # fmt: skip
        elif delivery.listed and len(delivery.listed_images) > 1 and not self.tries_all:
            count = len(delivery.listed_images)
            head = "" if self.stores else self._head(delivery)
            return refusal(
                Cause.CHOICE, f"{head}Unexpected tar {MANIFEST}: expected 1 item, got {count}",
                f"{MANIFEST} lists {count} images", f"name one: docker-archive:{FILE}:NAME:TAG or {FILE}:@0",
                where=Location(member=MANIFEST),
            )  # fmt: skip
        return None

    def _documents(self, delivery: Delivery) -> LoadAnswer | None:
        """What the reader of a docker-archive compares; that of a layout compares none of it."""
        if self._as_layout(delivery) or not delivery.listed:
            return None
        head = self._head(delivery)
        unread = delivery.unread_config("manifest.Schema2Image")
        if unread is not None:
            member = delivery.record.config_member
            return config_unread(delivery, f"{head}decoding tar config {member}: {unread}")
        if delivery.no_rootfs:
            member = delivery.record.config_member
            shown = f'"{member}"' if self.quotes else member
            return refusal(
                Cause.CONFIG, f"{head}Invalid image config (rootFS is not set): {shown}",
                "the config has no rootfs, which lists the layers", "add rootfs with the DiffID of each layer",
                where=delivery.config_place,
            )  # fmt: skip
        if delivery.config_missing:
            return refusal(
                Cause.MISSING, f"{head}loading tar component {delivery.record.config_member}: file does not exist",
                "the config is not in the archive", "save the image again", where=delivery.manifest_place,
            )  # fmt: skip
        if delivery.counts is not None:
            listed, stated = delivery.counts
            return refusal(
                Cause.COUNT, f"{head}Inconsistent layer count: {listed} in manifest, {stated} in config",
                f"{MANIFEST} lists {plural(listed, 'layer')}, the config {plural(stated, 'DiffID')}",
                "build or save the image again",
                where=delivery.manifest_place,
            )  # fmt: skip
        for layer in delivery.missing_layers:
            return refusal(
                Cause.MISSING, f"{head}Some layer tarfiles are missing in the tarball",
                f"layer {layer.label} is not in the archive", "save the image again with all its layers",
                where=delivery.manifest_place,
            )  # fmt: skip
        return None

    def _absent(self, delivery: Delivery) -> LoadAnswer | None:
        record, blobs = delivery.record, f"{TMP}/blobs/sha256"
        again = "save the image again with all its parts"
        if not record.available:
            name = (record.digest or "").partition(":")[2]
            head = f"determining manifest MIME type for oci-archive:{FILE}:: "
            text = f"{head}open {blobs}/{name}: no such file or directory"
            return refusal(Cause.MISSING, text, "the manifest is not in the archive", again)
        if delivery.config_missing:
            digest = record.config_descriptor.digest if record.config_descriptor is not None else None
            name = (digest or "").partition(":")[2]
            head = "parsing image configuration: " if self.stores else f"reading config blob {digest}: "
            return refusal(
                Cause.MISSING, f"{head}open {blobs}/{name}: no such file or directory",
                "the config is not in the archive", again, where=delivery.manifest_place,
            )  # fmt: skip
        unread = delivery.unread_config("v1.Image") if self.stores else None
        if unread is not None:
            return config_unread(delivery, f"parsing image configuration: {unread}")
        for layer in delivery.missing_layers:
            stated = layer.record.digest or ""
            return refusal(
                Cause.MISSING,
                f"reading blob {stated}: open {blobs}/{stated.partition(':')[2]}: no such file or directory",
                f"layer {layer.label} is not in the archive", again, where=delivery.manifest_place,
            )  # fmt: skip
        if not self.stores and all(layer.compression is Compression.NONE for layer in delivery.damaged_layers):
            return None  # it copies the bytes and reads no tar
        return damaged(delivery, lambda error: f"writing blob: {error}")

    def _layers(self, delivery: Delivery) -> LoadAnswer | None:
        linked = delivery.linked_layer if self.sizes_links and not self._as_layout(delivery) else None
        if linked is not None:
            return refusal(
                Cause.FORMAT, "writing blob: blob size mismatch",
                f"layer {linked.label} is stored as a symbolic link, of which this version takes the size",
                "write the layer itself in its place", where=linked.location,
            )  # fmt: skip
        if delivery.listed and not self._as_layout(delivery):
            for layer, stated, actual in delivery.wrong_diff_ids:
                happened = "setting up to decompress blob: " if self.stores else ""
                return refusal(
                    Cause.DIGEST,
                    f"writing blob: {happened}happened during read: Digest did not match, expected {stated}, "
                    f"got {actual}",
                    f"layer {layer.label} is not what the config says", "fetch the archive again", where=layer.location,
                )  # fmt: skip
        if not self.stores:
            return None
        found = layers(
            delivery,
            self.view,
            lambda found, layer: f"{self._adding(layer)}: processing tar file({_reason(found)}): exit status 1",
            lambda sentence, layer: f"{self._adding(layer)}: processing tar file(): {sentence}",
        )
        if found is not None:
            return found
        return too_long(delivery, _ROOM, lambda reason: f"writing blob: processing tar file({reason}): exit status 1")

    def _adding(self, layer: Layer) -> str:
        return f"writing blob: adding layer with blob {self._blob(layer)}"

    # ---- taken --------------------------------------------------------------------------------------------

    def _taken(self, delivery: Delivery) -> LoadAnswer:
        names: list[str] = []
        for given in self._given(delivery):
            found = reference.parse(given)
            if not self.stores:
                break
            if isinstance(found, reference.Invalid) and found.hexadecimal and not self.keeps_names:
                continue  # it is taken for an ID, and no name is made of it
            by_list = delivery.listed and not self._as_layout(delivery) and self.tries_all
            if isinstance(found, reference.Invalid):
                at = delivery.record.path[0] if delivery.record.path else 0
                words = f'Invalid tag "{given}" in manifest item @{at}: {found.words}'
                short = f'normalizing name "{given}": {found.cause or found.words}'
                way = "give it another name: skopeo copy oci-archive:FILE containers-storage:NAME"
                return refusal(Cause.NAMES, words if by_list else short, f"{given!r} is no name of an image", way)
            if not found.tag and by_list:
                return refusal(
                    Cause.NAMES, f"Invalid tag {given} ({found.full}): does not contain a tag",
                    f"{given!r} in RepoTags has no tag", "name the image with a tag before it is saved",
                )  # fmt: skip
            shown = found.tagged()
            names.append(shown.full if shown.given_domain else f"localhost/{shown.familiar}")
        identity = delivery.record.image_id or "" if self.stores else ""
        notes = () if self.stores else ("it copies and unpacks nothing: what the destination refuses is told there",)
        if not self.keeps_names:
            names, notes = [], ("the image is kept without a name; buildah tag gives it one",)
        return LoadAnswer(
            outcome=Outcome.TAKES, names=tuple(dict.fromkeys(names)), id=identity, id_of="config" if identity else "",
            notes=notes, exit_code=0,
        )  # fmt: skip

    def _given(self, delivery: Delivery) -> list[str]:
        if not self._as_layout(delivery):
            return [name.text for name in delivery.tags]
        by_origin = {name.origin: name.text for name in delivery.record.names}
        found = by_origin.get(CONTAINERD_NAME) or by_origin.get(REF_NAME)
        return [found] if found else []


def _reason(found: Refusal) -> str:
    """The reason; of a hardlink or whiteout that cannot be made, this extractor leaves out the call."""
    return found.error if found.cause in ("link", "whiteout") else found.reason


_PODMAN = ContainersImage(
    name="podman", version=(4, 3), command=f"podman load -i {FILE}", view="podman", tries_all=True, bad_gzip=True,
    sizes_links=True,
    measured="podman 4.3.1 on overlay",
)  # fmt: skip
_PODMAN5 = msgspec.structs.replace(
    _PODMAN, version=(5, 8), bad_gzip=False, names_blobs=True, measured="podman 5.8.6 on overlay"
)
_PODMAN6 = msgspec.structs.replace(
    _PODMAN5,
    version=(6, 1),
    measured="",
    quotes=True,
    read="container-libs 523e87c5, common/libimage/load.go and pull.go",
)
_SKOPEO = ContainersImage(
    name="skopeo", version=(1, 9), command=f"skopeo copy docker-archive:{FILE} DESTINATION", view="", stores=False,
    bad_gzip=True, measured="skopeo 1.9.3",
)  # fmt: skip
_BUILDAH = ContainersImage(
    name="buildah", version=(1, 28), command=f"buildah pull docker-archive:{FILE}", view="podman", bad_gzip=True,
    sizes_links=True, keeps_names=False, measured="buildah 1.28.2 on overlay",
)  # fmt: skip

FAMILY = LoadFamily(name="podman", versions=(_PODMAN, _PODMAN5, _PODMAN6))
SKOPEO = LoadFamily(name="skopeo", versions=(_SKOPEO,))
BUILDAH = LoadFamily(name="buildah", versions=(_BUILDAH,))
