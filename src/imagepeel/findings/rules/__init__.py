"""The rules, one file per family."""

from __future__ import annotations

from imagepeel.findings.rule import Rule
from imagepeel.findings.rules import intent, start

FAMILIES: dict[str, tuple[Rule, ...]] = {
    "start": start.RULES,
    "intent": intent.RULES,
}
"""Family name to rules, in the order of the catalogue."""
