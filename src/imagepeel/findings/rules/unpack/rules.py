"""Layers that runtimes refuse to unpack, by cause.  Each is a start failure: there is no container at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Literal

from imagepeel.evidence import Location, layer_label, text
from imagepeel.findings.finding import Finding, Role, Severity
from imagepeel.findings.rule import Rule, rule
from imagepeel.findings.semantics.codes import Code, Degree, Noted
from imagepeel.findings.semantics.notes import ONTO
from imagepeel.formats.tar.header import GNU_SPARSE
from imagepeel.formats.tar.whiteouts import Mark, hidden_path, parse
from imagepeel.loading.docker import MOST_LAYERS
from imagepeel.process.engines.registry import CONTAINERD, KUBERNETES
from imagepeel.process.spec.failure import FailureCode
from imagepeel.text import joined, listed, without_middle

if TYPE_CHECKING:
    from imagepeel.findings.subject import Subject
    from imagepeel.formats.tar.table import Entry
    from imagepeel.rootfs.tree.changes import Refusal

_ENGINES = (CONTAINERD,)


def _entry(subject: Subject, refusal: Refusal) -> Entry | None:
    table = subject.layers[refusal.layer].table
    return table[refusal.entry] if refusal.entry < len(table) else None


def cause(subject: Subject) -> str:
    """Which rule of this file explains the refusal; "" without a refusal."""
    refusal = subject.rootfs.refusal
    if refusal is None or (subject.image.knowledge.lacks_layers and not any(layer.error for layer in subject.layers)):
        return ""
    entry = _entry(subject, refusal)
    if entry is None:
        layer = subject.layers[refusal.layer]
        error = layer.error
        return "DAMAGED-STREAM" if error is not None and error.code == "stream-damaged" else "DAMAGED-TAR"
    if entry.type == GNU_SPARSE:
        return "OLD-SPARSE"
    if entry.kind in ("unknown", "global-header"):
        return "UNKNOWN-ENTRY-TYPE"
    if entry.kind == "hardlink":
        return "LINK-ACROSS-LAYERS" if _is_below(subject, refusal.layer, entry) else "LINK-WITHOUT-TARGET"
    if entry.is_whiteout:
        whiteout = parse(entry.name)
        nameless = whiteout is not None and whiteout.mark is Mark.NAMELESS
        return "WHITEOUT-NAMELESS" if nameless else "WHITEOUT-ORDER"
    if _after_whiteout(subject, refusal.layer, entry):
        return "WHITEOUT-ORDER"
    return "UNPACK-REFUSED"


def _is_below(subject: Subject, layer: int, entry: Entry) -> bool:
    """Whether the target of a hardlink is an entry of a lower layer and not of this one."""
    target = b"/" + b"/".join(part for part in entry.link.split(b"/") if part not in (b"", b"."))
    for index in range(layer, -1, -1):
        table = subject.layers[index].table
        directory, _, name = target[1:].rpartition(b"/")
        try:
            number = table.dirs.index(directory)
        except ValueError:
            continue
        dirs = table.dir_ids
        if any(at == number and table.basename(i) == name for i, at in enumerate(dirs)):
            return index < layer
    return False


def _after_whiteout(subject: Subject, layer: int, entry: Entry) -> bool:
    """Whether a whiteout of the same layer removes the entry's own path or a directory it stands in."""
    for hit in subject.names.whiteouts():
        if hit.layer != layer:
            continue
        gone = hidden_path(hit.path)
        if entry.path == gone or entry.path.startswith(gone + b"/"):
            return True
    return False


