"""What the shared options of one command line say, and what every command does with them: open, choose, warn, finish.

click stores the values while it parses; nothing heavy is imported before a command needs it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from imagepeel.api import Archive
    from imagepeel.archive.knowledge import Gap
    from imagepeel.archive.opened import OpenArchive
    from imagepeel.archive.records import ImageRecord
    from imagepeel.cli.progress import Progress
    from imagepeel.errors import NotADirectory, PathNotFound
    from imagepeel.evidence import Anomaly
    from imagepeel.image import LayeredImage
    from imagepeel.layers.index_cache import IndexCache
    from imagepeel.layers.layer import Layer
    from imagepeel.rootfs.view import Rootfs
    from imagepeel.verbs import Image

MOST_WARNINGS = 5
MOST_MISMATCHES = 50
WIDE = 100_000
"""Columns of a table that goes to a file or pipe: nothing is cut there."""


class Settings:
    """The shared options of one call.  `archive` is "" until a command names one."""

    def __init__(self) -> None:
        self.archive: str = ""
        self.reference: str | None = None
        self.platform: str | None = None
        self.view = "runtime"
        self.verify = True
        self.json = False
        self.html: str | None = None
        self.markdown = False
        self.color: Literal["auto", "always", "never"] = "auto"
        self.blobs: str | None = None
        self.debug = False
        self.pager = True
        self.limits: Literal["default", "strict"] = "default"
        self.cache = True
        self.plain_http = False
        self.ca: str | None = None
        self._cache: IndexCache | None = None
        self._progress: Progress | None = None
        self._said: dict[str, Anomaly | None] = {}
        self._others = ""
        self._chosen: Image | None = None
        self._opened: dict[int, str] = {}
        """The image that was chosen last."""

    # ---- the terminal -------------------------------------------------------------------------------------

    def colour(self, stream: IO[str]) -> bool:
        """Say whether to colour `stream`: --color, NO_COLOR, FORCE_COLOR, TERM=dumb, or whether it is a terminal.

        The first of them that says something decides; FORCE_COLOR=0 says nothing.
        """
        if self.color != "auto":
            return self.color == "always"
        if os.environ.get("NO_COLOR"):
            return False
        if os.environ.get("FORCE_COLOR", "0") not in ("", "0"):
            return True
        if os.environ.get("TERM") == "dumb":
            return False
        return _is_terminal(stream)

    def paging(self) -> bool:
        """Say whether a long output goes to a pager; the progress leaves the terminal for it."""
        if self.pager:
            self.quiet()
        return self.pager

    @property
    def width(self) -> int:
        """Columns to lay tables out for: COLUMNS, else the terminal's; a pipe or file is never too narrow."""
        columns = os.environ.get("COLUMNS", "")
        if columns.isdigit() and int(columns) > 0:
            return max(20, int(columns))
        if not _is_terminal(sys.stdout):
            return WIDE
        try:
            # A terminal that does not know its size says 0.
            return max(20, os.get_terminal_size(sys.stdout.fileno()).columns or 80)
        except (OSError, ValueError):
            return 80

    # ---- opening ------------------------------------------------------------------------------------------

    @contextmanager
    def open(self, archive: str | None = None, *, unread: bool = False, tables: bool = False) -> Iterator[Archive]:
        """Open the archive of this call (or another one) with progress on stderr after a second.

        With `unread`, also one whose documents nobody can read; with `tables`, of a command that asks for no header of
        a tar, layers are listed by their tables of contents where digests are not asked for either.
        """
        from imagepeel.api import open as open_archive  # start time
        from imagepeel.cli.progress import Progress  # start time
        from imagepeel.errors import NotADirectory, PathNotFound  # start time
        from imagepeel.limits import DEFAULT, Limits  # start time

        if archive is not None:
            self.archive = archive
        if self.archive == "-" and sys.stdin is None:
            from imagepeel.errors import UsageError  # start time

            raise UsageError("standard input is closed", hint="pipe an archive into the command, or name a file")
        if self.cache:
            from imagepeel.layers.index_cache import IndexCache  # start time

            self._cache = IndexCache()
        shown = "standard input" if self.archive == "-" else self.archive
        if "://" in shown:
            from imagepeel.sources.words import spoken  # start time

            shown = spoken(shown)
        with Progress(f"reading {shown}", colour=self.colour(sys.stderr)) as progress:
            self._progress = progress
            opened = open_archive(
                self.archive,
                limits=Limits.strict() if self.limits == "strict" else DEFAULT,
                verify=self.verify,
                tables=tables,
                blobs=self.blobs,
                progress=progress.add,
                cache=self._cache if self._cache is not None else False,
                unread=unread,
                plain_http=self.plain_http,
                ca=self.ca,
            )
            self._opened[id(opened)] = self.archive
            if not self.verify and opened.elsewhere:
                self.warn(f"no digest was computed: that these are the bytes of the image, only {self.archive} says")
            with opened:
                try:
                    yield opened
                except (PathNotFound, NotADirectory) as error:
                    self._raise_graver(error)
                    raise

    def _raise_graver(self, absent: PathNotFound | NotADirectory) -> None:
        """Raise the damage of the image in which a path is not, where there is some: what is damaged may have it."""
        from imagepeel.errors import DigestMismatch, Malformed, MissingBlob  # start time

        if self._chosen is None:
            return
        try:
            self.require_intact(self._chosen)
        except (DigestMismatch, Malformed) as damage:
            raise type(damage)(f"{absent.what}; {damage.what}", damage.where, damage.hint) from absent
        except MissingBlob:
            return  # the error itself says what is missing

    def keep_archive(self, output: str, archive: str | None = None) -> None:
        """UsageError when `output` is the archive that is read: writing it would destroy the only copy."""
        from imagepeel.errors import UsageError  # start time

        read = self.archive if archive is None else archive
        both = os.path.exists(output) and os.path.exists(read) if read not in ("", "-") else False
        if both and os.path.samefile(output, read):
            raise UsageError(f"{output} is the archive that is read", hint="write to another file")

    def image(self, archive: Archive) -> Image:
        """Return the image that --image and --platform ask for, without reading its layers."""
        image = archive.image(self.reference, platform=self.platform)
        self._chosen = image
        if beside := image.beside:
            from imagepeel.archive.select import not_examined  # start time

            self._others = not_examined(image.record.number, [record.numbered for record in beside])
        return image

    def scanned(self, archive: Archive, *, digests: bool = False) -> Image:
        """Return the chosen image with all its layers read once; the progress ends here.

        `digests` also takes the SHA-256 of every file, for a command that compares their content.
        """
        image = self.image(archive)
        if self._progress is not None:
            sizes = {layer.record.stored: layer.blob_size for layer in image.layers if layer.readable}
            self._progress.expect(sum(sizes.values()))
        image.scan(digests=digests)
        self.quiet()
        self.warn_of_unread(image)
        return image

    def filesystem(self, archive: Archive, *, digests: bool = False) -> Image:
        """Return the same where the command is about what its layers make.  Unsupported for an artifact."""
        image = self.scanned(archive, digests=digests)
        self._refuse_artifact(image)
        return image

    def rootfs(self, image: Image) -> Rootfs:
        """Return the filesystem of the view that --view asks for.  Unsupported for an artifact, which has none."""
        self._refuse_artifact(image)
        return image.view(self.view)

    def _about(self, image: LayeredImage) -> None:
        """Name the file of this image in an error: a call may have opened another one since."""
        self.archive = self._opened.get(id(image.archive), self.archive)

    def _refuse_artifact(self, image: Image) -> None:
        self._about(image)
        artifact = image.record.knowledge.artifact
        if artifact:
            from imagepeel.errors import Unsupported  # start time

            hint = "it has no file system and starts nothing; see its parts with imagepeel layers"
            raise Unsupported(f"#{image.record.number} is {artifact}", hint=hint)

    @property
    def choice(self) -> tuple[str, ...]:
        """The options of this call that choose the image, for another command about the same one."""
        given = (("--image", self.reference), ("--platform", self.platform), ("--blobs", self.blobs))
        return tuple(word for name, words in given if words for word in (name, words))

    def quiet(self) -> None:
        """Take the progress off the terminal: the result comes now."""
        if self._progress is not None:
            self._progress.stop()

    # ---- what is odd --------------------------------------------------------------------------------------

    def others_told(self, left: str = "") -> None:
        """Leave out the line on stderr about the images that were not examined, or write `left` instead."""
        self._others = left

    def note_others(self) -> None:
        """Write that line, once."""
        if self._others:
            from imagepeel.render.escape import terminal  # start time

            sys.stderr.write(f"note: {terminal(self._others)}\n")
            self._others = ""

    def warn(self, message: str) -> None:
        """Note one warning; `finish` writes it to stderr after the result."""
        self._said.setdefault(message, None)

    def warn_of(self, anomalies: Iterable[Anomaly]) -> None:
        """Note the anomalies that make a runtime refuse the image: the others are in the --json of `layers`."""
        for anomaly in anomalies:
            if anomaly.fatal:
                place = str(anomaly.where)
                self._said.setdefault(anomaly.message + (f" ({place})" if place else ""), anomaly)

    def warn_of_layers(self, *images: LayeredImage, archive: str = "") -> None:
        """Note the layers that are not there, for a command whose result says nothing of them or not in each form.

        `archive` is named where the command reads several.
        """
        from imagepeel.archive.knowledge import ImagePart  # start time

        for gap in (gap for image in images for gap in image.knowledge.gaps if gap.part is ImagePart.LAYER):
            self.warn(f"{archive}: {gap}" if archive else str(gap))

    def warn_of_unread(self, *images: LayeredImage) -> None:
        """Note how much of the layers was left where it is, on the word of their tables of contents."""
        layers = [layer for image in images for layer in image.layers if layer.facts is not None]
        listed = [layer for layer in layers if layer.by_table]
        left = sum(layer.facts.unread for layer in layers if layer.facts is not None and not layer.by_table)
        if left:
            self.warn(
                f"{left} bytes of compressed layers were not read for the list of files: that they hold the content "
                "of the files before them and nothing else, only the tables of contents of the layers say"
            )
        if listed:
            unread = sum(layer.facts.unread for layer in listed if layer.facts is not None)
            untold = [
                layer.label for layer in listed if layer.facts and layer.facts.listed and not layer.facts.listed.told
            ]
            self.warn(
                f"{', '.join(layer.label for layer in listed)}: listed by the table of contents, {unread} bytes were "
                "not read for it; that the tar says the same was not verified"
                + (f", and no digest is told of the table of {', '.join(untold)}" if untold else "")
            )

    def finish(self, image: LayeredImage, *, rootfs: Rootfs | None = None) -> None:
        """Write the warnings about an image whose layers were read, then raise as `require_intact` does."""
        from imagepeel.archive.knowledge import ImagePart  # start time

        self._about(image)
        self.warn_of(image.anomalies)
        if image.archive.kind.bare and not image.archive.members.ended and image.archive.cut is None:
            self.warn("the tar has no end blocks: nobody can tell whether it is whole or was cut between two entries")
        for layer in image.layers:
            if not layer.readable and not layer.is_part:
                self.warn(f"layer {layer.label} is not here ({layer.state}): the result leaves it out")
        for gap in image.knowledge.gaps:
            if gap.part is ImagePart.LAYER and gap.layer is None:
                self.warn(str(gap))
        if rootfs is not None and rootfs.refusal is not None and not rootfs.knowledge.lacks_layers:
            from imagepeel.evidence import layer_label  # start time

            refusal = rootfs.refusal
            self.warn(
                f"a runtime refuses to unpack this image at layer {layer_label(refusal.layer)}, entry {refusal.entry}: "
                f"{refusal.reason}; shown is the best effort without it"
            )
        self.require_intact(image)

    def require_intact(self, image: LayeredImage) -> None:
        """Raise what no result about an image can hide, the gravest first: every command that reads layers ends so.

        DigestMismatch with all mismatches in one error, else what `require_read` raises.
        """
        self._require(image, [*document_mismatches(image.archive, image.record), *layer_mismatches(image.layers)])

    def require_read(self, image: LayeredImage) -> None:
        """Raise where a part of an image could not be read: that somebody accepts this makes it no better known.

        Malformed when a layer could not be read to its end or the archive was cut off, else MissingBlob when the
        manifest or the config is not there.
        """
        self._require(image, [])

    def _require(self, image: LayeredImage, wrong: list[Mismatch]) -> None:
        cut = image.archive.cut
        # Where the archive was cut off, that is said and not what it did to a layer.
        self._end(wrong, image.layers, damage=cut is None)
        self.require_documents(image)
        if cut is not None:
            from imagepeel.errors import Malformed  # start time

            raise Malformed(cut.message, cut.where, "save or fetch the archive again")

    def require_documents(self, image: LayeredImage) -> None:
        """Raise what is wrong with an image whose manifest or config nobody can read; nothing where both are known.

        MissingBlob when it is not there, Malformed when it is damaged or the archive was cut off before it.
        """
        self._refuse(image.archive, image.record.knowledge.documents)

    def require_layers(self, image: LayeredImage, what: str) -> None:
        """MissingBlob where `what`, the answer of the command, is not known because a layer is not there."""
        if image.knowledge.lacks_layers:
            from imagepeel.archive.knowledge import ImagePart  # start time
            from imagepeel.errors import MissingBlob  # start time

            why = image.knowledge.why(ImagePart.LAYER)
            raise MissingBlob(f"{what} is not known: {why}", hint="save or copy the image again with all its layers")

    def _refuse(self, archive: OpenArchive, gaps: Sequence[Gap]) -> None:
        from imagepeel.errors import Malformed, MissingBlob  # start time

        cut = archive.cut
        for gap in gaps:
            if cut is not None:
                raise Malformed(f"{gap} ({cut.message})", cut.where)
            if gap.damaged:
                raise Malformed(str(gap))
            raise MissingBlob(str(gap), hint=f"save or copy the image again with its {gap.part}")

    def finish_documents(self, archive: Archive) -> None:
        """The same for a command that read the documents only."""
        for anomaly in (*archive.anomalies, *(a for record in archive.records for a in record.anomalies)):
            if anomaly != archive.cut:
                self.warn_of((anomaly,))
        wrong = [line for record in archive.records for line in document_mismatches(archive, record)]
        self._end(list(dict.fromkeys(wrong)), ())
        unread = [record.knowledge.documents for record in archive.runnable]
        waiting = any(record.later is not None for record in archive.runnable)
        if unread and all(unread) and not waiting:
            self._refuse(archive, unread[0])
        if archive.cut is not None:
            from imagepeel.errors import Malformed  # start time

            raise Malformed(archive.cut.message, archive.cut.where, "save or fetch the archive again")

    def finish_unread(self, archive: Archive) -> None:
        """The same for an archive whose documents name no image: raise what was wrong with them."""
        self.warn_of(archive.anomalies)
        self._end([], ())
        if archive.unread is not None:
            raise archive.unread

    def finish_content(self, image: LayeredImage, layers: Sequence[Layer], above: int | None) -> None:
        """The same for a command whose result is the content of files of these layers.

        With `above`, an index from 0, also where a layer higher up is missing or damaged: it may replace the files.
        """
        from imagepeel.archive.knowledge import ImagePart  # start time

        gaps = [gap for gap in image.knowledge.gaps if gap.part is ImagePart.LAYER and above is not None]
        gaps = [gap for gap in gaps if gap.layer is None or gap.layer > (above or 0)]
        uppers = [image.layers[gap.layer] for gap in gaps if gap.layer is not None]
        self._end([*document_mismatches(image.archive, image.record), *layer_mismatches([*layers, *uppers])], ())
        self._refuse(image.archive, gaps)
        self.require_documents(image)

    def finish_findings(self) -> None:
        """The same for a command whose result says itself what is wrong."""
        self._end([], ())

    def _end(self, wrong: list[Mismatch], layers: Sequence[Layer], *, damage: bool = True) -> None:
        self.quiet()
        sys.stdout.flush()
        if self._cache is not None and self._cache.folder.suspicious:
            self.warn(f"the cache is ignored: {self._cache.problem}")
        damaged = [(layer, layer.error) for layer in layers if layer.error is not None]
        errors = [error for _, error in damaged]
        self._write_warnings([message for message, anomaly in self._said.items() if anomaly not in errors])
        if wrong:
            from imagepeel.errors import DigestMismatch  # start time

            more = f"; and {len(wrong) - MOST_MISMATCHES} more" if len(wrong) > MOST_MISMATCHES else ""
            raise DigestMismatch(
                f"{len(wrong)} statement{'s do' if len(wrong) > 1 else ' does'} not fit the bytes: "
                f"{'; '.join(one.words for one in wrong[:MOST_MISMATCHES])}{more}",
                hint=(
                    "correct the stated size, or save the image again"
                    if all(one.size_only for one in wrong)
                    else "do not trust the file; fetch it again from where it came"
                )
                + " (--no-verify looks at it anyway)",
            )
        if damaged and damage:
            from imagepeel.errors import Malformed  # start time

            first, error = damaged[0]
            more = f", and so {'is' if len(damaged) == 2 else 'are'} {len(damaged) - 1} more" if damaged[1:] else ""
            raise Malformed(
                f"layer {first.label} is damaged{more}: {error.message}",
                error.where,
                "the result above holds what could be read; fetch or save the image again",
            )

    def _write_warnings(self, messages: list[str]) -> None:
        from imagepeel.render.escape import terminal  # start time

        label = "\x1b[33mwarning:\x1b[0m" if self.colour(sys.stderr) else "warning:"
        self.note_others()
        for message in messages[:MOST_WARNINGS]:
            sys.stderr.write(f"{label} {terminal(message)}\n")
        if len(messages) > MOST_WARNINGS:
            sys.stderr.write(f"{label} {len(messages) - MOST_WARNINGS} more; see imagepeel layers --json\n")
        self._said.clear()


