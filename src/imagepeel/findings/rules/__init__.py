"""The rules, one file per family."""

from __future__ import annotations

from imagepeel.findings.rule import Rule
from imagepeel.findings.rules.archive import rules as archive
from imagepeel.findings.rules.attacks import rules as attacks
from imagepeel.findings.rules.budget import rules as budget
from imagepeel.findings.rules.entries import names as entry_names
from imagepeel.findings.rules.entries import rules as entries
from imagepeel.findings.rules.environment import rules as environment
from imagepeel.findings.rules.health import rules as health
from imagepeel.findings.rules.intent import rules as intent
from imagepeel.findings.rules.layers import rules as layers
from imagepeel.findings.rules.loading import rules as loading
from imagepeel.findings.rules.merge import rules as merge
from imagepeel.findings.rules.secrets import rules as secrets
from imagepeel.findings.rules.start import rules as start
from imagepeel.findings.rules.state import rules as state
from imagepeel.findings.rules.unpack import rules as unpack
from imagepeel.findings.rules.users import rules as users

FAMILIES: dict[str, tuple[Rule, ...]] = {
    "start": start.RULES,
    "intent": intent.RULES,
    "users": users.RULES,
    "environment": environment.RULES,
    "secrets": secrets.RULES,
    "attacks": attacks.RULES,
    "layers": layers.RULES,
    "merge": merge.RULES,
    "unpack": unpack.RULES,
    "loading": loading.RULES,
    "entries": (*entries.RULES, *entry_names.RULES),
    "archive": archive.RULES,
    "state": state.RULES,
    "health": health.RULES,
    "budget": budget.RULES,
}
"""Family name to rules, in the order of the catalogue."""