def _refused(
    id: str,
    title: str,
    *,
    why: str,
    fix: str,
    codes: str = "",
    sources: str = "",
    role: Role = "tooling",
    of: Code | Literal[""] = "",
    lesser: Mapping[str, Severity] | None = None,
) -> Rule:
    def check(rule: Rule, subject: Subject) -> Iterator[Finding]:
        refusal = subject.rootfs.refusal
        mine = refusal if refusal is not None and cause(subject) == rule.id else None
        told: list[Noted] = []
        for noted in subject.surprises.of(of):
            if of == "WHNAME" and noted.degree != Degree.NAMELESS:
                continue
            if mine is not None and noted.layer == mine.layer and rule.severity_of(noted) == rule.severity:
                told.append(noted)
            else:
                yield rule.noted(subject, noted)
        if mine is not None:
            yield _finding(rule, subject, mine, told)

    made = rule(
        id, title, "high", "strengths", role, why=why, fix=fix, codes=codes, sources=sources, of=of, lesser=lesser
    )
    return made(check)


def _finding(rule: Rule, subject: Subject, refusal: Refusal, noted: list[Noted]) -> Finding:
    """What containerd says about the first entry that it refuses, and the notes of the same kind in that layer."""
    entry = _entry(subject, refusal)
    place = (
        subject.at(refusal.layer, refusal.entry)
        if entry is not None
        else Location(layer=refusal.layer, layer_offset=refusal.offset, path=refusal.path or None)
    )
    name = without_middle(text(entry.raw_name) if entry is not None else refusal.path)
    where = f"entry {refusal.entry} ({name})" if name else f"entry {refusal.entry}"
    others = [note for each in noted for note in each.notes if note.where.entry != refusal.entry]
    stores = _other_stores(subject, refusal.layer)
    return rule.report(
        f"containerd cannot unpack layer {layer_label(refusal.layer)}: "
        f"{without_middle(refusal.reason, 200)}, at {where}{f'; nor can {joined(stores)}' if stores else ''}",
        place,
        *[note.where for note in others],
        profiles=(*_ENGINES, *stores),
        details=[
            "what is shown of this image is the best effort of the specification without the refused entries",
            *([f"{ONTO} take it"] if subject.surprises.unlike.note is not None else []),
            *[f"entry {note.where.entry} ({without_middle(note.where.path or '')}): {note.message}" for note in others],
        ],
    )


def _other_stores(subject: Subject, layer: int) -> list[str]:
    """The engines without containerd's store that stop in the same layer."""
    return [
        verdict.engine
        for verdict in subject.unloaded
        if verdict.id is FailureCode.UNPACK_REFUSED
        and verdict.engine not in (CONTAINERD, KUBERNETES)
        and verdict.where is not None
        and verdict.where.layer == layer
    ]


