"""Commands on a machine that lacks something: threads, zlib-ng, zstandard, libmagic."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from imagepeel import forge

Make = Callable[..., Path]
NO_THREADS = """
import threading
def start(self):
    raise RuntimeError("can't start new thread")
threading.Thread.start = start
"""
ONE_THREAD = """
import threading
whole, made = threading.Thread.start, []
def start(self):
    if made:
        raise RuntimeError("can't start new thread")
    made.append(self)
    whole(self)
threading.Thread.start = start
"""


def absent(*names: str) -> str:
    return f"import sys\nfor name in {names!r}: sys.modules[name] = None\n"


LACKS = {
    "no threads": NO_THREADS,
    "one thread": ONE_THREAD,
    "zlib-ng": absent("zlib_ng", "zlib_ng.zlib_ng"),
    "zstandard": absent("zstandard"),
    "libmagic": absent("magic", "pylibmagic"),
}


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image of several layers that are large enough for several threads."""
    noise = bytes(range(251)) * 20_000
    layers = [forge.layer(forge.file(f"file-{n}", bytes([n]) + noise)) for n in range(4)]
    return forge.write(forge.image(*layers, cmd=["/file-0"]), tmp_path_factory.mktemp("large") / "large.tar")


def command(lack: str, *words: str | Path) -> subprocess.CompletedProcess[bytes]:
    program = f"{LACKS.get(lack, '')}\nfrom imagepeel.__main__ import main\nmain()\n"
    return subprocess.run([sys.executable, "-c", program, *map(str, words)], capture_output=True, check=False)


@pytest.mark.parametrize("lack", LACKS)
def test_commands_answer_the_same(lack: str, large: Path, forge_archive: Make) -> None:
    shop = forge_archive("shop", compression="gzip")
    for words in (("layers", large, "--no-cache"), ("explain", shop, "--no-cache"), ("ls", "-l", shop, "/")):
        there, here = command("", *words), command(lack, *words)
        assert (there.returncode, there.stderr) == (0, b"")
        assert (here.returncode, here.stdout, here.stderr) == (0, there.stdout, b"")


def test_a_layer_that_nothing_here_can_unpack_is_told_and_the_rest_is_read(forge_archive: Make) -> None:
    shop = forge_archive("shop", kind="oci-archive", compression="zstd")
    done = command("zstandard", "layers", shop, "--no-cache")
    assert b"Traceback" not in done.stderr and b"internal error" not in done.stderr
    if sys.version_info >= (3, 14):
        assert done.returncode == 0
    else:
        assert b"install zstandard" in done.stderr and done.returncode == 10
