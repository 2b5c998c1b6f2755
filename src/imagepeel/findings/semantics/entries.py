"""What the entries of one layer alone give away: notes from one pass over its columns.

Rare things are found first in the few distinct values that entries share, or by searches at C speed, so that an
ordinary layer costs next to nothing.
"""

from __future__ import annotations

import re
import sys
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import compress, count

from imagepeel._lazy import late
from imagepeel.evidence import Anomaly, Location, text
from imagepeel.findings.semantics.codes import MOST, Code, Degree, Noted, ViewNote
from imagepeel.formats.tar.header import BLOCKDEV, CHAR, DIRECTORY, GNU_SPARSE, HARDLINK, PAX_GLOBAL, REGULAR, SYMLINK
from imagepeel.formats.tar.table import ESCAPES, WHITEOUT, Entry, EntryTable
from imagepeel.formats.tar.whiteouts import AUFS_NAMES, OPAQUE, PREFIX, Mark, hidden_path, parse
from imagepeel.rootfs.engines.names import ViewName
from imagepeel.rootfs.tree.changes import LayerEntries, go_clean
from imagepeel.rootfs.tree.inode import NodeKind
from imagepeel.rootfs.tree.metadata import KIND, bound_time, xattr_errno
from imagepeel.text import plural

_CONTROLS = (
    (0x00, 0x1F),
    (0x7F, 0x7F),
    (0x80, 0x9F),
    (0x061C, 0x061C),
    (0x200E, 0x200F),
    (0x2028, 0x202E),
    (0x2066, 0x2069),
    (0xFEFF, 0xFEFF),
)
"""C0 and C1 controls, DEL, line separators, the byte order mark, and what reorders text (Unicode Bidi_Control).

The characters of one range differ in the last byte of their UTF-8 form alone.
"""


def _in_utf8(first: int, last: int) -> bytes:
    one, two = chr(first).encode(), chr(last).encode()
    return re.escape(one[:-1]) + b"[" + re.escape(one[-1:]) + b"-" + re.escape(two[-1:]) + b"]"


_CONTROL = late(b"|".join(_in_utf8(*control) for control in _CONTROLS))
CONTROL_TEXT = late("[" + "".join(f"{chr(first)}-{chr(last)}" for first, last in _CONTROLS) + "]")
"""The same characters in a `str`."""
_PRINTABLE = bytes(range(0x20, 0x7F))
_SUSPICIOUS = frozenset(chr(first).encode()[0] for first, _ in _CONTROLS) | frozenset(range(0x20))
"""Bytes that control characters start with in UTF-8."""

_STARGZ = frozenset((b"stargz.index.json", b".prefetch.landmark", b".no.prefetch.landmark"))
_UPPER_HALF = 1 if sys.byteorder == "little" else 0
_AT_ONCE = 10_000
"""Numbers that are looked at together."""
_SIGNED, _LEAVE_IT = 1 << 31, (1 << 32) - 1


class Notes:
    """Collects the notes of one layer, a few of each code and a count of the rest."""

    def __init__(self, layer: LayerEntries, step: int | None = None) -> None:
        self._layer = layer
        self._step = step
        self._found: dict[tuple[Code, Degree], list[ViewNote]] = {}
        self._more: dict[tuple[Code, Degree], int] = {}

    def add(
        self,
        code: Code,
        message: str,
        entry: int | None = None,
        views: tuple[ViewName, ...] = (),
        *,
        path: bytes | None = None,
        touches: tuple[bytes, ...] = (),
        degree: Degree = Degree.PLAIN,
    ) -> None:
        """Note one place: an entry of the layer, a path, or both.

        touches: other paths that it changes.  degree: what sets it apart from others of the code, see `codes`.
        """
        listed = self._listed(code, degree)
        if listed is None:
            return
        table = self._layer.table
        if path is None and entry is not None:
            path = b"/" + table.path(entry)
        where = Location(
            layer=self._layer.index,
            step=self._step,
            entry=entry,
            path=text(path) if path is not None else None,
            layer_offset=table[entry].header_offset if entry is not None else None,
        )
        about = (*_about(path), *touches) if path is not None else touches
        listed.append(ViewNote(code=code, message=message, where=where, views=views, touches=tuple(map(text, about))))

    def take(self, code: Code, anomaly: Anomaly, views: tuple[ViewName, ...] = ()) -> None:
        """Note what the scan or the documents noticed already."""
        listed = self._listed(code, Degree.PLAIN)
        if listed is not None:
            listed.append(ViewNote(code=code, message=anomaly.message, where=anomaly.where, views=views))

    def leave_out(self, code: Code, places: int) -> None:
        """Count places beside those that are listed."""
        if places:
            self._more[code, Degree.PLAIN] = self._more.get((code, Degree.PLAIN), 0) + places

    def _listed(self, code: Code, degree: Degree) -> list[ViewNote] | None:
        """The list that one more note goes to, None when it is full: the note is counted."""
        listed = self._found.setdefault((code, degree), [])
        if len(listed) < MOST:
            return listed
        self._more[code, degree] = self._more.get((code, degree), 0) + 1
        return None

    def done(self) -> list[Noted]:
        """Return the notes by code and degree."""
        return [
            Noted(
                code=code,
                layer=self._layer.index,
                degree=degree,
                notes=tuple(notes),
                more=self._more.get((code, degree), 0),
            )
            for (code, degree), notes in self._found.items()
        ]


