"""The story on a terminal and in a pipe: no control characters, the width kept, commands in one piece."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

import imagepeel
from imagepeel.cli.settings import Settings
from imagepeel.present.document import Story
from imagepeel.present.story.chapters import explain_image
from imagepeel.render import terminal

Forge = Callable[..., Path]
CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200b]")


def told(path: Path) -> Story:
    with imagepeel.open(path) as archive:
        return explain_image(archive.image())


def settings(color: str = "auto") -> Settings:
    """The settings of the command line."""
    out = Settings()
    out.color = color
    return out


def printed(story: Story, *, width: int = 100, color: str = "auto", receipts: bool = False) -> str:
    out = io.StringIO()
    colour = settings(color).colour(out)
    terminal.print_document(story.document(), out, width=width, colour=colour, receipts=receipts)
    return out.getvalue()


@pytest.mark.parametrize("receipts", [False, True])
@pytest.mark.parametrize("name", ["shop", "control-characters", "no-interpreter", "zoo"])
def test_a_pipe_gets_plain_text(name: str, receipts: bool, forge_archive: Forge) -> None:
    text = printed(told(forge_archive(name)), receipts=receipts)
    assert not CONTROL.search(text)
    for line in text.splitlines():
        command = line.lstrip().startswith(("try it  ", "$ ")) or " more  " in line
        assert command or len(line) <= 100, line
        assert line == line.rstrip()


@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_every_width_keeps_every_name(width: int, forge_archive: Forge) -> None:
    text = printed(told(forge_archive("shop")), width=width)
    assert "/srv/shop/catalog.bin" in re.sub(r"\s+", "", text)


def test_commands_are_not_wrapped(forge_archive: Forge) -> None:
    story = told(forge_archive("shop"))
    lines = printed(story, receipts=True).splitlines()
    for receipt in story.receipts():
        assert any(f"$ {receipt.command}" in line for line in lines) or any(
            f"try it  {receipt.command}" in line for line in lines
        ), receipt.command


def test_colour_is_asked_for_and_never_comes_from_the_image(forge_archive: Forge) -> None:
    text = printed(told(forge_archive("control-characters")), color="always")
    assert "\x1b[" in text
    stripped = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert not CONTROL.search(stripped)
    assert stripped == printed(told(forge_archive("control-characters")))


def test_no_color_and_never(forge_archive: Forge, monkeypatch: pytest.MonkeyPatch) -> None:
    story = told(forge_archive("hello"))
    assert "\x1b[3" not in printed(story, color="never")
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in printed(story)


def test_columns_decides_the_width(forge_archive: Forge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "72")
    assert settings().width == 72
    monkeypatch.delenv("COLUMNS")
    with contextlib.redirect_stdout(io.StringIO()):
        assert settings().width >= terminal.WIDTH


def test_rich_prints_the_objects(forge_archive: Forge) -> None:
    out = io.StringIO()
    screen = Console(file=out, width=terminal.WIDTH)
    with imagepeel.open(forge_archive("shop")) as archive:
        image = archive.image()
        for thing in (archive, image, image.layers[0], image.explain()):
            screen.print(thing)
        image.scan()
        screen.print(image.layers[3])
    text = out.getvalue()
    assert "shop:1.4   linux/amd64   8 layers" in text
    assert "L5  RUN rm .env" in text
    assert "srv/shop/.env" in text
    assert "1  It is a tarball" in text
