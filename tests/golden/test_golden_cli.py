"""What the commands print, to the byte: `pytest --update-golden` writes it anew, and a person reviews the difference.

The numbers in these files were compared with GNU tar, sha256sum and jq when they were first written; the tests in
tests/unit/cli keep comparing.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from imagepeel import __version__

try:
    import zstandard as zstd
except ImportError:
    zstd = None  # type: ignore[assignment]

Run = Callable[..., Any]
Make = Callable[..., Path]
Golden = Callable[[str, str], None]

CASES: dict[str, tuple[str, dict[str, str], list[str]]] = {
    "layers/shop": ("shop", {}, ["layers", "{}"]),
    "layers/shop-gzip-80-columns": ("shop", {"kind": "oci-archive", "compression": "gzip"}, ["layers", "{}"]),
    "layers/wrong-digest": ("wrong-digest", {}, ["layers", "{}"]),
    "layers/missing-blob": ("missing-blob", {}, ["layers", "{}"]),
    "layers/link-below": ("link-below", {}, ["layers", "{}"]),
    "layers/control-characters": ("control-characters", {}, ["layers", "{}"]),
    "layers/no-verify": ("hello", {}, ["layers", "--no-verify", "{}"]),
    "layers/hello.json": ("hello", {}, ["layers", "--json", "{}"]),
    "layers/shop-100-columns": ("shop", {}, ["layers", "{}"]),
    "images/shop": ("shop", {}, ["images", "{}"]),
    "images/shop-80-columns": ("shop", {}, ["images", "{}"]),
    "images/containerd-store": ("shop", {"kind": "docker-containerd"}, ["images", "{}"]),
    "images/two-images": ("two-images", {}, ["images", "{}"]),
    "images/export": ("shop", {"kind": "rootfs"}, ["images", "{}"]),
    "images/missing-blob.json": ("missing-blob", {}, ["images", "--json", "{}"]),
    "packages/none": ("shop", {}, ["packages", "{}"]),
    "packages/pantry": ("pantry", {}, ["packages", "{}"]),
    "packages/pantry-layer": ("pantry", {}, ["packages", "{}", "--layer", "L6"]),
    "ls/root": ("shop", {}, ["ls", "{}"]),
    "ls/long": ("shop", {}, ["ls", "-l", "{}", "/srv/shop"]),
    "ls/long-recursive": ("zoo", {}, ["ls", "-lR", "{}"]),
    "ls/colour": ("zoo", {}, ["ls", "-l", "--color", "always", "{}"]),
    "ls/layer": ("shop", {}, ["ls", "-lR", "--layer", "7", "{}"]),
    "ls/refused": ("link-below", {}, ["ls", "-l", "{}", "/bin"]),
    "ls/control-characters": ("control-characters", {}, ["ls", "-l", "{}", "/etc"]),
    "ls/zoo.jsonl": ("zoo", {}, ["ls", "-R", "--json", "{}"]),
    "tree/shop": ("shop", {}, ["tree", "{}"]),
    "tree/layer": ("shop", {}, ["tree", "--layer", "L5", "{}"]),
    "tree/zoo-depth-1": ("zoo", {}, ["tree", "--depth", "1", "{}"]),
    "cat/passwd": ("shop", {}, ["cat", "{}", "/etc/passwd"]),
    "cat/removed": ("shop", {}, ["cat", "{}", "/srv/shop/.env"]),
    "cat/removed-from-its-layer": ("shop", {}, ["cat", "{}", "/srv/shop/.env", "--layer", "4"]),
    "anatomy/shop": ("shop", {}, ["anatomy", "{}"]),
    "anatomy/shop-gzip": ("shop", {"kind": "oci-archive", "compression": "gzip"}, ["anatomy", "{}"]),
    "anatomy/layer": ("shop", {"kind": "oci-archive", "compression": "zstd"}, ["anatomy", "{}", "L6"]),
    "anatomy/entry": ("shop", {}, ["anatomy", "{}", "L1:/bin/sh"]),
    "anatomy/script": ("shop", {}, ["anatomy", "{}", "L8:/usr/local/bin/entrypoint.sh"]),
    "anatomy/sparse": ("zoo", {}, ["anatomy", "{}", "L1"]),
    "why/proved-80-columns": ("no-loader", {}, ["why", "{}", "exec /app/server: no such file or directory"]),
    "why/killed": ("hello", {}, ["why", "137"]),
    "wtf/shop": ("shop", {}, ["wtf", "{}"]),
    "wtf/broken-entrypoint": ("broken-entrypoint", {}, ["wtf", "{}"]),
    "wtf/linkshadow-receipts": ("linkshadow", {}, ["wtf", "--receipts", "{}"]),
    "wtf/control-characters": ("control-characters", {}, ["wtf", "{}"]),
    "wtf/explain": ("hello", {}, ["wtf", "--explain", "W33"]),
    "wtf/nothing": ("hello", {}, ["wtf", "--ignore", "friends", "{}"]),
    "forge/no-words": ("hello", {}, ["forge"]),
    "schema/layers.json": ("hello", {}, ["schema", "layers"]),
    "schema/ls.json": ("hello", {}, ["schema", "ls"]),
}


def _of_another_library(case: str) -> str:
    """What other libraries write otherwise, though it means the same: "" where these do not."""
    if case == "anatomy/layer" and (zstd is None or zstd.ZSTD_VERSION != (1, 5, 7)):
        return "another zstd compresses into other bytes"
    if case == "schema/layers.json" and tuple(map(int, version("msgspec").split(".")[:2])) < (0, 20):
        return "an earlier msgspec names null first in a union"
    return ""


@pytest.mark.parametrize("case", CASES)
def test_a_command_prints_what_was_reviewed(case: str, run_cli: Run, forge_archive: Make, golden: Golden) -> None:
    if other := _of_another_library(case):
        pytest.skip(other)
    image, packing, words = CASES[case]
    path = forge_archive(image, **packing)
    columns = {"COLUMNS": case.split("-")[-2]} if case.endswith("-columns") else None
    result = run_cli(*[word.format(path.name) for word in words], cwd=path.parent, env=columns)
    shown = result.stdout.replace(f'"imagepeel": "{__version__}"', '"imagepeel": "VERSION"')
    # A document alone stays one that jq and editors can read.
    if not case.endswith((".json", ".jsonl")):
        shown += f"--- stderr\n{result.stderr}--- exit code {result.exit_code}\n"
    golden(case if "." in case else f"{case}.txt", shown)
