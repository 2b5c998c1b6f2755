"""`/etc/passwd`, `/etc/group` and `USER`, with the habits of the parsers that engines really use.

The engines do not use the C library: Docker and Podman share one Go parser (moby/sys `user`), containerd uses
the same file parser with rules of its own for the user string.  Their habits decide who a container runs as, so
they are kept here, and every one that changed the answer is written into `notes`:

- a passwd line that is a comment is an entry like any other; its missing ids are 0;
- an id that is no number is 0, without a word;
- the first line that matches wins; a user that is a number is never looked up as a name;
- the group parser, unlike the passwd parser, skips lines that start with `#`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Literal, TypeAlias
from weakref import WeakValueDictionary

import msgspec

from imagepeel.evidence import raw, text
from imagepeel.tables import ERRNO_GO, ErrnoName

MAX_FILE = 10 * 1024 * 1024
"""Bytes of passwd or group that are read at most: the cap of moby/sys user 0.4.1 and of containerd."""

MAX_ID = 2**31 - 1
"""Highest uid or gid that a user string may state."""

RANGE_TEXT = f"uids and gids must be in range 0-{MAX_ID}"
_MAX_PASSWD_LINE = 65_536
MAX_GROUP_LINE = 1024 * 1024
"""Bytes of a line of group, with its end, that newer readers take."""
_TOO_LONG = "bufio.Scanner: token too long"
_TOO_LARGE = f"file exceeds {MAX_FILE} bytes"
_INT64_MAX = 2**63 - 1
# bytes.TrimSpace of Go: the Unicode property White_Space, decoded from UTF-8.
_GO_SPACE = "\t\n\v\f\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"


class PasswdEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of passwd as the engines' parser sees it; `line` counts from 1, `offset` is its first byte."""

    name: str
    uid: int
    gid: int
    home: str
    shell: str
    line: int
    offset: int
    oddities: tuple[str, ...] = ()


class GroupEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of group as the engines' parser sees it; `line` counts from 1, `offset` is its first byte."""

    name: str
    gid: int
    members: tuple[str, ...]
    line: int
    offset: int
    oddities: tuple[str, ...] = ()


class Unreadable(msgspec.Struct, frozen=True, kw_only=True):
    """Stands for a passwd or group that is there but cannot be read; `reason` as in `is a directory`."""

    reason: str
    errno: ErrnoName = ""
    """Error of the system call, where it is one that fails."""


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Who the process will be."""

    uid: int
    gid: int
    groups: tuple[int, ...]
    """The supplementary groups that the rules compute, without the primary gid."""
    name: str | None
    """Of the passwd line that matched; None without one."""
    home: str | None
    """Of the passwd line that matched; None without one."""
    user_entry: PasswdEntry | None
    """The passwd line that decided."""
    group_entries: tuple[GroupEntry, ...]
    """The group lines that decided."""
    notes: tuple[str, ...] = ()
    """Habits of the parser that had a say in it."""


RefusalKind = Literal["user-missing", "group-missing", "range", "invalid", "unreadable", "oversized"]


UserRules = Literal["moby", "containerd", "cri", "cri-moby"]
"""Whose rules resolve a `USER` string; `resolve_user` says who follows which."""


Database = Literal["", "passwd", "group"]


class UserRefused(Exception):
    """The engine refuses the user string; its text is the engine's, with files named as the image names them."""

    def __init__(
        self,
        kind: RefusalKind,
        message: str,
        database: Database = "",
        *,
        doing: str = "",
        reason: str = "",
        errno: ErrnoName = "",
    ) -> None:
        super().__init__(message)
        self.kind: RefusalKind = kind
        self.database: Database = database
        """The file that is to blame, or whose ids are out of range."""
        self.doing = doing
        """What the engine was about to do, where its text says so."""
        self.reason = reason
        """Why that file cannot be opened or read."""
        self.errno: ErrnoName = errno
        """The error of opening or reading it, where it is one."""


