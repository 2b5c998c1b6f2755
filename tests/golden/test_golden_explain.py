"""The whole story of some teaching images, to the byte: `pytest --update-golden` writes it anew, a person reviews it.

tests/unit/explain holds the numbers against tarfile and hashlib, tests/differential/test_receipts.py against the
tools of a shell; these files hold the words.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

CASES: dict[str, tuple[str, dict[str, str], list[str]]] = {
    "shop.txt": ("shop", {}, []),
    "shop-containerd-store.txt": ("shop", {"kind": "docker-containerd"}, []),
    "hello-receipts.txt": ("hello", {}, ["--receipts"]),
    "hello.json": ("hello", {}, ["--json"]),
    "hello.md": ("hello", {}, ["--markdown"]),
    "no-interpreter.txt": ("no-interpreter", {}, []),
    "missing-blob.txt": ("missing-blob", {}, []),
    "resurrect.txt": ("resurrect", {}, []),
    "control-characters.txt": ("control-characters", {}, []),
}


@pytest.mark.parametrize("case", CASES)
def test_the_story_is_the_one_that_was_reviewed(
    case: str, run_cli: Callable[..., Any], forge_archive: Callable[..., Path], golden: Callable[[str, str], None]
) -> None:
    image, packing, options = CASES[case]
    path = forge_archive(image, **packing)
    done = run_cli("explain", *options, path.name, cwd=path.parent)
    assert done.exit_code in (0, 12), done.stderr
    golden(f"explain/{case}", done.stdout)
