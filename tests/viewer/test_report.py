"""The page of a report in a real browser: what people move, search and read, and what it must never do."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from browser import Watched, chromium
from click.testing import CliRunner

import missing
import nasty
from imagepeel import forge
from imagepeel.cli import cli
from imagepeel.render.report import SCRIPTS
from imagepeel.results import report
from imagepeel.results.report import MOST_PATHS

if TYPE_CHECKING:
    from playwright.sync_api import Browser

Run = Callable[..., Any]
Make = Callable[..., Path]
TREE = '[role="tree"]'


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def page_of(forge_archive: Make, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Return a function that writes the report of teaching images (or archives) once and gives its path."""
    made: dict[Any, Path] = {}

    def write(*what: Any) -> Path:
        if what not in made:
            archives = [one if isinstance(one, Path) else forge_archive(one) for one in what]
            out = tmp_path_factory.mktemp("report") / "report.html"
            done = CliRunner().invoke(cli, ["report", *map(str, archives), "-o", str(out)])
            assert done.exit_code == 0, done.output
            made[what] = out
        return made[what]

    return write


def rows(page: Any) -> list[str]:
    """The names that the tree shows, in its order."""
    return [name.rstrip("/") for name in page.locator(f"{TREE} .name").all_text_contents()]


def test_the_slider_peels(browser: Browser, page_of: Callable[..., Path]) -> None:
    """The secret of the shop comes with L4 and is removed by L5, as GNU tar lists in those layers."""
    file = page_of("shop")
    at = Watched(browser, file)
    page = at.page
    assert "usr" in rows(page)
    assert "starts" in page.locator(".start").text_content()
    page.locator('input[type="range"]').fill("4")
    assert "fails" in page.locator(".start").text_content()
    assert "executable file not found" in page.locator(".start").text_content()
    for name in ("srv/", "shop/"):
        page.locator(f"{TREE} .name", has_text=re.compile(f"^{name}$")).click()
    assert ".env" in rows(page)
    page.locator('input[type="range"]').fill("5")
    gone = page.locator(f"{TREE} li.gone .name")
    assert gone.all_text_contents() == [".env"]
    page.locator(f"{TREE} .name", has_text=re.compile(r"^\.env$")).click()
    life = page.locator(".life").text_content()
    assert "added: file" in life and "removed" in life and "--removed" in life
    page.locator('input[type="range"]').fill("6")
    assert ".env" not in rows(page)
    assert page.url.endswith("#layer=L6&path=%2Fsrv%2Fshop%2F.env")
    assert at.quiet(file)


def test_the_address_opens_at_its_place(browser: Browser, page_of: Callable[..., Path]) -> None:
    page = Watched(browser, page_of("shop"), "#layer=L4&path=/srv/shop/.env").page
    assert ".env" in rows(page)
    assert page.locator('input[type="range"]').input_value() == "4"
    assert page.locator(".life h3").text_content() == "/srv/shop/.env"


def test_search_and_sort(browser: Browser, page_of: Callable[..., Path]) -> None:
    page = Watched(browser, page_of("shop")).page
    page.get_by_label("find").fill("SHOP/bin")
    assert rows(page) == ["/srv/shop/bin", "/srv/shop/bin/serve"]
    assert "2 paths found" in page.locator(".tree [role=status]").text_content()
    page.get_by_label("find").fill("")
    page.get_by_label("sort by").select_option("size")
    amounts = page.locator(f"{TREE} > li > .line .amount").all_text_contents()
    assert amounts[0].endswith("kB") and rows(page)[0] == "srv"
    page.get_by_label("only what this layer changes").check()
    assert rows(page) == ["usr"]