WHITEOUT_ORDER = _refused(
    "WHITEOUT-ORDER",
    "A whiteout and what it removes stand in the same layer",
    why="""Within one layer a path may be removed or brought, not both in this order.  Overlay engines turn a whiteout
    into a device with the name of the file: a second entry of that name cannot be made any more, and unpacking stops.
    The specification says that whiteouts only concern lower layers.""",
    fix="write whiteouts first, and a removed directory that is made again as an opaque one",
    sources="image-spec layer.md Whiteouts, project-stacker/stacker#627",
    of="ORDER",
)
WHITEOUT_NAMELESS = _refused(
    "WHITEOUT-NAMELESS",
    "A whiteout names nothing, or the directory itself",
    why="""`.wh.`, `.wh..` and `.wh...` leave an empty name, `.` or `..`.  Engines refuse them; an extractor that
    follows them deletes the directory around it.""",
    fix="remove the entry",
    sources="image-spec layer.md: MUST NOT remove resources from outside",
    role="infosec",
    of="WHNAME",
)
LINK_ACROSS_LAYERS = _refused(
    "LINK-ACROSS-LAYERS",
    "A hardlink points into a lower layer",
    why="""Engines unpack each layer alone, so the target is not there: link: no such file or directory.  Engines that
    apply layers one after the other do not notice.""",
    fix="pack the target into the same layer, or make it a symbolic link",
    sources="image-spec layer.md Hardlinks",
    of="XLINK",
    lesser={Degree.LINK_VANISHES: "medium"},
)
LINK_WITHOUT_TARGET = _refused(
    "LINK-WITHOUT-TARGET",
    "A hardlink has no target",
    why="""The target is missing, comes later in the same layer, or is a directory.  A tar is unpacked in order, so a
    hardlink can only name what stands before it.""",
    fix="write the target before its hardlinks",
    sources="image-spec layer.md Hardlinks",
)
OLD_SPARSE = _refused(
    "OLD-SPARSE",
    "A file is stored in the old GNU sparse format",
    why="""GNU tar writes files with holes as type S.  Every Go runtime refuses that type, although the same libraries
    could read it.""",
    fix="tar --sparse --format=posix, or without --sparse",
    sources="docker/cli#6153, GNU tar manual",
    of="SPARSE83",
)
UNKNOWN_TYPE = _refused(
    "UNKNOWN-ENTRY-TYPE",
    "An entry has a type that runtimes do not handle",
    why="""A tar can hold contiguous files, dump directories and volume labels.  Container runtimes stop at them:
    unhandled tar header type.""",
    fix="pack with GNU tar --format=posix or bsdtar",
    sources="containerd pkg/archive/tar.go",
)
DAMAGED_TAR = _refused(
    "DAMAGED-TAR",
    "The tar of a layer breaks off",
    why="""A header is damaged or the stream is cut.  Runtimes refuse the layer; some tools (Python's tarfile among
    them) silently stop listing, so that later files seem never to have existed.""",
    fix="build or fetch the image again",
    codes="tar-damaged",
    sources="POSIX.1 pax, golang/go archive/tar",
    role="operations",
    of="HDRDATA",
)
DAMAGED_STREAM = _refused(
    "DAMAGED-STREAM",
    "The compressed bytes of a layer are damaged",
    why="""The gzip or zstd stream ends early, fails its own check, or is followed by something else.  No runtime
    unpacks it.""",
    fix="build or fetch the image again",
    codes="stream-damaged",
    sources="RFC 1952, RFC 8878",
    role="operations",
)
UNPACK_REFUSED = _refused(
    "UNPACK-REFUSED",
    "containerd refuses to unpack a layer",
    why="""The runtime stops at an entry that it cannot create: a name too long for Linux, a path through a file, a loop
    of links.""",
    fix="pack the layer without that entry",
    codes="F63",
    sources="containerd pkg/archive/tar.go",
)


@rule(
    "STORE-REFUSES-LAYER",
    "An engine's own store refuses to unpack a layer that containerd takes",
    "high",
    "strengths",
    "deployments",
    why="""Docker's graph drivers, podman and CRI-O unpack layers with extractors of their own, which stop at entries
    that containerd accepts: below a link that leads nowhere within its layer, or with an attribute that cannot be set.
    The image cannot be loaded there.""",
    fix="give every entry its directories, and write nothing below a link of the same layer",
    sources="nixpkgs#107021, moby pkg/archive, containers/storage pkg/archive",
)
def store_refuses_layer(rule: Rule, subject: Subject) -> Iterator[Finding]:
    if subject.rootfs.refusal is not None:
        return
    told = [layer.location for layer in subject.layers[MOST_LAYERS : MOST_LAYERS + 1]]  # by TOO-MANY-LAYERS
    refused = [verdict for verdict in subject.unloaded if verdict.id is FailureCode.UNPACK_REFUSED]
    refused = [verdict for verdict in refused if verdict.where not in told]
    if not refused:
        return
    first = refused[0]
    engines = listed([verdict.engine for verdict in refused])
    yield rule.report(
        f"{engines} cannot unpack the image, which containerd can: {without_middle(first.why, 300)}",
        *([first.where] if first.where is not None else []),
        profiles=tuple(verdict.engine for verdict in refused),
    )


RULES: tuple[Rule, ...] = (
    WHITEOUT_ORDER,
    WHITEOUT_NAMELESS,
    LINK_ACROSS_LAYERS,
    LINK_WITHOUT_TARGET,
    OLD_SPARSE,
    UNKNOWN_TYPE,
    DAMAGED_TAR,
    DAMAGED_STREAM,
    UNPACK_REFUSED,
    store_refuses_layer,
)
