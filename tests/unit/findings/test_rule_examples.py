"""Every rule finds its own bad image, with its listed companions and nothing else; its good twin is clean."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from imagepeel.api import open as open_archive
from imagepeel.archive.source import MemorySource
from imagepeel.errors import NotFound
from imagepeel.findings.budget import Budget
from imagepeel.findings.catalogue import RULES
from imagepeel.findings.examine import examine
from imagepeel.findings.example import archive_of
from imagepeel.findings.finding import Finding
from imagepeel.findings.rules import FAMILIES
from imagepeel.findings.rules.examples import EXAMPLES, find_example
from imagepeel.findings.subject import Subject
from imagepeel.forge.image import ImageSpec
from imagepeel.forge.layout import IndexSpec


def found_in(spec: ImageSpec | IndexSpec, budget: Budget | None = None) -> tuple[Finding, ...]:
    """What is found in an example, but for the note that its file is one that docker load does not read."""
    with open_archive(MemorySource(archive_of(spec))) as archive:
        image = archive.images()[0]
        found = examine(image, subject=Subject(image, budget))
    return tuple(finding for finding in found if (finding.rule, finding.severity) != ("FILE-NOT-TAKEN", "info"))


@pytest.mark.parametrize("family", FAMILIES)
def test_the_examples_of_a_family_stand_beside_its_rules(family: str) -> None:
    beside = import_module(f"imagepeel.findings.rules.{family}.examples")
    assert sorted(beside.EXAMPLES) == sorted(rule.id for rule in FAMILIES[family])


def test_each_rule_has_exactly_one_example() -> None:
    assert sorted(EXAMPLES) == sorted(rule.id for rule in RULES)


def test_a_rule_without_an_example_is_not_found() -> None:
    with pytest.raises(NotFound, match="NO-SUCH-RULE has no example"):
        find_example("NO-SUCH-RULE")


def test_examining_an_image_never_loads_the_forge(tmp_path: Path) -> None:
    path = tmp_path / "image.tar"
    path.write_bytes(archive_of(EXAMPLES["CRLF-SHEBANG"].bad()))
    code = (
        "import sys, imagepeel\n"
        "with imagepeel.open(sys.argv[1]) as archive:\n"
        "    print([finding.rule for finding in archive.image().findings()])\n"
        "print([name for name in sys.modules if name.startswith('imagepeel.forge') or name.endswith('.examples')])\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["['CRLF-SHEBANG']", "[]"]


@pytest.mark.parametrize("rule", sorted(EXAMPLES))
def test_bad_image_fires_the_rule_and_its_companions_only(rule: str) -> None:
    found = found_in(EXAMPLES[rule].bad(), EXAMPLES[rule].budget)
    assert {finding.rule for finding in found} == {rule, *EXAMPLES[rule].also}
    for finding in found:
        assert finding.message and not finding.message.endswith(".")
        assert finding.locations, finding
        assert len(finding.show) == len(finding.locations)
        assert all(figure.adds_up for figure in finding.figures)


@pytest.mark.parametrize("rule", sorted(EXAMPLES))
def test_good_image_fires_nothing(rule: str) -> None:
    assert [(finding.rule, finding.message) for finding in found_in(EXAMPLES[rule].good(), EXAMPLES[rule].budget)] == []


@pytest.mark.parametrize("rule", sorted(EXAMPLES))
def test_severity_is_never_worse_than_the_rule_says(rule: str) -> None:
    order = ["high", "medium", "low", "info"]
    worst = {each.id: each.severity for each in RULES}
    for finding in found_in(EXAMPLES[rule].bad(), EXAMPLES[rule].budget):
        assert order.index(finding.severity) >= order.index(worst[finding.rule])


def test_same_image_same_findings() -> None:
    spec = EXAMPLES["DELETED-SECRET"].bad()
    assert found_in(spec) == found_in(spec)


def test_worst_comes_first() -> None:
    severities = [finding.severity for finding in found_in(EXAMPLES["DELETED-SECRET"].bad())]
    assert severities == sorted(severities, key=["high", "medium", "low", "info"].index)
