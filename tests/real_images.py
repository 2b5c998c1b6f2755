"""The real images beside the checkout that tests of pages open."""

from __future__ import annotations

from pathlib import Path

IMAGES = Path(__file__).resolve().parents[2] / "shared" / "images"
LARGEST = 30_000_000
"""Bytes of an archive; a page of a larger one takes a while."""


def archives() -> list[Path]:
    """Return the archives, in one order; [] where they are absent."""
    return sorted(path for path in IMAGES.rglob("*.tar") if path.stat().st_size < LARGEST)
