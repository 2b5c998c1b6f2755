"""Somebody swaps directories and links while `extract` writes: all that is written stays in the output directory."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import imagepeel
from imagepeel import forge
from imagepeel.errors import ImagepeelError
from imagepeel.export.extract import materialize

ROUNDS = int(os.environ.get("IMAGEPEEL_SWAP_ROUNDS", "8"))
"""Extractions that are attacked; `make soak` asks for more."""
FOLDERS, FILES, EACH = 12, 12, 5
ATTACKER = f"""
import contextlib, os, random, sys
out, canary, seed = sys.argv[1:]
chance = random.Random(int(seed))
above = os.open(os.path.dirname(out), os.O_RDONLY)
os.set_blocking(1, False)

@contextlib.contextmanager
def inside(name, folder):
    # Its own links must not lead the attacker itself into the canary.
    descriptor = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
    try:
        yield descriptor
    finally:
        os.close(descriptor)

print("ready", flush=True)
while True:
    name, file = f"d{{chance.randrange({FOLDERS})}}", f"f{{chance.randrange({FILES})}}"
    aside, action = f"aside{{chance.randrange(100000)}}", chance.randrange(100)
    with contextlib.suppress(OSError):
        if action == 0:
            os.rename("out", aside, src_dir_fd=above, dst_dir_fd=above)
            os.symlink(canary, "out", dir_fd=above)
        elif action == 1 and os.path.islink(out):
            os.unlink(out)
        else:
            with inside("out", above) as top:
                if action < 50:
                    with inside(name, top) as folder:
                        if action < 25:
                            os.symlink(canary + "/secret", file, dir_fd=folder)
                        else:
                            os.link(canary + "/secret", file, dst_dir_fd=folder)
                else:
                    os.rename(name, aside, src_dir_fd=top, dst_dir_fd=above)
                    os.symlink(canary, name, dir_fd=top)
        # Whoever waits for it knows that one was swapped; nobody may wait, and then the pipe is full at some time.
        os.write(1, b".")
"""


def state(canary: Path) -> list[tuple[str, int, int, int, bytes]]:
    """All that is in the canary's directory, with what a write, chmod, chown or utime would change."""
    found = []
    for path in (canary, *sorted(canary.iterdir())):
        info = path.lstat()
        data = path.read_bytes() if path.is_file() else b""
        found.append((path.name, info.st_mode, info.st_uid, info.st_mtime_ns, data))
    return found


def after_each(swaps: int) -> Callable[[int], None]:
    """Progress that goes on only when the attacker has swapped some names: on a busy machine it might come too late."""

    waits = True

    def wait(_: int) -> None:
        nonlocal waits
        seen = 0
        while waits and seen < EACH:
            # Nothing for a second: everything lies aside, and there is nothing left to swap.
            waits = bool(select.select([swaps], [], [], 1)[0])
            seen += len(os.read(swaps, 1 << 16)) if waits else 0

    return wait


def test_nothing_outside_changes(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    canary.mkdir()
    (canary / "secret").write_text("the canary's secret")
    for n in range(3):
        (canary / f"f{n}").write_text("the canary's own")
    os.chmod(canary, 0o751)
    before = state(canary)
    entries = []
    for d in range(FOLDERS):
        entries += [forge.directory(f"d{d}", 0o777), forge.directory(f"d{d}/sub", 0o777)]
        entries += [forge.file(f"d{d}/f{n}", "from the image", 0o777) for n in range(FILES)]
        entries += [forge.file(f"d{d}/sub/f{n}", "from the image") for n in range(FILES)]
        entries += [forge.hardlink(f"d{d}/hard", f"d{d}/f0"), forge.symlink(f"d{d}/soft", "f0")]
    archive = forge.write(forge.image(forge.layer(*entries), cmd=["/d0/f0"]), tmp_path / "image.tar")
    whole = stopped = 0
    with imagepeel.open(archive) as opened:
        rootfs = opened.image().rootfs
        for number in range(10 * ROUNDS):
            if number >= ROUNDS and stopped:
                break
            place = tmp_path / f"place{number}"
            place.mkdir()
            given = [sys.executable, "-c", ATTACKER, str(place / "out"), str(canary), str(number)]
            with subprocess.Popen(given, stdout=subprocess.PIPE) as attacker:
                try:
                    assert attacker.stdout is not None and attacker.stdout.readline()
                    # Every other extraction runs freely, at its own pace against the attacker's.
                    progress = after_each(attacker.stdout.fileno()) if number % 2 else None
                    materialize(rootfs, place / "out", progress=progress)
                    whole += 1
                except (OSError, ImagepeelError):
                    stopped += 1
                finally:
                    attacker.kill()
            assert state(canary) == before, number
            shutil.rmtree(place)
    assert whole + stopped >= ROUNDS
    assert stopped, "the attacker never met an extraction"
