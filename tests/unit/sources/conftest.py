"""Fixtures for images that are elsewhere."""

from __future__ import annotations

import pytest

from imagepeel import forge
from imagepeel.forge.specimens import noise


@pytest.fixture(scope="session")
def large(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """An uncompressed archive of 24 MB whose one layer has a large file between small ones."""
    small = [forge.file(f"etc/{n:03}", noise(str(n), 3000)) for n in range(100)]
    entries = (*small, forge.file("big", noise("big", 24_000_000)), forge.file("small", b"what is wanted\n"))
    spec = forge.ImageSpec(layers=(forge.LayerSpec(entries=entries),), names=("large:1",))
    return forge.write(spec, tmp_path_factory.mktemp("large") / "large.tar").read_bytes()
