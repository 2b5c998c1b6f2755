"""Each command that shows something writes one document in every form, inert whatever the image is called."""

from __future__ import annotations

import html.parser
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

import imagepeel
from imagepeel import forge
from imagepeel.cli import COMMANDS, cli

Run = Callable[..., Any]

EVIL = "<script>alert(1)</script>\"'&`|\x1b[2J\u202e"
WRITES = frozenset(("cat", "extract", "flatten", "bundle", "forge", "cache", "schema", "workshop"))
"""Commands that write bytes, files or a schema instead of showing something."""
PLAYS = frozenset(("peel", "browse"))
"""Commands for somebody at a keyboard; the document of peel is that of explain, browse: tests/unit/browse."""
OTHERS = frozenset(("judge", "report"))
"""Commands that show what another program did, named behind all options; their forms: tests/judge.

A report is one page with a script of its own: tests/viewer."""
STREAMS = frozenset(("ls", "tree", "find"))
"""Commands whose --json is one object a line."""
ARCHIVE = "{archive}"
CASES: dict[str, list[str]] = {
    "explain": ["explain", ARCHIVE, "--receipts"],
    "quiz": ["quiz", ARCHIVE, "--receipts"],
    "operate": ["operate", ARCHIVE, "--receipts"],
    "images": ["images", ARCHIVE],
    "layers": ["layers", ARCHIVE],
    "loadable": ["loadable", ARCHIVE],
    "du": ["du", ARCHIVE, "--kind"],
    "slim": ["slim", ARCHIVE],
    "waste": ["waste", ARCHIVE, "--receipts"],
    "packages": ["packages", ARCHIVE],
    "anatomy": ["anatomy", ARCHIVE, "L1"],
    "trace": ["trace", ARCHIVE, "/x" + EVIL, "--receipts"],
    "trace of a link": ["trace", ARCHIVE, "/l"],
    "blame": ["blame", ARCHIVE, "/x" + EVIL, "--receipts"],
    "log": ["log", ARCHIVE, "/x" + EVIL, "-p", "--receipts"],
    "log of a layer": ["log", ARCHIVE, "-p", "--layer", "2"],
    "views": ["views", ARCHIVE],
    "diff": ["diff", ARCHIVE, "{other}", "--all", "--text"],
    "diff of layers": ["diff", ARCHIVE, "--layer", "1", "--layer", "2"],
    "process": ["process", ARCHIVE, "--receipts"],
    "start": ["start", ARCHIVE],
    "why": ["why", ARCHIVE, f"exec /{EVIL}: no such file or directory"],
    "process in a matrix": ["process", ARCHIVE, "--matrix"],
    "wtf": ["wtf", ARCHIVE, "--receipts"],
    "wtf of the rules": ["wtf", "--list"],
    "wtf of one rule": ["wtf", "--explain", "CRLF-SHEBANG"],
    "check": ["check", ARCHIVE, "--fail-on", "none"],
    "dockerfile": ["dockerfile", ARCHIVE],
    "version": ["version"],
    "survey": ["survey", ARCHIVE, "--out", "{facts}"],
    "lineage": ["lineage", ARCHIVE, "{other}"],
    "ls": ["ls", "-lR", ARCHIVE],
    "tree": ["tree", ARCHIVE],
    "find": ["find", ARCHIVE, "-l"],
}
_TAGS = """
a body caption code details div footer h1 h2 h3 head header html li line main meta nav ol p pre rect section span strong
style summary svg table tbody td th thead title tr ul
"""
TAGS = frozenset(_TAGS.split())
_ATTRIBUTES = """
aria-hidden charset class content fill height href http-equiv id lang name opacity open role scope stroke
stroke-dasharray stroke-width title width x x1 x2 y y1 y2
"""
ATTRIBUTES = frozenset(_ATTRIBUTES.split())
CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2066-\u2069]")


class Page(html.parser.HTMLParser):
    """The tags and the text of a page; unbalanced tags are errors."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.stack: list[str] = []
        self.text = ""
        self.feed(source)
        self.close()
        assert self.stack == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag != "meta":
            self.stack.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Two images whose names, labels, variables, owners and history lines try to be markup, in files called so too."""
    folder = tmp_path_factory.mktemp("documents")
    out = {}
    for name, text in (("archive", "one\n"), ("other", f"two\n{EVIL}\n")):
        spec = forge.image(
            forge.layer(
                forge.file(f"x{EVIL}", "1" * 90), forge.file(b"\xff<b>", text), forge.symlink("l", f"x{EVIL}"),
                forge.file("etc/passwd", f"{EVIL}:x:1:1:::\n"),
                forge.file("lib/apk/db/installed", f"P:p{EVIL}\nV:1{EVIL}\nF:d\nR:{EVIL}\n\n{EVIL}"),
                created_by=f"RUN {EVIL}",
            ),
            forge.layer(forge.whiteout(f"x{EVIL}"), forge.file(f"d/{EVIL}", text), created_by=f"RUN rm {EVIL}"),
            entrypoint=[f"/x{EVIL}"], env=[f"A={EVIL}"], user=EVIL, workdir=f"/{EVIL}", labels={EVIL: EVIL},
            names="evil:1",
        )  # fmt: skip
        out[name] = str(forge.write(spec, folder / f"{name}<b>&.tar"))
    out["facts"] = str(folder / "facts<b>&")
    return out