def _about(path: bytes) -> tuple[bytes, ...]:
    """Return the path that an entry speaks of: what a whiteout removes, the directory of an opaque mark."""
    return (hidden_path(path),)


def entry_notes(layer: LayerEntries, anomalies: Sequence[Anomaly], notes: Notes) -> None:
    """Add the notes that the entries of one layer earn by themselves.

    `anomalies`: what its scan noticed, of which PAXGLOBAL, HDRDATA, HIDDENTAIL and MEDIATYPE are taken over.
    """
    for anomaly in anomalies:
        for code, views in _SCANNED:
            if anomaly.code == code:
                notes.take(code, anomaly, views)
    _metas(layer.table, notes)
    _times(layer.table, notes)
    _names(layer.table, notes)
    _whiteouts(layer, notes)
    _xattrs(layer.table, notes)
    _links(layer.table, notes)
    _root(layer.table, notes)


_SCANNED: tuple[tuple[Code, tuple[ViewName, ...]], ...] = (
    ("PAXGLOBAL", ("docker",)),
    ("HDRDATA", ()),
    ("HIDDENTAIL", ()),
    ("MEDIATYPE", ()),
)


def members(column: Iterable[int], wanted: list[bool]) -> list[int]:
    """Return the entries whose shared value is wanted, without a look at the others' fields."""
    return list(compress(count(), map(wanted.__getitem__, column))) if any(wanted) else []


def whiteout_entries(table: EntryTable) -> Iterator[int]:
    """Yield the entries whose name starts with `.wh.`."""
    return table.flagged(WHITEOUT)


def _metas(table: EntryTable, notes: Notes) -> None:
    column = table.meta_ids
    for i in members(column, [kind == GNU_SPARSE for kind in table.types()]):
        notes.add(
            "SPARSE83",
            "a sparse file in the old GNU form (type S): containerd, Docker, podman and umoci refuse the layer with "
            '"unhandled tar header type 83", GNU tar reads it',
            i,
        )
    for i in members(column, [_odd_owner(meta.uid) or _odd_owner(meta.gid) for meta in table.metas]):
        meta = table.meta(i)
        owner = meta.uid if _odd_owner(meta.uid) else meta.gid
        fits = all(0 <= each < _LEAVE_IT for each in (meta.uid, meta.gid))
        notes.add("UIDWRAP", _owner_words(owner), i, degree=Degree.SIGNED if fits else Degree.PLAIN)
    devices = [kind in (CHAR, BLOCKDEV) for kind in table.types()]
    for i in members(column, devices):
        meta = table.meta(i)
        if meta.type == CHAR and not meta.major and not meta.minor:
            notes.add(
                "OVLXATTR",
                "a character device 0:0: overlayfs takes it for a whiteout and hides the path, others show a device",
                i,
                ("spec", "sequential"),
            )
            continue
        wide = meta.major >= 1 << 32 or meta.minor >= 1 << 32
        more = "; its number exceeds 32 bits: containerd 2.4 and Docker 29.7 refuse it, others cut it" if wide else ""
        below = table.path(i).startswith(b"dev/")
        words = f"a device node {meta.major}:{meta.minor}: rootless engines leave it out{more}"
        notes.add("DEVICE", words, i, degree=Degree.BELOW_DEV if below else Degree.PLAIN)


def _odd_owner(value: int) -> bool:
    return not 0 <= value < _SIGNED


def _owner_words(value: int) -> str:
    kept = value & 0xFFFFFFFF
    if kept == 0xFFFFFFFF:
        return f'owner number {value} means "leave it" to chown(2): the file belongs to root'
    if kept != value:
        return f"owner number {value} wraps to {kept} in chown(2)" + (": the file belongs to root" if not kept else "")
    signed = value - (1 << 32)
    return f"owner number {value} is beyond 2147483647: engines keep it, programs with signed numbers read {signed}"


def _in_32_bits(numbers: array[int]) -> bool:
    """Whether the upper half of each number is 0, as of all times from 1970 to 2106: no number is made of the bytes."""
    for at in range(0, len(numbers), _AT_ONCE):
        upper = memoryview(numbers[at : at + _AT_ONCE]).cast("B").cast("I")[_UPPER_HALF::2].tobytes()
        if upper.count(0) < len(upper):
            return False
    return True


