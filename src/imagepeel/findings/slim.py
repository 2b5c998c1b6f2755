"""The plan of `slim`: what to do so that the bytes that `waste` accounts for are not shipped.

A step takes one cause of one layer, and where a later layer hides the files, that layer: what one change of a
Dockerfile mends.  Each wasted file is in exactly one step, so steps are independent of each other, and their savings
add up to what `findings/waste` says: all that is unreachable, the leftovers of building, and files equal to another.

Savings are bytes of content, exact, and stored bytes, which are apportioned by content in compressed layers as `waste`
does it.  Headers and padding of the files, some 512 to 1,536 bytes each, are saved besides and not counted.
"""

from __future__ import annotations

import posixpath
import shlex
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal

import msgspec

from imagepeel._display import Shown
from imagepeel._lazy import late
from imagepeel.evidence import Evidence, layer_label, raw
from imagepeel.findings.debris import KINDS, debris_of
from imagepeel.findings.dockerfile_lines import is_plain
from imagepeel.findings.waste import Cause, Waste, WasteItem, account, apportion
from imagepeel.history.dockerfile import facts_of, rebuild_dockerfile
from imagepeel.text import number, plural

if TYPE_CHECKING:
    from imagepeel.image import LayeredImage
    from imagepeel.rootfs.tree.inode import Inode
    from imagepeel.rootfs.view import Rootfs

Way = Literal["own", "join", "exclude", "leave-out", "once", "clean", "link", "rebase", "mend"]
"""What is done.

`own` sets owner and mode where a file is copied, `join` makes one step of two, `exclude` does not copy a file,
`leave-out` drops the second copy of equal files, `once` writes a path once in a layer, `clean` removes leftovers in
the step that makes them, `link` replaces equal files by links, `rebase` takes another base image, `mend` repairs an
image that runtimes refuse.
"""

_MOST_PATHS = 3
"""Paths that a step names in its lines; more of them are counted."""
_LONGEST_RUN = 2000
"""Characters of a command that is written down again."""


