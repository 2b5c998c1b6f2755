"""Images with very many of one thing: twice as many cost no more than twice the calls of functions, and a little.

IMAGEPEEL_LARGE multiplies the sizes; `make soak` takes them fifty times as large.
"""

from __future__ import annotations

import io
import os
import struct
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from whole import verbs

from effort import steps
from imagepeel import forge
from imagepeel import open as open_archive
from imagepeel.errors import ImagepeelError
from imagepeel.forge import programs
from imagepeel.forge.elf import elf
from imagepeel.formats.ldcache import CACHE_IDS
from imagepeel.present.process import process_document
from imagepeel.process.image_prediction import predict_image
from imagepeel.render.json import pieces
from imagepeel.render.layout import _cut
from imagepeel.render.terminal import print_document
from imagepeel.results.process import process_result
from imagepeel.rootfs.layer_events import layer_counts, lost_files
from imagepeel.rootfs.tree.inode import MANY
from imagepeel.rootfs.unreachable import losses
from imagepeel.rootfs.usage import kinds

TIMES = int(os.environ.get("IMAGEPEEL_LARGE", "1"))
VERBS = ("process", "findings", "explain", "waste", "loadable", "views")
MOST = 8_000_000 * TIMES


def image(*layers: forge.LayerSpec, **config: Any) -> bytes:
    return forge.to_bytes(forge.image(*layers, **{"entrypoint": ["/x"], **config}), "oci-archive", compression="gzip")


def plain(*headers: bytes) -> forge.LayerSpec:
    return forge.layer(tar=b"".join(headers) + bytes(1024))


def program(**facts: Any) -> tuple[forge.Entry, ...]:
    loader = "/lib64/ld-linux-x86-64.so.2"
    return forge.file("x", elf("amd64", interpreter=loader, **facts), 0o755), forge.file(
        loader, programs.hello(), 0o755
    )


