"""Single tar entries that mean something else than they seem to, or something else to every tool."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from operator import eq
from typing import TYPE_CHECKING

from imagepeel.errors import ImagepeelError
from imagepeel.evidence import Location, text
from imagepeel.findings.finding import Finding, columns, figure
from imagepeel.findings.names import Hit
from imagepeel.findings.rule import Rule, rule
from imagepeel.formats.tar.header import BLOCKDEV, CHAR, HARDLINK, PAX_GLOBAL, REGULAR
from imagepeel.formats.tar.table import Entry, Meta
from imagepeel.text import exact, listed, plural

if TYPE_CHECKING:
    from imagepeel.findings.subject import Subject
    from imagepeel.layers.layer import Layer

_ID_MAX = 1 << 32
_ROOTLESS = 65_536
_NS_MAX = (1 << 63) - 1


def places_of(subject: Subject, hits: list[Hit], most: int = 10) -> list[Location]:
    """The places of the first few entries."""
    return [subject.place(hit) for hit in hits[:most]]


def paths_of(hits: list[Hit], most: int = 4) -> str:
    """Their paths in words."""
    return listed([text(hit.path) for hit in hits], most)


@rule(
    "ROOTLESS-IDS",
    "A file belongs to a uid that rootless engines do not have",
    "medium",
    "strengths",
    "deployments",
    """A user namespace usually has 65,536 ids.  Rootless podman and Docker cannot give a file to a uid beyond that, and
    the pull fails: potentially insufficient UIDs or GIDs available in user namespace.""",
    "build with ids below 65536 (a corporate uid often sneaks in by COPY or tar)",
    codes="W38, F40",
    sources="podman#12715, podman#22092, reveal-md#450",
)
def rootless_ids(rule: Rule, subject: Subject) -> Iterator[Finding]:
    def wide(meta: Meta) -> bool:
        return meta.type != PAX_GLOBAL and max(meta.uid, meta.gid) >= _ROOTLESS

    hits = subject.entries_where(wide, 2000)
    if hits:
        metas = [subject.layers[hit.layer].table.meta(hit.entry) for hit in hits]
        highest = max(max(meta.uid, meta.gid) for meta in metas)
        more = "at least " if len(hits) >= 2000 else ""
        yield rule.found(
            f"{more}{plural(len(hits), 'entry', 'entries')} with ids up to {highest}, such as {paths_of(hits, 2)}: "
            "rootless engines with 65,536 ids cannot unpack them",
            *places_of(subject, hits),
            profiles=("podman rootless",),
        )


@rule(
    "UID-WRAP",
    "An owner id does not fit and becomes root",
    "medium",
    "headcount",
    "infosec",
    """A tar can store ids larger than Linux has.  4294967296 is cut to 0, and 4294967295 means "leave as it is", which
    is root for a new file.""",
    "pack with ids below 4294967295",
    codes="UIDWRAP",
    sources="chown(2), CVE-2024-40635",
)
def uid_wrap(rule: Rule, subject: Subject) -> Iterator[Finding]:
    def wraps(meta: Meta) -> bool:
        return any(value >= _ID_MAX - 1 or value < 0 for value in (meta.uid, meta.gid))

    hits = subject.entries_where(wraps, 2000)
    if hits:
        meta = subject.layers[hits[0].layer].table.meta(hits[0].entry)
        yield rule.found(
            f"{paths_of(hits, 2)}: owner {meta.uid}:{meta.gid} becomes {_wrapped(meta.uid)}:{_wrapped(meta.gid)}",
            *places_of(subject, hits),
        )


def _wrapped(value: int) -> int:
    value &= _ID_MAX - 1
    return 0 if value == _ID_MAX - 1 else value


@rule(
    "DEVICE-NODE",
    "Device nodes are in a layer",
    "low",
    "strengths",
    "kernel",
    """Runtimes mount their own /dev, so nodes there are never seen; elsewhere they are an open door to a disk.
    Rootless engines cannot create them and skip them or fail.""",
    "leave them out: tar --exclude=./dev",
    codes="DEVICE",
    sources="moby#53299, user_namespaces(7)",
)
def device_node(rule: Rule, subject: Subject) -> Iterator[Finding]:
    def node(meta: Meta) -> bool:
        return meta.type == BLOCKDEV or (meta.type == CHAR and (meta.major, meta.minor) != (0, 0))

    hits = subject.entries_where(node, 2000)
    outside = [hit for hit in hits if not hit.path.startswith(b"/dev/")]
    if outside:
        yield rule.found(
            f"{plural(len(outside), 'device node')} outside /dev: {paths_of(outside)}", *places_of(subject, outside)
        )
    elif hits:
        yield rule.found(
            f"{plural(len(hits), 'device node')} below /dev, where every runtime mounts its own: {paths_of(hits, 3)}",
            *places_of(subject, hits, 3),
            severity="info",
        )


@rule(
    "OVERLAY-MARKS",
    "A layer carries the overlay's own marks",
    "medium",
    "strengths",
    "kernel",
    """A character device 0:0 is how overlayfs itself writes "removed", and trusted.overlay.* attributes say opaque,
    redirected or whited out.  Somebody packed an upper directory as it lay on disk.  containerd drops the attributes,
    Docker and podman obey them, and scanners see neither.""",
    "create layers with a builder, not by tarring /var/lib/docker/overlay2",
    codes="OVLXATTR",
    sources="overlayfs.rst",
)
def overlay_marks(rule: Rule, subject: Subject) -> Iterator[Finding]:
    devices = subject.entries_where(lambda meta: meta.type == CHAR and (meta.major, meta.minor) == (0, 0), 1000)
    if devices:
        yield rule.found(
            f"{paths_of(devices)}: a character device 0:0 hides the name with overlay engines, others show a device",
            *places_of(subject, devices),
        )
    for layer in subject.layers:
        for index, key in _pax(layer):
            if key.startswith((b"SCHILY.xattr.trusted.overlay.", b"SCHILY.xattr.user.overlay.")):
                entry = layer.table[index]
                yield rule.found(
                    f"{text(entry.path)} has {text(key[13:])}: Docker and podman obey it, containerd does not",
                    subject.at(layer.index, index),
                )


def _pax(layer: Layer) -> Iterator[tuple[int, bytes]]:
    for index, extra in layer.table.extras.items():
        for key in extra.pax:
            yield index, key


@rule(
    "ATTRIBUTE-DROPPED",
    "An extended attribute does not arrive, or only with some engines",
    "low",
    "strengths",
    "tooling",
    """Runtimes read SCHILY.xattr.* records.  LIBARCHIVE.xattr and SCHILY.acl are ignored by all,
    trusted.* by containerd alone, security.selinux by podman alone, and a name without a
    namespace makes Docker refuse the layer.""",
    "pack with GNU tar --xattrs, and only attributes of the user and security namespaces",
    codes="XATTRDROP",
    sources="containerd pkg/archive/tar.go, containers/storage pkg/archive",
)
def attribute_dropped(rule: Rule, subject: Subject) -> Iterator[Finding]:
    found: dict[str, list[Hit]] = {}
    for layer in subject.layers:
        for index, key in _pax(layer):
            what = _dropped(key, layer.table[index].kind)
            if what:
                found.setdefault(what, []).append(Hit(layer.index, index, layer.table[index].path))
    for what, hits in sorted(found.items()):
        yield rule.found(
            f"{what}: {plural(len(hits), 'entry', 'entries')}, such as {paths_of(hits, 2)}", *places_of(subject, hits)
        )


def _dropped(key: bytes, kind: str) -> str:
    if key.startswith(b"LIBARCHIVE.xattr."):
        return "LIBARCHIVE.xattr records are ignored by every runtime"
    if key.startswith(b"SCHILY.acl."):
        return "SCHILY.acl records are ignored by every runtime"
    if not key.startswith(b"SCHILY.xattr."):
        return ""
    name = key[13:]
    if name.startswith((b"trusted.overlay.", b"user.overlay.")):
        return ""
    if name.startswith(b"trusted."):
        return f"{text(name)} is dropped by containerd and set by Docker and podman"
    if name == b"security.selinux":
        return "security.selinux is dropped by podman and set by containerd and Docker"
    if not name.startswith((b"user.", b"security.", b"system.", b"trusted.")):
        return f"{text(name)} has no namespace: containerd and podman warn, Docker refuses the layer"
    if kind == "symlink" and name.startswith(b"user."):
        return f"{text(name)} on a symbolic link: containerd drops it, podman refuses the layer"
    return ""


@rule(
    "GLOBAL-HEADER",
    "A PAX global header is in a layer",
    "low",
    "strengths",
    "tooling",
    """`git archive` writes one.  Go ignores its values, Python's tarfile applies them to every later entry (it can
    rename all files), and umoci refuses the layer.""",
    "pack without it: git archive | tar x, then tar again",
    codes="PAXGLOBAL",
    sources="POSIX.1 pax, golang/go archive/tar",
)
def global_header(rule: Rule, subject: Subject) -> Iterator[Finding]:
    for layer in subject.layers:
        notes = [note for note in layer.anomalies if note.code == "PAXGLOBAL"]
        if notes:
            yield rule.found(
                f"layer {layer.label} has {plural(len(notes), 'PAX global header')}: tools disagree on what it means",
                *[note.where for note in notes[:5]],
            )


def is_stargz_index(layer: Layer, offset: int | None) -> bool:
    """Whether the bytes behind the end of the tar are the table of contents of eStargz, which belongs there."""
    try:
        return offset is not None and layer.content.pread(offset, 18) == b"stargz.index.json\0"
    except ImagepeelError:
        return False


@rule(
    "HIDDEN-BYTES",
    "Bytes are shipped and verified that no runtime shows",
    "medium",
    "headcount",
    "infosec",
    """A tar ends with two blocks of zeros, and what follows is part of the DiffID and of every pull, but is unpacked by
    nobody.  A whiteout may carry data too.  A good place to hide something from a scanner.""",
    "look at them with the receipt; build the layer again",
    codes="HIDDENTAIL",
    sources="containerd core/diff/apply, POSIX.1 ustar",
)
def hidden_bytes(rule: Rule, subject: Subject) -> Iterator[Finding]:
    for layer in subject.layers:
        for note in layer.anomalies:
            if note.code == "HIDDENTAIL" and not is_stargz_index(layer, note.where.layer_offset):
                yield rule.found(f"layer {layer.label}: {note.message}", note.where)
    loud = [hit for hit in subject.names.whiteouts if subject.layers[hit.layer].table.size(hit.entry) > 0]
    loud = [hit for hit in loud if subject.layers[hit.layer].table.meta(hit.entry).type == REGULAR]
    if loud:
        parts = [(text(hit.path), subject.layers[hit.layer].table.stored_size(hit.entry)) for hit in loud]
        total = sum(value for _, value in parts)
        yield rule.found(
            f"{plural(len(loud), 'whiteout')} {'carries' if len(loud) == 1 else 'carry'} {exact(total)} of data",
            *places_of(subject, loud),
            figures=[figure("data in whiteouts", "bytes", *columns(parts))],
        )


@rule(
    "TIME-OUT-OF-RANGE",
    "A modification time does not survive",
    "low",
    "strengths",
    "tooling",
    """Go keeps times as 64 bits of nanoseconds since 1970.  Earlier and much later times become 1970-01-01 with
    containerd, Docker and podman, while other tools keep them.""",
    "pack with times between 1970 and 2262",
    codes="MTIMECLAMP",
    sources="containerd pkg/archive/tar.go boundTime",
)
def time_out_of_range(rule: Rule, subject: Subject) -> Iterator[Finding]:
    for layer in subject.layers:
        times = layer.table.mtime_seconds
        if not times or (min(times) >= 0 and max(times) * 1_000_000_000 <= _NS_MAX):
            continue
        hits = [
            Hit(layer.index, i, b"/" + layer.table.path(i))
            for i, seconds in enumerate(times)
            if seconds < 0 or seconds * 1_000_000_000 > _NS_MAX
        ]
        if hits:
            yield rule.found(
                f"layer {layer.label}: {plural(len(hits), 'time')} cannot be kept, such as {times[hits[0].entry]} s of "
                f"{paths_of(hits, 1)}: engines write 1970-01-01",
                *places_of(subject, hits),
            )


@rule(
    "ROOT-ATTRIBUTES",
    "A layer describes the root directory, and engines disagree on it",
    "medium",
    "strengths",
    "tooling",
    """containerd and Docker make / with mode 0755 of root, whatever the tar says; other engines apply owner and mode of
    a `./` entry, so there the user may own the root directory, or not be able to enter it.""",
    "leave out the entry for the root, or give it mode 0755 and owner 0:0",
    codes="ROOTATTR",
    sources="CVE-2021-29136",
)
def root_attributes(rule: Rule, subject: Subject) -> Iterator[Finding]:
    for layer in subject.layers:
        table = layer.table
        ends = table.name_ends
        for index in _empty_names(ends):
            entry: Entry = table[index]
            if entry.kind == "global-header" or table.path(index):
                continue
            if entry.kind != "dir":
                yield rule.found(
                    f"layer {layer.label} says that / is a {entry.kind}",
                    subject.at(layer.index, index),
                )
            elif (entry.mode, entry.uid, entry.gid) != (0o755, 0, 0):
                yield rule.found(
                    f"layer {layer.label} gives / mode {entry.mode:04o} and owner {entry.uid}:{entry.gid}: containerd "
                    "and Docker ignore it, others apply it",
                    subject.at(layer.index, index),
                    severity="low",
                )


def _empty_names(ends: Sequence[int]) -> Iterator[int]:
    """Where a name ends where the one before it did.  Nearly no layer has one, so that is asked first, in one step."""
    if not ends or (ends[0] and not any(map(eq, ends, islice(ends, 1, None)))):
        return
    last = 0
    for index, end in enumerate(ends):
        if end == last:
            yield index
        last = end


@rule(
    "LINK-METADATA",
    "A hardlink entry changes the file it links to",
    "low",
    "strengths",
    "tooling",
    """All names of a hardlinked file share one owner and mode.  Runtimes apply the header of every hardlink entry to
    it, so the last one wins; other extractors ignore it.""",
    "give all entries of one file the same owner, mode and time",
    codes="LINKMETA",
    sources="containerd pkg/archive/tar.go",
)
def link_metadata(rule: Rule, subject: Subject) -> Iterator[Finding]:
    for layer in subject.layers:
        table = layer.table
        links = [index for index in table.links if table.meta(index).type == HARDLINK]
        if not links:
            continue
        # Hundreds of names may link to one file (busybox), so each target is taken apart once.
        paths = {
            target: b"/".join(part for part in target.split(b"/") if part not in (b"", b"."))
            for target in {table.links[i] for i in links}
        }
        wanted = frozenset(paths.values())
        bases = {path.rpartition(b"/")[2] for path in wanted}
        ends, names = table.name_ends, table.names
        targets: dict[bytes, int] = {}
        start = 0
        for index, end in enumerate(ends):
            if names[start:end] in bases:
                path = table.path(index)
                if path in wanted and table.meta(index).type != HARDLINK:
                    targets[path] = index
            start = end
        hits = []
        for index in links:
            at = targets.get(paths[table.links[index]])
            if at is None:
                continue
            one, two = table.meta(at), table.meta(index)
            if (one.mode & 0o7777, one.uid, one.gid) != (two.mode & 0o7777, two.uid, two.gid):
                hits.append((Hit(layer.index, index, b"/" + table.path(index)), one, two))
        if hits:
            hit, one, two = hits[0]
            yield rule.found(
                f"{text(hit.path)} says {two.mode & 0o7777:04o} {two.uid}:{two.gid}, its file "
                f"{one.mode & 0o7777:04o} {one.uid}:{one.gid}: the last entry wins"
                + (f", as for {plural(len(hits) - 1, 'other link')}" if len(hits) > 1 else ""),
                *places_of(subject, [each for each, _, _ in hits]),
            )


RULES: tuple[Rule, ...] = (
    rootless_ids,
    uid_wrap,
    device_node,
    overlay_marks,
    attribute_dropped,
    global_header,
    hidden_bytes,
    time_out_of_range,
    root_attributes,
    link_metadata,
)
