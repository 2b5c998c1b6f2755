"""The documentation is a site: all pages and public names are in it, without warnings and foreign requests."""

from __future__ import annotations

import inspect
import re
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterator
from importlib import util
from pathlib import Path

import pytest

import imagepeel
from imagepeel import forge, results
from imagepeel.interop import fsspec

HOMES = (imagepeel, forge, results, fsspec)
DOCS = Path(__file__).parents[2] / "docs"
KINDS = ("tutorials", "how-to", "explanation", "reference")


def test_every_page_has_a_place_in_the_list_of_contents() -> None:
    listed = re.findall(r"^((?:tutorials|how-to|explanation|reference)/\S+)$", (DOCS / "index.md").read_text(), re.M)
    named = {page for entry in listed for page in DOCS.glob(entry + ".md")}
    pages = {page for kind in KINDS for page in (DOCS / kind).rglob("*.md")}
    assert pages - named == set()
    assert all(list(DOCS.glob(entry + ".md")) for entry in listed)


DRESSED = ("index", "reference/api", "tutorials/workshop")
"""Pages made as readers see them; the list of contents beside each page is most of what `make docs` costs."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for tool in ("sphinx", "myst_parser", "furo"):
        pytest.importorskip(tool, reason="make docs installs it")
    out = tmp_path_factory.mktemp("site")
    build = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", str(DOCS), str(out)]
    for words in (["-D", "html_theme=basic"], [str(DOCS / f"{name}.md") for name in DRESSED]):
        done = subprocess.run([*build, *words], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
    return out


def test_every_public_name_is_in_it(site: Path) -> None:
    text = (site / "reference" / "api.html").read_text()
    ids = set(re.findall(r'id="(?:module-)?(imagepeel[^"]*)"', text))
    public = {f"{home.__name__}.{name}": getattr(home, name) for home in HOMES for name in home.__all__}
    assert {name for name in public if name not in ids} == {"imagepeel.__version__"}
    of_classes = {
        f"{name}.{member}"
        for name, value in public.items()
        if inspect.isclass(value)
        for member, what in vars(value).items()
        if not member.startswith("_") and (inspect.isfunction(what) or isinstance(what, property))
    }
    assert len(of_classes) > 50 and of_classes - ids == set()


def test_every_public_constant_says_what_it_is(site: Path) -> None:
    text = (site / "reference" / "api.html").read_text()
    for name in (name for name in forge.__all__ if name.isupper() or name.endswith(("Kind", "Form"))):
        entry = text.partition(f'id="imagepeel.forge.{name}"')[2].partition("</dd>")[0]
        assert re.search(r"<dd><p>(?!alias of)\w\w", entry), name


def test_no_page_asks_another_machine(site: Path) -> None:
    loaded = re.compile(r'<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)="(https?:)?//')
    pages = {str(page.relative_to(site).with_suffix("")): page.read_text() for page in site.rglob("*.html")}
    assert len(pages) > 100 and {name for name, text in pages.items() if "sidebar-tree" in text} >= {*DRESSED}
    assert [name for name, text in pages.items() if loaded.search(text)] == []


def test_pictures_are_made_of_what_the_program_writes_today(tmp_path: Path) -> None:
    spec = util.spec_from_file_location("screenshots", DOCS / "screenshots.py")
    assert spec is not None and spec.loader is not None
    screenshots = util.module_from_spec(spec)
    spec.loader.exec_module(screenshots)
    if screenshots.browser() is None:
        pytest.skip("chromium is not installed")
    (picture,) = screenshots.make(tmp_path, ("explain",))
    data = picture.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", data[16:24]) == screenshots.SIZE
    assert len(set(zlib.decompress(b"".join(_image_data(data))))) > 50, "a blank page has few values"


def _image_data(png: bytes) -> Iterator[bytes]:
    """The compressed pixels of a PNG (PNG specification, 11.2.4)."""
    at = 8
    while at < len(png):
        (size,) = struct.unpack(">I", png[at : at + 4])
        if png[at + 4 : at + 8] == b"IDAT":
            yield png[at + 8 : at + 8 + size]
        at += 12 + size