def atoi(value: str) -> tuple[int, Literal["", "syntax", "range"]]:
    """Go's `strconv.Atoi`: the number it returns and "" or "syntax" or "range".

    A value with a syntax error is 0, one out of range is the nearest 64-bit integer: what is stored when the
    caller ignores the error, as the passwd parser does.
    """
    body = value[1:] if value[:1] in ("+", "-") else value
    if not body or not body.isascii() or not body.isdigit():
        return 0, "syntax"
    negative = value.startswith("-")
    # A number of more digits than a 64-bit integer holds needs no big-integer conversion (quadratic in Python).
    digits = body.lstrip("0")
    number = int(digits or "0") if len(digits) <= 19 else _INT64_MAX + 2
    if negative:
        return (-number, "") if number <= _INT64_MAX + 1 else (-_INT64_MAX - 1, "range")
    return (number, "") if number <= _INT64_MAX else (_INT64_MAX, "range")


def _lines(data: bytes, holding: bytes = b"") -> Iterator[tuple[int, int, str]]:
    """(line number, byte offset, trimmed text) of each line that is not blank, one at a time: there may be millions.

    Of those only the ones that hold some bytes, where these are given.
    """
    number, offset, end = 1, 0, min(len(data), MAX_FILE)
    while True:
        if holding:
            found = data.find(holding, offset, end)
            if found < 0:
                return
            begins = data.rfind(b"\n", offset, found) + 1 or offset
            number += data.count(b"\n", offset, begins)
            offset = begins
        stop = data.find(b"\n", offset, end)
        trimmed = text(data[offset : end if stop < 0 else stop]).strip(_GO_SPACE)
        if trimmed:
            yield number, offset, trimmed
        if stop < 0:
            return
        number, offset = number + 1, stop + 1


def _of_name(name: str) -> bytes:
    """Bytes that each line with this name holds."""
    try:
        return raw(name)
    except UnicodeEncodeError:
        return b""


def _of_number(number: int) -> bytes:
    """Bytes that each line with this id holds: a number that is none, or out of range, counts as another."""
    return str(abs(number)).encode() if number and abs(number) < _INT64_MAX else b""


class AccountFile:
    """passwd or group as it was read: each question is answered by one look through its bytes, and kept.

    Entries of a file of 10 MiB would take ten times as much.  `account_file` gives the one of these bytes: all of the
    file, or one byte more than `MAX_FILE` of it.
    """

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._users: dict[str | int, PasswdEntry | None] = {}
        self._groups: dict[str | int, GroupEntry | None] = {}
        self._members: dict[str, tuple[GroupEntry, ...]] = {}

    def user(self, wanted: str | int) -> PasswdEntry | None:
        """Return the first line of passwd with a name or a uid; None without one."""
        if wanted not in self._users:
            users = _users(self.data, _of_name(wanted) if isinstance(wanted, str) else _of_number(wanted))
            same = (one for one in users if (one.name if isinstance(wanted, str) else one.uid) == wanted)
            self._users[wanted] = next(same, None)
        return self._users[wanted]

    def group(self, wanted: str | int) -> GroupEntry | None:
        """Return the first line of group with a name or a gid; None without one."""
        if wanted not in self._groups:
            groups = each_group(self.data, _of_name(wanted) if isinstance(wanted, str) else _of_number(wanted))
            same = (one for one in groups if (one.name if isinstance(wanted, str) else one.gid) == wanted)
            self._groups[wanted] = next(same, None)
        return self._groups[wanted]

    def groups_of(self, member: str) -> tuple[GroupEntry, ...]:
        """Return the lines of group that list a user."""
        if member not in self._members:
            groups = each_group(self.data, _of_name(member))
            self._members[member] = tuple(one for one in groups if member in one.members)
        return self._members[member]

    @cached_property
    def too_long(self) -> bool:
        """Whether a line does not fit the 64 KiB buffer of Go's bufio.Scanner, which makes all of passwd unreadable."""
        return self._has_line_of(_MAX_PASSWD_LINE)

    @cached_property
    def group_too_long(self) -> bool:
        """Whether a line does not fit the 1 MiB buffer that newer readers have for group."""
        return self._has_line_of(MAX_GROUP_LINE)

    @property
    def too_large(self) -> bool:
        """Whether it has more bytes than newer readers take."""
        return len(self.data) > MAX_FILE

    def _has_line_of(self, most: int) -> bool:
        at, end = 0, min(len(self.data), MAX_FILE)
        while at + most <= end:
            stop = self.data.rfind(b"\n", at, at + most)
            if stop < 0:
                return True
            at = stop + 1
        return False


