"""Chapter 1: what the file is, by which rule, and what lies in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from imagepeel.archive.members import Member, Members, SubdirectoryMembers
from imagepeel.archive.select import not_examined
from imagepeel.archive.tar_members import TarMembers
from imagepeel.evidence import Location, Receipt, text
from imagepeel.present.document import AnnotatedBytes as Bytes
from imagepeel.present.document import (
    Block,
    Column,
    Piece,
    ReceiptRef,
    Row,
    Span,
    Table,
    Text,
    claim,
    code,
    dim,
    note,
    path,
    plain,
    proof,
    term,
    value,
    words,
)
from imagepeel.present.story.context import StoryContext, marked
from imagepeel.receipts.quoting import is_tame
from imagepeel.text import few, listed, noun, number, plural, short_digests, shortened, size, title

if TYPE_CHECKING:
    from imagepeel.image import LayeredImage

ID = "file"
_NAME = 28
"""Characters up to which the name of a member is not wrapped: a short digest and a file fit."""
_SHOWN = 12
"""Members in the table; a projector holds no more."""


def archive_bytes(context: StoryContext) -> int | None:
    """Size of the archive in bytes: of the tar (decompressed), or of all files of a directory; None if unknown."""
    members = outermost(context.archive.members)
    if isinstance(members, TarMembers):
        return members.archive.size
    if members.medium == "directory":
        return sum(member.size for member in members)
    return None


def outermost(members: Members) -> Members:
    """The members of the whole archive where the image lies one level down."""
    return outermost(members.base) if isinstance(members, SubdirectoryMembers) else members


def chapter(context: StoryContext) -> tuple[str, list[Block]]:
    """Return title and blocks of the chapter."""
    blocks: list[Block] = []
    _opening(context, blocks)
    _rule(context, blocks)
    _others(context, blocks)
    if not context.bare:
        blocks.append(_table(context))
    _tar_header(context, blocks)
    _oddities(context, blocks)
    blocks.append(ReceiptRef(receipt=_listing(context)))
    return _title(context), blocks


def _title(context: StoryContext) -> str:
    if context.archive.medium == "directory":
        return "It is an image in a registry" if context.archive.elsewhere else "It is a directory"
    wrapping = context.archive.wrapping
    if wrapping:
        return f"It is a tarball, packed with {' and '.join(wrapping)}"
    return "It is a tarball"


def _listing(context: StoryContext) -> Receipt:
    return context.receipts.listing(_first_tame(context))


def _first_tame(context: StoryContext) -> str:
    for member in outermost(context.archive.members):
        name = text(member.raw_name)
        if is_tame(member.raw_name) and member.kind == "file":
            return name
        break
    return ""


def _opening(context: StoryContext, blocks: list[Block]) -> None:
    archive, receipts = context.archive, context.receipts
    held = archive_bytes(context) or 0
    members = outermost(archive.members)
    count = sum(1 for _ in members)
    if context.bare and context.here:
        # Its members are the entries of the layer; a reader that gives up at one has still met it.
        count = sum(entry.kind != "global-header" for entry in context.here[0].table)
    folders = sum(1 for member in members if member.kind == "dir")
    # The table below leaves directories out; with their number its rows add up to the members.
    of_which = f", {number(folders)} of them {'directories' if folders > 1 else 'a directory'}"
    if context.bare or not folders:
        of_which = ""
    untouched = "Nothing was unpacked to disk to read it, and no daemon was asked."
    if archive.elsewhere:
        untouched = f"It came from {archive.name}; nothing was unpacked to disk to read it."
    if archive.medium == "directory":
        files = [member for member in members if member.kind == "file"]
        if archive.elsewhere:
            blocks.append(
                claim(
                    path(archive.name), " is, copied as it lies there, a directory with ",
                    value(plural(len(files), "file")), ", ", value(size(held)), " together. What is looked at is "
                    "fetched, and nothing is unpacked to disk.",
                    by=proof(Location(member=members.name), _listing(context)),
                )
            )  # fmt: skip
            _copying(context, blocks)
            return
        blocks.append(
            claim(
                path(context.name), " is a directory with ", value(plural(len(files), "file")), ", ", value(size(held)),
                " together. It is what an image archive is before it is packed. No daemon was asked to read it.",
                by=proof(Location(member=members.name), _listing(context)),
            )
        )  # fmt: skip
        return
    size_receipt = (
        receipts.size(receipts.tar_stream(), held, "bytes of the tar")
        if archive.wrapping
        else receipts.archive_size(held)
    )
    packed = (
        (
            " packed with ",
            value(" and ".join(archive.wrapping)),
            ": ",
            value(size(archive.file_size or 0)),
            ", ",
            value(size(held)),
            " once decompressed, with ",
        )
        if archive.wrapping
        else (" of ", value(size(held)), " with ")
    )
    blocks.append(
        claim(
            "The stream" if receipts.streamed else path(context.name), " is a tar file", *packed,
            value(plural(count, "member")), of_which, ". ", untouched,
            by=proof(context.archive_place(), size_receipt, _listing(context)),
        )
    )  # fmt: skip
    _copying(context, blocks)


def _copying(context: StoryContext, blocks: list[Block]) -> None:
    receipts = context.receipts
    copying = receipts.copying()
    if copying is not None:
        came = "It came as a stream" if receipts.streamed else "It is no file of this machine"
        how = (": ", code(copying)) if copying else (" as ", code(receipts.file))
        blocks.append(note(f"{came}. To run the commands below, save it first", *how, "."))


def _rule(context: StoryContext, blocks: list[Block]) -> None:
    archive = context.archive
    seen = archive.detection
    place = Location(member=seen.saw[0]) if seen.saw and archive.members.get(seen.saw[0]) else context.archive_place()
    receipt = _rule_receipt(context) or _listing(context)
    blocks.append(
        claim(
            "How to tell: ", Span(seen.sentence), ".", by=proof(place, receipt),
        )
    )  # fmt: skip
    producer = archive.producer
    if producer is not None:
        blocks.append(
            claim(
                "Probably written by ", value(producer.name), ": ", Span(producer.habit), ".",
                by=proof(place, _listing(context)),
            )
        )  # fmt: skip
    different = [anomaly for anomaly in archive.anomalies if anomaly.code == "TWO-IMAGES"]
    for anomaly in different:
        stream = context.receipts.named("manifest.json")
        show = context.receipts.json(stream, "/0/Config", "the config that manifest.json names") if stream else None
        blocks.append(
            claim(
                Span(title(anomaly.message), "bad"),
                ". Docker's classic store loads manifest.json, containerd loads index.json: ",
                "what runs depends on who reads.",
                by=proof(anomaly.where, show), level="bad",
            )
        )  # fmt: skip
    formats = archive.runnable[0].formats if len(archive.runnable) == 1 else ()
    if len(formats) == 2 and not different:
        blocks.append(
            claim(
                "Both were read, and both describe the same image.",
                by=proof(*(Location(member=format.start) for format in formats), receipt),
            )
        )


def _rule_receipt(context: StoryContext) -> Receipt | None:
    receipts = context.receipts
    name, pointer = context.archive.kind.points
    stream = receipts.named(name)
    return receipts.json(stream, pointer, f"where {name} points first") if stream is not None else None


def _others(context: StoryContext, blocks: list[Block]) -> None:
    """Several images, and what is stored like one."""
    archive, image = context.archive, context.image
    images = archive.runnable
    command = f"imagepeel images {context.receipts.file}"
    by = proof(_top(context), _rule_receipt(context) or _listing(context))
    if len(images) > 1:
        why = ", as asked" if image.asked else f", because {image.reason}" if image.reason else ""
        beside = [record.numbered for record in image.beside]
        told = (Span(not_examined(image.record.number, beside)), ". ") if beside else ()
        names = listed(list(dict.fromkeys(filter(None, (_called(record.tags) for record in images)))), 4)
        blocks.append(
            claim(
                "It names ", value(number(len(images))), " images", f" ({names})" if names else "",
                ". This is the story of number ", value(image.record.number), why, ". ", *told, "All of them: ",
                code(command), ".",
                by=by,
            )
        )  # fmt: skip
    if image.record.knowledge.artifact:
        blocks.append(claim("This is ", Span(image.record.in_words), ".", by=by))
    found = Counter(context.other_kinds())
    for (what, about), count in found.items():
        lead = "Beside it lies " if count == 1 else "Beside it lie "
        blocks.append(claim(lead, value(few(count)), f" {noun(count, what)}: {about}.", by=by))


def _called(tags: tuple[str, ...]) -> str:
    return shortened(tags[0], 40) if tags else ""


def _top(context: StoryContext) -> Location:
    for name in context.archive.kind.roles:
        if context.archive.members.get(name) is not None:
            return Location(member=name)
    return context.archive_place()


# ---- the table of members ---------------------------------------------------------------------------------


def roles(context: StoryContext) -> dict[str, Text]:
    """What each member is, by name: of this image first, then by its own name."""
    archive = context.archive
    found: dict[str, Text] = {}
    for name, role in (*_roles_in_image(context.image), *_roles_in_others(context)):
        found.setdefault(name, role)
    found.update((name, marked(role)) for name, role in archive.kind.roles.items())
    for member in archive.members:
        leaf = archive.kind.leaves.get(member.name.rpartition("/")[2])
        if leaf is not None:
            found.setdefault(member.name, marked(leaf))
        elif archive.kind.is_legacy(member.name):
            found.setdefault(member.name, words(dim("for Docker before 1.10")))
    whole = all(record.knowledge.layer_list for record in archive.records)
    for member in archive.unreferenced:
        nothing = "nothing" if whole else "nothing that is here"
        found.setdefault(member.name, words(dim(f"{nothing} points at it")))
    return found


def _roles_in_image(image: LayeredImage) -> Iterator[tuple[str, Text]]:
    """Yield the members that belong to the image of the story."""
    record = image.record
    for layer in image.layers:
        if layer.record.member and layer.record.stored is not None:
            state = "" if layer.state in ("present", "no layer") else f" ({layer.state})"
            what = "part " if layer.state == "no layer" else "layer "
            yield layer.record.member, words(what, value(layer.label), Span(state, "bad"))
        for via in layer.record.via:
            yield via, words("a link to layer ", value(layer.label))
    if record.config_member:
        yield record.config_member, words("the ", term("config"))
    if record.manifest_member:
        yield record.manifest_member, words("the ", term("manifest"))


def _roles_in_others(context: StoryContext) -> Iterator[tuple[str, Text]]:
    """Yield the indexes, and the members that belong to other images and artifacts."""
    archive = context.archive
    told: set[str] = set()  # images share layers: a role is worded for the first of them alone
    for index in archive.indexes:
        if index.member and index.member != "index.json":
            yield index.member, words("an ", term("index"), ": a list of manifests")
    for other in archive.records:
        if other is context.image.record:
            continue
        called = f"image {other.number}" if other.runnable else f"{other.kind} {other.number}"
        if other.manifest_member:
            yield other.manifest_member, words(f"manifest of {called}")
        if other.config_member:
            yield other.config_member, words(f"config of {called}")
        for item in other.layers:
            if item.member and item.member not in told and item.stored is not None:
                told.add(item.member)
                yield item.member, words(f"layer of {called}" if other.runnable else f"part of {called}")


def _table(context: StoryContext) -> Table:
    known = roles(context)
    members = [member for member in context.archive.members if member.kind in ("file", "symlink", "hardlink")]
    shown = members
    if len(members) > _SHOWN:
        # This image's own parts say more than the first twelve of a long list.
        own, kind = _own(context), context.archive.kind
        ranked = sorted(
            members,
            key=lambda one: (
                one.name not in kind.roles, one.name not in own, one.name not in known, kind.is_legacy(one.name),
                one.index,
            ),
        )  # fmt: skip
        keep = {id(member) for member in ranked[:_SHOWN]}
        shown = [member for member in members if id(member) in keep]
    directory = context.receipts.directory
    rows = [_row(context, member, known.get(member.name), directory) for member in shown]
    widest = max((len(plain(one.cells[-2])) for one in rows), default=0)
    columns = [
        *(() if directory else (Column("offset", right=True, keep=True),)),
        Column("size", right=True, keep=True),
        Column("member", keep=widest <= _NAME),
        Column("what it is"),
    ]
    return Table(
        columns=tuple(columns),
        rows=tuple(rows),
        hidden=len(members) + _outside(context) - len(shown),
        all=_listing(context).command,
    )


def _outside(context: StoryContext) -> int:
    """Count the files of the archive that lie beside the directory of the image."""
    inner = context.archive.members
    if outermost(inner) is inner:
        return 0
    kinds = ("file", "symlink", "hardlink")
    return sum(one.kind in kinds for one in outermost(inner)) - sum(one.kind in kinds for one in inner)


def _own(context: StoryContext) -> set[str]:
    record = context.image.record
    return {record.config_member, record.manifest_member, *(layer.member for layer in record.layers)}


def _row(context: StoryContext, member: Member, role: Text | None, directory: bool) -> Row:
    waiting = any(record.later is not None for record in context.archive.records)
    unused = "not of an image that was read" if waiting else "not used"
    unnamed = "read on the way" if member.name in context.archive.used else unused
    if member.target:
        unnamed = f"a link to {short_digests(member.target)}"
    what = role or words(dim(unnamed))
    if member.truncated:
        what = words(what, Span(" (cut off)", "bad"))
    cells: list[Text] = [] if directory else [words(number(member.header_offset or 0))]
    cells.extend((words(value(size(member.size))), words(path(_short(member.name))), what))
    place = Location(member=member.name, archive_offset=member.header_offset)
    receipt = _listing(context)
    if member.kind == "file" and not member.truncated and member.name not in context.archive.members.own:
        stream = context.receipts.member(member)
        receipt = context.receipts.size(stream, member.size)
    return Row(cells=tuple(cells), evidence=proof(place, receipt))


def _short(name: str) -> str:
    """A name with its long hex parts cut to what people compare: the first twelve digits."""
    return shortened(short_digests(name), 60)


# ---- bytes ------------------------------------------------------------------------------------------------


def _tar_header(context: StoryContext, blocks: list[Block]) -> None:
    """The header of the first file: its name, its size in octal, and the magic."""
    members = outermost(context.archive.members)
    if not isinstance(members, TarMembers):
        return
    member = next((one for one in members if one.kind == "file" and one.offset and one.sparse is None), None)
    if member is None or member.offset is None:
        return
    start = member.offset - 512
    head = members.archive.pread(start, 512)
    stored = head[124:135].strip(b"\0 ")
    if head[257:262] != b"ustar" or not stored.isdigit():
        return
    name = head[:100].rstrip(b"\0")
    shown = context.receipts.tar_header(start, head)
    blocks.append(
        Bytes(
            caption=words(
                "In front of each member stand 512 bytes of text, its ", term("tar header"), ". The first file's:"
            ),
            pieces=(
                Piece(offset=0, data=name[:8], meaning=words("its name begins: ", path(text(name[:8])))),
                Piece(
                    offset=124,
                    data=stored,
                    meaning=words("its size in octal: ", value(plural(int(stored, 8), "byte"))),
                ),
                Piece(offset=257, data=head[257:262], meaning=words('"ustar", the magic of POSIX tar')),
            ),
            evidence=proof(
                Location(member=member.name, archive_offset=member.header_offset), shown,
                context.receipts.tar_magic(start),
            ),
        )
    )  # fmt: skip
    blocks.append(ReceiptRef(receipt=shown))


def _oddities(context: StoryContext, blocks: list[Block]) -> None:
    # These are findings with a rule of their own: chapter 6 tells them.
    told = ("TWO-IMAGES", "repositories-differ", "layer-count", "oci-manifest-missing")
    found = [anomaly for anomaly in context.archive.anomalies if anomaly.code not in told]
    for anomaly in found[:5]:
        blocks.append(
            claim(
                Span("Odd: ", "warn"), Span(anomaly.message), ".",
                by=proof(anomaly.where, _listing(context)), level="bad" if anomaly.fatal else "warn",
            )
        )  # fmt: skip
    if len(found) > 5:
        blocks.append(
            note("And ", value(few(len(found) - 5)), " more oddities of the archive: ",
                 code(f"imagepeel explain {context.receipts.file} --json"), ".")
        )  # fmt: skip


__all__ = ["ID", "archive_bytes", "chapter", "outermost", "roles"]
