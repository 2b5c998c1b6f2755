"""What every chapter needs: the image, its receipts, and facts that are worked out once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from imagepeel._lazy import late
from imagepeel.errors import ImagepeelError
from imagepeel.evidence import Evidence, Location, Receipt, layer_label, raw, text
from imagepeel.findings.examine import examine
from imagepeel.present.document import Text, code, term, words
from imagepeel.process.engines.registry import CONTAINERD, DOCKER, KUBERNETES, PODMAN
from imagepeel.process.image_prediction import predict_image
from imagepeel.process.spec.options import ProcessOptions
from imagepeel.receipts.places import Receipts, Stream
from imagepeel.receipts.proof import with_receipts
from imagepeel.rootfs.layer_events import LayerCounts, Lost, Shipped, layer_counts, lost_files, shipped

if TYPE_CHECKING:
    from imagepeel.archive.knowledge import Knowledge
    from imagepeel.archive.opened import OpenArchive
    from imagepeel.findings.finding import Finding
    from imagepeel.image import LayeredImage
    from imagepeel.layers.layer import Layer
    from imagepeel.process.spec.values import Prediction, Step, Verdict
    from imagepeel.rootfs.view import Rootfs


_OTHERS = (DOCKER, CONTAINERD, PODMAN, KUBERNETES)
"""One engine of each kind whose decisions differ."""
_MARKS = late(r"(\*[^*]+\*|`[^`]+`)")


def marked(text: str) -> Text:
    """Return a text of the registry of archive kinds in which `*term*` and `` `code` `` are marked."""
    spans = {"*": term, "`": code}
    return words(*(spans[part[0]](part[1:-1]) if part[:1] in spans else part for part in _MARKS.split(text)))


class StoryContext:
    """One image, as the chapters look at it."""

    def __init__(self, image: LayeredImage, engine: str | None = None) -> None:
        self.image = image
        self.archive: OpenArchive = image.archive
        self.receipts: Receipts = Receipts(image.archive, image)
        self.engine = engine
        self.name: str = image.archive.name.rstrip("/").rpartition("/")[2] or image.archive.name
        if self.receipts.streamed:
            self.name = "the stream" if image.archive.name == "-" else "the archive"

    # ---- shape --------------------------------------------------------------------------------------------

    @cached_property
    def bare(self) -> bool:
        """Whether the file is a bare tar without any document: a rootfs export or one layer."""
        return self.image.record.format.bare

    @cached_property
    def knowledge(self) -> Knowledge:
        """What is known of the image, and what is missing: every sentence that says no, none or all asks it."""
        return self.image.knowledge

    @cached_property
    def unnamed_layers(self) -> int:
        """How many layers only the config counts, so that nobody knows where they are."""
        return 0 if self.knowledge.every_layer else max(0, len(self.image.config.diff_ids) - len(self.image.layers))

    @cached_property
    def certain(self) -> bool:
        """Whether engines take the image so far that its process can be judged: all there, all matching, unpacked."""
        return (
            self.rootfs.complete
            and self.rootfs.refusal is None
            and not any(layer.verified is False for layer in self.image.layers)
        )

    @cached_property
    def here(self) -> tuple[Layer, ...]:
        """The layers whose bytes are in the archive and can be read."""
        return tuple(layer for layer in self.image.layers if layer.readable)

    @cached_property
    def rootfs(self) -> Rootfs:
        """The runtime view."""
        return self.image.rootfs

    @cached_property
    def shipped(self) -> Shipped:
        """Where the bytes of all files went."""
        return shipped(self.rootfs)

    @cached_property
    def counts(self) -> tuple[LayerCounts, ...]:
        """What each layer adds, changes and removes; () where the view keeps no layer trees."""
        try:
            return tuple(layer_counts(self.rootfs))
        except ImagepeelError:
            return ()

    @cached_property
    def lost(self) -> Sequence[Lost]:
        """Files that are shipped and cannot be seen, largest first; () where the view keeps no layer trees."""
        if not self.shipped.unreachable:
            return ()
        try:
            return lost_files(self.rootfs)
        except ImagepeelError:
            return ()

    @cached_property
    def prediction(self) -> Prediction | None:
        """The process, None where there is no config to tell it from, or one that was not read."""
        if self.image.record.config is None:
            return None
        return predict_image(self.image, ProcessOptions(engine=self.engine) if self.engine else None)

    @cached_property
    def totals(self) -> tuple[int, int, int]:
        """(stored bytes, unpacked bytes, entries) of the layers that are here."""
        return (
            sum(layer.blob_size for layer in self.here),
            sum(layer.content_size for layer in self.here),
            sum(len(layer.table) for layer in self.here),
        )

    @cached_property
    def verdicts(self) -> tuple[tuple[str, Verdict], ...]:
        """The verdict of the engine that was asked for first, then of one engine of each other kind; () without one."""
        found = self.prediction
        if found is None:
            return ()
        out = [(found.engine, found.verdict)]
        family = found.engine.partition("@")[0]
        for engine in _OTHERS:
            if engine.partition("@")[0] == family:
                continue
            other = predict_image(self.image, ProcessOptions(engine=engine))
            out.append((other.engine, other.verdict))
        return tuple(out)

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        """What the rules find, worst first, with receipts."""
        return with_receipts(examine(self.image), self.image)

    # ---- places -------------------------------------------------------------------------------------------

    def by(self, finding: Finding) -> Evidence:
        """A finding's own places and receipts; where it has none, the archive as a whole."""
        by = finding.evidence
        return Evidence(locations=by.locations or (self.whole,), receipts=by.receipts or (self.receipts.listing(),))

    @property
    def whole(self) -> Location:
        """The manifest of the image, or the archive where it has none."""
        return Location(member=self.image.record.manifest_member or self.image.archive.name)

    def archive_place(self) -> Location:
        """The archive as a whole."""
        return Location(member=self.image.archive.name, archive_offset=0)

    def entry_place(self, layer: Layer, index: int) -> Location:
        """One tar member of a layer."""
        entry = layer.table[index]
        return Location(
            layer=layer.index,
            step=layer.step,
            entry=index,
            path=text(entry.path),
            layer_offset=entry.header_offset,
        )

    def at(self, place: Location | None, shows: str, filter_: str = "", expect: str = "") -> Receipt | None:
        """The receipt for a file at a place: its bytes through a filter, None where nobody can show it."""
        stream = self.stream_at(place)
        if stream is None:
            return None
        return (
            self.receipts.show(stream, filter_, shows, expect)
            if filter_
            else self.receipts.bytes_of(stream, shows, expect)
        )

    def stream_at(self, place: Location | None) -> Stream | None:
        """The bytes of the file that a place names."""
        if place is None or place.layer is None or place.entry is None:
            return None
        layer = self.image.layers[place.layer]
        if not layer.readable or layer.table[place.entry].kind != "file":
            return None
        return self.receipts.entry(layer, place.entry)

    def file_of(self, step: Step) -> Location | None:
        """The place of the regular file that a step of the exec chain is about, links followed."""
        if step.path is None:
            return step.where
        node = self.rootfs.resolve(raw(step.path)).node
        return self.rootfs.location(node) if node is not None and node.is_file else step.where

    def stream_of(self, step: Step) -> Stream | None:
        """The bytes of that file."""
        return self.stream_at(self.file_of(step))

    def origin(self, place: Location | None) -> str:
        """Where a file comes from, in short: `L3, step 5`; "" when it is not in the image."""
        if place is None or place.layer is None:
            return ""
        step = self.image.layers[place.layer].step
        return layer_label(place.layer, step)

    def config_receipt(self, pointer: str, shows: str) -> Receipt | None:
        """A value of the image config by jq."""
        return self.receipts.config(pointer, shows)

    def config_place(self, pointer: str, step: int | None = None) -> Location:
        """A value of the image config as a place."""
        record = self.image.record
        return Location(
            member=record.config_member or None,
            blob=record.image_id,
            pointer=pointer,
            step=step,
        )

    def other_kinds(self) -> Iterator[tuple[str, str]]:
        """What the archive holds beside this and beside images for containers: what it is called, and what it is."""
        for record in self.archive.records:
            if not record.runnable and record is not self.image.record:
                yield record.called
