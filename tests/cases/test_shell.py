"""Shared cases of shells: lists whose commands cannot run, and what shells say then."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import imagepeel

Case = Callable[[str, str], Path]


def verdict(path: Path, engine: str, image: str | None = None) -> tuple[str, str, int | None]:
    """The outcome of a start, the words of what failed and the exit code."""
    with imagepeel.open(path) as archive:
        found = archive.image(image).process(engine=engine).verdict
    return found.kind, found.runtime_text, found.runtime_exit_code


def test_a_list_whose_first_command_has_no_interpreter_ends_there(case: Case) -> None:
    """P02: dockerd 20.10, 28 and podman all end with 127 and these words."""
    for engine in ("docker@20.10", "docker@28", "podman@4.3"):
        kind, said, code = verdict(case("bug-reports", "p02-sh-c-script-bash.tar"), engine)
        assert (kind, code) == ("FAILS", 127)
        assert said == "/bin/sh: /usr/share/html/env.sh: not found"
