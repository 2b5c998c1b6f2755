"""One image of an archive as a tool meets it: what each of them asks of the file, found once."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

from imagepeel.archive.compression import Compression
from imagepeel.archive.kinds.kind import MANIFEST
from imagepeel.archive.members import SubdirectoryMembers
from imagepeel.archive.records import ConfigState, Description, ImageRecord, LayerState, Name
from imagepeel.errors import ImagepeelError
from imagepeel.evidence import Location, text
from imagepeel.formats.go_decode import GoType
from imagepeel.loading.lookup import Contents
from imagepeel.loading.streams import StreamFault, of_file
from imagepeel.oci.digest import can_verify, digest_of, from_hex
from imagepeel.oci.json_document import OddObject, lookup, parse_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from imagepeel.archive.opened import OpenArchive
    from imagepeel.image import LayeredImage
    from imagepeel.layers.layer import Layer
    from imagepeel.loading.answer import LoadAnswer
    from imagepeel.oci.docker_archive import ArchiveManifest
    from imagepeel.rootfs.tree.changes import Refusal


def sha256_of(layer: Layer) -> str:
    """Return the DiffID of a layer as tools compute it, "" where that was not done."""
    facts = layer.facts
    if facts is None:
        return ""
    both = (facts.diff_id, facts.blob_digest if layer.compression is Compression.NONE else None)
    return next((digest for digest in both if digest is not None and digest.startswith("sha256:")), "")


_MANIFEST_KEYS = ("config", "fsLayers", "history", "layers", "manifests", "mediaType", "schemaVersion")
"""What a manifest says of its kind, by what it has and what it has not."""
_MOST_EARLIER = 512
"""Images before one whose loading is looked at, since each may take reading its layers."""


class _Line:
    """The images of one manifest.json, each judged once for all that stand behind it."""

    def __init__(self, archive: OpenArchive) -> None:
        self._contents = Contents(archive.members)
        self._known: dict[int, Delivery] = {}

    def delivery(self, record: ImageRecord, beside: LayeredImage) -> Delivery:
        """Return an image of the archive that has `beside`."""
        known = self._known.get(record.number)
        if known is None:
            known = self._known[record.number] = Delivery(beside.sibling(record), self._contents)
        return known


def _common(one: Sequence[str], two: Sequence[str]) -> int:
    """How many texts two lists have in common from their start."""
    pairs = zip(one, two, strict=False)
    return next((at for at, (left, right) in enumerate(pairs) if left != right), min(len(one), len(two)))


class Delivery:
    """An image and the file that it comes in.  What reads layers does so when it is asked."""

    def __init__(self, image: LayeredImage, contents: Contents | None = None) -> None:
        self.image: LayeredImage = image
        self.archive: OpenArchive = image.archive
        self.record: ImageRecord = image.record
        self.contents: Contents = contents if contents is not None else Contents(image.archive.members)
        """The members of the file, as each tool finds them."""
        self._judged: dict[str, LoadAnswer] = {}

    # ---- the file -----------------------------------------------------------------------------------------

    @property
    def is_directory(self) -> bool:
        """Whether it is no file but a directory; what wants a tar is judged as if it had been packed."""
        return self.archive.medium == "directory"

    @property
    def wrapping(self) -> tuple[Compression, ...]:
        """The compression around the tar, the outer one first."""
        return self.archive.wrapping

    @cached_property
    def folder(self) -> str:
        """The directory of the archive in which everything lies, "" where it lies at the top."""
        members = self.archive.members
        return members.prefix if isinstance(members, SubdirectoryMembers) else ""

    @cached_property
    def folders(self) -> list[str]:
        """The directories at the top of the file, sorted as os.ReadDir does."""
        if self.folder:
            return [self.folder]
        tops = {name.partition("/")[0] for name in self.archive.members.names if "/" in name}
        tops.update(member.name for member in self.archive.members if member.kind == "dir")
        return sorted(top.partition("/")[0] for top in tops)

    @cached_property
    def not_v1(self) -> str | None:
        """The first directory at the top without a file json, which the reader of v1 archives stumbles over."""
        members = self.archive.members
        if self.folder:
            return self.folder
        return next((name for name in self.folders if members.file(f"{name}/json") is None), None)

    @property
    def is_cut(self) -> bool:
        """Whether the file is a docker save that ends before its manifest.json."""
        return self.record.is_described_by(Description.CUT)

    def has(self, name: str) -> bool:
        """Whether the file has a member of that name at its top."""
        return not self.folder and self.archive.members.get(name) is not None

    @property
    def odd_list(self) -> bool:
        """Whether the file has a manifest.json that is not a list of images."""
        return not self.listed and not self.laid_out and not self.is_directory and self.has(MANIFEST)

    @cached_property
    def stream_fault(self) -> StreamFault | None:
        """Why the file cannot be read to its end; None where it can."""
        return of_file(self.archive)

    @cached_property
    def earlier(self) -> list[Delivery]:
        """The images that stand before this one in manifest.json; [] where they are too many."""
        line = self.archive.derived(_Line)
        return [] if self.too_many_before else [line.delivery(record, self.image).as_list for record in self._before]

    @property
    def too_many_before(self) -> bool:
        """Whether more images stand before it than are looked at."""
        return len(self._before) > _MOST_EARLIER

    @cached_property
    def _before(self) -> list[ImageRecord]:
        if self.laid_out or not self.listed:
            return []
        mine = self.record.listed_at or 0
        return [record for record in self.listed_images if (record.listed_at or 0) < mine]

    def judged(self, tool: str, judge: Callable[[Delivery], LoadAnswer]) -> LoadAnswer:
        """Return the answer of a tool, which is found once: each image behind this one asks for it."""
        known = self._judged.get(tool)
        if known is None:
            known = self._judged[tool] = judge(self)
        return known

    def is_named_later(self, name: str) -> bool:
        """Whether an image behind this one in manifest.json has a name, as Docker shows it, too."""
        return self.item is not None and self.contents.last_of.get(name, -1) > self.place

    @property
    def place(self) -> int:
        """The place of the image in manifest.json, from 0; -1 where it is not in it."""
        return int(self.item.pointer.lstrip("/") or 0) if self.item is not None else -1

    # ---- how the image is described -----------------------------------------------------------------------

    @cached_property
    def described_as(self) -> str:
        """How the file describes the image, in words that tell apart what programs that load read differently."""
        described = sorted({format.described_by for format in self.record.formats})
        words = [*(["directory"] if self.is_directory else []), *self.wrapping, *described]
        return " ".join([*words, *(["one folder down"] if self.folder else [])])

    @property
    def listed(self) -> bool:
        """Whether manifest.json describes the image."""
        return self.record.is_described_by(Description.LIST)

    @property
    def laid_out(self) -> bool:
        """Whether an OCI layout describes the image."""
        return self.record.is_described_by(Description.LAYOUT)

    @property
    def is_v1(self) -> bool:
        """Whether `docker save` of before 1.10 describes it."""
        return self.record.is_described_by(Description.PARENTS)

    @property
    def is_dir_copy(self) -> bool:
        """Whether it is a directory as the `dir:` transport of podman and skopeo writes it."""
        return self.is_directory and self.record.is_described_by(Description.MANIFEST)

    @cached_property
    def listed_images(self) -> list[ImageRecord]:
        """The images that manifest.json describes, in its order."""
        return [record for record in self.archive.records if record.is_described_by(Description.LIST)]

    @cached_property
    def as_list(self) -> Delivery:
        """The image as manifest.json alone describes it, for who cannot read the OCI layout beside it; else itself."""
        if not self.laid_out or self.item is None:
            return self
        alone = Delivery(self.image, self.contents)
        formats = tuple(format for format in self.record.formats if format.described_by is Description.LIST)
        alone.record = msgspec.structs.replace(self.record, formats=formats, path=(self.place,))
        return alone

    def laid_out_images(self) -> Iterator[Delivery]:
        """Yield the images that the OCI layout of the file describes; each is read when it is asked for."""
        line = self.archive.derived(_Line)
        for record in self.archive.runnable:
            if record.is_described_by(Description.LAYOUT):
                yield line.delivery(record, self.image)

    @cached_property
    def first_of_list(self) -> Delivery | None:
        """The first image of manifest.json as that alone describes it; None without one."""
        first = min(self.listed_images, key=lambda record: record.listed_at or 0, default=None)
        return self.archive.derived(_Line).delivery(first, self.image).as_list if first is not None else None

    @cached_property
    def absent_images(self) -> list[ImageRecord]:
        """The images that the OCI layout lists and does not carry."""
        return [record for record in self.archive.runnable if record.lacks_manifest or not record.available]

    @cached_property
    def tags(self) -> tuple[Name, ...]:
        """The names in RepoTags."""
        return tuple(name for name in self.record.names if name.origin == "RepoTags")

    @property
    def has_to_be_repacked(self) -> bool:
        """Whether the image lies where no tool of today looks for it, so that the file itself has to be changed."""
        return bool(self.folder) or not (self.listed or self.laid_out)

    @cached_property
    def items(self) -> list[ArchiveManifest]:
        """The images of manifest.json as it names them; [] where it is none or there is none."""
        return [] if self.folder else self.contents.items

    @cached_property
    def item(self) -> ArchiveManifest | None:
        """The item of manifest.json that is this image; None without one."""
        at = self.record.listed_at
        return self.items[at] if self.listed and at is not None and at < len(self.items) else None

    @property
    def manifest_bytes(self) -> bytes | None:
        """The manifest as a layout has it; None without one."""
        return self.record.manifest_bytes if self.laid_out else None

    @staticmethod
    def is_under(data: bytes, digest: str) -> bool:
        """Whether bytes have a digest, as far as it can be computed."""
        algorithm, _, encoded = digest.partition(":")
        known = from_hex(encoded, algorithm)
        return known is None or not can_verify(known) or digest_of(data, algorithm) == known

    @cached_property
    def other_config(self) -> tuple[str, str] | None:
        """The digest that a layout states of the config and that of its bytes, where they differ."""
        descriptor = self.record.config_descriptor
        if not self.laid_out or descriptor is None or not self.config_bytes:
            return None
        stated = descriptor.digest_text
        return None if self.is_under(self.config_bytes, stated) else (stated, digest_of(self.config_bytes))

    @cached_property
    def other_blobs(self) -> list[tuple[Layer, str, str]]:
        """Layers of a layout whose stored bytes have another digest than the manifest states: layer, stated, actual."""
        return [
            (layer, check.stated, check.actual)
            for layer in (self.image.layers if self.laid_out else ())
            for check in layer.checks
            if check.what == "digest" and check.ok is False
        ]

    @cached_property
    def manifest_value(self) -> dict[str, object]:
        """What the manifest says of its kind."""
        try:
            value = parse_json(self.manifest_bytes or b"", None, self.archive.limits)[0]
        except ImagepeelError:
            return {}
        lowered = {str(key).lower() for key in value} if isinstance(value, dict) else set()
        return {key: lookup(value, key) for key in _MANIFEST_KEYS if key.lower() in lowered}

    # ---- the documents ------------------------------------------------------------------------------------

    @property
    def config_missing(self) -> bool:
        """Whether the config is not in the archive."""
        return self.record.config_state is ConfigState.MISSING

    @cached_property
    def config_bytes(self) -> bytes:
        """The config as the archive has it, also where it is no JSON; b"" where nobody reads it."""
        config = self.record.config
        if config is not None:
            return config.raw_bytes
        member = self.archive.members.file(self.record.config_member)
        unread = self.record.config_state in (ConfigState.DAMAGED, ConfigState.OTHER)
        if member is None or not unread or member.size > self.archive.limits.json_bytes:
            return b""
        return self.archive.members.read(member, self.archive.limits.json_bytes)

    def unread_config(self, kind: GoType) -> str | None:
        """Say in Go's words why a config is none: no JSON, no object, or a value of another type; `kind` is what a tool
        reads it into.

        None where it can be read, and where the archive has none.
        """
        state = self.record.config_state
        if not self.record.format.config_apart or state in (ConfigState.NONE, ConfigState.MISSING):
            return None
        if state is ConfigState.DAMAGED and self.archive.members.file(self.record.config_member) is None:
            return None
        config = self.record.config
        read = config.raw if config is not None and config.raw_bytes and not isinstance(config.raw, OddObject) else {}
        return self.contents.unread_bytes(self.config_bytes, kind, read=read)

    @property
    def no_rootfs(self) -> bool:
        """Whether there is a config, and no `rootfs` in it."""
        config = self.record.config
        apart = self.record.format.config_apart
        return apart and config is not None and bool(config.raw_bytes) and lookup(config.raw, "rootfs") is None

    @property
    def counts(self) -> tuple[int, int] | None:
        """How many layers manifest and config list, where they disagree."""
        config = self.record.config
        if not self.record.available or self.is_v1 or (config is None and not self.config_is_other):
            return None
        found = (len(self.record.layers), len(config.diff_ids) if config is not None else len(self._other_diff_ids))
        return found if found[0] != found[1] else None

    @property
    def config_is_other(self) -> bool:
        """Whether the config is that of something else than an image, which containerd reads as one all the same."""
        return self.record.config_state is ConfigState.OTHER

    @property
    def _other_diff_ids(self) -> list[object]:
        """What such a config lists as DiffIDs: most have none."""
        try:
            value = parse_json(self.config_bytes, None, self.archive.limits)[0]
        except ImagepeelError:
            return []
        rootfs = lookup(value, "rootfs") if isinstance(value, dict) else None
        listed = lookup(rootfs, "diff_ids") if isinstance(rootfs, dict) else None
        return listed if isinstance(listed, list) else []

    @property
    def config_place(self) -> Location:
        """Where the config says what its layers are."""
        return Location(blob=self.record.image_id, member=self.record.config_member or None, pointer="/rootfs")

    @property
    def manifest_place(self) -> Location:
        """Where the layers of the image are listed."""
        if self.listed and not self.laid_out:
            return Location(member=MANIFEST, pointer=f"/{self.record.path[0]}/Layers" if self.record.path else None)
        return Location(blob=self.record.digest, pointer="/layers")

    @property
    def list_name(self) -> str:
        """What `manifest_place` is called in a sentence: the file, or the manifest, which is a blob."""
        return self.manifest_place.member or "the manifest"

    # ---- the layers ---------------------------------------------------------------------------------------

    @cached_property
    def missing_layers(self) -> list[Layer]:
        """The layers whose bytes are not in the archive."""
        return [layer for layer in self.image.layers if not layer.readable]

    @cached_property
    def absent_layers(self) -> list[Layer]:
        """Those of them that are not there: others are encrypted, or no tar at all, and can still be copied."""
        return [layer for layer in self.missing_layers if layer.state in (LayerState.MISSING, LayerState.FOREIGN)]

    @cached_property
    def parts(self) -> list[Layer]:
        """The layers that hold something else than a part of a filesystem."""
        return [layer for layer in self.missing_layers if layer.is_part]

    @cached_property
    def damaged_layers(self) -> list[Layer]:
        """The layers that could not be read to their end."""
        return [
            layer
            for layer in self.image.layers
            if layer.readable and (layer.error is not None or layer.record.truncated)
        ]

    @cached_property
    def layers_before(self) -> int:
        """How many of the lowest layers an image before it in manifest.json has too, as their configs state it."""
        config = self.record.config
        own = config.diff_ids if config is not None else ()
        others = (before.record.config for before in self.earlier)
        return max((_common(own, other.diff_ids) for other in others if other is not None), default=0)

    @cached_property
    def wrong_diff_ids(self) -> list[tuple[Layer, str, str]]:
        """Layers whose content has another DiffID than the config states: layer, stated, actual."""
        return [
            (layer, check.stated, check.actual)
            for layer in self.image.layers
            for check in layer.checks
            if check.what == "diff_id" and check.ok is False
        ]

    @cached_property
    def other_diff_ids(self) -> list[tuple[Layer, str, str]]:
        """The same for who computes SHA-256 and compares the texts: also DiffIDs of another sort, or that are none."""
        config = self.record.config
        stated = config.diff_ids if config is not None else ()
        wrong = {layer.index for layer, *_ in self.wrong_diff_ids}
        found: list[tuple[Layer, str, str]] = []
        for layer, diff_id in zip(self.image.layers, stated, strict=False):
            actual = sha256_of(layer)
            if layer.readable and actual and actual != diff_id and (layer.index in wrong or diff_id[:7] != "sha256:"):
                found.append((layer, diff_id, actual))
        return found

    def unpack(self, view: str) -> Refusal | None:
        """Return where a store with this view refuses to unpack; None where it does not."""
        return self.image.view(view).refusal

    def at(self, layer: int, entry: int) -> Location:
        """Return the place of a tar member."""
        item = self.image.layers[layer].table[entry]
        step = self.image.layers[layer].step
        return Location(layer=layer, step=step, entry=entry, path=text(item.path), layer_offset=item.header_offset)
