"""`imagepeel peel`: the story of an image on a stage, one idea a screen."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, TextIO

import click

from imagepeel.cli import common, documents
from imagepeel.cli.settings import Settings

if TYPE_CHECKING:
    from imagepeel.present.document import Document
    from imagepeel.render.layout import Line

_EXAMPLES = (
    "\b\nExamples:\n"
    "  imagepeel peel image.tar\n"
    "  imagepeel peel image.tar --receipts > handout.txt\n"
)  # fmt: skip
_SIZE = (80, 24)
_ENTER, _LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
"""The other screen of a terminal without its cursor, and back: the shell's lines are there afterwards (xterm)."""
_CLEAR = "\x1b[H\x1b[2J"


@click.command(epilog=_EXAMPLES)
@common.archive
@common.receipts("Without a terminal: below each idea, the shell commands that show the same.")
@common.settings
def command(settings: Settings, receipts: bool) -> None:
    """Tell the story of an image to a room, one idea a screen.

    Enter goes on, b goes back, r shows the receipt of what is on the screen, q ends.  It tells what `imagepeel
    explain` tells, word for word.  Where there is no terminal, or nobody to press a key, all ideas are written one
    after the other.
    """
    with settings.open() as archive:
        from imagepeel.present.ideas import ideas  # start time

        image = settings.scanned(archive)
        told = ideas(image.explain())
        settings.others_told()
        with _keyboard() as keyboard:
            if keyboard is None:
                _write(settings, told, receipts)
            else:
                _Stage(settings, told).play(keyboard)
        settings.finish(image)


@contextmanager
def _keyboard() -> Iterator[TextIO | None]:
    """Give the terminal whose keys are read, None without one: standard input may be the archive."""
    with ExitStack() as closing:
        if not sys.stdout.isatty() or os.environ.get("TERM") == "dumb":
            yield None
        elif sys.stdin is not None and sys.stdin.isatty():
            yield sys.stdin
        else:
            try:
                yield closing.enter_context(open("/dev/tty", encoding="utf-8"))
            except OSError:
                yield None


def _ascii_only() -> bool:
    return not (getattr(sys.stdout, "encoding", None) or "utf-8").lower().startswith("utf")


def _write(settings: Settings, told: Sequence[Document], receipts: bool) -> None:
    """Write the ideas below each other, with a line between them that says which one follows."""
    from imagepeel.render.layout import written  # start time
    from imagepeel.render.stage import idea_lines, receipt_lines, title_of  # start time

    width = documents.PROJECTOR if not sys.stdout.isatty() and not os.environ.get("COLUMNS") else settings.width
    colour = settings.colour(sys.stdout)
    for number, idea in enumerate(told, 1):
        click.echo(f"---- {number} of {len(told)} ----\n\n{title_of(idea, width)}\n")
        lines: list[Line] = idea_lines(idea, width, ascii_only=_ascii_only(), folding=False)
        if receipts:
            lines += [[], *receipt_lines(idea, width, folding=False)]
        for line in lines:
            click.echo(written(line, colour=colour), color=colour)
        click.echo()


class _Stage:
    """The ideas on a terminal: where the room is, and whether it looks at the receipt."""

    def __init__(self, settings: Settings, told: Sequence[Document]) -> None:
        self.colour = settings.colour(sys.stdout)
        self.told = told
        self.idea = 0
        self.part = 0
        self.receipts = False

    def play(self, keyboard: TextIO) -> None:
        """Show screens until somebody ends it; the terminal is left as it was, however that happens."""
        from imagepeel.cli.keys import Key, pressed  # start time

        with pressed(keyboard) as key:
            sys.stdout.write(_ENTER)
            try:
                size = self.draw()
                while (one := key()) is not Key.QUIT:
                    if one is Key.NONE and self.size() == size:
                        continue
                    self.turn(one)
                    size = self.draw()
            finally:
                sys.stdout.write(_LEAVE)
                sys.stdout.flush()

    def turn(self, key: str) -> None:
        """Follow a key: on and back go through the parts of an idea first."""
        from imagepeel.cli.keys import Key  # start time

        if key is Key.RECEIPT:
            self.receipts, self.part = not self.receipts, 0
        elif key is Key.ON:
            if self.part + 1 < len(self.parts()):
                self.part += 1
            elif self.idea + 1 < len(self.told):
                self.idea, self.part, self.receipts = self.idea + 1, 0, False
        elif key is Key.BACK:
            if self.part:
                self.part -= 1
            elif self.receipts:
                self.receipts = False
            elif self.idea:
                self.idea -= 1
                self.part = len(self.parts()) - 1

    def size(self) -> tuple[int, int]:
        """Columns and rows of the terminal now."""
        try:
            found = os.get_terminal_size(sys.stdout.fileno())
        except (OSError, ValueError):
            return _SIZE
        return (found.columns or _SIZE[0], found.lines or _SIZE[1])

    def parts(self) -> list[list[Line]]:
        """The screens of the idea that is shown."""
        from imagepeel.render.stage import screens  # start time

        place = f"{self.idea + 1} of {len(self.told)}"
        idea = self.told[self.idea]
        return screens(idea, place, *self.size(), receipts=self.receipts, ascii_only=_ascii_only())

    def draw(self) -> tuple[int, int]:
        """Write the screen that is to be seen; return the size that it was made for."""
        from imagepeel.render.layout import written  # start time

        size = self.size()
        parts = self.parts()
        self.part = min(self.part, len(parts) - 1)
        lines = (written(line, colour=self.colour) for line in parts[self.part])
        sys.stdout.write(_CLEAR + "\n".join(lines))
        sys.stdout.flush()
        return size
