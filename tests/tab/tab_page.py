"""The page that runs imagepeel in a tab, for its tests: the folder, a server for it, and who uses it."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser, FrameLocator, Page

ROOT = Path(__file__).parents[2]
READY = Path(os.environ.get("IMAGEPEEL_PYODIDE", ROOT / "demo" / "pyodide"))
BOOT = 120_000
"""Milliseconds for Python to start in a tab of a busy machine."""


def build(out: Path) -> Path:
    """Build the folder there and return it."""
    subprocess.run([sys.executable, ROOT / "site" / "build.py", READY, out], check=True)
    return out


class Quiet(SimpleHTTPRequestHandler):
    extensions_map = {**SimpleHTTPRequestHandler.extensions_map, ".mjs": "text/javascript"}  # noqa: RUF012

    def log_message(self, *words: Any) -> None:
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve the folder as any web server does, and yield its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


class Tab:
    """The page, what it asked for, and what it complained of."""

    def __init__(
        self, browser: Browser, address: str, *, script: str = "", ready: str = "Ready", **context: Any
    ) -> None:
        self.address = address
        # High enough for all of the page: Chromium draws no frame that is out of sight.
        size = {"viewport": {"width": 1200, "height": 2000}, **context}
        self.context = browser.new_context(accept_downloads=True, **size)
        if script:
            self.context.add_init_script(script)
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(BOOT)
        self.asked: list[str] = []
        self.complaints: list[str] = []
        self.context.on("request", lambda request: self.asked.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: self.complaints.append(dialog.message))
        self.page.goto(address)
        self.until(ready)

    @property
    def frame(self) -> FrameLocator:
        return self.page.frame_locator("#page")

    @property
    def said(self) -> str:
        return self.page.text_content("#status") or ""

    def until(self, *words: str) -> str:
        """Wait until the status says one of these, anything without; return it.  The page evaluates no texts."""
        for _ in range(BOOT // 100):
            said = self.said
            if any(word in said for word in words) or (said and not words and self.page.is_disabled("#cancel")):
                return said
            if "cannot start" in said:
                break
            self.page.wait_for_timeout(100)
        raise AssertionError(f"the status is {said!r}")

    def go(self, fragment: str) -> None:
        """Follow a link to a state of the page, and wait for what it shows."""
        self.page.evaluate("document.getElementById('status').textContent = ''")
        self.page.goto(f"{self.address}#{fragment}")
        assert "Done" in self.until("Done", "error:", "ended")

    def show(self, command: str, words: str, archive: Path | None = None) -> bytes:
        """Ask for a command about a file, or about what is chosen; return what is saved, b"" for nothing."""
        self.page.evaluate("document.getElementById('status').textContent = ''")
        self.page.fill("#words", words)
        if archive is not None:
            self.page.select_option("#command", command)
            self.page.set_input_files("#file", [])
            self.page.evaluate("document.getElementById('status').textContent = ''")
            self.page.set_input_files("#file", archive)
        else:
            self.page.select_option("#command", command)
            self.page.click("#run")
        self.until()
        if self.page.is_disabled("#save"):
            return b""
        with self.page.expect_download() as download:
            self.page.click("#save")
        return Path(download.value.path()).read_bytes()


def native(archive: Path, *words: str) -> bytes:
    """What the command line says about a file that is called so in the current directory."""
    done = subprocess.run(
        [sys.executable, "-m", "imagepeel", words[0], archive.name, *words[1:]], cwd=archive.parent, capture_output=True
    )
    return done.stdout
