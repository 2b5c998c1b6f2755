"""HTML, Markdown and notebook cards: self-contained, inert, and complete."""

from __future__ import annotations

import base64
import hashlib
import html.parser
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import imagepeel
from imagepeel import forge
from imagepeel.present.cards import ROWS
from imagepeel.present.document import Claim, Story, plain
from imagepeel.present.story.chapters import explain_image
from imagepeel.render.escape import visible
from imagepeel.render.html import document_html
from imagepeel.render.markdown import code, code_block, document_markdown
from imagepeel.render.notebook import bundle

Forge = Callable[..., Path]
EVIL = "<script>alert(1)</script>\"'&`|\x1b[2J\u202e"


class Page(html.parser.HTMLParser):
    """Tags, attributes and text of a page; unbalanced tags are errors."""

    VOID = frozenset(("meta", "br", "link", "img", "input", "hr"))

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def told(path: Path) -> Story:
    with imagepeel.open(path) as archive:
        return explain_image(archive.image())


@pytest.fixture(scope="module")
def evil(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image whose every name, label, variable and history line tries to be markup."""
    spec = forge.image(
        forge.layer(
            forge.file(f"x{EVIL}", "1"), forge.file(b"\xff<b>", "2"), forge.symlink("l", EVIL), created_by=f"RUN {EVIL}"
        ),
        forge.layer(forge.whiteout(f"x{EVIL}"), created_by=f"RUN rm {EVIL}"),
        entrypoint=[f"/x{EVIL}"],
        env=[f"A={EVIL}"],
        user=EVIL,
        workdir=f"/{EVIL}",
        labels={EVIL: EVIL},
        names="evil:1",
    )
    return forge.write(spec, tmp_path_factory.mktemp("evil") / "evil.tar")


def test_the_page_holds_every_claim(forge_archive: Forge) -> None:
    story = told(forge_archive("shop"))
    text = re.sub(r"\s+", " ", Page(document_html(story.document())).text)
    for chapter in story.chapters:
        assert chapter.title in text
        for block in chapter.blocks:
            if isinstance(block, Claim):
                assert re.sub(r"\s+", " ", visible(plain(block.text))) in text
    for receipt in story.receipts():
        if receipt.command.startswith("tar -tvf"):
            assert receipt.command in text


@pytest.mark.parametrize("receipts", [False, True])
def test_the_page_loads_nothing_and_runs_nothing(receipts: bool, evil: Path) -> None:
    source = document_html(told(evil).document(), receipts=receipts)
    page = Page(source)
    names = {tag for tag, _ in page.tags}
    assert not names & {"script", "img", "link", "iframe", "object", "embed", "form", "base", "svg", "b"}
    for _, attributes in page.tags:
        assert not any(name.startswith("on") or name in ("src", "style") for name in attributes)
        assert (attributes.get("href") or "#").startswith("#")
    assert "\x1b" not in source and "\u202e" not in source
    assert "alert(1)" in page.text, "the hostile text is shown as text"


def test_the_policy_allows_only_the_pages_own_style(forge_archive: Forge) -> None:
    source = document_html(told(forge_archive("hello")).document())
    style = re.search(r"<style>(.*?)</style>", source, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    policies = [a["content"] for tag, a in Page(source).tags if a.get("http-equiv") == "Content-Security-Policy"]
    assert policies == [f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"]
    assert "url(" not in style[1] and "@import" not in style[1]


def test_markdown_holds_every_chapter_and_no_html(evil: Path) -> None:
    text = document_markdown(told(evil).document(), receipts=True)
    assert re.findall(r"^## (\d)\.", text, re.MULTILINE) == ["1", "2", "3", "4", "5", "6"]
    outside = re.sub(r"(?ms)^(`{3,})\w*\n.*?^\1$", "", text)
    outside = re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", outside)
    assert "<script>" not in outside
    assert "\x1b" not in text and "\u202e" not in text


def test_no_run_of_backticks_closes_a_code_span() -> None:
    assert code("a`b``c") == "```a`b``c```"
    assert code("`x") == "`` `x ``"
    assert code_block("x")[0] == "```"
    assert code_block("````")[0] == "`````"


def test_every_object_has_a_card(forge_archive: Forge) -> None:
    with imagepeel.open(forge_archive("shop")) as archive:
        image = archive.image()
        image.scan()
        things = [archive, image, image.layers[3], image.rootfs, image.rootfs / "etc", image.process(), image.explain()]
        for thing in things:
            card = thing._repr_mimebundle_()
            assert list(card) == ["text/plain", "text/html"]
            assert card["text/plain"] == repr(thing)
            page = Page(card["text/html"])
            assert not {tag for tag, _ in page.tags} & {"script", "img", "link"}
        assert "RUN rm .env" in bundle(image)["text/html"]
        assert "does not exist" in bundle(image.rootfs / "nowhere")["text/html"]


def test_showing_an_image_reads_no_layer(forge_archive: Forge) -> None:
    with imagepeel.open(forge_archive("shop")) as archive:
        image = archive.image()
        bundle(archive), bundle(image), bundle(image.layers[0])
        assert not any(layer.scanned for layer in image.layers)


def test_cards_of_a_hostile_image_are_inert(evil: Path) -> None:
    with imagepeel.open(evil) as archive:
        image = archive.image()
        image.scan()
        for thing in (archive, image, *image.layers, image.rootfs, image.process(), image.explain()):
            source = bundle(thing)["text/html"]
            assert not {tag for tag, _ in Page(source).tags} & {"script", "b"}
            assert "\x1b" not in source and "\u202e" not in source


def test_long_lists_are_cut_with_the_call_that_shows_all(tmp_path: Path) -> None:
    spec = forge.image(forge.layer(*(forge.file(f"f{n:03}", "") for n in range(ROWS + 7))), names="many:1")
    with imagepeel.open(forge.write(spec, tmp_path / "many.tar")) as archive:
        image = archive.image()
        card = bundle(image.rootfs)["text/html"]
        image.scan()
        layer = bundle(image.layers[0])["text/html"]
    assert "7 more" in card and "rootfs.scandir" in card
    assert "7 more" in layer and "layer.entries" in layer


def test_an_object_without_a_card_is_an_error() -> None:
    with pytest.raises(TypeError, match="int has no card"):
        bundle(7)


def test_libraries_load_only_where_they_are_needed(forge_archive: Forge) -> None:
    script = (
        "import sys, json, imagepeel\n"
        "with imagepeel.open(sys.argv[1]) as archive:\n"
        "    story = archive.image().explain()\n"
        "    seen = [sorted({'rich', 'jinja2', 'click'} & set(sys.modules))]\n"
        "    from imagepeel.render.json import dumps\n"
        "    dumps('explain', story)\n"
        "    seen.append(sorted({'rich', 'jinja2', 'click'} & set(sys.modules)))\n"
        "    from imagepeel.render.html import document_html\n"
        "    document_html(story.document())\n"
        "    seen.append(sorted({'rich', 'jinja2', 'click'} & set(sys.modules)))\n"
        "print(json.dumps(seen))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(forge_archive("shop"))], capture_output=True, check=True, timeout=120
    )
    assert json.loads(done.stdout) == [[], [], ["jinja2"]]
