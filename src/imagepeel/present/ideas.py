"""A story cut into ideas, for a stage: the blocks of its chapters, one idea after the other, and nothing else.

Nothing is worded here, so that what is told on a stage is what `explain` tells.
"""

from __future__ import annotations

import msgspec

from imagepeel.present.document import (
    Block,
    Chapter,
    Claim,
    Document,
    Note,
    ReceiptRef,
    Section,
    Story,
    Table,
    plain,
    words,
)


def ideas(story: Story) -> tuple[Document, ...]:
    """Return the ideas of a story in reading order: first its headline, then those of each chapter.

    The section of an idea has number, id and title of its chapter.
    """
    head = Document(title=story.image or story.archive, headline=story.headline, summary=story.summary, sections=())
    return (head, *(_idea(story, chapter, blocks) for chapter in story.chapters for blocks in _cut(chapter)))


def _idea(story: Story, chapter: Chapter, blocks: tuple[Block, ...]) -> Document:
    section = Section(number=chapter.number, id=chapter.id, title=words(chapter.title), blocks=blocks)
    return Document(title=story.image or story.archive, headline=(), sections=(section,))


class _Open(msgspec.Struct):
    """The idea that is being put together, and whether its last block asks for the next one."""

    blocks: list[Block]
    asks: bool = False

    def takes(self, block: Block) -> bool:
        """Say whether a block belongs to it: what was announced, what is quoted, the legend of a table."""
        if not self.blocks or self.asks:
            return True
        if isinstance(block, ReceiptRef):
            return isinstance(self.blocks[-1], ReceiptRef)
        if isinstance(block, Note):
            return isinstance(self.blocks[-1], Table)
        return isinstance(block, Claim) and len(block.text) == 1 and block.text[0].kind == "code"


def _cut(chapter: Chapter) -> list[tuple[Block, ...]]:
    out: list[tuple[Block, ...]] = []
    now = _Open([])
    for block in chapter.blocks:
        if not now.takes(block):
            out.append(tuple(now.blocks))
            now = _Open([])
        # A note that no table stands above, such as a legend, and a sentence with a colon announce what follows.
        now.asks = (isinstance(block, Note) and not now.blocks) or (
            isinstance(block, Claim) and plain(block.text).endswith(":")
        )
        now.blocks.append(block)
    if now.blocks:
        out.append(tuple(now.blocks))
    return out