AccountSource: TypeAlias = AccountFile | Unreadable | None
"""passwd or group of an image: None where there is none, Unreadable where it cannot be read."""

_KEPT: WeakValueDictionary[bytes, AccountFile] = WeakValueDictionary()


def account_file(data: bytes) -> AccountFile:
    """Return the one `AccountFile` of these bytes: the views of an image, and engines, ask for the same two files."""
    found = _KEPT.get(data)
    if found is None:
        found = _KEPT[data] = AccountFile(data)
    return found


def parse_passwd(data: bytes) -> list[PasswdEntry]:
    """All entries of a passwd file, at most its first 10 MiB, in file order.  Raises nothing.

    Source: `ParsePasswdFilter` in moby/sys user.
    """
    return list(_users(data))


def _users(data: bytes, holding: bytes = b"") -> Iterator[PasswdEntry]:
    """The same one by one, only of lines that hold some bytes."""
    for number, offset, line in _lines(data, holding):
        fields = line.split(":")
        oddities: list[str] = []
        if line.startswith("#"):
            oddities.append("a comment line counts as an entry")
        elif len(fields) < 4:
            oddities.append(f"only {len(fields)} of 7 fields; the missing ids are 0")
        ids: list[int] = []
        for label, index in (("uid", 2), ("gid", 3)):
            value, problem = atoi(fields[index]) if len(fields) > index else (0, "")
            if problem == "syntax":
                oddities.append(f"the {label} {fields[index]!r} is no number and counts as 0")
            elif problem == "range":
                oddities.append(f"the {label} {fields[index]!r} is out of range and counts as {value}")
            ids.append(value)
        yield PasswdEntry(
            name=fields[0],
            uid=ids[0],
            gid=ids[1],
            home=fields[5] if len(fields) > 5 else "",
            shell=fields[6] if len(fields) > 6 else "",
            line=number,
            offset=offset,
            oddities=tuple(oddities),
        )


def parse_group(data: bytes) -> list[GroupEntry]:
    """All entries of a group file, at most its first 10 MiB, in file order.  Raises nothing.

    Source: `ParseGroupFilter` in moby/sys user.
    """
    return list(each_group(data))


def each_group(data: bytes, holding: bytes = b"") -> Iterator[GroupEntry]:
    """Yield the same one by one, only of the lines that hold some bytes.  Raises nothing."""
    for number, offset, line in _lines(data, holding):
        if line.startswith("#"):
            continue
        fields = line.split(":")
        oddities: list[str] = []
        gid, problem = atoi(fields[2]) if len(fields) > 2 else (0, "")
        if len(fields) < 3:
            oddities.append(f"only {len(fields)} of 4 fields; the missing gid is 0")
        elif problem == "syntax":
            oddities.append(f"the gid {fields[2]!r} is no number and counts as 0")
        elif problem == "range":
            oddities.append(f"the gid {fields[2]!r} is out of range and counts as {gid}")
        members = tuple(fields[3].split(",")) if len(fields) > 3 and fields[3] else ()
        yield GroupEntry(name=fields[0], gid=gid, members=members, line=number, offset=offset, oddities=tuple(oddities))


_EMPTY = AccountFile(b"")


