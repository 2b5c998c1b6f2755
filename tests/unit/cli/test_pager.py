"""On a real terminal: what is longer than the screen goes to a pager, and nothing else does."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path

import pytest

Make = Callable[..., Path]
ME = [sys.executable, "-m", "imagepeel"]
ROWS, COLUMNS = 24, 80


def on_a_terminal(words: list[str], *, keys: bytes = b"", after: bytes = b"", **env: str) -> tuple[int, bytes]:
    """Run imagepeel on a terminal of its own; `keys` are typed when `after` has been shown.  Exit code, all output."""
    child, terminal = pty.fork()
    if child == 0:
        gone = {"NO_COLOR", "PAGER", "IMAGEPEEL_PAGER", "COLUMNS", "FORCE_COLOR", "LESS"}
        os.execve(
            sys.executable,
            [*ME, *words],
            {name: value for name, value in os.environ.items() if name not in gone} | {"TERM": "xterm"} | env,
        )
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    shown, end = bytearray(), time.monotonic() + 60
    while time.monotonic() < end:
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                data = os.read(terminal, 65536)
            except OSError:
                break
            if not data:
                break
            shown += data
        if keys and after in shown:
            time.sleep(0.2)
            os.write(terminal, keys)
            keys = b""
    else:
        os.kill(child, signal.SIGKILL)
        pytest.fail(f"it never ended: {bytes(shown[-500:])!r}")
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), bytes(shown).replace(b"\r\n", b"\n")


@pytest.fixture
def pager(tmp_path: Path) -> tuple[str, Path]:
    """A pager that keeps what it is given, and where."""
    kept = tmp_path / "paged"
    program = tmp_path / "my pager"
    program.write_text(f"#!/bin/sh\nexec cat > '{kept}'\n")
    program.chmod(0o755)
    return f"'{program}'", kept


def test_a_long_output_is_paged_whole_and_in_colour(forge_archive: Make, pager: tuple[str, Path]) -> None:
    words = ["explain", str(forge_archive("hello"))]
    code, shown = on_a_terminal(words, PAGER=pager[0])
    assert (code, shown) == (0, b"")
    plain = [*ME, *words, "--color=always"]
    piped = subprocess.run(plain, capture_output=True, check=True, env=os.environ | {"COLUMNS": str(COLUMNS)})
    assert pager[1].read_bytes() == piped.stdout


def test_one_screen_is_not_paged(forge_archive: Make, pager: tuple[str, Path]) -> None:
    code, shown = on_a_terminal(["images", str(forge_archive("hello"))], PAGER=pager[0])
    assert code == 0 and b"choose with" in shown and not pager[1].exists()


@pytest.mark.parametrize(
    ("more", "env"),
    [
        (["--no-pager"], {}),
        ([], {"IMAGEPEEL_PAGER": ""}),
        ([], {"IMAGEPEEL_PAGER": "cat"}),
        ([], {"TERM": "dumb"}),
    ],
    ids=["--no-pager", "none", "cat", "dumb"],
)
def test_who_wants_no_pager_gets_none(
    more: list[str], env: dict[str, str], forge_archive: Make, pager: tuple[str, Path]
) -> None:
    code, shown = on_a_terminal(["explain", str(forge_archive("hello")), *more], **({"PAGER": pager[0]} | env))
    assert code == 0 and b"What surprised us" in shown and not pager[1].exists()


def test_who_asks_for_keys_is_not_paged(forge_archive: Make, pager: tuple[str, Path]) -> None:
    archive = str(forge_archive("shop"))
    code, shown = on_a_terminal(["peel", archive], keys=b"q", after=b"1 of", PAGER=pager[0])
    assert code == 0 and shown and not pager[1].exists()


def test_a_pipe_is_not_paged(forge_archive: Make, pager: tuple[str, Path]) -> None:
    words = [*ME, "explain", str(forge_archive("hello"))]
    done = subprocess.run(words, capture_output=True, check=True, env=os.environ | {"PAGER": pager[0]})
    assert b"What surprised us" in done.stdout and not pager[1].exists()


def test_a_reader_who_leaves_early(forge_archive: Make) -> None:
    code, shown = on_a_terminal(["ls", "-R", str(forge_archive("shop"))], PAGER="true")
    assert code == 0 and b"error" not in shown and b"Traceback" not in shown


@pytest.mark.parametrize("name", ["no-such-pager", "'unclosed"])
def test_a_pager_that_is_not_there(name: str, forge_archive: Make) -> None:
    code, shown = on_a_terminal(["explain", str(forge_archive("hello"))], PAGER=name)
    assert code == 0 and b"What surprised us" in shown


def test_warnings_and_exit_code_come_after_the_pager(forge_archive: Make, pager: tuple[str, Path]) -> None:
    code, shown = on_a_terminal(["explain", str(forge_archive("wrong-digest"))], PAGER=pager[0])
    plain = subprocess.run([*ME, "explain", str(forge_archive("wrong-digest"))], capture_output=True, check=False)
    assert code == plain.returncode != 0
    assert b"error:" in shown and b"error:" not in pager[1].read_bytes()


@pytest.mark.skipif(not os.path.exists("/usr/bin/less"), reason="less is not installed")
@pytest.mark.parametrize("keys", [b"q", b"Gq"])
def test_less_shows_colours_and_gives_the_terminal_back(keys: bytes, forge_archive: Make) -> None:
    code, shown = on_a_terminal(["explain", str(forge_archive("hello"))], keys=keys, after=b"\n:")
    assert code == 0 and b"\x1b[1m" in shown and b"ESC" not in shown
    assert (b"What surprised us" in shown) == keys.startswith(b"G")
