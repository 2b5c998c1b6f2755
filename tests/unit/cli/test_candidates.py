"""An error that lists what could be meant names the option that takes it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]
Make = Callable[..., Path]


@pytest.mark.parametrize(
    ("words", "option", "listed"),
    [
        (["explain", "--image", "nope"], "--image", "#1"),
        (["explain", "--platform", "linux/s390x"], "--platform", "linux/amd64"),
        (["ls", "--view", "nope"], "--view", "runtime"),
        (["process", "--engine", "nope"], "--engine", "podman"),
        (["process", "--runtime", "nope"], "--runtime", "crun"),
        (["check", "--fail-on", "nope"], "--fail-on", "high"),
        (["find", "--sort", "nope"], "--sort", "size"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_the_option_is_named(words: list[str], option: str, listed: str, run_cli: Run, forge_archive: Make) -> None:
    done = run_cli(words[0], forge_archive("hello"), *words[1:])
    assert done.exit_code != 0
    assert option in done.stderr and listed in done.stderr


def test_of_two_images_the_option_is_named(run_cli: Run, forge_archive: Make) -> None:
    done = run_cli("layers", forge_archive("two-images"))
    assert done.exit_code != 0
    assert "--image" in done.stderr and "#1" in done.stderr and "#2" in done.stderr