def _passwd(data: AccountSource) -> tuple[AccountFile, str]:
    """The file, an empty one where it cannot be used, and the reason if it is there and cannot."""
    if data is None:
        return _EMPTY, ""
    if isinstance(data, Unreadable):
        return _EMPTY, data.reason
    if data.too_long:
        return _EMPTY, _TOO_LONG
    return data, ""


def _group(data: AccountSource, bounded: bool = False) -> tuple[AccountFile, str]:
    if data is None:
        return _EMPTY, ""
    if isinstance(data, Unreadable):
        return _EMPTY, data.reason
    if bounded and data.group_too_long:
        return _EMPTY, _TOO_LONG
    return data, ""


def _bounded(data: AccountSource, database: Database) -> AccountSource:
    """The file as moby/sys user 0.4.1 opens it: with too many bytes it cannot be read.

    It is read from line to line, so that a line too long is met before an end too far.
    """
    if not isinstance(data, AccountFile) or not data.too_large:
        return data
    too_long = data.too_long if database == "passwd" else data.group_too_long
    return data if too_long else Unreadable(reason=_TOO_LARGE)


def _go_id(number: int) -> int:
    """A Go int stored into the runtime-spec's uint32."""
    return number & 0xFFFFFFFF


def resolve_user(
    spec: str,
    passwd: AccountSource,
    group: AccountSource,
    *,
    rules: UserRules = "moby",
    strict_ids: bool = False,
) -> Identity:
    """Resolve a `USER` string against the image's own files.

    `spec` is the string of the config ("" when absent); `passwd` and `group` the files, None when
    there is none.  `rules`: "moby" (docker, podman, umoci: `GetExecUser`), "containerd" (ctr and the library:
    `WithUser` then `WithAdditionalGIDs`), "cri" (Kubernetes: the group part is dropped before it reaches containerd)
    or "cri-moby" (the same before CRI-O).  `strict_ids`: a number outside of the range of ids is refused; releases
    before moby/sys user 0.4.1, and containerd before its patches for CVE-2026-46680, look it up as a name.  With it the
    rules "moby" are those of user 0.4.1, which reads no more than 10 MiB and no line of group over 1 MiB, either.
    Raises UserRefused where the engine refuses it, and ValueError for unknown rules: a mistake of the caller.
    """
    if rules == "moby":
        return _moby(spec, passwd, group, strict_ids)
    if rules == "cri-moby":
        return _moby(spec.split(":", 1)[0], passwd, group, strict_ids)
    if rules == "containerd":
        return _containerd(spec, _Databases(passwd, group), strict_ids)
    if rules == "cri":
        return _containerd(spec.split(":", 1)[0] or "0", _Databases(passwd, group), strict_ids)
    raise ValueError(f"unknown user rules {rules!r}")


def _unreadable(reason: str, data: AccountSource, database: Database, doing: str = "") -> UserRefused:
    """The refusal because of a file that cannot be read (`Unreadable`), or not be parsed."""
    message = f"{doing}: {reason}" if doing else reason
    kind: RefusalKind = "oversized" if reason in (_TOO_LONG, _TOO_LARGE) else "unreadable"
    if not isinstance(data, Unreadable):
        return UserRefused(kind, message, database)
    return UserRefused(kind, message, database, doing=doing, reason=reason, errno=data.errno)


def _absent(kind: RefusalKind, database: Database) -> UserRefused:
    """The refusal because of a file that is not there."""
    reason = ERRNO_GO["ENOENT"]
    return UserRefused(kind, f"open etc/{database}: {reason}", database, reason=reason, errno="ENOENT")


# -- moby/sys user, GetExecUser ----------------------------------------------------------------------------------


