"""Lesson 2: state, which containers are bad at."""

from __future__ import annotations

from imagepeel.evidence import Location, layer_label
from imagepeel.present.document import Block, path, proof, value
from imagepeel.present.manual.facts import Operator, question
from imagepeel.text import plural, size

_RULES = (
    "BAKED-DATABASE",
    "DATABASE-WITHOUT-VOLUME",
    "ANONYMOUS-VOLUME",
    "VOLUME-CONTENT",
    "VOLUME-OVER-FILE",
    "STALE-LOCK",
    "SPARSE-MONSTER",
)
_BIG = 1_000_000
_MOST = 3


def chapter(operator: Operator) -> list[Block]:
    """Return the blocks of the chapter."""
    ask = "stateless"
    blocks: list[Block] = [question("State?", "What must survive has to live outside of the image and the container.")]
    found = operator.findings_of(*_RULES)
    blocks += operator.told(ask, "depends", found)
    if not operator.known.everything:
        blocks.append(operator.unseen(ask, "Whether state is in its layers or config"))
    elif not found:
        blocks.append(
            operator.answer(
                ask, "yes", "No rule found state in its layers or config.", by=operator.by_config("/config")
            )
        )
    blocks += _rewrites(operator)
    return blocks


def _rewrites(operator: Operator) -> list[Block]:
    """Big files that an upper layer brought again: what copy-on-write will do to them at run time too."""
    waste = operator.waste
    if waste is None:
        return []
    again = [item for item in waste.items if item.by is not None and item.cause != "removed" and item.size >= _BIG]
    if not again:
        return []
    total = sum(item.size for item in again)
    blocks: list[Block] = [
        question("Copy on write?", "Changing one byte of a file of a lower layer copies the whole file first."),
    ]
    for item in again[:_MOST]:
        layer = operator.image.layers[item.layer]
        receipts = operator.context.receipts
        by = proof(
            Location(layer=item.layer, entry=item.entry, path=item.path),
            receipts.entry_line(layer, item.entry) or receipts.listing(),
        )
        blocks.append(
            operator.answer(
                "stateless",
                "fact",
                path(item.path),
                f" ({size(item.size)}) was shipped by {layer_label(item.layer)} "
                f"and again by {layer_label(item.by or 0)}",
                f": {item.detail}." if item.detail else ".",
                by=by,
            )
        )
    blocks.append(
        operator.answer(
            "stateless",
            "fact",
            f"{plural(len(again), 'file')} of a megabyte or more came again, ",
            value(total),
            " bytes in all.",
            by=operator.by_listing(),
        )
    )
    return blocks
