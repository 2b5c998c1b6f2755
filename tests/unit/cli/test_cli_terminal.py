"""What reaches a terminal: never a control byte of an image, colour only where it is wanted, progress only there."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imagepeel import forge
from imagepeel.cli.progress import Progress
from imagepeel.cli.settings import Settings

Run = Callable[..., Any]
Make = Callable[..., Path]

NASTY = "\x1b[31mred\x1b[0m\x07\x9b2J\u202egnp\u2066\u200b\x7f\r\n[bold]x[/bold]:warning:"
CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f]"
)
COMMANDS = [
    ["explain"], ["explain", "--receipts"], ["explain", "--json"], ["layers"], ["layers", "--json"], ["images"],
    ["images", "--json"], ["ls", "-R"], ["ls", "-lR"], ["ls", "-R", "--kind"], ["ls", "-R", "--json"], ["tree"],
    ["tree", "--json"], ["ls", "-lR", "--layer", "1"], ["tree", "--layer", "2"], ["process"], ["process", "--receipts"],
    ["process", "--json"], ["process", "--matrix"], ["process", "--matrix", "--json"],
]  # fmt: skip


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image with control characters in every text that it can hold."""
    passwd = f"root:x:0:0:{NASTY.replace(chr(10), '')}:/root:/bin/sh\n"
    spec = forge.image(
        forge.layer(
            forge.file(f"name {NASTY}", "#!/bin/sh " + NASTY, 0o755),
            forge.symlink(f"link {NASTY}", NASTY),
            forge.directory(f"dir {NASTY}"),
            forge.file(f"dir {NASTY}/in", NASTY),
            forge.file(b"raw \xff\x1b\xc2\x9b", "x"),
            forge.file("run", f"#!{NASTY}\n", 0o755),
            forge.file("etc/passwd", passwd),
            created_by=f"COPY {NASTY} /",
        ),
        forge.layer(
            forge.hardlink(f"hard {NASTY}", "run"), forge.whiteout(f"name {NASTY}"), forge.opaque(f"dir {NASTY}"),
            created_by=f"RUN {NASTY}",
        ),
        entrypoint=["/run", NASTY], cmd=[NASTY], env={"NAME": NASTY, f"K{NASTY}": "v"}, user=f"who{NASTY}",
        workdir=f"/wd{NASTY}", labels={NASTY: NASTY}, names=f"evil{NASTY}:1",
    )  # fmt: skip
    return forge.write(spec, tmp_path_factory.mktemp("hostile") / "hostile.tar", kind="docker-archive")


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_no_command_prints_a_control_byte_of_an_image(words: list[str], hostile: Path, run_cli: Run) -> None:
    for more in ([], ["--engine", "podman"] if words[0] == "process" else ["--no-verify"]):
        result = run_cli(*words, hostile, *more)
        assert result.exit_code == 0, result.stderr
        for text in (result.stdout, result.stderr):
            assert CONTROL.search(text) is None, repr(text[max(0, CONTROL.search(text).start() - 40) :][:80])
    shown = run_cli(*words, hostile).stdout
    assert "\\x1b[31mred" in shown or "\\u001b[31mred" in shown or "--matrix" in words


@pytest.mark.parametrize("name", forge.NAMES)
def test_the_teaching_images_print_no_control_byte_either(name: str, run_cli: Run, forge_archive: Make) -> None:
    for command in (["layers"], ["ls", "-lR"], ["process"], ["explain"]):
        result = run_cli(*command, forge_archive(name))
        code = 15 if name == "two-images" else 12 if name.startswith("wrong-di") else 0
        if (name, command) == ("missing-blob", ["process"]):
            code = 14  # how it starts, the missing layer decides
        assert result.exit_code == code, result.stderr
        assert CONTROL.search(result.stdout + result.stderr) is None


def test_errors_escape_what_they_quote(hostile: Path, run_cli: Run, tmp_path: Path) -> None:
    for words in (["cat", hostile, NASTY], ["cat", hostile, f"name {NASTY}"], ["layers", "--image", NASTY, hostile],
                  ["layers", tmp_path / NASTY.replace("/", "")], ["ls", "--view", NASTY, hostile], [NASTY],
                  ["layers", f"--{NASTY}"], ["forge", NASTY, tmp_path / "x"]):  # fmt: skip
        result = run_cli(*words)
        assert result.exit_code in (2, 14)
        assert CONTROL.search(result.stderr) is None, repr(result.stderr)
        assert len(result.stderr.splitlines()) == 3


def test_the_readable_names_of_json_stay_exact_beside(hostile: Path, run_cli: Run) -> None:
    import base64

    lines = [json.loads(line) for line in run_cli("ls", "-R", "--json", hostile).stdout.splitlines()]
    odd = next(line for line in lines if line.get("path_b64"))
    assert base64.b64decode(odd["path_b64"]) == b"/raw \xff\x1b\xc2\x9b"
    # What is UTF-8 stands as it is, control characters and all, as JSON escapes.
    assert [line["target"] for line in lines if "target" in line] == [NASTY]


# ---- colour and width -------------------------------------------------------------------------------------------


class Stream:
    def __init__(self, terminal: bool) -> None:
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal


