"""All findings of one image, as people hold them."""

from __future__ import annotations

from typing import Any

from imagepeel._display import Shown
from imagepeel.evidence import Location
from imagepeel.findings.catalogue import find_rule
from imagepeel.findings.finding import SEVERITIES, Finding


class Findings(Shown, tuple[Finding, ...]):
    """All findings of one image, worst first: a tuple that notebooks and data frames can show."""

    __slots__ = ()

    def __repr__(self) -> str:
        if not self:
            return "<Findings: none>"
        counts = [(severity, sum(each.severity == severity for each in self)) for severity in SEVERITIES]
        return f"<Findings: {', '.join(f'{number} {severity}' for severity, number in counts if number)}>"

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return one flat dictionary for each finding, worst first, for pandas and polars.

        Keys: severity, rule, message, layer (from 0), path and pointer of the first place (None where it has none),
        lesson, role, fix.  Text of the image stands in them unescaped.
        """
        rows = []
        for each in self:
            rule = find_rule(each.rule)
            place = each.locations[0] if each.locations else Location()
            rows.append(
                {
                    "severity": each.severity,
                    "rule": each.rule,
                    "message": each.message,
                    "layer": place.layer,
                    "path": place.path,
                    "pointer": place.pointer,
                    "lesson": rule.lesson,
                    "role": rule.role,
                    "fix": each.fix or rule.fix,
                }
            )
        return rows
