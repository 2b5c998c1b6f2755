"""The catalogue as data: complete, unambiguous, in plain sentences."""

from __future__ import annotations

import re

import pytest

from imagepeel.errors import UsageError
from imagepeel.findings.catalogue import RULES, find_rule, select_rules
from imagepeel.findings.finding import LESSONS, ROLES, SEVERITIES

LAYER_CODES = [
    "RESURRECT",
    "ROOTOPQ",
    "ORDER",
    "GHOST",
    "LINKSHADOW",
    "FILETODIR",
    "XLINK",
    "LINKMETA",
    "IMPLIEDATTR",
    "ROOTATTR",
    "WHNAME",
    "BASEWHITEOUT",
    "AUFS",
    "OVLXATTR",
    "DUP",
    "DOTDOT",
    "PAXGLOBAL",
    "HDRDATA",
    "SPARSE83",
    "UIDWRAP",
    "MTIMECLAMP",
    "XATTRDROP",
    "HIDDENTAIL",
    "MEDIATYPE",
    "STARGZ",
    "TOCDIFF",
    "CASE",
    "CTRLCHAR",
    "DEVICE",
    "ROOTLESS",
    "DELETEDBYTES",
]


def test_ids_are_unique_and_shouted() -> None:
    ids = [rule.id for rule in RULES]
    assert len(ids) == len(set(ids))
    assert all(re.fullmatch(r"[A-Z0-9]+(-[A-Z0-9]+)*", rule) for rule in ids)


@pytest.mark.parametrize("code", [f"W{number}" for number in range(1, 74)])
def test_every_surprise_of_the_table_has_a_rule(code: str) -> None:
    assert code in find_rule(code).codes


@pytest.mark.parametrize("code", [f"F{number}" for number in range(1, 43)])
def test_every_start_failure_has_a_rule(code: str) -> None:
    assert code in find_rule(code).codes


@pytest.mark.parametrize("code", LAYER_CODES)
def test_every_layer_code_has_a_rule(code: str) -> None:
    assert code in find_rule(code).codes


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_rule_is_complete(rule) -> None:  # type: ignore[no-untyped-def]
    assert rule.severity in SEVERITIES
    assert rule.lesson in LESSONS
    assert rule.role in ROLES
    assert rule.title and not rule.title.endswith(".")
    assert rule.why.endswith(".") and 1 <= rule.why.count(". ") + 1 <= 5, rule.why
    assert rule.fix and not rule.fix.endswith(".")
    assert rule.codes or rule.sources or rule.advisories


def test_find_rule_takes_ids_and_codes_in_any_case() -> None:
    assert find_rule("w1").id == find_rule("crlf-shebang").id == "CRLF-SHEBANG"


def test_find_rule_suggests_near_names() -> None:
    with pytest.raises(UsageError) as caught:
        find_rule("CRLF-SHEBAN")
    assert "CRLF-SHEBANG" in caught.value.hint


def test_select_by_lesson_and_ignore_by_code() -> None:
    chosen = select_rules(["headcount"], ["W33"])
    assert {rule.lesson for rule in chosen} == {"headcount"}
    assert "DELETED-SECRET" not in {rule.id for rule in chosen}
    both = select_rules(["headcount", "strengths"], ["W33", "W34"])
    assert select_rules(["headcount, strengths"], ["W33,W34"]) == both
    assert len(select_rules()) == len(RULES)


def test_select_refuses_unknown_names() -> None:
    with pytest.raises(UsageError):
        select_rules(["no-such-lesson"])
