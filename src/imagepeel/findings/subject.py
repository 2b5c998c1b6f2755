"""What rules look at: an image and everything that is derived from it, each thing computed once and when asked for."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from imagepeel._lazy import late
from imagepeel.errors import ImagepeelError
from imagepeel.evidence import Location, Name, raw, text
from imagepeel.findings import detectors
from imagepeel.findings.detectors import Secret
from imagepeel.findings.names import Hit, Names
from imagepeel.findings.secret_files import own_texts, secret_candidates
from imagepeel.findings.semantics.codes import ViewNote
from imagepeel.findings.semantics.notes import Surprises
from imagepeel.formats.tar.whiteouts import marks_that_hide
from imagepeel.history.dockerfile import Instruction, rebuild_dockerfile
from imagepeel.process.engines.registry import CONTAINERD, DOCKER, KUBERNETES, PODMAN
from imagepeel.process.image_prediction import predict_image
from imagepeel.process.spec.failure import FailureCode, Judge
from imagepeel.process.spec.options import ProcessOptions
from imagepeel.process.spec.values import Credentials
from imagepeel.tables import not_for_linux

if TYPE_CHECKING:
    from imagepeel.findings.budget import Budget, Spent
    from imagepeel.findings.finding import Finding
    from imagepeel.formats.tar.metas import Meta
    from imagepeel.image import LayeredImage
    from imagepeel.layers.layer import Layer
    from imagepeel.oci.config import ImageConfig, RunConfig
    from imagepeel.process.spec.values import Prediction, Verdict
    from imagepeel.rootfs.tree.inode import Inode
    from imagepeel.rootfs.view import Rootfs

PROFILES = (DOCKER, "docker@20.10", CONTAINERD, KUBERNETES, PODMAN)
"""The engines that every image is held against: one of each kind whose decisions differ."""

_LAYER = 1 << 32
"""More entries than a layer has."""
_SHELL_FORM = late(r"(?:^|/)(?:sh|bash|dash|ash|busybox)$")
_SMALL = 256 * 1024


class Subject:
    """One image under examination.  Nothing here changes it; whatever it contains, asking raises nothing."""

    def __init__(self, image: LayeredImage, budget: Budget | None = None) -> None:
        self.image = image
        self.budget = budget
        self.config: ImageConfig = image.config
        self.run: RunConfig = image.config.config
        self.results: dict[str, tuple[Finding, ...]] = {}
        """What rules found, by id: each is asked once (`Rule.results`)."""

    @cached_property
    def spent(self) -> tuple[Spent, ...]:
        """What is spent of each limit that was set; () without any."""
        if self.budget is None:
            return ()
        from imagepeel.findings.budget import spent  # start time

        return spent(self.image, self.budget)

    # ---- what is there ------------------------------------------------------------------------------------

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers, base first."""
        return self.image.layers

    @cached_property
    def rootfs(self) -> Rootfs:
        """The runtime view."""
        return self.image.rootfs

    @cached_property
    def paperwork(self) -> bool:
        """Whether there is an image config: an exported filesystem or a bare layer has none."""
        return self.image.record.config is not None

    @cached_property
    def whole(self) -> bool:
        """Whether every layer could be read and a runtime unpacks them: only then can an absent file be proved."""
        return self.image.knowledge.layers and self.rootfs.refusal is None and bool(self.layers)

    @cached_property
    def foreign(self) -> str:
        """Why no Linux kernel runs it (Windows, WebAssembly), else "": rules about processes are Linux rules."""
        return not_for_linux(self.image.os, self.image.architecture)

    @cached_property
    def surprises(self) -> Surprises:
        """What the layers do to entries and to each other."""
        return self.image.derived(Surprises)

    @cached_property
    def secrets(self) -> dict[bytes, list[tuple[Hit, tuple[Secret, ...]]]]:
        """Path to the members that hold secrets, base layer first."""
        found: dict[bytes, list[tuple[Hit, tuple[Secret, ...]]]] = {}
        for hit in secret_candidates(self.names, self.layers):
            secrets = detectors.detect(hit.path, self.read_entry(hit, detectors.MOST_BYTES))
            if secrets:
                found.setdefault(hit.path, []).append((hit, secrets))
        for hit in own_texts(self.layers):
            # What a person wrote holds words that look like secrets; keys of providers prove themselves.
            known = any(hit == other for other, _ in found.get(hit.path, ()))
            secrets = () if known else tuple(detectors.tokens(self.read_entry(hit, detectors.MOST_BYTES)))
            if secrets:
                found.setdefault(hit.path, []).append((hit, secrets[:20]))
        return found

    @cached_property
    def names(self) -> Names:
        """The shared walk over all entries."""
        return Names(self.layers)

    # ---- the process --------------------------------------------------------------------------------------

    def prediction(self, engine: str = PROFILES[0]) -> Prediction:
        """The process on one engine."""
        return predict_image(self.image, ProcessOptions(engine=engine))

    @cached_property
    def starts(self) -> tuple[Prediction, ...]:
        """The process on each profile that can load the image; () where a start cannot be judged.

        That is so where there is no config, for Windows or WebAssembly, and with missing layers.  Where the file alone
        is not taken, it is the start of the image in a file that is.
        """
        if not self.paperwork or self.foreign or not self.whole:
            return ()
        found = []
        for engine in PROFILES:
            start = self.prediction(engine)
            if start.verdict.id is FailureCode.FILE_NOT_TAKEN:
                start = predict_image(self.image, ProcessOptions(engine=engine), view=start.view)
            if start.verdict.judge is not Judge.LOAD:
                found.append(start)
        return tuple(found)

    @cached_property
    def unloaded(self) -> tuple[Verdict, ...]:
        """The verdicts of the profiles whose store refuses the image, in their order."""
        if not self.paperwork or self.foreign:
            return ()
        verdicts = (self.prediction(engine).verdict for engine in PROFILES)
        return tuple(verdict for verdict in verdicts if verdict.judge is Judge.LOAD)

    @cached_property
    def failures(self) -> dict[FailureCode, list[Verdict]]:
        """Proved start failures by the name of the failure, in the order of the profiles."""
        found: dict[FailureCode, list[Verdict]] = {}
        for start in self.starts:
            if start.verdict.id is not None:
                found.setdefault(start.verdict.id, []).append(start.verdict)
        return found

    def failed(self, *ways: FailureCode) -> list[Verdict]:
        """Return the verdicts of the profiles on which the start fails in one of these ways."""
        return [verdict for way in ways for verdict in self.failures.get(way, ())]

    @cached_property
    def argv(self) -> tuple[str, ...]:
        """Entrypoint and Cmd as every engine joins them; an Entrypoint of one empty word counts as none."""
        entrypoint = self.run.entrypoint or ()
        if entrypoint == ("",):
            entrypoint = ()
        return (*entrypoint, *(self.run.cmd or ()))

    @cached_property
    def shell_line(self) -> str | None:
        """The line of a shell form (`sh -c LINE`), None for an exec form."""
        argv = self.argv
        if len(argv) >= 3 and argv[1] == "-c" and _SHELL_FORM.search(argv[0]):
            return argv[2]
        return None

    @cached_property
    def instructions(self) -> tuple[Instruction, ...]:
        """What each history step did, as far as its text tells; the index is the step."""
        return rebuild_dockerfile(self.config, ()).instructions

    @cached_property
    def user(self) -> Prediction:
        """The default start, for its credentials."""
        return self.prediction()

    @cached_property
    def credentials(self) -> Credentials:
        """Who the process is by default; root where that cannot be told, so ask `paperwork` first."""
        return self.user.user or Credentials(uid=0, gid=0)

    @cached_property
    def uid(self) -> int:
        """The number of that user."""
        return self.credentials.uid

    # ---- looking at files ---------------------------------------------------------------------------------

    def node(self, path: Name, *, follow: bool = True) -> Inode | None:
        """The node at a path of the runtime view, None where there is none."""
        found = self.rootfs.resolve(path, follow=follow).node
        return None if found is not None and found.kind == "ghost" else found

    def read(self, path: Name, most: int = _SMALL) -> bytes:
        """The first bytes of a regular file, b"" where there is none or it cannot be read."""
        node = self.node(path)
        if node is None or not node.is_file:
            return b""
        try:
            return self.rootfs.read(node, 0, min(most, node.size))
        except ImagepeelError:
            return b""

    def read_entry(self, hit: Hit, most: int = _SMALL) -> bytes:
        """The first bytes of a tar member, also of one that a later layer removed."""
        layer = self.layers[hit.layer]
        entry = layer.table[hit.entry]
        if entry.kind != "file":
            return b""
        try:
            return layer.open(entry).pread(0, min(most, entry.size))
        except ImagepeelError:
            return b""

    def visible(self, hit: Hit) -> bool:
        """Whether this member is what a container sees at its path."""
        node = self.rootfs.resolve(hit.path, follow=False).node
        if node is None or node.kind == "ghost" or node.layer != hit.layer:
            return False
        return node.entry == hit.entry or self.layers[hit.layer].table[hit.entry].kind == "hardlink"

    def shown(self, hits: list[Hit]) -> list[Hit]:
        """Those of the members that a container sees."""
        return [hit for hit in hits if self.visible(hit)]

    # ---- places -------------------------------------------------------------------------------------------

    def at(self, layer: int, entry: int) -> Location:
        """The place of a tar member."""
        item = self.layers[layer].table[entry]
        return Location(
            layer=layer,
            step=self.layers[layer].step,
            entry=entry,
            path=text(item.path),
            layer_offset=item.header_offset,
        )

    def place(self, what: Hit | Name | Inode) -> Location:
        """The place of a member, of what a path shows, or of a node."""
        if isinstance(what, Hit):
            return self.at(what.layer, what.entry)
        return self.rootfs.location(what)

    def label(self, note: ViewNote) -> str:
        """The label of the layer that a note is about."""
        return self.layers[note.where.layer or 0].label

    def noted_place(self, note: ViewNote) -> Location:
        """The place of a note; one that names a path alone is where that path comes from."""
        where = note.where
        if where.entry is not None or where.layer_offset is not None or where.path is None:
            return where
        place = self.place(where.path)
        if place.layer is None or (where.layer is not None and place.entry is None):
            last = self.layers[where.layer if where.layer is not None else -1]
            return Location(layer=last.index, step=last.step, path=where.path)
        return place

    def pointer(self, pointer: str, step: int | None = None) -> Location:
        """A place in the image config."""
        return Location(blob=self.image.id, pointer=pointer, step=step)

    def command_place(self) -> Location:
        """Where the first word of the command is written."""
        entrypoint = self.run.entrypoint or ()
        return self.pointer("/config/Entrypoint" if entrypoint and entrypoint != ("",) else "/config/Cmd")

    def whiteout_of(self, layer: int, path: Name) -> Hit | None:
        """The whiteout above `layer` that removes `path` or a directory it stands in, the lowest first."""
        hits: list[Hit] = []
        from imagepeel.rootfs.tree.inode import PATH_MAX  # start time

        if len(raw(path)) >= PATH_MAX:
            return None  # nobody makes it, so nothing takes it away
        for mark in marks_that_hide(raw(path), overlay=True):
            first = bisect_left(self._whiteouts, mark, key=self._path_at)
            last = bisect_right(self._whiteouts, mark, key=self._path_at)
            hits += [Hit(*divmod(place, _LAYER), mark) for place in self._whiteouts[first:last]]
        return min((hit for hit in hits if hit.layer > layer), default=None)

    @cached_property
    def _whiteouts(self) -> array[int]:
        """The places of all whiteouts, ordered by their paths: layer times _LAYER, and entry."""
        places = (hit.layer * _LAYER + hit.entry for hit in self.names.whiteouts())
        return array("Q", sorted(places, key=self._path_at))

    def _path_at(self, place: int) -> bytes:
        layer, entry = divmod(place, _LAYER)
        return b"/" + self.layers[layer].table.path(entry)

    def entries_where(self, wanted: Callable[[Meta], bool], most: int = 10_000) -> list[Hit]:
        """Members whose type, mode or owner satisfies `wanted`, at most `most`.

        `wanted` is asked once per distinct combination, not per entry: a layer of a million has a few dozen.
        """
        found: list[Hit] = []
        for layer in self.layers:
            table = layer.table
            good = {number for number, meta in enumerate(table.metas) if wanted(meta)}
            if not good:
                continue
            for index, number in enumerate(table.meta_ids):
                if number in good:
                    found.append(Hit(layer.index, index, b"/" + table.path(index)))
                    if len(found) >= most:
                        return found
        return found
