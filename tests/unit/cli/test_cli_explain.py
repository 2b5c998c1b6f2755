"""explain as a user calls it; what the story says is tested with the story."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]
Make = Callable[..., Path]
CHAPTERS = 6


def test_the_story_has_its_chapters_in_order_at_a_projectors_width(run_cli: Run, forge_archive: Make) -> None:
    result = run_cli("explain", forge_archive("shop"))
    assert result.exit_code == 0 and result.stderr == ""
    lines = result.stdout.splitlines()
    numbers = [line[0] for line in lines if line[:1].isdigit() and line[1:3] == "  "]
    assert numbers == [str(number) for number in range(1, CHAPTERS + 1)]
    prose = [line for line in lines if "try it" not in line and "shop.tar" not in line]
    assert max(map(len, prose)) <= 100


def test_columns_set_the_width(run_cli: Run, forge_archive: Make) -> None:
    lines = run_cli("explain", forge_archive("shop"), env={"COLUMNS": "70"}).stdout.splitlines()
    assert max(len(line) for line in lines if "try it" not in line and "shop.tar" not in line) <= 70


def test_receipts_are_shell_commands_below_the_claims(run_cli: Run, forge_archive: Make) -> None:
    path = forge_archive("shop")
    plain, proved = run_cli("explain", path).stdout, run_cli("explain", "--receipts", path).stdout
    assert proved.count("sha256sum") > plain.count("sha256sum")
    assert proved.count("tar -xOf") > plain.count("tar -xOf")


def test_json_is_the_same_story(run_cli: Run, forge_archive: Make) -> None:
    story = json.loads(run_cli("explain", "--json", forge_archive("shop")).stdout)["result"]
    assert [chapter["number"] for chapter in story["chapters"]] == list(range(1, CHAPTERS + 1))
    text = run_cli("explain", forge_archive("shop")).stdout
    for chapter in story["chapters"]:
        assert f"{chapter['number']}  {chapter['title']}" in text


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        for name, value in attrs:
            assert not (name in ("src", "href") and (value or "").startswith(("http", "//"))), value


def test_html_is_one_page_that_loads_nothing(run_cli: Run, forge_archive: Make, tmp_path: Path) -> None:
    out = tmp_path / "story.html"
    result = run_cli("explain", "--html", out, forge_archive("control-characters"))
    assert result.exit_code == 0 and result.stdout == ""
    assert os.listdir(tmp_path) == ["story.html"]
    page = out.read_text(encoding="utf-8")
    tags = Tags()
    tags.feed(page)
    assert {"html", "body"} <= tags.seen
    assert not tags.seen & {"script", "link", "iframe", "img"}
    assert run_cli("explain", "--html", "-", forge_archive("control-characters")).stdout.strip() == page.strip()


def test_markdown_has_a_heading_a_chapter(run_cli: Run, forge_archive: Make) -> None:
    text = run_cli("explain", "--markdown", forge_archive("shop")).stdout
    assert len([line for line in text.splitlines() if line.startswith("#")]) >= CHAPTERS


def test_a_page_that_cannot_be_written_is_an_error(run_cli: Run, forge_archive: Make, tmp_path: Path) -> None:
    result = run_cli("explain", "--html", tmp_path / "absent" / "story.html", forge_archive("hello"))
    assert result.exit_code == 2
    assert "cannot be written" in result.stderr


@pytest.mark.parametrize("name", ["wrong-digest", "missing-blob", "link-below", "no-command"])
def test_a_broken_image_still_gets_its_story(name: str, run_cli: Run, forge_archive: Make) -> None:
    result = run_cli("explain", forge_archive(name))
    assert result.exit_code == (12 if name == "wrong-digest" else 0)
    assert f"\n{CHAPTERS}  " in result.stdout


def test_the_headline_alone_and_single_chapters(run_cli: Run, forge_archive: Make) -> None:
    path = forge_archive("shop")
    whole = run_cli("explain", path).stdout
    brief = run_cli("explain", path, "--brief")
    assert whole.startswith(brief.stdout) and len(brief.stdout.splitlines()) == 3
    two = run_cli("explain", path, "--chapter", "layers,5").stdout.splitlines()
    assert [line[0] for line in two if line[:1].isdigit() and line[1:3] == "  "] == ["3", "5"]
    assert run_cli("explain", path, "--chapter", "3", "--chapter", "process").stdout.splitlines() == two
    told = json.loads(run_cli("explain", path, "--json", "--chapter", "process").stdout)["result"]
    assert [chapter["id"] for chapter in told["chapters"]] == ["process"]
    assert "And run as a process" in run_cli("explain", path, "--markdown", "--chapter", "process").stdout
    wrong = run_cli("explain", path, "--chapter", "7")
    assert wrong.exit_code == 2 and "1 file, 2 paperwork" in wrong.stderr
    assert run_cli("explain", path, "--brief", "--chapter", "1").exit_code == 2
