"""No character of an image acts on a terminal, a page, a Markdown document or a workflow log."""

from __future__ import annotations

import html.parser
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagepeel.render import escape

ANY = st.text(st.characters()) | st.binary().map(lambda data: data.decode("utf-8", "surrogateescape"))


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("\x1b[31m", r"\x1b[31m"),
        ("\x9b31m", r"\x9b31m"),
        ("a\nb\rc\td", r"a\nb\rc\td"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("a\u200bb\ufeff", r"a\u200bb\ufeff"),
        (b"caf\xe9", r"caf\xe9"),
        (b"\xff\xfe", r"\xff\xfe"),
        ("\ue000", r"\ue000"),
        ("\U000e0041", r"\U000e0041"),
        ("a\u00a0b", r"a\xa0b"),
        ("\u3164", r"\u3164"),
        ("x\ufe0f", r"x\ufe0f"),
        ("\u2028", r"\u2028"),
        ("\ud800", r"\ud800"),
        ("caf\u00e9 \u6f22\u5b57 \U0001f433", "caf\u00e9 \u6f22\u5b57 \U0001f433"),
        ("plain/path-1.tar", "plain/path-1.tar"),
        ("back\\slash", "back\\slash"),
        ("e\u0301", "e\u0301"),
        ("e" + "\u0301" * 6, "e" + r"\u0301" * 6),
    ],
)
def test_what_is_not_visible_becomes_visible(raw: str | bytes, shown: str) -> None:
    assert escape.terminal(raw) == shown


@given(ANY)
def test_only_visible_characters_are_left(text: str) -> None:
    shown = escape.terminal(text)
    for character in shown:
        assert unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
        assert character == " " or unicodedata.category(character) != "Zs"
    shown.encode("utf-8")


@given(ANY)
def test_a_second_escape_changes_nothing(text: str) -> None:
    once = escape.terminal(text)
    assert escape.terminal(once) == once


class Reader(html.parser.HTMLParser):
    """What a browser makes of a page: tags and text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


@given(ANY)
def test_html_shows_the_text_and_nothing_else(text: str) -> None:
    reader = Reader()
    reader.feed(f'<p title="{escape.html(text)}">{escape.html(text)}</p>')
    reader.close()
    assert reader.tags == ["p"]
    assert reader.text == escape.visible(text)


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("[a](http://evil)", r"\[a\](http:\/\/evil)"),
        ("<img src=x>", "&lt;img src=x&gt;"),
        ("@everyone #1", r"\@everyone \#1"),
        ("# title", r"\# title"),
        ("1. one", r"1\. one"),
        ("- item", r"\- item"),
        ("`code` *bold* _it_ a|b", r"\`code\` \*bold\* \_it\_ a\|b"),
        ("a\nb", r"a\\nb"),
        ("www.evil.com", r"www\.evil.com"),
    ],
)
def test_markdown_is_only_text(raw: str, shown: str) -> None:
    assert escape.markdown(raw) == shown


def test_workflow_commands_cannot_be_forged() -> None:
    assert escape.github("100%\n::error::x") == "100%25\\n::error::x"
    assert escape.github("a:b,c", property=True) == "a%3Ab%2Cc"


@given(ANY)
def test_a_workflow_message_stays_on_its_line(text: str) -> None:
    assert not set(escape.github(text)) & set("\r\n")
