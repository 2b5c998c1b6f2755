"""Every rule has its page, the pages are those that the rules make, and their links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

from imagepeel.findings.catalogue import RULES
from imagepeel.findings.docs import pages

FOLDER = Path(__file__).parents[2] / "docs" / "reference" / "rules"
STALE = "write them anew: python -m imagepeel.cli.rule_pages docs/reference/rules"


def test_pages_are_fresh() -> None:
    written = {page.name: page.read_text(encoding="utf-8") for page in FOLDER.glob("*.md")}
    assert written == pages(), STALE


def test_every_rule_has_a_page_in_the_index() -> None:
    index = (FOLDER / "index.md").read_text(encoding="utf-8")
    for rule in RULES:
        assert f"[{rule.id}]({rule.id}.md) | {rule.severity}" in index


def test_links_lead_to_files() -> None:
    for page in FOLDER.glob("*.md"):
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
            if not target.startswith("https://"):  # what lies elsewhere is the advisory of a CVE
                assert (FOLDER / target).exists(), f"{page.name}: {target}"
