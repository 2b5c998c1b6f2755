"""Markdown for issues, pull requests and job summaries: headings, lists, tables, code blocks; no HTML."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from imagepeel._lazy import late
from imagepeel.present.document import (
    AnnotatedBytes,
    Claim,
    Document,
    DocumentBlock,
    Item,
    Items,
    Lines,
    Note,
    ReceiptRef,
    Section,
    Span,
    Steps,
    Table,
    Text,
    Tree,
    TreeNode,
    evidence_of,
)
from imagepeel.render.escape import markdown, to_the_letter, visible

_TICKS = late("`+")


def document_markdown(document: Document, *, receipts: bool = False) -> str:
    """Return a document as Markdown; with `receipts`, the commands that show each block stand below it."""
    head, *facts = document.headline or (Span(document.title),)
    lines = [f"# {markdown(head.text)}", "", " \\| ".join(markdown(span.text) for span in facts), ""]
    for section in (Section(blocks=document.summary), *document.sections):
        if section.title:
            number = f"{section.number}. " if section.number else ""
            lines.extend((f"## {number}{inline(section.title)}", ""))
        seen: set[str] = set()
        for block in section.blocks:
            lines.extend(_block(block))
            if receipts and not isinstance(block, ReceiptRef):
                lines.extend(_receipts(block, seen))
    while not (last := lines.pop().rstrip()):
        pass  # the first line never is empty
    return "\n".join((*lines, last, ""))


def inline(text: Text) -> str:
    """Return the spans of a text as Markdown."""
    return "".join(map(_span, text))


def code(text: str) -> str:
    """Return a code span whose fence no run of backticks in the text can close."""
    shown = visible(text)
    longest = max((len(run) for run in _TICKS.findall(shown)), default=0)
    fence = "`" * (longest + 1)
    blank = " " if shown.startswith("`") or shown.endswith("`") or not shown.strip() else ""
    return f"{fence}{blank}{shown}{blank}{fence}"


def code_block(text: str, language: str = "") -> list[str]:
    """Return the lines of a fenced code block."""
    shown = visible(text)
    longest = max((len(run) for run in _TICKS.findall(shown)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence}{language}", shown, fence, ""]


def table(titles: Iterable[str], rows: Iterable[Iterable[str]], right: Iterable[bool] = ()) -> list[str]:
    """Return the lines of a table; cells are Markdown already."""
    head = list(titles)
    sides = list(right) or [False] * len(head)
    lines = [_row(head), _row("---:" if side else "---" for side in sides)]
    lines.extend(_row(row) for row in rows)
    return [*lines, ""]


def _row(cells: Iterable[str]) -> str:
    # A bar inside a code span still ends a cell.
    return "| " + " | ".join(re.sub(r"(?<!\\)\|", r"\\|", cell) for cell in cells) + " |"


def _span(span: Span) -> str:
    if not span.text.strip():
        return span.text if span.text.isspace() and span.text.isprintable() else markdown(span.text)
    if span.kind in ("path", "code", "digest"):
        return code(span.text)
    if span.kind in ("term", "bad"):
        lead = span.text[: len(span.text) - len(span.text.lstrip(" "))]
        tail = span.text[len(span.text.rstrip(" ")) :]
        return f"{lead}**{markdown(span.text.strip(' '))}**{tail}"
    return markdown(span.text)


def _block(block: DocumentBlock) -> Iterator[str]:
    if isinstance(block, Claim) and len(block.text) == 1 and block.text[0].kind == "code":
        yield from code_block(block.text[0].text)
    elif isinstance(block, Claim | Note):
        yield from (inline(block.text), "")
    elif isinstance(block, Table):
        if block.caption:
            yield from (inline(block.caption), "")
        yield from table(
            (markdown(column.title) for column in block.columns),
            ((inline(cell) for cell in row.cells) for row in block.rows),
            (column.right for column in block.columns),
        )
        if block.hidden:
            yield from (f"{block.hidden:,} more: {code(block.all)}", "")
    elif isinstance(block, Tree):
        for root in block.roots:
            yield from _tree(root, 0)
        yield ""
    elif isinstance(block, Items):
        for item in block.items:
            yield from _item(item, 0)
        yield ""
    elif isinstance(block, Lines):
        yield from code_lines(block.lines, block.language)
    elif isinstance(block, Steps):
        yield from table(
            ("", "", "", ""),
            ((markdown(s.label), code(s.path), inline(s.what), markdown(s.origin)) for s in block.rounds),
        )
    elif isinstance(block, AnnotatedBytes):
        yield from (inline(block.caption), "")
        yield from table(
            ("byte", "", ""),
            ((str(p.offset), code(p.data.hex(" ")), inline(p.meaning)) for p in block.pieces),
            (True, False, False),
        )
    elif isinstance(block, ReceiptRef):
        yield from code_block(block.receipt.command, "sh")


def _tree(node: TreeNode, depth: int) -> Iterator[str]:
    yield f"{'  ' * depth}- {inline(node.text)}"
    for child in node.children:
        yield from _tree(child, depth + 1)


def _item(item: Item, depth: int) -> Iterator[str]:
    # Blanks that align a label on a terminal would make the entry a code block here.
    label = inline(item.label).strip()
    yield f"{'  ' * depth}- {f'{label}: ' if label else ''}{inline(item.text).strip()}"
    for below in item.items:
        yield from _item(below, depth + 1)


def _receipts(block: DocumentBlock, seen: set[str]) -> Iterator[str]:
    """The commands of a block, each once a chapter."""
    commands = [receipt.command for evidence in evidence_of(block) for receipt in evidence.receipts]
    fresh = [command for command in dict.fromkeys(commands) if command not in seen]
    seen.update(fresh)
    if fresh:
        yield from code_lines(fresh, "sh")


def code_lines(texts: Iterable[str], language: str) -> list[str]:
    lines = [to_the_letter(text) for text in texts]
    longest = max((len(run) for line in lines for run in _TICKS.findall(line)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence}{language}", *lines, fence, ""]