class SlimStep(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """One change, what it saves, and the lines of a Dockerfile that make it."""

    way: Way
    """One of `Way`."""
    cause: Cause
    """The cause of `waste` that its files have."""
    layer: int
    """Index from 0 of the layer that ships the bytes."""
    by: int | None = None
    """Index from 0 of the layer that hides them; None where none does."""
    base: bool = False
    """Whether the layer belongs to the base image, so that only another base mends it."""
    content: int
    """Bytes of content that are not shipped then."""
    stored: int
    """Stored bytes, apportioned in a compressed layer."""
    files: int
    """Count of files."""
    what: str
    """What is wrong, in a sentence without a full stop."""
    do: str
    """What to do, in a sentence without a full stop."""
    dockerfile: tuple[str, ...] = ()
    """Lines that do it; a line that begins with `#` says where the next one belongs."""
    paths: tuple[str, ...] = ()
    """The largest of its files, three at most."""
    evidence: Evidence = Evidence()
    """The tar member of the largest one, then the layer that hides it."""


class Slim(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """The plan: steps, the largest saving first, and what the image is before and after.

    `complete` is False where a layer is missing or damaged: what it ships, hides and repeats is then in no step.
    """

    steps: tuple[SlimStep, ...]
    content: int
    """Decompressed bytes of all layers."""
    stored: int
    """Stored bytes of all layers."""
    base: int
    """Count of layers that belong to the base image."""
    complete: bool
    not_examined: str = ""
    """The sentence about the other images of the archive, where `Image.slim` gave it."""

    @property
    def saves(self) -> int:
        """Bytes of content that all steps together save."""
        return sum(step.content for step in self.steps)

    @property
    def saves_stored(self) -> int:
        """Stored bytes that all steps together save."""
        return sum(step.stored for step in self.steps)

    @property
    def content_after(self) -> int:
        """Decompressed bytes of all layers when all steps are taken."""
        return self.content - self.saves

    @property
    def stored_after(self) -> int:
        """Stored bytes of all layers when all steps are taken."""
        return self.stored - self.saves_stored

    def __repr__(self) -> str:
        sizes = f"{number(self.content)} become {number(self.content_after)} bytes"
        return f"<Slim {plural(len(self.steps), 'step')}: {sizes}>"


def plan(image: LayeredImage, *, base: int | str = 0) -> Slim:
    """Return what to do so that nothing is shipped in vain, the largest saving first.

    Argument: `base` says which layers belong to the base image: how many (0 or more, also as text), or text in the
    history step that is the first of one's own.

    UsageError when the image has fewer layers, or no step has that text; LimitExceeded on bombs.
    """
    waste = account(image, base=base)
    planner = _Planner(image, waste)
    steps = sorted(planner.steps(), key=lambda one: (-one.content, one.layer, one.cause, one.paths))
    return Slim(
        steps=tuple(steps),
        content=waste.shipped,
        stored=sum(layer.blob_size for layer in waste.layers),
        base=waste.base,
        complete=waste.complete,
    )


Key = tuple[int, Cause, int | None, str]
"""What makes one step: layer, cause, the layer that hides, and the kind of leftover."""


class _Planner:
    def __init__(self, image: LayeredImage, waste: Waste) -> None:
        self.image = image
        self.waste = waste
        self.rootfs: Rootfs = image.rootfs
        rebuilt = rebuild_dockerfile(image.config, facts_of(image.layers))
        self.made = {one.layer: one for one in rebuilt.instructions if one.layer is not None}
        self.workdirs: dict[int, str] = {}
        """The WORKDIR in which the step of a layer works, where the history says one."""
        cwd = "/"
        for one in rebuilt.instructions:
            cwd = posixpath.join(cwd, one.text) if one.keyword == "WORKDIR" else cwd
            if one.layer is not None:
                self.workdirs[one.layer] = cwd

    def steps(self) -> Iterator[SlimStep]:
        groups: dict[Key, list[WasteItem]] = {}
        for item in self.waste.items:
            kind = item.detail if item.cause == "debris" else ""
            groups.setdefault((item.layer, item.cause, item.by, kind), []).append(item)
        stored = self._stored(groups)
        for key, items in groups.items():
            yield self._step(key, items, stored[key])

    def _stored(self, groups: dict[Key, list[WasteItem]]) -> dict[Key, int]:
        """Split the stored bytes of each cause of a layer over its steps, exactly."""
        stored = {(layer.layer, cause): total for layer in self.waste.layers for cause, total in layer.stored.items()}
        together: dict[tuple[int, str], dict[str, Key]] = {}
        for at, key in enumerate(groups):
            together.setdefault(key[:2], {})[f"{at:08}"] = key
        shares: dict[Key, int] = {}
        for place, keys in together.items():
            content = {name: sum(item.size for item in groups[key]) for name, key in keys.items()}
            shares.update({keys[name]: share for name, share in apportion(content, stored[place]).items()})
        return shares

    def _step(self, key: Key, items: list[WasteItem], stored: int) -> SlimStep:
        layer, cause, by, _ = key
        base = layer < self.waste.base
        way, what, do, lines = self._rebase(key) if base else self._told(key, items)
        return SlimStep(
            way=way,
            cause=cause,
            layer=layer,
            by=by,
            base=base,
            content=sum(item.size for item in items),
            stored=stored,
            files=len(items),
            what=what,
            do=do,
            dockerfile=lines,
            paths=tuple(item.path for item in items[:_MOST_PATHS]),
            evidence=items[0].evidence,
        )

    # ---- what to do ---------------------------------------------------------------------------------------------

    def _rebase(self, key: Key) -> tuple[Way, str, str, tuple[str, ...]]:
        layer, cause, by, _ = key
        hidden = f"hides files of the base ({layer_label(layer)})"
        what = (
            f"{layer_label(by)} {hidden}" if by is not None else f"the base ({layer_label(layer)}) ships {cause} files"
        )
        return "rebase", what, "take a base that does not ship them, or copy what is left into an empty one", FLATTEN

    def _told(self, key: Key, items: list[WasteItem]) -> tuple[Way, str, str, tuple[str, ...]]:
        layer, cause, by, kind = key
        here, above = self._label(layer), "" if by is None else self._label(by)
        if cause == "metadata":
            return self._owned(layer, by, items)
        if cause == "debris":
            return "clean", f"{here} leaves {kind}", _fix_of(kind), self._cleaned(layer, items)
        if cause == "identical":
            return (
                "link", f"{here} ships files that equal another one", "link to the first instead of copying it",
                self._linked(layer, items),
            )  # fmt: skip
        if cause == "repeated":
            do = "write each path once: the tool that made this layer stored some of them more than once"
            return "once", f"{here} stores a path again", do, self._again(layer)
        if cause == "unattributed":
            do = "mend what runtimes refuse first (imagepeel wtf): what hides these files cannot be told before"
            return "mend", f"files of {here} are not in the filesystem", do, ()
        verb = {"removed": "removes", "overwritten": "replaces", "rewritten": "writes again, unchanged,"}[cause]
        what = f"{above} {verb} what {here} brought"
        if cause == "rewritten":
            return "leave-out", what, f"leave these files out of {here} or of {above}", self._excluded(layer, by, items)
        if self._keyword(layer) in ("COPY", "ADD"):
            return "exclude", what, f"do not copy them in {here}", self._excluded(layer, by, items)
        return "join", what, "do both in one step, so that only the outcome is stored", self._joined(layer, by)

    def _owned(self, layer: int, by: int | None, items: list[WasteItem]) -> tuple[Way, str, str, tuple[str, ...]]:
        here, above = self._label(layer), self._label(by or 0)
        what = f"{above} changes owner, mode or time of what {here} brought, which stores the files again"
        made = self.made.get(layer)
        if made is None or made.keyword not in ("COPY", "ADD"):
            return "join", what, "change them in the step that makes them", self._joined(layer, by)
        flags = self._ownership(by, items)
        if not flags:
            return "own", what, f"leave {above} out, or let it touch less", (f"# without {above}",)
        do = f"set them where the files are copied, and leave {above} out"
        return "own", what, do, self._copy(layer, flags)

    def _ownership(self, by: int | None, items: list[WasteItem]) -> str:
        """`--chown=7:8 --chmod=755` where all files of a step end with the same ones, else "" or what is the same."""
        nodes = [node for item in items if (node := self._upper(by, item.path)) is not None]
        flags = []
        if len(owners := {(node.uid, node.gid) for node in nodes}) == 1:
            flags.append("--chown={}:{}".format(*owners.pop()))
        if any("mode" in item.detail for item in items) and len(modes := {node.mode for node in nodes}) == 1:
            flags.append(f"--chmod={modes.pop():o}")
        return " ".join(flags)

    def _upper(self, layer: int | None, path: str) -> Inode | None:
        if layer is None or not self.rootfs.uppers:
            return None
        return self.rootfs.uppers[layer].lstat(tuple(raw(path).strip(b"/").split(b"/")))

    def _joined(self, layer: int, by: int | None) -> tuple[str, ...]:
        one, two = self._command(layer), self._command(by)
        if one and two:
            return (f"RUN {one} && {two}",)
        first = f"RUN {one}" if one else ""
        return (
            f"# one RUN that does what {self._label(layer)} and {'' if by is None else self._label(by)} do:",
            *((first,) if first else ()),
        )

    def _cleaned(self, layer: int, items: list[WasteItem]) -> tuple[str, ...]:
        tops = sorted({top for item in items if (top := _top(item.path))})
        if self._keyword(layer) in ("COPY", "ADD"):
            return self._excluded(layer, None, items, tops)
        removed = " ".join(shlex.quote(top) for top in tops[:_MOST_PATHS])
        rest = [f"# and {plural(len(tops) - _MOST_PATHS, 'more directory', 'more directories')}"]
        command = self._command(layer)
        line = (
            f"RUN {command} && rm -rf {removed}"
            if command
            else f"# at the end of {self._label(layer)}: rm -rf {removed}"
        )
        return (line, *(rest if len(tops) > _MOST_PATHS else ()))

    def _linked(self, layer: int, items: list[WasteItem]) -> tuple[str, ...]:
        lines = []
        for item in items[:_MOST_PATHS]:
            target = item.detail.removeprefix("equal to ")
            # A hard link to a file of a lower layer would copy the file up and store it again.
            same = self._layer_of(target) == layer
            lines.append(f"ln {'-f' if same else '-sf'} {shlex.quote(target)} {shlex.quote(item.path)}")
        if not all(is_plain(*line.split()) for line in lines):
            lines = []
        command = self._command(layer)
        done = " && ".join(([command] if command else []) + lines)
        left = len(items) - _MOST_PATHS
        more = (f"# and the same for {plural(left, 'more file')}",) if left > 0 else ()
        if command and lines:
            return (f"RUN {done}", *more)
        return (f"# in {self._label(layer)}, in place of the copies:", *((f"RUN {done}",) if lines else ()), *more)

    def _excluded(
        self, layer: int, by: int | None, items: list[WasteItem], paths: Sequence[str] = ()
    ) -> tuple[str, ...]:
        """`COPY --exclude=PATTERN ...`: patterns are below the source, so what stands below the target is one."""
        paths = paths or [item.path for item in items]
        if self._keyword(layer) not in ("COPY", "ADD") and by is not None and self._command(layer):
            return self._joined(layer, by)
        patterns = self._patterns(layer, paths[:_MOST_PATHS])
        if not patterns:
            return (f"# leave out of {self._label(layer)}:", *(f"#   {path}" for path in paths[:_MOST_PATHS]))
        left = len(paths) - _MOST_PATHS
        more = (f"# and --exclude for {plural(left, 'more path')}",) if left > 0 else ()
        flags = " ".join(f"--exclude={one}" for one in patterns)
        return ("# syntax=docker/dockerfile:1", *self._copy(layer, flags), *more)

    def _patterns(self, layer: int, paths: Sequence[str]) -> list[str]:
        """What --exclude takes for these paths, below the target of the COPY; [] where that cannot be told.

        What ADD unpacks is inside of an archive, where --exclude does not reach.
        """
        made = self.made.get(layer)
        if made is None or made.keyword not in ("COPY", "ADD") or not _is_line(made.text):
            return []
        words = [word for word in made.text.split() if not word.startswith("--")]
        if len(words) < 2 or any(_ARCHIVE.search(word) for word in words[:-1] if made.keyword == "ADD"):
            return []
        target = posixpath.join("/", self.workdirs.get(layer, "/"), words[-1])
        below = [posixpath.relpath(path, target) for path in paths]
        # A path that is the target itself is the one file of this COPY.
        return (
            below if is_plain(*below) and not any(one.startswith(("..", "./")) or one == "." for one in below) else []
        )

    def _copy(self, layer: int, flags: str) -> tuple[str, ...]:
        """The COPY or ADD of a layer with more flags; of its own ones those stay that are others."""
        made = self.made[layer]
        if not _is_line(made.text):
            return (f"# {self._label(layer)} with {flags}",)
        names = {flag.partition("=")[0] for flag in flags.split()} - {"--exclude"}
        words = made.text.split(" ")
        own = [word for word in words if word.startswith("--") and word.partition("=")[0] not in names]
        rest = [word for word in words if not word.startswith("--")]
        if rest and _NO_SOURCE.match(rest[0]):
            # Some builders keep a digest where the source stood.
            return (
                f"# in place of {self._label(layer)}, whose source the history does not name:",
                " ".join((made.keyword, *own, flags, "SOURCE", rest[-1])),
            )
        return (" ".join((made.keyword, *own, flags, *rest)),)

    def _again(self, layer: int) -> tuple[str, ...]:
        made = self.made.get(layer)
        return (f"{made.keyword} {made.text}",) if made is not None and made.keyword and _is_line(made.text) else ()

    # ---- the steps of the history -------------------------------------------------------------------------------

    def _keyword(self, layer: int | None) -> str:
        made = self.made.get(layer) if layer is not None else None
        return made.keyword if made is not None else ""

    def _command(self, layer: int | None) -> str:
        """The shell command of the RUN that made a layer, "" where it cannot stand in a line beside another one."""
        made = self.made.get(layer) if layer is not None else None
        if made is None or made.keyword != "RUN" or not made.shell or not _is_line(made.text):
            return ""
        return made.text

    def _label(self, layer: int) -> str:
        made = self.made.get(layer)
        return layer_label(layer, made.step if made is not None else None)

    def _layer_of(self, path: str) -> int | None:
        return self.rootfs.lookup(path, follow=False).layer


_ARCHIVE = late(r"\.(?:tar|t[gx]z|tbz2?|tar\.\w+)$")
_NO_SOURCE = late(r"(?:file|dir|multi):")
FLATTEN = ("FROM scratch", "COPY --from=build / /")
"""A last stage with the files that are left and none of the layers that made them."""


def _is_line(words: str) -> bool:
    """Whether a text can stand in one line of a Dockerfile with something behind it."""
    plain = words.isprintable() and 0 < len(words) <= _LONGEST_RUN
    return plain and "<<" not in words and "#" not in words and not words.endswith(("\\", "&", ";", "|"))


def _fix_of(kind: str) -> str:
    return next((one.fix for one in KINDS if one.what == kind), "remove it in the step that makes it")


def _top(path: str) -> str:
    directory = raw(path).strip(b"/").rpartition(b"/")[0]
    found = debris_of(directory)
    return "/" + found[0].decode("utf-8", "surrogateescape") if found is not None else path