def words_of(case: str, archives: dict[str, str]) -> list[str]:
    return [archives.get(word.strip("{}"), word) for word in CASES[case]]


def test_every_command_that_shows_something_has_every_form() -> None:
    assert {words[0] for words in CASES.values()} == set(COMMANDS) - WRITES - PLAYS - OTHERS
    context = click.Context(cli)
    for name in set(COMMANDS) - WRITES - PLAYS - OTHERS:
        command = cli.get_command(context, name)
        assert command is not None
        options = {option for parameter in command.params for option in parameter.opts}
        assert {"--json", "--html", "--markdown"} <= options, name


@pytest.mark.parametrize("case", CASES)
def test_a_terminal_obeys_nothing_of_the_image(case: str, run_cli: Run, archives: dict[str, str]) -> None:
    done = run_cli(*words_of(case, archives))
    # Nobody answers the questions of a quiz here.
    assert done.exit_code == (1 if case == "quiz" else 0), done.stderr
    assert done.stdout.strip()
    assert not CONTROL.search(done.stdout)


@pytest.mark.parametrize("case", CASES)
def test_a_page_has_no_markup_of_the_image(case: str, run_cli: Run, archives: dict[str, str]) -> None:
    done = run_cli(*words_of(case, archives), "--html", "-")
    assert done.exit_code == 0, done.stderr
    page = Page(done.stdout.removeprefix("<!doctype html>"))
    assert {tag for tag, _ in page.tags} <= TAGS
    for _, attributes in page.tags:
        assert set(attributes) <= ATTRIBUTES
        assert (attributes.get("href") or "#").startswith("#")
    assert not CONTROL.search(done.stdout)
    assert [tag for tag, _ in page.tags].count("h1") == 1
    silent = ("wtf of", "version", "images", "dockerfile", "layers", "loadable", "quiz", "survey", "lineage")
    if not case.startswith(silent):
        assert "<script>alert(1)</script>" in page.text, "what the image says is shown as text"


@pytest.mark.parametrize("case", CASES)
def test_markdown_has_no_markup_of_the_image(case: str, run_cli: Run, archives: dict[str, str]) -> None:
    done = run_cli(*words_of(case, archives), "--markdown")
    assert done.exit_code == 0, done.stderr
    assert done.stdout.startswith("# ")
    assert not CONTROL.search(done.stdout)
    outside = re.sub(r"(?ms)^(`{3,})\w*\n.*?^\1$", "", done.stdout)
    assert not re.search(r"(?m)^ *- {2,}", outside), "more blanks would make the entry a code block"
    outside = re.sub(r"(?s)(?<!\\)(`+)(?!`).*?(?<!`)\1(?!`)", "", outside)
    assert "<" not in outside, "HTML begins with it"


@pytest.mark.parametrize("case", CASES)
def test_json_is_valid(case: str, run_cli: Run, archives: dict[str, str]) -> None:
    command = CASES[case][0]
    words = [word for word in words_of(case, archives) if word not in ("-l", "-lR")]
    done = run_cli(*words, "--json")
    assert done.exit_code == 0, done.stderr
    if command in STREAMS:
        assert next(json.loads(line)["type"] for line in done.stdout.splitlines()) == "header"
    else:
        document = json.loads(done.stdout)
        assert document["schema"] == f"imagepeel/{command}/1"


@pytest.mark.parametrize("command", sorted(set(COMMANDS) - WRITES - PLAYS - OTHERS))
def test_one_form_at_a_time(command: str, run_cli: Run, archives: dict[str, str], tmp_path: Path) -> None:
    done = run_cli(*words_of(command, archives), "--markdown", "--html", tmp_path / "page.html")
    assert done.exit_code == 2
    assert not (tmp_path / "page.html").exists()


@pytest.mark.parametrize("command", sorted(set(COMMANDS) - WRITES - PLAYS - OTHERS - {"version"}))
def test_a_page_never_replaces_the_archive(command: str, run_cli: Run, tmp_path: Path) -> None:
    spec = forge.build("hello")
    archives = {name: str(forge.write(spec, tmp_path / f"{name}.tar")) for name in ("archive", "other")}
    before = {path: Path(path).read_bytes() for path in archives.values()}
    words = ["/bin" if EVIL in word else word for word in words_of(command, archives)]
    for path in archives.values():
        if path in words:
            assert run_cli(*words, "--html", path).exit_code != 0
    assert {path: Path(path).read_bytes() for path in archives.values()} == before


def test_a_page_is_written_whole(run_cli: Run, archives: dict[str, str], tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    done = run_cli("layers", archives["archive"], "--html", page)
    assert (done.exit_code, done.stdout) == (0, "")
    assert page.read_text(encoding="utf-8") + "\n" == run_cli("layers", archives["archive"], "--html", "-").stdout
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_no_command_has_a_terminal_of_its_own() -> None:
    renderers = Path(imagepeel.__file__).parent / "render"
    assert [path.name for path in renderers.glob("terminal_*.py")] == []
