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

from functools import lru_cache
from typing import Literal

import msgspec

from imagepeel.evidence import text

MAX_FILE = 10 * 1024 * 1024
"""Bytes of passwd or group that are read at most: containerd's own cap."""

MAX_ID = 2**31 - 1
"""Highest uid or gid that a user string may state."""

RANGE_TEXT = f"uids and gids must be in range 0-{MAX_ID}"
_MAX_PASSWD_LINE = 65_536
_SMALL = 16_384
"""Bytes up to which what was read of a file is kept: every engine asks for the same two files."""
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


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Who the process will be.

    `groups` are the supplementary groups that the rules compute, without the primary gid.  `name` and `home` come
    from the matched passwd line and are None without one; `user_entry` and `group_entries` are the lines that
    decided.  `notes` lists parser habits that had a say in it.
    """

    uid: int
    gid: int
    groups: tuple[int, ...]
    name: str | None
    home: str | None
    user_entry: PasswdEntry | None
    group_entries: tuple[GroupEntry, ...]
    notes: tuple[str, ...] = ()


UserRules = Literal["moby", "containerd", "cri"]
"""Whose rules resolve a `USER` string; `resolve_user` says who follows which."""


class IdentityFailure(msgspec.Struct, frozen=True, kw_only=True):
    """The engine refuses the user string.

    `kind` is "user-missing", "group-missing", "range", "invalid" or "unreadable"; `message` is the engine's text.
    """

    kind: str
    message: str


def atoi(value: str) -> tuple[int, str]:
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


def _lines(data: bytes) -> list[tuple[int, int, str]]:
    """(line number, byte offset, trimmed text) of each line that is not blank."""
    found: list[tuple[int, int, str]] = []
    offset = 0
    for number, line in enumerate(data[:MAX_FILE].split(b"\n"), 1):
        trimmed = text(line).strip(_GO_SPACE)
        if trimmed:
            found.append((number, offset, trimmed))
        offset += len(line) + 1
    return found


def parse_passwd(data: bytes) -> list[PasswdEntry]:
    """All entries of a passwd file, at most its first 10 MiB, in file order.  Raises nothing.

    Source: `ParsePasswdFilter` in moby/sys user.
    """
    return list(_read_passwd(data) if len(data) <= _SMALL else _read_passwd.__wrapped__(data))


@lru_cache(maxsize=4)
def _read_passwd(data: bytes) -> tuple[PasswdEntry, ...]:
    entries: list[PasswdEntry] = []
    for number, offset, line in _lines(data):
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
        entries.append(
            PasswdEntry(
                name=fields[0],
                uid=ids[0],
                gid=ids[1],
                home=fields[5] if len(fields) > 5 else "",
                shell=fields[6] if len(fields) > 6 else "",
                line=number,
                offset=offset,
                oddities=tuple(oddities),
            )
        )
    return tuple(entries)


def parse_group(data: bytes) -> list[GroupEntry]:
    """All entries of a group file, at most its first 10 MiB, in file order.  Raises nothing.

    Source: `ParseGroupFilter` in moby/sys user.
    """
    return list(_read_group(data) if len(data) <= _SMALL else _read_group.__wrapped__(data))


@lru_cache(maxsize=4)
def _read_group(data: bytes) -> tuple[GroupEntry, ...]:
    entries: list[GroupEntry] = []
    for number, offset, line in _lines(data):
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
        entries.append(
            GroupEntry(name=fields[0], gid=gid, members=members, line=number, offset=offset, oddities=tuple(oddities))
        )
    return tuple(entries)


def _too_long(data: bytes) -> bool:
    """A passwd line that does not fit the 64 KiB buffer of Go's bufio.Scanner makes the whole file unreadable."""
    window = data[:MAX_FILE]
    if len(window) < _MAX_PASSWD_LINE:
        return False
    lines = window.split(b"\n")
    return any(len(line) + 1 > _MAX_PASSWD_LINE for line in lines)


