"""One of a thing is written in the singular, on the pages of every teaching image."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imagepeel import forge

ONE_OF_MANY = re.compile(r"\b1 ([a-z]+s)\b")
NO_PLURAL = frozenset({"anonymous", "has", "is", "lacks", "refuses"})
"""Adjectives and verbs."""


def plurals(shown: str) -> list[str]:
    """Each `1 things`, with a little of what stands around it."""
    return [
        shown[max(0, found.start() - 40) : found.end() + 40]
        for found in ONE_OF_MANY.finditer(shown)
        if found[1] not in NO_PLURAL
    ]


@pytest.mark.parametrize("name", forge.NAMES)
def test_one_of_a_thing_is_singular(name: str, run_cli: Callable[..., Any], forge_archive: Callable[..., Path]) -> None:
    path = forge_archive(name)
    chosen = ("--image", "1") if name == "two-images" else ()
    # Wide enough that no line breaks between the number and its noun.
    pages = {
        command: run_cli(command, *chosen, path.name, cwd=path.parent, env={"COLUMNS": "400"}).stdout
        for command in ("process", "explain", "wtf", "layers", "loadable")
    }
    wrong = {command: found for command, shown in pages.items() if (found := plurals(shown))}
    assert all(pages.values()) and not wrong, wrong


def test_the_reading_finds_what_it_looks_for() -> None:
    assert plurals("it has 1 layers and 1 file, 21 bytes, 1 has, L1 adds") == [
        "it has 1 layers and 1 file, 21 bytes, 1 has, L1 adds"
    ]
    assert plurals("1 layer, 11 layers, 0.1 s") == []
