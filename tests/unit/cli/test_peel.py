"""peel on a real terminal of 80 columns and 24 rows: what explain claims, one idea a screen, and nothing beside it."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import imagepeel
from imagepeel import forge
from imagepeel.errors import Ambiguous
from imagepeel.present.document import Block, Claim, Story, evidence_of, plain
from imagepeel.present.ideas import ideas
from imagepeel.render.escape import terminal
from imagepeel.render.layout import line_cells, written
from imagepeel.render.stage import screens

Run = Callable[..., Any]
Make = Callable[..., Path]

CLEAR = "\x1b[H\x1b[2J"
FOOT = re.compile(r"Enter on .* \d+ of \d+\x1b\[0m\Z")
ENTERED, LEFT = "\x1b[?1049h", "\x1b[?1049l"


def story_of(path: Path) -> Story:
    with imagepeel.open(path) as archive:
        try:
            return archive.image().explain()
        except Ambiguous:
            return archive.image("#1").explain()


def squeezed(text: str) -> str:
    """A text without blanks: where it breaks is the screen's matter."""
    return re.sub(r"\s+", "", text)


def claims(story: Story) -> list[str]:
    blocks: list[Block] = [*story.summary, *(block for chapter in story.chapters for block in chapter.blocks)]
    return [squeezed(terminal(plain(block.text))) for block in blocks if isinstance(block, Claim)]


def body(screen: list[str]) -> str:
    """What stands between the title and the foot."""
    return "".join(screen[2:-1])


class Room:
    """A terminal of 80 x 24 in which peel runs."""

    def __init__(self, *words: str | Path, columns: int = 80, rows: int = 24) -> None:
        self.main, side = pty.openpty()
        fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.side = side
        self.before = termios.tcgetattr(side)
        environment = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES", "NO_COLOR")}
        self.running = subprocess.Popen(
            [sys.executable, "-m", "imagepeel", *map(str, words)],
            stdin=side, stdout=side, stderr=side, start_new_session=True,
            env={**environment, "TERM": "xterm", "PYTHONIOENCODING": "utf-8"},
        )  # fmt: skip
        self.seen = ""

    def until(self, wanted: str) -> str:
        """Read until some words were written; return all that was read since the last call."""
        while wanted not in self.seen:
            assert select.select([self.main], [], [], 60)[0], self.seen
            self.seen += os.read(self.main, 65536).decode("utf-8")
        out, self.seen = self.seen, ""
        return out

    def press(self, keys: str) -> list[str]:
        """Press keys; return the lines of the screen that comes."""
        os.write(self.main, keys.encode())
        while not FOOT.search(self.seen):
            assert select.select([self.main], [], [], 60)[0], self.seen
            self.seen += os.read(self.main, 65536).decode("utf-8")
        out, self.seen = self.seen, ""
        return re.sub("\x1b\\[[0-9;]*m", "", out.rpartition(CLEAR)[2]).split("\r\n")

    def end(self) -> tuple[str, int, bool]:
        """Return what was written at the end, the exit code, and whether the terminal is as it was."""
        code = self.running.wait(timeout=60)
        last = self.seen
        while select.select([self.main], [], [], 0)[0]:
            last += os.read(self.main, 65536).decode("utf-8")
        after = termios.tcgetattr(self.side)
        os.close(self.side)
        os.close(self.main)
        return last, code, after == self.before


@pytest.fixture
def room(forge_archive: Make) -> Iterator[Room]:
    found = Room("peel", forge_archive("shop"))
    yield found
    if found.running.poll() is None:
        found.running.kill()
        found.running.wait()


def test_a_talk_from_the_first_screen_to_the_last(room: Room, forge_archive: Make) -> None:
    story = story_of(forge_archive("shop"))
    count = len(ideas(story))
    shown = [room.press("")]
    assert "999:999" in body(shown[0])
    while (place := re.search(r"(\d+) of \d+(?:, part (\d+) of (\d+))?$", shown[-1][-1])) is not None:
        if int(place[1]) == count and place[2] == place[3]:
            break
        shown.append(room.press("\n"))
    for lines in shown:
        assert len(lines) == 24 and max(map(len, lines)) <= 80
        assert not re.search("[\x00-\x1f]", "".join(lines))
    told = squeezed("".join(map(body, shown)))
    assert [claim for claim in claims(story) if claim not in told] == []
    assert room.press("\r") == shown[-1]
    assert room.press("b") == shown[-2]
    os.write(room.main, b"q")
    last, code, restored = room.end()
    assert last.endswith(LEFT) and code == 0 and restored


def test_the_receipt_of_what_is_on_the_screen(room: Room, forge_archive: Make) -> None:
    told = ideas(story_of(forge_archive("shop")))
    first, second, shown = room.press(""), room.press(" "), room.press("r")
    (section,) = told[1].sections
    receipts = [receipt for block in section.blocks for evidence in evidence_of(block) for receipt in evidence.receipts]
    assert receipts
    assert squeezed(terminal(receipts[0].command)) in squeezed(body(shown))
    assert room.press("r") == second
    assert room.press("\x1b[D") == first


@pytest.mark.parametrize(("sign", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_restores_the_terminal(sign: int, code: int, room: Room) -> None:
    assert ENTERED in room.until("Enter on")
    assert termios.tcgetattr(room.side) != room.before
    room.running.send_signal(sign)
    last, left, restored = room.end()
    assert LEFT in last and left == code and restored


def test_the_keyboard_is_not_the_archive(forge_archive: Make) -> None:
    """Standard input is the archive, and no terminal controls the process: nobody can press a key."""
    data = forge_archive("hello").read_bytes()
    done = subprocess.run(
        [sys.executable, "-m", "imagepeel", "peel", "-"], input=data, capture_output=True, start_new_session=True,
        check=True,
    )  # fmt: skip
    assert b"I T   I S   A   T A R B A L L" in done.stdout and b"\x1b" not in done.stdout


@pytest.mark.parametrize("name", forge.NAMES)
def test_every_claim_is_told_and_no_screen_is_too_large(name: str, forge_archive: Make, run_cli: Run) -> None:
    path = forge_archive(name)
    story = story_of(path)
    for width, height in ((80, 24), (40, 12), (200, 60)):
        told = ""
        for idea in ideas(story):
            for receipts in (False, True):
                for screen in screens(idea, "1 of 1", width, height, receipts=receipts):
                    lines = [written(line, colour=False) for line in screen]
                    assert len(lines) == height and max(map(line_cells, screen)) <= width
                    assert terminal("".join(lines)) == "".join(lines)
                    told += "" if receipts else body(lines)
        told = squeezed(told)
        assert [claim for claim in claims(story) if claim not in told] == []
    piped = squeezed(run_cli("peel", path, *(["--image", "#1"] if name == "two-images" else [])).stdout)
    assert [claim for claim in claims(story) if claim not in piped] == []


def test_a_handout_has_each_receipt_on_one_line(forge_archive: Make, run_cli: Run) -> None:
    path = forge_archive("shop")
    lines = run_cli("peel", path, "--receipts").stdout.splitlines()
    for receipt in story_of(path).receipts():
        assert f"$ {receipt.command}" in lines