def _times(table: EntryTable, notes: Notes) -> None:
    times = table.mtime_seconds
    if _in_32_bits(times) or (min(times) >= 0 and max(times) <= 9_223_372_035):
        return
    for i in range(len(times)):
        mtime = table.mtime(i)
        if bound_time(mtime) != mtime:
            notes.add(
                "MTIMECLAMP",
                f"modification time {mtime[0]} s is outside what engines set: containerd, Docker and podman make it "
                "1970-01-01, umoci keeps or wraps it",
                i,
                ("spec",),
            )


def _loud(names: bytes) -> bool:
    """Whether names may hold control characters.  Printable ASCII is nearly all there is, so that is asked first."""
    return bool(_SUSPICIOUS & set(names.translate(None, _PRINTABLE))) and _CONTROL.search(names) is not None


def _names(table: EntryTable, notes: Notes) -> None:
    names, ends = table.names, table.name_ends
    if _loud(names) or _loud(b"/".join(table.dirs)):
        odd = [_CONTROL.search(directory) is not None for directory in table.dirs]
        column = table.dir_ids
        start = 0
        for i, end in enumerate(ends):
            if _CONTROL.search(names, start, end) or odd[column[i]]:
                notes.add("CTRLCHAR", "the name holds control characters: a listing can be made to lie with it", i)
            start = end
    for i, target in table.links.items():
        if _loud(target):
            words = "the link target holds control characters: a listing can be made to lie with it"
            notes.add("CTRLCHAR", words, i, degree=Degree.IN_TARGET)
    over = set(table.flagged(ESCAPES))
    for i, raw in table.raw_names.items():
        if b".." in raw and go_clean(raw.lstrip(b"/"))[:1] == [b".."]:
            over.add(i)
    for i in sorted(over):
        notes.add(
            "DOTDOT",
            f'the name "{text(table[i].raw_name)}" climbs over the root: engines clamp it there, Docker 29.7 refuses '
            "the layer",
            i,
            ("docker",),
        )
    for i, target in table.links.items():
        if table.meta(i).type == HARDLINK and go_clean(target.lstrip(b"/"))[:1] == [b".."]:
            notes.add(
                "DOTDOT",
                f'the hardlink target "{text(target)}" climbs over the root: engines clamp it there, Docker 29.7 '
                "refuses the layer",
                i,
                ("docker",),
            )


def _whiteouts(layer: LayerEntries, notes: Notes) -> None:
    table = layer.table
    for i in whiteout_entries(table):
        name = table.basename(i)
        directory = table.dirs[table.dir_id(i)]
        whiteout = parse(name)
        mark = whiteout.mark if whiteout is not None else None
        if mark is Mark.AUFS:
            notes.add("AUFS", f"{text(name)} is bookkeeping of AUFS: engines show a plnk directory or drop it", i)
            if not directory:
                continue
        elif mark is not Mark.OPAQUE and not layer.index:
            notes.add(
                "BASEWHITEOUT",
                "a whiteout in the base layer, below which there is nothing to remove: engines disagree about what the "
                "layer itself has under that name",
                i,
            )
        if mark is Mark.NAMELESS:
            notes.add(
                "WHNAME",
                f"{text(name)} names nothing that could be removed: engines refuse the layer, tools that do not look "
                "remove a directory or its parent",
                i,
                degree=Degree.NAMELESS,
            )
        if name == OPAQUE and not directory and layer.index:
            notes.add(
                "ROOTOPQ",
                "an opaque mark at the root of a layer: the kernel ignores it and all lower files stay; engines "
                "without overlayfs remove everything",
                i,
                ("spec", "sequential"),
            )
        if table.size(i) and table.meta(i).type == REGULAR:
            words = f"a whiteout with {plural(table.size(i), 'byte')} of content, which no engine shows"
            notes.add("HIDDENTAIL", words, i, degree=Degree.IN_WHITEOUT)
    odd = [PREFIX in path and any(map(parse, path.split(b"/"))) for path in table.dirs]
    told: set[int] = set()
    for i in members(table.dir_ids, odd):
        directory_id = table.dir_id(i)
        parts = table.dirs[directory_id].split(b"/")
        if directory_id in told or parts[0] in AUFS_NAMES:
            continue
        told.add(directory_id)
        bad = next(filter(parse, parts))
        notes.add("WHNAME", f"the directory {text(bad)} is named like a whiteout and appears in the filesystem", i)


