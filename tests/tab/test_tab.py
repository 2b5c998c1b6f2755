"""The page that runs imagepeel in a tab, in a real Chromium: it says what the command line says, and asks nobody."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest
from tab_page import READY, Tab, native, served

from imagepeel import forge
from imagepeel.forge.archives import FOLDER_KINDS, KINDS
from real_images import archives
from sampling import sample

if TYPE_CHECKING:
    from playwright.sync_api import Browser

OPENED = 6
"""Real images that each run opens; `--all-starts` opens all."""

PARTS = ("index.html", "folder.js", "carried.js", "tab.js", "page.css", "tab.css")
"""What a page that was opened as a file loads."""

pytestmark = pytest.mark.skipif(not list(READY.glob("msgspec-*.whl")), reason="make pyodide prepares it")


@pytest.fixture(scope="module")
def tab(browser: Browser, address: str) -> Tab:
    return Tab(browser, address)


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
    frame = tab.frame
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
    tab.frame.get_by_text("no such file or directory").first.wait_for()
    assert tab.page.input_value("#recipe") == recipe
    tab.page.fill("#recipe", recipe.replace("/gone", "/a"))
    tab.frame.get_by_text("permission denied").first.wait_for()
    assert "%2Fa" in tab.page.url and "gone" not in tab.page.url
    tab.page.goto(address + "#gallery=no-loader&command=explain")
    tab.frame.get_by_text("no-loader").first.wait_for()


def test_it_is_cancelled_and_goes_on(tab: Tab, tmp_path: Path) -> None:
    large = tmp_path / "large.tar"
    many = (forge.file(f"f{n}", str(n)) for n in range(60_000))
    spec = forge.image(forge.layer(*many, compression="gzip"), names="large:1")
    large.write_bytes(forge.to_bytes([spec], "oci-archive"))
    tab.page.set_input_files("#file", large)
    tab.page.click("#cancel")
    tab.until("Cancelled")
    hello = tmp_path / "hello.tar"
    hello.write_bytes(forge.to_bytes([forge.build("hello")], "docker-archive"))
    assert tab.show("process", "--json", hello) == native(hello, "process", "--json")


def sends(tab: Tab, elsewhere: str) -> bool:
    """Whether the page or a worker of it can send something to another server, which would answer."""
    program = f"fetch({elsewhere!r}, {{mode: 'no-cors'}}).then(() => true, () => false)"
    return any(place.evaluate(program) for place in (tab.page, *tab.page.workers))


def test_nothing_is_asked_of_anybody_else(tab: Tab, address: str, folder: Path) -> None:
    """Runs last: all that the other tests made the page do is counted."""
    assert {url for url in tab.asked if not url.startswith((address, "blob:" + address, "about:"))} == set()
    assert not tab.complaints
    with served(folder) as elsewhere:
        assert not sends(tab, elsewhere)
    assert tab.page.workers, "the worker that reads the files has the policy of the page"
    assert any("Content Security Policy" in one for one in tab.complaints)


def test_it_works_without_network_after_the_first_visit(browser: Browser, folder: Path) -> None:
    with served(folder) as address:
        tab = Tab(browser, address)
        tab.page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    tab.page.goto(tab.address + "?again#gallery=hello&command=process")
    tab.frame.get_by_text("/hello").first.wait_for()


def test_the_folder_opens_as_a_file(browser: Browser, folder: Path, tmp_path: Path) -> None:
    """From a USB stick: no server, no service worker, no request but for the scripts beside the page."""
    path = tmp_path / "shop.tar"
    path.write_bytes(forge.to_bytes([forge.build("shop")], "docker-archive", compression="zstd"))
    tab = Tab(browser, (folder / "index.html").as_uri())
    assert tab.show("process", "--json", path) == native(path, "process", "--json")
    assert tab.show("report", "").rstrip() == native(path, "report", "-o", "-").rstrip()
    tab.page.goto(tab.address + "#gallery=no-loader&command=process")
    tab.frame.get_by_text("no-loader").first.wait_for()
    beside = {(folder / name).as_uri() for name in PARTS}
    asked = {url.partition("#")[0] for url in tab.asked if not url.startswith(("blob:null/", "about:"))}
    assert asked == beside
    assert not tab.complaints
    with served(folder) as elsewhere:
        assert not sends(tab, elsewhere)


def test_a_folder_without_a_part_says_so(browser: Browser, folder: Path, tmp_path: Path) -> None:
    """What a careless copy leaves out or damages, opened as a file."""
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    (copy / "carried.js").unlink()
    tab = Tab(browser, (copy / "index.html").as_uri(), ready="cannot start")
    assert "carried.js is not beside this page" in tab.said
    whole = (folder / "carried.js").read_text()
    middle = whole.index('"packages.zip", "') + 500_000
    (copy / "carried.js").write_text(whole[:middle] + ("B" if whole[middle] == "A" else "A") + whole[middle + 1 :])
    assert "cannot start" in Tab(browser, (copy / "index.html").as_uri(), ready="cannot start").said
