"""Single tar entries that mean something else than they seem to, or something else to every tool."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from imagepeel.evidence import text
from imagepeel.findings.finding import Finding, columns, figure
from imagepeel.findings.names import Hit
from imagepeel.findings.rule import Rule, by_notes, rule
from imagepeel.findings.semantics.codes import MOST, Degree, Noted
from imagepeel.formats.filecaps import XATTR
from imagepeel.formats.tar.header import DIRECTORY, PAX_GLOBAL, REGULAR
from imagepeel.formats.tar.metas import Meta
from imagepeel.text import exact, listed, plural

if TYPE_CHECKING:
    from imagepeel.findings.subject import Subject

_ROOTLESS = 65_536


def of_all_layers(groups: Iterable[Noted]) -> list[Noted]:
    """Put the groups of one degree together, whatever layers they are of: one fact of the image, one finding."""
    by_degree: dict[Degree, list[Noted]] = {}
    for each in groups:
        by_degree.setdefault(each.degree, []).append(each)
    joined = []
    for degree, mine in by_degree.items():
        notes = tuple(note for each in mine for note in each.notes)
        left = sum(each.more for each in mine) + len(notes[MOST:])
        joined.append(Noted(code=mine[0].code, layer=None, degree=degree, notes=notes[:MOST], more=left))
    return joined


def paths_of(noted: Noted, most: int = 4) -> str:
    """The paths of the first notes of a group in words, and how many more there are."""
    paths = list(dict.fromkeys(note.where.path or "" for note in noted.notes))
    shown = paths[:most]
    left = noted.count - len(noted.notes) + len(paths) - len(shown)
    return listed([*shown, f"{left:,} more"] if left else shown, most + 1)


@rule(
    "ROOTLESS-IDS",
    "A file belongs to a uid that rootless engines do not have",
    "medium",
    "strengths",
    "deployments",
    why="""A user namespace usually has 65,536 ids.  Rootless podman and Docker cannot give a file to a uid beyond that,
    and the pull fails: potentially insufficient UIDs or GIDs available in user namespace.""",
    fix="build with ids below 65536 (a corporate uid often sneaks in by COPY or tar)",
    codes="W38, F40",
    sources="podman#12715, podman#22092, reveal-md#450",
)
def rootless_ids(rule: Rule, subject: Subject) -> Iterator[Finding]:
    def wide(meta: Meta) -> bool:
        # A number of more than 32 bits wraps, and UID-WRAP says to whom the file then belongs.
        return meta.type != PAX_GLOBAL and any(_ROOTLESS <= each <= 0xFFFFFFFF for each in (meta.uid, meta.gid))

    hits = subject.entries_where(wide, 2000)
    if hits:
        metas = [subject.layers[hit.layer].table.meta(hit.entry) for hit in hits]
        highest = max(each for meta in metas for each in (meta.uid, meta.gid) if each <= 0xFFFFFFFF)
        more = "at least " if len(hits) >= 2000 else ""
        yield rule.report(
            f"{more}{plural(len(hits), 'entry', 'entries')} with ids up to {highest}, such as "
            f"{listed([text(hit.path) for hit in hits], 2)}: rootless engines with 65,536 ids cannot unpack them",
            *[subject.place(hit) for hit in hits[:10]],
            profiles=("podman rootless",),
        )


_CAPABILITY = b"SCHILY.xattr." + XATTR
_TRUSTED = b"SCHILY.xattr.trusted."


@rule(
    "ROOTLESS-DROPS",
    "Something that an engine without root cannot keep",
    "info",
    "friends",
    "deployments",
    why="""An engine without root unpacks in a user namespace, or in none.  There, file capabilities hold for that
    namespace alone and need a store with extended attributes (without: lsetxattr security.capability: operation not
    supported); attributes of the trusted namespace cannot be set; and outside of a user namespace nobody reads back
    what has mode 000.  Device nodes, owners beyond the map and the overlay's own marks have rules of their own.  Fifos,
    links and set-uid bits of root's files are kept.""",
    fix="grant capabilities at run time (--cap-add), and give files a mode that their owner can read",
    sources="user_namespaces(7), capabilities(7), xattr(7), slime#807",
    decides="whether the image must also unpack without root",
)
def rootless_drops(rule: Rule, subject: Subject) -> Iterator[Finding]:
    if subject.foreign:
        return
    capable, trusted = [], []
    for layer in subject.layers:
        for index, extra in layer.table.extras.items():
            if _CAPABILITY in extra.pax:
                capable.append(Hit(layer.index, index, b"/" + layer.table.path(index)))
            if any(key.startswith(_TRUSTED) and not key.startswith(_TRUSTED + b"overlay.") for key in extra.pax):
                trusted.append(Hit(layer.index, index, b"/" + layer.table.path(index)))
    closed = subject.entries_where(lambda meta: meta.type in (REGULAR, DIRECTORY) and not meta.mode & 0o777, 500)
    kinds = (
        ("with file capabilities", subject.shown(capable)),
        ("with trusted attributes", subject.shown(trusted)),
        ("of mode 000", subject.shown(closed)),
    )
    told = [(f"{plural(len(hits), 'path')} {what} ({paths(hits)})", hits) for what, hits in kinds if hits]
    if told:
        words = listed([words for words, _ in told])
        yield rule.report(
            f"an engine without root, or a store without extended attributes, may not keep {words}",
            *[subject.place(hit) for _, hits in told for hit in hits[:4]],
        )


