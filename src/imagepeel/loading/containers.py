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
from imagepeel.loading import reference, structs
from imagepeel.loading.answer import FILE, TMP, Cause, LoadAnswer, Outcome, refusal
from imagepeel.loading.checks import config_unread, damaged, first, foremost, layers, of_before_1_10, too_long
from imagepeel.loading.lookup import clean, stored_name
from imagepeel.loading.streams import of_layer
from imagepeel.loading.tool import LoadFamily, LoadTool
from imagepeel.oci.descriptor import CONTAINERD_NAME, REF_NAME
from imagepeel.oci.digest import digest_error
from imagepeel.text import plural

if TYPE_CHECKING:
    from imagepeel.archive.members import Member
    from imagepeel.layers.layer import Layer
    from imagepeel.loading.delivery import Delivery
    from imagepeel.loading.lookup import Reached
    from imagepeel.loading.streams import StreamFault
    from imagepeel.rootfs.tree.changes import Refusal

_NO_INDEX = f"open {TMP}/{INDEX}: no such file or directory"
_LOADING_INDEX = "loading index: "
"""What stands before an error of index.json in the programs that store."""
_UNTARRING = f'creating temp directory: untarring file "{TMP}": '
_UNPACKED_EOF = f"{_UNTARRING}unexpected EOF"
_PANIC = "panic: "
_OF_NOTHING = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
"""The digest of no bytes."""
_READ_AT_ONCE = 32 * 1024
"""Bytes of a layer that is read to its end before it is known whether it is compressed."""
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
    quotes: bool = False
    """It quotes the names of members, and looks at a directory for an image before it copies one (podman 5 and 6)."""
    keeps_names: bool = True
    """It gives the image the names that the archive has."""
    bad_gzip: bool = False
    """It does not read a docker-archive that is compressed with gzip (Debian 12)."""

    def judge(self, delivery: Delivery) -> LoadAnswer:
        found = self._judge(delivery)
        found = self._worded(delivery, found) if found.outcome is Outcome.REFUSES else found
        by_layout = self._as_layout(delivery) and not self.tries_all
        command = self.command.replace("docker-archive:", "oci-archive:") if by_layout else ""
        return msgspec.structs.replace(found, command=command)

    def judge_file(self, delivery: Delivery) -> LoadAnswer | None:
        found = first(delivery, self._file, self._choice)
        return self._worded(delivery, found) if found is not None else None

    def _worded(self, delivery: Delivery, found: LoadAnswer) -> LoadAnswer:
        if not found.text:
            return found
        if found.text.startswith(_PANIC):
            return msgspec.structs.replace(found, exit_code=2)
        code = 1 if not self.stores or (not self.tries_all and found.text.endswith(": exit status 1")) else 125
        return msgspec.structs.replace(found, text=self._words(delivery, found.text), exit_code=code)

    def judge_image(self, delivery: Delivery) -> LoadAnswer | None:
        found = first(delivery, self._documents, self._absent, self._layers)
        if found is None or found.cause is None or not found.cause.of_image:
            return None
        return msgspec.structs.replace(found, text=self._words(delivery, found.text), exit_code=125)

    # ---- words --------------------------------------------------------------------------------------------

    def _words(self, delivery: Delivery, text: str) -> str:
        """The text with the errors of the other transports around it, or the one envelope that the program has."""
        if text.startswith(_PANIC):
            return text
        if not self.stores:
            return f'level=fatal msg="{text}"'
        if not self.tries_all:
            return f"Error: {text}"
        archive, listed = (text, self._list_words(delivery)) if delivery.laid_out else (self._no_layout(delivery), text)
        opening = "" if self.quotes else f"initializing source oci:{FILE}:: "
        return (
            "Error: payload does not match any of the supported image formats:\n"
            f" * oci: {opening}open {FILE}/{INDEX}: not a directory\n"
            f" * oci-archive: {archive}\n"
            f" * docker-archive: {listed}\n"
            f" * dir: open {FILE}/{MANIFEST}: not a directory"
        )

    def _no_layout(self, delivery: Delivery) -> str:
        """Why an archive is none of a layout: it cannot be unpacked, or has no index."""
        fault = None if delivery.is_directory else delivery.stream_fault
        words = _UNPACKED_EOF if fault is not None and fault.in_tar else ""
        if not words and not delivery.is_directory and not delivery.folder:
            words = delivery.contents.unpacked.leaves or ""
            if not words and delivery.contents.unpacked.early_link is not None:
                words = "no such file or directory"
            words = f"{_UNTARRING}{words}" if words else ""
        return words or _LOADING_INDEX + _NO_INDEX

    def _list_words(self, delivery: Delivery) -> str:
        """Why an archive of a layout is no docker-archive."""
        fault = None if delivery.is_directory else delivery.stream_fault
        if fault is None:
            return f"{self._component(MANIFEST)}: file does not exist"
        if not fault.packed and delivery.contents.in_tar.entry(MANIFEST) is None:
            return f"{self._component(MANIFEST)}: {fault.words}"
        return f'copying contents to temporary file "{TMP}": {fault.words}' if fault.packed else fault.words

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
            return f"{_LOADING_INDEX}{text}" if delivery.laid_out else text
        where = f"oci-archive:{FILE}:" if delivery.laid_out else f"docker-archive:{FILE}"
        return f"initializing source {where}: {text}"

    def _as_layout(self, delivery: Delivery) -> bool:
        """Whether the image is read from the OCI layout: it is tried before manifest.json, where both are tried."""
        return delivery.laid_out and not delivery.folder and (self.tries_all or not delivery.listed)

    def _head(self, delivery: Delivery) -> str:
        """What stands before an error of the reader of a docker-archive; an image without a name is read before."""
        if self.stores and not delivery.tags:
            return ""
        tag = reference.parse(delivery.tags[0].text) if delivery.tags and self.tries_all else None
        named = f":{tag.full}" if isinstance(tag, reference.Reference) else ""
        return f"determining manifest MIME type for docker-archive:{FILE}{named}: "

    def _blob(self, layer: Layer) -> str:
        stored = f'"{layer.digest if layer.record.digest is not None else layer.diff_id}"'
        return f'{stored}/""/"{layer.diff_id}"' if self.names_blobs else stored

    # ---- judges -------------------------------------------------------------------------------------------

    def _judge(self, delivery: Delivery) -> LoadAnswer:
        judges = (self._file, self._choice, self._names, self._earlier, self._documents, self._absent, self._named)
        found = first(delivery, *judges, self._layers)
        return found if found is not None else self._taken(delivery)

    def _earlier(self, delivery: Delivery) -> LoadAnswer | None:
        """The refusal of an image that stands before this one in manifest.json: loading ends there."""
        for before in delivery.earlier if self.tries_all else ():
            answer = self._judge(before)
            if answer.outcome is Outcome.REFUSES and answer.text:
                return msgspec.structs.replace(
                    answer,
                    cause=Cause.CHOICE,
                    why=f"image #{before.record.number} stands before this one, and loading ends there: {answer.why}",
                )
        return None

    def _unread_index(self, delivery: Delivery) -> LoadAnswer | None:
        """The words about an index.json that is none."""
        member = delivery.contents.unpacked.reach(INDEX).member
        again = "save the image again"
        wrong = delivery.contents.unread(member, structs.OCI_INDEX, stream=True) if member is not None else _NO_INDEX
        if wrong is not None:
            why = f"its {INDEX} is not what this tool wants" if member is not None else f"it has no {INDEX}"
            return refusal(Cause.FORMAT, self._opening(delivery, wrong), why, again, where=Location(member=INDEX))
        return None

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

    def _file(self, delivery: Delivery) -> LoadAnswer | None:
        wrapping = delivery.wrapping
        fault = None if delivery.is_directory else delivery.stream_fault
        if self._as_layout(delivery):
            if len(wrapping) > 1 or (fault is not None and fault.in_tar):
                twice = len(wrapping) > 1
                text = f"{_UNTARRING}archive/tar: invalid tar header" if twice else _UNPACKED_EOF
                return refusal(
                    Cause.FORMAT if twice else Cause.CUT, text if self.stores else self._opening(delivery, text),
                    "the whole archive is compressed twice" if twice or fault is None else fault.why,
                    "take the compression off first" if twice else "save or fetch the archive again",
                )  # fmt: skip
            return None if delivery.is_directory else self._unread_index(delivery)
        if fault is not None and (fault.packed or delivery.archive.cut is not None) and not delivery.folder:
            text = self._list_words(delivery)
            return refusal(Cause.CUT, self._opening(delivery, text), fault.why, "save or fetch the archive again")
        if (delivery.listed or delivery.odd_list) and not delivery.folder:
            if self.bad_gzip and wrapping[:1] == (Compression.GZIP,) and len(wrapping) == 1:
                return refusal(
                    Cause.FORMAT, self._opening(delivery, f"{self._component(MANIFEST)}: unexpected EOF"),
                    "this version does not read a docker-archive that is compressed with gzip", "gunzip it first",
                )  # fmt: skip
            return None if delivery.is_directory else self._unread_list(delivery)
        record = delivery.record
        if delivery.is_dir_copy:
            return None
        nothing = self._opening(delivery, _NO_INDEX if delivery.laid_out else self._list_words(delivery))
        if delivery.is_cut:
            return refusal(Cause.CUT, nothing, f"the archive ends before its {MANIFEST}", "save it again")
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
        if (
            self.tries_all
            and delivery.listed
            and not delivery.laid_out
            and delivery.has(INDEX)
            and delivery.others_laid_out
        ):
            return refusal(
                Cause.CHOICE, "", f"the OCI layout of the archive is read first, and this image is in {MANIFEST} only",
                f"take {INDEX} out of the archive", where=Location(member=INDEX), exit_code=0,
            )  # fmt: skip
        if self._as_layout(delivery):
            top = delivery.archive.indexes[0].index if delivery.archive.indexes else None
            count = len(top.manifests or ()) if top is not None else 1 if delivery.is_directory else 0
            if count != 1:
                return refusal(
                    Cause.CHOICE, self._opening(delivery, "more than one image in oci, choose an image"),
                    f"{INDEX} lists {count} images", f"skopeo copy oci-archive:{FILE}:NAME ...",
                    where=Location(member=INDEX, pointer="/manifests"),
                )  # fmt: skip
            wrong = next((each for each in (top.manifests or ()) if each.digest is None), None) if top else None
            if wrong is not None:
                head = "" if self.stores else f"determining manifest MIME type for oci-archive:{FILE}:: "
                return refusal(
                    Cause.FORMAT,
                    f"{head}unexpected digest reference {wrong.digest_text}: {digest_error(wrong.digest_text)}",
                    f"a digest in its {INDEX} is none", "save the image again", where=Location(member=INDEX),
                )  # fmt: skip
        elif (
            delivery.listed and not self.tries_all and not delivery.is_directory and delivery.contents.items_in_tar != 1
        ):
            count = delivery.contents.items_in_tar
            head = "" if self.stores else self._head(delivery)
            return refusal(
                Cause.CHOICE, f"{head}Unexpected tar {MANIFEST}: expected 1 item, got {count}",
                f"{MANIFEST} lists {count} images", f"name one: docker-archive:{FILE}:NAME:TAG or {FILE}:@0",
                where=Location(member=MANIFEST),
            )  # fmt: skip
        return None

    def _names(self, delivery: Delivery) -> LoadAnswer | None:
        """The names of all images are looked at before one is loaded."""
        by_list = delivery.listed and not self._as_layout(delivery) and self.tries_all
        items = delivery.items if by_list and not delivery.is_directory else [delivery.item] if by_list else []
        for at, item in enumerate(items):
            for given in (item.repo_tags or ()) if item is not None else ():
                words = _no_tag(given, at)
                if words is not None:
                    way = "name the image with a tag before it is saved"
                    return refusal(Cause.NAMES, words, f"{given!r} in RepoTags is no name with a tag", way)
        return None

    def _named(self, delivery: Delivery) -> LoadAnswer | None:
        """Names that the store does not take."""
        if not self.stores:
            return None
        for given in self._given(delivery):
            found = reference.parse(given)
            if isinstance(found, reference.Invalid) and not (found.hexadecimal and not self.keeps_names):
                words = f'normalizing name "{given}": {found.alone(given)}'
                way = "give it another name: skopeo copy oci-archive:FILE containers-storage:NAME"
                return refusal(Cause.NAMES, words, f"{given!r} is no name of an image", way)
            if isinstance(found, reference.Reference) and found.digest and found.digest != delivery.record.digest:
                words = "Digest of source image's manifest would not match destination reference"
                why = f"the name {given!r} has the digest of another manifest"
                return refusal(Cause.NAMES, words, why, "name the image with a tag before it is saved")
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

    def _absent(self, delivery: Delivery) -> LoadAnswer | None:
        record, blobs = delivery.record, f"{TMP}/blobs/sha256"
        again = "save the image again with all its parts"
        if not record.available:
            name = (record.digest or "").partition(":")[2]
            head = f"determining manifest MIME type for oci-archive:{FILE}:: "
            text = f"{head}open {blobs}/{name}: no such file or directory"
            return refusal(Cause.MISSING, text, "the manifest is not in the archive", again)
        if delivery.config_missing and self._as_layout(delivery):
            digest = record.config_descriptor.digest if record.config_descriptor is not None else None
            name = (digest or "").partition(":")[2]
            head = "parsing image configuration: " if self.stores else f"reading config blob {digest}: "
            return refusal(
                Cause.MISSING, f"{head}open {blobs}/{name}: no such file or directory",
                "the config is not in the archive", again, where=delivery.manifest_place,
            )  # fmt: skip
        unread = delivery.unread_config(structs.OCI_IMAGE) if self.stores else None
        if unread is not None:
            return config_unread(delivery, f"parsing image configuration: {unread}")
        for layer in delivery.missing_layers if self._as_layout(delivery) else ():
            stated = layer.record.digest or ""
            return refusal(
                Cause.MISSING,
                f"reading blob {stated}: open {blobs}/{stated.partition(':')[2]}: no such file or directory",
                f"layer {layer.label} is not in the archive", again, where=delivery.manifest_place,
            )  # fmt: skip
        return None

    def _layers(self, delivery: Delivery) -> LoadAnswer | None:
        """The first layer that cannot be copied or unpacked."""
        copied = (self._reading(delivery), self._other_layer(delivery))
        if not self.stores:
            return foremost(*copied)
        unpacked = layers(
            delivery,
            self.view,
            lambda found, layer: f"{self._adding(layer)}: processing tar file({_reason(found)}): exit status 1",
            lambda sentence, layer: f"{self._adding(layer)}: processing tar file(): {sentence}",
        )
        return foremost(
            *copied,
            damaged(delivery, self._broken),
            unpacked,
            too_long(delivery, lambda _: _ROOM, lambda path, layer: f"{self._adding(layer)}: lstat {path}"),
        )

    def _broken(self, fault: StreamFault, layer: Layer) -> str:
        if fault.packed and fault.in_head:
            return f"writing blob: setting up to decompress blob: {fault.words}"
        if fault.packed:
            return f'writing blob: storing blob to file "{TMP}/{layer.index + 1}": {fault.words}'
        return f"{self._adding(layer)}: processing tar file({fault.words}): exit status 1"

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

    def _no_digest(self, diff_id: str, what: str) -> str:
        """The words about a DiffID that is no digest."""
        if not self.stores and diff_id:
            if ":" in diff_id:
                return f"preparing to verify blob {diff_id}: Invalid digest specification {diff_id}"
            return f"{_PANIC}no ':' separator in digest \"{diff_id}\""
        known = f"invalid digest: {what}" if diff_id else "unknown digest"
        return f"trying to reuse blob {diff_id} at destination: Can not check for a blob with {known}"

    def _other_layer(self, delivery: Delivery) -> LoadAnswer | None:
        if not delivery.listed or self._as_layout(delivery):
            return None
        for layer, stated, actual in delivery.wrong_diff_ids:
            storing = f'storing blob to file "{TMP}/{layer.index + 1}": '
            small = layer.compression is Compression.NONE and (layer.blob_size or 0) <= _READ_AT_ONCE
            happened = ("setting up to decompress blob: " if small else storing) if self.stores else ""
            return refusal(
                Cause.DIGEST,
                f"writing blob: {happened}happened during read: Digest did not match, expected {stated}, "
                f"got {actual}",
                f"layer {layer.label} is not what the config says", "fetch the archive again", where=layer.location,
            )  # fmt: skip
        return None

    def _adding(self, layer: Layer) -> str:
        return f"writing blob: adding layer with blob {self._blob(layer)}"

    # ---- taken --------------------------------------------------------------------------------------------

    def _taken(self, delivery: Delivery) -> LoadAnswer:
        names: list[str] = []
        for given in self._given(delivery) if self.stores and self.keeps_names else ():
            found = reference.parse(given)
            if isinstance(found, reference.Reference):
                shown = found.tagged()
                names.append(shown.full if shown.given_domain else f"localhost/{shown.familiar}")
        if names and self.tries_all:
            before = {name for one in delivery.earlier for name in self._judge(one).names}
            if before.issuperset(names):
                return refusal(
                    Cause.CHOICE, "", "an image before it in the file has its name, and is loaded in its place",
                    "give each image another name", where=delivery.manifest_place, exit_code=0,
                )  # fmt: skip
            names = [name for name in names if name not in before]
        identity = delivery.record.image_id or "" if self.stores else ""
        notes = () if self.stores else ("it copies and unpacks nothing: what the destination refuses is told there",)
        if not self.keeps_names:
            notes = ("the image is kept without a name; buildah tag gives it one",)
        later = delivery.unread_config(structs.SCHEMA2_V1_IMAGE) if self.stores else None
        if later is not None and not self.tries_all:
            name = (self._given(delivery) or [identity])[0]
            return config_unread(delivery, f"checking platform of image {name}: inspecting image: {later}")
        if later is not None:
            notes = (*notes, f"podman images and podman run fail then: {later}")
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


