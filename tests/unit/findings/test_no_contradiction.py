"""No two findings of one report say what cannot both be true, and none says other than the prediction."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import imagepeel
from imagepeel import forge
from imagepeel.api import open as open_archive
from imagepeel.archive.source import MemorySource
from imagepeel.findings.catalogue import RULES
from imagepeel.findings.example import archive_of
from imagepeel.findings.rules.examples import EXAMPLES
from imagepeel.process.spec.failure import Outcome

NEVER_STARTS = "It will not start on any engine"
_LIVES = re.compile(r"\bis process 1\b|\bstays process 1\b|ends at once|\bhears SIG|becomes process 1")
"""Words about a process that is there."""
AFTER_THE_START = {
    "SHELL-PID1", "ENDS-AT-ONCE", "SCRIPT-WITHOUT-EXEC", "PACKAGE-MANAGER-PID1", "INIT-INSIDE", "MACHINE-IN-DISGUISE",
    "SERVER-CANNOT-WRITE",
}  # fmt: skip
"""Rules about a process that was started."""
NO_PROGRAM = {
    "NO-COMMAND",
    "EMPTY-COMMAND",
    "COMMAND-MISSING",
    "COMMAND-NOT-FOUND",
    "LINK-LOOP",
    "DIRECTORY-AS-COMMAND",
}
"""Reasons that there is no file to start: one start has one of them at most."""
OF_THE_FILE = {
    "CRLF-SHEBANG", "NO-SHEBANG", "NOT-EXECUTABLE", "MISSING-LOADER", "MISSING-INTERPRETER", "WRONG-ARCHITECTURE",
    "MISSING-LIBRARY", "UNDEFINED-SYMBOL", "SHEBANG-LIMIT", "SETCAP-BLOCKS-EXEC",
}  # fmt: skip
"""What is wrong with the file that is started: then it is there."""
EXCLUDE = [
    ("NO-SHELL-INSIDE", "SHELL-PID1"),
    ("NO-SHELL-INSIDE", "SHELL-LINE-FAILS"),
    ("NO-SHELL-FOR-SHELL-FORM", "SHELL-LINE-FAILS"),
    ("NO-SHELL-FOR-SHELL-FORM", "SHELL-PID1"),
    ("NO-PATH", "LOST-PATH"),
    ("SHELL-PID1", "PACKAGE-MANAGER-PID1"),
    ("MISSING-LOADER", "MISSING-LIBRARY"),
    ("MISSING-LIBRARY", "UNDEFINED-SYMBOL"),
    ("NO-SHEBANG", "MISSING-INTERPRETER"),
    ("UNKNOWN-USER", "UID-WITHOUT-NAME"),
    ("START-NOT-JUDGED", "WRONG-ARCHITECTURE"),
    ("NO-PAPERWORK", "NO-COMMAND"),
]
"""Pairs of rules of which one says what the other denies."""
_ON = re.compile(r"It will not start on ((?:[a-z0-9-]+@[\w.]+(?:, | and )?)+):")
_ENGINE = re.compile(r"[a-z0-9-]+@[\w.]+")


def between(rules: set[str], messages: list[str]) -> Iterator[str]:
    """Yield what the rules and sentences of one report deny of each other."""
    never = [message for message in messages if message.startswith(NEVER_STARTS)]
    if never:
        yield from (f"{never[0]!r} beside {rule}" for rule in sorted(rules & AFTER_THE_START))
        yield from (f"{never[0]!r} beside {one!r}" for one in messages if one not in never and _LIVES.search(one))
    if len(rules & NO_PROGRAM) > 1:
        yield f"one start, and {sorted(rules & NO_PROGRAM)}"
    if rules & NO_PROGRAM and rules & OF_THE_FILE:
        yield f"no file to start ({sorted(rules & NO_PROGRAM)}), and of that file {sorted(rules & OF_THE_FILE)}"
    yield from (f"{one} beside {other}" for one, other in EXCLUDE if {one, other} <= rules)


def contradictions(image: imagepeel.Image) -> Iterator[str]:
    """Yield what of the findings of an image cannot be true together."""
    found = image.findings()
    rules = {finding.rule for finding in found}
    messages = [finding.message for finding in found]
    never = [message for message in messages if message.startswith(NEVER_STARTS)]
    if never:
        verdict = image.process().verdict
        if verdict.kind in (Outcome.RUNS, Outcome.DEPENDS):
            yield f"{never[0]!r}, and the prediction says {verdict.kind}"
    yield from between(rules, messages)
    for finding in found:
        same = [
            one for one in found if one.rule == finding.rule and one.evidence.locations == finding.evidence.locations
        ]
        if len({one.severity for one in same}) > 1 and finding.evidence.locations:
            yield f"{finding.rule} is {sorted({str(one.severity) for one in same})} at one place"
    waste = image.waste()
    deleted = sum(map(_stated_bytes, (one.message for one in found if one.rule == "DELETED-BYTES")))
    if deleted > waste.unreachable:
        yield f"{deleted} bytes are deleted, and {waste.unreachable} are unreachable"
    if deleted and waste.visible == waste.files:
        yield "files are deleted and shipped, and all that is shipped is visible"
    for named in filter(None, map(_ON.match, messages)):
        for engine in _ENGINE.findall(named[1]):
            kind = image.process(engine=engine).verdict.kind
            if kind is Outcome.RUNS:
                yield f"{named[0]!r}, and the prediction for {engine} says {kind}"


def _stated_bytes(message: str) -> int:
    stated = re.search(r"files? with ([\d,]+) bytes? w(?:as|ere) removed", message)
    return int(stated[1].replace(",", "")) if stated else 0


def _of_archive(path: str | Path | bytes) -> Iterator[str]:
    with open_archive(MemorySource(path) if isinstance(path, bytes) else path) as archive:
        for image in archive.images()[:2]:
            yield from contradictions(image)


@pytest.mark.parametrize("name", forge.NAMES)
def test_teaching_images(name: str) -> None:
    assert list(_of_archive(forge.to_bytes([forge.build(name)]))) == []


@pytest.mark.parametrize("rule", [rule.id for rule in RULES])
def test_the_bad_image_of_each_rule(rule: str) -> None:
    assert list(_of_archive(archive_of(EXAMPLES[rule].bad()))) == []


def test_real_images(shared_root: Path) -> None:
    folder = shared_root / "images"
    if not folder.exists():
        pytest.skip("the collection of real images is not here")
    looked, wrong = 0, []
    for path in sorted(path for form in ("*.tar", "*.tar.gz") for path in folder.rglob(form)):
        try:
            wrong += [f"{path.name}: {one}" for one in _of_archive(path)]
        except imagepeel.ImagepeelError:
            continue
        looked += 1
    assert looked >= 12
    assert wrong == []


def test_what_is_sought_is_found() -> None:
    never = f"{NEVER_STARTS}: /usr/bin/tini does not exist"
    assert list(between({"COMMAND-MISSING", "INIT-INSIDE"}, [never, "/usr/bin/tini is process 1 already"])) == [
        f"{never!r} beside INIT-INSIDE",
        f"{never!r} beside '/usr/bin/tini is process 1 already'",
    ]
    assert list(between({"PACKAGE-MANAGER-PID1", "SHELL-PID1"}, [])) == ["SHELL-PID1 beside PACKAGE-MANAGER-PID1"]
    assert len(list(between({"NO-COMMAND", "COMMAND-MISSING", "NO-SHEBANG"}, []))) == 2
    assert {one for pair in EXCLUDE for one in pair} | AFTER_THE_START | NO_PROGRAM | OF_THE_FILE <= {
        rule.id for rule in RULES
    }
    assert _stated_bytes("3 files with 1,020 bytes were removed by L3") == 1020
    assert _ON.match("It will not start on docker@29.7 and docker@20.10: VOLUME") is not None
