"""browse as a program: on a real terminal, without one, without Textual, and in a browser."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import shutil
import socket
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytest.importorskip("textual", reason="needs the extra tui")

Make = Callable[..., Path]

CHROMIUM = shutil.which("chromium")


class Terminal:
    """A terminal of 80 x 24 in which a command of imagepeel runs."""

    def __init__(self, *words: str | Path, **environment: str) -> None:
        self.main, self.side = pty.openpty()
        fcntl.ioctl(self.side, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.before = termios.tcgetattr(self.side)
        kept = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES", "NO_COLOR")}
        self.running = subprocess.Popen(
            [sys.executable, "-m", "imagepeel", *map(str, words)],
            stdin=self.side, stdout=self.side, stderr=self.side, start_new_session=True,
            env={**kept, "TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8", **environment},
        )  # fmt: skip
        self.seen = b""

    def until(self, wanted: str) -> None:
        """Read until some words were written."""
        end = time.monotonic() + 60
        while wanted.encode() not in self.seen:
            assert select.select([self.main], [], [], max(0, end - time.monotonic()))[0], self.seen[-2000:]
            self.seen += os.read(self.main, 65536)

    def press(self, keys: str) -> None:
        os.write(self.main, keys.encode())

    def end(self) -> int:
        """Read to the end; return the exit code.  The terminal is as it was."""
        while self.running.poll() is None or select.select([self.main], [], [], 0)[0]:
            if select.select([self.main], [], [], 0.1)[0]:
                self.seen += os.read(self.main, 65536)
        assert termios.tcgetattr(self.side) == self.before
        os.close(self.side)
        os.close(self.main)
        return self.running.returncode


def test_it_comes_up_on_a_terminal_and_leaves_it_as_it_was(forge_archive: Make) -> None:
    terminal = Terminal("browse", forge_archive("shop"))
    terminal.until("/srv/shop/bin/serve")
    terminal.press("q")
    assert terminal.end() == 0
    assert b"\x1b[?1049l" in terminal.seen, "the other screen is left"
    assert b"Traceback" not in terminal.seen


def test_leaving_at_once_leaves_no_traceback(forge_archive: Make) -> None:
    terminal = Terminal("browse", forge_archive("shop"), "--no-cache")
    terminal.until("\x1b[?1049h")
    terminal.press("q")
    assert terminal.end() == 0
    assert b"Traceback" not in terminal.seen


def test_what_is_wrong_with_the_image_is_said_when_one_leaves(forge_archive: Make, tmp_path: Path) -> None:
    whole = forge_archive("shop").read_bytes()
    bent = tmp_path / "bent.tar"
    bent.write_bytes(whole.replace(b"hello from the shop", b"hallo from the shop", 1).replace(b"nogroup", b"nagroup"))
    assert bent.read_bytes() != whole
    told = subprocess.run([sys.executable, "-m", "imagepeel", "layers", bent], capture_output=True, text=True)
    assert told.returncode == 12
    terminal = Terminal("browse", bent)
    terminal.until("docker@")
    terminal.press("q")
    assert terminal.end() == 12
    last = terminal.seen.rpartition(b"\x1b[?1049l")[2].decode()
    assert told.stderr.split("error: ", 1)[1].split("\n")[0] in last.replace("\r\n", "\n")


@pytest.mark.parametrize("words", [["-"], ["{archive}"]])
def test_without_a_terminal_it_says_what_to_use(words: list[str], forge_archive: Make) -> None:
    named = [word.format(archive=forge_archive("shop")) for word in words]
    done = subprocess.run(
        [sys.executable, "-m", "imagepeel", "browse", *named], input="", capture_output=True, text=True, check=False
    )
    assert done.returncode == 2 and not done.stdout
    assert ("needs a terminal" in done.stderr) != (words == ["-"])
    assert "try:" in done.stderr


def test_without_textual_it_says_what_to_install(forge_archive: Make, tmp_path: Path) -> None:
    (tmp_path / "textual.py").write_text("raise ModuleNotFoundError('No module named textual', name='textual')\n")
    path = os.pathsep.join(filter(None, (str(tmp_path), os.environ.get("PYTHONPATH"))))
    terminal = Terminal("browse", forge_archive("shop"), PYTHONPATH=path)
    assert terminal.end() == 10
    assert b"Textual is not installed" in terminal.seen and b"imagepeel[tui]" in terminal.seen


def test_no_other_command_loads_textual(forge_archive: Make) -> None:
    program = (
        "import sys\nfrom imagepeel.cli import cli\ntry:\n    cli.main(sys.argv[1:])\nexcept SystemExit:\n    pass\n"
    )
    program += "assert 'textual' not in sys.modules\n"
    for words in (["--help"], ["browse", "--help"], ["tree", str(forge_archive("shop"))]):
        subprocess.run([sys.executable, "-c", program, *words], capture_output=True, check=True)


@contextmanager
def served(command: str) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = f"from textual_serve.server import Server; Server({command!r}, port={port}).serve()"
    running = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(200):
            with socket.socket() as one:
                if not one.connect_ex(("127.0.0.1", port)):
                    break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/"
    finally:
        running.terminate()
        running.wait(timeout=30)


@pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium")
def test_a_browser_shows_the_same(forge_archive: Make) -> None:
    pytest.importorskip("textual_serve", reason="needs textual-serve")
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    command = f"{sys.executable} -m imagepeel browse {forge_archive('shop')}"
    with served(command) as address, playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        frames: list[str] = []
        page.on("websocket", lambda one: one.on("framereceived", lambda data: frames.append(_text(data))))
        page.goto(address)
        for _ in range(300):
            if "/srv/shop/bin/serve" in "".join(frames):
                break
            page.wait_for_timeout(100)
        assert "shop:1.4" in "".join(frames) and "/srv/shop/bin/serve" in "".join(frames)
        browser.close()


def _text(data: str | bytes) -> str:
    return data if isinstance(data, str) else data.decode("utf-8", "replace")
