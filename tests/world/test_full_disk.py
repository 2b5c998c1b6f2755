"""The disk is full at every write in turn: one error in three lines, and nothing partial is left.

The kernel refuses a write beyond the largest size of a file (RLIMIT_FSIZE), as it refuses one on a full disk.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from imagepeel import forge

DRIVER = """
import json, os, resource, shutil, sys
from imagepeel.cli import cli
words, place, limits = json.loads(sys.argv[1])

def tree():
    found = {}
    for top, folders, names in os.walk(place):
        for name in (*folders, *names):
            path = os.path.join(top, name)
            found[os.path.relpath(path, place)] = os.lstat(path).st_size if name in names else -1
    return found

for limit in limits:
    shutil.rmtree(place)
    os.mkdir(place)
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        code = 99
        try:
            os.dup2(os.open(os.devnull, os.O_RDWR), 1)
            os.dup2(write, 2)
            if limit >= 0:
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
            cli.main(words)
        except SystemExit as leave:
            code = leave.code
        finally:
            os._exit(code)
    os.close(write)
    said = b""
    while piece := os.read(read, 65536):
        said += piece
    os.close(read)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    print(json.dumps([limit, code, said.decode(), tree()]), flush=True)
"""
WORDS = {
    "bundle": ("bundle", "ARCHIVE", "OUT/bundle"),
    "bundle --rootfs": ("bundle", "ARCHIVE", "OUT/bundle", "--rootfs"),
    "check --output": ("check", "ARCHIVE", "--output", "sarif=OUT/o.sarif,junit=OUT/o.xml,json=OUT/o.json"),
    "check --write-baseline": ("check", "ARCHIVE", "--write-baseline", "OUT/known.json"),
    "explain --html": ("explain", "ARCHIVE", "--html", "OUT/page.html"),
    "extract": ("extract", "ARCHIVE", "OUT/tree"),
    "flatten": ("flatten", "ARCHIVE", "-o", "OUT/flat.tar"),
    "forge": ("forge", "shop", "OUT/shop.tar"),
    "forge --kind oci-dir": ("forge", "shop", "OUT/shop", "--kind", "oci-dir"),
    "operate --html": ("operate", "ARCHIVE", "--html", "OUT/page.html"),
    "workshop": ("workshop", "OUT/course"),
    "workshop slides": ("workshop", "slides", "ARCHIVE", "OUT/slides.html"),
    "wtf --reproduce": ("wtf", "--reproduce", "CRLF-SHEBANG", "OUT/demo.tar"),
}
OWN = {"workshop slides"}
"""Commands that keep no index of what they read."""
SEVERAL_SECONDS = {"check --output", "workshop", "operate --html"}
"""Commands that are tried at fewer sizes of the disk."""
MARKER = "/.imagepeel-partial"
"""A directory that says of itself that it is incomplete; what is in it is not taken for the result."""


@pytest.mark.parametrize("name", WORDS)
def test_nothing_partial_is_left(name: str, tmp_path: Path) -> None:
    archive, place = forge.write(forge.build("shop"), tmp_path / "shop.tar"), tmp_path / "out"
    place.mkdir()
    words = [word.replace("ARCHIVE", str(archive)).replace("OUT", str(place)) for word in WORDS[name]]

    extra = ["--no-cache"] if "ARCHIVE" in WORDS[name] and name not in OWN else []

    def run(limits: list[int]) -> list[tuple[int, int, str, dict[str, int]]]:
        given = [
            sys.executable,
            "-c",
            DRIVER,
            json.dumps([[*words, *extra], str(place), limits]),
        ]
        done = subprocess.run(given, capture_output=True, text=True, check=True)
        return [tuple(json.loads(line)) for line in done.stdout.splitlines()]  # type: ignore[misc]

    ((_, code, said, whole),) = run([-1])
    assert code == 0 and whole, said
    sizes = sorted({size for size in whole.values() if size > 0})
    largest = sizes[-1]
    few = name in SEVERAL_SECONDS
    limits = (
        [0, 512, largest // 2, largest - 1]
        if few
        else sorted({0, 511, 512, *(size - 1 for size in sizes[-2:]), largest // 2, largest})
    )
    failed = 0
    for limit, code, said, tree in run(limits):
        if code == 0:
            assert tree == whole and limit >= largest, limit
            continue
        failed += 1
        lines = said.splitlines()
        assert code == 70, (limit, said)
        assert [line.split(":")[0] for line in lines[-3:]] == ["error", "where", "try"], (limit, said)
        assert "Traceback" not in said and "internal error" not in said
        assert not tree or any(path.endswith(MARKER) for path in tree), (limit, tree)
    assert failed >= 4


def test_a_cache_that_cannot_be_written_changes_no_answer(tmp_path: Path) -> None:
    archive, place = tmp_path / "image.tar", tmp_path / "out"
    place.mkdir()
    noise = os.urandom(1 << 20)
    layers = [forge.layer(*(forge.file(f"{k}/{n}", noise) for n in range(9))) for k in range(2)]
    forge.write(forge.image(*layers, cmd=["/0/1"]), archive)
    environment = {**os.environ, "XDG_CACHE_HOME": str(place)}
    given = [
        sys.executable,
        "-c",
        DRIVER,
        json.dumps([["layers", str(archive)], str(place), [-1, *range(0, 4000, 997)]]),
    ]
    done = subprocess.run(given, capture_output=True, text=True, check=True, env=environment)
    ends = [json.loads(line) for line in done.stdout.splitlines()]
    whole = ends[0][3]
    assert [path for path in whole if path.endswith(".index")]
    for limit, code, said, tree in ends[1:]:
        assert code == 0 and "Traceback" not in said, (limit, said)
        assert {path: whole.get(path) for path in tree} == tree or all(size <= limit for size in tree.values())
        assert not [path for path in tree if ".new-" in path]
