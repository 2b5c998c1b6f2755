"""Chapter 6: what surprised us, worst first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagepeel.evidence import Evidence, Location
from imagepeel.findings.examine import examine
from imagepeel.present.document import Block, Level, ReceiptRef, Span, claim, code, note, proof
from imagepeel.present.story.context import Teller
from imagepeel.receipts.proof import with_receipts
from imagepeel.text import few, plural, title

if TYPE_CHECKING:
    from imagepeel.findings.finding import Finding

ID = "surprises"
_SHOWN = 6
_MARKS: dict[str, tuple[str, Level]] = {
    "high": ("!! ", "bad"), "medium": ("!  ", "warn"), "low": (".  ", ""), "info": (".  ", ""),
}  # fmt: skip


def tell(teller: Teller) -> tuple[str, list[Block]]:
    """Return title and blocks of the chapter."""
    blocks: list[Block] = []
    findings = with_receipts(examine(teller.image), teller.image)
    found = [finding for finding in findings if finding.severity != "info"]
    if not found:
        by = proof(_whole(teller), teller.receipts.listing())
        if findings:
            told = f"Nothing did. The rules have {plural(len(findings), 'remark')} for information: "
            blocks.append(claim(told, code(f"imagepeel wtf {teller.receipts.file}"), ".", by=by))
        else:
            blocks.append(claim("Nothing did. No rule found anything odd in this image.", by=by))
        return "What surprised us", blocks
    for item in found[:_SHOWN]:
        mark, level = _MARKS[item.severity]
        end = "" if item.message.endswith((".", "!", "?")) else "."
        blocks.append(
            claim(
                Span(mark, {"bad": "bad", "warn": "warn"}.get(level, "plain")),  # type: ignore[arg-type]
                Span(title(item.message) + end),
                *((" Fix: ", Span(item.fix.rstrip("."), "good"), ".") if item.fix else ()),
                by=_evidence(teller, item), level=level,
            )
        )  # fmt: skip
    if len(found) > _SHOWN:
        left = len(found) - _SHOWN
        blocks.append(note(f"{title(few(left))} more: ", code(f"imagepeel wtf {teller.receipts.file}"), "."))
    blocks.append(ReceiptRef(receipt=_evidence(teller, found[0]).receipts[0]))
    return "What surprised us", blocks


def _evidence(teller: Teller, finding: Finding) -> Evidence:
    """The finding's own places and receipts; where it has none, the archive as a whole."""
    by = finding.evidence
    return Evidence(locations=by.locations or (_whole(teller),), receipts=by.receipts or (teller.receipts.listing(),))


def _whole(teller: Teller) -> Location:
    return Location(member=teller.image.record.manifest_member or teller.image.archive.name)


__all__ = ["ID", "tell"]
