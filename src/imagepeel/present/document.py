"""What is shown, without style and without escapes: documents of sections, blocks, and sentences of spans.

Every command that shows something makes one `Document`, and each medium has one renderer for it.  A `Story` is a
document of numbered chapters that states nothing without proof; it is also what `--json` of `explain` writes.  The
`--json` of the other commands is a type of `results`, which their document is made from.

Text of the image is kept raw in spans (bytes that are no UTF-8 as surrogates); each renderer escapes it for its own
medium.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

import msgspec

from imagepeel._display import Shown, plain_text
from imagepeel.evidence import Evidence, Location, Receipt
from imagepeel.serialization import json_schema

SpanKind = Literal["plain", "term", "path", "code", "value", "digest", "good", "warn", "bad", "dim"]
Level = Literal["", "good", "warn", "bad"]


class Span(msgspec.Struct, frozen=True, omit_defaults=True):
    """A run of text in one role.

    `term` is a term of the field, `path` a name in the image or the archive, `code` what one types or what stands
    in a document, `value` a number or a word that comes from this image, `digest` a digest, `good`, `warn` and
    `bad` a judgement, `dim` what may be skipped.
    """

    text: str
    kind: SpanKind = "plain"


Text = tuple[Span, ...]


class Claim(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="claim"):
    """One or two sentences that say one thing, with the proof.  `level` colours the whole claim."""

    text: Text
    evidence: Evidence
    level: Level = ""


class Note(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="note"):
    """A sentence that claims nothing about this image: a definition, or the command that shows more."""

    text: Text


class Column(msgspec.Struct, frozen=True, omit_defaults=True):
    """One column of a table; `right` aligns numbers, `keep` says that it must not be wrapped.

    The rest is for a terminal that is too narrow, in this order: titles become `short` where there is one, and digests
    with them; columns leave by their `leave`, lowest first and equal ones together, 0 never.  `room` are the columns
    of characters that a column of words needs.
    """

    title: str
    right: bool = False
    keep: bool = False
    short: str = ""
    leave: int = 0
    room: int = 0


class Row(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One row of a table with the proof of what it says; `level` colours it, `total` marks a sum."""

    cells: tuple[Text, ...]
    evidence: Evidence
    level: Level = ""
    total: bool = False


class Table(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="table"):
    """Rows of equal shape.  `hidden` counts rows that are left out, `all` is the command that shows them."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    caption: Text = ()
    hidden: int = 0
    all: str = ""


class TreeNode(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of a tree, with what hangs below it."""

    text: Text
    evidence: Evidence
    level: Level = ""
    children: tuple[TreeNode, ...] = ()


class Tree(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="tree"):
    """Things that point at things."""

    roots: tuple[TreeNode, ...]


