"""passwd and group of the image, as programs inside look names and numbers up."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from imagepeel.formats.passwd import AccountFile, AccountSource, GroupEntry, PasswdEntry, each_group
from imagepeel.process.engines import user
from imagepeel.text import decimal

if TYPE_CHECKING:
    from imagepeel.rootfs.view import Rootfs


def _lines(found: AccountSource, errors: str) -> list[str]:
    """The first lines of a file as text; none where it cannot be read."""
    return (
        found.data.decode("utf-8", errors).split("\n", MAX_LINES)[:MAX_LINES] if isinstance(found, AccountFile) else []
    )


class Accounts:
    """passwd and group of the image, as the C library searches them."""

    def __init__(self, rootfs: Rootfs) -> None:
        passwd, group = user.read_file(rootfs, user.PASSWD), user.read_file(rootfs, user.GROUP)
        self.passwd: AccountSource = passwd
        self.group: AccountSource = group
        self._users = passwd if isinstance(passwd, AccountFile) else AccountFile(b"")
        self._groups = group if isinstance(group, AccountFile) else AccountFile(b"")

    def user(self, wanted: str | int) -> PasswdEntry | None:
        """The first line with a name or a uid."""
        return self._users.user(wanted)

    def groups_of(self, member: str) -> tuple[GroupEntry, ...]:
        """The lines of group that list a user."""
        return self._groups.groups_of(member)

    def group_names(self, gids: Collection[int]) -> set[str]:
        """The names of all lines of group with one of these ids."""
        return {entry.name for entry in each_group(self._groups.data) if entry.gid in gids}

    def uid(self, word: str) -> int | None:
        """A name, or else a number."""
        found = self.user(word)
        if found is not None:
            return found.uid
        return decimal(word)

    def gid(self, word: str) -> int | None:
        found = self._groups.group(word)
        return decimal(word) if found is None else found.gid

    def gids(self, words: str) -> tuple[int, ...] | None:
        """The ids of a list with commas; None where a word of it is no group."""
        found = [self.gid(word) for word in words.split(",") if word]
        return None if None in found else tuple(gid for gid in found if gid is not None)

    def memberships(self, name: str, gid: int) -> tuple[int, ...]:
        """What `initgroups` sets: the group given, and each group that lists the user.

        glibc reads the file once more for that, and takes a comment with fields for a group (2.36, seen).
        """
        found = [gid]
        for line in _lines(self.group, "surrogateescape"):
            fields = line.strip().split(":")
            gid_there = decimal(fields[2]) if len(fields) == 4 else None
            if gid_there is not None and name in fields[3].split(","):
                found.append(gid_there)
        return tuple(dict.fromkeys(found))


MAX_LINES = 100_000
"""Lines of /etc/group that are looked at."""
