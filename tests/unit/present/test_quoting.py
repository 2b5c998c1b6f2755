"""Quoted words carry any bytes through bash, and nothing else runs; jq filters reach what a JSON pointer names."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imagepeel.receipts.quoting import HEX, file_word, hex_line, is_tame, jq_filter, quote

NASTY = [
    b"",
    b"a b",
    b"'",
    b"\\",
    b"$(touch PWNED)",
    b"`touch PWNED`",
    b";touch PWNED",
    b"\n",
    b"a=b",
    b"~",
    b"!!",
    b"*",
    b"-rf",
    b"\xff\xfe",
    b"\x1b]0;x\x07",
    "\u202egnp.exe".encode(),
    b"$'\\''",
    b"#x",
    b"{a,b}",
    b"!\x01!",
    b"7\x017",
]
BASH = shutil.which("bash")
words = st.lists(st.binary(max_size=24).map(lambda data: data.replace(b"\0", b"\x01")), min_size=1, max_size=40)


def through_bash(names: list[bytes], where: Path) -> list[bytes]:
    """Print each quoted word with a NUL behind it in one bash, and give back what came out."""
    script = "".join(f"printf '%s\\0' {quote(name)}\n" for name in names)
    assert script.isascii()
    done = subprocess.run(["bash", "-c", script], cwd=where, capture_output=True, check=True, timeout=60)
    assert done.stderr == b""
    return done.stdout.split(b"\0")[:-1]


@pytest.mark.skipif(BASH is None, reason="no bash")
def test_nasty_words_survive_and_run_nothing(tmp_path: Path) -> None:
    assert through_bash(NASTY, tmp_path) == NASTY
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(BASH is None, reason="no bash")
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=words)
def test_any_bytes_survive(names: list[bytes], tmp_path: Path) -> None:
    assert through_bash(names, tmp_path) == names
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(BASH is None, reason="no bash")
def test_an_interactive_shell_expands_no_history(tmp_path: Path) -> None:
    done = subprocess.run(
        ["bash", "--norc", "-i"],
        input=f"set -H\nprintf '<%s>' {quote(b'!!')} {quote(b'!x' + bytes([1]))}\n".encode(),
        cwd=tmp_path,
        capture_output=True,
        timeout=60,
    )
    assert b"<!!><!x\x01>" in done.stdout


def test_names_are_text_with_surrogates_or_bytes() -> None:
    assert quote("caf\udcff") == quote(b"caf\xff") == r"$'caf\377'"


def test_plain_words_stay_plain() -> None:
    assert quote("blobs/sha256/abc:1.tar") == "blobs/sha256/abc:1.tar"


@pytest.mark.parametrize("word", ["PATH=x", "-c", "=x"])
def test_words_with_a_meaning_are_quoted(word: str) -> None:
    assert quote(word).startswith("'")


def test_a_file_that_looks_like_an_option() -> None:
    assert file_word("-v.tar") == "./-v.tar"


@pytest.mark.parametrize("name", ["-x", "/etc/passwd", "a/../b", "a b", "a*", "caf\u00e9", "", "a\nb", "x" * 300])
def test_untame_names(name: str) -> None:
    assert not is_tame(name)


@pytest.mark.parametrize("name", ["./etc/passwd", "blobs/sha256/ab", "etc/a@b", "c++/x"])
def test_tame_names(name: str) -> None:
    assert is_tame(name)


DOCUMENT = {"config": {"Entrypoint": ["/x"], "Labels": {"a.b/c~d": "v"}}, "history": [{"created_by": "RUN"}]}


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("", DOCUMENT),
        ("/config/Entrypoint/0", "/x"),
        ("/config/entrypoint", ["/x"]),
        ("/config/Labels/a.b~1c~0d", "v"),
        ("/history/0/created_by", "RUN"),
        ("/absent", None),
    ],
)
@pytest.mark.judge
@pytest.mark.skipif(shutil.which("jq") is None, reason="no jq")
def test_jq_finds_what_the_pointer_names(pointer: str, value: object) -> None:
    done = subprocess.run(
        ["jq", "-c", jq_filter(pointer, DOCUMENT)], input=json.dumps(DOCUMENT).encode(), capture_output=True, check=True
    )
    assert json.loads(done.stdout) == value


@pytest.mark.judge
@pytest.mark.skipif(shutil.which("od") is None, reason="no od")
@pytest.mark.parametrize("data", [b"a", b"\x7fELF\x02", bytes(range(16)), bytes(range(40))])
def test_hex_line_is_what_od_prints(data: bytes) -> None:
    done = subprocess.run(["sh", "-c", HEX], input=data, capture_output=True, check=True)
    assert done.stdout.decode().lstrip().startswith(hex_line(data))