def _xattrs(table: EntryTable, notes: Notes) -> None:
    for i in sorted(table.extras):
        entry = table[i]
        kind = KIND.get(entry.type)
        for key in entry.pax:
            if key.startswith((b"LIBARCHIVE.xattr.", b"SCHILY.acl.")):
                notes.add("XATTRDROP", f"{text(key)} is read by no container engine", i)
        for key in entry.xattrs:
            if key.startswith((b"trusted.overlay.", b"user.overlay.")):
                notes.add(
                    "OVLXATTR",
                    f"{text(key)} is a mark of overlayfs: Docker and podman set trusted ones and the kernel obeys, "
                    "containerd leaves them out; user ones act in rootless mounts",
                    i,
                    ("docker", "podman", "spec") if key.startswith(b"trusted.") else (),
                )
                continue
            words = _dropped(key, kind)
            if words:
                notes.add("XATTRDROP", f"{text(key)}: {words[0]}", i, words[1])


def _dropped(key: bytes, kind: NodeKind | None) -> tuple[str, tuple[ViewName, ...]] | None:
    if key.startswith(b"trusted."):
        return "containerd leaves it out, Docker, podman and umoci set it", ("docker", "podman", "spec")
    if kind == "symlink":
        return (
            "on a symbolic link: Docker 29.7 sets it on the file behind, podman and umoci refuse user ones",
            ("docker", "podman", "spec"),
        )
    if key == b"security.selinux":
        return "podman and umoci leave it out", ("podman", "spec")
    errno = xattr_errno(key, kind)
    if errno == "ENOTSUP":
        return "the kernel knows no such attribute: containerd and podman go on, Docker refuses the layer", ("docker",)
    if errno == "EPERM":
        return "the kernel refuses it on this type: containerd and Docker go on, podman refuses", ("podman", "spec")
    return None


def _links(table: EntryTable, notes: Notes) -> None:
    """LINKMETA: compare each hardlink's header with that of its target, where the layer has it earlier."""
    hard = [i for i in table.links if table.meta(i).type == HARDLINK]
    if not hard:
        return
    targets = {i: b"/".join(go_clean(b"/" + table.links[i])) for i in hard}
    needed = set(targets.values())
    directories = {path.rpartition(b"/")[0] for path in needed}
    own = {table.dir_id(i) for i in hard}
    origins: dict[bytes, int] = {}
    for i in members(table.dir_ids, [d in own or path in directories for d, path in enumerate(table.dirs)]):
        origin = origins.get(targets[i]) if i in targets else None
        if origin is not None:
            _compare_link(table, notes, i, origin)
        path = table.path(i)
        if path in needed:
            origins[path] = i if origin is None else origin


def _compare_link(table: EntryTable, notes: Notes, i: int, origin: int) -> None:
    one, two = table.meta(origin), table.meta(i)
    if one.type == SYMLINK:
        differs = (one.uid, one.gid) != (two.uid, two.gid)
    else:
        differs = (one.mode & 0o7777, one.uid, one.gid) != (two.mode & 0o7777, two.uid, two.gid)
    if differs or table.mtime(origin) != table.mtime(i):
        notes.add(
            "LINKMETA",
            f"the hardlink's header says {two.mode & 0o7777:04o} {two.uid}:{two.gid}, the file it shares "
            f"{one.mode & 0o7777:04o} {one.uid}:{one.gid}: engines give both names the last one, umoci the first",
            i,
            ("spec",),
            degree=Degree.PLAIN if differs else Degree.TIME_ONLY,
        )


def _root(table: EntryTable, notes: Notes) -> None:
    """Look at entries whose name means the root itself."""
    for i in table.roots():
        entry = Entry(table, i)
        if entry.type == PAX_GLOBAL or go_clean(entry.raw_name.lstrip(b"/"))[:1] == [b".."]:
            continue
        if entry.type != DIRECTORY:
            notes.add(
                "ROOTATTR", f"a {entry.kind} in place of the root: engines ignore it, umoci refuses", i, ("spec",)
            )
        elif (entry.mode, entry.uid, entry.gid) != (0o755, 0, 0) or entry.xattrs:
            notes.add(
                "ROOTATTR",
                f"the root is {entry.mode:04o} {entry.uid}:{entry.gid} in the tar: containerd and Docker show 0755 "
                "0:0, podman 0555, umoci what it says",
                i,
                ("spec", "podman"),
                degree=Degree.ATTRIBUTES_ONLY,
            )
    if any(name in table.names for name in _STARGZ):
        names, directories = table.names, table.dir_ids
        start = 0
        for i, end in enumerate(table.name_ends):
            if not directories[i] and names[start:end] in _STARGZ:
                notes.add(
                    "STARGZ",
                    f"{text(names[start:end])} was added by a compressor for lazy pulling: ordinary engines extract it "
                    "into /, lazy ones hide it",
                    i,
                )
            start = end
