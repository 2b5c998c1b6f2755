"""Chapter 6: what surprised us, worst first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from imagepeel.evidence import Evidence, Location, Receipt, text
from imagepeel.explain.document import Block, Level, ReceiptRef, Span, claim, code, note, proof
from imagepeel.explain.teller import Teller
from imagepeel.explain.words import few, plural, size, title

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
    found = surprises(teller)
    if not found:
        blocks.append(
            claim(
                "Nothing did. No rule found anything odd in this image.",
                by=proof(_whole(teller), teller.receipts.listing()),
            )
        )
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


def surprises(teller: Teller) -> list[Surprise]:
    """What is odd about the image, worst first: the findings where the rules are there, else the few known here."""
    examine = getattr(teller.image, "findings", None)
    if callable(examine):
        return [_of_finding(teller, finding) for finding in examine() if finding.severity != "info"]
    return _own(teller)


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


# ---- without the rules ------------------------------------------------------------------------------------


def _own(teller: Teller) -> list[Surprise]:
    """The first findings: a start that fails, what was deleted and is shipped, what was only touched, anomalies."""
    out = [*_start(teller), *_deleted(teller), *_copied(teller), *_anomalies(teller)]
    return sorted(out, key=lambda item: list(_MARKS).index(item.severity))


def _start(teller: Teller) -> list[Surprise]:
    found = teller.prediction
    if found is None or found.verdict.kind != "FAILS" or not teller.rootfs.complete:
        return []
    receipt = teller.config_receipt("/config", "the defaults for the process") or teller.receipts.listing()
    place = found.verdict.where or teller.config_place("/config")
    return [
        Surprise(
            severity="high", message=f"It does not start: {found.verdict.why}", fix=found.verdict.fix,
            evidence=proof(place, receipt),
        )
    ]  # fmt: skip


def _deleted(teller: Teller) -> list[Surprise]:
    gone = [item for item in teller.lost if item.fate == "removed"]
    if not gone:
        return []
    item = gone[0]
    layer = teller.image.layers[item.layer]
    more = f", and {plural(len(gone) - 1, 'more file')} like it" if len(gone) > 1 else ""
    return [
        Surprise(
            severity="medium",
            message=f"Deleted is not gone: {text(item.path)} ({size(item.size)}) is removed by L{item.by + 1} and "
            f"still in {layer.label} for everyone who can pull this image{more}",
            evidence=proof(teller.entry_place(layer, item.entry), _content(teller, item.layer, item.entry)),
        )
    ]


def _content(teller: Teller, layer: int, entry: int) -> Receipt | None:
    stream = teller.receipts.entry(teller.image.layers[layer], entry)
    return Receipt(command=stream.through("head -c 400"), shows="its bytes, still there") if stream else None


def _copied(teller: Teller) -> list[Surprise]:
    out = []
    for counts in teller.counts:
        layer = teller.image.layers[counts.layer]
        if counts.bytes_repeated >= 100_000:
            out.append(
                Surprise(
                    severity="medium",
                    message=f"{layer.label} ships {size(counts.bytes_repeated)} again of which only metadata changed",
                    evidence=proof(layer.location, teller.receipts.layer_listing(layer)),
                )
            )
    return out


def _anomalies(teller: Teller) -> list[Surprise]:
    found = [*teller.container.anomalies, *teller.image.anomalies]
    return [
        Surprise(
            severity="high" if anomaly.fatal else "low",
            message=title(anomaly.message),
            evidence=proof(anomaly.where, _receipt(teller, anomaly.where, "") or teller.receipts.listing()),
        )
        for anomaly in dict.fromkeys(found)
    ]


__all__ = ["ID", "Surprise", "surprises", "tell"]
