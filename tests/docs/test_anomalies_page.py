"""The page of anomalies and the set of their codes are the same, and each code has a reader that gives it."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import get_args

from imagepeel.evidence import AnomalyCode

ROOT = Path(__file__).parents[2]
READERS = ("oci", "formats", "archive", "layers")
CODES = get_args(AnomalyCode)


def test_the_page_has_the_codes_in_their_order() -> None:
    page = (ROOT / "docs" / "reference" / "anomalies.md").read_text()
    cells = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    assert tuple(code for cell in cells for code in re.findall(r"`([^`]+)`", cell)) == CODES


def test_a_reader_gives_each_code() -> None:
    constants = {
        node.value
        for folder in READERS
        for module in (ROOT / "src" / "imagepeel" / folder).rglob("*.py")
        for node in ast.walk(ast.parse(module.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert [code for code in CODES if code not in constants] == []