def _no_tag(given: str, at: int) -> str | None:
    """What the list of a docker-archive says of a name that is none with a tag."""
    found = reference.parse(given)
    if isinstance(found, reference.Invalid):
        return f'Invalid tag "{given}" in manifest item @{at}: {found.words}'
    if not found.tag:
        return f"Invalid tag {given} ({found.full}): does not contain a tag"
    if found.digest:
        what = f"docker-archive doesn't support digest references: {found.full}"
        return f'creating a reference for tag "{given}" in manifest item @{at}: {what}'
    return None


def _by_place(found: tuple[int, Member, Layer]) -> int:
    return found[0]


def _reason(found: Refusal) -> str:
    """The reason; of a hardlink or whiteout that cannot be made, this extractor leaves out the call."""
    return found.error if found.cause in ("link", "whiteout") else found.reason


_PODMAN = ContainersImage(
    name="podman", version=(4, 3), command=f"podman load -i {FILE}", view="podman", tries_all=True, bad_gzip=True,
    measured="podman 4.3.1 on overlay",
)  # fmt: skip
_PODMAN5 = msgspec.structs.replace(
    _PODMAN, version=(5, 8), bad_gzip=False, names_blobs=True, quotes=True, measured="podman 5.8.6 on overlay"
)
_PODMAN6 = msgspec.structs.replace(
    _PODMAN5,
    version=(6, 1),
    measured="",
    read="container-libs 523e87c5, common/libimage/load.go and pull.go",
)
_SKOPEO = ContainersImage(
    name="skopeo", version=(1, 9), command=f"skopeo copy docker-archive:{FILE} DESTINATION", view="", stores=False,
    bad_gzip=True, measured="skopeo 1.9.3",
)  # fmt: skip
_BUILDAH = ContainersImage(
    name="buildah", version=(1, 28), command=f"buildah pull docker-archive:{FILE}", view="podman", bad_gzip=True,
    keeps_names=False, measured="buildah 1.28.2 on overlay",
)  # fmt: skip

FAMILY = LoadFamily(name="podman", versions=(_PODMAN, _PODMAN5, _PODMAN6))
SKOPEO = LoadFamily(name="skopeo", versions=(_SKOPEO,))
BUILDAH = LoadFamily(name="buildah", versions=(_BUILDAH,))