def _passwd(data: bytes | Unreadable | None) -> tuple[list[PasswdEntry], str]:
    """Entries and, if the file is there but cannot be used, the reason."""
    if data is None:
        return [], ""
    if isinstance(data, Unreadable):
        return [], data.reason
    if _too_long(data):
        return [], "bufio.Scanner: token too long"
    return parse_passwd(data), ""


def _group(data: bytes | Unreadable | None) -> tuple[list[GroupEntry], str]:
    if data is None:
        return [], ""
    if isinstance(data, Unreadable):
        return [], data.reason
    return parse_group(data), ""


def _go_id(number: int) -> int:
    """A Go int stored into the runtime-spec's uint32."""
    return number & 0xFFFFFFFF


def resolve_user(
    spec: str,
    passwd: bytes | Unreadable | None,
    group: bytes | Unreadable | None,
    *,
    rules: UserRules = "moby",
) -> Identity | IdentityFailure:
    """Resolve a `USER` string against the image's own files.

    `spec` is the string of the config ("" when absent); `passwd` and `group` the content of the files, None when
    there is none.  `rules`: "moby" (docker, podman, umoci: `GetExecUser`), "containerd" (ctr and the library:
    `WithUser` then `WithAdditionalGIDs`) or "cri" (Kubernetes: the group part is dropped before it reaches
    containerd).  Returns the identity or the refusal with the engine's text.
    Raises ValueError for unknown rules: a mistake of the caller.
    """
    if rules == "moby":
        return _moby(spec, passwd, group)
    if rules == "containerd":
        return _containerd(spec, passwd, group)
    if rules == "cri":
        return _containerd(spec.split(":", 1)[0] or "0", passwd, group)
    raise ValueError(f"unknown user rules {rules!r}")


def _moby(spec: str, passwd: bytes | Unreadable | None, group: bytes | Unreadable | None) -> Identity | IdentityFailure:
    parts = spec.split(":")
    user_part = parts[0]
    group_part = parts[1] if len(parts) > 1 else ""
    notes: list[str] = []
    if len(parts) > 2:
        notes.append("everything after the second colon of the user is ignored")
    uid_value, uid_problem = atoi(user_part)
    gid_value, gid_problem = atoi(group_part)
    entries, unreadable = _passwd(passwd)
    if unreadable:
        shown = user_part or "0"
        return IdentityFailure(kind="unreadable", message=f"unable to find user {shown}: {unreadable}")
    match: PasswdEntry | None
    if not user_part:
        match = next((entry for entry in entries if entry.uid == 0), None)
    elif not uid_problem:
        match = next((entry for entry in entries if entry.uid == uid_value), None)
        if any(entry.name == user_part for entry in entries):
            notes.append("a user that is a number is never looked up as a name")
    else:
        match = next((entry for entry in entries if entry.name == user_part), None)
    uid, gid, name, home = 0, 0, None, None
    if match is not None:
        uid, gid, name, home = match.uid, match.gid, match.name, match.home
        notes.extend(f"passwd line {match.line}: {oddity}" for oddity in match.oddities)
    elif user_part:
        if uid_problem:
            return IdentityFailure(
                kind="user-missing", message=f"unable to find user {user_part}: no matching entries in passwd file"
            )
        if not 0 <= uid_value <= MAX_ID:
            return IdentityFailure(kind="range", message=RANGE_TEXT)
        uid = uid_value
    deciding: tuple[GroupEntry, ...] = ()
    groups: tuple[int, ...] = ()
    if group_part or name:
        group_entries, unreadable = _group(group)
        if unreadable:
            return IdentityFailure(
                kind="unreadable", message=f"unable to find groups for spec {name or ''}: {unreadable}"
            )
        if group_part:
            if gid_problem:
                chosen = next((entry for entry in group_entries if entry.name == group_part), None)
            else:
                chosen = next((entry for entry in group_entries if entry.gid == gid_value), None)
            if chosen is not None:
                gid, deciding = chosen.gid, (chosen,)
                notes.extend(f"group line {chosen.line}: {oddity}" for oddity in chosen.oddities)
            elif gid_problem:
                return IdentityFailure(
                    kind="group-missing",
                    message=f"unable to find group {group_part}: no matching entries in group file",
                )
            elif not 0 <= gid_value <= MAX_ID:
                return IdentityFailure(kind="range", message=RANGE_TEXT)
            else:
                gid = gid_value
        else:
            deciding = tuple(entry for entry in group_entries if name in entry.members)
            groups = tuple(_go_id(entry.gid) for entry in deciding)
            notes.extend(f"group line {entry.line}: {oddity}" for entry in deciding for oddity in entry.oddities)
    return Identity(
        uid=_go_id(uid),
        gid=_go_id(gid),
        groups=groups,
        name=name,
        home=home,
        user_entry=match,
        group_entries=deciding,
        notes=tuple(notes),
    )


