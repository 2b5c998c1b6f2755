"""How tools find a member by the name that manifest.json gives it: three ways, which differ in links and unclean names.

Source: moby pkg/symlink and image/tarexport/load.go, containers/image docker/internal/tarfile/reader.go, containerd
importer.go; measured with dockerd 20.10, podman 4.3 and ctr 1.6.
"""

from __future__ import annotations

import posixpath
from bisect import bisect_left
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec

from imagepeel.archive.kinds.kind import MANIFEST
from imagepeel.archive.members import leaves_root, normalise
from imagepeel.errors import ImagepeelError
from imagepeel.evidence import Location, text
from imagepeel.formats.go_decode import GoType, fits, unread
from imagepeel.loading import reference
from imagepeel.loading.answer import TMP
from imagepeel.loading.structs import OCI_IMAGE
from imagepeel.oci.docker_archive import ArchiveManifest, archive_manifests_of
from imagepeel.oci.json_document import JsonObject, lookup, parse_json
from imagepeel.oci.layout import MARKER
from imagepeel.rootfs.tree.inode import PATH_MAX

if TYPE_CHECKING:
    from imagepeel.archive.members import Member, Members

_MOST_LINKS = 255
"""Links that moby follows; pkg/symlink fs.go."""
_UNPACKED = "/var/lib/docker/tmp/unpacked"
"""Where dockerd unpacks an archive in its usual place, with a name instead of the number at its end."""


class Reached(msgspec.Struct, frozen=True, kw_only=True):
    """What a tool finds under a name: a member, or the words it has for what is there instead.

    `odd` is the name of what is there and no file, for tools that put it into words of their own.
    """

    member: Member | None = None
    words: str = ""
    odd: str = ""


def clean(name: str) -> str:
    """Return a name as path.Clean of Go makes it."""
    cleaned = posixpath.normpath(name)
    return cleaned[1:] if cleaned.startswith("//") else cleaned


def stored_name(member: Member) -> str:
    """Return the name of a member as the tar has it; a directory on disk has no other than the normal one."""
    return text(member.raw_name) if member.raw_name else member.name


class Unpacked:
    """What dockerd reads: it unpacks the archive, and follows links within the directory."""

    def __init__(self, members: Members) -> None:
        self._members = members
        self._all = {member.name: member for member in members}
        self._sorted = sorted(self._all)

    def reach(self, name: str) -> Reached:
        """Return the file that a name leads to."""
        start = posixpath.normpath(f"{_UNPACKED}/{name}")
        if start != _UNPACKED and not start.startswith(f"{_UNPACKED}/"):
            return Reached(words=f"evalSymlinksInScope: {start} is not in {TMP}")
        path = self._resolved(start[len(_UNPACKED) :])
        if path is None:
            return Reached(words=f"evalSymlinksInScope: too many links in {TMP}{start[len(_UNPACKED) :]}")
        member = self._members.get(path) if path else None
        if member is not None and member.kind == "file":
            return Reached(member=member)
        if not path or member is not None or self._is_folder(path):
            return Reached(words=f"read {TMP}{'/' if path else ''}{path}: is a directory")
        return Reached(words=f"open {TMP}/{path}: no such file or directory")

    def _is_folder(self, path: str) -> bool:
        """Whether a member lies below a path."""
        at = bisect_left(self._sorted, f"{path}/")
        return at < len(self._sorted) and self._sorted[at].startswith(f"{path}/")

    def _resolved(self, path: str) -> str | None:
        """The path without links; None beyond the most links, and beyond what Linux takes for a path."""
        done: list[str] = []
        left, links = path.split("/"), 0
        while left:
            part = left.pop(0)
            if part == "..":
                del done[-1:]
            if part in ("", ".", ".."):
                continue
            done.append(part)
            member = self._all.get("/".join(done))
            if member is not None and member.kind == "symlink":
                links += 1
                if links > _MOST_LINKS:
                    return None
                done = [] if member.target.startswith("/") else done[:-1]
                if len(member.target) + sum(map(len, (*done, *left))) + len(done) + len(left) >= PATH_MAX:
                    return None
                left = [*member.target.split("/"), *left]
        return "/".join(done)

    @property
    def early_link(self) -> Member | None:
        """The first hard link that leads to what is not there yet, so that the archive cannot be unpacked."""
        seen: set[str] = set()
        for member in self._members:
            target = normalise(member.target) if member.kind == "hardlink" else ""
            if member.kind == "hardlink" and target not in seen and not self._is_folder(target):
                return member
            seen.add(member.name)
        return None

    @property
    def leaves(self) -> str | None:
        """The first symbolic link that leads out of the directory, which some do not unpack; None without one."""
        for member in self._members:
            relative = member.kind == "symlink" and not member.target.startswith("/")
            if relative and leaves_root(f"{posixpath.dirname(member.name)}/{member.target}"):
                return f'invalid symlink "{TMP}/{member.name}" -> "{member.target}"'
        return None


