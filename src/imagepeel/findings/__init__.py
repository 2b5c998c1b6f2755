"""Findings: what will surprise people about an image, each with the rule that knows it and the bytes that prove it.

from imagepeel.findings import examine, find_rule, RULES
for finding in examine(image): print(finding.severity, finding.message)
"""

from __future__ import annotations

from imagepeel.findings.catalogue import RULES, find_rule, select_rules
from imagepeel.findings.examine import examine
from imagepeel.findings.finding import LESSONS, ROLES, SEVERITIES, Figure, Finding, Findings, Part
from imagepeel.findings.rule import Rule
from imagepeel.findings.subject import PROFILES, Subject

__all__ = [
    "LESSONS",
    "PROFILES",
    "ROLES",
    "RULES",
    "SEVERITIES",
    "Figure",
    "Finding",
    "Findings",
    "Part",
    "Rule",
    "Subject",
    "examine",
    "find_rule",
    "select_rules",
]
