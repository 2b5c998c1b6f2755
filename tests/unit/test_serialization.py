"""Types are built for decoding in one place and under one lock: threads never build one at the same time."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from imagepeel.serialization import convert, from_json, from_msgpack, to_json, to_msgpack

ROOT = Path(__file__).parents[2]
MODULES = sorted((ROOT / "src" / "imagepeel").rglob("*.py"))
# What reads or copies values and never asks what a type is made of.
HARMLESS = {
    "Meta", "Struct", "structs", "field", "to_builtins", "UNSET", "UnsetType",
    "MsgspecError", "DecodeError", "ValidationError", "EncodeError", "Raw",
}  # fmt: skip


@pytest.mark.parametrize("module", MODULES, ids=lambda m: str(m.relative_to(ROOT / "src" / "imagepeel")))
def test_only_one_module_makes_decoders(module: Path) -> None:
    if module.name == "serialization.py":
        return
    tree = ast.parse(module.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "msgspec":
            names = {alias.name for alias in node.names} if node.module == "msgspec" else {node.module}
            assert names <= HARMLESS, f"{module}:{node.lineno}"
        elif isinstance(node, ast.Import):
            for alias in node.names:
                assert not alias.name.startswith("msgspec."), f"{module}:{node.lineno}"
                assert alias.name != "msgspec" or alias.asname is None, f"{module}:{node.lineno}: keep its name"
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "msgspec":
            assert node.attr in HARMLESS, f"{module}:{node.lineno} uses msgspec.{node.attr}"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "getattr":
            assert not (isinstance(node.args[0], ast.Name) and node.args[0].id == "msgspec"), f"{module}:{node.lineno}"


@pytest.mark.slow
def test_first_decodes_in_threads_end_no_process() -> None:
    # With decoders made wherever they are needed 42 of 768 processes died here with signal 11.
    seconds = 120 if os.environ.get("CI") else 10
    script = ROOT / "tests" / "soak" / "first_decode.py"
    done = subprocess.run([sys.executable, script, str(seconds)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    counted = json.loads(done.stdout)
    assert counted["died"] == {} and counted["started"] > 10


class Point(msgspec.Struct, frozen=True):
    x: int
    tags: tuple[str, ...] = ()


def test_values_come_back() -> None:
    point = Point(3, ("a", "ü"))
    assert from_json(to_json(point), Point) == point
    assert from_msgpack(to_msgpack(point), Point) == point
    assert convert({"x": 3, "tags": ["a", "ü"]}, Point) == point
    with pytest.raises(msgspec.ValidationError):
        from_json(b'{"x": "3"}', Point)
    with pytest.raises(msgspec.DecodeError):
        from_json(b"{", Point)
