"""The examples of all rules, family by family; loaded when somebody asks for one, never by a check."""

from __future__ import annotations

from imagepeel.errors import NotFound
from imagepeel.findings.example import Example
from imagepeel.findings.rules.archive import examples as archive
from imagepeel.findings.rules.attacks import examples as attacks
from imagepeel.findings.rules.budget import examples as budget
from imagepeel.findings.rules.entries import examples as entries
from imagepeel.findings.rules.environment import examples as environment
from imagepeel.findings.rules.health import examples as health
from imagepeel.findings.rules.intent import examples as intent
from imagepeel.findings.rules.layers import examples as layers
from imagepeel.findings.rules.loading import examples as loading
from imagepeel.findings.rules.merge import examples as merge
from imagepeel.findings.rules.secrets import examples as secrets
from imagepeel.findings.rules.start import examples as start
from imagepeel.findings.rules.state import examples as state
from imagepeel.findings.rules.unpack import examples as unpack
from imagepeel.findings.rules.users import examples as users

EXAMPLES: dict[str, Example] = {
    **start.EXAMPLES,
    **intent.EXAMPLES,
    **users.EXAMPLES,
    **environment.EXAMPLES,
    **secrets.EXAMPLES,
    **attacks.EXAMPLES,
    **layers.EXAMPLES,
    **merge.EXAMPLES,
    **unpack.EXAMPLES,
    **loading.EXAMPLES,
    **entries.EXAMPLES,
    **archive.EXAMPLES,
    **state.EXAMPLES,
    **health.EXAMPLES,
    **budget.EXAMPLES,
}
"""Rule id to example, in the order of the catalogue."""


def find_example(rule: str) -> Example:
    """Return the example of the rule with this id.  NotFound when it has none."""
    found = EXAMPLES.get(rule)
    if found is None:
        raise NotFound(f"the rule {rule} has no example", hint="imagepeel wtf --list names all rules")
    return found
