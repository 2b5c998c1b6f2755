"""The same package under node: each command, kind and compression says what the command line says, byte for byte."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from tab_page import READY, native

from imagepeel import forge
from imagepeel.forge.archives import FOLDER_KINDS, KINDS

pytestmark = [
    pytest.mark.skipif(not list(READY.glob("msgspec-*.whl")), reason="make pyodide prepares it"),
    pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed"),
]
COMMANDS = (
    "explain", "layers", "tree", "process", "wtf", "waste", "slim", "anatomy", "views", "du", "loadable", "operate",
    "packages", "images", "dockerfile",
)  # fmt: skip


def test_node_says_what_the_command_line_says(folder: Path, tmp_path: Path) -> None:
    asked: list[tuple[str, ...]] = []
    for kind in sorted(KINDS.keys() - FOLDER_KINDS):
        spec = forge.build("hello" if kind == "layer" else "shop")
        (tmp_path / f"{kind}.tar").write_bytes(forge.to_bytes([spec], kind))
        asked.append((f"{kind}.tar", "process", "--json"))
    for compression in ("gzip", "zstd", "bzip2", "xz"):
        packed = forge.to_bytes([forge.build("shop")], "oci-archive", compression=compression)
        (tmp_path / f"{compression}.tar").write_bytes(packed)
        asked.append((f"{compression}.tar", "layers", "--json"))
    for name in ("pantry", "broken-entrypoint", "missing-blob"):
        forge.write(forge.build(name), tmp_path / f"{name}.tar")
    asked += [(f"{name}.tar", command, "--json") for command in COMMANDS for name in ("pantry", "broken-entrypoint")]
    asked.append(("missing-blob.tar", "process", "--json"))
    words = ["node", Path(__file__).parent / "say.mjs", READY, folder / "packages.zip", tmp_path]
    done = subprocess.run(words, input=json.dumps(asked), capture_output=True, text=True, timeout=300, check=True)
    said = json.loads(done.stdout.splitlines()[-1])
    assert len(said) == len(asked) >= 40
    wrong = [
        words
        for words, one in zip(asked, said, strict=True)
        if one["out"].rstrip() != native(tmp_path / words[0], *words[1:]).decode().rstrip()
    ]
    assert wrong == []
    assert said[-1]["code"] == 14 and "L2" in said[-1]["errors"]
