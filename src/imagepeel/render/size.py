"""Sizes for people: `412 B`, `4.10 kB`, `61.3 MB`; decimal units, three digits."""

from __future__ import annotations

from imagepeel.present.words import exact, number, plural
from imagepeel.present.words import size as human

__all__ = ["exact", "human", "number", "plural"]
