"""SARIF 2.1.0 (OASIS): findings for code scanning.  Equal outcomes give equal bytes: no times, no ids by chance."""

from __future__ import annotations

import hashlib
from typing import Any
from urllib.parse import quote

from imagepeel._version import __version__
from imagepeel.evidence import Location, raw
from imagepeel.render.escape import markdown, visible
from imagepeel.render.markdown import code_lines
from imagepeel.results.check import CheckOutcome
from imagepeel.results.findings import FindingResult, RuleResult
from imagepeel.serialization import indented, to_json

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {"high": "error", "medium": "warning", "low": "note", "info": "note"}
_RANKS = {"high": 80.0, "medium": 50.0, "low": 20.0, "info": 5.0}


def check_sarif(outcome: CheckOutcome) -> str:
    """Return the outcome as a SARIF log with one run."""
    used = {finding.rule for finding in (*outcome.new, *outcome.known)}
    rules = [rule for rule in outcome.rules if rule.id in used]
    index = {rule.id: number for number, rule in enumerate(rules)}
    results = [_result(outcome, finding, "new", index) for finding in outcome.new]
    results += [_result(outcome, finding, "unchanged", index) for finding in outcome.known]
    log = {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "imagepeel",
                        "version": __version__,
                        "semanticVersion": __version__,
                        "rules": [_rule(rule) for rule in rules],
                    }
                },
                "artifacts": [{"location": {"uri": _uri(outcome.image.archive)}, "roles": ["analysisTarget"]}],
                "columnKind": "unicodeCodePoints",
                "results": results,
            }
        ],
    }
    return indented(to_json(log)).decode()


def _uri(path: str) -> str:
    """A path as a relative or absolute URI reference; `-` is the standard input."""
    return quote(raw(path)) if path != "-" else "stdin"


def _rule(rule: RuleResult) -> dict[str, Any]:
    return {
        "id": rule.id,
        "name": "".join(part.capitalize() for part in rule.id.split("-")),
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.why},
        "help": {
            "text": "\n".join((f"{rule.why}\n\nFix: {rule.fix}", *rule.dockerfile)),
            "markdown": "\n".join([rule.why, "", f"**Fix:** {markdown(rule.fix)}", "", *_lines(rule.dockerfile)]),
        },
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
        "properties": {
            "tags": [rule.lesson, rule.role, *rule.codes],
            "security-severity": str(_RANKS[rule.severity] / 10),
        },
    }


def _result(outcome: CheckOutcome, finding: FindingResult, state: str, index: dict[str, int]) -> dict[str, Any]:
    places = finding.locations or (Location(),)
    return {
        "ruleId": finding.rule,
        "ruleIndex": index[finding.rule],
        "level": _LEVELS[finding.severity],
        "rank": _RANKS[finding.severity],
        "baselineState": state,
        "message": _message(finding),
        "locations": [_location(outcome, place) for place in places[:10]],
        "partialFingerprints": {"imagepeelKey/v1": hashlib.sha256(raw(finding.key)).hexdigest()},
        "properties": {
            "severity": finding.severity,
            "lesson": finding.lesson,
            "role": finding.role,
            "receipts": [visible(receipt.command) for receipt in finding.receipts],
        },
    }


def _message(finding: FindingResult) -> dict[str, str]:
    """What was found, how to mend it, and the fix as lines of a Dockerfile where it can be some."""
    found = visible(finding.message) + ("" if finding.message.endswith((".", "!", "?")) else ".")
    text = found + (f" Fix: {visible(finding.fix)}" if finding.fix else "")
    if not finding.dockerfile:
        return {"text": text}
    fix = f" Fix: {markdown(finding.fix)}" if finding.fix else ""
    return {
        "text": "\n".join((text, *map(visible, finding.lines))),
        "markdown": "\n".join([markdown(finding.message) + fix, "", *_lines(finding.dockerfile)]),
    }


def _lines(dockerfile: tuple[str, ...]) -> list[str]:
    return code_lines(dockerfile, "dockerfile") if dockerfile else []


def _location(outcome: CheckOutcome, place: Location) -> dict[str, Any]:
    physical: dict[str, Any] = {"artifactLocation": {"uri": _uri(outcome.image.archive), "index": 0}}
    if place.archive_offset is not None and place.archive_offset >= 0:
        physical["region"] = {"byteOffset": place.archive_offset}
    out: dict[str, Any] = {"physicalLocation": physical}
    words = str(place)
    if words:
        out["logicalLocations"] = [{"fullyQualifiedName": visible(words), "kind": "member"}]
        out["message"] = {"text": visible(words)}
    return out