class Round(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One step of the exec chain: what was opened, what it turned out to be, and where it comes from."""

    label: str
    path: str
    what: Text
    origin: str
    evidence: Evidence
    level: Level = ""


class Steps(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="steps"):
    """The rounds of an exec chain, in order."""

    rounds: tuple[Round, ...]


class Piece(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A few bytes and what they mean; `offset` counts from the start of the shown file."""

    offset: int
    data: bytes
    meaning: Text


class AnnotatedBytes(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="bytes"):
    """The first bytes of something, piece by piece.  In JSON `data` is base64."""

    caption: Text
    pieces: tuple[Piece, ...]
    evidence: Evidence


class ReceiptRef(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="receipt"):
    """The one command of a chapter that everybody should try; it is also a receipt of one of its claims."""

    receipt: Receipt


Block = Claim | Note | Table | Tree | Steps | AnnotatedBytes | ReceiptRef
"""What a story consists of."""


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of a list.

    Labels of neighbours are aligned, and what belongs to an entry (`items`) stands below its text.  `keep` says that it
    must not be wrapped: a path or a command that people copy.  `level` colours it.
    """

    text: Text
    label: Text = ()
    level: Level = ""
    keep: bool = False
    evidence: Evidence = Evidence()
    items: tuple[Item, ...] = ()


class Items(msgspec.Struct, frozen=True, kw_only=True, tag="items"):
    """Entries of a list, one below the other."""

    items: Sequence[Item]


class Lines(msgspec.Struct, frozen=True, kw_only=True, tag="lines"):
    """Text to the letter, line by line: what people copy into a file.

    `language` is that of the code, in lower case.
    """

    lines: tuple[str, ...]
    language: str = ""


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """One layer as a bar: what it stores, and what its content consists of.

    `content` is None where nobody looked yet; else it is `visible` + `unreachable` + headers.  `words` says the same.
    """

    label: str
    words: str
    stored: int
    content: int | None = None
    visible: int = 0
    unreachable: int = 0


class Bars(msgspec.Struct, frozen=True, kw_only=True, tag="bars"):
    """Layers against bytes, all on one scale, base layer first.

    It is drawn on pages and in notebooks; a terminal and Markdown leave it to the table beside it, which has the
    numbers.  `hidden` counts layers that are left out.
    """

    bars: tuple[Bar, ...]
    hidden: int = 0


DocumentBlock = Block | Items | Lines | Bars
"""What a document consists of."""


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """Blocks that belong together; a chapter of a story has a `number`, which counts from 1, and an `id`.

    `folded` is for what may wait until somebody asks: HTML folds it below its title.
    """

    blocks: tuple[DocumentBlock, ...]
    title: Text = ()
    number: int = 0
    id: str = ""
    folded: bool = False


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """What one command shows, or one value as a card.

    `title` names the page, `headline` are the facts of its first line, the first of which is the heading; without them
    the title is.  `summary` are the sentences right below.
    """

    title: str
    headline: tuple[Span, ...]
    sections: tuple[Section, ...]
    summary: tuple[Claim, ...] = ()


CHAPTERS = ("file", "paperwork", "layers", "rootfs", "process", "surprises")
"""The ids of the chapters of an image, in reading order; the third of an artifact is `parts`, its last `surprises`."""


class Chapter(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One chapter.  `id` is stable: one of `CHAPTERS`, or `parts`."""

    number: int
    id: str
    title: str
    blocks: tuple[Block, ...]

    def evidence(self) -> Iterator[Evidence]:
        """Yield the proof of everything that the chapter states, in reading order."""
        for block in self.blocks:
            yield from evidence_of(block)


class Story(Shown, msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The story of one image.

    `headline` are the facts of the title line, `summary` the sentences below it; `archive` is the name it was opened
    by; `image` the name of the image,
    "" when it has none; `number` its number in the archive, from 1; `digest` that of its manifest and `image_id`
    that of its config, None where there is none.
    """

    archive: str
    image: str
    number: int = 1
    platform: str = ""
    digest: str | None = None
    image_id: str | None = None
    headline: tuple[Span, ...]
    summary: tuple[Claim, ...] = ()
    chapters: tuple[Chapter, ...]

    def __str__(self) -> str:
        """The story as text, as a terminal of 100 columns without colours shows it."""
        return plain_text(self)

    def chapter(self, id: str) -> Chapter:
        """Return the chapter with that id.  KeyError when there is none."""
        for chapter in self.chapters:
            if chapter.id == id:
                return chapter
        raise KeyError(id)

    def receipts(self) -> Iterator[Receipt]:
        """Yield every receipt once, in reading order."""
        seen: set[str] = set()
        for chapter in self.chapters:
            for evidence in chapter.evidence():
                for receipt in evidence.receipts:
                    if receipt.command not in seen:
                        seen.add(receipt.command)
                        yield receipt

    def document(self) -> Document:
        """Return what is shown of it."""
        return Document(
            title=self.image or self.archive,
            headline=self.headline,
            summary=self.summary,
            sections=tuple(
                Section(number=c.number, id=c.id, title=words(c.title), blocks=c.blocks) for c in self.chapters
            ),
        )

    def __repr__(self) -> str:
        return f"<Story of {self.image or self.archive!r}: {len(self.chapters)} chapters>"


def schema() -> dict[str, Any]:
    """The JSON Schema of a story as `--json` writes it."""
    return json_schema(Story)


def evidence_of(block: DocumentBlock) -> Iterator[Evidence]:
    """Yield the proofs of a block in reading order."""
    if isinstance(block, Claim | AnnotatedBytes):
        yield block.evidence
    elif isinstance(block, Table):
        yield from (row.evidence for row in block.rows)
    elif isinstance(block, Steps):
        yield from (step.evidence for step in block.rounds)
    elif isinstance(block, Tree):
        pending = list(block.roots)
        while pending:
            node = pending.pop(0)
            yield node.evidence
            pending[:0] = node.children
    elif isinstance(block, Items):
        yield from _evidence_of_items(block.items)
    elif isinstance(block, ReceiptRef):
        yield Evidence(receipts=(block.receipt,))


def _evidence_of_items(items: Sequence[Item]) -> Iterator[Evidence]:
    for one in items:
        yield one.evidence
        yield from _evidence_of_items(one.items)


# ---- building ---------------------------------------------------------------------------------------------


def term(text: str) -> Span:
    """A term of the field, as the glossary has it."""
    return Span(text, "term")


def path(text: str) -> Span:
    """A name in the image or in the archive."""
    return Span(text, "path")


def code(text: str) -> Span:
    """What one types, or what stands in a document."""
    return Span(text, "code")


def value(what: object) -> Span:
    """A number or a word that comes from this image."""
    return Span(f"{what:,}" if isinstance(what, int) else str(what), "value")


def digest(text: str) -> Span:
    """A digest, in full or shortened."""
    return Span(text, "digest")


def good(text: str) -> Span:
    return Span(text, "good")


def warn(text: str) -> Span:
    return Span(text, "warn")


def bad(text: str) -> Span:
    return Span(text, "bad")


def dim(text: str) -> Span:
    return Span(text, "dim")


def words(*parts: Span | str | Text) -> Text:
    """Join strings and spans to the text of a sentence."""
    out: list[Span] = []
    for part in parts:
        if isinstance(part, tuple):
            out.extend(part)
        elif isinstance(part, Span):
            out.append(part)
        elif part:
            out.append(Span(part))
    return tuple(out)


def proof(*what: Location | Receipt | None) -> Evidence:
    """Evidence of places and receipts, in the order given; None is left out."""
    return Evidence(
        locations=tuple(item for item in what if isinstance(item, Location)),
        receipts=tuple(item for item in what if isinstance(item, Receipt)),
    )


def claim(*parts: Span | str | Text, by: Evidence, level: Level = "") -> Claim:
    """A claim from parts of a sentence and its proof."""
    return Claim(text=words(*parts), evidence=by, level=level)


def note(*parts: Span | str | Text) -> Note:
    """A note from parts of a sentence."""
    return Note(text=words(*parts))


UNPROVED = Evidence()
"""For what a plain document says without a proof of its own: sums, verdicts on what stands above.  No story has it."""


def say(*parts: Span | str | Text, level: Level = "") -> Claim:
    """A sentence of a plain document."""
    return Claim(text=words(*parts), evidence=UNPROVED, level=level)


def row(*cells: Span | str | Text, by: Evidence = UNPROVED, level: Level = "", total: bool = False) -> Row:
    """A row of a table of a plain document."""
    return Row(cells=tuple(words(cell) for cell in cells), evidence=by, level=level, total=total)


def item(
    *parts: Span | str | Text,
    label: Span | str | Text = "",
    level: Level = "",
    keep: bool = False,
    by: Evidence = UNPROVED,
    below: Iterable[Item] = (),
) -> Item:
    """An entry of a list."""
    return Item(text=words(*parts), label=words(label), level=level, keep=keep, evidence=by, items=tuple(below))


def items(*what: Item) -> Items:
    """A list."""
    return Items(items=what)


def try_it(receipt: Receipt) -> Item:
    """A command that everybody should try, as an entry of a list."""
    remark = dim(f"   # {receipt.shows}") if receipt.shows else ""
    return item(code(receipt.command), remark, label="try it", keep=True)


def section(*blocks: DocumentBlock, title: Span | str | Text = "") -> Section:
    """A section without a number."""
    return Section(blocks=blocks, title=words(title))


def plain(text: Text) -> str:
    """The words of a text without their roles."""
    return "".join(span.text for span in text)


def tree_marks(ascii_only: bool) -> tuple[str, str, str, str]:
    """Return the drawing of a tree: branch, last branch, a line that goes on, and its absence."""
    return ("|-- ", "`-- ", "|   ", "    ") if ascii_only else ("├── ", "└── ", "│   ", "    ")
