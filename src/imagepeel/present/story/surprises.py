"""Chapter 6: what surprised us, worst first."""

from __future__ import annotations

from imagepeel.present.document import Block, Level, ReceiptRef, Span, claim, code, note, proof
from imagepeel.present.story.context import StoryContext
from imagepeel.text import few, plural, title

ID = "surprises"
_SHOWN = 6
_MARKS: dict[str, tuple[str, Level]] = {
    "high": ("!! ", "bad"), "medium": ("!  ", "warn"), "low": (".  ", ""), "info": (".  ", ""),
}  # fmt: skip


def chapter(context: StoryContext) -> tuple[str, list[Block]]:
    """Return title and blocks of the chapter."""
    blocks: list[Block] = []
    findings = context.findings
    found = [finding for finding in findings if finding.severity != "info"]
    if not found:
        by = proof(context.whole, context.receipts.listing())
        if findings:
            told = f"Nothing did. The rules have {plural(len(findings), 'remark')} for information: "
            blocks.append(claim(told, code(f"imagepeel wtf {context.receipts.file}"), ".", by=by))
        else:
            blocks.append(claim("Nothing did. No rule found anything odd in this image.", by=by))
        return "What surprised us", blocks
    blocks.append(note("Worst first: ", Span("!!", "bad"), " high, ", Span("!", "warn"), " medium, . low."))
    for item in found[:_SHOWN]:
        mark, level = _MARKS[item.severity]
        end = "" if item.message.endswith((".", "!", "?")) else "."
        blocks.append(
            claim(
                Span(mark, {"bad": "bad", "warn": "warn"}.get(level, "plain")),  # type: ignore[arg-type]
                Span(title(item.message) + end),
                *((" Fix: ", Span(item.fix.rstrip("."), "good"), ".") if item.fix else ()),
                by=context.by(item), level=level,
            )
        )  # fmt: skip
    if len(found) > _SHOWN:
        left = len(found) - _SHOWN
        blocks.append(note(f"{title(few(left))} more: ", code(f"imagepeel wtf {context.receipts.file}"), "."))
    blocks.append(ReceiptRef(receipt=context.by(found[0]).receipts[0]))
    return "What surprised us", blocks


__all__ = ["ID", "chapter"]
