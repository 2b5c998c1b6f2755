"""Shell habits: what people type, what a pipe does, what a shell completes, what can be read on a black terminal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.shell_completion import ShellComplete

import imagepeel
from imagepeel.cli import cli

Make = Callable[..., Path]
Run = Callable[..., Any]
ME = [sys.executable, "-m", "imagepeel"]

COMMANDS = (
    "explain", "operate", "process", "wtf", "images", "layers", "loadable", "du", "waste", "slim", "packages", "views",
    "dockerfile", "trace", "ls", "tree", "find", "diff", "check", "cat", "flatten",
)  # fmt: skip
FORMS = (("explain", "--json"), ("explain", "--markdown"), ("explain", "--html=-"), ("process", "--matrix"),
         ("check", "--format=sarif"), ("check", "--format=junit"), ("check", "--format=github"), ("find", "-0"),
         ("wtf", "--list"), ("forge", "--list"))  # fmt: skip


@pytest.mark.parametrize("words", [*((one,) for one in COMMANDS), *FORMS], ids=" ".join)
def test_c01_h1_whoever_reads_less_has_what_was_wanted(words: tuple[str, ...], forge_archive: Make) -> None:
    """A real pipe that is closed before anything is read, and one that is closed after a byte: 0 and no word."""
    archive = forge_archive("shop")
    more = {"trace": ["/etc/passwd"], "diff": [forge_archive("hello")], "cat": ["/bin/sh"], "flatten": ["-o", "-"]}
    asked = [words[0], *([] if "--list" in words else [archive]), *more.get(words[0], []), *words[1:]]
    for reader in ("exec 0<&-", "head -c 1"):
        shell = f'"$@" | ({reader}) > /dev/null; exit ${{PIPESTATUS[0]}}'
        done = subprocess.run(["bash", "-c", shell, "-", *ME, *map(str, asked)], capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (0, b""), reader


@pytest.mark.parametrize(
    ("words", "way"),
    [
        (["history", "x.tar"], "imagepeel layers ARCHIVE"),
        (["inspect", "x.tar"], "imagepeel explain ARCHIVE"),
        (["find", "x.tar", "-iname", "x"], "imagepeel find ARCHIVE 'PATTERN'"),
        (["find", "x.tar", "-type", "f"], "imagepeel find ARCHIVE --type LETTER"),
        (["find", "x.tar", "--nope"], "imagepeel find --help"),
        (["explian", "x.tar"], "imagepeel --help"),
    ],
)
def test_h3_h4_a_habit_gets_its_way(words: list[str], way: str, run_cli: Run) -> None:
    done = run_cli(*words)
    assert done.exit_code == 2
    hint = next(line for line in done.stderr.splitlines() if line.startswith("try:"))
    assert way in hint


def test_h3_a_file_in_place_of_a_command(run_cli: Run, forge_archive: Make) -> None:
    archive = forge_archive("hello")
    done = run_cli("hello.tar", cwd=archive.parent)
    assert done.exit_code == 0 and done.stdout == run_cli("explain", "hello.tar", cwd=archive.parent).stdout
    absent = run_cli("absent.tar", cwd=archive.parent)
    assert absent.exit_code == imagepeel.NotFound.exit_code and "absent.tar does not exist" in absent.stderr


def test_h4_h_is_for_humans_in_every_listing(run_cli: Run, forge_archive: Make) -> None:
    archive = forge_archive("shop")
    for words in (["du", "-h"], ["ls", "-l", "-h"], ["find", "-l", "-h"]):
        done = run_cli(words[0], archive, *words[1:])
        assert done.exit_code == 0 and "Usage:" not in done.stdout, words
    assert "kB" in run_cli("du", archive, "-h").stdout


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        ("process x.tar --engine po", ["podman", "podman@4.3"]),
        ("ls x.tar --view se", ["sequential"]),
        ("wtf --explain CRLF", ["CRLF-SHEBANG"]),
        ("check x.tar --ignore DELETED", ["DELETED-BYTES", "DELETED-SECRET"]),
        ("forge linksh", ["linkshadow"]),
        ("forge hello --kind oci", ["oci-archive", "oci-dir"]),
    ],
)
def test_h5_names_are_completed(typed: str, wanted: list[str]) -> None:
    words = typed.split()
    environment = {**os.environ, "_IMAGEPEEL_COMPLETE": "bash_complete", "COMP_WORDS": f"imagepeel {typed}",
                   "COMP_CWORD": str(len(words))}  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", "from imagepeel.cli import cli; cli.main(prog_name='imagepeel')"],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    found = [line.partition(",")[2] for line in done.stdout.splitlines()]
    assert set(wanted) <= set(found) and all(name.startswith(words[-1]) for name in found), done.stderr


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        (["ls", "ARCHIVE", "/s"], ["/srv/"]),
        (["cat", "ARCHIVE", "/srv/shop/b"], ["/srv/shop/bin/"]),
        (["tree", "ARCHIVE", "srv/shop/ca"], ["srv/shop/catalog.bin"]),
        (["blame", "ARCHIVE", "/etc/pas"], ["/etc/passwd"]),
        (["extract", "ARCHIVE", "out", "/srv/"], ["/srv/shop/"]),
        (["ls", "ARCHIVE", "--layer", "L"], [f"L{number}" for number in range(1, 9)]),
        (["layers", "ARCHIVE", "--image", "sh"], ["shop:1.4"]),
        (["layers", "ARCHIVE", "--platform", "linux/"], ["linux/amd64"]),
        (["ls", "ARCHIVE", "/nowhere/"], []),
        (["ls", "no-such.tar", "/"], []),
        (["ls", "-", "/"], []),
    ],
)
def test_what_stands_in_the_archive_is_completed(typed: list[str], wanted: list[str], forge_archive: Make) -> None:
    words = [str(forge_archive("shop")) if word == "ARCHIVE" else word for word in typed]
    environment = {**os.environ, "_IMAGEPEEL_COMPLETE": "bash_complete", "COMP_WORDS": " ".join(["imagepeel", *words]),
                   "COMP_CWORD": str(len(words))}  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", "from imagepeel.cli import cli; cli.main(prog_name='imagepeel')"],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert [line.partition(",")[2] for line in done.stdout.splitlines() if line] == wanted
    assert not done.stderr


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        ("forge hello --compression zs", ["zstd", "zstd-frames", "zstd-skippable", "zstd-raw"]),
        ("check x.tar --output ju", ["junit="]),
        ("check x.tar --output sarif=a,gi", ["sarif=a,gitlab=", "sarif=a,github="]),
        ("check x.tar --output sarif=/usr/bi", ["sarif=/usr/bin/"]),
        ("check x.tar --output sarif=/no/such/folder/", []),
        ("process x.tar --runtime cr", ["crun"]),
        ("process x.tar --host-arch ar", ["arm", "arm64"]),
        ("process x.tar --cap-add SYS_PT", ["SYS_PTRACE"]),
        ("process x.tar --stop-signal SIGTE", ["SIGTERM"]),
        ("bundle x.tar out --engine po", ["podman"]),
        ("start --psa re", ["restricted"]),
        ("start --scc re", ["restricted-v2"]),
        ("find x.tar --type f", ["f"]),
        ("schema lay", ["layers"]),
        ("views x.tar --only se", ["sequential"]),
    ],
)
def test_more_names_are_completed(typed: str, wanted: list[str]) -> None:
    *words, last = typed.split()
    shell = ShellComplete(cli, {}, "imagepeel", "_IMAGEPEEL_COMPLETE")
    found = [one.value for one in shell.get_completions(words, last)]
    assert set(wanted) <= set(found) and all(name.startswith(last) for name in found)
    assert wanted or not found


def test_every_option_of_a_closed_set_completes() -> None:
    """What is left takes any number, text or name; an option whose words are a set is not among them."""
    group = click.Context(cli)
    left = {
        option.opts[-1]
        for name in cli.list_commands(group)
        for option in cli.get_command(group, name).params  # type: ignore[union-attr]
        if not getattr(option, "is_flag", False)
        and option._custom_shell_complete is None
        and isinstance(option.type, type(click.STRING))
    }
    assert left == {
        "--base", "--entrypoint", "--env", "--field", "--hostname", "--max-growth", "--max-size",
        "--max-waste", "--name", "--owner", "--user", "--volume", "--workdir", "--xattr", "patterns", "what",
        "words",
    }  # fmt: skip


def test_h2_nothing_is_written_in_dark_blue(run_cli: Run, forge_archive: Make) -> None:
    """ANSI blue (34) can hardly be seen on a black terminal or a projector."""
    archive = forge_archive("shop")
    for words in (*([one] for one in ("explain", "layers", "images", "wtf", "process", "du")), ["diff", archive]):
        told = run_cli(words[0], archive, *words[1:], "--color", "always").stdout
        codes = {code for part in told.split("\x1b[")[1:] for code in part.partition("m")[0].split(";")}
        assert "34" not in codes, words
    assert codes


def test_g6_zeros_without_end_are_no_archive() -> None:
    """`imagepeel layers - < /dev/zero` spooled until the limit of 64 GiB."""
    with open("/dev/zero", "rb") as zeros:
        done = subprocess.run(
            [*ME, "layers", "-"], stdin=zeros, capture_output=True, text=True, timeout=60, check=False
        )
    assert done.returncode == 10
    assert "1,048,576 bytes of zeros" in done.stderr and not done.stdout


def test_an_archive_is_read_from_a_pipe(forge_archive: Make) -> None:
    done = subprocess.run(
        [*ME, "layers", "-", "--json"], input=forge_archive("shop").read_bytes(), capture_output=True, check=True
    )
    assert len(json.loads(done.stdout)["result"]["layers"]) == 8