@pytest.mark.parametrize(
    ("color", "env", "terminal", "wanted"),
    [
        ("auto", {}, True, True),
        ("auto", {}, False, False),
        ("auto", {"NO_COLOR": "1"}, True, False),
        ("auto", {"NO_COLOR": ""}, True, True),
        ("auto", {"TERM": "dumb"}, True, False),
        ("always", {"NO_COLOR": "1"}, False, True),
        ("never", {}, True, False),
    ],
)
def test_colour_follows_the_option_then_the_environment(color: str, env: dict[str, str], terminal: bool, wanted: bool,
                                                        monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    settings.color = color
    assert settings.colour(Stream(terminal)) is wanted  # type: ignore[arg-type]


@pytest.mark.parametrize("words", [["layers"], ["images"], ["ls", "-l"], ["tree"], ["process"], ["explain"]], ids=str)
def test_colour_only_adds_colour(words: list[str], run_cli: Run, forge_archive: Make) -> None:
    path = forge_archive("shop")
    plain, coloured = run_cli(*words, path).stdout, run_cli(*words, "--color", "always", path).stdout
    assert "\x1b[" not in plain
    assert "\x1b[" in coloured
    assert re.sub("\x1b\\[[0-9;]*m", "", coloured).split() == plain.split()


def test_errors_are_coloured_as_asked(run_cli: Run) -> None:
    assert "\x1b" not in run_cli("layers", "/nonexistent").stderr
    assert run_cli("layers", "--color", "always", "/nonexistent").stderr.startswith("\x1b[1;31merror:\x1b[0m")


@pytest.mark.parametrize("columns", ["0", "-3", "many", ""])
def test_an_odd_width_is_no_width(columns: str, run_cli: Run, forge_archive: Make) -> None:
    path = forge_archive("hello")
    assert run_cli("layers", path, env={"COLUMNS": columns}).stdout == run_cli("layers", path).stdout


def on_terminal(*words: str | Path, stdin: bytes | None = None, pause: float = 0, env: Any = None) -> tuple[str, int]:
    """Run with stdout and stderr on a terminal; return what it shows and the exit code."""
    main, side = pty.openpty()
    running = subprocess.Popen(
        [sys.executable, "-m", "imagepeel", *map(str, words)],
        stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
        stdout=side,
        stderr=side,
        env={
            **{k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "COLUMNS")},
            "TERM": "xterm",
            **(env or {}),
        },
    )
    os.close(side)
    shown = b""
    if running.stdin is not None and stdin is not None:
        for at in range(0, len(stdin), 65536):
            running.stdin.write(stdin[at : at + 65536])
            running.stdin.flush()
            time.sleep(pause)
        running.stdin.close()
    while True:
        ready, _, _ = select.select([main], [], [], 30)
        try:
            piece = os.read(main, 65536) if ready else b""
        except OSError:
            piece = b""
        if not piece:
            break
        shown += piece
    os.close(main)
    return shown.decode("utf-8", "replace"), running.wait(timeout=30)


def test_a_terminal_gets_colour_and_cat_keeps_control_characters_from_it(hostile: Path, forge_archive: Make) -> None:
    shown, code = on_terminal("ls", forge_archive("shop"))
    assert code == 0 and "\x1b[1;34mbin\x1b[0m" in shown
    shown, code = on_terminal("ls", forge_archive("shop"), env={"NO_COLOR": "1"})
    assert code == 0 and "\x1b" not in shown
    shown, code = on_terminal("cat", hostile, "/run")
    assert code == 2 and "\x1b[31m" not in shown and "red" not in shown.replace("rendered", "")
    assert "holds control characters" in shown and "--raw" in shown
    raw, code = on_terminal("cat", "--raw", hostile, "/run")
    assert code == 0 and "\x1b[31mred" in raw


def test_a_terminal_that_does_not_know_its_size_has_80_columns(forge_archive: Make) -> None:
    shown, code = on_terminal("layers", "--color", "never", forge_archive("shop"))
    assert code == 0
    assert shown.replace("\r\n", "\n") == on_terminal(
        "layers", "--color", "never", forge_archive("shop"), env={"COLUMNS": "80"}
    )[0].replace("\r\n", "\n")
    assert "8 layers, 1.23 MB stored" in shown


def test_an_archive_is_not_written_to_a_terminal() -> None:
    shown, code = on_terminal("forge", "hello", "-")
    assert code == 2
    assert "an archive is nothing for a terminal" in shown


def test_progress_shows_after_a_second_on_a_terminal_only(forge_archive: Make) -> None:
    data = forge_archive("shop").read_bytes()
    shown, code = on_terminal("layers", "-", stdin=data, pause=0.1)
    assert code == 0
    assert "reading standard input" in shown
    assert re.search(r"[kM]B/s", shown)
    quick, code = on_terminal("layers", forge_archive("shop"))
    assert code == 0
    assert "reading" not in quick


def test_progress_counts_from_any_thread_and_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False, raising=False)
    with Progress("x", delay=0) as progress:
        progress.add(10)
        progress.expect(100)
        progress.add(10)
        assert progress._bar is None


def test_stdout_in_a_small_encoding_does_not_fail(forge_archive: Make) -> None:
    env = {**os.environ, "PYTHONIOENCODING": "ascii"}
    for words in (["ls"], ["layers"], ["explain"], ["process"]):
        done = subprocess.run([sys.executable, "-m", "imagepeel", *words, str(forge_archive("zoo"))],
                              capture_output=True, env=env)  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert done.stdout.isascii() and done.stdout
