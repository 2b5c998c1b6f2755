"""SARIF 2.1.0 (OASIS) as code scanning takes it: findings, one run an image.

Equal outcomes give equal bytes: no times, no ids by chance.  GitHub, "SARIF support for code scanning", says which
properties it needs and how large a file may be.
"""

from __future__ import annotations

import gzip
import hashlib
from collections import Counter
from typing import Any

from imagepeel._version import __version__
from imagepeel.evidence import Location, raw
from imagepeel.findings.suppress import Suppression
from imagepeel.render.ci_paths import RULE_PAGES, uri_of
from imagepeel.render.escape import markdown, visible
from imagepeel.render.markdown import code_lines
from imagepeel.results.check import CheckOutcome, CheckRun, NotChecked, expiry
from imagepeel.results.findings import FindingResult, RuleResult
from imagepeel.serialization import indented, to_json
from imagepeel.text import number, plural, title

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
MOST_RUNS, MOST_RESULTS, MOST_BYTES = 20, 25_000, 10_000_000
"""What GitHub takes of one file: runs, results of a run, bytes after gzip."""
_ROOT = "%SRCROOT%"
_LEVELS = {"high": "error", "medium": "warning", "low": "note", "info": "note"}
_PROBLEMS = {"high": "error", "medium": "warning", "low": "recommendation", "info": "recommendation"}
_IN_BASELINE = {"kind": "external", "status": "accepted", "justification": "It is in the baseline."}
_RANKS = {"high": 80.0, "medium": 50.0, "low": 20.0, "info": 5.0}


def check_sarif(run: CheckRun) -> str:
    """Return the outcomes as a SARIF log with a run for each image.

    What is beyond the limits of GitHub is left out, the mildest first, and the log says so.  An archive that was not
    judged has no run: one without results would close what was found in it before.  It stands in the properties of
    the log.
    """
    most = MOST_RESULTS
    text = _log(run, most)
    while len(text) > MOST_BYTES and len(gzip.compress(text.encode(), mtime=0)) > MOST_BYTES and most > 1:
        most = min(most, max(len(one.new) + len(one.known) + len(one.suppressed) for one in run.outcomes)) // 2
        text = _log(run, most)
    return text


def _log(run: CheckRun, most: int) -> str:
    shown = run.outcomes[:MOST_RUNS]
    ids = Counter(_category(outcome) for outcome in run.outcomes)
    log: dict[str, Any] = {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [_run(run, outcome, most, unique=ids[_category(outcome)] == 1) for outcome in shown],
    }
    told: dict[str, Any] = {}
    if absent := [error for error in run.not_checked if not error.partly]:
        told["notChecked"] = [
            {"archive": visible(one.archive), "error": one.error, "exitCode": one.exit_code, "message": _why(one)}
            for one in absent
        ]
    if left := run.outcomes[MOST_RUNS:]:
        told["cut"] = (
            f"{plural(len(left), 'image')} left out, since GitHub takes {MOST_RUNS} runs of a file: "
            + ", ".join(visible(one.image.archive) for one in left)
        )
    if told:
        log["properties"] = told
    return indented(to_json(log)).decode()


def _run(run: CheckRun, outcome: CheckOutcome, most: int, *, unique: bool) -> dict[str, Any]:
    judged: list[tuple[FindingResult, dict[str, Any] | None]] = [(finding, None) for finding in outcome.new]
    judged += [(finding, _IN_BASELINE) for finding in outcome.known]
    judged += [(one.finding, _suppression(one.suppression)) for one in outcome.suppressed]
    shown = judged[:most]
    used = {finding.rule for finding, _ in shown}
    rules = [rule for rule in outcome.rules if rule.id in used]
    index = {rule.id: number for number, rule in enumerate(rules)}
    seen: Counter[str] = Counter()
    results = []
    for finding, accepted in shown:
        seen[finding.key] += 1
        result = _result(outcome, finding, index[finding.rule], seen[finding.key])
        if accepted is not None:
            result |= {"baselineState": "unchanged", "suppressions": [accepted]}
        results.append(result)
    wrong = [error for error in run.not_checked if error.partly and error.archive == outcome.image.archive]
    notes = [_notification("error", _why(error)) for error in wrong]
    if len(judged) > len(shown):
        left = f"{number(len(judged) - len(shown))} of {plural(len(judged), 'result')} left out, the mildest:"
        notes.append(_notification("warning", f"{left} GitHub takes no more of one file."))
    invocation: dict[str, Any] = {"executionSuccessful": not wrong}
    if notes:
        invocation["toolExecutionNotifications"] = notes
    return {
        "tool": {
            "driver": {
                "name": "imagepeel",
                "version": __version__,
                "semanticVersion": __version__,
                "informationUri": RULE_PAGES + "index.md",
                "rules": [_rule(rule) for rule in rules],
            }
        },
        "automationDetails": {"id": _category(outcome) + ("" if unique else f"{outcome.image.number}/")},
        "invocations": [invocation],
        "originalUriBaseIds": {_ROOT: {"description": {"text": "The directory in which imagepeel ran."}}},
        "artifacts": [{"location": _artifact(outcome), "roles": ["analysisTarget"]}],
        "columnKind": "unicodeCodePoints",
        "results": results,
    }


