"""The members of a directory, opened so that nothing outside it is ever reached.

Each component is opened relative to its parent with O_NOFOLLOW; symbolic links are resolved here, against the
root.  BusyBox's official layouts link blobs to files beside `blobs/`, and Bazel links with absolute targets: both
are followed only when they end inside the root.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from weakref import WeakSet

from imagepeel.archive.members import Medium, Member, MemberKind, Members, missing, normalise
from imagepeel.archive.source import FileSource, Source, closed
from imagepeel.errors import NotFound
from imagepeel.evidence import Location
from imagepeel.limits import Limits
from imagepeel.text import plural

_DIRECTORY = os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)
_FILE = os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


class DirMembers(Members):
    """The files below a directory.  NotFound when it cannot be opened."""

    medium: Medium = "directory"

    def __init__(self, path: str | os.PathLike[str], limits: Limits) -> None:
        super().__init__(os.fspath(path), limits)
        self.path: str = os.fspath(path)
        try:
            self._root = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_DIRECTORY", 0))
        except OSError as error:
            raise NotFound(
                f"cannot open {self.path}: {error.strerror}", hint="check the path and its permissions"
            ) from error
        self._real = os.path.realpath(self.path)
        self._taken: WeakSet[FileSource] = WeakSet()
        self.complete: bool = True
        self.over_limit: bool = False

    def __reduce__(self) -> tuple[type[DirMembers], tuple[str, Limits]]:
        return type(self), (self.path, self.limits)

    def __iter__(self) -> Iterator[Member]:
        count = 0
        pending = [""]
        while pending:
            directory = pending.pop()
            below: list[str] = []
            for name, mode, size in self._list(directory):
                if count >= self.limits.archive_members:
                    self.complete, self.over_limit = False, True
                    self.note(
                        "outer-member-limit",
                        f"the directory has more than {plural(count, 'file')}; the rest is not listed",
                        Location(),
                    )
                    return
                full = f"{directory}/{name}" if directory else name
                if stat.S_ISDIR(mode):
                    below.append(full)
                yield self._describe(full, mode, size, index=count)
                count += 1
            pending.extend(reversed(below))

    def get(self, name: str) -> Member | None:
        found = self._resolve(normalise(name))
        if found is None:
            return None
        fd, _, info, path, via = found
        os.close(fd)
        return self._describe(path, info.st_mode, info.st_size, via=via)

    def source(self, member: Member) -> Source:
        found = self._resolve(member.name)
        if found is None:
            raise missing(member.name)
        parent, leaf, info, path, _ = found
        try:
            if not stat.S_ISREG(info.st_mode):
                raise missing(member.name)
            fd = os.open(leaf, _FILE, dir_fd=parent)
        except OSError as error:
            raise NotFound(
                f"cannot open {member.name}: {error.strerror}", Location(member=member.name), "check its permissions"
            ) from error
        finally:
            os.close(parent)
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise missing(member.name)
        source = FileSource(fd, path)
        self._taken.add(source)
        return source

    def top(self) -> tuple[str, ...]:
        return tuple(name for name, *_ in self._list(""))

    def close(self) -> None:
        if self._root >= 0:
            os.close(self._root)
            self._root = -1
        for source in list(self._taken):
            source.close()

    def _dup_root(self) -> int:
        if self._root < 0:
            raise closed(self.name)
        return os.dup(self._root)

    def _describe(self, name: str, mode: int, size: int, *, index: int = 0, via: tuple[str, ...] = ()) -> Member:
        kind: MemberKind = "file" if stat.S_ISREG(mode) else "dir" if stat.S_ISDIR(mode) else "other"
        if stat.S_ISLNK(mode):
            kind = "symlink"
        return Member(
            name=name,
            raw_name=os.fsencode(name),
            kind=kind,
            size=size if kind == "file" else 0,
            index=index,
            via=via,
        )

    def _list(self, directory: str) -> list[tuple[str, int, int]]:
        """Return the names of one directory (no links followed) with their modes and sizes, sorted."""
        try:
            fd = self._open_plain(directory)
        except OSError:
            return []
        try:
            with os.scandir(fd) as entries:
                found: list[tuple[str, int, int]] = []
                for entry in entries:
                    if len(found) > self.limits.archive_members:
                        break
                    try:
                        info = entry.stat(follow_symlinks=False)
                    except OSError:
                        continue
                    found.append((entry.name, info.st_mode, info.st_size))
                return sorted(found, key=lambda item: item[0])
        except OSError:
            return []
        finally:
            os.close(fd)

    def _open_plain(self, directory: str) -> int:
        fd = self._dup_root()
        for part in directory.split("/") if directory else ():
            try:
                below = os.open(part, _DIRECTORY, dir_fd=fd)
            finally:
                os.close(fd)
            fd = below
        return fd

    def _resolve(self, name: str) -> tuple[int, str, os.stat_result, str, tuple[str, ...]] | None:
        """Return (parent fd, last name, its status, real path, links followed), None when nothing is there.

        The caller closes the fd.  The last name is "" for the root itself.
        """
        pending = [part for part in reversed(name.split("/")) if part]
        done: list[str] = []
        via: list[str] = []
        fds = [self._dup_root()]
        try:
            while pending:
                part = pending.pop()
                if part == ".":
                    continue
                if part == "..":
                    if not done:
                        self.note(
                            "outer-link-outside",
                            f"{name} leads out of the directory; not followed",
                            Location(member=name),
                        )
                        return None
                    done.pop()
                    os.close(fds.pop())
                    continue
                info = os.stat(part, dir_fd=fds[-1], follow_symlinks=False)
                if stat.S_ISLNK(info.st_mode):
                    via.append("/".join([*done, part]))
                    if len(via) > self.limits.symlink_hops:
                        if via[0] == name:
                            place = Location(member=name)
                            self.note("outer-link-loop", f"the link {name} never reaches a file", place)
                        return None
                    target = os.readlink(part, dir_fd=fds[-1])
                    inside = self._inside(target)
                    if inside is None:
                        self.note(
                            "outer-link-outside",
                            f"the link {via[-1]} leads to {target}, outside the directory; not followed",
                            Location(member=name),
                        )
                        return None
                    if target.startswith("/"):
                        while len(fds) > 1:
                            os.close(fds.pop())
                        done.clear()
                    pending.extend(piece for piece in reversed(inside.split("/")) if piece)
                    continue
                if not pending:
                    parent = fds.pop()
                    return parent, part, info, "/".join([*done, part]), tuple(via)
                fds.append(os.open(part, _DIRECTORY, dir_fd=fds[-1]))
                done.append(part)
            parent = fds.pop()
            return parent, "", os.fstat(parent), "/".join(done), tuple(via)
        except (OSError, ValueError):
            # ValueError: a NUL inside a name.
            return None
        finally:
            for fd in fds:
                os.close(fd)

    def _inside(self, target: str) -> str | None:
        """Return a link target relative to where it is resolved from; None for an absolute one outside the root."""
        if not target.startswith("/"):
            return target
        if target == self._real or target.startswith(self._real + "/"):
            return target[len(self._real) :]
        return None
