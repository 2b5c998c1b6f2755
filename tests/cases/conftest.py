"""The shared cases: images that were once answered wrongly, each with its right answer and the proof of it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

PACKED = {"bug-reports", "judges"}
"""The families whose inputs lie in one `inputs.tar.zst`; the others lie beside their page."""


@pytest.fixture(scope="session")
def case(shared_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Path]:
    """Return a function that gives the input NAME of a FAMILY: `case("judges", "missing-config")`.

    The inputs are ours, so the system's tar may unpack them.
    """
    unpacked: dict[str, Path] = {}

    def find(family: str, name: str) -> Path:
        if family not in unpacked:
            place = shared_root / "cases" / family
            if family in PACKED:
                target = tmp_path_factory.mktemp(family)
                packed = subprocess.run(
                    ["zstd", "-dcq", "--long=27", str(place / "inputs.tar.zst")], capture_output=True, check=True
                )
                subprocess.run(["tar", "-x", "-C", str(target)], input=packed.stdout, check=True)
                place = target
            unpacked[family] = place
        found = unpacked[family] / name
        assert found.exists(), f"{family} has no input {name}"
        return found

    return find