def _category(outcome: CheckOutcome) -> str:
    """What stays the same of an image when it is built again: a later run replaces the one of the same category."""
    head = outcome.image
    name = head.names[0].partition("@")[0] if head.names else ""
    above, slash, last = name.rpartition("/")
    parts = ("imagepeel", uri_of(head.archive)[0], above + slash + last.partition(":")[0], head.platform)
    return visible("/".join(part for part in parts if part)) + "/"


def _why(error: NotChecked) -> str:
    where = f" ({error.where})" if error.where else ""
    return visible(f"{error.message}{where}.")


def _notification(level: str, text: str) -> dict[str, Any]:
    return {"level": level, "message": {"text": text}}


def _artifact(outcome: CheckOutcome) -> dict[str, Any]:
    return _file(outcome.image.archive)


def _file(path: str) -> dict[str, Any]:
    uri, relative = uri_of(path)
    return {"uri": uri, "uriBaseId": _ROOT} if relative else {"uri": uri}


def _rule(rule: RuleResult) -> dict[str, Any]:
    page = f"{RULE_PAGES}{rule.id}.md"
    properties: dict[str, Any] = {"tags": [rule.lesson, rule.role, *rule.codes], "precision": "very-high"}
    # Code scanning ranks a security finding by a number and every other one by a word.
    if rule.role == "infosec":
        properties["tags"] = ["security", *properties["tags"]]
        properties["security-severity"] = str(_RANKS[rule.severity] / 10)
    else:
        properties["problem.severity"] = _PROBLEMS[rule.severity]
    properties["tags"] = properties["tags"][:20]
    return {
        "id": rule.id,
        "name": "".join(part.capitalize() for part in rule.id.split("-")),
        "shortDescription": {"text": _stopped(rule.title)},
        "fullDescription": {"text": _stopped(rule.why)},
        "helpUri": page,
        "help": {
            "text": "\n".join((f"{rule.why}\n\nFix: {_stopped(rule.fix)}", *rule.dockerfile)),
            "markdown": "\n".join(
                [
                    rule.why,
                    "",
                    f"**Fix:** {markdown(rule.fix)}",
                    "",
                    *_lines(rule.dockerfile),
                    "",
                    f"[{rule.id}]({page})",
                ]
            ),
        },
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
        "properties": properties,
    }


def _stopped(text: str) -> str:
    return text + ("" if text.endswith((".", "!", "?")) else ".")


def _suppression(one: Suppression) -> dict[str, Any]:
    place: dict[str, Any] = {"artifactLocation": _file(one.file)}
    if one.line is not None:
        place["region"] = {"startLine": one.line}
    return {
        "kind": "external",
        "status": "accepted",
        "justification": visible(one.reason) + (f" (until {one.until})" if one.until else ""),
        "location": {"physicalLocation": place},
    }


def _result(outcome: CheckOutcome, finding: FindingResult, index: int, nth: int) -> dict[str, Any]:
    places = finding.locations or (Location(),)
    key = hashlib.sha256(raw(finding.key)).hexdigest()
    return {
        "ruleId": finding.rule,
        "ruleIndex": index,
        "level": _LEVELS[finding.severity],
        "rank": _RANKS[finding.severity],
        "baselineState": "new",
        "message": _message(finding, expiry(outcome, finding)),
        "locations": [*_in_dockerfile(outcome, finding), *(_location(outcome, place) for place in places[:10])],
        "partialFingerprints": {"primaryLocationLineHash": f"{key[:16]}:{nth}", "imagepeelKey/v1": key},
        "properties": {
            "severity": finding.severity,
            "lesson": finding.lesson,
            "role": finding.role,
            "receipts": [visible(receipt.command) for receipt in finding.receipts],
        },
    }


def _message(finding: FindingResult, expired: str) -> dict[str, str]:
    """What was found, how to mend it, and the fix as lines of a Dockerfile where it can be some."""
    message = _stopped(finding.message) + (f" {_stopped(title(expired))}" if expired else "")
    text = visible(message) + (f" Fix: {_stopped(visible(finding.fix))}" if finding.fix else "")
    if not finding.dockerfile:
        return {"text": text}
    fix = f" Fix: {markdown(_stopped(finding.fix))}" if finding.fix else ""
    return {
        "text": "\n".join((text, *map(visible, finding.lines))),
        "markdown": "\n".join([markdown(message) + fix, "", *_lines(finding.dockerfile)]),
    }


def _lines(dockerfile: tuple[str, ...]) -> list[str]:
    return code_lines(dockerfile, "dockerfile") if dockerfile else []


def _in_dockerfile(outcome: CheckOutcome, finding: FindingResult) -> list[dict[str, Any]]:
    lines = outcome.lines.get(finding.key)
    if lines is None:
        return []
    place = {"artifactLocation": _file(outcome.dockerfile), "region": {"startLine": lines.first, "endLine": lines.last}}
    return [{"physicalLocation": place}]


def _location(outcome: CheckOutcome, place: Location) -> dict[str, Any]:
    # An archive has no lines, and code scanning takes nothing without one: it is the first.
    physical: dict[str, Any] = {"artifactLocation": {**_artifact(outcome), "index": 0}, "region": {"startLine": 1}}
    out: dict[str, Any] = {"physicalLocation": physical}
    words = str(place)
    if words:
        out["logicalLocations"] = [{"fullyQualifiedName": visible(words), "kind": "member"}]
        out["message"] = {"text": _stopped(visible(words))}
    return out
