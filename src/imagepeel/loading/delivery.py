"""One image of an archive as a tool meets it: what each of them asks of the file, found once."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from imagepeel.archive.compression import Compression
from imagepeel.archive.kinds.kind import MANIFEST
from imagepeel.archive.members import SubdirectoryMembers
from imagepeel.archive.records import ConfigState, Description, Name
from imagepeel.evidence import Location, text
from imagepeel.formats.go_json import unread
from imagepeel.oci.json_document import lookup

if TYPE_CHECKING:
    from imagepeel.archive.members import Member
    from imagepeel.archive.opened import OpenArchive
    from imagepeel.archive.records import ImageRecord
    from imagepeel.image import LayeredImage
    from imagepeel.layers.layer import Layer
    from imagepeel.rootfs.tree.changes import Refusal


class Delivery:
    """An image and the file that it comes in.  What reads layers does so when it is asked."""

    def __init__(self, image: LayeredImage) -> None:
        self.image: LayeredImage = image
        self.archive: OpenArchive = image.archive
        self.record: ImageRecord = image.record

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

    @cached_property
    def forward_link(self) -> Member | None:
        """The first hard link that stands before its target: who unpacks the file in order cannot make it."""
        places = {note.where.archive_offset for note in self.archive.anomalies if note.code == "outer-link-forward"}
        members = self.archive.members
        return next((one for one in members if one.header_offset in places), None) if places else None

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
        return self.record.format.bare and self.has(MANIFEST)

    # ---- how the image is described -----------------------------------------------------------------------

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
    def absent_images(self) -> list[ImageRecord]:
        """The images that the OCI layout lists and does not carry."""
        return [record for record in self.archive.runnable if not record.available]

    @cached_property
    def tags(self) -> tuple[Name, ...]:
        """The names in RepoTags."""
        return tuple(name for name in self.record.names if name.origin == "RepoTags")

    @property
    def has_to_be_repacked(self) -> bool:
        """Whether the image lies where no tool of today looks for it, so that the file itself has to be changed."""
        return bool(self.folder) or not (self.listed or self.laid_out)

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
        damaged = self.record.config_state is ConfigState.DAMAGED
        if member is None or not damaged or member.size > self.archive.limits.json_bytes:
            return b""
        return self.archive.members.read(member, self.archive.limits.json_bytes)

    def unread_config(self, type_name: str) -> str | None:
        """Say in Go's words why a config is none: no JSON or no object; `type_name` is what a tool reads it into.

        None where it can be read, and where the archive has none.
        """
        state = self.record.config_state
        if not self.record.format.config_apart or state not in (ConfigState.PRESENT, ConfigState.DAMAGED):
            return None
        if state is ConfigState.DAMAGED and self.archive.members.file(self.record.config_member) is None:
            return None
        return unread(self.config_bytes, type_name)

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
        if config is None or not self.record.available or self.is_v1:
            return None
        found = (len(self.record.layers), len(config.diff_ids))
        return found if found[0] != found[1] else None

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

    # ---- the layers ---------------------------------------------------------------------------------------

    @cached_property
    def missing_layers(self) -> list[Layer]:
        """The layers whose bytes are not in the archive."""
        return [layer for layer in self.image.layers if not layer.readable]

    @cached_property
    def damaged_layers(self) -> list[Layer]:
        """The layers that could not be read to their end."""
        return [
            layer
            for layer in self.image.layers
            if layer.readable and (layer.error is not None or layer.record.truncated)
        ]

    @cached_property
    def linked_layer(self) -> Layer | None:
        """The first layer whose member is a symbolic link, of those that bring their content first."""
        seen: set[str | None] = set()
        for layer in self.image.layers:
            stored = layer.record.stored
            if (
                stored is not None
                and stored.member is not None
                and stored.member.via
                and layer.record.diff_id not in seen
            ):
                return layer
            seen.add(layer.record.diff_id)
        return None

    @cached_property
    def wrong_diff_ids(self) -> list[tuple[Layer, str, str]]:
        """Layers whose content has another DiffID than the config states: layer, stated, actual."""
        return [
            (layer, check.stated, check.actual)
            for layer in self.image.layers
            for check in layer.checks
            if check.what == "diff_id" and check.ok is False
        ]

    def unpack(self, view: str) -> Refusal | None:
        """Return where a store with this view refuses to unpack; None where it does not."""
        return self.image.view(view).refusal

    def at(self, layer: int, entry: int) -> Location:
        """Return the place of a tar member."""
        item = self.image.layers[layer].table[entry]
        step = self.image.layers[layer].step
        return Location(layer=layer, step=step, entry=entry, path=text(item.path), layer_offset=item.header_offset)