class InTar:
    """What containers/image reads: the first member of a cleaned name, and over one link the next; no link of folders.

    A hardlink is a file without content for it.
    """

    def __init__(self, members: Members) -> None:
        self._first: dict[str, Member] = {}
        for member in members:
            self._first.setdefault(clean(stored_name(member)), member)

    def entry(self, name: str) -> Member | None:
        """Return the first member of a name, whatever it is."""
        return self._first.get(clean(name))

    def reach(self, name: str) -> Reached:
        """Return the file that a name leads to."""
        cleaned = clean(name)
        member = self._first.get(cleaned)
        if member is not None and member.kind == "symlink":
            member = self._first.get(clean(posixpath.join(posixpath.dirname(cleaned), member.target.lstrip("/"))))
        if member is None:
            return Reached(words="file does not exist")
        if member.kind not in ("file", "hardlink"):
            return Reached(odd=stored_name(member))
        return Reached(member=member)


class ByName:
    """What containerd finds: the last file of a cleaned name, literally, and links at their own name."""

    def __init__(self, members: Members) -> None:
        self._files: dict[str, Member] = {}
        self._links: dict[str, str] = {}
        for member in members:
            stored = stored_name(member)
            if member.kind == "symlink":
                target = member.target.lstrip("/") if member.target.startswith("/") else member.target
                self._links[stored] = clean(posixpath.join(posixpath.dirname(stored), target))
            elif member.kind == "file":
                self._files[clean(stored)] = member

    @property
    def dangling(self) -> tuple[str, str] | None:
        """A link, and the name that it leads to, that reaches no file over any links; None without one."""
        return next(((name, to) for name, to in self._links.items() if self._end(to) is None), None)

    @property
    def chained(self) -> str:
        """The first link that leads to another link; "" without one.

        The tool takes links in no order, and a link is no file before it was taken: it may refuse such an archive.
        """
        return next((name for name, to in self._links.items() if to not in self._files), "")

    def _end(self, name: str) -> Member | None:
        for _ in range(_MOST_LINKS):
            if name not in self._links:
                break
            name = self._links[name]
        return self._files.get(name) if name not in self._links else None

    def stored(self, name: str) -> Member | None:
        """Return the file that has a name, links left aside."""
        return self._files.get(name)

    def file(self, name: str) -> Member | None:
        """Return the file that has a name, or that the links from that name lead to."""
        return self._end(name)


