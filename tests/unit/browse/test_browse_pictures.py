"""Pictures of browse, compared letter by letter and colour by colour; each was looked at when it was made.

Textual draws them, so they hold for the version of it that they were made with.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

pytest.importorskip("textual", reason="needs the extra tui")

from test_browse_app import played, press
from textual.pilot import Pilot

from imagepeel.browse.app import Browser

MADE_WITH = ("8.2.8", "15.0.0")
try:
    HERE = (version("textual"), version("rich"))
except PackageNotFoundError:
    HERE = ("", "")

Make = Callable[..., Path]

SCREENS: dict[str, tuple[tuple[int, int], str]] = {
    "start": ((100, 30), ""),
    "small": ((80, 24), "tab down down enter down"),
    "layer": ((100, 30), "down down down down down tab down down down down asterisk end up up up"),
    "header": ((120, 36), "tab home 2 tab z"),
    "keys": ((100, 30), "question_mark"),
}


@pytest.mark.skipif(HERE != MADE_WITH, reason=f"pictures were made with Textual and rich {MADE_WITH}")
@pytest.mark.parametrize("name", SCREENS)
def test_the_picture_is_the_one_that_was_looked_at(
    name: str, forge_archive: Make, golden: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    archive = forge_archive("shop")
    monkeypatch.chdir(archive.parent)
    size, keys = SCREENS[name]
    found: list[str] = []

    async def play(app: Browser, pilot: Pilot[None]) -> None:
        await press(app, pilot, *keys.split())
        found.append(app.export_screenshot(title="imagepeel browse shop.tar"))

    played(Path(archive.name), play, size)
    # Names of classes come from a checksum; lines end in blanks.
    picture = re.sub(r"terminal-\d+", "terminal", found[0])
    golden(f"browse/{name}.svg", "\n".join(line.rstrip() for line in picture.splitlines()) + "\n")