def paths(hits: list[Hit]) -> str:
    """The first paths of some members."""
    return listed([text(hit.path) for hit in hits], 3)


UID_WRAP = rule(
    "UID-WRAP",
    "An owner id does not fit and becomes root",
    "medium",
    "headcount",
    "infosec",
    why="""A tar can store ids larger than Linux has.  4294967296 is cut to 0, and 4294967295 means "leave as it is",
    which is root for a new file.""",
    fix="pack with ids below 4294967295",
    of="UIDWRAP",
    lesser={Degree.SIGNED: "info"},
    sources="chown(2), CVE-2024-40635",
)(by_notes())


@rule(
    "DEVICE-NODE",
    "Device nodes are in a layer",
    "low",
    "strengths",
    "kernel",
    why="""Runtimes mount their own /dev, so nodes there are never seen; elsewhere they are an open door to a disk.
    Rootless engines cannot create them and skip them or fail.""",
    fix="leave them out: tar --exclude=./dev",
    of="DEVICE",
    lesser={Degree.BELOW_DEV: "info"},
    sources="moby#53299, user_namespaces(7)",
)
def device_node(rule: Rule, subject: Subject) -> Iterator[Finding]:
    for noted in of_all_layers(subject.surprises.of("DEVICE")):
        where = "below /dev, where every runtime mounts its own" if noted.degree == Degree.BELOW_DEV else "outside /dev"
        lost = "" if noted.degree == Degree.BELOW_DEV else "; an engine without root leaves them out or fails"
        message = f"{plural(noted.count, 'device node')} {where}: {paths_of(noted)}{lost}"
        yield rule.noted(subject, noted, message)


OVERLAY_MARKS = rule(
    "OVERLAY-MARKS",
    "A layer carries the overlay's own marks",
    "medium",
    "strengths",
    "kernel",
    why="""A character device 0:0 is how overlayfs itself writes "removed", and trusted.overlay.* attributes say opaque,
    redirected or whited out.  Somebody packed an upper directory as it lay on disk.  containerd drops the attributes,
    Docker and podman obey them, and scanners see neither.""",
    fix="create layers with a builder, not by tarring /var/lib/docker/overlay2",
    of="OVLXATTR",
    sources="overlayfs.rst",
)(by_notes())

ATTRIBUTE_DROPPED = rule(
    "ATTRIBUTE-DROPPED",
    "An extended attribute does not arrive, or only with some engines",
    "low",
    "strengths",
    "tooling",
    why="""Runtimes read SCHILY.xattr.* records.  LIBARCHIVE.xattr and SCHILY.acl are ignored by all,
    trusted.* by containerd alone, security.selinux by podman alone, and a name without a
    namespace makes Docker refuse the layer.""",
    fix="pack with GNU tar --xattrs, and only attributes of the user and security namespaces",
    of="XATTRDROP",
    sources="containerd pkg/archive/tar.go, containers/storage pkg/archive",
)(by_notes())

