"""JUnit XML: one test case a rule, failed where a new finding fails the gate."""

from __future__ import annotations

from xml.etree import ElementTree

from imagepeel.render.escape import visible
from imagepeel.results.check import CheckOutcome, fails, place_of
from imagepeel.results.findings import FindingResult


def check_junit(outcome: CheckOutcome) -> str:
    """Return the outcome as JUnit XML.  Every text is made visible first: XML cannot hold control characters."""
    by_rule: dict[str, list[FindingResult]] = {}
    for finding in outcome.new:
        by_rule.setdefault(finding.rule, []).append(finding)
    failed = sum(any(fails(outcome, finding) for finding in found) for found in by_rule.values())
    counts = {"tests": str(len(outcome.rules)), "failures": str(failed)}
    suites = ElementTree.Element("testsuites", {"name": "imagepeel check", **counts})
    about = {"name": visible(outcome.image.archive), **counts, "errors": "0", "skipped": "0"}
    suite = ElementTree.SubElement(suites, "testsuite", about)
    for rule in outcome.rules:
        case = ElementTree.SubElement(
            suite, "testcase", classname=f"imagepeel.{rule.lesson}", name=f"{rule.id}: {rule.title}"
        )
        found = by_rule.get(rule.id, [])
        failing = [finding for finding in found if fails(outcome, finding)]
        if failing:
            first = visible(failing[0].message)
            failure = ElementTree.SubElement(case, "failure", type=failing[0].severity, message=first)
            failure.text = "\n".join(_lines(finding) for finding in failing)
        others = [finding for finding in found if not fails(outcome, finding)]
        if others:
            ElementTree.SubElement(case, "system-out").text = "\n".join(_lines(finding) for finding in others)
    ElementTree.indent(suites)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(suites, encoding="unicode") + "\n"


def _lines(finding: FindingResult) -> str:
    parts = [f"{finding.severity}: {visible(finding.message)}"]
    if place_of(finding):
        parts.append(f"  at: {visible(place_of(finding))}")
    if finding.fix:
        parts.append(f"  fix: {visible(finding.fix)}")
        parts += [f"       {visible(line)}" for line in finding.lines]
    return "\n".join(parts)
