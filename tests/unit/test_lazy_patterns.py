"""Patterns that are compiled on first use: the same answers as `re.compile`, and nothing compiled before."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from imagepeel._lazy import late


def test_a_late_pattern_answers_as_a_compiled_one() -> None:
    source, data = rb"(?P<word>[a-z]+)=", b"key=value OTHER=x"
    pattern = late(source, re.IGNORECASE)
    compiled = re.compile(source, re.IGNORECASE)
    assert [found["word"] for found in pattern.finditer(data)] == [b"key", b"OTHER"]
    assert pattern.sub(b"-", data) == compiled.sub(b"-", data)
    assert pattern.fullmatch(b"key=") and not pattern.fullmatch(data)
    assert (pattern.pattern, pattern.flags, pattern.groups) == (compiled.pattern, compiled.flags, compiled.groups)


def test_a_late_pattern_is_compiled_when_it_is_used() -> None:
    broken = late("(")
    with pytest.raises(re.error):
        broken.match("x")


PACKAGE = Path(__file__).parents[2] / "src" / "imagepeel"


def _when_loaded(node: ast.AST) -> list[ast.AST]:
    """What is evaluated when a module is loaded: all but the bodies of functions."""
    found = [node]
    for name, value in ast.iter_fields(node):
        if name == "body" and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                found += _when_loaded(child)
    return found


def _compiles(source: str) -> list[int]:
    calls = [node for node in _when_loaded(ast.parse(source)) if isinstance(node, ast.Call)]
    return [call.lineno for call in calls if ast.unparse(call.func) in ("re.compile", "compile")]


def test_no_module_compiles_a_pattern_when_it_is_loaded() -> None:
    assert _compiles("import re\nA = [re.compile('a')]\ndef f():\n    return re.compile('b')") == [2]
    for module in sorted(PACKAGE.rglob("*.py")):
        assert not _compiles(module.read_text()), f"{module.relative_to(PACKAGE)}: make it with imagepeel._lazy.late"
