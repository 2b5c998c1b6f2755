"""Every anomaly code of the readers stands on its page, and the page names no other."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
READERS = ("oci", "formats", "archive", "layers")


def codes_in_source() -> set[str]:
    found: set[str] = set()
    for folder in READERS:
        for module in (ROOT / "src" / "imagepeel" / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(module.read_text())):
                if not isinstance(node, ast.Call):
                    continue
                name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                values: list[ast.expr] = []
                if name == "Anomaly":
                    values = [keyword.value for keyword in node.keywords if keyword.arg == "code"]
                elif name.strip("_") in ("note", "stop", "raise_stop", "fail") and node.args:
                    values = [node.args[0]]
                found |= {v.value for v in values if isinstance(v, ast.Constant) and isinstance(v.value, str)}
    return {code for code in found if re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+|[A-Z][A-Z-]+", code)}


def codes_on_the_page() -> set[str]:
    page = (ROOT / "docs" / "reference" / "anomalies.md").read_text()
    cells = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    return {code for cell in cells for code in re.findall(r"`([^`]+)`", cell)}


def test_every_code_has_its_line() -> None:
    assert codes_in_source() - codes_on_the_page() == set()


def test_no_line_is_about_a_code_that_does_not_exist() -> None:
    source = "".join(
        module.read_text() for folder in READERS for module in (ROOT / "src" / "imagepeel" / folder).rglob("*.py")
    )
    assert [code for code in sorted(codes_on_the_page()) if f'"{code}"' not in source] == []
