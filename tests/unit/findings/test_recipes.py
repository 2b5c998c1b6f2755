"""Every rule finds its own bad image, with its listed companions and nothing else; its good twin is clean."""

from __future__ import annotations

import pytest

from imagepeel.api import open as open_archive
from imagepeel.archive.source import MemorySource
from imagepeel.findings.catalogue import RULES
from imagepeel.findings.examine import examine
from imagepeel.findings.finding import Finding
from imagepeel.findings.recipes import archive_of, recipes
from imagepeel.forge.image import ImageSpec
from imagepeel.forge.layout import IndexSpec

RECIPES = recipes()


def found_in(spec: ImageSpec | IndexSpec) -> tuple[Finding, ...]:
    with open_archive(MemorySource(archive_of(spec))) as archive:
        return examine(archive.images()[0])


def test_each_rule_has_exactly_one_recipe() -> None:
    assert sorted(RECIPES) == sorted(rule.id for rule in RULES)


@pytest.mark.parametrize("rule", sorted(RECIPES))
def test_bad_image_fires_the_rule_and_its_companions_only(rule: str) -> None:
    found = found_in(RECIPES[rule].bad())
    assert {finding.rule for finding in found} == {rule, *RECIPES[rule].also}
    for finding in found:
        assert finding.message and not finding.message.endswith(".")
        assert finding.locations, finding
        assert len(finding.show) == len(finding.locations)
        assert all(figure.adds_up for figure in finding.figures)


@pytest.mark.parametrize("rule", sorted(RECIPES))
def test_good_image_fires_nothing(rule: str) -> None:
    assert [(finding.rule, finding.message) for finding in found_in(RECIPES[rule].good())] == []


@pytest.mark.parametrize("rule", sorted(RECIPES))
def test_severity_is_never_worse_than_the_rule_says(rule: str) -> None:
    order = ["high", "medium", "low", "info"]
    worst = {each.id: each.severity for each in RULES}
    for finding in found_in(RECIPES[rule].bad()):
        assert order.index(finding.severity) >= order.index(worst[finding.rule])


def test_same_image_same_findings() -> None:
    spec = RECIPES["DELETED-SECRET"].bad()
    assert found_in(spec) == found_in(spec)


def test_worst_comes_first() -> None:
    severities = [finding.severity for finding in found_in(RECIPES["DELETED-SECRET"].bad())]
    assert severities == sorted(severities, key=["high", "medium", "low", "info"].index)
