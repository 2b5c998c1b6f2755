"""The commands of the pages about receipts and JSON do what the pages say."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from imagepeel.present.document import Block, Chapter, Story
from imagepeel.render.json import to_plain

DOCS = Path(__file__).parents[2] / "docs"
RECEIPTS = (DOCS / "explanation" / "receipts.md").read_text(encoding="utf-8")
JSON = (DOCS / "reference" / "json.md").read_text(encoding="utf-8")
ABSENT = [tool for tool in ("bash", "tar", "jq", "xargs") if shutil.which(tool) is None]


def commands(page: str) -> list[str]:
    return re.findall(r"```sh\n(.*?)```", page, re.DOTALL)


def run(command: str, where: Path) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail\n{command}"],
        cwd=where,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.judge
@pytest.mark.skipif(bool(ABSENT), reason=f"missing tools: {', '.join(ABSENT)}")
def test_the_deleted_file_is_there(forge_archive: Callable[..., Path]) -> None:
    where = forge_archive("shop").parent
    (command,) = commands(RECEIPTS)
    printed = re.search(r"It prints (\d+)", RECEIPTS)
    assert printed is not None and run(command, where).strip() == printed[1]


@pytest.mark.judge
@pytest.mark.skipif(bool(ABSENT), reason=f"missing tools: {', '.join(ABSENT)}")
def test_the_queries_of_the_json_page(forge_archive: Callable[..., Path]) -> None:
    where = forge_archive("shop").parent
    sentence, receipts = commands(JSON)
    assert run(sentence, where).startswith("shop.tar is a tar file of ")
    assert "sha256sum" in run(receipts, where)


def test_the_page_names_every_field() -> None:
    for kind in (Story, Chapter, *Block.__args__):
        for field in kind.__struct_fields__:
            assert f"`{field}`" in JSON, f"{kind.__name__}.{field}"
        tag = kind.__struct_config__.tag
        assert tag is None or f"`{tag}`" in JSON


def test_the_example_of_a_lossy_name() -> None:
    example = json.loads(re.findall(r"```json\n(\{\"path\".*?)```", JSON, re.DOTALL)[0])
    assert to_plain({"path": b"/caf\xe9"}) == example