def entries(n: int) -> bytes:
    return image(plain(*(forge.header(name=b"d%d/f%d" % (k // 100, k), size=0) for k in range(n))))


def whiteouts(n: int) -> bytes:
    lower = plain(*(forge.header(name=b"d/f%d" % k, size=0) for k in range(n)))
    return image(lower, plain(*(forge.header(name=b"d/.wh.f%d" % k, size=0) for k in range(n))))


def deep(n: int) -> bytes:
    return image(forge.layer(forge.file("d/" * n + "f", b"x")))


def layers(n: int) -> bytes:
    return image(*(forge.layer(forge.file(f"f{k}", b"a"), forge.file("same", b"%d" % k)) for k in range(n)))


def needed(n: int) -> bytes:
    return image(forge.layer(*program(needed=[f"l{k}.so" for k in range(n)])))


def cache(n: int) -> bytes:
    rows, strings, base = b"", b"", 48 + 24 * n
    for k in range(n):
        name = b"lib%07d.so\0" % (n - k)
        rows += struct.pack("<iIIIQ", CACHE_IDS["amd64"], base + len(strings), base + len(strings) + len(name), 0, 0)
        strings += name + b"/usr/lib/" + name
    data = b"glibc-ld.so.cache1.1" + struct.pack("<IIB3xI12x", n, len(strings), 2, 0) + rows + strings
    return image(forge.layer(*program(needed=["lib0000001.so", "libnone.so"]), forge.file("etc/ld.so.cache", data)))


def accounts(n: int) -> bytes:
    data = b"".join(b"user%d:x:%d:%d::/:/bin/sh\n" % (k, k, k) for k in range(n))
    files = forge.file("etc/passwd", data), forge.file("etc/group", data)
    return image(forge.layer(forge.file("x", programs.hello(), 0o755), *files), user="nobody7:nogroup")


def environment(n: int) -> bytes:
    env = ["PATH=/bin", *(f"V{k}={'a' * 90}" for k in range(n))]
    return image(forge.layer(forge.file("x", programs.hello(), 0o755)), env=env)


def hardlinks(n: int) -> bytes:
    links = (forge.header(name=b"l%d" % (k + 1), typeflag=b"1", linkname=b"l%d" % k) for k in range(n))
    return image(plain(forge.header(name=b"l0", size=0), *links))


def symlinks(n: int) -> bytes:
    links = (forge.header(name=b"s%d" % k, typeflag=b"2", linkname=b"s%d" % (k + 1)) for k in range(n))
    return image(plain(*links), entrypoint=["/s0"])


SIZES: dict[Callable[[int], bytes], int] = {
    entries: 1_000,
    whiteouts: 500,
    deep: 100,
    layers: 6,
    needed: 600,
    cache: 500,
    accounts: 500,
    environment: 200,
    hardlinks: 500,
    symlinks: 500,
}
"""What is made, and how many of it."""


def ask(data: bytes, verb: str) -> None:
    if verb in ("json", "verbose"):
        with open_archive(io.BytesIO(data)) as archive, open(os.devnull, "w", encoding="utf-8") as out:
            image = archive.image()
            result = process_result(image, predict_image(image))
            if verb == "json":
                out.writelines(pieces("process", result))
            else:
                print_document(process_document(result), out)
        return
    try:
        verbs(data, (verb,))
    except ImagepeelError as error:
        assert error.what and error.exit_code != 70


@pytest.mark.parametrize("make", SIZES, ids=lambda make: make.__name__)
def test_twice_as_many_cost_no_more_than_twice(make: Callable[[int], bytes]) -> None:
    size = SIZES[make] * TIMES
    first, few, many = make(size - 1), make(size), make(2 * size)
    for verb in VERBS:
        ask(first, verb)  # what is loaded and compiled once, and remembered of a file, counts for neither
        once = steps(ask, few, verb, limit=MOST)
        assert steps(ask, many, verb, limit=MOST) < 2.2 * once + 20_000, verb


def test_a_directory_of_very_many_names_takes_little_memory_for_each() -> None:
    n = MANY + 10_000
    with open_archive(io.BytesIO(entries_of_one_directory(n))) as archive:
        layer = archive.image().layers[0]
        assert len(layer.table) == n
        tracemalloc.start()
        try:
            root = archive.image().rootfs.resolve("/d/f77").node
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert root is not None and root.entry == 77
    assert peak < 40 * n, f"{peak // n} bytes for each name"


@pytest.mark.parametrize("verb", ["walk", "kinds"])
def test_a_walk_through_a_directory_of_very_many_names_takes_little_memory_for_each(verb: str) -> None:
    n = MANY + 10_000
    with open_archive(io.BytesIO(entries_of_one_directory(n))) as archive:
        rootfs = archive.image().rootfs
        rootfs.lookup("/d/f77")
        tracemalloc.start()
        try:
            found = sum(1 for _ in rootfs.walk("/d")) - 1 if verb == "walk" else kinds(rootfs)["file"]
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert found == n
    # One part is made at a time, and nothing is kept but a number for each name.
    assert peak < 400 * n, f"{peak // n} bytes for each name"


def entries_of_one_directory(n: int) -> bytes:
    return image(plain(*(forge.header(name=b"d/f%d" % k, size=0) for k in range(n))))


def test_counting_what_layers_do_takes_little_memory_for_each_name() -> None:
    n = 20_000
    with open_archive(io.BytesIO(whiteouts(n))) as archive:
        image = archive.image()
        rootfs = image.rootfs
        tracemalloc.start()
        try:
            counts = layer_counts(rootfs)
            peak = tracemalloc.get_traced_memory()[1]
            before = tracemalloc.get_traced_memory()[0]
            lost, files = losses(rootfs), len(lost_files(rootfs, least=0))
            kept = tracemalloc.get_traced_memory()[0] - before
        finally:
            tracemalloc.stop()
    assert (counts[0].added, counts[1].removed) == (n + 1, n)
    assert peak < 500 * n, f"{peak // n} bytes for each name and its whiteout"
    assert sum(lost.marks[1]) == files == n
    each = kept // n
    assert each < 60, f"{each} bytes stay for each whiteout"


def variables(n: int) -> bytes:
    steps = [forge.Step(created_by="COPY x /x")]
    env = ["PATH=/bin", *(f"V{k:07}={'a' * 90}" for k in range(n))]
    return image(forge.layer(forge.file("x", programs.hello(), 0o755)), env=env, history=steps)


def variable(n: int) -> bytes:
    steps = [forge.Step(created_by="COPY x /x")]
    return image(forge.layer(forge.file("x", programs.hello(), 0o755)), env=[f"V={'a' * n}"], history=steps)


def volumes(n: int) -> bytes:
    steps = [forge.Step(created_by="COPY x /x")]
    paths = [f"/v{k:07}/{'a' * 85}" for k in range(n)]
    return image(forge.layer(forge.file("x", programs.hello(), 0o755)), volumes=paths, history=steps)


def peak(data: bytes, verb: str) -> int:
    tracemalloc.start()
    try:
        ask(data, verb)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("make", "n", "most"),
    [(variables, 2_000, 800), (volumes, 1_000, 2_400), (variable, 1_000_000, 6)],
    ids=["variables", "volumes", "variable"],
)
@pytest.mark.parametrize("verb", ["process", "json", "verbose", "findings", "explain"])
def test_one_more_takes_no_more_memory_than_a_few_copies(
    make: Callable[[int], bytes], n: int, most: int, verb: str
) -> None:
    if make is volumes and verb in ("json", "verbose"):
        most = 1_000  # elsewhere callers get a value of each, or the last thousands of looks at a path are kept
    elif (make, verb) == (variables, "process"):
        most = 1_400  # callers get a value of each
    elif (make, verb) == (variable, "verbose"):
        most = 12  # a line that is cut to the width of the terminal
    few, many = make(n), make(2 * n)
    ask(few, verb)
    each = (peak(many, verb) - peak(few, verb)) / n
    assert each < most, f"{each:.0f} bytes for each"


class _Copied(str):
    """A text that counts the characters that are copied out of it, and out of its parts."""

    copied = 0

    def __getitem__(self, key: Any) -> _Copied:
        part = _Copied(str.__getitem__(self, key))
        _Copied.copied += len(part)
        return part


def test_a_line_is_cut_without_copying_its_rest_again_and_again() -> None:
    _Copied.copied = 0
    assert _cut([("ab", ""), (_Copied("x" * 10_000), "")], range(1, 10_000, 10))[-2:] == [
        [("x" * 10, "")],
        [("x" * 11, "")],
    ]
    assert _Copied.copied == 10_000
