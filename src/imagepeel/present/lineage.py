"""The forest of bases: each stack of layers with the images that are it, and what stands on it."""

from __future__ import annotations

from collections.abc import Sequence

from imagepeel.present.document import (
    UNPROVED,
    Column,
    Document,
    DocumentBlock,
    Section,
    Table,
    Text,
    Tree,
    TreeNode,
    digest,
    dim,
    path,
    row,
    say,
    section,
    value,
    words,
)
from imagepeel.present.heading import brief_digest
from imagepeel.results.lineage import LineageImage, LineageNode, LineageResult, SourceFailure
from imagepeel.text import plural

MOST = 500
"""Stacks that a page draws; --json has all."""
_DEEP = 40
"""Levels that a page draws."""
_NAMED = 4
"""Images of one stack that are named."""
_FAILED = 20


def lineage_document(result: LineageResult) -> Document:
    """Return the forest, the images without a place in it, and the sources that could not be read."""
    blocks: list[DocumentBlock] = []
    if result.nodes:
        blocks.append(forest_tree(result.nodes))
        blocks += map(say, _left_out(result.nodes, len(result.nodes), "--json has all of them"))
    elif result.images:
        blocks.append(say("No image has a known place: no DiffIDs are stated.", level="warn"))
    else:
        blocks.append(say("No image was found."))
    return Document(
        title="lineage",
        headline=(value(plural(result.images, "image")), value(plural(result.sources, "source"))),
        summary=(say("An image stands on the largest stack of layers that its own begins with, as documents state "
                     "the DiffIDs; no layer was read."),),
        sections=tuple(
            part
            for part in (
                section(*blocks),
                _unknown(result),
                failed_section(result.failed, len(result.failed)),
                passed_over(result.passed_over),
            )
            if part is not None
        ),
    )  # fmt: skip


def forest_tree(nodes: Sequence[LineageNode]) -> Tree:
    """Return the stacks as a tree, at most `MOST` of them, each with its images by name."""
    roots: list[LineageNode] = []
    below: dict[str, list[LineageNode]] = {}
    drawn: set[str] = set()
    for node in nodes[:MOST]:
        if node.depth >= _DEEP:
            continue
        drawn.add(node.chain_id)
        (roots if node.parent is None else below.setdefault(node.parent, [])).append(node)
    layers = {node.chain_id: node.layers for node in nodes[:MOST]}

    def drawn_node(node: LineageNode) -> TreeNode:
        own = node.layers - layers.get(node.parent or "", 0)
        return TreeNode(
            text=_line(node, own),
            evidence=UNPROVED,
            children=tuple(drawn_node(child) for child in below.get(node.chain_id, ())),
        )

    return Tree(roots=tuple(map(drawn_node, roots)))


def _left_out(nodes: Sequence[LineageNode], total: int, where: str) -> list[str]:
    shown = sum(node.depth < _DEEP for node in nodes[:MOST])
    return [f"{plural(total - shown, 'more stack')} of layers not drawn: {where}."] if total > shown else []


def _line(node: LineageNode, own: int) -> Text:
    count = plural(own, "layer") if node.parent is None else f"+ {plural(own, 'layer')}"
    above = f", {plural(node.above, 'image')} above" if node.above else ""
    if not node.images:
        what: list[Text] = [words(dim("no image here is this base"))]
    else:
        named = node.images[:_NAMED]
        what = [words(*(part for at, one in enumerate(named) for part in _named(one, at)))]
        if len(node.images) > _NAMED:
            what.append(words(f" and {plural(len(node.images) - _NAMED, 'more image')} of the same layers"))
    return words(value(count), "  ", *what, dim(above), "  ", digest(brief_digest(node.chain_id)))


def _named(one: LineageImage, at: int) -> Text:
    number = f" #{one.number}" if one.number != 1 else ""
    platform = f" {one.platform}" if one.platform else ""
    name = words(value(one.name), " ") if one.name else ()
    return words(", " if at else "", name, path(f"{one.source}{number}"), dim(platform))


def _unknown(result: LineageResult) -> Section | None:
    if not result.unknown:
        return None
    rows = [row(path(f"{one.image.source} #{one.image.number}"), one.why) for one in result.unknown[:_FAILED]]
    hidden = len(result.unknown) - len(rows)
    table = Table(columns=(Column("image", room=20), Column("why", room=20)), rows=tuple(rows), hidden=hidden)
    return section(table, title="Place not known")


def failed_section(failed: Sequence[SourceFailure], total: int) -> Section | None:
    """Return the sources that could not be read, of `total`; None without any."""
    if not failed:
        return None
    rows = [row(path(one.source), one.code, one.error) for one in failed[:_FAILED]]
    columns = (Column("source", room=20), Column("", keep=True, leave=1), Column("error", room=24))
    return section(
        say(f"{plural(total, 'source')} could not be read whole: what {'it holds' if total == 1 else 'they hold'} "
            "is not in the numbers.", level="warn"),
        Table(columns=columns, rows=tuple(rows), hidden=total - len(rows)),
        title="Not read",
    )  # fmt: skip


def passed_over(count: int) -> Section | None:
    """Return the sentence about files that look like no archive; None where there are none."""
    if not count:
        return None
    return section(say(dim(f"{plural(count, 'file')} in the folders {'looks' if count == 1 else 'look'} like no "
                           "archive, by name and first bytes, and nobody opened "
                           f"{'it' if count == 1 else 'them'}.")))  # fmt: skip
