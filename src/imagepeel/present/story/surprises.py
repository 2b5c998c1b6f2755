"""Chapter 6: what surprised us, worst first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from imagepeel.evidence import Evidence, Location, Receipt
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


class Surprise(msgspec.Struct, frozen=True, kw_only=True):
    """One surprise as the chapter tells it."""

    severity: str
    message: str
    evidence: Evidence
    fix: str = ""
    rule: str = ""


def tell(teller: Teller) -> tuple[str, list[Block]]:
    """Return title and blocks of the chapter."""
    blocks: list[Block] = []
    findings = with_receipts(examine(teller.image), teller.image)
    found = [_of_finding(teller, finding) for finding in findings if finding.severity != "info"]
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
                by=item.evidence, level=level,
            )
        )  # fmt: skip
    if len(found) > _SHOWN:
        left = len(found) - _SHOWN
        blocks.append(note(f"{title(few(left))} more: ", code(f"imagepeel wtf {teller.receipts.file}"), "."))
    receipt = next((item.evidence.receipts[0] for item in found[:_SHOWN] if item.evidence.receipts), None)
    if receipt is not None:
        blocks.append(ReceiptRef(receipt=receipt))
    return "What surprised us", blocks


def _of_finding(teller: Teller, finding: Finding) -> Surprise:
    receipts = list(finding.evidence.receipts)
    for index, place in enumerate(finding.evidence.locations[:4]):
        show = finding.show[index] if index < len(finding.show) else ""
        receipt = _receipt(teller, place, show)
        if receipt is not None and receipt not in receipts:
            receipts.append(receipt)
    if not receipts:
        receipts.append(teller.receipts.listing())
    places = finding.evidence.locations or (_whole(teller),)
    return Surprise(
        severity=finding.severity,
        message=finding.message,
        evidence=Evidence(locations=places, receipts=tuple(receipts)),
        fix=finding.fix,
        rule=finding.rule,
    )


def _receipt(teller: Teller, place: Location, show: str) -> Receipt | None:
    """The way to look at a place: the file, its tar header, the config value, the layer or the archive."""
    if place.pointer is not None and place.member not in (None, teller.image.record.config_member):
        stream = teller.receipts.named(place.member or "")
        return teller.receipts.json(stream, place.pointer, "the document says") if stream is not None else None
    if place.pointer is not None and show in ("config", ""):
        return teller.config_receipt(place.pointer, "the config says")
    if place.layer is not None:
        layer = teller.image.layers[place.layer]
        if not layer.readable:
            return teller.receipts.listing()
        if place.entry is not None and place.entry < len(layer.table):
            if show == "file":
                found = teller.at(place, "its bytes", "head -c 400")
                if found is not None:
                    return found
            return teller.receipts.entry_line(layer, place.entry)
        return teller.receipts.layer_listing(layer)
    return teller.receipts.listing() if show in ("archive", "") else None


def _whole(teller: Teller) -> Location:
    return Location(member=teller.image.record.manifest_member or teller.image.archive.name)


__all__ = ["ID", "Surprise", "tell"]
