"""The page that runs imagepeel in a tab, in a real Chromium: it says what the command line says, and asks nobody."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from imagepeel import forge
from imagepeel.forge.archives import FOLDER_KINDS, KINDS
from real_images import archives
from sampling import sample
from viewer.browser import chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).parents[2]
READY = Path(os.environ.get("IMAGEPEEL_PYODIDE", ROOT / "demo" / "pyodide"))
OPENED = 6
"""Real images that each run opens; `--all-starts` opens all."""
BOOT = 120_000
"""Milliseconds for Python to start in a tab of a busy machine."""

Make = Callable[..., Path]

pytestmark = pytest.mark.skipif(not list(READY.glob("msgspec-*.whl")), reason="make pyodide prepares it")


class Quiet(SimpleHTTPRequestHandler):
    extensions_map = {**SimpleHTTPRequestHandler.extensions_map, ".mjs": "text/javascript"}  # noqa: RUF012

    def log_message(self, *words: Any) -> None:
        pass


class Tab:
    """The page, what it asked for, and what it complained of."""

    def __init__(self, browser: Browser, address: str) -> None:
        self.address = address
        # High enough for all of the page: Chromium draws no frame that is out of sight.
        self.context = browser.new_context(accept_downloads=True, viewport={"width": 1200, "height": 2000})
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(BOOT)
        self.asked: list[str] = []
        self.complaints: list[str] = []
        self.context.on("request", lambda request: self.asked.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: self.complaints.append(dialog.message))
        self.page.goto(address)
        self.until("Ready")

    def until(self, *words: str) -> str:
        """Wait until the status says one of these, anything without; return it.  The page evaluates no texts."""
        for _ in range(BOOT // 100):
            said = self.page.text_content("#status") or ""
            if any(word in said for word in words) or (said and not words and self.page.is_disabled("#cancel")):
                return said
            self.page.wait_for_timeout(100)
        raise AssertionError(f"the status is {said!r}")

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


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site") / "site"
    subprocess.run([sys.executable, ROOT / "site" / "build.py", READY, out], check=True)
    return out


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def tab(browser: Browser, address: str) -> Tab:
    return Tab(browser, address)


def native(archive: Path, *words: str) -> bytes:
    """What the command line says about a file that is called so in the current directory."""
    done = subprocess.run(
        [sys.executable, "-m", "imagepeel", words[0], archive.name, *words[1:]], cwd=archive.parent, capture_output=True
    )
    return done.stdout


@pytest.mark.parametrize("kind", sorted(KINDS.keys() - FOLDER_KINDS))
def test_every_kind_of_archive_says_what_the_command_line_says(kind: str, tab: Tab, tmp_path: Path) -> None:
    path = tmp_path / f"{kind}.tar"
    path.write_bytes(forge.to_bytes([forge.build("hello" if kind == "layer" else "shop")], kind))
    assert tab.show("process", "--json", path) == native(path, "process", "--json")


@pytest.mark.parametrize("compression", ["gzip", "zstd", "bzip2", "xz"])
def test_every_compression(compression: str, tab: Tab, tmp_path: Path) -> None:
    path = tmp_path / f"{compression}.tar"
    path.write_bytes(forge.to_bytes([forge.build("shop")], "oci-archive", compression=compression))
    assert tab.show("layers", "--json", path) == native(path, "layers", "--json")


@pytest.mark.parametrize(
    "command", ["report", "explain", "wtf", "waste", "anatomy", "views", "du", "loadable", "operate"]
)
def test_every_command_says_what_the_command_line_says(command: str, tab: Tab, tmp_path: Path) -> None:
    path = tmp_path / "shop.tar"
    path.write_bytes(forge.to_bytes([forge.build("shop")], "docker-archive"))
    assert tab.show(command, "--json", path).rstrip() == native(path, command, "--json").rstrip()


@pytest.mark.judge
@pytest.mark.shared
@pytest.mark.slow
def test_real_images_say_what_the_command_line_says(request: pytest.FixtureRequest, tab: Tab) -> None:
    chosen = sample(request.config, archives(), OPENED)
    if not chosen:
        pytest.skip("the real images are not here")
    wrong, shown = [], 0
    for archive in chosen:
        told = tab.show("layers", "--image '#1' --json", archive)
        expected = native(archive, "layers", "--image", "#1", "--json")
        shown += bool(told)
        if told.rstrip() != expected.rstrip():
            wrong.append(archive)
    assert wrong == []
    assert shown >= len(chosen) // 3


def test_the_report_is_drawn_and_saved(tab: Tab, tmp_path: Path) -> None:
    path = tmp_path / "shop.tar"
    path.write_bytes(forge.to_bytes([forge.build("shop")], "docker-archive"))
    assert tab.show("report", "", path).rstrip() == native(path, "report", "-o", "-").rstrip()
    frame = tab.page.frame_locator("#page")
    frame.get_by_text("The image after layer").wait_for()
    frame.locator("input[type=range]").first.fill("5")
    frame.get_by_text("entrypoint.sh").first.wait_for()


def test_what_is_no_image_gets_one_sentence_and_the_page_goes_on(tab: Tab, tmp_path: Path) -> None:
    wrong = tmp_path / "notes.txt"
    wrong.write_text("no image at all\n" * 100)
    tab.page.set_input_files("#file", wrong)
    tab.until("error:")
    assert "try:" in (tab.page.text_content("#status") or "")
    good = tmp_path / "hello.tar"
    good.write_bytes(forge.to_bytes([forge.build("hello")], "docker-archive"))
    assert tab.show("process", "--engine podman --json", good) == native(
        good, "process", "--engine", "podman", "--json"
    )


def test_a_hostile_image_runs_nothing(tab: Tab, tmp_path: Path) -> None:
    evil = "<img src=x onerror=alert(1)><script>alert(1)</script>"
    spec = forge.image(
        forge.layer(forge.file(f"d/{evil}", evil), created_by=evil), names="evil:1", cmd=[evil], env=[f"A={evil}"]
    )
    path = tmp_path / "evil.tar"
    path.write_bytes(forge.to_bytes([spec], "docker-archive"))
    tab.show("report", "", path)
    tab.show("process", "--json", path)
    assert not tab.complaints


def test_a_recipe_and_a_teaching_image_are_links(tab: Tab, address: str) -> None:
    recipe = (
        '{"names": ["mine:1"], "config": {"Cmd": ["/gone"]}, "layers": [{"entries": [{"file": "a", "text": "b"}]}]}'
    )
    tab.page.goto(address + "#" + urlencode({"recipe": recipe, "command": "process"}))
    tab.page.frame_locator("#page").get_by_text("no such file or directory").first.wait_for()
    assert tab.page.input_value("#recipe") == recipe
    tab.page.fill("#recipe", recipe.replace("/gone", "/a"))
    tab.page.click("#bake")
    tab.page.frame_locator("#page").get_by_text("permission denied").first.wait_for()
    assert "%2Fa" in tab.page.url and "gone" not in tab.page.url
    tab.page.goto(address + "#gallery=no-loader&command=explain")
    tab.page.frame_locator("#page").get_by_text("no-loader").first.wait_for()


def test_it_is_cancelled_and_goes_on(tab: Tab, tmp_path: Path) -> None:
    large = tmp_path / "large.tar"
    spec = forge.image(forge.layer(forge.file("f", os.urandom(30_000_000)), compression="xz"), names="large:1")
    large.write_bytes(forge.to_bytes([spec], "oci-archive"))
    tab.page.set_input_files("#file", large)
    tab.page.click("#cancel")
    tab.until("Cancelled")
    hello = tmp_path / "hello.tar"
    hello.write_bytes(forge.to_bytes([forge.build("hello")], "docker-archive"))
    assert tab.show("process", "--json", hello) == native(hello, "process", "--json")


def test_nothing_is_asked_of_anybody_else(tab: Tab, address: str) -> None:
    """Runs last: all that the other tests made the page do is counted."""
    assert {url for url in tab.asked if not url.startswith((address, "blob:" + address, "about:"))} == set()
    assert not tab.complaints
    program = "fetch('http://127.0.0.1:9/').then(() => 'sent', (error) => String(error))"
    for place in (tab.page, *tab.page.workers):
        assert place.evaluate(program) != "sent"
    assert tab.page.workers, "the worker that reads the files has the policy of the page"
    assert any("Content Security Policy" in one for one in tab.complaints)


def test_it_works_without_network_after_the_first_visit(browser: Browser, folder: Path) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    tab = Tab(browser, f"http://127.0.0.1:{server.server_port}/")
    tab.page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    server.shutdown()
    server.server_close()
    tab.page.goto(tab.address + "?again#gallery=hello&command=process")
    tab.page.frame_locator("#page").get_by_text("/hello").first.wait_for()