class Mismatch:
    """What is stated of some bytes and does not fit them, in words; `size_only` where their digest is right."""

    def __init__(self, words: str, size_only: bool) -> None:
        self.words = words
        self.size_only = size_only


def document_mismatches(archive: OpenArchive, record: ImageRecord) -> list[Mismatch]:
    """Return every document on the way to an image whose bytes contradict its descriptor."""
    from imagepeel.archive.records import CheckState  # start time

    indexes = [check for index in archive.indexes for check in index.checks]
    return [
        Mismatch(
            f"{check.role} {check.member or check.digest}: {check.detail}",
            bool(check.actual_digest) and not check.wrong_digest,
        )
        for check in dict.fromkeys((*indexes, *record.checks))
        if check.state is CheckState.MISMATCH
    ]


def layer_mismatches(layers: Sequence[Layer]) -> list[Mismatch]:
    """Return every statement about a layer that its bytes contradict.

    Where the archive ends inside a layer, that is what is wrong, and the bytes that are here contradict nothing.
    """
    names = {"digest": "digest", "size": "size", "diff_id": "DiffID"}
    return [
        Mismatch(
            f"layer {layer.label}: {names[check.what]} {check.stated} is stated, {check.actual} is there",
            check.what == "size" and any(other.what == "digest" and other.ok for other in layer.checks),
        )
        for layer in layers
        if not layer.record.truncated
        for check in layer.checks
        if check.ok is False
    ]


def _is_terminal(stream: IO[str]) -> bool:
    try:
        return stream.isatty()
    except ValueError:
        return False