def _moby(spec: str, passwd: AccountSource, group: AccountSource, strict_ids: bool) -> Identity:
    parts = spec.split(":")
    group_part = parts[1] if len(parts) > 1 else ""
    if strict_ids and not all(_may_be_id(part) for part in (parts[0], group_part)):
        raise UserRefused("range", RANGE_TEXT)
    if strict_ids:
        passwd, group = _bounded(passwd, "passwd"), _bounded(group, "group")
    notes: list[str] = []
    if len(parts) > 2:
        notes.append("everything after the second colon of the user is ignored")
    match, uid = _moby_user(parts[0], passwd, notes)
    gid, name = (match.gid, match.name) if match is not None else (0, None)
    deciding: tuple[GroupEntry, ...] = ()
    groups: tuple[int, ...] = ()
    if group_part or name:
        entries, unreadable = _group(group, bounded=strict_ids)
        if unreadable:
            raise _unreadable(unreadable, group, "group", f"unable to find groups for spec {name or ''}")
        if group_part:
            gid, deciding = _moby_group(group_part, entries)
        else:
            deciding = entries.groups_of(name or "")
            groups = tuple(_go_id(entry.gid) for entry in deciding)
        notes.extend(f"group line {entry.line}: {oddity}" for entry in deciding for oddity in entry.oddities)
    return Identity(
        uid=_go_id(uid),
        gid=_go_id(gid),
        groups=groups,
        name=name,
        home=match.home if match is not None else None,
        user_entry=match,
        group_entries=deciding,
        notes=tuple(notes),
    )


def _may_be_id(part: str) -> bool:
    """Whether a part of a user string is a name or a number that an id can be."""
    number, problem = atoi(part)
    return problem == "syntax" or (not problem and 0 <= number <= MAX_ID)


def _moby_user(wanted: str, passwd: AccountSource, notes: list[str]) -> tuple[PasswdEntry | None, int]:
    """The line of the user part, if any, and the uid; what was odd about the line is added to `notes`."""
    number, problem = atoi(wanted)
    entries, unreadable = _passwd(passwd)
    if unreadable:
        raise _unreadable(unreadable, passwd, "passwd", f"unable to find user {wanted or '0'}")
    if not wanted:
        match = entries.user(0)
    elif problem:
        match = entries.user(wanted)
    else:
        match = entries.user(number)
        if entries.user(wanted) is not None:
            notes.append("a user that is a number is never looked up as a name")
    if match is not None:
        notes.extend(f"passwd line {match.line}: {oddity}" for oddity in match.oddities)
        return match, match.uid
    if not wanted:
        return None, 0
    if problem:
        raise UserRefused("user-missing", f"unable to find user {wanted}: no matching entries in passwd file", "passwd")
    if not 0 <= number <= MAX_ID:
        raise UserRefused("range", RANGE_TEXT)
    return None, number


def _moby_group(wanted: str, entries: AccountFile) -> tuple[int, tuple[GroupEntry, ...]]:
    """The gid of the group part, and the line that decided it, if any."""
    number, problem = atoi(wanted)
    entry = entries.group(wanted if problem else number)
    if entry is not None:
        return entry.gid, (entry,)
    if problem:
        raise UserRefused("group-missing", f"unable to find group {wanted}: no matching entries in group file", "group")
    if not 0 <= number <= MAX_ID:
        raise UserRefused("range", RANGE_TEXT)
    return number, ()


# -- containerd, WithUser and WithAdditionalGIDs -----------------------------------------------------------------


class _Databases:
    """passwd and group as containerd looks things up in them."""

    def __init__(self, passwd: AccountSource, group: AccountSource) -> None:
        self._passwd, self._group = passwd, group
        self.users, self.users_error = _passwd(passwd)
        self.groups, self.groups_error = _group(group)

    def user_named(self, name: str) -> PasswdEntry:
        if self._passwd is None:
            raise _absent("user-missing", "passwd")
        self.require_users()
        found = self.users.user(name)
        if found is not None:
            return found
        raise UserRefused("user-missing", "no users found")

    def group_named(self, name: str) -> GroupEntry:
        if self._group is None:
            raise _absent("group-missing", "group")
        self.require_groups()
        found = self.groups.group(name)
        if found is not None:
            return found
        raise UserRefused("group-missing", "no groups found")

    def require_users(self) -> None:
        if self.users_error:
            raise _unreadable(self.users_error, self._passwd, "passwd")

    def require_groups(self) -> None:
        if self.groups_error:
            raise _unreadable(self.groups_error, self._group, "group")


