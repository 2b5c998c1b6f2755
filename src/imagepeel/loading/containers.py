"""What reads archives with containers/image: `podman load`, `skopeo copy`, `buildah pull`.

Source: containers/image docker/internal/tarfile, oci/archive; container-libs libimage/load.go and pull.go (podman 6);
measured with podman 4.3.1, skopeo 1.9.3 and buildah 1.28.2, and recorded with podman 5.8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from imagepeel.archive.compression import Compression
from imagepeel.archive.kinds.kind import INDEX, MANIFEST
from imagepeel.archive.records import Description
from imagepeel.evidence import Location
from imagepeel.formats.tar.header import BLOCK, UNEXPECTED_EOF
from imagepeel.loading import manifests, reference, structs
from imagepeel.loading.answer import FILE, NETWORK, TMP, Cause, LoadAnswer, Outcome, refusal
from imagepeel.loading.archive_reader import LOADING_INDEX, PANIC, UNTARRING, ArchiveReader
from imagepeel.loading.checks import (
    config_unread,
    damaged,
    first,
    foremost,
    layers,
    manifest_fault,
    of_before_1_10,
    too_long,
    too_many_before,
)
from imagepeel.loading.tool import LoadFamily
from imagepeel.oci.descriptor import CONTAINERD_NAME, REF_NAME
from imagepeel.oci.digest import digest_error
from imagepeel.text import shortened

if TYPE_CHECKING:
    from imagepeel.layers.layer import Layer
    from imagepeel.loading.delivery import Delivery
    from imagepeel.loading.streams import StreamFault
    from imagepeel.rootfs.tree.changes import Refusal

_NORMALIZING = "normalizing name "
_NO_INDEX = f"open {TMP}/{INDEX}: no such file or directory"
_READ_AT_ONCE = 32 * 1024
"""Bytes of a layer that is read to its end before it is known whether it is compressed."""
_ROOM = 3989
"""Bytes that are left for a path below /var/lib/containers/storage/overlay/<64 digits>/diff."""


class ContainersImage(ArchiveReader, frozen=True, kw_only=True):
    """A program with the readers of containers/image."""

    names_blobs: bool = False
    """The text names blob, table of contents and DiffID of a refused layer, as containers/image 5.30 and later do."""
    copying: str = ""
    """What it puts before an error of copying an image out of a layout."""
    keeps_names: bool = True
    """It gives the image the names that the archive has."""
    bad_gzip: bool = False
    """It does not read a docker-archive that is compressed with gzip (Debian 12)."""

    def judge(self, delivery: Delivery) -> LoadAnswer:
        found = self._judge(delivery)
        found = self._worded(delivery, found)
        by_layout = self._as_layout(delivery) and not self.tries_all
        command = self.command.replace("docker-archive:", "oci-archive:") if by_layout else ""
        return msgspec.structs.replace(found, command=command)

    def judge_file(self, delivery: Delivery) -> LoadAnswer | None:
        found = first(delivery, self._file, self._choice)
        listed = self._next(delivery) if found is not None else None
        if found is None or (listed is delivery.as_list and first(listed, self._file, self._choice) is None):
            return None
        return self._worded(delivery, found)

    def _worded(self, delivery: Delivery, found: LoadAnswer) -> LoadAnswer:
        if not found.text:
            return found
        if found.text.startswith(PANIC):
            return msgspec.structs.replace(found, exit_code=2)
        code = 1 if not self.stores or (not self.tries_all and found.text.endswith(": exit status 1")) else 125
        return msgspec.structs.replace(found, text=self._words(delivery, found.text), exit_code=code)

    def judge_image(self, delivery: Delivery) -> LoadAnswer | None:
        found = self._copied(delivery)
        listed = self._next(delivery) if found is not None else None
        if found is None or (listed is delivery.as_list and self._copied(listed) is None):
            return None
        return msgspec.structs.replace(found, text=self._words(delivery, found.text), exit_code=125)

    # ---- words --------------------------------------------------------------------------------------------

    def _words(self, delivery: Delivery, text: str) -> str:
        """The text with the errors of the other transports around it, or the one envelope that the program has."""
        if text.startswith(PANIC):
            return text
        if not self.stores:
            return f'level=fatal msg="{text}"'
        if not self.tries_all:
            return f"Error: {text}"
        if delivery.laid_out:
            tried = self._next(delivery)
            by_list = self._by_list(tried).text if tried is not None else ""
            archive, listed = text, by_list or self._list_words(delivery)
        else:
            archive, listed = self._no_layout(delivery), text
        opening = "" if self.quotes else f"initializing source oci:{FILE}:: "
        return (
            "Error: payload does not match any of the supported image formats:\n"
            f" * oci: {opening}open {FILE}/{INDEX}: not a directory\n"
            f" * oci-archive: {archive}\n"
            f" * docker-archive: {listed}\n"
            f" * dir: open {FILE}/{MANIFEST}: not a directory"
        )

    def _no_layout(self, delivery: Delivery) -> str:
        """Why an archive is none of a layout: it cannot be unpacked or has no index, or its own images are refused."""
        refused = next((self._by_layout(one).text for one in delivery.laid_out_images()), "")
        return refused or self._untarring(delivery) or LOADING_INDEX + _NO_INDEX

    def _list_words(self, delivery: Delivery) -> str:
        """Why an archive of a layout is no docker-archive."""
        fault = None if delivery.is_directory else delivery.stream_fault
        if fault is None:
            return f"{self._component(MANIFEST)}: file does not exist"
        if not fault.packed and delivery.contents.in_tar.entry(MANIFEST) is None:
            return f"{self._component(MANIFEST)}: {fault.words}"
        return f'copying contents to temporary file "{TMP}": {fault.words}' if fault.packed else fault.words

    def _blob(self, layer: Layer) -> str:
        stored = f'"{layer.digest if layer.record.digest is not None else layer.diff_id}"'
        return f'{stored}/""/"{layer.diff_id}"' if self.names_blobs else stored

    # ---- judges -------------------------------------------------------------------------------------------

    def _judge(self, delivery: Delivery) -> LoadAnswer:
        """What cannot be read as a layout is read from its manifest.json, where all transports are tried."""
        found = self._by_layout(delivery)
        listed = self._next(delivery) if found.refuses else None
        answer = self._by_list(listed) if listed is not None else None
        if answer is None or answer.refuses:
            return found
        if listed is delivery.as_list:
            return answer
        return refusal(
            Cause.CHOICE, "", f"{found.why}; {MANIFEST}, which is read then, does not name this image",
            "save the image again", where=Location(member=MANIFEST), exit_code=0,
        )  # fmt: skip

    def _next(self, delivery: Delivery) -> Delivery | None:
        """What is tried where a layout is refused: the image itself as manifest.json has it, else the first there."""
        if not self.tries_all or delivery.is_directory or not self._as_layout(delivery):
            return None
        return delivery.as_list if delivery.as_list is not delivery else delivery.first_of_list

    def _by_layout(self, delivery: Delivery) -> LoadAnswer:
        return delivery.judged(f"{self.label} {Description.LAYOUT}", self._read)

    def _by_list(self, delivery: Delivery) -> LoadAnswer:
        return delivery.judged(f"{self.label} {Description.LIST}", self._read)

    def _read(self, delivery: Delivery) -> LoadAnswer:
        found = first(delivery, self._file, self._choice, self._names, self._earlier)
        if found is not None:
            return found
        found = self._copied(delivery)
        return found if found is not None else self._taken(delivery)

    def _copied(self, delivery: Delivery) -> LoadAnswer | None:
        """What is said while the image is copied; of a layout without a name, its ID is looked for first."""
        documents = first(delivery, self._manifest, self._documents, self._absent)
        found = documents if documents is not None else first(delivery, self._named, self._layers, self._committed)
        early = documents is not None and not self._given(delivery)
        head = "" if early or (found is not None and found.text.startswith(_NORMALIZING)) else self.copying
        if found is None or not found.refuses or not head or not self._as_layout(delivery):
            return found
        return msgspec.structs.replace(found, text=head + found.text)

    def _manifest(self, delivery: Delivery) -> LoadAnswer | None:
        """What is said of the manifest of a layout."""
        if not self._as_layout(delivery):
            return None
        fault = manifests.of_containers(delivery)
        fault = fault or (manifests.no_image(delivery) if self.stores else None)
        return manifest_fault(delivery, fault, named=not self.stores or bool(self._given(delivery)))

    def _committed(self, delivery: Delivery) -> LoadAnswer | None:
        """What is said at the end: of the config, whose size is compared last, and of the finished image."""
        config = delivery.record.config_descriptor
        if not self._as_layout(delivery) or config is None:
            return None
        stated, actual = config.raw.get("size"), len(delivery.config_bytes)
        if actual and isinstance(stated, int) and stated not in (-1, actual):
            mismatch = f"Size mismatch when copying {config.digest_text}, expected {stated}, got {actual}"
            return refusal(
                Cause.DIGEST, f"writing blob: {'blob size mismatch' if self.stores else mismatch}",
                f"the manifest says that the config has {stated} bytes, and it has {actual}", "copy the image again",
                where=delivery.manifest_place,
            )  # fmt: skip
        return manifest_fault(delivery, manifests.committing(delivery)) if self.stores else None

    def _earlier(self, delivery: Delivery) -> LoadAnswer | None:
        """The refusal of an image that stands before this one in manifest.json: loading ends there."""
        if self.tries_all and delivery.too_many_before:
            return too_many_before()
        for before in delivery.earlier if self.tries_all else ():
            answer = before.judged(self.label, self._judge)
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

    def _file(self, delivery: Delivery) -> LoadAnswer | None:
        wrapping = delivery.wrapping
        fault = None if delivery.is_directory else delivery.stream_fault
        if self._as_layout(delivery):
            if len(wrapping) > 1 or (fault is not None and fault.in_tar):
                twice = len(wrapping) > 1
                text = f"{UNTARRING}archive/tar: invalid tar header" if twice else f"{UNTARRING}unexpected EOF"
                return refusal(
                    Cause.FORMAT if twice else Cause.CUT, text if self.stores else self._opening(delivery, text),
                    "the whole archive is compressed twice" if twice or fault is None else fault.why,
                    "take the compression off first" if twice else "save or fetch the archive again",
                )  # fmt: skip
            broken = self._untarring(delivery)
            if broken:
                why = "a link in the archive leads out of it, or a hard link to nothing"
                text = broken if self.stores else self._opening(delivery, broken)
                return refusal(Cause.FORMAT, text, why, "take the link out of the archive")
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
            and not all(self._by_layout(one).refuses for one in delivery.laid_out_images())
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
                named = any(wrong.annotations.get(key) for key in (CONTAINERD_NAME, REF_NAME))
                head = "" if self.stores and not named else f"determining manifest MIME type for oci-archive:{FILE}:: "
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
        bad = delivery.contents.bad_tag if by_list and not delivery.folder else None
        if bad is None:
            return None
        given, words = bad
        way = "name the image with a tag before it is saved"
        return refusal(Cause.NAMES, words, f"{given!r} in RepoTags is no name with a tag", way)

    def _named(self, delivery: Delivery) -> LoadAnswer | None:
        """Names that the store does not take."""
        if not self.stores:
            return None
        for given in self._given(delivery):
            found = reference.parse(given)
            if isinstance(found, reference.Invalid) and not (found.hexadecimal and not self.keeps_names):
                words = f'{_NORMALIZING}"{given}": {found.alone(given)}'
                way = "give it another name: skopeo copy oci-archive:FILE containers-storage:NAME"
                return refusal(Cause.NAMES, words, f"{given!r} is no name of an image", way)
            if isinstance(found, reference.Reference) and found.digest and found.digest != delivery.record.digest:
                words = "Digest of source image's manifest would not match destination reference"
                why = f"the name {given!r} has the digest of another manifest"
                return refusal(Cause.NAMES, words, why, "name the image with a tag before it is saved")
        return None

    def _absent(self, delivery: Delivery) -> LoadAnswer | None:
        record = delivery.record
        again = "save the image again with all its parts"
        if record.lacks_manifest and self._as_layout(delivery):
            unnamed = self.stores and not self._given(delivery)
            head = "" if unnamed else f"determining manifest MIME type for oci-archive:{FILE}:: "
            text = f"{head}open {_blob_path(record.digest)}: no such file or directory"
            return refusal(Cause.MISSING, text, "the manifest is not in the archive", again)
        if delivery.config_missing and self._as_layout(delivery):
            digest = record.config_descriptor.digest_text if record.config_descriptor is not None else ""
            if digest_error(digest):
                return self._no_config(digest)
            head = "parsing image configuration: " if self.stores else f"reading config blob {digest}: "
            return refusal(
                Cause.MISSING, f"{head}open {_blob_path(digest)}: no such file or directory",
                "the config is not in the archive", again, where=delivery.manifest_place,
            )  # fmt: skip
        other = delivery.other_config if self._as_layout(delivery) else None
        if other is not None:
            head = "parsing image configuration: " if self.stores else f"reading config blob {other[0]}: "
            return refusal(
                Cause.DIGEST, f"{head}Download config.json digest {other[1]} does not match expected {other[0]}",
                "other bytes than those of the config lie under its digest", "fetch the archive again",
                where=delivery.config_place,
            )  # fmt: skip
        unread = delivery.unread_config(structs.OCI_IMAGE) if self.stores else None
        if unread is not None:
            return config_unread(delivery, f"parsing image configuration: {unread}")
        for layer in delivery.image.layers if self._as_layout(delivery) else ():
            fetched = self._fetched(layer)
            if fetched is not None:
                return fetched
            if layer not in delivery.absent_layers:
                continue
            stated = layer.record.descriptor.digest_text if layer.record.descriptor is not None else ""
            wrong = digest_error(stated)
            words = f"reading blob {stated}: open {_blob_path(stated)}: no such file or directory"
            if wrong:
                words = self._no_digest(
                    stated, wrong, f"reading blob {stated}: unexpected digest reference {stated}: {wrong}"
                )
            return refusal(
                Cause.MISSING, words,
                f"layer {layer.label} is not in the archive", again, where=delivery.manifest_place,
            )  # fmt: skip
        return None

    def _fetched(self, layer: Layer) -> LoadAnswer | None:
        """What becomes of a layer that has addresses: it is fetched from them, also where the archive has it."""
        addresses = [url for url in layer.record.urls if url.partition(":")[0].lower() in ("http", "https")]
        if not addresses:
            return None
        tried = "".join(f'fetching {self._name(url)} failed Get "{url}": {NETWORK}: ' for url in reversed(addresses))
        stated = layer.record.descriptor.digest_text if layer.record.descriptor is not None else ""
        here = "although the archive has it too" if layer.readable else "since its manifest names that address"
        return LoadAnswer(
            outcome=Outcome.UNKNOWN,
            cause=Cause.MISSING,
            text=f"reading blob {stated}: {tried}failed fetching external blob from all urls",
            why=f"it fetches layer {layer.label} from {shortened(', '.join(addresses), 200)}, {here}; the text is "
            "what it prints where nobody answers there",
            ways=("copy the image with a tool that reaches the address, and save it again without `urls`",),
            where=layer.location,
        )

    def _no_config(self, digest: str) -> LoadAnswer | None:
        """What who copies says of a config whose digest is none: without one it copies no config."""
        if not digest:
            return None
        wrong = digest_error(digest)
        alone = f"reading config blob {digest}: unexpected digest reference {digest}: {wrong}"
        words = self._no_digest(digest, wrong, alone)
        return refusal(Cause.DIGEST, words, "the digest of the config is none", "save or copy the image again")

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
            self._no_layer(delivery),
            damaged(delivery, self._broken),
            unpacked,
            too_long(delivery, lambda _: _ROOM, lambda path, layer: f"{self._adding(layer)}: lstat {path}"),
        )

    def _no_layer(self, delivery: Delivery) -> LoadAnswer | None:
        """Refuse the first layer of a layout that is a part of something else, such as the text of a signature."""
        for layer in delivery.parts:
            why = f"layer {layer.label} holds no files but {layer.record.media_type}"
            if (layer.blob_size or 0) >= BLOCK:
                return LoadAnswer(
                    outcome=Outcome.UNKNOWN, why=f"{why}, and whether it can be unpacked was not looked at"
                )
            words = f"{self._adding(layer)}: processing tar file({UNEXPECTED_EOF}): exit status 1"
            return refusal(Cause.UNPACK, words, why, "take it as an artifact: oras pull", where=layer.location)
        return None

    def _broken(self, fault: StreamFault, layer: Layer) -> str:
        if fault.packed and fault.in_head:
            return f"writing blob: setting up to decompress blob: {fault.words}"
        if fault.packed:
            return f'writing blob: storing blob to file "{TMP}/{layer.index + 1}": {fault.words}'
        return f"{self._adding(layer)}: processing tar file({fault.words}): exit status 1"

    def _other_layer(self, delivery: Delivery) -> LoadAnswer | None:
        if self._as_layout(delivery):
            for layer, stated, actual in delivery.other_blobs:
                mismatch = f"Digest did not match, expected {stated}, got {actual}"
                storing = f'storing blob to file "{TMP}/{layer.index + 1}": ' if self.stores else ""
                words = f"writing blob: {storing}happened during read: {mismatch}"
                return refusal(
                    Cause.DIGEST, words if layer.blob_size else f"reading blob {stated}: {mismatch}",
                    f"layer {layer.label} has another digest than the manifest says", "fetch the archive again",
                    where=layer.location,
                )  # fmt: skip
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
        known: set[str] = set()
        for given in self._given(delivery) if self.stores and self.keeps_names else ():
            found = reference.parse(given)
            if isinstance(found, reference.Reference) and found.full not in known:  # of two ways to write it, the first
                known.add(found.full)
                shown = found.tagged()
                names.append(shown.full if shown.given_domain else f"localhost/{shown.familiar}")
        if names and self.tries_all:
            before = {name for one in delivery.earlier for name in one.judged(self.label, self._judge).names}
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


def _blob_path(digest: str | None) -> str:
    """Where a blob lies when the archive is unpacked."""
    algorithm, _, encoded = (digest or "").partition(":")
    return f"{TMP}/blobs/{algorithm}/{encoded}"


def _reason(found: Refusal) -> str:
    """The reason; of a hardlink or whiteout that cannot be made, this extractor leaves out the call."""
    return found.error if found.cause in ("link", "whiteout") else found.reason


_READ = "containers/image, docker/internal/tarfile and oci/archive"
_PODMAN = ContainersImage(
    name="podman", version=(4, 3), command=f"podman load -i {FILE}", view="podman", tries_all=True, bad_gzip=True,
    measured="podman 4.3.1 on overlay", read=_READ,
)  # fmt: skip
_PODMAN5 = msgspec.structs.replace(
    _PODMAN,
    version=(5, 8),
    bad_gzip=False,
    names_blobs=True,
    quotes=True,
    measured="podman 5.8.6 on overlay",
    older=(_PODMAN.full_label, _PODMAN.measured),
)
_PODMAN6 = msgspec.structs.replace(
    _PODMAN5,
    version=(6, 1),
    copying="unable to perform copy: ",
    measured="",
    older=("", ""),
    read="container-libs 523e87c5, common/libimage/load.go and pull.go",
)
_SKOPEO = ContainersImage(
    name="skopeo", version=(1, 9), command=f"skopeo copy docker-archive:{FILE} DESTINATION", view="", stores=False,
    bad_gzip=True, measured="skopeo 1.9.3", read=_READ,
)  # fmt: skip
_BUILDAH = ContainersImage(
    name="buildah", version=(1, 28), command=f"buildah pull docker-archive:{FILE}", view="podman", bad_gzip=True,
    keeps_names=False, measured="buildah 1.28.2 on overlay", read=_READ,
)  # fmt: skip

FAMILIES = (
    LoadFamily(name="podman", versions=(_PODMAN, _PODMAN5, _PODMAN6)),
    LoadFamily(name="skopeo", versions=(_SKOPEO,)),
    LoadFamily(name="buildah", versions=(_BUILDAH,)),
)
