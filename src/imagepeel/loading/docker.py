"""`docker load` into Docker's own store (graph drivers), and into its containerd store.

Source: moby image/tarexport/load.go (28 and before; daemon/internal/image/tarexport in 29) and
daemon/containerd/image_exporter.go; measured with dockerd 20.10.24 on overlay2, and with 28.5.2 on both stores.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Any

import msgspec

from imagepeel.archive.compression import Compression
from imagepeel.archive.kinds.kind import MANIFEST, REPOSITORIES
from imagepeel.archive.members import normalise
from imagepeel.evidence import Location
from imagepeel.formats.tar.header import BLOCK, INVALID_HEADER, UNEXPECTED_EOF
from imagepeel.loading import importer, reference, structs
from imagepeel.loading.answer import FILE, TMP, Cause, LoadAnswer, Outcome, refusal
from imagepeel.loading.checks import (
    config_unread,
    damaged,
    first,
    foremost,
    layer_of,
    layers,
    of_before_1_10,
    too_long,
    too_many_before,
)
from imagepeel.loading.tool import LoadFamily, LoadTool
from imagepeel.text import plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imagepeel.layers.layer import Layer
    from imagepeel.loading.delivery import Delivery
    from imagepeel.loading.streams import StreamFault
    from imagepeel.rootfs.tree.changes import Refusal

_COMMAND = f"docker load -i {FILE}"
_RULES = importer.ImportRules(
    unwraps=tuple(Compression)[1:], prefix="", familiar=True, tag_only="keep", unnamed="dangling", filters=False
)
_UNPACKED = frozenset({Cause.UNPACK, Cause.COUNT, Cause.DIGEST})
MOST_LAYERS = 125
"""Layers of one image (moby layer/layer_store.go)."""
_DIED = 'error during connect: Post "http://%2Fvar%2Frun%2Fdocker.sock/v1.41/images/load?quiet=1": EOF'
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
    wants_list: bool = False
    """It refuses a manifest.json that is null."""
    dies_of_os: bool = False
    """Its daemon has layers by the name of the system, and ends the request where that is in capitals."""
    took: str = ""
    """Who was seen to take a layer with entries below a link that leads nowhere in that layer."""
    room: int = 4000
    """Bytes that are left for a path below /var/lib/docker/overlay2/<64 digits>/diff."""

    def judge(self, delivery: Delivery) -> LoadAnswer:
        found = first(
            delivery,
            self.judge_file,
            self._legacy,
            self._earlier,
            self._documents,
            self._config,
            self._layers,
            self._tagged,
        )
        return found if found is not None else self._taken(delivery)

    def judge_image(self, delivery: Delivery) -> LoadAnswer | None:
        unpacked = first(delivery, self._config)
        return unpacked if unpacked is not None else foremost(self._unpacked(delivery), self._too_deep(delivery))

    def _earlier(self, delivery: Delivery) -> LoadAnswer | None:
        """The refusal of an image that stands before this one in manifest.json: loading ends there."""
        if delivery.too_many_before:
            return too_many_before()
        for before in delivery.earlier:
            answer = before.judged(f"{self.label} {self.store}", self.judge)
            if answer.outcome is Outcome.REFUSES:
                return msgspec.structs.replace(
                    answer,
                    cause=Cause.CHOICE,
                    why=f"image #{before.record.number} stands before this one, and loading ends there: {answer.why}",
                )
        return None

    def _legacy(self, delivery: Delivery) -> LoadAnswer | None:
        """The words about the documents of an archive of before Docker 1.10, where each directory is an image."""
        return self._folders_loaded(delivery) if delivery.is_v1 and not delivery.is_directory else None

    def _cut_v1(self, delivery: Delivery) -> LoadAnswer:
        """The words about an archive that ends before its documents, and in which each directory is an image."""
        why = f"the archive ends before its {REPOSITORIES} or {MANIFEST}, which names the images"
        found = self._folders_loaded(delivery)
        text = found.text if found is not None else delivery.contents.unpacked.reach(REPOSITORIES).words
        where = found.where if found is not None else None
        return refusal(Cause.CUT, text, why, "save or fetch the archive again", where=where)

    def _folders_loaded(self, delivery: Delivery) -> LoadAnswer | None:
        """The words about the first directory that is no image."""
        loaded: set[str] = set()
        for folder in delivery.folders:
            chain = [folder]
            while chain:
                one = chain[-1]
                words, parent = ("", "") if one in loaded else self._legacy_image(delivery, one)
                if words:
                    why = f"the document or layer of {one} cannot be read"
                    return refusal(Cause.MISSING, words, why, "save the image again", where=Location(member=one))
                if parent and parent not in loaded and parent not in chain:
                    chain.append(parent)
                    continue
                loaded.add(chain.pop())
        return None

    def _legacy_image(self, delivery: Delivery, folder: str) -> tuple[str, str]:
        """What keeps a directory from being an image, in words, and its parent."""
        found = delivery.contents.unpacked.reach(f"{folder}/json")
        if found.member is None:
            return found.words, ""
        wrong = delivery.contents.unread(found.member, structs.MOBY_V1)
        if wrong is not None:
            return wrong, ""
        layer = delivery.contents.unpacked.reach(f"{folder}/layer.tar")
        return layer.words if layer.member is None else "", delivery.contents.text_of(found.member, "parent")

    def _tagged(self, delivery: Delivery) -> LoadAnswer | None:
        """The words about the names of such an archive, which are read when its images are in the store."""
        if not delivery.is_v1 or delivery.is_directory:
            return None
        found = delivery.contents.unpacked.reach(REPOSITORIES)
        words = found.words
        if found.member is not None:
            words = delivery.contents.unread(found.member, structs.REPOSITORIES, stream=True) or ""
            words = words or _wrong_target(delivery.contents.value_of(found.member), delivery.folders)
        why = f"{REPOSITORIES} is not there, or names no image by a name; the images stay in the store without a name"
        return refusal(Cause.NAMES, words, why, "docker tag gives them names") if words else None

    def _refused(self, delivery: Delivery, answer: LoadAnswer, *names: str) -> LoadAnswer:
        """A refusal with the lines about what was loaded before it."""
        loaded = [name for before in delivery.earlier for name in _names_of(before)]
        lines = [f"Loaded image: {name}" for name in (*loaded, *names)]
        return msgspec.structs.replace(answer, text="\n".join([*lines, answer.text])) if lines else answer

    def _too_deep(self, delivery: Delivery) -> LoadAnswer | None:
        if len(delivery.image.layers) <= MOST_LAYERS:
            return None
        return refusal(
            Cause.DEPTH, "max depth exceeded",
            f"the image has {len(delivery.image.layers)} layers, and this store puts {MOST_LAYERS} on each other",
            "build it with fewer steps, or flatten it: docker export, docker import",
            where=delivery.image.layers[MOST_LAYERS].location,
        )  # fmt: skip

    def _unpacked(self, delivery: Delivery) -> LoadAnswer | None:
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
            named = posixpath.normpath(f"/{refused.paths[0]}")
            return f'failed to mknod("{named}", S_IFCHR, 0): {refused.error}'
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
        if delivery.folder:
            return self._no_list(delivery)
        unread = self._unread(delivery)
        if unread is not None:
            return unread
        if delivery.listed:
            return None
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

    def _unread(self, delivery: Delivery) -> LoadAnswer | None:
        """The words about an archive that cannot be unpacked, or a manifest.json that is no list of images."""
        if delivery.is_directory:
            return None
        if delivery.stream_fault is not None:
            return refusal(
                Cause.CUT,
                self._broken(delivery.stream_fault),
                delivery.stream_fault.why,
                "fetch or save the archive again",
            )
        again = "write the list again, or save the image again"
        link = delivery.contents.unpacked.early_link
        if link is not None:
            call = f"link /{normalise(link.target)} /{link.name}: no such file or directory"
            return refusal(
                Cause.FORMAT, self._processing(call),
                f"it unpacks the file in order, and the hard link {link.name} stands before its target, or has none",
                "write the target before its links", where=link.location,
            )  # fmt: skip
        reached = delivery.contents.unpacked.reach(MANIFEST)
        if reached.member is None:
            gone = reached.words.startswith("open ")
            return None if gone else refusal(Cause.FORMAT, reached.words, f"its {MANIFEST} is no file", again)
        text = delivery.contents.unread(reached.member, structs.MOBY_LIST, stream=True)
        if text is not None:
            return refusal(
                Cause.FORMAT, text, f"its {MANIFEST} is no list of images for this tool", again,
                where=Location(member=MANIFEST),
            )  # fmt: skip
        if not delivery.items:
            null = self.wants_list and delivery.contents.null_list
            text = "invalid manifest, manifest cannot be null (but can be [])" if null else ""
            return refusal(
                Cause.FORMAT, text, f"its {MANIFEST} names no image", again, where=Location(member=MANIFEST),
                exit_code=1 if text else 0,
            )  # fmt: skip
        return None

    def _broken(self, fault: StreamFault) -> str:
        """The words about compressed data that breaks off or is wrong; old ones say who noticed it."""
        if fault.in_tar:
            return self._processing("unexpected EOF")
        return f"{self.prefix}({fault.words}):" if self.prefix else fault.words

    def _layer_broken(self, fault: StreamFault, layer: Layer) -> str:
        if layer.compression is Compression.XZ and fault.packed and not fault.in_tar:
            ended = "Unexpected end of input" if fault.words == UNEXPECTED_EOF else "Compressed data is corrupt"
            words = f"exit status 1: xz: (stdin): {ended}\n"
            return f"{self.prefix}({words}):" if self.prefix else words
        if fault.in_head and fault.head_first:
            return fault.words
        return self._processing(fault.words) if fault.in_tar else self._broken(fault)

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
                return self._cut_v1(delivery)
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
        if delivery.is_v1 or delivery.item is None:
            return None
        reached = delivery.contents.unpacked.reach(delivery.item.config)
        if reached.member is None:
            why = "the config is not in the archive" if reached.words.startswith("open") else "the config is no file"
            answer = refusal(Cause.MISSING, reached.words, why, "save the image again", where=delivery.manifest_place)
            return self._refused(delivery, answer)
        return None

    def _config(self, delivery: Delivery) -> LoadAnswer | None:
        """What the config alone proves."""
        found = self._config_alone(delivery)
        return self._refused(delivery, found) if found is not None else None

    def _config_alone(self, delivery: Delivery) -> LoadAnswer | None:
        unread = delivery.unread_config(structs.MOBY_IMAGE)
        if unread is not None:
            return config_unread(delivery, unread)
        if delivery.no_rootfs:
            return refusal(
                Cause.CONFIG, "invalid image JSON, no RootFS key", "the config has no rootfs, which lists the layers",
                "add rootfs with the DiffID of each layer, or build the image with a builder that does",
                where=delivery.config_place,
            )  # fmt: skip
        if self.dies_of_os and delivery.image.os not in ("", "linux") and delivery.image.os.lower() == "linux":
            return refusal(
                Cause.PLATFORM, _DIED, f"the config says {delivery.image.os}, and the daemon has no store of that name",
                "write linux in small letters into the config", where=delivery.config_place,
            )  # fmt: skip
        if delivery.image.os.lower() not in ("", "linux"):
            return refusal(
                Cause.PLATFORM, f"cannot load {delivery.image.os} image on linux",
                f"the image is for {delivery.image.os}", f"load it on a host with {delivery.image.os}",
                where=delivery.config_place,
            )  # fmt: skip
        if delivery.counts is not None:
            listed, stated = delivery.counts
            return refusal(
                Cause.COUNT, f"invalid manifest, layers length mismatch: expected {listed}, got {stated}",
                f"{delivery.list_name} lists {plural(listed, 'layer')}, the config {plural(stated, 'DiffID')}",
                "build or save the image again",
                where=delivery.manifest_place,
            )  # fmt: skip
        return None

    # ---- the layers ---------------------------------------------------------------------------------------

    def _layers(self, delivery: Delivery) -> LoadAnswer | None:
        """The first layer that is not there, cannot be read or unpacked, or is another one."""
        judged = (
            self._too_deep(delivery),
            self._absent(delivery),
            self._packed(delivery),
            damaged(delivery, self._layer_broken),
            self._unpacked(delivery),
            too_long(delivery, lambda _: self.room, lambda path, _: f"lstat {path}"),
            self._other(delivery),
        )
        # What an image before it brought is in the store by then, and is not read again.
        told = [one for one in judged if one is not None]
        found = foremost(*(one for one in told if layer_of(one) >= delivery.layers_before)) if told else None
        return self._refused(delivery, found) if found is not None and found.refuses else found

    def _absent(self, delivery: Delivery) -> LoadAnswer | None:
        names = delivery.item.layers if delivery.item is not None else ()
        for layer, name in zip(delivery.image.layers, names, strict=False):
            reached = delivery.contents.unpacked.reach(name)
            if reached.member is None:
                gone = reached.words.startswith("open")
                why = f"layer {layer.label} {'is not in the archive' if gone else 'is no file of the archive'}"
                return refusal(
                    Cause.MISSING, reached.words, why, "save the image again with all its layers",
                    where=msgspec.structs.replace(delivery.manifest_place, layer=layer.index),
                )  # fmt: skip
        return None

    def _packed(self, delivery: Delivery) -> LoadAnswer | None:
        for layer in delivery.image.layers:
            if layer.readable and layer.compression not in (Compression.NONE, *self.unwraps):
                words = INVALID_HEADER if (layer.blob_size or 0) >= BLOCK else UNEXPECTED_EOF
                return refusal(
                    Cause.FORMAT, self._processing(words),
                    f"layer {layer.label} is compressed with {layer.compression}, which this version does not read",
                    "pack the layer with gzip, or not at all", where=layer.location,
                )  # fmt: skip
        return None

    def _other(self, delivery: Delivery) -> LoadAnswer | None:
        for layer, stated, actual in delivery.other_diff_ids:
            text = f'invalid diffID for layer {layer.index}: expected "{stated}", got "{actual}"'
            return refusal(
                Cause.DIGEST, text, f"layer {layer.label} is not what the config says", "fetch the archive again",
                where=layer.location,
            )  # fmt: skip
        return None

    def _processing(self, reason: str) -> str:
        return f"{self.prefix}(exit status 1): {reason}" if self.prefix else reason

    def _duplicates(self, sentence: str) -> str:
        return f"{self.prefix}({sentence}):" if self.prefix else sentence

    # ---- taken --------------------------------------------------------------------------------------------

    def _taken(self, delivery: Delivery) -> LoadAnswer:
        names: list[str] = []
        if delivery.is_v1:
            notes = ("Docker makes a config of the v1 documents; its digest is the ID",)
            return LoadAnswer(outcome=Outcome.TAKES, names=delivery.record.tags, notes=notes, exit_code=0)
        for name in delivery.tags:
            found = reference.parse(name.text)
            if isinstance(found, reference.Invalid) or not found.tag:
                answer = refusal(
                    Cause.NAMES, found.words if isinstance(found, reference.Invalid) else f'invalid tag "{name.text}"',
                    f"{name.text!r} in RepoTags is no name with a tag; the image stays in the store without "
                    f"{'that' if names else 'a'} name",
                    "name the image with a tag before it is saved", where=name.where,
                )  # fmt: skip
                return self._refused(delivery, answer, *names)
            if found.digest or found.path == "library/sha256":
                continue  # it refuses to make such a name, and says nothing
            names.append(found.familiar)
        names = [name for name in names if not delivery.is_named_later(name)]
        return LoadAnswer(
            outcome=Outcome.TAKES, names=tuple(dict.fromkeys(names)), id=delivery.record.image_id or "",
            id_of="config" if delivery.record.image_id else "", exit_code=0,
        )  # fmt: skip


def _names_of(delivery: Delivery) -> list[str]:
    return reference.familiar_names(delivery.item.repo_tags) if delivery.item is not None else []


def _wrong_target(repositories: Any, loaded: Sequence[str]) -> str:
    """What is said of the first name in `repositories` that is none, or that is given to no image; "" without one."""
    for name, tags in repositories.items() if isinstance(repositories, dict) else ():
        for tag, image in tags.items() if isinstance(tags, dict) else ():
            if image not in loaded:
                return f"invalid target ID: {image}"
            found = reference.parse(f"{name}:{tag}")
            if isinstance(found, reference.Invalid):
                return found.words
    return ""


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


_READ = "moby 04b68e44, daemon/internal/image/tarexport/load.go"
_READ_C = "moby 0031b7a4, daemon/containerd/image_exporter.go"
_20 = DockerOwn(
    name="docker",
    version=(20, 10),
    command=_COMMAND,
    view="docker@20.10",
    store="own",
    unwraps=(Compression.GZIP, Compression.BZIP2, Compression.XZ),
    prefix="Error processing tar file",
    quotes_path=True,
    dies_of_os=True,
    measured="dockerd 20.10.24 on overlay2",
    read="moby 20.10, image/tarexport/load.go",
)
_28 = DockerOwn(
    name="docker",
    version=(28,),
    command=_COMMAND,
    view="docker@28",
    other_view="docker",
    store="own",
    measured="dockerd 28.5.2",
    read=_READ,
    older=(_20.full_label, _20.measured),
    wants_list=True,
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
    read=_READ_C,
)
_29C = msgspec.structs.replace(_28C, version=(29,), usual=True, measured="", read=_READ_C)
_29 = msgspec.structs.replace(_28, version=(29,), reads_v1=False, measured="", read=_READ, older=("", ""))
_29_7 = msgspec.structs.replace(_29, version=(29, 7), view="docker", other_view="", took="")

FAMILIES = (LoadFamily(name="docker", versions=(_20, _28, _28C, _29, _29C, _29_7)),)
