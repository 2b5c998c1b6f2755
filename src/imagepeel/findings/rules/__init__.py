"""The rules, one file per family."""

from __future__ import annotations

from imagepeel.findings.rule import Rule
from imagepeel.findings.rules import (
    archive,
    entries,
    entry_names,
    environment,
    health,
    intent,
    layers,
    merge,
    secrets,
    start,
    state,
    unpack,
    users,
)

FAMILIES: dict[str, tuple[Rule, ...]] = {
    "start": start.RULES,
    "intent": intent.RULES,
    "users": users.RULES,
    "environment": environment.RULES,
    "secrets": secrets.RULES,
    "layers": layers.RULES,
    "merge": merge.RULES,
    "unpack": unpack.RULES,
    "entries": (*entries.RULES, *entry_names.RULES),
    "archive": archive.RULES,
    "state": state.RULES,
    "health": health.RULES,
}
"""Family name to rules, in the order of the catalogue."""