def test_the_keyboard_suffices(browser: Browser, page_of: Callable[..., Path]) -> None:
    """From the address line: Tab to the slider, arrows on it, Tab to the tree, arrows and Enter in it."""
    page = Watched(browser, page_of("shop")).page
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.type") == "range":
            break
    page.keyboard.press("ArrowLeft")
    assert "L7" in page.locator(".step").text_content()
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.getAttribute('role')") == "treeitem":
            break
    for key in ("End", "ArrowUp", "ArrowUp", "Home", "ArrowDown", "ArrowRight", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    assert page.locator(".life h3").text_content().startswith("/bin/")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert page.locator(f'{TREE} [aria-expanded="true"]').count() == 0


def test_the_treemap_zooms(browser: Browser, page_of: Callable[..., Path]) -> None:
    page = Watched(browser, page_of("shop")).page
    page.locator('.box.folder[aria-label^="srv/"]').focus()
    page.keyboard.press("Enter")
    page.locator('.box.folder[aria-label^="shop/"]').click()
    assert page.locator(".way strong").text_content() == "shop/"
    page.locator('.box[aria-label^="catalog.bin"]').click()
    assert page.locator(".life h3").text_content() == "/srv/shop/catalog.bin"
    page.get_by_role("button", name="/", exact=True).click()
    assert page.locator(".way strong").text_content() == "/"


@pytest.mark.parametrize(
    ("image", "scheme", "width"), [("shop", "light", 380), ("shop", "dark", 1280), ("no-loader", "light", 1280)]
)
def test_it_is_accessible_and_fits(
    image: str, scheme: Any, width: int, browser: Browser, page_of: Callable[..., Path]
) -> None:
    """Judged by axe-core; on a phone nothing sticks out at the right."""
    axe = pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed")
    code = (Path(axe.__file__).parent / "axe.min.js").read_text()
    at = Watched(
        browser, page_of(image), color_scheme=scheme, viewport={"width": width, "height": 800}, bypass_csp=True
    )
    at.page.evaluate(code)
    found = at.page.evaluate("axe.run()")
    assert [(one["id"], one["nodes"][0]["html"]) for one in found["violations"]] == []
    assert len(found["passes"]) > 20
    assert at.page.evaluate("document.documentElement.scrollWidth") <= width


def test_paper_and_no_javascript_have_the_text(
    browser: Browser, page_of: Callable[..., Path], forge_archive: Make, run_cli: Run
) -> None:
    """Without JavaScript it is what explain says, by the same renderer."""
    file = page_of("shop")
    page = Watched(browser, file, java_script_enabled=False).page
    told = page.locator("main").inner_text()
    found = json.loads(run_cli("wtf", forge_archive("shop"), "--json").stdout)["result"]["findings"]
    assert "It is a tarball" in told and "Should this run in production?" in told
    assert len(found) >= 4 and all(finding["rule"] in told for finding in found)
    assert page.locator(".viewer").count() == 0
    paper = Watched(browser, file).page
    paper.emulate_media(media="print")
    assert not paper.get_by_label("find").is_visible()
    assert paper.locator("main").inner_text().count("Headcount") >= 1


def test_two_images_are_one_page(browser: Browser, page_of: Callable[..., Path]) -> None:
    file = page_of("shop", "hello")
    at = Watched(browser, file)
    assert at.page.locator(".viewer").count() == 2
    titles = at.page.locator("main > section h2").all_inner_texts()
    places = [
        titles.index(title)
        for title in ("What differs", "shop.tar", "hello.tar", "1 shop:1.4 linux/amd64: It is a tarball")
    ]
    assert places == sorted(places) and places[0] == 0
    at.page.locator('input[type="range"]').first.fill("2")
    assert "L2" in at.page.locator(".step").first.text_content()
    assert "L1" in at.page.locator(".step").last.text_content()
    assert at.quiet(file)


EVIL = "<script>alert(1)</script></script><img src=x onerror=alert(2)>\"'&`|\x1b[2J\u202e${alert(3)}"


def evil() -> forge.ImageSpec:
    """Everything that has a name or a text is hostile."""
    name = EVIL.replace("/", "\u2215")
    return forge.image(
        forge.layer(
            forge.directory(name), forge.file(f"{name}/{name}", EVIL), forge.symlink(f"{name}-link", EVIL),
            forge.file("bin/x", EVIL, 0o755), forge.file("etc/passwd", f"{EVIL}:x:0:0:{EVIL}:/:{EVIL}\n"),
            created_by=f"RUN {EVIL}",
        ),
        forge.layer(forge.whiteout(f"{name}/{name}"), created_by=EVIL),
        names=["evil:1"], env=[f"A={EVIL}"], labels={EVIL: EVIL}, entrypoint=["/bin/x", EVIL], user="0",
    )  # fmt: skip


def test_a_hostile_image_runs_asks_and_hides_nothing(
    browser: Browser, page_of: Callable[..., Path], forge_archive: Make
) -> None:
    file = page_of(forge_archive(evil(), name="evil.tar"))
    at = Watched(browser, file)
    page = at.page
    for label in ("1", "2"):
        page.locator('input[type="range"]').fill(label)
        at_row = 0
        while at_row < page.locator(f"{TREE} .line").count():
            page.locator(f"{TREE} .line").nth(at_row).click()
            at_row += 1
    assert page.locator("img, iframe, object, embed, link, form").count() == 0
    assert page.locator("script").count() == 2
    shown = page.locator("body").inner_text()
    assert "\x1b" not in shown and "\u202e" not in shown and "<img src=x onerror=alert(2)>" in shown
    assert at.quiet(file)


def test_slides_of_a_hostile_image_run_ask_and_hide_nothing(
    browser: Browser, forge_archive: Make, tmp_path: Path
) -> None:
    file = tmp_path / "slides.html"
    done = CliRunner().invoke(cli, ["workshop", "slides", str(forge_archive(evil(), name="evil.tar")), str(file)])
    assert done.exit_code == 0, done.output
    at = Watched(browser, file)
    shown = ""
    for _ in range(80):
        shown += at.page.locator("body").inner_text()
        at.page.keyboard.press("n")
        at.page.keyboard.press("Enter")
    assert at.page.locator("img, iframe, object, embed, link, form").count() == 0
    assert at.page.locator("script").count() == 1
    assert "\x1b" not in shown and "\u202e" not in shown and "<img src=x onerror=alert(2)>" in shown
    assert at.quiet(file)


def test_every_name_is_shown_inert(browser: Browser, page_of: Callable[..., Path], forge_archive: Make) -> None:
    """Names of bytes that are no text, of control characters and of 255 bytes."""
    spec = forge.image(forge.layer(*nasty.base(64)), cmd=["/none"])
    file = page_of(forge_archive(spec, name="nasty.tar"))
    at = Watched(browser, file)
    at.page.get_by_label("find").fill("/names/")
    assert at.page.locator(f"{TREE} .name").count() == 19
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", at.page.locator(TREE).inner_text())
    assert at.quiet(file)


SUMS = """() => JSON.parse(document.getElementById("data").textContent).map(({ result }) => {
  const { total } = new ImageModel(result);
  const add = (name) => result.bytes.layers.reduce((sum, layer) => sum + layer[name], 0);
  return { tree: total.size, lost: total.lost, visible: add("visible"), unseen: add("shadowed") + add("removed") };
})"""


@pytest.mark.parametrize("image", ["shop", "hello", "linkshadow", "whiteouts"])
def test_the_sums_are_those_of_du(
    image: str, browser: Browser, page_of: Callable[..., Path], forge_archive: Make
) -> None:
    """Also where a file has several names, of which a later layer takes one or all away."""
    links = forge.image(
        forge.layer(
            forge.file("a", "x" * 1000), forge.hardlink("b", "a"), forge.hardlink("d/c", "a"),
            forge.file("e", "y" * 70), forge.hardlink("f", "e"),
        ),
        forge.layer(forge.whiteout("a"), forge.whiteout("e"), forge.whiteout("f")),
        cmd=["/none"],
    )  # fmt: skip
    what = forge_archive(links, name="links.tar") if image == "whiteouts" else image
    (found,) = Watched(browser, page_of(what)).page.evaluate(SUMS)
    assert (found["tree"], found["lost"]) == (found["visible"], found["unseen"])
    if image == "whiteouts":
        assert (found["tree"], found["lost"]) == (1000, 70)


def test_a_large_image_is_folded_and_says_so(
    browser: Browser, page_of: Callable[..., Path], forge_archive: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tenth of 100,000 entries: a page of less than a tenth of 15 MB; the sums still count every file."""
    monkeypatch.setattr(report, "MOST_PATHS", MOST_PATHS // 10)
    many = [forge.file(f"d{i // 1000}/f{i}", b"x" * (i % 7)) for i in range(10_000)]
    file = page_of(forge_archive(forge.image(forge.layer(*many), cmd=["/none"]), name="large.tar"))
    assert file.stat().st_size < 1_500_000
    at = Watched(browser, file)
    (found,) = at.page.evaluate(SUMS)
    assert found["tree"] == found["visible"] == sum(i % 7 for i in range(10_000))
    told = at.page.locator(".tree [role=status]").text_content()
    assert told.startswith(f"{10_010 - MOST_PATHS // 10:,} paths of this image have no row here")
    assert at.quiet(file)


def test_what_is_missing_is_said(
    browser: Browser, page_of: Callable[..., Path], forge_archive: Make, tmp_path: Path
) -> None:
    """An image without one of its layers: no start is guessed, and what the layer holds is not called 0."""
    whole = forge_archive("shop", kind="oci-archive")
    file = page_of(missing.without(whole, missing.blobs(whole)["L4"], tmp_path / "cut.tar"))
    at = Watched(browser, file)
    at.page.locator('input[type="range"]').fill("4")
    assert at.page.locator(".bars button").nth(3).text_content() == "L4not here"
    assert "cannot be told" in at.page.locator(".step").text_content()
    assert at.page.locator(".start").text_content() == ""
    assert "incomplete" in at.page.locator(".step").text_content()
    assert "UNKNOWN" in at.page.locator("header").text_content()
    assert at.quiet(file)


def test_wrong_calls_are_one_error(forge_archive: Make, run_cli: Run, tmp_path: Path) -> None:
    shop = forge_archive("shop")
    for words, said in (
        (["report", shop], "no file is named for the page"),
        (["report", shop, shop, shop, "-o", tmp_path / "x"], "one image or two"),
        (["report", shop, shop, "--json"], "--json takes one archive"),
        (["report", "-", "-", "-o", tmp_path / "x"], "only once"),
    ):
        done = run_cli(*words)
        assert done.exit_code == 2 and said in done.stderr and done.stdout == "", words
    assert run_cli("report", shop, "-o", shop).exit_code == 2
    assert not list(tmp_path.iterdir())


def test_the_data_are_the_published_json(forge_archive: Make, run_cli: Run) -> None:
    shop = forge_archive("shop")
    page = run_cli("report", shop, "-o", "-").stdout
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found is not None and "<" not in found[1]
    assert json.loads(found[1]) == [json.loads(run_cli("report", shop, "--json").stdout)]


SITE = Path(__file__).parents[2] / "site"
VIEWER = Path(str(files("imagepeel.render").joinpath("viewer")))


@pytest.mark.parametrize(
    ("scripts", "library"),
    [
        ([VIEWER / f"{name}.js" for name in SCRIPTS], "dom"),
        ([SITE / "folder.js", SITE / "tab.js"], "dom"),
        ([SITE / "worker.js"], "webworker"),
        ([SITE / "offline.js"], "webworker"),
    ],
    ids=["viewer", "tab", "worker", "offline"],
)
def test_the_scripts_are_typed(scripts: list[Path], library: str, tmp_path: Path) -> None:
    """`tsc --noEmit` over their JSDoc types."""
    npx = shutil.which("npx")
    if npx is None:
        pytest.skip("npm is not installed")
    if library == "dom":
        # Each script of the two folders is in one of the calls of this test.
        named = {*SCRIPTS, "folder", "tab", "worker", "offline"}
        assert {path.stem for folder in (VIEWER, SITE) for path in folder.glob("*.js")} == named
    options = {
        "noEmit": True, "allowJs": True, "checkJs": True, "strict": True, "target": "es2022",
        "lib": ["es2022", library, f"{library}.iterable"], "types": [],
    }  # fmt: skip
    config = {"compilerOptions": options, "files": [str(path) for path in scripts]}
    (tmp_path / "tsconfig.json").write_text(json.dumps(config))
    command = [npx, "--yes", "--package", "typescript@5.9", "tsc", "-p", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=tmp_path, check=False)
    if "npm error" in done.stderr:
        pytest.skip("the compiler of TypeScript cannot be fetched")
    assert (done.returncode, done.stdout) == (0, "")
