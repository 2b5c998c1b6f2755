"""A command reads each layer once, whatever it wants to know of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imagepeel.layers import scan


@pytest.mark.parametrize(
    "words",
    [("layers",), ("du",), ("views",), ("waste",), ("wtf",), ("check",), ("process",), ("explain",), ("operate",)],
    ids=" ".join,
)
def test_a_command_reads_each_layer_once(
    run_cli: Callable[..., Any],
    forge_archive: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
) -> None:
    read: list[int] = []
    make = scan.scan_layer

    def counted(*given: Any, **named: Any) -> Any:
        read.append(named["layer"])
        return make(*given, **named)

    monkeypatch.setattr(scan, "scan_layer", counted)
    done = run_cli(*words, forge_archive("shop"), "--no-cache")
    assert done.stdout
    assert sorted(read) == list(range(8))
