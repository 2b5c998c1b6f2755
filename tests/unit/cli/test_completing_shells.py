"""What a real shell makes of a line when somebody presses Tab: keys go in, and the line that stands there comes out."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from imagepeel import forge

Press = Callable[[str], str]
Make = Callable[[str], Path]

SECONDS = 60
BASH = r"""
PS1='> '; bind 'set bell-style none' 'set show-all-if-ambiguous off' 'set completion-query-items 0'
shows() { printf 'LINE<%s>END' "$READLINE_LINE"; READLINE_LINE=; READLINE_POINT=0; }
bind -x '"\C-xd": shows'; bind '"\C-xa": insert-completions'
eval "$(_IMAGEPEEL_COMPLETE=bash_source imagepeel)"; printf 'RE%s' ADY
"""
ZSH = r"""
PS1='> '; unsetopt beep; autoload -Uz compinit; compinit -u -D; bindkey -e
shows() { print -rn -- "LINE<$BUFFER>END"; BUFFER=; zle -I; }
zle -N shows; bindkey '^Xd' shows
eval "$(_IMAGEPEEL_COMPLETE=zsh_source imagepeel)"; printf 'RE%s' ADY
"""


@pytest.fixture(scope="module")
def place(forge_archive: Make, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with archives, files of the host, and the command."""
    top = tmp_path_factory.mktemp("shells")
    (top / "bin").mkdir()
    command = top / "bin" / "imagepeel"
    command.write_text(f"#!{sys.executable}\nfrom imagepeel.cli import cli\ncli.main(prog_name='imagepeel')\n")
    command.chmod(0o755)
    shutil.copy(forge_archive("shop"), top / "shop.tar")
    shutil.copy(forge_archive("hello"), top / "hello.tar")
    two = [forge.image(*(forge.layer(forge.file(name, name)) for name in "xyz"[:count])) for count in (1, 3)]
    forge.write(two, top / "two.tar")
    for name in ("L1-of-the-host", "shop-of-the-host", "page.html"):
        (top / name).touch()
    return top


def _environment(place: Path) -> dict[str, str]:
    return {**os.environ, "PATH": f"{place}/bin:{os.environ['PATH']}", "HOME": str(place), "TERM": "dumb",
            "ZDOTDIR": str(place), "LC_ALL": "C.UTF-8"}  # fmt: skip


def _typing(place: Path, script: str, *command: str) -> Iterator[Press]:
    """Yield a function that types keys into a shell of its own and returns the line that stands there then."""
    (place / "start").write_text(script)
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(place)
        os.execvpe(command[0], list(command), _environment(place))

    def until(mark: str) -> str:
        out, end = "", time.monotonic() + SECONDS
        while not re.search(mark, out, re.DOTALL):
            assert time.monotonic() < end, out
            if select.select([terminal], [], [], 1)[0]:
                out += os.read(terminal, 65536).decode(errors="replace")
        return out

    def press(keys: str) -> str:
        os.write(terminal, keys.encode() + b"\x18d")
        found = re.search("LINE<(.*?)>END", until("LINE<.*?>END"), re.DOTALL)
        assert found is not None
        return found[1]

    try:
        os.write(terminal, b" . ./start\n")
        until("READY")
        yield press
    finally:
        os.close(terminal)
        os.waitpid(child, 0)


@pytest.fixture(scope="module")
def bash(place: Path) -> Iterator[Press]:
    yield from _typing(place, BASH, "bash", "--noprofile", "--norc", "-i")


@pytest.fixture(scope="module")
def zsh(place: Path) -> Iterator[Press]:
    if shutil.which("zsh") is None:
        pytest.skip("zsh is not installed")
    yield from _typing(place, ZSH, "zsh", "-f", "-i")


LINES = [
    # A value behind `=`, and words that bash cuts.
    ("layers shop.tar --image=sh\t", "layers shop.tar --image=shop:1.4 "),
    ("check shop.tar --output=ju\t", "check shop.tar --output=junit="),
    ("explain shop.tar --html=pa\t", "explain shop.tar --html=page.html "),
    ("ls ~/shop.tar /s\t", "ls ~/shop.tar /srv/"),
    ("layers sho\t", "layers shop"),
    ("diff hello.tar shop.tar --image-b=sh\t", "diff hello.tar shop.tar --image-b=shop:1.4 "),
]
CUT = [
    ("layers shop.tar --image=shop:1\t", "layers shop.tar --image=shop:1.4 "),
    ("layers shop.tar --image '#\t", "layers shop.tar --image '#1' "),
    ("process shop.tar --engine=podman@5\t", "process shop.tar --engine=podman@5.8 "),
    ('layers "shop.tar" --image "shop:1\t', 'layers "shop.tar" --image "shop:1.4" '),
    ("check shop.tar --output sarif=pa\t", "check shop.tar --output sarif=page.html "),
    ("diff hello.tar --layer=\t", "diff hello.tar --layer=L1 "),
    ("diff shop.tar hello.tar /srv/shop/cat\t", "diff shop.tar hello.tar /srv/shop/catalog.bin "),
    ("diff hello.tar sho\t", "diff hello.tar shop"),
    ("diff shop.tar --layer 1 --layer 2 /sr\t", "diff shop.tar --layer 1 --layer 2 /srv/"),
]


@pytest.mark.parametrize(("keys", "line"), LINES + CUT)
def test_bash_completes_the_line(keys: str, line: str, bash: Press) -> None:
    assert bash(f"imagepeel {keys}") == f"imagepeel {line}"


@pytest.mark.parametrize(("keys", "line"), LINES)
def test_zsh_completes_the_line(keys: str, line: str, zsh: Press) -> None:
    assert zsh(f"imagepeel {keys}") == f"imagepeel {line}"


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ("ls shop.tar --layer=\x18a", "ls shop.tar --layer=L1 L2 L3 L4 L5 L6 L7 L8 "),
        ("ls two.tar --image '#2' --layer \x18a", "ls two.tar --image '#2' --layer L1 L2 L3 "),
        ("ls two.tar --image=#1 --layer \x18a", "ls two.tar --image=#1 --layer L1 "),
        ("diff shop.tar --layer L1 --layer \x18a", "diff shop.tar --layer L1 --layer L1 L2 L3 L4 L5 L6 L7 L8 "),
        ("diff hello.tar shop.tar --image-b \x18a", r"diff hello.tar shop.tar --image-b shop:1.4 \#1 "),
    ],
)
def test_bash_offers_all(keys: str, line: str, bash: Press) -> None:
    assert bash(f"imagepeel {keys}") == f"imagepeel {line}"


def test_fish_offers_whole_words(place: Path) -> None:
    if shutil.which("fish") is None:
        pytest.skip("fish is not installed")
    script = """_IMAGEPEEL_COMPLETE=fish_source imagepeel | source
        complete -C 'imagepeel ls hello.tar --layer='
        complete -C 'imagepeel diff hello.tar shop.tar --image-b sh'"""
    done = subprocess.run(
        ["fish", "-N", "-c", script], cwd=place, env=_environment(place), capture_output=True, text=True, check=True
    )
    assert [line.partition("\t")[0] for line in done.stdout.splitlines()] == ["--layer=L1", "shop:1.4"]