def _containerd(spec: str, files: _Databases, strict_ids: bool) -> Identity:
    notes: list[str] = []
    uid, gid = 0, 0
    chosen: GroupEntry | None = None
    if spec:
        uid, gid, match, chosen = _containerd_user(spec, files, strict_ids)
        if spec.endswith(":"):
            notes.append("an empty group after the colon means gid 0, not the user's own group")
        if match is not None:
            notes.extend(f"passwd line {match.line}: {oddity}" for oddity in match.oddities)
        files.require_users()
    # Supplementary groups are asked for separately, by the resolved uid, or by the name root without a USER.
    owner = files.users.user(uid)
    member = "root" if not spec else owner.name if owner is not None else ""
    deciding: tuple[GroupEntry, ...] = ()
    if not spec or owner is not None:
        files.require_groups()
        deciding = tuple(entry for entry in files.groups.groups_of(member) if entry.name != member)
    return Identity(
        uid=_go_id(uid),
        gid=_go_id(gid),
        groups=tuple(_go_id(entry.gid) for entry in deciding),
        name=owner.name if owner is not None else None,
        home=owner.home if owner is not None else None,
        user_entry=owner,
        group_entries=((chosen,) if chosen is not None else ()) + deciding,
        notes=tuple(notes),
    )


def _containerd_user(
    spec: str, files: _Databases, strict_ids: bool
) -> tuple[int, int, PasswdEntry | None, GroupEntry | None]:
    """uid, gid and the lines that gave them: `WithUser` knows `user`, `uid`, `user:group` and their mixtures."""
    user, *more = spec.split(":")
    if len(more) > 1:
        raise UserRefused("invalid", f"invalid USER value {spec}")
    uid = _containerd_number(user, spec, "uid", strict_ids)
    if not more:
        if uid is None:
            named = files.user_named(user)
            return named.uid, named.gid, named, None
        files.require_users()
        match = files.users.user(uid)
        return uid, match.gid if match is not None else 0, match, None
    gid = _containerd_number(more[0], spec, "gid", strict_ids)
    match = files.user_named(user) if uid is None and user else None
    chosen = files.group_named(more[0]) if gid is None and more[0] else None
    return (match.uid if match else uid or 0), (chosen.gid if chosen else gid or 0), match, chosen


def _containerd_number(part: str, spec: str, what: str, strict_ids: bool) -> int | None:
    """The id that a part of the user string states; None for a name, which is also a number out of range at first."""
    number, problem = atoi(part)
    if problem == "range" or (not problem and not 0 <= number <= MAX_ID):
        if not strict_ids:
            return None
        database: Database = "passwd" if what == "uid" else "group"
        raise UserRefused("range", f"invalid USER value {go_quote(spec)}: {what} out of range", database)
    return None if problem else number


def go_quote(value: str) -> str:
    """A string as Go's `%q` prints it: double quotes, Go escapes, unprintable runes as `\\x`, `\\u` or `\\U`."""
    out = ['"']
    short = {"\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v"}
    for char in value:
        code = ord(char)
        if char in '"\\':
            out.append("\\" + char)
        elif char in short:
            out.append(short[char])
        elif 0xDC80 <= code <= 0xDCFF:
            out.append(f"\\x{code - 0xDC00:02x}")
        elif code < 0x20 or code == 0x7F:
            out.append(f"\\x{code:02x}")
        elif char == " " or char.isprintable():
            out.append(char)
        elif code < 0x10000:
            out.append(f"\\u{code:04x}")
        else:
            out.append(f"\\U{code:08x}")
    out.append('"')
    return "".join(out)
