"""`docker load` into Docker's own store (graph drivers), and into its containerd store.

Source: moby image/tarexport/load.go (28 and before; daemon/internal/image/tarexport in 29) and
daemon/containerd/image_exporter.go; measured with dockerd 20.10.24 on overlay2, and with 28.5.2 on both stores.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from imagepeel.archive.compression import Compression
from imagepeel.archive.kinds.kind import MANIFEST
from imagepeel.evidence import Location
from imagepeel.loading import importer, reference
from imagepeel.loading.answer import FILE, TMP, Cause, LoadAnswer, Outcome, refusal
from imagepeel.loading.checks import config_unread, damaged, first, layers, of_before_1_10, too_long
from imagepeel.loading.tool import LoadFamily, LoadTool
from imagepeel.text import plural

if TYPE_CHECKING:
    from imagepeel.loading.delivery import Delivery
    from imagepeel.rootfs.tree.changes import Refusal

_COMMAND = f"docker load -i {FILE}"
_RULES = importer.ImportRules(
    unwraps=tuple(Compression)[1:], prefix="", familiar=True, tag_only="keep", unnamed="dangling", filters=False
)
_UNPACKED = frozenset({Cause.UNPACK, Cause.COUNT, Cause.DIGEST})
NAME = "<name>"
"""Stands for the name under which an image was loaded."""
WAYS_OF_LAYOUT = (
    "write it for docker load: docker buildx build --output type=docker,dest=FILE",
    "or copy it over: skopeo copy oci-archive:FILE docker-daemon:NAME:TAG",
)


class DockerOwn(LoadTool, frozen=True, kw_only=True):
    """`docker load` of a daemon whose images lie in graph drivers, such as overlay2."""

    unwraps: tuple[Compression, ...] = (Compression.GZIP, Compression.BZIP2, Compression.XZ, Compression.ZSTD)
    """The compression of the whole archive that it takes off, once."""
    reads_v1: bool = True
    """An archive without manifest.json is read as one of before Docker 1.10."""
    prefix: str = ""
    """What it puts before the reason for which a layer is refused."""
    quotes_path: bool = False
    """It names the path of a whiteout that cannot be made in double quotes, with its slash in front."""
    took: str = ""
    """Who was seen to take a layer with entries below a link that leads nowhere in that layer."""
    room: int = 4000
    """Bytes that are left for a path below /var/lib/docker/overlay2/<64 digits>/diff."""

    def judge(self, delivery: Delivery) -> LoadAnswer:
        judges = (self.judge_file, self._documents, self._absent, self.judge_image, self._bytes)
        found = first(delivery, *judges)
        return found if found is not None else self._taken(delivery)

    def judge_image(self, delivery: Delivery) -> LoadAnswer | None:
        found = self._config(delivery)
        if found is not None:
            return found
        found = layers(
            delivery,
            self.view,
            lambda refused, _: self._processing(self._reason(refused)),
            lambda sentence, _: self._duplicates(sentence),
        )
        refused = delivery.unpack(self.view) if found is not None and found.cause is Cause.UNPACK else None
        if found is not None and self.took and refused is not None and refused.cause == "below-link":
            why = f"{found.why}: moby's own extractor of this version stops there, and {self.took}"
            return msgspec.structs.replace(found, outcome=Outcome.UNKNOWN, cause=None, why=why)
        return found

    def _reason(self, refused: Refusal) -> str:
        if self.quotes_path and refused.cause == "whiteout":
            return f'failed to mknod("/{refused.paths[0]}", S_IFCHR, 0): {refused.error}'
        return refused.reason

    # ---- the file -----------------------------------------------------------------------------------------

    def judge_file(self, delivery: Delivery) -> LoadAnswer | None:
        wrapping = delivery.wrapping
        if len(wrapping) > 1 or (wrapping and wrapping[0] not in self.unwraps):
            named = " in ".join(wrapping)
            words = "Error processing tar file(exit status 1): " if self.prefix else ""
            return refusal(
                Cause.FORMAT,
                f"{words}archive/tar: invalid tar header",
                f"the whole archive is compressed ({named}), and this tool takes one layer of "
                f"{', '.join(self.unwraps)} off",
                "take the compression off first",
            )
        if (link := delivery.forward_link) is not None:
            return refusal(
                Cause.FORMAT,
                self._processing(f"link /{link.target} /{link.name}: no such file or directory"),
                f"it unpacks the file in order, and the hard link {link.name} stands before its target",
                "write the target before its links",
                where=link.location,
            )
        if delivery.folder:
            return self._no_list(delivery)
        if delivery.listed:
            return None
        if delivery.odd_list:
            return refusal(Cause.FORMAT, "", f"its {MANIFEST} is not a list of images", "save the image again")
        if delivery.is_v1:
            return None if self.reads_v1 else self._no_list(delivery)
        if delivery.listed_images:
            shown = ", ".join(
                record.tags[0] if record.tags else f"#{record.number}" for record in delivery.listed_images
            )
            return refusal(
                Cause.CHOICE,
                "",
                f"it reads {MANIFEST} only, which does not name this image; it loads {shown}",
                *WAYS_OF_LAYOUT,
                where=Location(member=MANIFEST),
                exit_code=0,
            )
        return self._no_list(delivery)

    def _no_list(self, delivery: Delivery) -> LoadAnswer:
        """The words against an archive without manifest.json; the old ones speak of its first directory."""
        if not self.reads_v1:
            text = f"invalid archive: does not contain a {MANIFEST}"
        elif (first := delivery.not_v1) is not None:
            text = f"open {TMP}/{first}/json: no such file or directory"
        else:
            text = ""
        if delivery.is_cut:
            if self.reads_v1 and delivery.folders and delivery.not_v1 is None:
                why = "every directory has a json, so this version may take the layers for images without a name"
                return LoadAnswer(outcome=Outcome.UNKNOWN, why=f"the archive ends before its {MANIFEST}; {why}")
            return refusal(
                Cause.CUT, text, f"the archive ends before its {MANIFEST}", "save or fetch the archive again"
            )
        if delivery.folder:
            ways = (f"pack the content of {delivery.folder}/: tar -C {delivery.folder} -cf FILE .",)
            return refusal(Cause.FORMAT, text, f"the image does not lie at the top but in {delivery.folder}/", *ways)
        if delivery.is_v1:
            return of_before_1_10(text)
        if delivery.laid_out:
            return refusal(
                Cause.FORMAT, text, f"it is an OCI layout without {MANIFEST}, and this store reads nothing else",
                *WAYS_OF_LAYOUT,
            )  # fmt: skip
        if delivery.record.format.bare:
            ways = (f"docker import {FILE} NAME:TAG, and say the command, user and environment again",)
            return refusal(Cause.FORMAT, text, "it is a filesystem without the documents of an image", *ways)
        return refusal(Cause.FORMAT, text, f"the archive has no {MANIFEST}", "skopeo copy it to docker-archive:FILE")

    # ---- the documents ------------------------------------------------------------------------------------

    def _documents(self, delivery: Delivery) -> LoadAnswer | None:
        if delivery.is_v1:
            return None
        record = delivery.record
        if delivery.config_missing:
            return refusal(
                Cause.MISSING, f"open {TMP}/{record.config_member}: no such file or directory",
                "the config is not in the archive", "save the image again", where=delivery.manifest_place,
            )  # fmt: skip
        if delivery.image.os not in ("", "linux"):
            return refusal(
                Cause.PLATFORM, f"cannot load {delivery.image.os} image on linux",
                f"the image is for {delivery.image.os}", f"load it on a host with {delivery.image.os}",
                where=delivery.config_place,
            )  # fmt: skip
        return None

    def _config(self, delivery: Delivery) -> LoadAnswer | None:
        """What the config alone proves."""
        unread = delivery.unread_config("image.Image")
        if unread is not None:
            return config_unread(delivery, unread)
        if delivery.no_rootfs:
            return refusal(
                Cause.CONFIG, "invalid image JSON, no RootFS key", "the config has no rootfs, which lists the layers",
                "add rootfs with the DiffID of each layer, or build the image with a builder that does",
                where=delivery.config_place,
            )  # fmt: skip
        if delivery.counts is not None:
            listed, stated = delivery.counts
            return refusal(
                Cause.COUNT, f"invalid manifest, layers length mismatch: expected {listed}, got {stated}",
                f"{MANIFEST} lists {plural(listed, 'layer')}, the config {plural(stated, 'DiffID')}",
                "build or save the image again",
                where=delivery.manifest_place,
            )  # fmt: skip
        return None

    # ---- the layers ---------------------------------------------------------------------------------------

    def _absent(self, delivery: Delivery) -> LoadAnswer | None:
        if delivery.counts is None:
            for layer in delivery.missing_layers:
                return refusal(
                    Cause.MISSING, f"open {TMP}/{layer.record.member}: no such file or directory",
                    f"layer {layer.label} is not in the archive", "save the image again with all its layers",
                    where=delivery.manifest_place,
                )  # fmt: skip
        return damaged(delivery, self._processing)

    def _bytes(self, delivery: Delivery) -> LoadAnswer | None:
        for layer, stated, actual in delivery.wrong_diff_ids:
            text = f'invalid diffID for layer {layer.index}: expected "{stated}", got "{actual}"'
            return refusal(
                Cause.DIGEST, text, f"layer {layer.label} is not what the config says", "fetch the archive again",
                where=layer.location,
            )  # fmt: skip
        return too_long(delivery, self.room, self._processing)

    def _processing(self, reason: str) -> str:
        return f"{self.prefix}(exit status 1): {reason}" if self.prefix else reason

    def _duplicates(self, sentence: str) -> str:
        return f"{self.prefix}({sentence}):" if self.prefix else sentence

    # ---- taken --------------------------------------------------------------------------------------------

    def _taken(self, delivery: Delivery) -> LoadAnswer:
        names = []
        if delivery.is_v1:
            notes = ("Docker makes a config of the v1 documents; its digest is the ID",)
            return LoadAnswer(outcome=Outcome.TAKES, names=delivery.record.tags, notes=notes, exit_code=0)
        for name in delivery.tags:
            found = reference.parse(name.text)
            if isinstance(found, reference.Invalid) or not found.tag:
                return refusal(
                    Cause.NAMES, found.words if isinstance(found, reference.Invalid) else f'invalid tag "{name.text}"',
                    f"{name.text!r} in RepoTags is no name with a tag; the image stays in the store without a name",
                    "name the image with a tag before it is saved", where=name.where,
                )  # fmt: skip
            names.append(found.familiar)
        return LoadAnswer(
            outcome=Outcome.TAKES, names=tuple(dict.fromkeys(names)), id=delivery.record.image_id or "",
            id_of="config" if delivery.record.image_id else "", exit_code=0,
        )  # fmt: skip


class DockerContainerd(LoadTool, frozen=True, kw_only=True):
    """`docker load` of a daemon whose images lie in containerd."""

    def judge(self, delivery: Delivery) -> LoadAnswer:
        answer = importer.judge(delivery, _RULES, self.view)
        if answer.cause in _UNPACKED:
            # The image is in the store by then: the client prints the error and exits with 0; no container starts.
            return msgspec.structs.replace(answer, text=f"Error unpacking image {NAME}: {answer.text}", exit_code=0)
        return answer

    def judge_file(self, delivery: Delivery) -> LoadAnswer | None:
        return importer.judge_file(delivery, _RULES)

    def judge_image(self, delivery: Delivery) -> LoadAnswer | None:
        return importer.judge_image(delivery, _RULES, self.view)


_20 = DockerOwn(
    name="docker",
    version=(20, 10),
    command=_COMMAND,
    view="docker@20.10",
    store="own",
    unwraps=(Compression.GZIP, Compression.BZIP2, Compression.XZ),
    prefix="Error processing tar file",
    quotes_path=True,
    measured="dockerd 20.10.24 on overlay2",
)
_28 = DockerOwn(
    name="docker",
    version=(28,),
    command=_COMMAND,
    view="docker@28",
    other_view="docker",
    store="own",
    measured="dockerd 28.5.2",
    took="the package of Debian (28.5.2) took such a layer",
)
_28C = DockerContainerd(
    name="docker",
    version=(28,),
    command=_COMMAND,
    view="runtime",
    store="containerd",
    usual=False,
    measured="dockerd 28.5.2",
)
_29C = msgspec.structs.replace(
    _28C, version=(29,), usual=True, measured="", read="moby 0031b7a4, daemon/containerd/image_exporter.go"
)
_29 = msgspec.structs.replace(
    _28, version=(29,), reads_v1=False, measured="", read="moby 04b68e44, daemon/internal/image/tarexport/load.go"
)
_29_7 = msgspec.structs.replace(_29, version=(29, 7), view="docker", other_view="", took="")

FAMILY = LoadFamily(name="docker", versions=(_20, _28, _28C, _29, _29C, _29_7))