GLOBAL_HEADER = rule(
    "GLOBAL-HEADER",
    "A PAX global header is in a layer",
    "low",
    "strengths",
    "tooling",
    why="""`git archive` writes one.  Go ignores its values, Python's tarfile applies them to every later entry (it can
    rename all files), and umoci refuses the layer.""",
    fix="pack without it: git archive | tar x, then tar again",
    of="PAXGLOBAL",
    sources="POSIX.1 pax, golang/go archive/tar",
)(by_notes())


@rule(
    "HIDDEN-BYTES",
    "Bytes are shipped and verified that no runtime shows",
    "medium",
    "headcount",
    "infosec",
    why="""A tar ends with two blocks of zeros, and what follows is part of the DiffID and of every pull, but is
    unpacked by nobody.  A whiteout may carry data too.  A good place to hide something from a scanner.""",
    fix="look at them with the receipt; build the layer again",
    of="HIDDENTAIL",
    sources="containerd core/diff/apply, POSIX.1 ustar",
)
def hidden_bytes(rule: Rule, subject: Subject) -> Iterator[Finding]:
    for noted in subject.surprises.of("HIDDENTAIL"):
        if noted.degree != Degree.IN_WHITEOUT:
            yield from (rule.report(f"layer {subject.label(note)}: {note.message}", note.where) for note in noted.notes)
            continue
        table = subject.layers[noted.layer or 0].table
        parts = [(note.where.path or "", table.stored_size(note.where.entry or 0)) for note in noted.notes]
        least = "at least " if noted.more else ""
        total = exact(sum(value for _, value in parts))
        yield rule.noted(
            subject,
            noted,
            f"{plural(noted.count, 'whiteout')} {'carries' if noted.count == 1 else 'carry'} {least}{total} of data",
            figures=[figure("data in whiteouts", "bytes", *columns(parts))],
        )


TIME_OUT_OF_RANGE = rule(
    "TIME-OUT-OF-RANGE",
    "A modification time does not survive",
    "low",
    "strengths",
    "tooling",
    why="""Go keeps times as 64 bits of nanoseconds since 1970.  Earlier and much later times become 1970-01-01 with
    containerd, Docker and podman, while other tools keep them.""",
    fix="pack with times between 1970 and 2262",
    of="MTIMECLAMP",
    sources="containerd pkg/archive/tar.go boundTime",
)(by_notes())

ROOT_ATTRIBUTES = rule(
    "ROOT-ATTRIBUTES",
    "A layer describes the root directory, and engines disagree on it",
    "medium",
    "strengths",
    "tooling",
    why="""containerd and Docker make / with mode 0755 of root, whatever the tar says; other engines apply owner and
    mode of a `./` entry, so there the user may own the root directory, or not be able to enter it.""",
    fix="leave out the entry for the root, or give it mode 0755 and owner 0:0",
    of="ROOTATTR",
    lesser={Degree.ATTRIBUTES_ONLY: "low"},
    advisories="CVE-2021-29136",
)(by_notes())

LINK_METADATA = rule(
    "LINK-METADATA",
    "A hardlink entry changes the file it links to",
    "low",
    "strengths",
    "tooling",
    why="""All names of a hardlinked file share one owner and mode.  Runtimes apply the header of every hardlink entry
    to it, so the last one wins; other extractors ignore it.""",
    fix="give all entries of one file the same owner, mode and time",
    of="LINKMETA",
    lesser={Degree.TIME_ONLY: "info"},
    sources="containerd pkg/archive/tar.go",
)(by_notes())

RULES: tuple[Rule, ...] = (
    rootless_ids,
    rootless_drops,
    UID_WRAP,
    device_node,
    OVERLAY_MARKS,
    ATTRIBUTE_DROPPED,
    GLOBAL_HEADER,
    hidden_bytes,
    TIME_OUT_OF_RANGE,
    ROOT_ATTRIBUTES,
    LINK_METADATA,
)