def _containerd(
    spec: str, passwd: bytes | Unreadable | None, group: bytes | Unreadable | None
) -> Identity | IdentityFailure:
    entries, passwd_error = _passwd(passwd)
    group_entries, group_error = _group(group)
    notes: list[str] = []
    missing_passwd = "open etc/passwd: no such file or directory"
    missing_group = "open etc/group: no such file or directory"

    def find_name(wanted: str) -> PasswdEntry | IdentityFailure:
        if passwd is None:
            return IdentityFailure(kind="user-missing", message=missing_passwd)
        if passwd_error:
            return IdentityFailure(kind="unreadable", message=passwd_error)
        found = next((entry for entry in entries if entry.name == wanted), None)
        return found or IdentityFailure(kind="user-missing", message="no users found")

    uid, gid = 0, 0
    match: PasswdEntry | None = None
    chosen: GroupEntry | None = None
    if spec:
        parts = spec.split(":")
        if len(parts) > 2:
            return IdentityFailure(kind="invalid", message=f"invalid USER value {spec}")
        number, problem = atoi(parts[0])
        if problem == "range" or (not problem and not 0 <= number <= MAX_ID):
            return IdentityFailure(kind="range", message=f"invalid USER value {go_quote(spec)}: uid out of range")
        if len(parts) == 1:
            if problem:
                named = find_name(spec)
                if isinstance(named, IdentityFailure):
                    return named
                match = named
                uid, gid = match.uid, match.gid
            else:
                if passwd_error:
                    return IdentityFailure(kind="unreadable", message=passwd_error)
                uid = number
                match = next((entry for entry in entries if entry.uid == number), None)
                gid = match.gid if match is not None else 0
        else:
            group_number, group_problem = atoi(parts[1])
            if group_problem == "range" or (not group_problem and not 0 <= group_number <= MAX_ID):
                return IdentityFailure(kind="range", message=f"invalid USER value {go_quote(spec)}: gid out of range")
            uid = 0 if problem else number
            gid = 0 if group_problem else group_number
            if problem and parts[0]:
                named = find_name(parts[0])
                if isinstance(named, IdentityFailure):
                    return named
                match, uid = named, named.uid
            if group_problem and parts[1]:
                if group is None:
                    return IdentityFailure(kind="group-missing", message=missing_group)
                if group_error:
                    return IdentityFailure(kind="unreadable", message=group_error)
                chosen = next((entry for entry in group_entries if entry.name == parts[1]), None)
                if chosen is None:
                    return IdentityFailure(kind="group-missing", message="no groups found")
                gid = chosen.gid
            elif not parts[1]:
                notes.append("an empty group after the colon means gid 0, not the user's own group")
        if match is not None:
            notes.extend(f"passwd line {match.line}: {oddity}" for oddity in match.oddities)
    if spec and passwd_error:
        return IdentityFailure(kind="unreadable", message=passwd_error)
    # Supplementary groups are asked for separately, by the resolved uid, or by the name root without a USER.
    member = "root"
    owner = match
    if spec:
        owner = next((entry for entry in entries if entry.uid == uid), None)
        member = owner.name if owner is not None else ""
    elif entries:
        owner = next((entry for entry in entries if entry.uid == 0), None)
    deciding: tuple[GroupEntry, ...] = ()
    if group_error and (not spec or owner is not None):
        return IdentityFailure(kind="unreadable", message=group_error)
    if not spec or owner is not None:
        deciding = tuple(entry for entry in group_entries if entry.name != member and member in entry.members)
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