class Contents:
    """The members of one file, as each tool finds them."""

    def __init__(self, members: Members) -> None:
        self._members = members
        self._unread: dict[tuple[bytes, int, bool], str | None] = {}

    @cached_property
    def unpacked(self) -> Unpacked:
        """For who unpacks the archive first."""
        return Unpacked(self._members)

    @cached_property
    def in_tar(self) -> InTar:
        """For who looks for members in the tar."""
        return InTar(self._members)

    @cached_property
    def by_name(self) -> ByName:
        """For who knows members by the names that they are stored under."""
        return ByName(self._members)

    @cached_property
    def items(self) -> list[ArchiveManifest]:
        """The images of manifest.json as it names them; [] where it is none or there is none."""
        member = self._members.file(MANIFEST)
        return self._items(member) if member is not None else []

    def _items(self, member: Member) -> list[ArchiveManifest]:
        value = self.value_of(member)
        return list(archive_manifests_of(value, Location(member=MANIFEST), [])) if isinstance(value, list) else []

    @cached_property
    def last_of(self) -> dict[str, int]:
        """The last item of manifest.json that has a name, by the name as Docker shows it."""
        return {name: at for at, item in enumerate(self.items) for name in reference.familiar_names(item.repo_tags)}

    @cached_property
    def bad_tag(self) -> tuple[str, str] | None:
        """The first name in manifest.json that is none with a tag, and what the list of a docker-archive says of it."""
        named = ((at, given) for at, item in enumerate(self.items) for given in item.repo_tags or ())
        found = ((given, reference.no_tag(given, at)) for at, given in named)
        return next(((given, words) for given, words in found if words is not None), None)

    @cached_property
    def unlisted(self) -> tuple[int, str, str] | None:
        """The place of the first item of manifest.json that stops an import, what stops it there, and a name.

        That is a `config` or `layer` that no file is called, a config that is `unread`, or a `name` that is none.
        """
        for at, item in enumerate(self.items):
            config = self.by_name.file(item.config)
            if config is None:
                return at, "config", item.config
            gone = next((name for name in item.layers if self.by_name.file(name) is None), None)
            if gone is not None:
                return at, "layer", gone
            if self.unread(config, OCI_IMAGE) is not None:
                return at, "unread", item.config
            parsed = ((name, reference.parse(name)) for name in item.repo_tags or ())
            bad = next((name for name, found in parsed if isinstance(found, reference.Invalid)), None)
            if bad is not None:
                return at, "name", bad
        return None

    @cached_property
    def items_in_tar(self) -> int:
        """How many images the first manifest.json of the tar names."""
        member = self.in_tar.reach(MANIFEST).member
        return len(self._items(member)) if member is not None else 0

    def bytes_of(self, member: Member) -> bytes | None:
        """Return the bytes of a document, b"" of a hardlink; None where it is too large or cannot be read."""
        if member.kind != "file":
            return b""
        try:
            return self._members.read(member, self._members.limits.json_bytes)
        except ImagepeelError:
            return None

    def unread(self, member: Member, kind: GoType, *, stream: bool = False) -> str | None:
        """Say in Go's words why a document is no value of a type; None where it is one, or is not looked at."""
        data = self.bytes_of(member)
        return self.unread_bytes(data, kind, stream=stream) if data is not None else None

    def unread_bytes(
        self, data: bytes, kind: GoType, *, stream: bool = False, read: JsonObject | None = None
    ) -> str | None:
        """Say the same of bytes, once: each image of the file asks it of the list that names them all.

        `read` is what all readers of JSON find in them, where that is known.
        """
        key = (data, id(kind), stream)
        if key not in self._unread:
            self._unread[key] = None if read and fits(read, kind) else unread(data, kind, stream=stream)
        return self._unread[key]

    @cached_property
    def layout_version(self) -> str:
        """What the marker of an OCI layout says; "" without one that can be read."""
        marker = self.by_name.file(MARKER)
        return self.text_of(marker, "imageLayoutVersion") if marker is not None else ""

    def value_of(self, member: Member) -> Any:
        """Return the value of a JSON document, None where it is none."""
        try:
            return parse_json(self.bytes_of(member) or b"", None, self._members.limits)[0]
        except ImagepeelError:
            return None

    def text_of(self, member: Member, key: str) -> str:
        """Return a text of a JSON object, "" where it has none."""
        value = self.value_of(member)
        found = lookup(value, key) if isinstance(value, dict) else None
        return found if isinstance(found, str) else ""

    @property
    def null_list(self) -> bool:
        """Whether manifest.json is null."""
        member = self._members.file(MANIFEST)
        return member is not None and (self.bytes_of(member) or b"").strip().startswith(b"null")
