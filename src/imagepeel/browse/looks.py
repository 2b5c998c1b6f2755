"""What the right pane shows of a path: its content, the bytes of its header, its facts, its life; as lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from imagepeel.errors import ImagepeelError
from imagepeel.evidence import text
from imagepeel.formats.elf.file import parse_elf
from imagepeel.formats.elf.header import is_elf
from imagepeel.masking import masked
from imagepeel.present.anatomy import anatomy_document
from imagepeel.present.blame import blame_document
from imagepeel.present.document import Claim, Document, Item, Items, Span, code, dim, item, items, path, say, section
from imagepeel.present.trace import trace_document
from imagepeel.receipts.places import Receipts
from imagepeel.render.escape import exact, terminal
from imagepeel.render.layout import Line, folded
from imagepeel.render.terminal import document_lines
from imagepeel.results.anatomy import anatomy_of_entry
from imagepeel.results.head import octal, stamp
from imagepeel.text import number, plural, size

if TYPE_CHECKING:
    from imagepeel.browse.tree import FileRow
    from imagepeel.evidence import Receipt
    from imagepeel.layers.content import EntryFile
    from imagepeel.rootfs.view import Rootfs
    from imagepeel.verbs import Image

Look = Literal["content", "bytes", "facts", "life", "blame"]
LOOKS: tuple[Look, ...] = ("content", "bytes", "facts", "life", "blame")

MOST_TEXT = 1 << 18
"""Bytes of a text that are shown; the last line says so where there are more."""
_SNIFFED = 4096
_HEX_WIDTHS = ((76, 16), (43, 8))
"""Columns that so many bytes a line take."""


class Seeing(NamedTuple):
    """Lines that are made when somebody sees them: how many, and the one with a number from 0."""

    lines: int
    line: Callable[[int], Line]


def shown(lines: list[Line]) -> Seeing:
    """Return lines that are made already."""
    return Seeing(len(lines), lines.__getitem__)


class Looks:
    """The looks at the paths of one filesystem."""

    def __init__(self, image: Image, rootfs: Rootfs) -> None:
        self.image = image
        self.rootfs = rootfs

    def look(self, row: FileRow, what: Look, width: int) -> Seeing:
        """Return what one look shows of a path in so many columns; an error of the image becomes its words."""
        try:
            if what == "content":
                return self._content(row, width)
            looks = {"bytes": self._bytes, "facts": self._facts, "life": self._life, "blame": self._blame}
            # Which image it is stands above the panes.
            document = msgspec.structs.replace(looks[what](row), headline=())
            lines = document_lines(document, width=width)
            return shown([[(words.expandtabs(4), style) for words, style in line] for line in lines])
        except ImagepeelError as error:
            return _said(error.what, width)

    def receipts(self, row: FileRow) -> list[Receipt]:
        """Return shell commands that show the tar member of a path and its content; [] for what no layer brings."""
        node = row.node
        if node.layer is None or node.entry is None:
            return []
        receipts, layer = Receipts(self.image.archive, self.image), self.image.layers[node.layer]
        out = [receipts.entry_line(layer, node.entry)]
        stream = receipts.entry(layer, node.entry) if node.kind == "file" else None
        if stream is not None:
            out.append(receipts.bytes_of(stream, f"its content in {layer.label}"))
        return [one for one in out if one is not None]

    # ---- content ------------------------------------------------------------------------------------------

    def _content(self, row: FileRow, width: int) -> Seeing:
        node = row.node
        if node.kind == "symlink":
            return _said(f"a link to {text(node.target)}", width)
        if node.kind == "dir":
            count = len(row.merged.peek()) if row.merged is not None else 0
            there = plural(count, "name") if row.merged is not None else "what the layer deletes"
            return _said(f"a directory with {there}", width)
        if node.kind != "file":
            return _said(f"a {node.kind}: it has no content", width)
        if not node.size:
            return _said("an empty file", width)
        file = self.rootfs.open(node)
        head = file.pread(0, _SNIFFED)
        return _text(file, width) if _is_text(head) else _hex(file, width)

    # ---- documents ----------------------------------------------------------------------------------------

    def _bytes(self, row: FileRow) -> Document:
        node = row.node
        if node.layer is None or node.entry is None:
            return _document(say("No tar member describes it."))
        layer = self.image.layers[node.layer]
        return anatomy_document(anatomy_of_entry(self.image, layer, layer.table[node.entry]), most=0)

    def _life(self, row: FileRow) -> Document:
        return trace_document(self.image.trace(row.path, view=self.rootfs.view, follow=False))

    def _blame(self, row: FileRow) -> Document:
        return blame_document(self.image.blame(row.path, view=self.rootfs.view, follow=False))

    def _facts(self, row: FileRow) -> Document:
        return _document(items(*self._rows(row), *self._elf(row)))

    def _rows(self, row: FileRow) -> Iterator[Item]:
        node = row.node
        yield _fact("path", path(text(row.path)))
        yield _fact("kind", node.kind + (f" to {text(node.target)}" if node.kind == "symlink" else ""))
        yield _fact("mode", octal(node.mode))
        yield _fact("owner", f"{node.uid}:{node.gid}")
        if node.kind == "file":
            yield _fact("size", f"{size(node.size)} ({number(node.size)})")
        if node.nlink > 1 and node.kind != "dir":
            yield _fact("names", number(node.nlink))
        yield _fact("time", stamp(node.mtime, exact=True) if node.mtime is not None else "that of unpacking")
        for name, content in sorted(node.xattrs.items()):
            yield _fact("xattr", f"{text(name)}={text(content)}")
        where = self.rootfs.location(node)
        yield _fact("brought by", str(where) if node.layer is not None else dim("no layer: the runtime makes it"))

    def _elf(self, row: FileRow) -> Iterator[Item]:
        node = row.node
        if node.kind != "file" or node.size < 4:
            return
        file = self.rootfs.open(node)
        if not is_elf(file.pread(0, 64)):
            return
        facts = parse_elf(file.pread, node.size)
        yield _fact("ELF", f"{facts.ehdr.type_name}, {facts.ehdr.machine_name}, {facts.ehdr.bits} bits")
        yield _fact("loader", path(text(facts.interp)) if facts.interp is not None else "none")
        for one in facts.needed:
            yield _fact("needs", code(text(one.value)))
        for name, place in (("soname", facts.soname), ("rpath", facts.rpath), ("runpath", facts.runpath)):
            if place is not None:
                yield _fact(name, code(text(place.value)))
        if facts.build_id:
            yield _fact("build id", facts.build_id)


def _document(*blocks: Claim | Items) -> Document:
    return Document(title="", headline=(), sections=(section(*blocks),))


def _fact(name: str, what: Span | str) -> Item:
    return item(what, label=name)


def _said(sentence: str, width: int) -> Seeing:
    return shown(folded([(terminal(sentence), "")], width))


def _is_text(head: bytes) -> bool:
    if b"\0" in head:
        return False
    try:
        # The last character may be cut.
        head[: max(1, len(head) - 3)].decode()
    except UnicodeDecodeError:
        return False
    return True


def _text(file: EntryFile, width: int) -> Seeing:
    data = file.pread(0, MOST_TEXT)
    lines: list[Line] = []
    # Secrets may be longer than a line: masked first, then cut.
    for one in masked(text(data)).removesuffix("\n").split("\n"):
        lines += folded([(exact(one.expandtabs(4)), "")], width)
    if file.size > len(data):
        lines.append([(f"... {size(file.size - len(data))} more: c copies the command that shows all", "2")])
    return shown(lines)


def _hex(file: EntryFile, width: int) -> Seeing:
    """Return the bytes of a file in hex, read where somebody looks."""
    step = next((count for columns, count in _HEX_WIDTHS if width >= columns), 4)

    def line(at: int) -> Line:
        data = file.pread(at * step, step)
        letters = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in data)
        return [(f"{at * step:08x}  ", "2"), (f"{data.hex(' '):<{step * 3}}", ""), (f" {letters}", "36")]

    return Seeing(-(-file.size // step), line)
