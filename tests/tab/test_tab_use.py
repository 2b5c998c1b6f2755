"""The tab as people use it: keyboard, phone, themes, paper, and what a browser or a file can do wrong."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from tab_page import READY, Tab, native

import nasty
from imagepeel import forge
from imagepeel.forge import gallery
from sampling import sample

if TYPE_CHECKING:
    from playwright.sync_api import Browser

TEACHING = 6
"""Teaching images that each run opens; `--all-starts` opens all."""

pytestmark = pytest.mark.skipif(not list(READY.glob("msgspec-*.whl")), reason="make pyodide prepares it")


@pytest.fixture(scope="module")
def tab(browser: Browser, address: str) -> Tab:
    return Tab(browser, address)


RECIPE = '{"names": ["mine:1"], "config": {"Cmd": ["/gone"]}, "layers": [{"entries": [{"file": "a", "text": "b"}]}]}'


def test_the_recipe_is_followed_while_it_is_written(tab: Tab, address: str, tmp_path: Path) -> None:
    """The tarball, the tree and the start change; what is no recipe for a moment leaves the page as it is."""
    tab.page.goto(address + "#" + urlencode({"recipe": RECIPE, "path": "/a"}))
    tab.frame.get_by_text("/gone does not exist").first.wait_for()
    assert tab.frame.locator(".life h3").text_content() == "/a"
    with tab.page.expect_download() as download:
        tab.page.click("#keep")
    before = Path(download.value.path()).read_bytes()
    tab.page.fill("#recipe", RECIPE[:-2])
    assert "Below is what the recipe made before" in tab.until("error:")
    assert tab.frame.locator(".life h3").text_content() == "/a"
    tab.page.fill("#recipe", RECIPE.replace("/gone", "/a").replace('"b"', '"b", "mode": "0755"'))
    tab.frame.get_by_text("exec format error").first.wait_for()
    assert tab.frame.locator(".life h3").text_content() == "/a", "the viewer stands where it stood"
    assert "0755" in (tab.frame.locator(".life").text_content() or "")
    with tab.page.expect_download() as download:
        tab.page.click("#keep")
    path = tmp_path / download.value.suggested_filename
    path.write_bytes(Path(download.value.path()).read_bytes())
    assert path.name == "recipe.tar" and path.read_bytes() != before
    assert b"exec format error" in native(path, "process")


def test_the_place_in_a_report_is_in_the_address(tab: Tab, address: str) -> None:
    tab.page.goto(address + "#gallery=shop&layer=L4&path=/srv/shop/.env")
    tab.frame.locator(".life h3").get_by_text("/srv/shop/.env").wait_for()
    assert tab.frame.locator("input[type=range]").input_value() == "4"
    tab.frame.locator("input[type=range]").fill("5")
    tab.page.wait_for_url("**layer=L5*")
    assert "gallery=shop" in tab.page.url and ".env" in tab.page.url


@pytest.mark.parametrize(
    ("scheme", "width", "state"),
    [("light", 380, ""), ("dark", 380, "gallery=shop"), ("light", 1280, "gallery=no-loader&command=process"),
     ("dark", 1280, "recipe={}")],
)  # fmt: skip
def test_it_is_accessible_and_fits(scheme: Any, width: int, state: str, browser: Browser, address: str) -> None:
    """Judged by axe-core, in the frame too; on a phone nothing sticks out at the right."""
    axe = pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed")
    code = (Path(axe.__file__).parent / "axe.min.js").read_text()
    size = {"width": width, "height": 1500}
    tab = Tab(browser, f"{address}#{state}", ready="", color_scheme=scheme, viewport=size, bypass_csp=True)
    tab.until("Ready", "Done", "error:")
    if state:
        tab.page.evaluate("document.getElementById('workshop').open = true")
    if state.startswith("gallery=shop"):
        tab.page.frames[-1].evaluate(code)
    tab.page.evaluate(code)
    found = tab.page.evaluate("axe.run()")
    assert [(one["id"], one["nodes"][0]["html"]) for one in found["violations"]] == []
    assert len(found["passes"]) > 15
    assert tab.page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_keyboard_suffices(tab: Tab, address: str) -> None:
    """From the address line to a teaching image, to another command, and to the slider in the page."""
    tab.page.goto(address + "?keys")
    tab.until("Ready")
    reach(tab, "gallery")
    tab.page.keyboard.type("sho")
    tab.frame.get_by_text("Peel it").wait_for()
    for _ in range(60):
        tab.page.keyboard.press("Tab")
        inside = tab.page.frames[-1]
        if inside.evaluate("document.activeElement?.type") == "range":
            break
    tab.page.keyboard.press("ArrowLeft")
    tab.page.wait_for_url("**layer=L7*")
    tab.page.reload()
    tab.until("Done")
    reach(tab, "command")
    tab.page.keyboard.type("proc")
    tab.frame.get_by_text("docker@29.7").first.wait_for()
    reach(tab, "words")
    tab.page.keyboard.type("--user 7")
    tab.page.keyboard.press("Enter")
    tab.frame.get_by_text("7:0").first.wait_for()
    assert not tab.complaints


def reach(tab: Tab, name: str) -> None:
    """Press Tab until the element has the focus."""
    for _ in range(60):
        tab.page.keyboard.press("Tab")
        if tab.page.evaluate("document.activeElement.id") == name:
            return
    raise AssertionError(name)


@pytest.mark.parametrize("command", ["report", "layers"])
def test_paper_has_the_whole_page_and_nothing_else(command: str, tab: Tab) -> None:
    tab.go(f"gallery=shop&command={command}")
    tab.frame.locator("footer").get_by_text("Made by imagepeel").wait_for()
    tab.page.emulate_media(media="print")
    assert not tab.page.locator("#ask").is_visible()
    room = tab.page.locator("#page").bounding_box()
    needed = tab.frame.locator("footer").bounding_box()
    assert room is not None and needed is not None
    assert needed["y"] + needed["height"] <= room["y"] + room["height"] + 4
    tab.page.emulate_media(media="screen")


@pytest.mark.parametrize("lacks", ["Worker", "WebAssembly", "DecompressionStream"])
def test_a_browser_that_lacks_a_part_is_told_once(lacks: str, browser: Browser, folder: Path) -> None:
    """In one sentence, again for whoever goes on."""
    script = f"delete globalThis.{lacks}"
    tab = Tab(browser, (folder / "index.html").as_uri(), script=script, ready="cannot start")
    told = f"imagepeel cannot start here: this browser has no {lacks}. On a command line: imagepeel explain image.tar"
    assert tab.said == told
    tab.page.select_option("#gallery", "hello")
    assert tab.said == told
    assert not tab.complaints


EVIL = "<script>alert(1)</script></script><img src=x onerror=alert(2)>\"'&`|\x1b[2J\u202e${alert(3)}"


@pytest.mark.parametrize("command", ["report", "explain", "layers", "tree", "process", "wtf", "anatomy"])
def test_a_hostile_image_runs_asks_and_hides_nothing(command: str, tab: Tab, tmp_path: Path) -> None:
    """Names, labels, variables, history, users and the name of the file itself."""
    name = EVIL.replace("/", "\u2215")
    spec = forge.image(
        forge.layer(
            *nasty.base(64), forge.file(f"{name}/{name}", EVIL), forge.symlink(f"{name}-link", EVIL),
            forge.file("bin/x", f"#!{EVIL}\n", 0o755), forge.file("etc/passwd", f"{EVIL}:x:0:0:{EVIL}:/:{EVIL}\n"),
            created_by=f"RUN {EVIL}",
        ),
        names=["evil:1"], env=[f"A={EVIL}"], labels={EVIL: EVIL}, entrypoint=["/bin/x", EVIL], user=EVIL,
    )  # fmt: skip
    path = tmp_path / f"<img src=x onerror=alert(4)>{command}.tar"
    path.write_bytes(forge.to_bytes([spec], "docker-archive"))
    assert tab.show(command, "", path)
    assert tab.frame.locator("img, iframe, object, embed, link, form").count() == 0
    assert tab.frame.locator("script").count() == (2 if command == "report" else 0)
    shown = tab.frame.locator("body").inner_text()
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", shown)
    assert not tab.complaints


def test_a_file_of_four_gigabytes_is_read_in_place(tab: Tab, tmp_path: Path) -> None:
    """No copy of it is made: the tab has not that much memory.  What is no archive gets one sentence."""
    large = tmp_path / "large.tar"
    large.write_bytes(b"no image at all")
    os.truncate(large, 4_500_000_000)
    assert tab.show("report", "", large) == b""
    assert tab.said.startswith("error:") and "try:" in tab.said
    large = tmp_path / "hello.tar"
    large.write_bytes(forge.to_bytes([forge.build("hello")], "docker-archive"))
    os.truncate(large, 4_500_000_000)
    assert tab.show("process", "--json", large) == native(large, "process", "--json")
    assert not tab.complaints


def test_a_file_that_changes_gets_one_sentence(tab: Tab, tmp_path: Path) -> None:
    path = tmp_path / "changing.tar"
    path.write_bytes(forge.to_bytes([forge.build("hello")], "docker-archive"))
    assert tab.show("layers", "", path)
    path.write_bytes(path.read_bytes() + b"\0" * 512)
    assert tab.show("process", "") == b""
    assert tab.said == "error: changing.tar changed or went away since it was chosen\n  try: choose it again"
    assert not tab.complaints


def test_a_tab_closed_in_the_middle_loses_nothing(browser: Browser, address: str, tmp_path: Path) -> None:
    archive = tmp_path / "large.tar"
    spec = forge.image(forge.layer(forge.file("f", b"0" * 40_000_000)), names="large:1")
    archive.write_bytes(forge.to_bytes([spec], "oci-archive", compression="xz"))
    before = archive.read_bytes()
    tab = Tab(browser, address)
    tab.page.set_input_files("#file", archive)
    tab.until("Reading")
    tab.page.close()
    again = tab.context.new_page()
    again.goto(address + "#gallery=hello&command=process")
    again.frame_locator("#page").get_by_text("/hello").first.wait_for(timeout=120_000)
    assert archive.read_bytes() == before


def test_teaching_images_open(request: pytest.FixtureRequest, tab: Tab) -> None:
    """Each is made in the tab, and its report has the slider."""
    chosen = sample(request.config, gallery.NAMES, TEACHING)
    tab.page.select_option("#command", "report")
    for name in chosen:
        tab.page.fill("#words", "")
        tab.page.select_option("#gallery", name)
        if "could be meant" in tab.until():
            tab.page.fill("#words", "--image '#1'")
            tab.page.click("#run")
        tab.until()
        assert tab.page.is_enabled("#save"), name
        tab.frame.get_by_text("Peel it").wait_for()
    assert not tab.complaints


def test_a_file_that_is_dropped_is_read(tab: Tab, tmp_path: Path) -> None:
    data = forge.to_bytes([forge.build("hello")], "docker-archive")
    make = """(bytes) => {
      const made = new DataTransfer();
      made.items.add(new File([new Uint8Array(bytes)], "dropped.tar"));
      return made;
    }"""
    dropped = tab.page.evaluate_handle(make, list(data))
    tab.page.fill("#words", "")
    tab.page.dispatch_event("main", "drop", {"dataTransfer": dropped})
    tab.frame.get_by_role("heading", name="dropped.tar").wait_for()
    assert "tar" not in tab.page.url
