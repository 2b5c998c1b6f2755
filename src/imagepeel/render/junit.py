"""JUnit XML: a suite an image, a test case a finding, and one for each rule that found nothing."""

from __future__ import annotations

from collections import Counter
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from imagepeel.render.escape import visible
from imagepeel.results.check import CheckOutcome, CheckRun, NotChecked, expiry, fails, name_of, place_of
from imagepeel.results.findings import FindingResult

_COUNTED = {"failures": "failure", "errors": "error", "skipped": "skipped"}


def check_junit(run: CheckRun) -> str:
    """Return the outcomes as JUnit XML.  Every text is made visible first: XML cannot hold control characters.

    A new finding that fails the gate is a failure, an accepted one is skipped, and an archive that could not be judged
    is an error.
    """
    suites = Element("testsuites", {"name": "imagepeel check"})
    for outcome in run.outcomes:
        _suite(SubElement(suites, "testsuite", name=visible(name_of(run, outcome))), outcome)
    for error in run.not_checked:
        _unjudged(SubElement(suites, "testsuite", name=visible(error.archive)), error)
    for one in (*suites, suites):
        one.set("tests", str(len(list(one.iter("testcase")))))
        for name, tag in _COUNTED.items():
            one.set(name, str(len(list(one.iter(tag)))))
    ElementTree.indent(suites)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(suites, encoding="unicode") + "\n"


def _suite(suite: Element, outcome: CheckOutcome) -> None:
    seen: Counter[str] = Counter()
    for finding in outcome.new:
        case = _case(suite, finding, seen)
        if fails(outcome, finding):
            failure = SubElement(case, "failure", type=finding.severity, message=visible(finding.message))
            failure.text = _lines(outcome, finding)
        else:
            SubElement(case, "system-out").text = _lines(outcome, finding)
    for finding in outcome.known:
        SubElement(_case(suite, finding, seen), "skipped", message="accepted: it is in the baseline")
    for one in outcome.suppressed:
        SubElement(_case(suite, one.finding, seen), "skipped", message=visible(f"suppressed: {one.suppression}"))
    others = [one.finding for one in outcome.suppressed]
    found = {finding.rule for finding in (*outcome.new, *outcome.known, *others)}
    for rule in outcome.rules:
        if rule.id not in found:
            SubElement(suite, "testcase", classname=f"imagepeel.{rule.lesson}", name=f"{rule.id}: {rule.title}")


def _case(suite: Element, finding: FindingResult, seen: Counter[str]) -> Element:
    """A test case with a name that stays the same over rebuilds."""
    seen[finding.key] += 1
    nth = f" ({seen[finding.key]})" if seen[finding.key] > 1 else ""
    where = finding.key.removeprefix(finding.rule).strip()
    name = f"{finding.rule}: {finding.title}{f', {where}' if where else ''}{nth}"
    return SubElement(suite, "testcase", classname=f"imagepeel.{finding.lesson}", name=visible(name))


def _unjudged(suite: Element, error: NotChecked) -> None:
    case = SubElement(suite, "testcase", classname="imagepeel.archive", name="the archive can be judged as a whole")
    told = SubElement(case, "error", type=error.error, message=visible(error.message))
    told.text = "\n".join(visible(line) for line in (error.message, error.where, error.hint) if line)


def _lines(outcome: CheckOutcome, finding: FindingResult) -> str:
    expired, place = expiry(outcome, finding), place_of(outcome, finding)
    parts = [f"{finding.severity}: {visible(finding.message)}"]
    if expired:
        parts.append(f"  {visible(expired)}")
    if place:
        parts.append(f"  at: {visible(place)}")
    if finding.fix:
        parts.append(f"  fix: {visible(finding.fix)}")
        parts += [f"       {visible(line)}" for line in finding.lines]
    return "\n".join(parts)
